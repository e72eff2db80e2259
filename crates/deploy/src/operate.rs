//! Operating a service between its deploys, in terms that both backends share.

use std::time::Duration;

use project::secret::Secrets;

use crate::manage::Invocation;

/// The part of a log that is wanted.
#[derive(Debug, Clone, Default)]
pub struct LogRequest {
    /// The services, or units; all if there is none.
    pub services: Vec<String>,
    /// Whether new lines are wanted as they come.
    pub is_followed: bool,
    /// The moment of the first line, since 1970.
    pub since: Option<Duration>,
    /// The number of last lines; of each service with Docker.
    pub lines: Option<u32>,
}

/// A command that prints a log.
pub struct Log {
    /// The command.
    pub invocation: Invocation,
    /// The lines of containers that were removed, which come first.
    pub removed: Vec<String>,
    /// The secrets that must be redacted in its output.
    pub secrets: Secrets,
}

/// The containers or units that were stopped; none if nothing was running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Their names.
    pub names: Vec<String>,
}

/// The containers or units that were started; none if all of them were running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Their names.
    pub names: Vec<String>,
}
