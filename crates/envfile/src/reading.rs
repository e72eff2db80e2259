//! The reading of one variable by one reader.

use std::fmt;

/// The reading of a variable on a line by a reader.
#[derive(Clone, PartialEq, Eq)]
pub enum Reading {
    /// It reads this value. Bytes that are no UTF-8 are shown as U+FFFD.
    Value(String),
    /// The value depends on the environment of the reader, or on its shell.
    Unknown,
    /// For it, there is no such variable.
    Unset,
    /// It refuses the file, or everything from this line on.
    Refused,
    /// It executes a part of the line as a command.
    Runs,
}

impl Reading {
    /// Returns whether it is exactly this value.
    pub(crate) fn is(&self, value: &str) -> bool {
        matches!(self, Reading::Value(read) if read == value)
    }

    /// Returns whether the reader rejects the line, or executes a part of it.
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Reading::Refused | Reading::Runs)
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value(_) => "reads a value",
            Self::Unknown => "depends on its environment",
            Self::Unset => "sees no such variable",
            Self::Refused => "refuses the file",
            Self::Runs => "executes a part of it",
        })
    }
}

/// Shows no value, as it can be a secret.
impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "Value({} bytes)", value.len()),
            Self::Unknown => f.write_str("Unknown"),
            Self::Unset => f.write_str("Unset"),
            Self::Refused => f.write_str("Refused"),
            Self::Runs => f.write_str("Runs"),
        }
    }
}
