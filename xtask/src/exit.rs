//! The exit codes, and the errors that carry one.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use subprocess::CommandError;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    /// Failed, or unhealthy.
    Failed = 1,
    /// Wrong usage or input; nothing was changed.
    Usage = 2,
    /// Something that the work needs is not there; nothing was changed.
    NotMet = 3,
    /// A deploy failed, and what was there before serves again.
    RolledBack = 4,
    /// A deploy failed, and so did going back.
    RollbackFailed = 5,
    /// Another run is at work on this project; nothing was changed.
    Locked = 6,
    /// Interrupted, after undoing.
    Interrupted = 130,
}

impl Exit {
    /// The exit code that an error carries; [`Exit::Failed`] if it carries none.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        error.downcast_ref::<Failure>().map_or(Exit::Failed, |failure| failure.exit)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// What is wrong and what to do about it.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) message: String,
    /// A command to type.
    pub(crate) hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Problem { message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// An end that is not [`Exit::Done`]: everything that is wrong, at once.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) problems: Vec<Problem>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, problem: Problem) -> Self {
        Failure { exit, problems: vec![problem] }
    }

    /// Wrong usage or input.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure::new(Exit::Usage, Problem::new(message))
    }

    pub(crate) fn interrupted(message: impl Into<String>) -> Self {
        Failure::new(Exit::Interrupted, Problem::new(message))
    }

    /// A program that did not run to its end; `command` is how it is shown. One that a signal has ended was interrupted,
    /// whether or not the signal has reached this process as well.
    pub(crate) fn unfinished(command: impl fmt::Display, error: &CommandError) -> Self {
        if error.is_interrupted() {
            return Failure::interrupted(format!("interrupted during `{command}`"));
        }
        Failure::new(Exit::Failed, Problem::new(format!("`{command}`: {error}")))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages: Vec<_> = self.problems.iter().map(|problem| problem.message.as_str()).collect();
        f.write_str(&messages.join("; "))
    }
}

impl Error for Failure {}
