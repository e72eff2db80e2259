//! The migrations: applied once, by a container of the new image that ends with them.

use super::client::{BUILD, Client, QUICK};
use super::images::Overlay;
use super::stack::Stack;
use crate::event::Events;
use crate::failure::{Exit, Failure, Problem};
use crate::migrations::{Migrations, script};

/// Returns the name of the container of the migrations, by which a recovery finds it.
pub(super) fn container(stack: &Stack, release: &str) -> String {
    format!("{}-migrate-{release}", stack.name())
}

/// Copies the database and applies pending migrations.
pub(super) fn run(
    client: &Client<'_>,
    stack: &Stack,
    overlay: &Overlay,
    release: &str,
    events: &Events<'_>,
) -> anyhow::Result<Migrations> {
    let Some(web) = stack.web() else { return Ok(Migrations::default()) };
    let name = container(stack, release);
    let files = overlay.files();
    let run = ["run", "--rm", "-T", "--no-deps", "--name", &name, "--entrypoint", "python3", &web.name, "-", release];
    let args = client.compose_args(&files, run);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let finished = client.ask(&args, script().as_bytes(), BUILD)?;
    let printed = client.secrets.redact(finished.stderr());
    let migrations = Migrations::parse(finished.stdout());
    if finished.is_success() {
        events.output(&printed, false);
        return Ok(migrations);
    }
    events.output(&printed, true);
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
