//! A deploy as JSON lines: a first line that names the format, an object for each event, and the verdict as the last line.
//! `schema/deploy-1.schema.json` describes them.

use serde::Serialize;

use crate::event::{Event, seconds};
use crate::failure::Problem;
use crate::transaction::Verdict;

/// The version of the format.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Line<'a> {
    Started {
        schema: u32,
        command: &'a str,
    },
    Verdict {
        exit_code: u8,
        outcome: Option<&'static str>,
        release: Option<&'a str>,
        rollback_to: Option<&'a str>,
        is_rolled_back: bool,
        database_copy: Option<&'a str>,
        addresses: &'a [String],
        problems: &'a [Problem],
        #[serde(serialize_with = "seconds")]
        duration: std::time::Duration,
    },
}

/// Returns the first line.
#[must_use]
pub fn started(command: &str) -> String {
    line(&Line::Started { schema: SCHEMA, command })
}

/// Returns the line of an event.
#[must_use]
pub fn event(event: &Event) -> String {
    line(event)
}

/// Returns the last line.
#[must_use]
pub fn verdict(verdict: &Verdict) -> String {
    line(&Line::Verdict {
        exit_code: verdict.exit as u8,
        outcome: verdict.outcome.map(crate::Outcome::as_str),
        release: verdict.release.as_deref(),
        rollback_to: verdict.rollback_to.as_deref(),
        is_rolled_back: verdict.is_rolled_back(),
        database_copy: verdict.database_copy.as_deref(),
        addresses: &verdict.addresses,
        problems: &verdict.problems,
        duration: verdict.duration,
    })
}

/// These types have string keys and no maps: their serialization does not fail.
fn line<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
