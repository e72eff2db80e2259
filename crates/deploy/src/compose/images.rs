//! The images of a release. They have a tag of their own: images are built under it, so that the running release keeps its
//! names until it is replaced, and images that were pulled stay on the engine after their own tags have moved.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use anyhow::Context as _;
use docker::compose::repository;
use serde_json::json;
use tempfile::NamedTempFile;

use super::client::{BUILD, Client, QUICK};
use super::stack::{Service, Stack};
use crate::event::Events;
use crate::failure::{Exit, Failure, Problem};
use crate::record::{Record, is_id};

/// The prefix of the tags of releases; other tags of the same image belong to others. The Compose project follows: several
/// can run the same image on one engine.
const TAG: &str = "xtask-";

/// A Compose file on top of the project's, which names images of a release. It is outside of the checkout, whose files can
/// all be in the build context of an image.
pub(super) struct Overlay {
    file: NamedTempFile,
}

impl Overlay {
    /// Writes the overlay for the images of a release with these references.
    pub(super) fn write(stack: &Stack, release: &str, references: &[&str]) -> anyhow::Result<Self> {
        let services = stack.services.iter().filter(|service| references.contains(&service.image.as_str()));
        // Compose must not look for this tag in a registry.
        let overlay =
            |service: &Service| json!({"image": tagged(stack, &service.image, release), "pull_policy": "never"});
        let services: BTreeMap<_, _> = services.map(|service| (service.name.as_str(), overlay(service))).collect();
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

/// Returns the reference that an image of the stack has for a release. Images that differ only in their tags are numbered.
pub(super) fn tagged(stack: &Stack, reference: &str, release: &str) -> String {
    let (project, name) = (stack.name(), repository(reference));
    let images = stack.release_images();
    let mut same = images.iter().filter(|other| repository(other) == name);
    match same.position(|other| *other == reference) {
        Some(number) if number > 0 => format!("{name}:{TAG}{project}-{release}.{number}"),
        _ => format!("{name}:{TAG}{project}-{release}"),
    }
}

/// Returns the release of a tag, if it is one of this Compose project. Earlier versions had no project in it, and tagged
/// only images that are built here.
fn release_of<'t>(tag: &'t str, project: &str, is_built: bool) -> Option<&'t str> {
    let rest = tag.strip_prefix(TAG)?;
    let own = rest.strip_prefix(project).and_then(|rest| rest.strip_prefix('-'));
    let release = own.or(is_built.then_some(rest))?;
    let release = release.split('.').next()?;
    is_id(release).then_some(release)
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

/// Gives the images of a release its tag: those of the Compose file, or, for a rollback, those of the release `target`.
/// Images that were built for the release have it. Returns the ids of the images of all services, by reference.
pub(super) fn tag(
    client: &Client<'_>,
    stack: &Stack,
    release: &str,
    target: Option<&Record>,
    is_built: bool,
) -> anyhow::Result<BTreeMap<String, String>> {
    let (built, of_release) = (stack.built_images(), stack.release_images());
    let mut ids = BTreeMap::new();
    for reference in stack.images() {
        let has_tag = is_built && built.contains(&reference);
        let is_of_release = of_release.contains(&reference);
        let own = tagged(stack, reference, release);
        let recorded = match target {
            Some(target) if is_of_release => recorded(stack, reference, target)?,
            _ => None,
        };
        let source = recorded.unwrap_or(if has_tag { &own } else { reference });
        let Some(id) = client.image(source)? else {
            let what = target.map(|record| format!(" of release {}", record.original())).unwrap_or_default();
            let problem = Problem::new(format!("the image `{reference}`{what} does not exist any more"));
            let hint = "cargo xtask deploy-docker, which builds or pulls it";
            return Err(Failure::new(Exit::NotMet, problem.hint(hint)).into());
        };
        if is_of_release && !has_tag {
            client.docker(["tag", &id, &own], QUICK)?;
        }
        ids.insert(reference.to_owned(), id);
    }
    Ok(ids)
}

/// Returns the id of an image in the record of a release: by the services that run it, since the name can have changed.
/// A service that is newer than that release has none.
fn recorded<'r>(stack: &Stack, reference: &str, target: &'r Record) -> anyhow::Result<Option<&'r str>> {
    let services = stack.services.iter().filter(|service| service.image == reference);
    let ids = services.filter_map(|service| Some((&service.name, target.contents.get(&service.name)?)));
    let ids: Vec<_> = ids.collect();
    if let (Some((one, id)), Some((other, _))) = (ids.first(), ids.iter().find(|(_, id)| *id != ids[0].1)) {
        let message = format!(
            "`{one}` and `{other}` have the same image `{reference}`, and had two in release {} ({})",
            target.id,
            id.chars().take(19).collect::<String>()
        );
        let hint = "put the images of that release into the Compose file";
        return Err(Failure::new(Exit::NotMet, Problem::new(message).hint(hint)).into());
    }
    // Earlier versions recorded no services.
    Ok(ids.first().map(|(_, id)| *id).or_else(|| target.contents.get(reference)).map(String::as_str))
}

/// Fills a record with the ids of the images: by service, and of those that are built here also by reference, as earlier
/// versions know them.
pub(super) fn record(stack: &Stack, ids: &BTreeMap<String, String>, record: &mut Record) {
    let (built, of_release) = (stack.built_images(), stack.release_images());
    for service in &stack.services {
        let (reference, name) = (&service.image, service.name.clone());
        let Some(id) = ids.get(reference).cloned() else { continue };
        if built.contains(&reference.as_str()) {
            record.contents.insert(reference.clone(), id.clone());
        }
        let images =
            if of_release.contains(&reference.as_str()) { &mut record.contents } else { &mut record.kept_images };
        images.insert(name, id);
    }
}

