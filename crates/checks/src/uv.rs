//! Finding uv: on PATH, or in the project's own tool folder.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::Project;
use crate::command::Command;

/// A uv that answers.
#[derive(Debug, Clone)]
pub struct Uv {
    /// How it is started: `uv`, or the path of the one in the tool folder.
    pub program: OsString,
    /// What it says it is, such as `uv 0.8.3`.
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

    /// The program in [`uv_dir`](Self::uv_dir).
    #[must_use]
    pub fn own_uv(&self) -> PathBuf {
        self.uv_dir().join("bin/uv")
    }
}

/// The uv on PATH, else the one in the project's tool folder. One that does not answer does not count.
#[must_use]
pub fn find_uv(project: &Project, timeout: Duration) -> Option<Uv> {
    [OsString::from("uv"), project.own_uv().into()].into_iter().find_map(|program| {
        let finished = Command::new(&program, ["--version"]).run(timeout).ok()?;
        // `uv 0.8.3 (platform)`: the platform is nobody's question.
        let version = finished.stdout.split(" (").next().unwrap_or_default().trim().to_owned();
        finished.is_success().then_some(Uv { program, version })
    })
}
