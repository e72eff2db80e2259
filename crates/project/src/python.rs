//! Finding a Python interpreter that fits the project.

use std::error::Error;
use std::fmt;

use pep440_rs::{Version, VersionSpecifiers};
use subprocess::{Command, CommandError, Deadline};

use crate::Uv;

/// The names that interpreters usually have, the plain ones first.
const NAMES: [&str; 8] =
    ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9"];

/// The folders of interpreters that a distribution or an administrator has installed.
const SYSTEM_DIRS: [&str; 2] = ["/usr/bin", "/usr/local/bin"];

const PRINT_VERSION: &str = "import platform; print(platform.python_version())";

/// An interpreter whose version `requires-python` allows.
#[derive(Debug, Clone)]
pub struct Python {
    /// The program: a name on PATH, or a path.
    pub program: String,
    /// The version that it prints.
    pub version: Version,
}

/// Finds an interpreter: by its usual names on PATH, then with uv's help, which also knows those it manages itself.
///
/// # Errors
/// If no interpreter satisfies the requirement; the error lists those that were found.
pub fn find_python(requires: &VersionSpecifiers, uv: Option<&Uv>, deadline: &Deadline) -> Result<Python, PythonError> {
    let mut unfit = Vec::new();
    for name in NAMES {
        match version_of(name, deadline) {
            Ok(Some(version)) if requires.contains(&version) => return Ok(Python { program: name.into(), version }),
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
    let managed = uv.and_then(|uv| {
        let finished = uv.command(["python", "find", "--no-project", &requires.to_string()]).run(deadline).ok()?;
        let program = finished.stdout().trim().to_owned();
        let version = finished.is_success().then(|| version_of(&program, deadline).ok())???;
        requires.contains(&version).then_some(Python { program, version })
    });
    managed.ok_or_else(|| PythonError { requires: requires.to_string(), unfit })
}

/// Finds an interpreter that every user of the machine can start: not one of a version manager in a home folder.
///
/// # Errors
/// If no interpreter satisfies the requirement; the error lists those that were found.
pub fn find_system_python(requires: &VersionSpecifiers, deadline: &Deadline) -> Result<Python, PythonError> {
    let programs = NAMES.iter().flat_map(|name| SYSTEM_DIRS.map(|dir| format!("{dir}/{name}")));
    let mut unfit = Vec::new();
    for program in programs {
        match version_of(&program, deadline) {
            Ok(Some(version)) if requires.contains(&version) => return Ok(Python { program, version }),
            Ok(Some(version)) => unfit.push(format!("`{program}` is {version}")),
            _ => {}
        }
    }
    Err(PythonError { requires: requires.to_string(), unfit })
}

/// Returns the version of an interpreter. A version manager's shim on PATH without an interpreter behind it fails, and
/// does not count.
fn version_of(program: &str, deadline: &Deadline) -> Result<Option<Version>, CommandError> {
    let finished = Command::new(program, ["-c", PRINT_VERSION]).run(deadline)?;
    Ok(finished.is_success().then(|| finished.stdout().trim().parse().ok()).flatten())
}

/// No interpreter satisfies `requires-python`; holds those that were found.
#[derive(Debug)]
pub struct PythonError {
    requires: String,
    /// The interpreters that were found, as in "`python3` is 3.6.9".
    unfit: Vec<String>,
}

impl fmt::Display for PythonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no Python {} found", self.requires)?;
        if self.unfit.is_empty() { Ok(()) } else { write!(f, ": {}", self.unfit.join(", ")) }
    }
}

impl Error for PythonError {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Deadline {
        Deadline::within(Duration::from_secs(10))
    }

    #[test]
    fn the_first_that_fits_is_taken() {
        let python = find_python(&">=3.0".parse().expect("a specifier"), None, &soon()).expect("a Python is here");
        assert_eq!(python.program, "python3");
    }

    #[test]
    fn those_that_do_not_fit_are_named() {
        let error = find_python(&">=9".parse().expect("a specifier"), None, &soon()).expect_err("not yet");
        let message = error.to_string();
        assert!(message.starts_with("no Python >=9 found: `python3` is 3."), "{message}");
    }
}