/// Takes the tags of releases away whose records are gone, and of one that was given up.
pub(super) fn remove_tags(client: &Client<'_>, stack: &Stack, kept: &[Record]) -> anyhow::Result<()> {
    let built = stack.built_images();
    let names: BTreeSet<&str> = stack.release_images().into_iter().map(repository).collect();
    for image in names {
        let is_built = built.iter().any(|reference| repository(reference) == image);
        let tags = client.docker(["image", "ls", "--format", "{{.Tag}}", image], QUICK)?;
        for tag in tags.lines() {
            let Some(release) = release_of(tag, stack.name(), is_built) else { continue };
            if !kept.iter().any(|record| record.id == release) {
                // Docker refuses to remove an image that a container uses.
                client.ask(&["image", "rm", &format!("{image}:{tag}")], b"", QUICK)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use project::Settings;

    use super::*;
    use crate::record::Target;

    const RELEASE: &str = "20261123T045012Z";

    fn stack(services: &str) -> Stack {
        let config = format!(r#"{{"name": "shop", "services": {{{services}}}}}"#);
        Stack::of(serde_json::from_str(&config).expect("JSON"), &Settings::default()).expect("a stack")
    }

    fn record_of(contents: &[(&str, &str)]) -> Record {
        let (command, engine, project) = ("deploy-docker".into(), "engine".into(), "shop".into());
        let mut record = Record::begin(Target { command, engine, project }, "me@here".into(), None);
        record.contents = contents.iter().map(|(name, id)| ((*name).to_owned(), (*id).to_owned())).collect();
        record
    }

    #[test]
    fn references_of_a_release() {
        for (reference, name) in [
            ("shop-app", "shop-app"),
            ("shop-app:latest", "shop-app"),
            ("registry:5000/shop/app", "registry:5000/shop/app"),
            ("registry:5000/shop/app:1.2", "registry:5000/shop/app"),
            ("registry:5000/shop/app@sha256:12", "registry:5000/shop/app"),
            ("shop/app:1@sha256:12", "shop/app"),
        ] {
            let stack = stack(&format!(r#""web": {{"image": "{reference}"}}"#));
            let web = stack.web().expect("web");
            assert_eq!(tagged(&stack, &web.image, RELEASE), format!("{name}:xtask-shop-{RELEASE}"));
        }
    }

    #[test]
    fn images_that_differ_only_in_their_tags_stay_apart() {
        let stack =
            stack(r#""web": {"build": {}, "image": "shop:web"}, "celery": {"build": {}, "image": "shop:tasks"}"#);
        let tags = ["shop:web", "shop:tasks"].map(|reference| tagged(&stack, reference, RELEASE));
        assert_eq!(tags, [format!("shop:xtask-shop-{RELEASE}.1"), format!("shop:xtask-shop-{RELEASE}")]);
    }

    #[test]
    fn releases_of_tags() {
        let own = format!("xtask-shop-{RELEASE}.1");
        assert_eq!(release_of(&own, "shop", false), Some(RELEASE));
        assert_eq!(release_of(&own, "sh", true), None);
        assert_eq!(release_of(&format!("xtask-shop-two-{RELEASE}"), "shop", true), None);
        let earlier = format!("xtask-{RELEASE}");
        assert_eq!(release_of(&earlier, "shop", true), Some(RELEASE));
        assert_eq!(release_of(&earlier, "shop", false), None);
        assert_eq!(release_of("latest", "shop", true), None);
    }

    #[test]
    fn a_rollback_finds_images_whose_names_have_changed() {
        let stack = stack(r#""web": {"image": "app:2"}, "beat": {"image": "app:2"}, "new": {"image": "new:1"}"#);
        let check = |contents: &[(&str, &str)], reference: &str, expected: Option<&str>| {
            let record = record_of(contents);
            assert_eq!(recorded(&stack, reference, &record).expect("one image"), expected);
        };
        check(&[("web", "sha256:1"), ("beat", "sha256:1")], "app:2", Some("sha256:1"));
        check(&[("web", "sha256:1")], "new:1", None);
        check(&[("app:2", "sha256:1")], "app:2", Some("sha256:1"));
        let two = record_of(&[("web", "sha256:1"), ("beat", "sha256:2")]);
        let error = recorded(&stack, "app:2", &two).expect_err("two images").to_string();
        assert!(error.contains("`web` and `beat` have the same image `app:2`, and had two in release"), "{error}");
    }

    #[test]
    fn the_images_of_all_services_are_recorded() {
        let stack = stack(
            r#""web": {"build": {}, "image": "shop"}, "beat": {"image": "shop"}, "nginx": {"image": "nginx:1"},
               "db": {"image": "postgres:16", "volumes": [{"type": "volume", "source": "data", "target": "/data"}]}"#,
        );
        let ids = [("shop:latest", "1"), ("nginx:1", "2"), ("postgres:16", "3")];
        let ids = ids.into_iter().map(|(name, id)| (name.to_owned(), id.to_owned())).collect();
        let mut filled = record_of(&[]);
        record(&stack, &ids, &mut filled);
        assert_eq!(
            filled.contents,
            record_of(&[("web", "1"), ("beat", "1"), ("shop:latest", "1"), ("nginx", "2")]).contents
        );
        assert_eq!(filled.kept_images, BTreeMap::from([("db".to_owned(), "3".to_owned())]));
    }
}
