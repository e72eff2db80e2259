//! The migrations: applied once, by a container of the new image that ends with them.

use super::engine::{BUILD, Engine, SOON};
use super::images::Overlay;
use super::stack::Stack;
use crate::deploy::migrated::{Migrated, script};
use crate::exit::{Exit, Failure, Problem};
use crate::ui::Ui;

/// The name of the container, so that it is found again by whoever has to put things right.
pub(super) fn container(stack: &Stack, release: &str) -> String {
    format!("{}-migrate-{release}", stack.name())
}

/// Copies the database and applies what is pending.
pub(super) fn run(
    engine: &Engine<'_>,
    stack: &Stack,
    overlay: &Overlay,
    release: &str,
    ui: &Ui,
) -> anyhow::Result<Migrated> {
    let Some(web) = stack.web() else { return Ok(Migrated::default()) };
    let name = container(stack, release);
    let files = overlay.files();
    let run = ["run", "--rm", "-T", "--no-deps", "--name", &name, "--entrypoint", "python3", &web.name, "-", release];
    let args = engine.compose_args(&files, run);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let finished = engine.ask(&args, script().as_bytes(), BUILD)?;
    let printed = engine.secrets.cover(finished.stderr());
    let migrated = Migrated::told(finished.stdout());
    if finished.is_success() {
        if ui.is_verbose() {
            ui.last_words(&printed);
        }
        return Ok(migrated);
    }
    ui.last_words(&printed);
    let message = format!("the migrations failed{}", migrated.copy_told());
    Err(Failure::new(Exit::Failed, Problem::new(message)).into())
}

/// Takes a container away that a run has left behind.
pub(super) fn clean_up(engine: &Engine<'_>, stack: &Stack, release: &str) -> anyhow::Result<()> {
    let filter = format!("name=^/?{}$", container(stack, release));
    let id = engine.docker(["ps", "--all", "--quiet", "--filter", &filter], SOON)?;
    if !id.trim().is_empty() {
        engine.docker(["stop", id.trim()], SOON)?;
        // It goes by itself (`--rm`), unless the engine was restarted meanwhile.
        engine.ask(&["rm", "--force", id.trim()], b"", SOON)?;
    }
    Ok(())
}
