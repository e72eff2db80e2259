//! Backups of a service: the script that makes, verifies and restores them, and its results.

use std::ffi::OsString;

use serde::Deserialize;

/// The script, which runs where commands of `manage.py` run.
const SCRIPT: &str = include_str!("backup.py");

/// The tasks of the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Lists what a backup has.
    Plan,
    /// Writes an archive to standard output.
    BackUp,
    /// Verifies the archive on standard input.
    Verify,
    /// Replaces the data by that of the archive on standard input.
    Restore,
}

/// The result of the script; which fields are set depends on its task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Report {
    /// The reason why there is no other result.
    pub refused: Option<String>,
    /// The number of databases and files; with [`Mode::Plan`], what they are.
    pub parts: Parts,
    /// Their size in bytes.
    pub size: u64,
    /// The service that the archive is of.
    pub service: String,
    /// The time at which it was made, as RFC 3339 writes it.
    pub created: String,
    /// The migrations of the code that the restored database has not.
    pub pending: Vec<String>,
    /// The migrations of the restored database that the code has not.
    pub unknown: Vec<String>,
}

/// The databases and files of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Parts {
    /// Their number.
    Number(usize),
    /// Each database, and the folder of the files.
    Listed(Vec<Part>),
}

impl Default for Parts {
    fn default() -> Self {
        Parts::Number(0)
    }
}

/// A database, or the folder of the uploaded files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Part {
    /// Its path, where the service runs.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// Returns the words behind `manage.py` that run the script. They hold no secret.
#[must_use]
pub fn args(mode: Mode, service: &str) -> Vec<OsString> {
    let mode = match mode {
        Mode::Plan => "plan",
        Mode::BackUp => "back-up",
        Mode::Verify => "verify",
        Mode::Restore => "restore",
    };
    // A string of JSON is one of Python.
    let service = serde_json::Value::from(service);
    let code = format!("MODE, SERVICE = \"{mode}\", {service}\n{SCRIPT}");
    ["shell".into(), "-v0".into(), "-c".into(), code.into()].into()
}

/// Returns the result in the output of the script: the last line that is one.
#[must_use]
pub fn parse(printed: &str) -> Option<Report> {
    printed.lines().rev().find_map(|line| serde_json::from_str(line.trim()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_result() {
        let report = parse("a line of the project\n{\"parts\": 2, \"size\": 7}\n").expect("a result");
        assert_eq!((report.parts, report.size), (Parts::Number(2), 7));
        let report = parse(r#"{"parts": [{"name": "/data/db", "size": 7}]}"#).expect("a result");
        assert_eq!(report.parts, Parts::Listed(vec![Part { name: "/data/db".into(), size: 7 }]));
        assert_eq!(parse("Traceback\n"), None);
        assert_eq!(parse(r#"{"refused": "no"}"#).and_then(|report| report.refused).as_deref(), Some("no"));
    }
}
