//! A model of each reader: how it parses a whole file, as measured with the real programs.
//!
//! A model reads on where its reader gives the file up, so that one broken line does not hide the next.

mod bash;
mod compose;
mod docker_run;
mod dotenvy;
mod python_dotenv;
mod systemd;

use std::collections::HashMap;

use crate::cursor::{Cursor, Text, split_byte_order_mark};
use crate::{Reader, Reading};

/// A statement as one reader sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    /// The first and the last physical line that belong to it.
    pub(crate) lines: (usize, usize),
    /// The variable, if it is about one.
    pub(crate) key: Option<String>,
    pub(crate) reading: Reading,
}

/// Parses `text`, which has no byte order mark, as `reader` does.
pub(crate) fn read(reader: Reader, text: &Text) -> Vec<Statement> {
    match reader {
        Reader::PythonDotenv => python_dotenv::read(text),
        Reader::Compose => compose::read(text),
        Reader::Systemd => systemd::read(text),
        Reader::Bash => bash::read(text),
        Reader::Dotenvy => dotenvy::read(text),
        Reader::DockerRun => docker_run::read(text),
    }
}

/// Returns the final value of `key` after `reader` has parsed the whole file.
pub(crate) fn outcome(reader: Reader, bytes: &[u8], key: &str) -> Reading {
    let takes_byte_order_mark = reader.takes_byte_order_mark();
    let text = if takes_byte_order_mark { bytes } else { split_byte_order_mark(bytes).1 };
    let mut statements = read(reader, &Text::new(text));
    let refused = statements.iter().position(|statement| statement.reading == Reading::Refused);
    if let Some(refused) = refused {
        // These two have set the variables above the line at which they stop.
        let kept = if reader.keeps_lines_above_an_error() { refused } else { 0 };
        statements.truncate(kept);
    }
    let mut of_key = statements.into_iter().filter(|statement| statement.key.as_deref() == Some(key));
    let found = if reader == Reader::Dotenvy { of_key.next() } else { of_key.next_back() };
    let absent = if refused.is_some() { Reading::Refused } else { Reading::Unset };
    found.map_or(absent, |statement| statement.reading)
}

/// A statement that starts at `start` and ends before `cursor`.
fn statement(start: &Cursor<'_>, end: &Cursor<'_>, key: Option<String>, reading: Reading) -> Statement {
    Statement { lines: (start.line(), end.line_before().max(start.line())), key, reading }
}

/// The variables that a file has set so far, for readers that expand them.
#[derive(Default)]
struct Variables(HashMap<String, Reading>);

impl Variables {
    fn insert(&mut self, key: &str, reading: &Reading) {
        self.0.insert(key.to_owned(), reading.clone());
    }

    /// Appends the value of `name`; `None` if it depends on the environment of the reader.
    fn append(&self, name: &str, value: &mut String) -> Option<()> {
        match self.0.get(name) {
            Some(Reading::Value(known)) => {
                value.push_str(known);
                Some(())
            }
            _ => None,
        }
    }
}

/// Returns a value, or `Unknown` where it depends on the environment.
fn value_or_unknown(value: Option<String>) -> Reading {
    value.map_or(Reading::Unknown, Reading::Value)
}
