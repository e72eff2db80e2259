//! The options of `deploy-docker`.

use std::path::PathBuf;
use std::time::Duration;

use subprocess::quoted;

use crate::options::{DEFAULT_STABILITY, DEFAULT_TIMEOUT, flags, times};

/// The options of a deploy with Docker Compose.
#[derive(Debug, Clone)]
pub struct Options {
    /// The time that a new container has to become healthy.
    pub timeout: Duration,
    /// The time that new containers must stay healthy before the old ones are removed.
    pub stability: Duration,
    /// Whether the images are used as they are.
    pub no_build: bool,
    /// The folders whose containers may be replaced although they belong to another checkout or environment.
    pub replace: Vec<PathBuf>,
    /// Whether data in replaced containers may be lost.
    pub abandon_data: bool,
    /// Whether to go back to the previous release.
    pub rollback: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            timeout: DEFAULT_TIMEOUT,
            stability: DEFAULT_STABILITY,
            no_build: false,
            replace: Vec::new(),
            abandon_data: false,
            rollback: false,
        }
    }
}

impl Options {
    /// Returns the options with the times of these: consent and direction belong to one deploy.
    #[must_use]
    pub fn times(&self) -> Self {
        Options { timeout: self.timeout, stability: self.stability, ..Options::default() }
    }

    /// Returns whether images are built: not for a rollback.
    pub(super) fn builds(&self) -> bool {
        !self.no_build && !self.rollback
    }

    /// Spells the command with these options, as it is typed.
    #[must_use]
    pub fn command_line(&self, is_yes: bool) -> String {
        let mut words = vec!["cargo xtask deploy-docker".to_owned()];
        words.extend(times(self.timeout, self.stability));
        words.extend(self.replace.iter().map(|folder| format!("--replace {}", quoted(&folder.to_string_lossy()))));
        words.extend(flags([
            ("--no-build", self.no_build),
            ("--rollback", self.rollback),
            ("--abandon-data", self.abandon_data),
            ("--yes", is_yes),
        ]));
        words.join(" ")
    }
}
