//! The differences between the running containers and the Compose file: by Compose's own comparison of the
//! configuration, and by the ids of the images.

use std::collections::BTreeMap;
use std::fmt;

use docker::{Container, Health};

use super::client::{Client, QUICK};
use super::names;
use super::rotation::{self, Rotation};
use super::stack::{Role, Service, Stack};
use crate::failure::{Exit, Failure, Problem};

/// A service that is replaced, and the cause.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) service: Service,
    pub(super) cause: Cause,
    /// The containers that there are of it.
    pub(super) old: Vec<Container>,
    /// The id of the image that its new containers must have; `None` before a build.
    pub(super) image: Option<String>,
}

/// Why a service is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    New,
    Image,
    Configuration,
    Count,
    Unhealthy,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::New => "is not there yet",
            Cause::Image => "has a new image",
            Cause::Configuration => "has another configuration",
            Cause::Count => "has another number of containers",
            Cause::Unhealthy => "is unhealthy",
        })
    }
}

/// Returns the changed services in the order in which they are replaced, with the ids of their images by reference. Without
/// the id of an image, returns the changes that are known before it is built or pulled.
pub(super) fn find(
    client: &Client<'_>,
    stack: &Stack,
    images: &BTreeMap<String, String>,
) -> anyhow::Result<Vec<Change>> {
    let containers = client.containers(stack.name())?;
    let mut comparable = Vec::new();
    for service in stack.services.iter().filter(|it| containers.iter().any(|old| old.service == it.name)) {
        // Without its image Compose does not compare a service, and a service whose image has another name has changed
        // anyhow.
        if client.image(&service.image)?.is_some() {
            comparable.push(service.name.as_str());
        }
    }
    let mut reconfigured = Vec::new();
    for service in &comparable {
        // Compose does not name an unchanged container that is between two restarts.
        let restarts =
            containers.iter().any(|it| it.service == **service && (it.restarts > 0 || !it.runs() && it.is_up()));
        reconfigured.extend(self::reconfigured(client, stack, service, restarts)?);
    }
    let mut changes = Vec::new();
    for service in &stack.services {
        let old: Vec<_> = containers.iter().filter(|it| it.service == service.name).cloned().collect();
        let image = images.get(&service.image).map(String::as_str);
        let is_reconfigured = !comparable.contains(&service.name.as_str())
            || old.iter().any(|container| reconfigured.contains(&container.name));
        if let Some(cause) = cause(service, &old, image, is_reconfigured) {
            changes.push(Change { service: service.clone(), cause, old, image: image.map(str::to_owned) });
        }
    }
    Ok(changes)
}

/// Returns the cause for replacing a service: the first one that applies, or `None` if it is up to date.
fn cause(service: &Service, old: &[Container], image: Option<&str>, is_reconfigured: bool) -> Option<Cause> {
    if old.is_empty() {
        return Some(Cause::New);
    }
    let has_other_image = image.is_some_and(|image| old.iter().any(|container| container.image != image));
    let is_unhealthy = || !old.iter().all(|container| is_healthy(container, &service.role));
    [
        (has_other_image, Cause::Image),
        (is_reconfigured, Cause::Configuration),
        (old.len() != service.scale, Cause::Count),
        (is_unhealthy(), Cause::Unhealthy),
    ]
    .into_iter()
    .find_map(|(applies, cause)| applies.then_some(cause))
}

fn is_healthy(container: &Container, role: &Role) -> bool {
    match role {
        role if role.is_done(container) => true,
        // An earlier deploy created it and was not finished.
        Role::Web(Some(Rotation::Labels(front))) if !container.addresses.contains_key(&front.network) => false,
        Role::Job => false,
        _ => container.runs() && !matches!(container.health, Health::Unhealthy(_) | Health::Held { .. }),
    }
}

