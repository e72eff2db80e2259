//! What a check found.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// As it should be.
    Ok,
    /// Works, and should be looked at.
    Warn,
    /// Does not work.
    Err,
    /// Was not looked at; the message says why.
    Skip,
}

impl Status {
    /// All, in the order in which they are counted.
    pub const ALL: [Status; 4] = [Status::Ok, Status::Warn, Status::Err, Status::Skip];

    /// The word for it, as reports use it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Err => "err",
            Status::Skip => "skip",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What one check found. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The group and the check, such as `django.migrations` or `docker.service.web`.
    pub name: Cow<'static, str>,
    /// How it ended.
    pub status: Status,
    /// What was found, in one line.
    pub message: String,
    /// The single things that were found, where there are several, or where they have a place.
    pub findings: Vec<Finding>,
    /// The last lines that a failing program has printed.
    pub output: Vec<String>,
    /// The command that mends it.
    pub hint: Option<String>,
    /// What `health --fix` can do about it.
    pub repair: Option<Repair>,
    /// How long the answer took.
    pub elapsed: Duration,
}

/// One of the things that a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub status: Status,
    /// The line of `.env` that it is about, from 1.
    pub line: Option<usize>,
    /// What was found, in one line or a few.
    pub message: String,
    /// The command or the line that mends it.
    pub hint: Option<String>,
}

/// A repair that loses nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Take the rights of others off `.env`.
    EnvMode,
    /// Add the keys to `.env` that only the sample has.
    SampleKeys,
    /// Bring the virtual environment in step with `uv.lock`.
    Sync,
    /// Apply the pending migrations.
    Migrate,
}

impl Outcome {
    pub(crate) fn new(name: impl Into<Cow<'static, str>>, status: Status, message: impl Into<String>) -> Self {
        Outcome {
            name: name.into(),
            status,
            message: one_line(&message.into()),
            findings: Vec::new(),
            output: Vec::new(),
            hint: None,
            repair: None,
            elapsed: Duration::ZERO,
        }
    }

    pub(crate) fn ok(name: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Outcome::new(name, Status::Ok, message)
    }

    pub(crate) fn warn(name: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Outcome::new(name, Status::Warn, message)
    }

    pub(crate) fn err(name: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Outcome::new(name, Status::Err, message)
    }

    pub(crate) fn skip(name: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Outcome::new(name, Status::Skip, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn findings(mut self, findings: Vec<Finding>) -> Self {
        self.findings = findings;
        self
    }

    /// The last lines of what a program printed; secrets are the caller's to cover.
    pub(crate) fn output(mut self, printed: &str) -> Self {
        self.output = last_lines(printed);
        self
    }

    pub(crate) fn repair(mut self, repair: Repair) -> Self {
        self.repair = Some(repair);
        self
    }

    /// The group, such as `docker`.
    #[must_use]
    pub fn group(&self) -> &str {
        self.name.split_once('.').map_or(&*self.name, |(group, _)| group)
    }

    /// The check within its group, such as `service.web`.
    #[must_use]
    pub fn check(&self) -> &str {
        self.name.split_once('.').map_or("", |(_, check)| check)
    }
}

/// Writes "1 error", "2 errors".
pub(crate) fn counted(count: impl fmt::Display, what: &str) -> String {
    let count = count.to_string();
    format!("{count} {what}{}", if count == "1" { "" } else { "s" })
}

/// How many lines of a failing program's output a report holds.
const LAST_LINES: usize = 40;

fn last_lines(printed: &str) -> Vec<String> {
    let lines: Vec<&str> = printed.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].iter().map(|line| one_line(line)).collect()
}

/// The text without what would steer a terminal.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_group_before_the_first_dot() {
        let outcome = Outcome::ok("docker.service.my.web", "");
        assert_eq!((outcome.group(), outcome.check()), ("docker", "service.my.web"));
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let printed: Vec<_> = (1..=60).map(|line| format!("line {line}  \n\n")).collect();
        let lines = last_lines(&printed.concat());
        assert_eq!((lines.len(), lines[0].as_str(), lines[39].as_str()), (40, "line 21", "line 60"));
        assert_eq!(last_lines("\n"), Vec::<String>::new());
        assert_eq!(last_lines("\x1b[31mred\tcar"), [" [31mred car"]);
    }
}
