//! The report of a run, and its forms.

mod colors;
mod github;
mod human;
mod json;
mod junit;
mod markdown;
mod prometheus;
#[cfg(test)]
mod sample;

use std::iter;
use std::time::Duration;

use detect::{DeployMethod, Detected, Environment, Mode};

use crate::outcome::{Outcome, Status};

pub use anstyle::Style;
pub use colors::{BOLD, Colors, DIM, GREEN, RED, YELLOW};
pub use github::github;
pub use human::{axis, human, outcome, verdict};
pub use json::{JSON_SCHEMA, json};
pub use junit::junit;
pub use markdown::markdown;
pub use prometheus::prometheus;

/// The report of a run. Never holds a secret.
#[derive(Debug, Clone)]
pub struct Report {
    /// The environment, with the source of the value.
    pub environment: Detected<Environment>,
    /// The deployment method, with the source of the value.
    pub deploy_method: Detected<DeployMethod>,
    /// Both in one word, for older callers.
    pub mode: Detected<Mode>,
    /// The outcomes, in the order of the catalogue.
    pub outcomes: Vec<Outcome>,
    /// The duration of the whole run; probes run at the same time.
    pub elapsed: Duration,
}

impl Report {
    /// Returns the number of checks with this result.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.status == status).count()
    }
}

/// Returns the full message of an outcome, for the forms that have one text for it: its message, those of its findings,
/// and the output of the program.
fn full_message(outcome: &Outcome) -> String {
    let findings = outcome.findings.iter().map(|finding| &finding.message);
    let lines: Vec<&str> =
        iter::once(&outcome.message).chain(findings).chain(&outcome.output).map(String::as_str).collect();
    lines.join("\n")
}

/// Returns the full hint of an outcome: its own, and those of its findings.
fn full_hint(outcome: &Outcome) -> Option<String> {
    let findings = outcome.findings.iter().filter_map(|finding| finding.hint.as_deref());
    let hints: Vec<&str> = outcome.hint.as_deref().into_iter().chain(findings).collect();
    (!hints.is_empty()).then(|| hints.join("\n"))
}

/// Message and hint in one text.
fn full_text(outcome: &Outcome) -> String {
    with_hint(&full_message(outcome), full_hint(outcome).as_deref())
}

fn with_hint(message: &str, hint: Option<&str>) -> String {
    hint.map_or_else(|| message.to_owned(), |hint| format!("{message}\nhint: {hint}"))
}
