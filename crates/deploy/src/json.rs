//! A deploy as JSON lines: a first line that names the format, an object for each event, and the verdict as the last
//! line. `schema/deploy-1.schema.json` describes them.

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

/// Returns the first line of the output: the version of the schema, and the command.
#[must_use]
pub fn started(command: &str) -> String {
    line(&Line::Started { schema: SCHEMA, command })
}

/// Returns the line of an event.
#[must_use]
pub fn event(event: &Event) -> String {
    line(event)
}

/// Returns the last line of the output: the verdict with its exit code, the release and the rollback.
#[must_use]
pub fn verdict(verdict: &Verdict) -> String {
    line(&Line::Verdict {
        exit_code: verdict.exit as u8,
        outcome: verdict.outcome.map(crate::Outcome::as_str),
        release: verdict.release.as_deref(),
        rollback_to: verdict.rollback_to.as_deref(),
        is_rolled_back: verdict.is_rolled_back,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::failure::Exit;

    /// Compares the keys of a line with the form of its event in the schema.
    #[track_caller]
    fn check(line: &str) {
        let schema: Value =
            serde_json::from_str(include_str!("../schema/deploy-1.schema.json")).expect("the schema is JSON");
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let mut forms = schema["oneOf"].as_array().expect("forms").iter();
        let form = forms.find(|form| form["properties"]["event"]["const"] == line["event"]).expect("a known event");
        let required: BTreeSet<&str> =
            form["required"].as_array().expect("keys").iter().filter_map(Value::as_str).collect();
        let known: BTreeSet<&str> =
            form["properties"].as_object().expect("properties").keys().map(String::as_str).collect();
        let keys: BTreeSet<&str> = line.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!((&keys, &keys), (&required, &known), "{line}");
    }

    #[test]
    fn every_line_has_the_form_of_the_schema() {
        check(&started("deploy-docker"));
        let title = "build".to_owned();
        let problem = Problem::new("no").hint("yes");
        for line in [
            Event::StepStarted { title: title.clone() },
            Event::StepFinished { title: title.clone(), is_ok: true, duration: Duration::from_secs(1) },
            Event::Done { title: title.clone(), detail: String::new() },
            Event::Waiting { title: title.clone() },
            Event::Note { text: "a note".into() },
            Event::Warning { problem: problem.clone() },
            Event::Output { text: "a line\n".into(), explains_failure: true },
            Event::Plan { title, steps: vec!["a step".into()], commands: Vec::new() },
        ] {
            check(&event(&line));
        }
        for exit in [Exit::Done, Exit::RolledBack] {
            check(&verdict(&Verdict { exit, problems: vec![problem.clone()], ..Verdict::new(Duration::ZERO) }));
        }
    }
}
