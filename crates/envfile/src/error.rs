//! The errors. No message holds the value of a variable, which can be a secret.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::{Encoding, Reader};

/// Why a value cannot be written so that all readers read it alike.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueError {
    /// No reader, or not every one, takes this character: NUL, CR, or a Unicode noncharacter.
    Character(char),
    /// So many bytes do not fit into an environment variable.
    TooLong(usize),
    /// Each kind of quotes is ruled out by one of these texts, which the value contains.
    NoForm(Vec<&'static str>),
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Character(c) => write!(f, "a value cannot hold the character U+{:04X}", u32::from(*c)),
            Self::TooLong(len) => write!(f, "a value of {len} bytes is too long for a variable"),
            Self::NoForm(texts) => {
                write!(f, "no reader-independent form for a value with `{}`", texts.join("` and `"))
            }
        }
    }
}

impl std::error::Error for ValueError {}

/// Why [`EnvFile::set`](crate::EnvFile::set) refused; the document is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetError {
    /// The name does not match `[A-Za-z_][A-Za-z0-9_]*`.
    InvalidKey(String),
    /// bash does not let this name be assigned.
    ReadOnlyKey(String),
    /// The value has no form that all readers read alike.
    Value {
        /// The variable that was to be set.
        key: String,
        /// The problem of its value.
        source: ValueError,
    },
    /// A line that stands before would make a reader miss the assignment.
    Swallowed {
        /// The variable that was to be set.
        key: String,
        /// The line that has to be corrected first.
        line: usize,
        /// A reader that would miss the assignment.
        reader: Reader,
    },
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidKey(key) => {
                write!(
                    f,
                    "invalid variable name, expected letters, digits and `_`, not a digit first: `{}`",
                    key.escape_debug()
                )
            }
            Self::ReadOnlyKey(key) => write!(f, "bash does not let `{key}` be assigned, expected another name"),
            Self::Value { key, source } => write!(f, "cannot write `{key}`: {source}"),
            Self::Swallowed { key, line, reader } => {
                write!(
                    f,
                    "cannot set `{key}`: {reader} would read it as a part of line {line}, correct that line first"
                )
            }
        }
    }
}

impl std::error::Error for SetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Value { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Why a file could not be read or replaced; a file that was there is as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file could not be written.
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The folder of the file could not be locked.
    Lock {
        /// The folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file is not in UTF-8.
    Encoding {
        /// The file.
        path: PathBuf,
        /// The encoding that it seems to be in.
        encoding: Encoding,
        /// The line with the first byte that is not UTF-8, counted from 1.
        line: usize,
    },
    /// There is something at the path that is no file.
    NotAFile {
        /// The path that should be a file.
        path: PathBuf,
    },
    /// A symbolic link to a file of another user is not followed by root.
    ForeignTarget {
        /// The symbolic link.
        path: PathBuf,
        /// The file that it leads to.
        target: PathBuf,
        /// The user id of its owner.
        owner: u32,
    },
    /// The new file could not be given the owner of the old one.
    Owner {
        /// The file.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The new content is not parsed as intended; nothing was written.
    ReadBack {
        /// The file.
        path: PathBuf,
        /// The line of the assignment that reads differently, if it is one.
        line: Option<usize>,
        /// Its variable.
        key: Option<String>,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => write!(f, "cannot read `{}`: {source}", path.display()),
            Self::Write { path, source } => write!(f, "cannot write `{}`: {source}", path.display()),
            Self::Lock { path, source } => write!(f, "cannot lock the folder `{}`: {source}", path.display()),
            Self::Encoding { path, encoding, line } => {
                write!(f, "`{}` line {line}: expected UTF-8, found {encoding}: no program reads that", path.display())
            }
            Self::NotAFile { path } => write!(f, "`{}` is not a file", path.display()),
            Self::ForeignTarget { path, target, owner } => write!(
                f,
                "`{}` is a symbolic link to a file of another user, which root does not follow: `{}` (user {owner})",
                path.display(),
                target.display(),
            ),
            Self::Owner { path, owner, source } => {
                write!(f, "cannot replace `{}` and leave it to its owner, user {owner}: {source}", path.display())
            }
            Self::ReadBack { path, line: Some(line), key: Some(key) } => write!(
                f,
                "`{}` line {line}: `{key}` would not read back as it was set, nothing was written",
                path.display()
            ),
            Self::ReadBack { path, .. } => {
                write!(f, "`{}` would not be readable any more, nothing was written", path.display())
            }
        }
    }
}

impl Error {
    /// Returns the command that repairs the file, for a shell: the file keeps its mode, its owner, and the links to it.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let Self::Encoding { path, encoding, .. } = self else { return None };
        let from = encoding.iconv_name()?;
        let file = quoted(&path.display().to_string());
        let new = quoted(&format!("{}.utf-8", path.display()));
        // Written into the file, which can be a link, and has its mode.
        Some(format!("(umask 077; iconv -f {from} -t UTF-8 {file} >{new}) && cat {new} >{file} && rm {new}"))
    }
}

/// Quotes a path for a shell, if it needs that.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(is_plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. }
            | Self::Write { source, .. }
            | Self::Lock { source, .. }
            | Self::Owner { source, .. } => Some(source),
            Self::Encoding { .. } | Self::NotAFile { .. } | Self::ForeignTarget { .. } | Self::ReadBack { .. } => None,
        }
    }
}
