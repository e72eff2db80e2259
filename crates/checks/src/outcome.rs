//! What a check found.

use std::fmt;

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

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Err => "err",
            Status::Skip => "skip",
        })
    }
}

/// What one check found. Never holds a secret.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The group and the check, such as `django.migrations`.
    pub name: &'static str,
    /// How it ended.
    pub status: Status,
    /// What was found, in one line or a few.
    pub message: String,
    /// The command that mends it.
    pub hint: Option<String>,
}

impl Outcome {
    pub(crate) fn new(name: &'static str, status: Status, message: impl Into<String>) -> Self {
        Outcome { name, status, message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
