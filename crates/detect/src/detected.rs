//! An answer together with how we know it.

use std::fmt;

use envfile::EnvFile;

use crate::words::Alternatives;
use crate::{ENV_FILE, Unanswered, UnknownWord};

/// A detected value, its source, and the values that were rejected on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected<T> {
    /// The value that counts: never absent, as each axis has a default.
    pub value: T,
    /// The source of the value.
    pub source: Source,
    /// A value in `.env` that is none of the axis's words; detection went on as if it were absent.
    pub rejected: Option<Rejected>,
    /// The question that got no answer, so that the value had to come from elsewhere.
    pub unanswered: Option<Unanswered>,
}

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A line of `.env`, counted from 1.
    EnvFile {
        /// The line on which the assignment begins.
        line: usize,
    },
    /// Containers of this Compose project are running; their names, sorted.
    RunningContainers(Vec<String>),
    /// This systemd unit is installed.
    InstalledUnit(String),
    /// No source has a value.
    Default,
    /// `.env` is there and cannot be read: the value is a placeholder.
    Unreadable,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::EnvFile { line } => write!(f, "{ENV_FILE}:{line}"),
            Source::RunningContainers(names) => write!(f, "running containers: {}", names.join(", ")),
            Source::InstalledUnit(unit) => write!(f, "installed unit: {unit}"),
            Source::Default => f.write_str("default"),
            Source::Unreadable => write!(f, "unknown: `{ENV_FILE}` cannot be read"),
        }
    }
}

impl<T> Detected<T> {
    /// Returns the placeholder for a value that is in a `.env` which cannot be read.
    pub fn unreadable(placeholder: T) -> Self {
        Detected { value: placeholder, source: Source::Unreadable, rejected: None, unanswered: None }
    }
}

/// A value in `.env` that is none of the words of its variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The name of the variable, such as `DJANGO_ENV`.
    pub variable: &'static str,
    /// The line of `.env` that it stands on, counted from 1.
    pub line: usize,
    /// The invalid value, and the valid ones.
    pub error: UnknownWord,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{ENV_FILE}` line {}: unknown value `{}` for `{}`, expected {}",
            self.line,
            self.error.word,
            self.variable,
            Alternatives(self.error.expected)
        )
    }
}

impl std::error::Error for Rejected {}

/// The value of an axis in `.env`.
pub(crate) enum AxisValue<T> {
    Nothing,
    Word(T, Source),
    Unknown(Rejected),
}

/// Parses an axis in `.env`. An empty value counts as unset, as in Django's settings.
pub(crate) fn parse_axis<T>(env: &EnvFile, variable: &'static str) -> AxisValue<T>
where
    T: std::str::FromStr<Err = UnknownWord>,
{
    let Some(entry) = env.get(variable).filter(|entry| !entry.value.trim().is_empty()) else {
        return AxisValue::Nothing;
    };
    let line = entry.line;
    match entry.value.parse() {
        Ok(value) => AxisValue::Word(value, Source::EnvFile { line }),
        Err(error) => AxisValue::Unknown(Rejected { variable, line, error }),
    }
}
