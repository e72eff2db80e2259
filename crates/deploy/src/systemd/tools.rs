//! The tools that build a release: uv, and a Python that the units can start.

use checks::group::core::sync_args;
use detect::Environment;
use project::{Pyproject, Python, Uv, UvSettings, WantedPython, find_system_python, find_uv, version_in};
use subprocess::quoted;

use super::preflight::probe_deadline;
use crate::context::Context;
use crate::failure::Problem;
use crate::interrupt::Interrupt;

/// The tools that build a release.
pub(super) struct Tools {
    pub(super) python: Python,
    pub(super) uv: Uv,
    /// The arguments of `uv sync`.
    pub(super) sync_args: Vec<String>,
}

/// Finds the tools, or adds every problem.
pub(super) fn find(
    uv_settings: &UvSettings,
    context: &Context<'_>,
    interrupt: &Interrupt,
    problems: &mut Vec<Problem>,
) -> Option<Tools> {
    let service = context.project.service_dir();
    let uv = find_uv(context.project, &probe_deadline(interrupt)).map_err(|error| {
        let hint = "cargo xtask install --env prod --method bare --no-deploy, which installs it";
        problems.push(Problem::new(error.to_string()).hint(hint));
    });
    let workspace = context.project.workspace_root();
    if !workspace.starts_with(&context.project.root) {
        let message = format!(
            "the service is a member of the uv workspace `{}`, which is outside of the checkout `{}`, and a release has \
             only the files of the checkout",
            workspace.display(),
            context.project.root.display()
        );
        problems.push(Problem::new(message).hint(format!(
            "deploy the checkout of the workspace, with the setting `service-dir = \"{}\"`",
            service.strip_prefix(&workspace).unwrap_or(service).display()
        )));
    }
    let lock_file = context.project.lock_file();
    if !lock_file.is_file() {
        let message = format!("`{}` is not there, and a release has nothing else in it", lock_file.display());
        problems.push(Problem::new(message).hint(context.project.lock_command()));
    }
    let pyproject = Pyproject::read(service).map_err(|error| {
        let problem = Problem::new(error.to_string());
        problems.push(error.remedy().into_iter().fold(problem, Problem::hint));
    });
    let pyproject = pyproject.ok()?;
    let sync_args = sync_args(&pyproject, &context.project.settings, Environment::Prod);
    let wanted = WantedPython::of(context.project, &pyproject.requires_python, uv_settings);
    // The minor version that `install` has verified, where all users have it.
    let installed = version_in(&uv_settings.venv_of(context.project), &probe_deadline(interrupt));
    let like_installed =
        installed.and_then(|installed| find_system_python(&wanted.like(&installed), &probe_deadline(interrupt)).ok());
    let python = like_installed.map_or_else(|| find_system_python(&wanted, &probe_deadline(interrupt)), Ok);
    let python = python.map_err(|error| {
        let message =
            format!("{error}; it must be installed for all users, since the units cannot start one in a home folder");
        problems.push(Problem::new(message).hint(for_all_users(&wanted, uv.as_ref().ok())));
    });
    Some(Tools { python: python.ok()?, uv: uv.ok()?, sync_args })
}

/// Returns the command by which uv installs a Python that every user can start, with a link where it is looked for.
fn for_all_users(wanted: &WantedPython, uv: Option<&Uv>) -> String {
    let uv = match uv {
        // Root may have another PATH.
        Some(uv) if uv.program == "uv" => "\"$(command -v uv)\"".to_owned(),
        Some(uv) => quoted(&uv.program.to_string_lossy()),
        None => return "sudo apt install python3".to_owned(),
    };
    let folders = "UV_PYTHON_INSTALL_DIR=/opt/python UV_PYTHON_BIN_DIR=/usr/local/bin";
    format!("sudo env {folders} {uv} python install {}", quoted(&wanted.to_install()))
}
