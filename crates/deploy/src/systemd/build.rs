//! The folder of a release: the tracked files, and a virtual environment of its own. Built by the user who deploys,
//! never as root.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use checks::group::core::sync_args;
use checks::group::django::SET_UP;
use detect::Environment;
use project::secret::Secrets;
use subprocess::{Command, Deadline};

use super::data;
use super::layout::Layout;
use super::preflight::{Preflight, Tools};
use crate::event::Events;
use crate::failure::{Exit, Failure, Problem};
use crate::interrupt::Interrupt;
use crate::migrations;

/// The time that a program of the build has.
const BUILD: Duration = Duration::from_secs(60 * 60);

/// Where the scripts are in a release that are run beside Django.
pub(super) const SCRIPTS: &str = ".xtask";

/// The interpreter of a release.
pub(super) fn python(service_dir: &Path) -> PathBuf {
    service_dir.join(".venv/bin/python")
}

/// The command lines that bring database and static files to where a release wants them, in its service folder.
pub(super) fn migrations(folder: &Path, layout: &Layout, id: &str) -> [String; 2] {
    let (python, scripts) = (python(&layout.service_of(folder)), folder.join(SCRIPTS));
    let (python, scripts, folder) = (python.display(), scripts.display(), folder.display());
    [format!("{python} {scripts}/migrate.py {id}"), format!("{python} {scripts}/collect.py outside {folder}")]
}

/// Fills the folder.
pub(super) fn fill(
    folder: &Path,
    preflight: &Preflight,
    events: &Events<'_>,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let Preflight { layout, tools, source, env, secrets, .. } = preflight;
    let collect = [SET_UP, "\n\n", include_str!("collect.py")].concat();
    events.step("copy of the tracked files", || {
        source.copy_to(folder)?;
        let scripts = folder.join(SCRIPTS);
        fs::create_dir_all(&scripts)
            .and_then(|()| fs::write(scripts.join("migrate.py"), migrations::script()))
            .and_then(|()| fs::write(scripts.join("collect.py"), &collect))
            .with_context(|| format!("cannot write to `{}`", scripts.display()))
    })?;
    interrupt.check("copying")?;
    let service = layout.service_of(folder);
    let Tools { python: interpreter, uv, pyproject } = tools;
    let sync = Command::new(&uv.program, ["sync"].into_iter().chain(sync_args(pyproject, Environment::Prod)))
        .args(["--python", &interpreter.program])
        .dir(&service)
        // Copies, since a link into a user's cache would change with it; compiled, since the service cannot write there.
        .envs([("UV_LINK_MODE", "copy"), ("UV_COMPILE_BYTECODE", "1"), ("UV_PYTHON_DOWNLOADS", "never")])
        .env_remove("VIRTUAL_ENV")
        .env_remove("UV_PROJECT_ENVIRONMENT");
    run(&sync, "uv sync", events, secrets, interrupt)?;
    let variables = env.variables.iter().map(|(key, value)| (key, value));
    let collect = Command::new(python(&service), ["-B", "-c", &collect, "inside"])
        .args([folder])
        .dir(&service)
        .envs(variables)
        // systemd sets it for the units; the user who deploys has no access to that folder.
        .envs([("STATE_DIRECTORY", format!("/var/lib/{}", layout.name))]);
    run(&collect, "static files", events, secrets, interrupt)?;
    data::write_manifest(folder)
}

/// Runs a program of the build as a step, and shows its output if it fails.
fn run(
    command: &Command,
    title: &str,
    events: &Events<'_>,
    secrets: &Secrets,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let deadline = Deadline::unless(interrupt.flag(), BUILD, BUILD);
    events.step(title, || {
        let finished = command.run(&deadline).map_err(|error| Failure::unfinished(title, &error))?;
        events.output(&secrets.redact(&[finished.stdout(), finished.stderr()].concat()), !finished.is_success());
        if finished.is_success() {
            return Ok(());
        }
        Err(Failure::new(Exit::Failed, Problem::new(format!("`{title}` failed: {}", finished.status()))).into())
    })
}
