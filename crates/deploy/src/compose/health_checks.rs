//! The health checks of the containers: one that comes too late would let the deploy fail at its end.

use std::collections::BTreeMap;
use std::time::Duration;

use docker::ImageHealthCheck;
use project::text::listed;

use super::Options;
use super::client::{Client, QUICK};
use super::stack::{Role, Service, Stack};
use crate::failure::Problem;

/// The time that a first health check is given by the timeout of a hint.
const ALLOWANCE: Duration = Duration::from_secs(30);

/// Returns the version of the engine, which decides when a container is checked for the first time.
pub(super) fn engine_version(client: &Client<'_>) -> anyhow::Result<String> {
    let printed = client.docker(["version", "--format", "{{.Server.Version}}"], QUICK)?;
    Ok(printed.trim().to_owned())
}

/// Returns the health checks of images, by reference; `ids` has the images.
pub(super) fn of_images(
    client: &Client<'_>,
    ids: &BTreeMap<String, String>,
) -> anyhow::Result<BTreeMap<String, ImageHealthCheck>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let inspect = ["image", "inspect", "--format", "{{json .Config.Healthcheck}}"];
    let printed = client.docker(inspect.into_iter().chain(ids.values().map(String::as_str)), QUICK)?;
    let parse = |line: &str| serde_json::from_str::<Option<ImageHealthCheck>>(line).ok().flatten().unwrap_or_default();
    Ok(ids.keys().cloned().zip(printed.lines().map(parse)).collect())
}

/// Returns a problem if a container cannot be healthy within the timeout, because its health check comes later. Before the
/// images are there, only the health checks of the Compose file are known.
pub(super) fn late(
    stack: &Stack,
    images: &BTreeMap<String, ImageHealthCheck>,
    engine_version: &str,
    options: &Options,
    is_yes: bool,
) -> Option<Problem> {
    let first = |service: &Service| {
        let image = images.get(&service.image).cloned().unwrap_or_default();
        let declared = stack.declared(service).healthcheck.clone();
        let is_checked = declared.as_ref().map_or(image.is_some(), |check| !check.disable) && service.role != Role::Job;
        is_checked
            .then(|| (service.name.clone(), declared.unwrap_or_default().first_health_check(&image, engine_version)))
    };
    let all: Vec<(String, Duration)> = stack.services.iter().filter_map(first).collect();
    let latest = all.iter().map(|(_, first)| *first).max().filter(|first| *first >= options.timeout)?;
    let services = listed(all.iter().filter(|(_, first)| *first == latest).map(|(service, _)| service));
    let message = format!(
        "the first health check of {services} comes {} s after the start, and `--timeout` is {} s",
        latest.as_secs(),
        options.timeout.as_secs()
    );
    let again = Options { timeout: latest + ALLOWANCE, ..options.clone() }.command_line(is_yes);
    let hint = format!("{again}; or set a shorter `interval` in the Compose file, or in the Dockerfile");
    Some(Problem::new(message).hint(hint))
}

#[cfg(test)]
mod tests {
    use project::Settings;

    use super::*;

    /// Returns the message and the hint about a stack whose images have these health checks.
    fn problem(services: &str, images: &[(&str, &str)], engine: &str, timeout: u64) -> Option<(String, String)> {
        let config = serde_json::from_str(&format!(r#"{{"services": {{{services}}}}}"#)).expect("JSON");
        let stack = Stack::of(config, &Settings::default()).expect("a stack");
        let parse = |(name, check): &(&str, &str)| ((*name).to_owned(), serde_json::from_str(check).expect("JSON"));
        let options = Options { timeout: Duration::from_secs(timeout), ..Options::default() };
        let problem = late(&stack, &images.iter().map(parse).collect(), engine, &options, false)?;
        Some((problem.message, problem.hint.unwrap_or_default()))
    }

    #[test]
    fn a_health_check_after_the_timeout_is_refused_with_a_timeout_that_works() {
        let services = r#""web": {"healthcheck": {"interval": "1m30s", "start_period": "40s"}},
                          "cache": {"image": "redis", "healthcheck": {"disable": true}}"#;
        let (message, hint) = problem(services, &[], "24.0.7", 60).expect("too late");
        assert_eq!(message, "the first health check of `web` comes 90 s after the start, and `--timeout` is 60 s");
        let expected = "cargo xtask deploy-docker --timeout 2m; or set a shorter `interval` in the Compose file, or in the \
                        Dockerfile";
        assert_eq!(hint, expected);
        assert!(problem(services, &[], "24.0.7", 120).is_none() && problem(services, &[], "28.0.0", 60).is_none());
    }

    #[test]
    fn the_health_check_of_an_image_counts_too() {
        let late = r#"{"Test": ["CMD", "true"], "Interval": 90000000000}"#;
        let services = r#""web": {"image": "shop"}, "worker": {"image": "shop"}, "cache": {"image": "redis"}"#;
        let (message, _) = problem(services, &[("shop:latest", late)], "28.0.0", 60).expect("too late");
        let expected =
            "the first health check of `web` and `worker` comes 90 s after the start, and `--timeout` is 60 s";
        assert_eq!(message, expected);
        assert!(problem(services, &[("shop:latest", r#"{"Test": ["NONE"]}"#)], "28.0.0", 10).is_none());
        let own = r#""web": {"image": "shop", "healthcheck": {"interval": "5s"}}"#;
        assert!(problem(own, &[("shop:latest", late)], "28.0.0", 60).is_none());
    }
}
