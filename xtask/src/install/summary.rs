//! The end of an install: the values, the command that starts the service, and the next steps.

use std::path::Path;

use checks::report::{BOLD, DIM};
use detect::{ENV_FILE, Environment};
use envfile::EnvFile;
use project::{UV_PROJECT_ENVIRONMENT, Variable, secret, value};
use subprocess::quoted;

use super::axes::Axes;
use super::env_file::Preview;
use super::settle::Setting;
use super::steps::{Done, EnvReader};
use crate::context::Context;

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
}

/// Prints the summary.
pub(super) fn print(summary: &Summary<'_>, context: &Context<'_>) {
    let Summary { axes, settings, preview, done } = summary;
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
    if let (Some(done), Environment::Dev) = (done, axes.environment) {
        ui.result(colors.style(BOLD, "Start it:"));
        for line in start_commands(done, &preview.after, context) {
            ui.result(format_args!("  {line}"));
        }
        let path = context.project.settings.health_path.as_deref().unwrap_or("/");
        ui.result(colors.style(BOLD, "Look at it:"));
        let names = &context.project.names;
        let of = |name: &str| settings.iter().find(|it| it.variable == name)?.value.clone();
        let hosts = names.value(Variable::AllowedHosts, of);
        let name = value::local_name(hosts.as_deref().unwrap_or_default()).unwrap_or(value::LOCAL_NAMES[0]);
        let url = format!("http://{name}:{RUNSERVER_PORT}");
        ui.result(format_args!("  {url}/, or: curl {url}{path}"));
    }
    ui.result(colors.style(BOLD, "Go on from here:"));
    ui.commands(&[
        ("cargo xtask health", "check the health, and show how to fix problems"),
        ("cargo xtask detect", "show the axes of this checkout, and their sources"),
        ("cargo xtask install --env dev|prod --method bare|docker", "another combination"),
    ]);
}

/// How to start the development server from the root folder.
fn start_commands(done: &Done, env_file: &EnvFile, context: &Context<'_>) -> Vec<String> {
    let project = &context.project;
    let service = project.relative(project.service_dir());
    let manage = project.manage_dir().join("manage.py");
    let manage = quoted(&project.relative(&manage).to_string_lossy());
    let uv = quoted(&project.relative(Path::new(&done.uv.program)).to_string_lossy());
    // uv does not read it there.
    let venv = env_file.get(UV_PROJECT_ENVIRONMENT).map(|entry| quoted(&entry.value));
    let uv = venv.map_or_else(|| uv.clone(), |venv| format!("{UV_PROJECT_ENVIRONMENT}={venv} {uv}"));
    // The environment that was verified, also if another program than the service reads the file.
    let option = match done.env_reader {
        EnvReader::Service => "",
        EnvReader::Uv => "--env-file .env ",
        EnvReader::PythonDotenv => "--with 'python-dotenv[cli]' dotenv --file .env run -- python ",
    };
    let is_here = context.host.current_dir.as_ref().is_ok_and(|dir| *dir == project.root);
    let cd = (!is_here).then(|| format!("cd {}", quoted(&project.root.to_string_lossy())));
    let run = if service == Path::new("") || service == project.root {
        format!("{uv} run {option}{manage} runserver")
    } else {
        let project = quoted(&service.to_string_lossy());
        format!("{uv} run --project {project} {option}{manage} runserver")
    };
    cd.into_iter().chain([run]).collect()
}
