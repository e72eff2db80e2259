//! What differs between what runs and what should: by Compose's own judgement of the configuration, and by the images.

use std::collections::BTreeMap;
use std::fmt;

use docker::{Container, Health};

use super::engine::{Engine, SOON};
use super::stack::{Role, Service, Stack};
use crate::exit::{Exit, Failure, Problem};

/// A service that is to be replaced, and why.
pub(super) struct Change<'a> {
    pub(super) service: &'a Service,
    pub(super) cause: Cause,
    /// The containers that there are of it.
    pub(super) old: Vec<Container>,
}

/// Why a service is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    New,
    Image,
    Configuration,
    Count,
    Unwell,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::New => "is not there yet",
            Cause::Image => "has a new image",
            Cause::Configuration => "has another configuration",
            Cause::Count => "has another number of containers",
            Cause::Unwell => "is not well",
        })
    }
}

/// What has changed, in the order of replacing. Without images, what can be known before a build.
pub(super) fn find<'a>(
    engine: &Engine<'_>,
    stack: &'a Stack,
    images: Option<&BTreeMap<String, String>>,
) -> anyhow::Result<Vec<Change<'a>>> {
    let containers = engine.containers(stack.name())?;
    let mut comparable = Vec::new();
    for service in stack.services.iter().filter(|it| containers.iter().any(|old| old.service == it.name)) {
        // Without its image Compose says nothing, and a service with the name of another image has changed anyhow.
        if engine.image(&service.image)?.is_some() {
            comparable.push(service.name.as_str());
        }
    }
    let mut reconfigured = Vec::new();
    for service in &comparable {
        // One by one: of several, Compose would name those that depend on a changed one as well, and wait for them.
        reconfigured.extend(self::reconfigured(engine, service)?);
    }
    let mut changes = Vec::new();
    for service in &stack.services {
        let old: Vec<_> = containers.iter().filter(|it| it.service == service.name).cloned().collect();
        let image = images.and_then(|images| images.get(&service.image));
        let cause = if old.is_empty() {
            Cause::New
        } else if image.is_some_and(|image| old.iter().any(|it| it.image != *image)) {
            Cause::Image
        } else if !comparable.contains(&service.name.as_str()) || old.iter().any(|it| reconfigured.contains(&it.name)) {
            Cause::Configuration
        } else if old.len() != service.scale {
            Cause::Count
        } else if !old.iter().all(|container| is_well(container, &service.role)) {
            Cause::Unwell
        } else {
            continue;
        };
        changes.push(Change { service, cause, old });
    }
    Ok(changes)
}

fn is_well(container: &Container, role: &Role) -> bool {
    match role {
        role if role.is_done(container) => true,
        // Brought up by somebody who did not come to the end of it.
        Role::Web(Some(gate)) if !container.addresses.contains_key(&gate.network) => false,
        Role::Job => false,
        _ => container.runs() && !matches!(container.health, Health::Unhealthy(_)),
    }
}

/// The containers that Compose itself would recreate. It keeps a hash of a service's configuration, which `.env` is a
/// part of, and tells nobody how it comes about (`config --hash` gives another one where there is an `env_file`).
fn reconfigured(engine: &Engine<'_>, service: &str) -> anyhow::Result<Vec<String>> {
    let up = ["--dry-run", "up", "--detach", "--no-build", "--no-deps", "--pull", "never", service];
    let told = engine.compose_told(up, SOON)?;
    if !told.contains("Container ") {
        let problem = Problem::new("`docker compose --dry-run up` is not understood: it names no container");
        return Err(Failure::new(Exit::Failed, problem).into());
    }
    Ok(recreated(&told))
}

/// The names in lines such as `DRY-RUN MODE -  Container shop-web-1  Recreate`.
fn recreated(told: &str) -> Vec<String> {
    let name = |line: &str| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "Container").skip(1);
        let name = words.next()?;
        (words.next()? == "Recreate").then(|| name.to_owned())
    };
    told.lines().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::recreated;

    #[test]
    fn what_compose_would_recreate() {
        let told = " DRY-RUN MODE -  Container shop-web-1  Recreate \n DRY-RUN MODE -  Container shop-web-1  Recreated \n \
                    DRY-RUN MODE -  Container shop-redis-1  Running \n";
        assert_eq!(recreated(told), ["shop-web-1"]);
        assert!(recreated("").is_empty());
    }
}
