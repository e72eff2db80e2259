//! The migrations: applied once, by a container of the new image that ends with them.

use super::client::{BUILD, Client, QUICK};
use super::images::{Overlay, tagged};
use super::stack::Stack;
use super::start_up::passing_entrypoint;
use crate::event::Events;
use crate::failure::{Exit, Failure, Problem};
use crate::migrations::{Migrations, script};
use crate::record::Record;

/// The time that migrations have to stop, in seconds.
const STOP: &str = "10";

/// Returns the name of the container of the migrations, by which a recovery finds it.
pub(super) fn container(stack: &Stack, release: &str) -> String {
    format!("{}-migrate-{release}", stack.name())
}

/// Copies the database and applies pending migrations. The record has those that were applied, also if a later one fails.
pub(super) fn run(
    client: &Client<'_>,
    stack: &Stack,
    overlay: &Overlay,
    record: &mut Record,
    events: &Events<'_>,
) -> anyhow::Result<()> {
    let Some(web) = stack.web() else { return Ok(()) };
    let (name, release) = (container(stack, &record.id), record.id.clone());
    let files = overlay.files();
    // Its log is read if this run does not get to the end of the migrations: not removed by itself.
    let run = ["run", "-T", "--no-deps", "--name", &name];
    let image = tagged(stack, &web.image, &release);
    let command = if passing_entrypoint(client, stack.declared(web), &image).is_some() {
        vec![&*web.name, "python3", "-", &release]
    } else {
        vec!["--entrypoint", "python3", &web.name, "-", &release]
    };
    let args = client.compose_args(&files, run.into_iter().chain(command));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let finished = client.ask(&args, script().as_bytes(), BUILD).inspect_err(|_| {
        results_of(&client.uninterrupted(), &name).note(record, events);
    })?;
    let printed = client.secrets.redact(finished.stderr());
    let migrations = Migrations::parse(finished.stdout());
    migrations.note(record, events);
    events.output(&printed, !finished.is_success());
    if finished.is_success() {
        if let Some(dir) = &migrations.no_manage_py {
            events.warning(Problem::new(format!("no migrations ran: `{dir}` of the image has no manage.py")));
        }
        return Ok(());
    }
    let message = format!("the migrations failed{}", migrations.copy_note());
    Err(Failure::new(Exit::Failed, Problem::new(message)).into())
}

/// Stops the migrations of an unfinished deploy, and returns their results.
pub(super) fn results(client: &Client<'_>, stack: &Stack, release: &str) -> Migrations {
    results_of(client, &container(stack, release))
}

/// Stops a container that migrates, and returns its results so far: none if there is no such container, or no log of it.
fn results_of(client: &Client<'_>, name: &str) -> Migrations {
    let _ = client.ask(&["stop", "-t", STOP, name], b"", QUICK);
    let log = client.ask(&["logs", name], b"", QUICK);
    log.map(|log| Migrations::parse(log.stdout())).unwrap_or_default()
}

/// Removes the container of the migrations: once its results are in the record.
pub(super) fn clean_up(client: &Client<'_>, stack: &Stack, release: &str) -> anyhow::Result<()> {
    let filter = format!("name=^/?{}$", container(stack, release));
    let id = client.docker(["ps", "--all", "--quiet", "--filter", &filter], QUICK)?;
    if !id.trim().is_empty() {
        // It may have ended. A volume without a name, which Compose has made for it, goes with it.
        client.docker(["stop", "-t", STOP, id.trim()], QUICK)?;
        client.docker(["rm", "--force", "--volumes", id.trim()], QUICK)?;
    }
    Ok(())
}
