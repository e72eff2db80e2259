//! The report for programs: one line of JSON, as `schema/health-1.schema.json` describes it.

use std::fmt::Display;

use detect::Detected;
use serde::Serialize;

use super::{Report, full_hint, full_message};
use crate::outcome::{Outcome, Status};

/// The version of the form; another one means that callers have to change.
pub const JSON_SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    environment: Axis,
    deploy_method: Axis,
    mode: &'static str,
    summary: Summary,
    elapsed_ms: u128,
    checks: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Axis {
    value: String,
    source: String,
}

#[derive(Serialize)]
struct Summary {
    ok: usize,
    warn: usize,
    err: usize,
    skip: usize,
}

#[derive(Serialize)]
struct Entry<'a> {
    group: &'a str,
    check: &'a str,
    status: &'static str,
    message: String,
    hint: Option<String>,
    elapsed_ms: u128,
}

/// The whole report, in one line.
///
/// # Errors
/// None is known; that a form can be written as JSON is something that serde leaves to the run.
pub fn json(report: &Report) -> serde_json::Result<String> {
    let document = Document {
        schema: JSON_SCHEMA,
        environment: axis(&report.environment),
        deploy_method: axis(&report.deploy_method),
        mode: report.mode.value.as_str(),
        summary: Summary {
            ok: report.count(Status::Ok),
            warn: report.count(Status::Warn),
            err: report.count(Status::Err),
            skip: report.count(Status::Skip),
        },
        elapsed_ms: report.elapsed.as_millis(),
        checks: report.outcomes.iter().map(check).collect(),
    };
    Ok(serde_json::to_string(&document)? + "\n")
}

fn axis<T: Display>(detected: &Detected<T>) -> Axis {
    Axis { value: detected.value.to_string(), source: detected.source.to_string() }
}

fn check(outcome: &Outcome) -> Entry<'_> {
    Entry {
        group: outcome.group(),
        check: outcome.check(),
        status: outcome.status.as_str(),
        message: full_message(outcome),
        hint: full_hint(outcome),
        elapsed_ms: outcome.elapsed.as_millis(),
    }
}

#[cfg(test)]
mod tests {
    use detect::{DeployMethod, Environment, Mode};
    use serde_json::{Value, json};

    use super::*;
    use crate::catalogue::Group;
    use crate::report::sample::{empty, nasty, sample};

    /// Compares a report with the lines of `expected`, which are one line.
    #[track_caller]
    fn check(report: &Report, expected: &[&str]) {
        assert_eq!(super::json(report).expect("written"), expected.concat() + "\n");
    }

    const AXES: &str = r#"{"schema":1,"environment":{"value":"dev","source":".env:4"},"deploy_method":{"value":"bare","source":"default"},"mode":"dev","#;

    #[test]
    fn every_status_is_reported() {
        check(
            &sample(),
            &[
                AXES,
                r#""summary":{"ok":1,"warn":2,"err":1,"skip":1},"elapsed_ms":812,"checks":["#,
                r#"{"group":"env","check":"file","status":"ok","message":"`.env` is there, 9 variables","hint":null,"elapsed_ms":1},"#,
                r#"{"group":"env","check":"portable","status":"warn","message":"3 things\nline 3: blank-inside\npython-dotenv  b c\nline 7: unterminated-quote\n`B` is missing","hint":"cargo xtask install\nA='b c'","elapsed_ms":2},"#,
                r#"{"group":"core","check":"disk","status":"skip","message":"`df` is not there","hint":"apt install coreutils","elapsed_ms":1034},"#,
                r#"{"group":"django","check":"check","status":"warn","message":"1 warning\nsecurity.W018: DEBUG","hint":"DEBUG=0","elapsed_ms":640},"#,
                r#"{"group":"django","check":"database","status":"err","message":"no such table\nTraceback\n  boom","hint":"cargo xtask health --fix","elapsed_ms":645}]}"#,
            ],
        );
    }

    #[test]
    fn an_empty_report_has_all_the_keys() {
        check(&empty(), &[AXES, r#""summary":{"ok":0,"warn":0,"err":0,"skip":0},"elapsed_ms":812,"checks":[]}"#]);
    }

    #[test]
    fn any_character_is_reported() {
        let report = super::json(&nasty()).expect("written");
        assert_eq!(report.matches(char::is_control).collect::<Vec<_>>(), ["\u{85}", "\n"]);
        let report: Value = serde_json::from_str(&report).expect("JSON");
        assert_eq!(report["checks"][0]["check"], r#"service.a:b,c<"%"#);
        assert_eq!(report["checks"][0]["message"], full_message(&nasty().outcomes[0]));
    }

    /// The schema knows the words that the code knows.
    #[test]
    fn the_schema_keeps_step() {
        let schema: Value =
            serde_json::from_str(include_str!("../../schema/health-1.schema.json")).expect("the schema is JSON");
        let properties = &schema["properties"];
        assert_eq!(properties["schema"]["const"], JSON_SCHEMA);
        assert_eq!(properties["environment"]["properties"]["value"]["enum"], json!(Environment::WORDS));
        assert_eq!(properties["deploy_method"]["properties"]["value"]["enum"], json!(DeployMethod::WORDS));
        assert_eq!(properties["mode"]["enum"], json!(Mode::WORDS));
        assert_eq!(properties["summary"]["required"], json!(Status::ALL.map(Status::as_str)));
        let check = &properties["checks"]["items"]["properties"];
        assert_eq!(check["status"]["enum"], json!(Status::ALL.map(Status::as_str)));
        assert_eq!(check["group"]["enum"], json!(Group::ALL.map(Group::as_str)));
    }
}
