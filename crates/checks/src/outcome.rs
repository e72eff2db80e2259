//! The outcomes of checks.

use std::fmt;
use std::time::{Duration, Instant};

use crate::CheckName;

/// The result of a check, from good to bad; `Skip` is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// As it should be.
    Ok,
    /// Works, and should be looked at.
    Warn,
    /// Does not work.
    Err,
    /// The check did not run; the message gives the reason.
    Skip,
}

impl Status {
    /// All, in the order in which they are counted.
    pub const ALL: [Status; 4] = [Status::Ok, Status::Warn, Status::Err, Status::Skip];

    /// Whether it makes a run fail; with `strict`, a warning does, too.
    #[must_use]
    pub fn is_failure(self, strict: bool) -> bool {
        self == Status::Err || (strict && self == Status::Warn)
    }

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

/// The outcome of one check. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The group and the check, such as `django.migrations` or `docker.service.web`.
    pub name: CheckName,
    /// The result: good, suspicious, bad, or not checked.
    pub status: Status,
    /// The result in one line.
    pub message: String,
    /// The single things that were found, where there are several, or where they have a place.
    pub findings: Vec<Finding>,
    /// The last lines that a failing program has printed.
    pub output: Vec<String>,
    /// The command that fixes it.
    pub hint: Option<String>,
    /// The repair that `health --fix` can do.
    pub repair: Option<Repair>,
    /// The outcome of another check that prevented this one.
    pub because: Option<Box<Outcome>>,
    /// The time that the answer took.
    pub elapsed: Duration,
}

/// One of the things that a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The severity: a warning or an error.
    pub status: Status,
    /// The line of `.env` that it is about, from 1.
    pub line: Option<usize>,
    /// The finding, in one line or a few.
    pub message: String,
    /// The command or the line that fixes it.
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
    /// Install all packages anew into a virtual environment that was moved.
    Reinstall,
    /// Apply the pending migrations.
    Migrate,
}

impl Outcome {
    pub(crate) fn new(name: CheckName, status: Status, message: impl Into<String>) -> Self {
        Outcome {
            name,
            status,
            message: one_line(&message.into()),
            findings: Vec::new(),
            output: Vec::new(),
            hint: None,
            repair: None,
            because: None,
            elapsed: Duration::ZERO,
        }
    }

    pub(crate) fn ok(name: CheckName, message: impl Into<String>) -> Self {
        Outcome::new(name, Status::Ok, message)
    }

    pub(crate) fn warn(name: CheckName, message: impl Into<String>) -> Self {
        Outcome::new(name, Status::Warn, message)
    }

    pub(crate) fn err(name: CheckName, message: impl Into<String>) -> Self {
        Outcome::new(name, Status::Err, message)
    }

    pub(crate) fn skip(name: CheckName, message: impl Into<String>) -> Self {
        Outcome::new(name, Status::Skip, message)
    }

    /// The outcome with the time that it took to get it.
    pub(crate) fn timed(ask: impl FnOnce() -> Outcome) -> Self {
        let started = Instant::now();
        let outcome = ask();
        Outcome { elapsed: started.elapsed(), ..outcome }
    }

    /// Makes the outcome of a check that did not run because another check failed.
    pub(crate) fn blocked(name: CheckName, message: impl Into<String>, cause: &Outcome) -> Self {
        Outcome { because: Some(Box::new(cause.clone())), ..Outcome::skip(name, message) }
    }

    /// Returns the outcome for a run that does not report its cause: a run without results must not look healthy.
    pub(crate) fn unless_reported(self, is_reported: impl Fn(&str) -> bool) -> Self {
        match self.because {
            Some(cause) if !is_reported(&cause.name) => Outcome { name: self.name, elapsed: self.elapsed, ..*cause },
            because => Outcome { because, ..self },
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(one_line(&hint.into()));
        self
    }

    pub(crate) fn findings(mut self, findings: Vec<Finding>) -> Self {
        let lines = |text: &str| text.lines().map(one_line).collect::<Vec<_>>().join("\n");
        self.findings = findings
            .into_iter()
            .map(|it| Finding { message: lines(&it.message), hint: it.hint.as_deref().map(lines), ..it })
            .collect();
        self
    }

    /// Adds the last lines of a program's output. The caller redacts secrets.
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

/// The number of lines of a failing program's output that a report holds.
const LAST_LINES: usize = 40;

fn last_lines(printed: &str) -> Vec<String> {
    let lines: Vec<&str> = printed.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].iter().map(|line| one_line(line)).collect()
}

/// A longer line is cut off: a program may print megabytes without a break.
const LONGEST_LINE: usize = 1000;

/// Returns the text without control characters, and cut at a maximum length.
fn one_line(text: &str) -> String {
    let line: String = text.chars().take(LONGEST_LINE).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST_LINE).is_some() { format!("{line}…") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CheckName;

    #[test]
    fn a_name_has_its_group_before_the_first_dot() {
        let outcome = Outcome::ok(CheckName::of_service(Some("my.web")), "");
        assert_eq!((outcome.group(), outcome.check()), ("docker", "service.my.web"));
    }

    #[test]
    fn an_unreported_cause_is_reported_by_the_blocked_check() {
        let cause = Outcome::err(CheckName::known("core.uv"), "command not found: `uv`").hint("cargo xtask install");
        let blocked = || Outcome::blocked(CheckName::known("core.lock"), "there is no uv to ask", &cause);
        assert_eq!(blocked().unless_reported(|name| name == "core.uv").status, Status::Skip);
        assert_eq!(
            blocked().unless_reported(|_| false),
            Outcome { name: CheckName::known("core.lock"), ..cause.clone() }
        );
        assert_eq!(
            Outcome::skip(CheckName::known("dev.hooks"), "none").unless_reported(|_| false).status,
            Status::Skip
        );
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let printed: Vec<_> = (1..=60).map(|line| format!("line {line}  \n\n")).collect();
        let lines = last_lines(&printed.concat());
        assert_eq!((lines.len(), lines[0].as_str(), lines[39].as_str()), (40, "line 21", "line 60"));
        assert_eq!(last_lines("\n"), Vec::<String>::new());
        assert_eq!(last_lines(&"x".repeat(5000))[0].chars().count(), LONGEST_LINE + 1);
        assert_eq!(last_lines("\x1b[31mred\tcar"), [" [31mred car"]);
    }
}
