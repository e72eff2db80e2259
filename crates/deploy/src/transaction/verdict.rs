//! The verdict on a deploy.

use std::time::Duration;

use crate::failure::{Exit, Problem};
use crate::record::Record;

/// The result of a deploy.
#[derive(Debug)]
pub struct Verdict {
    /// The exit code of the command, as the table in docs/exit-codes.md has them.
    pub exit: Exit,
    /// The problems; none for [`Exit::Done`].
    pub problems: Vec<Problem>,
    /// The kind of success; `None` for any other exit code.
    pub outcome: Option<Outcome>,
    /// The release that the deploy made, or that serves unchanged.
    pub release: Option<String>,
    /// The release that the deploy has rolled back to.
    pub rollback_to: Option<String>,
    /// Whether the release was rolled back, as far as it was applied.
    pub is_rolled_back: bool,
    /// The copy of the database from before the migrations.
    pub database_copy: Option<String>,
    /// The addresses of the service: a line each.
    pub addresses: Vec<String>,
    /// The commands to go on with, and their purposes.
    pub next_steps: Vec<(String, &'static str)>,
    /// The time that the deploy took.
    pub duration: Duration,
}

/// The ways in which a deploy succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A new release serves.
    Deployed,
    /// Nothing has changed since the release that serves.
    Unchanged,
    /// A rollback was wanted, and recovering an unfinished deploy was one.
    Recovered,
    /// The plan was shown, and nothing was changed.
    Planned,
}

impl Outcome {
    /// Returns the word for it in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Deployed => "deployed",
            Outcome::Unchanged => "unchanged",
            Outcome::Recovered => "recovered",
            Outcome::Planned => "planned",
        }
    }
}

impl Verdict {
    pub(crate) fn new(duration: Duration) -> Self {
        Verdict {
            exit: Exit::Done,
            problems: Vec::new(),
            outcome: None,
            release: None,
            rollback_to: None,
            is_rolled_back: false,
            database_copy: None,
            addresses: Vec::new(),
            next_steps: Vec::new(),
            duration,
        }
    }
}

/// The part of a verdict that is known when a deploy fails.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) release: Option<String>,
    pub(super) rollback_to: Option<String>,
    pub(super) is_rolled_back: bool,
    pub(super) database_copy: Option<String>,
}

impl Progress {
    pub(super) fn of(record: &Record) -> Self {
        Progress {
            release: Some(record.id.clone()),
            rollback_to: record.rollback_to.clone(),
            is_rolled_back: false,
            database_copy: record.database_copy.clone(),
        }
    }
}
