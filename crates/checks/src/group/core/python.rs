//! `core.python` and `core.venv`: the interpreter in the virtual environment is the one that counts; only where there is
//! none, another is looked for.

use std::path::{Path, PathBuf};

use project::{Pyproject, PyprojectError, Uv, Version, WantedPython, find_python, find_uv, may_download_python};
use subprocess::{Command, Deadline, quoted};

use super::scripts::{missing_home, moved};
use super::{PYTHON, VENV};
use crate::outcome::{Outcome, Repair};
use crate::{ServiceContext, Target};

pub(super) fn outcomes(target: &Target, deadline: &Deadline) -> Vec<Outcome> {
    let ground = target.ground();
    let started = version(&ground, deadline);
    let wanted = wanted(target);
    let python = match (&wanted, &started) {
        (Err(error), _) => Outcome::err(PYTHON, error.to_string()),
        (Ok(wanted), Ok(version)) if wanted.allows(version) => {
            Outcome::ok(PYTHON, format!("{version}, as {wanted} asks for"))
        }
        (Ok(wanted), _) => {
            let deadline = deadline.again();
            let uv = find_uv(&target.project, &deadline).ok();
            match find_python(&target.project, wanted, uv.as_ref(), &deadline) {
                Ok(python) => Outcome::ok(PYTHON, format!("`{}` is {}", python.program, python.version)),
                Err(error) => {
                    let hint = hint(wanted, uv.as_ref(), may_download_python(&target.project, &target.uv));
                    Outcome::err(PYTHON, error.to_string()).hint(hint)
                }
            }
        }
    };
    let venv = match target.serves_elsewhere() {
        Some(reason) if !interpreter(&target.venv).exists() => Outcome::skip(VENV, reason),
        _ => judge(&ground, wanted.as_ref().ok(), &started),
    };
    vec![python, venv]
}

fn wanted(target: &Target) -> Result<WantedPython, PyprojectError> {
    let pyproject = Pyproject::read(target.project.service_dir())?;
    Ok(WantedPython::of(&target.project, &pyproject.requires_python, &target.uv))
}

/// Returns the next step where no interpreter is the wanted one: install, if uv may download one then.
fn hint(wanted: &WantedPython, uv: Option<&Uv>, may_download: bool) -> String {
    if may_download { "cargo xtask install".to_owned() } else { install_python(wanted, uv) }
}

/// Returns the command by which uv installs the wanted Python; advice where there is no uv.
#[must_use]
pub fn install_python(wanted: &WantedPython, uv: Option<&Uv>) -> String {
    match uv {
        Some(uv) => {
            format!("{} python install {}", quoted(&uv.program.to_string_lossy()), quoted(&wanted.to_install()))
        }
        None => "install such a Python, and have it on PATH".to_owned(),
    }
}

/// Checks the virtual environment: its interpreter starts and is the wanted one, and its scripts start that.
#[must_use]
pub fn venv(ground: &ServiceContext<'_>, wanted: &WantedPython, deadline: &Deadline) -> Outcome {
    judge(ground, Some(wanted), &version(ground, deadline))
}

fn judge(ground: &ServiceContext<'_>, wanted: Option<&WantedPython>, started: &Result<Version, String>) -> Outcome {
    let shown = ground.project.relative(ground.venv).display();
    let failed = |problem: String, repair| {
        Outcome::err(VENV, format!("`{shown}` {problem}")).hint("cargo xtask install").repair(repair)
    };
    match (started, wanted) {
        (Err(problem), _) => failed(problem.clone(), Repair::Sync),
        (Ok(version), Some(wanted)) if !wanted.allows(version) => {
            failed(format!("has Python {version}, and {wanted} is asked for"), Repair::Sync)
        }
        (Ok(version), _) => match moved(ground.venv) {
            None => Outcome::ok(VENV, format!("`{shown}` has Python {version}")),
            Some(problem) => failed(problem, Repair::Reinstall),
        },
    }
}

/// The version of the interpreter in the virtual environment, by its own word.
fn version(ground: &ServiceContext<'_>, deadline: &Deadline) -> Result<Version, String> {
    if !ground.venv.is_dir() {
        return Err("is not there".to_owned());
    }
    match Command::new(interpreter(ground.venv), ["--version"]).run(deadline) {
        Ok(finished) if finished.is_success() => {
            let version = finished.stdout().trim().trim_start_matches("Python ").trim_end_matches('+').to_owned();
            version.parse().map_err(|_| format!("does not print a version: {version}"))
        }
        Ok(finished) => Err(format!("does not start: {}", ground.secrets.redact(&finished.failure_reason()))),
        Err(error) if error.is_not_found() => Err(match missing_home(ground.venv) {
            Some(home) => format!("has no Python that starts: the one that it was made with, in `{home}`, is gone"),
            None => "has no Python that starts".to_owned(),
        }),
        Err(error) => Err(format!("does not start: {error}")),
    }
}

/// The interpreter of a virtual environment.
#[must_use]
pub fn interpreter(venv: &Path) -> PathBuf {
    venv.join("bin/python")
}

/// The outcome of `core.venv` where there is none.
pub(crate) fn no_venv(target: &Target) -> Outcome {
    judge(&target.ground(), None, &Err("is not there".to_owned()))
}
