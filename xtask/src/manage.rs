//! Steps that a person follows in the service folder: those of uv, and the commands of `manage.py`.

use checks::ServiceContext;
use checks::group::core::interpreter;
use project::{NO_DOWNLOADS, Uv, uv_variables};
use xshell::Shell;

use crate::interrupt::Deferred;
use crate::ui::Ui;

/// Brings the virtual environment in step with `uv.lock`.
pub(crate) const SYNC: &str = "uv sync";
/// Installs all packages anew into a virtual environment that was moved.
pub(crate) const REINSTALL: &str = "uv sync --reinstall";
/// Applies the pending migrations.
pub(crate) const MIGRATE: [&str; 3] = ["manage.py", "migrate", "--noinput"];

/// Whether uv may download a Python that is missing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Downloads {
    /// If the settings of uv allow it.
    AsConfigured,
    Never,
}

/// Runs [`SYNC`] or [`REINSTALL`] with more arguments in the service folder, with the variables of `.env` that are uv's.
pub(crate) fn sync(
    ui: &Ui,
    ground: &ServiceContext<'_>,
    uv: &Uv,
    command: &str,
    sync_args: &[String],
    downloads: Downloads,
    deferred: &Deferred,
) -> anyhow::Result<String> {
    let sh = Shell::new()?;
    sh.change_dir(ground.project.service_dir());
    let args = command.split(' ').skip(1).chain(sync_args.iter().map(String::as_str));
    let cmd = sh.cmd(&uv.program).args(args).envs(uv_variables(ground.variables)).env_remove("VIRTUAL_ENV");
    let cmd = match downloads {
        Downloads::AsConfigured => cmd,
        Downloads::Never => cmd.env(NO_DOWNLOADS.0, NO_DOWNLOADS.1),
    };
    ui.step(command, cmd, ground.secrets, deferred)
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
