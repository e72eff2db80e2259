//! Finding uv: on PATH, or in the project's own tool folder.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use pep440_rs::Version;
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

/// The oldest uv that is used: the first whose `uv sync --check` takes the arguments of this tool.
pub const OLDEST_UV: &str = "0.6.10";

/// The uv on PATH, else the one in the project's tool folder. One that does not respond or is older than [`OLDEST_UV`]
/// is passed over.
///
/// # Errors
/// If neither can be used; the error has the reason of the first one that exists.
pub fn find_uv(project: &Project, deadline: &Deadline) -> Result<Uv, UvError> {
    let mut first_reason = None;
    for program in [OsString::from("uv"), project.own_uv().into()] {
        let reason = match Command::new(&program, ["--version"]).run(deadline) {
            Ok(finished) if finished.is_success() && !finished.stdout().trim().is_empty() => {
                // `uv 0.8.3 (platform)`: the platform does not matter.
                let version = finished.stdout().split(" (").next().unwrap_or_default().trim().to_owned();
                if is_new_enough(&version) {
                    return Ok(Uv { program, version });
                }
                format!("`{}` is too old: {version}, and uv {OLDEST_UV} is the oldest that works", program.display())
            }
            Ok(finished) => format!("`{}` fails: {}", program.display(), finished.failure_reason()),
            Err(error) if error.is_not_found() => continue,
            Err(error) => error.to_string(),
        };
        first_reason.get_or_insert(reason);
    }
    Err(UvError(first_reason.unwrap_or_else(|| "command not found: `uv`".to_owned())))
}

/// Judges what `uv --version` prints, such as `uv 0.8.3`.
fn is_new_enough(printed: &str) -> bool {
    let version = printed.split_whitespace().nth(1).and_then(|version| version.parse::<Version>().ok());
    let oldest = OLDEST_UV.parse::<Version>().ok();
    version.is_some_and(|version| oldest.is_some_and(|oldest| version >= oldest))
}

/// No uv can be used; holds the reason.
#[derive(Debug)]
pub struct UvError(String);

impl fmt::Display for UvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for UvError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_uv_is_not_used() {
        for (printed, expected) in [
            ("uv 0.5.10", false),
            ("uv 0.6.9", false),
            ("uv 0.6.10", true),
            ("uv 0.13.9", true),
            ("uv 0.13.9+12", true),
            ("uv 1.0.0", true),
            ("uv", false),
            ("uv of my own", false),
        ] {
            assert_eq!(is_new_enough(printed), expected, "{printed}");
        }
    }
}