/// Returns the names of the containers that Compose itself would recreate. Compose compares a hash of the service's
/// configuration, which includes `.env`; how it computes the hash is not documented, and `config --hash` returns
/// another one where there is an `env_file`. `may_be_silent`: Compose may name no container of the service.
fn reconfigured(client: &Client<'_>, stack: &Stack, service: &str, may_be_silent: bool) -> anyhow::Result<Vec<String>> {
    // Without containers of the dependencies, Compose does not name a service that only depends on a changed one.
    let scales: Vec<String> = stack.dependencies(service).into_iter().map(|name| format!("{name}=0")).collect();
    let scales: Vec<&str> = scales.iter().flat_map(|scale| ["--scale", scale]).collect();
    // The hash includes the dependencies, except for a container that was created with `--no-deps`; the name, except for one
    // that was created while another container had it; and the health check that the rotation may need.
    let (renamed, held) = (names::overlay(stack, [service])?, rotation::overlay(stack, service)?);
    let (renamed, held) = (names::files(renamed.as_ref()), names::files(held.as_ref()));
    let both = [renamed.as_slice(), &held].concat();
    let no_deps: &[&str] = &["--no-deps"];
    let alternatives: Vec<(&[String], &[&str])> =
        vec![(&[], no_deps), (&renamed, &scales), (&held, &scales), (&held, no_deps), (&both, &scales)];
    let is_other =
        |(more, options): &(&[String], &[&str])| !(more.is_empty() && (scales.is_empty() || *options == scales));
    let recreated_with =
        |more: &[String], options: &[&str]| recreated_with(client, service, more, options, may_be_silent);
    let mut names = recreated_with(&[], &scales)?;
    for (more, options) in alternatives.into_iter().filter(is_other) {
        if !names.is_empty() {
            let others = recreated_with(more, options)?;
            names.retain(|name| others.contains(name));
        }
    }
    Ok(names)
}

fn recreated_with(
    client: &Client<'_>,
    service: &str,
    more: &[String],
    options: &[&str],
    may_be_silent: bool,
) -> anyhow::Result<Vec<String>> {
    let up = ["--dry-run", "up", "--no-start", "--no-build", "--pull", "never"];
    let words = up.iter().chain(options).copied().chain([service]);
    let parsed = client.compose_output(more, words, QUICK)?;
    if !parsed.contains("Container ") && !may_be_silent {
        let problem = Problem::new("`docker compose --dry-run up` is not understood: it names no container");
        return Err(Failure::new(Exit::Failed, problem).into());
    }
    Ok(recreated(&parsed))
}

/// The names in lines such as `DRY-RUN MODE -  Container shop-web-1  Recreate`.
fn recreated(parsed: &str) -> Vec<String> {
    let name = |line: &str| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "Container").skip(1);
        let name = words.next()?;
        (words.next()? == "Recreate").then(|| name.to_owned())
    };
    parsed.lines().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::super::fixture::{self, container};
    use super::super::rotation::Front;
    use super::*;

    fn service(role: Role) -> Service {
        fixture::service(role, "shop-app:latest")
    }

    #[test]
    fn the_first_cause_is_the_one() {
        let rotation = |network: &str| {
            let front = Front { network: network.into(), aliases: Vec::new(), hold_file: "/tmp/hold".into() };
            Role::Web(Some(Rotation::Labels(front)))
        };
        let (web, current) = (service(rotation("shop_front")), container());
        let exited = Container { state: "exited".into(), exit_code: 1, ..container() };
        let failing = Container { health: Health::Unhealthy("no".into()), ..container() };
        let check = |service: &Service, old: &[Container], image, is_reconfigured, expected| {
            assert_eq!(cause(service, old, image, is_reconfigured), expected);
        };
        check(&web, &[], Some("sha256:2"), true, Some(Cause::New));
        check(&web, from_ref(&current), Some("sha256:2"), true, Some(Cause::Image));
        check(&web, from_ref(&current), Some("sha256:1"), true, Some(Cause::Configuration));
        check(&web, &[current.clone(), current.clone()], None, false, Some(Cause::Count));
        check(&web, &[exited], Some("sha256:1"), false, Some(Cause::Unhealthy));
        check(&web, &[failing], Some("sha256:1"), false, Some(Cause::Unhealthy));
        // A container that has not joined the rotation is that of a deploy that was not finished.
        check(&service(rotation("other")), from_ref(&current), None, false, Some(Cause::Unhealthy));
        check(&web, &[current], Some("sha256:1"), false, None);
    }

    #[test]
    fn a_completed_job_is_up_to_date() {
        let done = Container { state: "exited".into(), ..container() };
        assert_eq!(cause(&service(Role::Job), &[done], None, false), None);
        assert_eq!(cause(&service(Role::Job), &[container()], None, false), Some(Cause::Unhealthy));
    }

    #[test]
    fn recreated_containers_are_parsed() {
        let parsed = " DRY-RUN MODE -  Container shop-web-1  Recreate \n DRY-RUN MODE -  Container shop-web-1  Recreated \n \
                    DRY-RUN MODE -  Container shop-redis-1  Running \n";
        assert_eq!(recreated(parsed), ["shop-web-1"]);
        assert!(recreated("").is_empty());
    }
}
