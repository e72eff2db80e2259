//! The images of a release. They are built under a tag of their own, so that the running release keeps its names until
//! it is replaced.

use std::collections::BTreeMap;
use std::io::Write as _;

use anyhow::Context as _;
use serde_json::json;
use tempfile::NamedTempFile;

use super::client::{BUILD, Client, QUICK};
use super::stack::Stack;
use crate::event::Events;
use crate::failure::{Exit, Failure, Problem};
use crate::record::Record;

/// The prefix of the tags of releases; other tags of the same image belong to others.
const TAG: &str = "xtask-";

/// The Compose file on top of the project's, which names the images of a release. It is outside of the checkout, whose
/// files can all be in the build context of an image.
pub(super) struct Overlay {
    file: NamedTempFile,
}

impl Overlay {
    /// Writes the overlay for a release.
    pub(super) fn write(stack: &Stack, release: &str) -> anyhow::Result<Self> {
        let built = stack.built_images();
        let services = stack.services.iter().filter(|service| built.contains(&service.image.as_str()));
        let services: BTreeMap<_, _> = services
            .map(|service| (service.name.as_str(), json!({"image": tagged(&service.image, release)})))
            .collect();
        let write = || {
            let mut file = tempfile::Builder::new().prefix("xtask-images-").suffix(".json").tempfile()?;
            serde_json::to_writer(&mut file, &json!({"services": services}))?;
            file.flush().map(|()| file)
        };
        Ok(Overlay { file: write().context("cannot write a temporary file")? })
    }

    /// The files that Compose reads in addition to the project's.
    pub(super) fn files(&self) -> Vec<String> {
        vec![self.file.path().display().to_string()]
    }
}

/// The reference of an image for a release.
pub(super) fn tagged(reference: &str, release: &str) -> String {
    format!("{}:{TAG}{release}", name(reference))
}

/// A reference without its tag.
fn name(reference: &str) -> &str {
    let last = reference.rfind('/').map_or(0, |slash| slash + 1);
    reference[last..].find(':').map_or(reference, |colon| &reference[..last + colon])
}

/// Builds the images under the tag of the release. Unchanged layers come from the cache.
pub(super) fn build(client: &Client<'_>, stack: &Stack, overlay: &Overlay, events: &Events<'_>) -> anyhow::Result<()> {
    let services = stack.services.iter().filter(|service| service.is_built).map(|service| service.name.as_str());
    let files = overlay.files();
    let args = client.compose_args(&files, ["build"].into_iter().chain(services));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let finished = client.ask(&args, b"", BUILD)?;
    let printed = [finished.stdout(), finished.stderr()].concat();
    let printed = client.secrets.redact(&printed);
    if finished.is_success() {
        events.output(&printed, false);
        return Ok(());
    }
    events.output(&printed, true);
    let problem =
        Problem::new("`docker compose build` failed: nothing was changed, and the previous release still serves");
    Err(Failure::new(Exit::Failed, problem).into())
}

/// Gives the images that there are the release's tag: those of the Compose file, or those of another release.
pub(super) fn retag(client: &Client<'_>, stack: &Stack, release: &str, from: Option<&Record>) -> anyhow::Result<()> {
    for reference in stack.built_images() {
        // A service that is newer than that release keeps its image.
        let source = from.and_then(|record| record.contents.get(reference)).map_or(reference, String::as_str);
        let Some(id) = client.image(source)? else {
            let what = from.map(|record| format!(" of release {}", record.original())).unwrap_or_default();
            let problem = Problem::new(format!("the image `{reference}`{what} does not exist any more"));
            return Err(Failure::new(Exit::NotMet, problem.hint("cargo xtask deploy-docker, which builds it")).into());
        };
        client.docker(["tag", &id, &tagged(reference, release)], QUICK)?;
    }
    Ok(())
}

/// The ids of the images of all services, by reference. One that is not here yet is fetched.
pub(super) fn ids(
    client: &Client<'_>,
    stack: &Stack,
    release: &str,
    events: &Events<'_>,
) -> anyhow::Result<BTreeMap<String, String>> {
    let built = stack.built_images();
    let mut ids = BTreeMap::new();
    for service in &stack.services {
        let is_ours = built.contains(&service.image.as_str());
        let reference = if is_ours { tagged(&service.image, release) } else { service.image.clone() };
        let mut id = client.image(&reference)?;
        if id.is_none() && !is_ours {
            events.step(&format!("pull {reference}"), || client.docker(["pull", "--quiet", &reference], BUILD))?;
            id = client.image(&reference)?;
        }
        let id = id.ok_or_else(|| {
            Failure::new(Exit::Failed, Problem::new(format!("there is no image `{reference}` after the build")))
        })?;
        ids.insert(service.image.clone(), id);
    }
    Ok(ids)
}

/// Takes the tags of releases away whose records are gone, and of one that was given up.
pub(super) fn remove_tags(client: &Client<'_>, stack: &Stack, kept: &[Record]) -> anyhow::Result<()> {
    for reference in stack.built_images() {
        let name = name(reference);
        let tags = client.docker(["image", "ls", "--format", "{{.Tag}}", name], QUICK)?;
        let releases = tags.lines().filter_map(|tag| tag.strip_prefix(TAG));
        for release in releases.filter(|release| !kept.iter().any(|record| record.id == **release)) {
            // Docker refuses to remove an image that a container uses.
            client.ask(&["image", "rm", &tagged(reference, release)], b"", QUICK)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::tagged;

    #[test]
    fn references() {
        for (reference, expected) in [
            ("shop-app", "shop-app:xtask-R"),
            ("shop-app:latest", "shop-app:xtask-R"),
            ("registry:5000/shop/app", "registry:5000/shop/app:xtask-R"),
            ("registry:5000/shop/app:1.2", "registry:5000/shop/app:xtask-R"),
        ] {
            assert_eq!(tagged(reference, "R"), expected);
        }
    }
}
