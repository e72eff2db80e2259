//! The folder of a release: what Git tracks, and a virtual environment of its own. Made by whoever deploys, never as root.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use checks::group::core::sync_args;
use checks::group::django::SET_UP;
use detect::Environment;
use xshell::Shell;

use super::data;
use super::layout::Layout;
use super::preflight::{Ground, Tools};
use crate::deploy::migrated;
use crate::interrupt::Deferred;
use crate::ui::Ui;

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
pub(super) fn fill(folder: &Path, ground: &Ground, ui: &Ui, deferred: &Deferred) -> anyhow::Result<()> {
    let Ground { layout, tools, source, env, secrets, .. } = ground;
    let collect = [SET_UP, "\n\n", include_str!("collect.py")].concat();
    ui.stage("copy of what Git tracks", || {
        source.copy_to(folder)?;
        let scripts = folder.join(SCRIPTS);
        fs::create_dir_all(&scripts)
            .and_then(|()| fs::write(scripts.join("migrate.py"), migrated::script()))
            .and_then(|()| fs::write(scripts.join("collect.py"), &collect))
            .with_context(|| format!("cannot write to `{}`", scripts.display()))
    })?;
    deferred.check("copying")?;
    let service = layout.service_of(folder);
    let Tools { python: interpreter, uv, pyproject } = tools;
    let sh = Shell::new()?;
    sh.change_dir(&service);
    let args = sync_args(pyproject, Environment::Prod);
    let cmd = sh.cmd(&uv.program).arg("sync").args(args).args(["--python", &interpreter.program]);
    // Copies, since a link into somebody's cache would be changed with the release; compiled, since nobody can write
    // into it later.
    let cmd = cmd.env("UV_LINK_MODE", "copy").env("UV_COMPILE_BYTECODE", "1").env("UV_PYTHON_DOWNLOADS", "never");
    let cmd = cmd.env_remove("VIRTUAL_ENV").env_remove("UV_PROJECT_ENVIRONMENT");
    ui.step("uv sync", cmd, secrets, deferred)?;
    let cmd = sh.cmd(python(&service)).args(["-B", "-c", &collect, "inside"]).arg(folder);
    let variables = env.variables.iter().map(|(key, value)| (key, value));
    // As systemd says it; whoever deploys has no business there.
    let cmd = cmd.envs(variables).env("STATE_DIRECTORY", format!("/var/lib/{}", layout.name));
    ui.step("static files", cmd, secrets, deferred)?;
    data::write_manifest(folder)
}
