//! `core`: the tools that a service on this machine needs.

mod python;
mod scripts;
mod writable;

use std::path::Path;
use std::sync::Arc;

use detect::Environment;
use project::{NO_DOWNLOADS, Pyproject, Settings, Uv, find_uv, uv_variables};
use rustix::fs::statvfs;
use subprocess::Deadline;

pub(crate) use self::python::no_venv;
pub use self::python::{install_python, interpreter, venv};
pub(crate) use self::writable::unwritable;
pub use self::writable::{Denied, this_user, unreadable};
use super::ServiceContext;
use crate::outcome::{Outcome, Repair};
use crate::run::Probe;
use crate::{CheckName, Target};

/// Below this, in bytes, the next release or backup may fail half-way.
const LEAST_FREE: u64 = 1_000_000_000;

const PYTHON: CheckName = CheckName::known("core.python");
const UV: CheckName = CheckName::known("core.uv");
const VENV: CheckName = CheckName::known("core.venv");
const LOCK: CheckName = CheckName::known("core.lock");
const WRITABLE: CheckName = CheckName::known("core.writable");
const DISK: CheckName = CheckName::known("core.disk");

pub(super) fn probes(target: &Arc<Target>) -> Vec<Probe> {
    let for_python = Arc::clone(target);
    let for_uv = Arc::clone(target);
    let for_folder = Arc::clone(target);
    vec![
        Probe::new([PYTHON, VENV], move |deadline| python::outcomes(&for_python, deadline)).in_turn(2),
        Probe::new([UV, LOCK], move |deadline| uv_and_lock(&for_uv, deadline)).in_turn(2),
        Probe::new([WRITABLE, DISK], move |_| vec![writable::check(&for_folder), disk(&for_folder)]),
    ]
}

/// Why nothing can be asked that needs one.
pub(super) const NO_VENV: &str = "there is no virtual environment";

fn uv_and_lock(target: &Target, deadline: &Deadline) -> Vec<Outcome> {
    let uv = match find_uv(&target.project, deadline) {
        Ok(uv) => uv,
        Err(error) => {
            let error = target.secrets.redact(&error.to_string());
            let outcome = Outcome::err(UV, error).hint("cargo xtask install");
            let lock = Outcome::blocked(LOCK, "there is no uv to ask", &outcome);
            return vec![outcome, lock];
        }
    };
    let program = target.project.relative(Path::new(&uv.program)).display();
    let found = Outcome::ok(UV, format!("{} ({program})", uv.version));
    let elsewhere = target.serves_elsewhere().filter(|_| !interpreter(&target.venv).exists());
    let lock = match Pyproject::read(target.project.service_dir()) {
        _ if !target.selection.wants(&LOCK) => return vec![found],
        _ if elsewhere.is_some() => Outcome::skip(LOCK, elsewhere.unwrap_or_default()),
        Err(error) => Outcome::blocked(LOCK, error.to_string(), &Outcome::err(PYTHON, error.to_string())),
        Ok(_) if !interpreter(&target.venv).exists() => Outcome::blocked(LOCK, NO_VENV, &no_venv(target)),
        Ok(_) if !target.project.lock_file().is_file() => {
            Outcome::err(LOCK, "`uv.lock` is not there").hint("cargo xtask install")
        }
        Ok(pyproject) => lock(
            &target.ground(),
            &uv,
            &sync_args(&pyproject, &target.project.settings, target.environment.value),
            &deadline.again(),
        ),
    };
    vec![found, lock]
}

/// Returns the arguments of `uv sync` for the virtual environment: its extras and groups, by the settings, else those that
/// are named after the environment.
#[must_use]
pub fn sync_args(pyproject: &Pyproject, settings: &Settings, environment: Environment) -> Vec<String> {
    let own = environment.as_str();
    let chosen = |setting: &Option<Vec<String>>, has: bool| match setting {
        Some(names) => names.clone(),
        None => has.then(|| own.to_owned()).into_iter().collect(),
    };
    let extras = chosen(&settings.extras, pyproject.has_extra(own));
    let groups = chosen(&settings.groups, pyproject.has_group(own));
    let mut args = match environment {
        Environment::Dev => Vec::new(),
        Environment::Prod => vec!["--frozen".to_owned()],
    };
    // uv installs the group `dev` unless told otherwise.
    if environment == Environment::Prod || settings.groups.is_some() {
        args.push("--no-dev".to_owned());
    }
    let named =
        |option: &'static str, names: Vec<String>| names.into_iter().flat_map(move |name| [option.to_owned(), name]);
    args.extend(named("--extra", extras));
    args.extend(named("--group", groups));
    args
}

/// Checks, through uv, that the virtual environment exists and holds the packages of `uv.lock`.
#[must_use]
pub fn lock(ground: &ServiceContext<'_>, uv: &Uv, sync_args: &[String], deadline: &Deadline) -> Outcome {
    let venv = ground.project.relative(ground.venv).display();
    let args = ["sync", "--check"].into_iter().chain(sync_args.iter().map(String::as_str));
    let command = uv.command(args).dir(ground.project.service_dir()).envs(uv_variables(ground.variables));
    // A check downloads no Python.
    let command = command.envs([NO_DOWNLOADS]);
    match command.run(deadline) {
        Ok(finished) if finished.is_success() => Outcome::ok(LOCK, format!("`{venv}` is in step with `uv.lock`")),
        Ok(finished) => Outcome::err(LOCK, format!("`{venv}` is not in step with `uv.lock`"))
            .output(&ground.secrets.redact(finished.stderr()))
            .hint("cargo xtask install")
            .repair(Repair::Sync),
        Err(error) => Outcome::err(LOCK, error.to_string()).output(&ground.secrets.redact(error.stderr())),
    }
}

fn disk(target: &Target) -> Outcome {
    disk_at(&target.project.root)
}

/// Whether there is room where this folder is: the outcome of `core.disk`.
#[must_use]
pub fn disk_at(folder: &Path) -> Outcome {
    match statvfs(folder) {
        Ok(found) => free(found.f_bavail.saturating_mul(found.f_frsize)),
        Err(error) => Outcome::err(DISK, format!("cannot read the free space: {error}")),
    }
}

/// Judges how many bytes are free.
fn free(bytes: u64) -> Outcome {
    let tenths = bytes / (LEAST_FREE / 10);
    let message = format!("{}.{} GB free", tenths / 10, tenths % 10);
    if bytes < LEAST_FREE {
        return Outcome::err(DISK, format!("{message}, and 1 GB is needed for the next release or backup"));
    }
    Outcome::ok(DISK, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Status;

    #[test]
    fn free_space() {
        assert_eq!(free(12_345_678_901), Outcome::ok(DISK, "12.3 GB free"));
        assert_eq!(free(LEAST_FREE).status, Status::Ok);
        let outcome = free(LEAST_FREE - 1);
        assert_eq!(outcome.status, Status::Err);
        assert!(outcome.message.starts_with("0.9 GB free, "), "{}", outcome.message);
    }
}
