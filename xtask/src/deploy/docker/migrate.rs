//! The migrations: applied once, by a container of the new image that ends with them.

use checks::group::django::SET_UP;
use serde::Deserialize;

use super::engine::{BUILD, Engine, SOON};
use super::images::Overlay;
use super::stack::Stack;
use crate::exit::{Exit, Failure, Problem};
use crate::ui::Ui;

const SCRIPT: &str = include_str!("migrate.py");

/// What has been done to the database.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Migrated {
    /// Where it was copied to first.
    pub(super) copy: Option<String>,
    /// The migrations that were applied.
    pub(super) applied: Vec<String>,
    /// Where manage.py was looked for, if it is not there.
    pub(super) no_manage_py: Option<String>,
}

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
    let script = [SET_UP, "\n\n", SCRIPT].concat();
    let finished = engine.ask(&args, script.as_bytes(), BUILD)?;
    let printed = engine.secrets.cover(finished.stderr());
    let migrated = told(finished.stdout());
    if finished.is_success() {
        if ui.is_verbose() {
            ui.last_words(&printed);
        }
        return Ok(migrated);
    }
    ui.last_words(&printed);
    let copy = migrated.copy.map(|copy| format!("; the database as it was before is in `{copy}`")).unwrap_or_default();
    Err(Failure::new(Exit::Failed, Problem::new(format!("the migrations failed{copy}"))).into())
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

/// The answers of the script, all in one.
fn told(stdout: &str) -> Migrated {
    let mut all = Migrated::default();
    for part in stdout.lines().filter_map(|line| serde_json::from_str::<Migrated>(line).ok()) {
        all.copy = all.copy.or(part.copy);
        all.applied.extend(part.applied);
        all.no_manage_py = all.no_manage_py.or(part.no_manage_py);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn what_the_script_tells() {
        let all = told("{\"copy\": \"/data/db.before-1\"}\nnoise\n{\"applied\": [\"shop.0002\"]}\n");
        assert_eq!((all.copy.as_deref(), all.applied.join(" ").as_str()), (Some("/data/db.before-1"), "shop.0002"));
        assert!(told("{\"copy\": null}").copy.is_none());
    }
}
