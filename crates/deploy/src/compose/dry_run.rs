//! The plan of a dry run, and the costs of a deploy that are known in advance.

use std::time::Duration;

use docker::Container;

use super::changes::{self, Cause, Change};
use super::client::{Client, QUICK};
use super::rotation::Rotation;
use super::stack::{Role, Stack};
use super::start_up::migrates_at_start;
use super::{Compose, data, pulls};
use crate::event::Event;
use crate::failure::Problem;
use crate::migrations;
use crate::record::{Status, no_previous_release, previous};

/// Emits the plan.
pub(super) fn emit(backend: &Compose<'_>) -> anyhow::Result<()> {
    let Compose { options, context, client, stack, .. } = backend;
    let records = backend.records.all()?;
    let target = previous(&records);
    if options.rollback && target.is_none() {
        return Err(no_previous_release(&records, "images", backend.records.list_command()).into());
    }
    let mut steps = Vec::new();
    for record in records.iter().filter(|record| record.result == Status::UnderWay) {
        steps.push(format!("roll back release {}, whose deploy was not finished", record.id));
    }
    let (built, pulls) = (stack.built_images().join(", "), pulls::find(client, stack, options)?);
    match target {
        Some(target) if options.rollback => steps.push(format!("use the images of release {}", target.id)),
        _ if built.is_empty() => {}
        _ if options.no_build => steps.push(format!("use the existing images: {built}")),
        _ => steps.push(format!("build {built}; a service with a new image is replaced as well")),
    }
    let wanted = pulls.iter().filter(|pull| pull.is_wanted());
    steps.extend(wanted.map(|pull| format!("pull {}, {}", pull.reference, pull.reason())));
    // A rollback brings other ones.
    let kept = pulls.iter().filter(|_| !options.rollback).filter_map(|pull| Some((pull.reference, pull.kept()?)));
    let images = kept.map(|(reference, id)| (reference.to_owned(), id.to_owned())).collect();
    let changes = changes::find(client, stack, &images)?;
    if !options.rollback {
        steps.push("copy the database (SQLite) and apply pending migrations, if any service is replaced".to_owned());
    }
    steps.extend(stack.services.iter().map(|service| {
        let (name, assigned) = (&service.name, service.assigned);
        let how = match (&service.role, service.role.is_rolling()) {
            (Role::Web(_), true) => "next to the old container; it gets requests once it is healthy",
            (_, true) => "next to the old container, which then finishes its task",
            _ => "in place",
        };
        match changes.iter().find(|change| change.service.name == *name) {
            Some(Change { cause: Cause::New, .. }) => format!("start {name} ({assigned}): it has no container yet"),
            Some(Change { cause, .. }) => format!("replace {name} ({assigned}), which {cause}: {how}"),
            None if images.contains_key(&service.image) => format!("leave {name} ({assigned}): it has not changed"),
            None => format!("replace {name} ({assigned}) if its image is new: {how}"),
        }
    }));
    steps.push(format!(
        "watch the new containers for {} s; roll back if one is unhealthy, otherwise remove the old ones",
        options.stability.as_secs_f32()
    ));
    let title = format!("Plan for `{}` in {} ({})", stack.name(), context.project.root.display(), backend.versions);
    context.events.emit(Event::Plan { title, steps, commands: Vec::new() });

    // Whether an image is new is known after the build: any container may be replaced.
    let containers = client.containers(stack.name())?;
    let all: Vec<Change> = stack
        .services
        .iter()
        .map(|service| {
            let old = containers.iter().filter(|it| it.service == service.name).cloned().collect();
            Change { service: service.clone(), cause: Cause::Image, old, image: None }
        })
        .collect();
    for data in data::find(client, stack, &all)? {
        context.events.warning(data.problem(options, context));
    }
    let known = known_in_advance(client, stack, &changes, backend.drain_timeout());
    for problem in known.into_iter().chain(orphans(client, stack)?) {
        context.events.warning(problem);
    }
    Ok(())
}

/// Returns a warning about running containers whose service is not in the Compose file any more, in no profile.
pub(super) fn orphans(client: &Client<'_>, stack: &Stack) -> anyhow::Result<Option<Problem>> {
    let mut left = client.containers(stack.name())?;
    left.retain(|it| it.is_up() && stack.service(&it.service).is_none());
    if !left.is_empty() {
        let services = client.compose(&[], ["--profile", "*", "config", "--services"], QUICK)?;
        left.retain(|it| !services.lines().any(|service| service == it.service));
    }
    let left: Vec<String> = left.iter().map(ToString::to_string).collect();
    let hint = format!("{} up -d --no-recreate --remove-orphans", client.files.command());
    let message = || format!("{} still runs, and its service is not in the Compose file any more", left.join(", "));
    Ok((!left.is_empty()).then(|| Problem::new(message()).hint(hint)))
}

/// Returns the warnings that the operator should read before the deploy: outages, migrations in start-up commands, and
/// workers with too little time to finish.
pub(super) fn known_in_advance(
    client: &Client<'_>,
    stack: &Stack,
    changes: &[Change],
    drain_timeout: Option<Duration>,
) -> Vec<Problem> {
    let mut problems = outages(stack, changes);
    problems.extend(changes.iter().filter_map(undrained));
    for change in changes {
        let service = &change.service;
        if service.role != Role::Backing && migrates_at_start(client, stack, change) {
            problems.push(migrations::hidden(&service.name));
        }
        let has_time = drain_timeout.is_some() || stack.declared(service).stop_grace_period.is_some();
        if service.role == Role::Worker && !has_time {
            let message =
                format!("`{}` has 10 s to finish its tasks when it is replaced: longer ones are cut", service.name);
            problems
                .push(Problem::new(message).hint(
                    "set `stop_grace_period` in the Compose file, or `drain-timeout`: see docs/deploy-docker.md",
                ));
        }
    }
    problems
}

/// Returns a warning about a container whose health check cannot be made to fail: Traefik sends it requests until it has
/// stopped.
fn undrained(change: &Change) -> Option<Problem> {
    let Role::Web(Some(Rotation::HealthCheck(_))) = change.service.role else { return None };
    let old = change.old.iter().find(|old| old.runs() && !old.is_holdable)?;
    let message = format!(
        "{old} was not started by a deploy that can take it out of Traefik's rotation: requests fail for a moment when it \
         stops, and with the next deploy none does"
    );
    Some(Problem::new(message))
}

/// Returns a warning for each service whose replacement costs an outage, with the reason.
fn outages(stack: &Stack, changes: &[Change]) -> Vec<Problem> {
    let is_outage = |change: &&Change| change.service.role.costs_outage() && change.old.iter().any(Container::runs);
    changes
        .iter()
        .filter(is_outage)
        .map(|change| {
            let name = &change.service.name;
            let (message, hint) = match change.service.role {
                Role::Web(_) if stack.services.iter().any(|service| service.role == Role::Proxy) => (
                    format!("`{name}` is replaced in place, which costs an outage: no labels describe how the proxy adds it to the rotation and removes it"),
                    Some("see docs/deploy-docker.md on the labels `xtask.front`, `xtask.hold-file` and `xtask.state`"),
                ),
                Role::Web(_) => (
                    format!("`{name}` is replaced in place, which costs an outage: it publishes the port itself, and only one container can do that"),
                    Some("a proxy in front of it, as in deploy/docker of this tool, avoids that"),
                ),
                _ => (format!("`{name}` is replaced in place: clients of it wait or fail for a moment"), None),
            };
            let problem = Problem::new(message);
            match hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            }
        })
        .collect()
}
