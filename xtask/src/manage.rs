//! Steps that a person follows in the service folder: those of uv, and the commands of `manage.py`.

use checks::ServiceContext;
use checks::group::core::interpreter;
use project::{Uv, uv_variables};
use xshell::Shell;

use crate::interrupt::Deferred;
use crate::ui::Ui;

/// Applies the pending migrations.
pub(crate) const MIGRATE: [&str; 3] = ["manage.py", "migrate", "--noinput"];

/// Runs `uv sync` in the service folder, with uv's own variables of `.env`, and returns its output.
pub(crate) fn sync(
    ui: &Ui,
    ground: &ServiceContext<'_>,
    uv: &Uv,
    args: &[String],
    deferred: &Deferred,
) -> anyhow::Result<String> {
    let sh = Shell::new()?;
    sh.change_dir(ground.project.service_dir());
    let cmd = sh.cmd(&uv.program).arg("sync").args(args).envs(uv_variables(ground.variables)).env_remove("VIRTUAL_ENV");
    ui.step("uv sync", cmd, ground.secrets, deferred)
}

/// Runs a command of `manage.py` with the interpreter of the virtual environment and the variables of `.env`, and
/// returns its output. It is not run through uv, which a `PATH` in `.env` could replace.
pub(crate) fn django_step(
    ui: &Ui,
    ground: &ServiceContext<'_>,
    title: &str,
    args: &[&str],
    deferred: &Deferred,
) -> anyhow::Result<String> {
    let sh = Shell::new()?;
    sh.change_dir(ground.project.manage_dir());
    let variables = ground.variables.iter().map(|(key, value)| (key, value));
    let cmd = sh.cmd(interpreter(ground.venv)).args(args).envs(variables);
    ui.step(title, cmd, ground.secrets, deferred)
}
