//! What a run has found, and the forms in which it is told.

mod human;
mod ink;

use std::time::Duration;

use detect::{DeployMethod, Detected, Environment, Mode};

use crate::outcome::{Outcome, Status};

pub use anstyle::Style;
pub use human::{axis, human, outcome, verdict};
pub use ink::{BOLD, DIM, GREEN, Ink, RED, YELLOW};

/// What a run has found. Never holds a secret.
#[derive(Debug, Clone)]
pub struct Report {
    /// The first axis.
    pub environment: Detected<Environment>,
    /// The second axis.
    pub deploy_method: Detected<DeployMethod>,
    /// Both in one word, for older callers.
    pub mode: Detected<Mode>,
    /// What the checks found, in the order of the catalogue.
    pub outcomes: Vec<Outcome>,
    /// How long everything took.
    pub elapsed: Duration,
}

impl Report {
    /// How many checks ended so.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.status == status).count()
    }
}
