//! The end of an install: the values, the command that starts the service, and the next steps.

use checks::report::{BOLD, DIM};
use detect::{DeployMethod, ENV_FILE, Environment};
use project::{Variable, secret, value};

use super::axes::Axes;
use super::env_file::Preview;
use super::settle::Setting;
use super::steps::Done;
use crate::context::Context;
use crate::service::deploy_command;

/// The default port of `runserver`.
const RUNSERVER_PORT: u16 = 8000;

/// A longer value moves its own remark, not that of the other values.
const WIDEST_VALUE: usize = 40;

/// The results of an install.
pub(super) struct Summary<'a> {
    pub(super) axes: Axes,
    pub(super) settings: &'a [Setting],
    pub(super) preview: &'a Preview,
    /// The results of the steps on this machine; `None` with `docker`.
    pub(super) done: Option<&'a Done>,
    /// Whether a deploy follows, which ends with steps of its own.
    pub(super) is_deployed_next: bool,
}

/// Prints the summary.
pub(super) fn print(summary: &Summary<'_>, context: &Context<'_>) {
    let Summary { axes, settings, preview, done, is_deployed_next } = summary;
    let (ui, colors) = (context.ui, context.ui.out());
    let is_changed = !preview.is_unchanged() || done.is_some_and(|done| done.is_changed);
    let verdict = if is_changed { "" } else { ": nothing had to be changed" };
    ui.result(colors.style(BOLD, format_args!("{axes} in {}{verdict}", context.project.root.display())));
    ui.result(format_args!("  {ENV_FILE}: {}", preview.summary()));
    let rows: Vec<_> = settings
        .iter()
        .map(|Setting { variable, value, origin }| {
            (variable, secret::shown(variable, value.as_deref().unwrap_or_default()), origin)
        })
        .collect();
    let names = rows.iter().map(|(variable, ..)| variable.chars().count()).max().unwrap_or_default();
    let values = rows.iter().map(|(_, value, _)| value.chars().count()).max().unwrap_or_default().min(WIDEST_VALUE);
    for (variable, value, origin) in rows {
        ui.result(format_args!("    {variable:<names$}  {value:<values$}  {}", colors.style(DIM, origin)));
    }
    if !*is_deployed_next {
        ui.result("");
        ui.result(colors.style(BOLD, "Next steps"));
        ui.commands(
            &next_steps(summary, context).iter().map(|(command, meaning)| (&**command, &**meaning)).collect::<Vec<_>>(),
        );
    }
}

/// Returns the commands that follow the install, in their order.
fn next_steps(summary: &Summary<'_>, context: &Context<'_>) -> Vec<(String, String)> {
    let Summary { axes, settings, .. } = summary;
    let step = |command: &str, meaning: &str| (command.to_owned(), meaning.to_owned());
    let health = step("cargo xtask health", "check the health, and show how to fix problems");
    if (axes.environment, axes.method) != (Environment::Dev, DeployMethod::Bare) {
        return vec![step(deploy_command(axes.method), "deploy it"), health];
    }
    let names = &context.project.names;
    let of = |name: &str| settings.iter().find(|it| it.variable == name)?.value.clone();
    let hosts = names.value(Variable::AllowedHosts, of);
    let name = value::local_name(hosts.as_deref().unwrap_or_default()).unwrap_or(value::LOCAL_NAMES[0]);
    let run = step("cargo xtask run", &format!("start the development server: http://{name}:{RUNSERVER_PORT}/"));
    let account = step("cargo xtask manage createsuperuser", "create the first account");
    let account = Some(account).filter(|_| context.project.has_accounts);
    [Some(run), account, Some(health)].into_iter().flatten().collect()
}
