//! What a deploy is going to do, and what that costs.

use checks::report::BOLD;
use docker::Container;

use super::changes::{self, Cause, Change};
use super::data;
use super::engine::Engine;
use super::preflight::Ground;
use super::stack::{Role, Stack};
use crate::cli;
use crate::deploy::record::{Outcome, Record, previous, serving};
use crate::exit::{Exit, Failure, Problem};
use crate::world::World;

/// What `--dry-run` shows.
pub(super) fn print(args: &cli::DeployDocker, ground: &Ground<'_>, world: &World<'_>) -> anyhow::Result<()> {
    let (ui, stack) = (world.ui, &ground.stack);
    let records = ground.records.all()?;
    let target = previous(&records);
    if args.rollback && target.is_none() {
        return Err(nothing_to_go_back_to(&records).into());
    }
    let title = format!("Plan for `{}` in {} ({})", stack.name(), world.project.root.display(), ground.versions);
    ui.result(ui.out().style(BOLD, title));
    for record in records.iter().filter(|record| record.result == Outcome::UnderWay) {
        ui.result(format_args!("  undo release {}, which did not come to its end", record.id));
    }
    let built = stack.built_images().join(", ");
    match target {
        Some(target) if args.rollback => ui.result(format_args!("  take the images of release {}", target.id)),
        _ if args.no_build => ui.result(format_args!("  take the images that there are: {built}")),
        _ => ui.result(format_args!("  build {built}; a service whose image is new then is replaced as well")),
    }
    let changes = changes::find(&ground.engine, stack, None)?;
    if !args.rollback {
        ui.result("  copy the database (SQLite) and apply pending migrations, if anything is replaced");
    }
    for service in &stack.services {
        let name = &service.name;
        let how = match (&service.role, service.role.is_beside()) {
            (Role::Web(_), true) => "beside the old one; proven and watched, it is handed requests",
            (_, true) => "beside the old one, which then finishes its task",
            _ => "in place",
        };
        match changes.iter().find(|change| change.service.name == *name) {
            Some(Change { cause: Cause::New, .. }) => ui.result(format_args!("  start {name}: it is not there yet")),
            Some(Change { cause, .. }) => ui.result(format_args!("  replace {name}, which {cause}: {how}")),
            None => ui.result(format_args!("  replace {name} if its image is new: {how}")),
        }
    }
    ui.result(format_args!(
        "  watch the new containers for {} s; go back if anything is not well, else end the old ones",
        args.stability.as_secs_f32()
    ));
    // Whether an image is new is known after the build: any container may be replaced.
    let containers = ground.engine.containers(stack.name())?;
    let all: Vec<Change<'_>> = stack
        .services
        .iter()
        .map(|service| {
            let old = containers.iter().filter(|it| it.service == service.name).cloned().collect();
            Change { service, cause: Cause::Image, old }
        })
        .collect();
    for data in data::find(&ground.engine, stack, &all)? {
        ui.warning(&data.problem(args, world));
    }
    for problem in outages(stack, &changes).into_iter().chain(left_over(&ground.engine, stack)?) {
        ui.warning(&problem);
    }
    Ok(())
}

/// The refusal of a rollback that has nowhere to go.
pub(super) fn nothing_to_go_back_to(records: &[Record]) -> Failure {
    let serving = serving(records).map(|record| format!(": release {} serves", record.original())).unwrap_or_default();
    let message = format!("there is no earlier release with other images to go back to{serving}");
    Failure::new(Exit::NotMet, Problem::new(message).hint("ls .xtask/releases"))
}

/// What runs of services that the Compose file does not have any more.
pub(super) fn left_over(engine: &Engine<'_>, stack: &Stack) -> anyhow::Result<Option<Problem>> {
    let containers = engine.containers(stack.name())?;
    let left: Vec<String> = containers
        .iter()
        .filter(|it| it.is_up() && stack.service(&it.service).is_none())
        .map(ToString::to_string)
        .collect();
    let hint = format!("docker compose -f {} up -d --no-recreate --remove-orphans", engine.file);
    let told = || format!("{} runs on, and its service is not in the Compose file any more", left.join(", "));
    Ok((!left.is_empty()).then(|| Problem::new(told()).hint(hint)))
}

/// What loses requests, and why.
pub(super) fn outages(stack: &Stack, changes: &[Change<'_>]) -> Vec<Problem> {
    let is_outage = |change: &&Change<'_>| change.service.role.costs_outage() && change.old.iter().any(Container::runs);
    changes
        .iter()
        .filter(is_outage)
        .map(|change| {
            let name = &change.service.name;
            let (message, hint) = match change.service.role {
                Role::Web(_) if stack.services.iter().any(|service| service.role == Role::Proxy) => (
                    format!("`{name}` is replaced in place, which costs an outage: nothing says how the proxy takes it in and out"),
                    Some("see README.md on the labels `xtask.front`, `xtask.hold-file` and `xtask.state`"),
                ),
                Role::Web(_) => (
                    format!("`{name}` is replaced in place, which costs an outage: it publishes the port itself, and only one container can"),
                    Some("a proxy in front of it, as in deploy/docker of this tool, avoids that"),
                ),
                _ => (format!("`{name}` is replaced in place: what needs it waits or fails for that moment"), None),
            };
            let problem = Problem::new(message);
            match hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            }
        })
        .collect()
}
