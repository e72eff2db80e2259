//! Finding a Python interpreter that fits the project.

use std::error::Error;
use std::fmt;
use std::path::Path;

use pep440_rs::{Version, VersionSpecifier};
use subprocess::{Command, CommandError, Deadline};

use crate::{NO_DOWNLOADS, Project, Uv, WantedPython};

/// The names that interpreters usually have, the plain ones first.
const NAMES: [&str; 8] =
    ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9"];

/// The folders of interpreters that a distribution or an administrator has installed.
const SYSTEM_DIRS: [&str; 2] = ["/usr/bin", "/usr/local/bin"];

const PRINT_VERSION: &str = "import platform; print(platform.python_version())";

/// An interpreter of a version that the service asks for.
#[derive(Debug, Clone)]
pub struct Python {
    /// The program: a name on PATH, or a path.
    pub program: String,
    /// The version that it prints.
    pub version: Version,
}

/// Finds an interpreter: by its usual names on PATH, then with uv's help, which also knows those it manages itself. They
/// are asked in the service folder, on which the shims of version managers depend.
///
/// # Errors
/// If no interpreter is the wanted one; the error lists those that were found.
pub fn find_python(
    project: &Project,
    wanted: &WantedPython,
    uv: Option<&Uv>,
    deadline: &Deadline,
) -> Result<Python, PythonError> {
    let dir = project.service_dir();
    let unfit = match on_path(wanted, dir, deadline) {
        Ok(python) => return Ok(python),
        Err(unfit) => unfit,
    };
    let managed = uv.and_then(|uv| {
        let find = uv.command(["python", "find", "--no-project", &wanted.request()]);
        let finished = find.dir(dir).envs([NO_DOWNLOADS]).run(deadline).ok()?;
        let program = finished.stdout().trim().to_owned();
        let version = finished.is_success().then(|| version_of(&program, dir, deadline).ok())???;
        wanted.allows(&version).then_some(Python { program, version })
    });
    managed.ok_or_else(|| PythonError { wanted: wanted.to_string(), unfit })
}

/// Finds an interpreter that every user of the machine can start: not one of a version manager in a home folder.
///
/// # Errors
/// If no interpreter is the wanted one; the error lists those that were found.
pub fn find_system_python(wanted: &WantedPython, deadline: &Deadline) -> Result<Python, PythonError> {
    let programs = NAMES.iter().flat_map(|name| SYSTEM_DIRS.map(|dir| format!("{dir}/{name}")));
    let mut unfit = Vec::new();
    // Another implementation, for example, has no version that could be compared.
    for program in programs.filter(|_| wanted.is_version()) {
        match version_of(&program, Path::new("/"), deadline) {
            Ok(Some(version)) if wanted.allows(&version) => return Ok(Python { program, version }),
            Ok(Some(version)) => unfit.push(format!("`{program}` is {version}")),
            _ => {}
        }
    }
    Err(PythonError { wanted: wanted.to_string(), unfit })
}

/// Returns the version of the interpreter in a virtual environment, if that starts.
#[must_use]
pub fn version_in(venv: &Path, deadline: &Deadline) -> Option<Version> {
    version_of(&venv.join("bin/python").to_string_lossy(), Path::new("/"), deadline).ok()?
}

/// Finds an interpreter that can install uv, whatever the service asks for.
///
/// # Errors
/// If there is none on PATH; the error lists those that were found.
pub fn find_any_python(deadline: &Deadline) -> Result<Python, PythonError> {
    let any = WantedPython::any(&VersionSpecifier::greater_than_equal_version(Version::new([3, 8])).into());
    // In the service folder, a version manager's shims fail if the pinned version is not installed.
    on_path(&any, Path::new("/"), deadline).map_err(|unfit| PythonError { wanted: any.to_string(), unfit })
}

/// Finds an interpreter by its usual names on PATH; else returns those that were found.
fn on_path(wanted: &WantedPython, dir: &Path, deadline: &Deadline) -> Result<Python, Vec<String>> {
    let mut unfit = Vec::new();
    for name in NAMES.iter().filter(|_| wanted.is_version()) {
        match version_of(name, dir, deadline) {
            Ok(Some(version)) if wanted.allows(&version) => return Ok(Python { program: (*name).into(), version }),
            Ok(Some(version)) => unfit.push(format!("`{name}` is {version}")),
            Ok(None) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                unfit.push(error.to_string());
                if deadline.left().is_zero() {
                    break;
                }
            }
        }
    }
    Err(unfit)
}

/// Returns the version of an interpreter. A version manager's shim on PATH without an interpreter behind it fails, and
/// does not count.
fn version_of(program: &str, dir: &Path, deadline: &Deadline) -> Result<Option<Version>, CommandError> {
    let finished = Command::new(program, ["-c", PRINT_VERSION]).dir(dir).run(deadline)?;
    Ok(finished.is_success().then(|| finished.stdout().trim().parse().ok()).flatten())
}

/// No interpreter is the wanted one; holds those that were found.
#[derive(Debug)]
pub struct PythonError {
    wanted: String,
    /// The interpreters that were found, as in "`python3` is 3.6.9".
    unfit: Vec<String>,
}

impl fmt::Display for PythonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no Python {} found", self.wanted)?;
        if self.unfit.is_empty() { Ok(()) } else { write!(f, ": {}", self.unfit.join(", ")) }
    }
}

impl Error for PythonError {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Settings;

    fn find(requires: &str) -> Result<Python, PythonError> {
        let dir = tempfile::tempdir().expect("a folder");
        let project = Project::with(dir.path().to_owned(), Settings::default()).expect("a project");
        let wanted = WantedPython::any(&requires.parse().expect("a specifier"));
        find_python(&project, &wanted, None, &Deadline::within(Duration::from_secs(10)))
    }

    #[test]
    fn the_first_that_fits_is_taken() {
        assert_eq!(find(">=3.0").expect("a Python is here").program, "python3");
    }

    #[test]
    fn those_that_do_not_fit_are_named() {
        let message = find(">=9").expect_err("not yet").to_string();
        assert!(message.starts_with("no Python >=9 found: `python3` is 3."), "{message}");
    }
}
