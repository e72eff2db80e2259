//! The exit codes, and the errors that carry one.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use checks::{Outcome, Status};
use project::LockError;
use serde::Serialize;
use subprocess::CommandError;

/// The exit codes of the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or there was nothing to do.
    Done = 0,
    /// Failed, or a health check failed.
    Failed = 1,
    /// Wrong usage or input; nothing was changed.
    Usage = 2,
    /// A precondition is not met, or consent is missing; nothing that serves was changed.
    NotMet = 3,
    /// A deploy failed and was rolled back: the previous release serves, or none if it was the first.
    RolledBack = 4,
    /// A deploy failed, and so did its rollback, or the previous release is unhealthy after it.
    RollbackFailed = 5,
    /// Another run holds the lock of the project or of the target; nothing was changed.
    Locked = 6,
    /// Interrupted, after a rollback where there was something to roll back.
    Interrupted = 130,
}

impl Exit {
    /// Returns the exit code that an error carries; [`Exit::Failed`] if it carries none.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        error.downcast_ref::<Failure>().map_or(Exit::Failed, |failure| failure.exit)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// A problem for the user, and the way out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The problem and its place, without a secret.
    pub message: String,
    /// The next step: a command to type.
    pub hint: Option<String>,
}

impl Problem {
    /// Makes a problem without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Problem { message: message.into(), hint: None }
    }

    /// Adds the next step for the operator: a command that can be typed, or a sentence.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// An error with its exit code and all of its problems.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The exit code, never [`Exit::Done`].
    pub exit: Exit,
    /// All problems that were found, at least one.
    pub problems: Vec<Problem>,
}

impl Failure {
    /// Makes an error of one problem.
    #[must_use]
    pub fn new(exit: Exit, problem: Problem) -> Self {
        Failure { exit, problems: vec![problem] }
    }

    /// Makes an error of wrong usage or input.
    pub fn usage(message: impl Into<String>) -> Self {
        Failure::new(Exit::Usage, Problem::new(message))
    }

    /// Makes the error of a run that a signal has interrupted.
    pub fn interrupted(message: impl Into<String>) -> Self {
        Failure::new(Exit::Interrupted, Problem::new(message))
    }

    /// Makes an error of a program that did not run to its end; `command` is the command as it is shown. A program
    /// that a signal has ended was interrupted, whether or not the signal has reached this process as well.
    pub fn unfinished(command: impl fmt::Display, error: &CommandError) -> Self {
        if error.is_interrupted() {
            return Failure::interrupted(format!("interrupted during `{command}`"));
        }
        Failure::new(Exit::Failed, Problem::new(format!("`{command}`: {error}")))
    }
}

impl Problem {
    /// Makes a problem of a failed health check, with its findings and output; `default_hint` is for a check without a
    /// hint.
    pub(crate) fn of_check(outcome: &Outcome, default_hint: &str) -> Self {
        let findings = outcome.findings.iter().filter(|finding| finding.status == Status::Err);
        let findings = findings.flat_map(|finding| finding.message.lines()).map(|line| format!("\n  {line}"));
        let output = outcome.output.iter().map(|line| format!("\n  | {line}"));
        let message = format!("{}: {}", outcome.name, outcome.message);
        let hint = outcome.hint.clone().unwrap_or_else(|| default_hint.to_owned());
        Problem::new(message + &findings.chain(output).collect::<String>()).hint(hint)
    }
}

impl Failure {
    /// Returns the failure that an error carries, or makes one of the error and its causes.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return failure.clone();
        }
        let remedy = error.chain().find_map(|cause| cause.downcast_ref::<envfile::Error>()?.remedy());
        Failure::new(Exit::Failed, remedy.into_iter().fold(Problem::new(causes(error)), Problem::hint))
    }
}

/// Joins an error with its causes, except for those that the error above has quoted already.
fn causes(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |message, cause| match message {
        message if message.is_empty() => cause,
        message if message.ends_with(&cause) => message,
        message => format!("{message}: {cause}"),
    })
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        let problem = Problem::new(error.to_string());
        match error {
            LockError::Held { .. } => {
                Failure::new(Exit::Locked, problem.hint("wait until it has ended, and run this again"))
            }
            LockError::Io { path, .. } => {
                let dir = path.parent().unwrap_or(&path).display();
                Failure::new(Exit::NotMet, problem.hint(format!("ls -ld {dir}; df {dir}")))
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages: Vec<_> = self.problems.iter().map(|problem| problem.message.as_str()).collect();
        f.write_str(&messages.join("; "))
    }
}

impl Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_quoted_once() {
        let error =
            anyhow::anyhow!("no such file").context("cannot read `x`: no such file").context("`.env` is as it was");
        let failure = Failure::of(&error);
        assert_eq!(failure.exit, Exit::Failed);
        assert_eq!(failure.to_string(), "`.env` is as it was: cannot read `x`: no such file");
    }
}
