//! The result of [`EnvFile::set`](crate::EnvFile::set).

use std::fmt;

/// A change to a document. It holds lines with their values: redact secrets before showing it.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// The name of the variable that is added or changed.
    pub key: String,
    /// The physical line of its assignment now.
    pub line: usize,
    /// The lines that are gone, without their line endings.
    pub before: Vec<String>,
    /// The lines that stand there now, without their line endings.
    pub after: Vec<String>,
    /// Changes beyond that of the value.
    pub notes: Vec<Note>,
}

/// Shows no lines, as they hold values.
impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("key", &self.key)
            .field("line", &self.line)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

/// Something that was done to a line because a reader would have misread it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// `export` was dropped.
    ExportDropped,
    /// The blanks round `=` were removed.
    BlanksRemoved,
    /// The inline comment stands on a line of its own now.
    CommentMoved,
    /// The quotes of the name were removed.
    NameUnquoted,
    /// The value was the same, and is now quoted so that all readers see it.
    Requoted,
    /// So many other lines with the same variable were removed.
    OthersRemoved(usize),
    /// The last line of the file had no line break.
    LineBreakAdded,
    /// A blank line was put after a comment that ends in a backslash.
    BlankLineAdded,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExportDropped => f.write_str("dropped `export`, with which systemd ignores the variable"),
            Self::BlanksRemoved => f.write_str("removed the blanks round `=`, with which bash runs a command"),
            Self::CommentMoved => f.write_str("moved the comment to a line of its own, as systemd reads it as value"),
            Self::NameUnquoted => f.write_str("removed the quotes round the name, which only python-dotenv takes"),
            Self::Requoted => f.write_str("wrote the same value so that all readers see it"),
            Self::OthersRemoved(1) => f.write_str("removed 1 other line with the same variable"),
            Self::OthersRemoved(count) => write!(f, "removed {count} other lines with the same variable"),
            Self::LineBreakAdded => f.write_str("added the missing line break at the end of the file"),
            Self::BlankLineAdded => {
                f.write_str("added a blank line after a comment ending in `\\`, as systemd joins it with the next line")
            }
        }
    }
}
