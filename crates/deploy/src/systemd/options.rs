//! The options of `deploy-systemd`.

use std::time::Duration;

use crate::options::{DEFAULT_STABILITY, DEFAULT_TIMEOUT, flags, times};

/// The options of a deploy with systemd.
#[derive(Debug, Clone)]
pub struct Options {
    /// The time that a unit has to become healthy.
    pub timeout: Duration,
    /// The time that units must stay healthy before the deploy relies on them.
    pub stability: Duration,
    /// Whether values of `.env` overwrite those of the system env file.
    pub sync_env: bool,
    /// Whether files that no release has may be left behind.
    pub abandon_data: bool,
    /// Whether to go back to the previous release.
    pub rollback: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            timeout: DEFAULT_TIMEOUT,
            stability: DEFAULT_STABILITY,
            sync_env: false,
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

    /// Spells the command with these options, as it is typed.
    #[must_use]
    pub fn command_line(&self, is_yes: bool) -> String {
        let mut words = vec!["cargo xtask deploy-systemd".to_owned()];
        words.extend(times(self.timeout, self.stability));
        words.extend(flags([
            ("--sync-env", self.sync_env),
            ("--rollback", self.rollback),
            ("--abandon-data", self.abandon_data),
            ("--yes", is_yes),
        ]));
        words.join(" ")
    }
}
