//! Finding uv: on PATH, or in the project's own tool folder.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use subprocess::{Command, Deadline};

use crate::Project;

/// A uv that is installed and prints its version.
#[derive(Debug, Clone)]
pub struct Uv {
    /// How it is started: `uv`, or the path of the one in the tool folder.
    pub program: OsString,
    /// The version that it prints, such as `uv 0.8.3`.
    pub version: String,
}

impl Uv {
    /// A call of uv that a surrounding virtual environment does not lead astray.
    pub fn command<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        Command::new(&self.program, args).env_remove("VIRTUAL_ENV")
    }
}

impl Project {
    /// The folder that uv is installed into when the machine has none.
    #[must_use]
    pub fn uv_dir(&self) -> PathBuf {
        self.state_dir().join("tools/uv")
    }

    /// The path of uv's program in [`uv_dir`](Self::uv_dir), installed or not.
    #[must_use]
    pub fn own_uv(&self) -> PathBuf {
        self.uv_dir().join("bin/uv")
    }
}

/// The uv on PATH, else the one in the project's tool folder. One that does not answer does not count.
///
/// # Errors
/// If neither works; the error has the reason of the first one that exists.
pub fn find_uv(project: &Project, deadline: &Deadline) -> Result<Uv, UvError> {
    let mut broken = None;
    for program in [OsString::from("uv"), project.own_uv().into()] {
        let failed = match Command::new(&program, ["--version"]).run(deadline) {
            Ok(finished) if finished.is_success() && !finished.stdout().trim().is_empty() => {
                // `uv 0.8.3 (platform)`: the platform does not matter.
                let version = finished.stdout().split(" (").next().unwrap_or_default().trim().to_owned();
                return Ok(Uv { program, version });
            }
            Ok(finished) => format!("`{}` fails: {}", program.display(), finished.failure_reason()),
            Err(error) if error.is_not_found() => continue,
            Err(error) => error.to_string(),
        };
        broken.get_or_insert(failed);
    }
    Err(UvError(broken.unwrap_or_else(|| "command not found: `uv`".to_owned())))
}

/// No uv is installed, or none prints its version; holds the reason.
#[derive(Debug)]
pub struct UvError(String);

impl fmt::Display for UvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for UvError {}
