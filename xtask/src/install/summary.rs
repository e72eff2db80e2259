//! The end of an install: the values, the command that starts the service, and the next steps.

use std::path::Path;

use checks::report::{BOLD, DIM};
use detect::{ENV_FILE, Environment};
use project::secret;
use subprocess::quoted;

use super::axes::Axes;
use super::env_file::Preview;
use super::settle::Setting;
use super::steps::Done;
use crate::world::World;

/// The default address of `runserver`.
const RUNSERVER_URL: &str = "http://127.0.0.1:8000";

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
pub(super) fn print(summary: &Summary<'_>, world: &World<'_>) {
    let Summary { axes, settings, preview, done } = summary;
    let (ui, ink) = (world.ui, world.ui.out());
    let is_changed = !preview.is_unchanged() || done.is_some_and(|done| done.is_changed);
    let verdict = if is_changed { "" } else { ": nothing had to be changed" };
    ui.result(ink.style(BOLD, format_args!("{axes} in {}{verdict}", world.project.root.display())));
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
        ui.result(format_args!("    {variable:<names$}  {value:<values$}  {}", ink.style(DIM, origin)));
    }
    if let (Some(done), Environment::Dev) = (done, axes.environment) {
        ui.result(ink.style(BOLD, "Start it:"));
        for line in start_commands(done, world) {
            ui.result(format_args!("  {line}"));
        }
        let path = world.project.settings.health_path.as_deref().unwrap_or("/");
        ui.result(ink.style(BOLD, "Look at it:"));
        ui.result(format_args!("  {RUNSERVER_URL}/, or: curl {RUNSERVER_URL}{path}"));
    }
    ui.result(ink.style(BOLD, "Go on from here:"));
    ui.commands(&[
        ("cargo xtask health", "whether all is well, and what mends it"),
        ("cargo xtask detect", "what this checkout is, and how we know"),
        ("cargo xtask install --env dev|prod --method bare|docker", "another combination"),
    ]);
}

/// How to start the development server from the root folder.
fn start_commands(done: &Done, world: &World<'_>) -> Vec<String> {
    let project = &world.project;
    let service = project.service_dir();
    let service = project.relative(&service);
    let uv = quoted(&project.relative(Path::new(&done.uv.program)).to_string_lossy());
    // A service that does not read the file itself needs it as an option.
    let env_file = if done.reads_env_file { "" } else { "--env-file .env " };
    let is_here = world.host.current_dir.as_ref().is_ok_and(|dir| *dir == project.root);
    let cd = (!is_here).then(|| format!("cd {}", quoted(&project.root.to_string_lossy())));
    let run = if service == Path::new("") || service == project.root {
        format!("{uv} run {env_file}manage.py runserver")
    } else {
        let (project, manage) =
            (quoted(&service.to_string_lossy()), quoted(&service.join("manage.py").to_string_lossy()));
        format!("{uv} run --project {project} {env_file}{manage} runserver")
    };
    cd.into_iter().chain([run]).collect()
}
