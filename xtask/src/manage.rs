//! Steps that a person follows in the service folder: `uv sync`, and the commands of `manage.py`.

use checks::ServiceContext;
use project::Uv;
use xshell::Shell;

use crate::interrupt::Deferred;
use crate::ui::Ui;

/// Applies the pending migrations.
pub(crate) const MIGRATE: [&str; 5] = ["run", "--no-sync", "manage.py", "migrate", "--noinput"];

/// Runs uv in the folder of manage.py, whose project it finds above it, with the variables of `.env`, and returns its output.
pub(crate) fn step(
    ui: &Ui,
    ground: &ServiceContext<'_>,
    uv: &Uv,
    title: &str,
    args: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
    deferred: &Deferred,
) -> anyhow::Result<String> {
    let sh = Shell::new()?;
    sh.change_dir(ground.project.manage_dir());
    let variables = ground.variables.iter().map(|(key, value)| (key, value));
    let cmd = sh.cmd(&uv.program).args(args).envs(variables).env_remove("VIRTUAL_ENV");
    ui.step(title, cmd, ground.secrets, deferred)
}
