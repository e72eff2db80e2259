//! A `.env` file as a lossless document: parse it, look a variable up, change it, write it back.
//!
//! Several programs read the same `.env` file, and their grammars differ: python-dotenv, Docker Compose, systemd, bash,
//! dotenvy, `docker run`, django-environ, python-decouple. This crate reads like python-dotenv 1.2.4, writes only values
//! that the first five parse alike ([`encode`]), and finds the lines on which they differ ([`EnvFile::disagreements`]).
//!
//! ```
//! use envfile::EnvFile;
//!
//! let mut file = EnvFile::parse(b"# who may ask\nHOSTS=localhost # for now\n");
//! assert_eq!(file.get("HOSTS").map(|entry| entry.value).as_deref(), Some("localhost"));
//!
//! let change = file.set("HOSTS", "example.org, www.example.org", None)?;
//! assert!(change.is_some());
//! assert_eq!(file.to_bytes(), b"# who may ask\n# for now\nHOSTS='example.org, www.example.org'\n");
//! # Ok::<(), envfile::SetError>(())
//! ```
//!
//! # Preserved
//!
//! Parsing keeps every byte: `EnvFile::parse(bytes).to_bytes() == bytes` for all bytes, with a byte order mark, CRLF,
//! NUL, invalid UTF-8, odd spacing, and without a final line break. [`EnvFile::set`] keeps every line it need not
//! change. On the changed line, the indentation and the line ending stay; `export`, blanks round `=` and the kind of
//! quotes do not, because some reader would misread them, and an inline comment moves to a line of its own above.
//! Where a variable is assigned more than once, the *first* place is kept and the others are removed.
//! [`update`] keeps mode and owner of the file, but not its extended attributes, and not its further hard links.
//!
//! # Not supported
//!
//! The crate never prints, never prompts, and takes nothing from the process environment: a `${NAME}` that the file
//! itself does not set is empty. Neither errors nor `Debug` output hold the value of a variable, as it can be a secret;
//! a [`Change`] holds lines, and its user has to redact them. A file in another encoding than UTF-8 can be parsed, and is
//! neither read nor changed by [`read`] and [`update`]: no program reads such a file as it is meant.

mod change;
mod class;
mod classify;
mod cursor;
mod dialect;
mod disagreement;
mod document;
mod edit;
mod encoding;
mod error;
mod key;
mod line;
mod lock;
mod quote;
mod read_back;
mod reader;
mod reading;
mod rewrite;
mod save;
mod survey;
mod verify;

pub use change::{Change, Note};
pub use class::{Class, UnknownClass};
pub use disagreement::Disagreement;
pub use document::{Entry, EnvFile};
pub use encoding::Encoding;
pub use error::{Error, SetError, ValueError};
pub use line::{Line, LineKind};
pub use quote::{encode, encode_for_systemd};
pub use reader::{Reader, UnknownReader};
pub use reading::Reading;
pub use save::{Saved, Undo, parse, read, update};
