//! The migrations: applied once, by a container of the new image that ends with them.

use super::client::{BUILD, Client, QUICK};
use super::images::Overlay;
use super::stack::Stack;
use crate::event::Events;
use crate::failure::{Exit, Failure, Problem};
use crate::migrations::{Migrations, script};
use crate::record::Record;

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
    let run = ["run", "--rm", "-T", "--no-deps", "--name", &name, "--entrypoint", "python3", &web.name, "-", &release];
    let args = client.compose_args(&files, run);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let finished = client.ask(&args, script().as_bytes(), BUILD)?;
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

/// Cleans up a container that a run has not removed.
pub(super) fn clean_up(client: &Client<'_>, stack: &Stack, release: &str) -> anyhow::Result<()> {
    let filter = format!("name=^/?{}$", container(stack, release));
    let id = client.docker(["ps", "--all", "--quiet", "--filter", &filter], QUICK)?;
    if !id.trim().is_empty() {
        client.docker(["stop", id.trim()], QUICK)?;
        // It goes by itself (`--rm`), unless the engine was restarted meanwhile.
        client.ask(&["rm", "--force", id.trim()], b"", QUICK)?;
    }
    Ok(())
}
