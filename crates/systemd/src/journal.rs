//! systemd's own entries in the journal: how an invocation of a unit ended, also when the unit runs again by now.
//!
//! `systemctl show` knows the present invocation alone. The ids are those of `sd-messages.h`, which are stable.

use serde::Deserialize;

/// A process of the unit has exited, and not well.
pub const PROCESS_EXITED: &str = "98e322203f7a4ed290d09fe03c09fe15";
/// The unit has failed, with a result.
pub const UNIT_FAILED: &str = "d9b373ed55a64feb8242e02dbe79a49c";
/// The unit is going to be restarted; the invocation is the one that has ended.
pub const RESTART_SCHEDULED: &str = "5eb03494b6584870a536b337290809b3";

/// The fields of an entry that are used here; empty where the entry has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// The invocation id of the unit.
    #[serde(rename = "INVOCATION_ID")]
    pub invocation: String,
    /// `exited`, `killed` or `dumped`.
    #[serde(rename = "EXIT_CODE")]
    exit_code: String,
    /// The exit status, or the name of the signal.
    #[serde(rename = "EXIT_STATUS")]
    exit_status: String,
    /// Such as `exit-code`, `signal` or `timeout`.
    #[serde(rename = "UNIT_RESULT")]
    result: String,
}

/// Returns whether an invocation has logged a line, by the output of `journalctl --output json`.
#[must_use]
pub fn has_logged(printed: &str, invocation: &str, is_line: impl Fn(&str) -> bool) -> bool {
    let lines = printed.lines().filter_map(|line| serde_json::from_str::<Logged>(line).ok());
    lines.filter(|line| line.invocation == invocation).any(|line| line.message.lines().any(&is_line))
}

/// A line of a process. A message that is no text has another type, and is left out.
#[derive(Deserialize)]
struct Logged {
    #[serde(rename = "_SYSTEMD_INVOCATION_ID")]
    invocation: String,
    #[serde(rename = "MESSAGE")]
    message: String,
}

/// Parses the output of `journalctl --output json`: one JSON object per line. Other lines are left out.
#[must_use]
pub fn parse(printed: &str) -> Vec<Entry> {
    printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Returns the end of an invocation, from its entries. systemd notes a process that exits with status 0 only when it
/// debugs.
#[must_use]
pub fn exit_reason(entries: &[Entry]) -> String {
    let exited = entries.iter().find(|entry| !entry.exit_code.is_empty());
    let result = entries.iter().map(|entry| entry.result.as_str()).find(|result| !result.is_empty());
    let status = exited.map(|Entry { exit_code, exit_status, .. }| match exit_code.as_str() {
        "exited" => format!("exit status {exit_status}"),
        _ => format!("signal {exit_status}"),
    });
    match (result, status) {
        (Some(result), Some(status)) => format!("failed: `{result}`, {status}"),
        (Some(result), None) => format!("failed: `{result}`"),
        (None, Some(status)) => format!("failed: {status}"),
        (None, None) => "has ended with exit status 0, and was restarted".to_owned(),
    }
}

/// Returns whether an invocation has not ended in its time, so that systemd has killed it.
#[must_use]
pub fn has_timed_out(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| entry.result == "timeout")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As systemd 252 writes them, most fields left out.
    const ENTRIES: &str = r#"{"MESSAGE":"shop.service: Main process exited, code=exited, status=7/NOTRUNNING","INVOCATION_ID":"a1","EXIT_CODE":"exited","EXIT_STATUS":"7","PRIORITY":"5"}
-- no entry --
{"MESSAGE":"shop.service: Failed with result 'exit-code'.","INVOCATION_ID":"a1","UNIT_RESULT":"exit-code"}
"#;

    #[track_caller]
    fn check(printed: &str, expected: &str) {
        assert_eq!(exit_reason(&parse(printed)), expected);
    }

    #[test]
    fn lines_of_an_invocation() {
        let printed = r#"{"_SYSTEMD_INVOCATION_ID":"a1","MESSAGE":"worker ready."}
{"_SYSTEMD_INVOCATION_ID":"a2","MESSAGE":[27,91,51,49]}
{"_SYSTEMD_INVOCATION_ID":"a2","MESSAGE":"starting"}
"#;
        let is_ready = |line: &str| line.ends_with(" ready.");
        assert!(has_logged(printed, "a1", is_ready));
        assert!(!has_logged(printed, "a2", is_ready) && !has_logged("-- No entries --\n", "a1", is_ready));
    }

    #[test]
    fn how_invocations_end() {
        assert_eq!(parse(ENTRIES).iter().map(|entry| entry.invocation.as_str()).collect::<Vec<_>>(), ["a1", "a1"]);
        check(ENTRIES, "failed: `exit-code`, exit status 7");
        check(r#"{"EXIT_CODE":"killed","EXIT_STATUS":"KILL"}"#, "failed: signal KILL");
        check(r#"{"UNIT_RESULT":"timeout"}"#, "failed: `timeout`");
        assert!(has_timed_out(&parse(r#"{"UNIT_RESULT":"timeout"}"#)) && !has_timed_out(&parse(ENTRIES)));
        check("", "has ended with exit status 0, and was restarted");
    }
}
