//! A model of each reader: how it parses a whole file, as measured with the real programs.
//!
//! A model reads one statement at a time, and goes through a file once. It reads on where its reader gives the file up,
//! so that one broken line does not hide the next.

mod bash;
mod compose;
mod django_environ;
mod docker_run;
mod dotenvy;
mod python_decouple;
mod python_dotenv;
mod systemd;

use std::collections::HashMap;
use std::ops::Range;

use crate::cursor::{Cursor, Text, line_feeds};
use crate::line::Position;
use crate::{Reader, Reading};

/// A statement as one reader sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement<'a> {
    /// Where it starts in the text.
    pub(crate) start: usize,
    /// The first and the last physical line that belong to it.
    pub(crate) lines: (usize, usize),
    /// The variable, if it is about one.
    pub(crate) key: Option<&'a str>,
    pub(crate) reading: Reading,
}

/// Reads one statement, or what is skipped; at least one character, unless none is left.
type Model = for<'a> fn(&mut Cursor<'a>, &mut Statements<'a>);

fn model(reader: Reader) -> Model {
    match reader {
        Reader::PythonDotenv => python_dotenv::read,
        Reader::DjangoEnviron => django_environ::read,
        Reader::PythonDecouple => python_decouple::read,
        Reader::Compose => compose::read,
        Reader::Systemd => systemd::read,
        Reader::Bash => bash::read,
        Reader::Dotenvy => dotenvy::read,
        Reader::DockerRun => docker_run::read,
    }
}

/// Parses `text`, which has no byte order mark, as `reader` does.
pub(crate) fn read(reader: Reader, text: &Text) -> Vec<Statement<'_>> {
    read_at(reader, text, 1)
}

/// Parses `text`, of which the first line is the one with this number in its file.
pub(crate) fn read_at(reader: Reader, text: &Text, number: usize) -> Vec<Statement<'_>> {
    let mut cursor = Cursor::new(text.as_str());
    let mut statements = Statements::new(text, Variables::of(text), Position { start: 0, number });
    // Most statements are longer.
    statements.found.reserve(text.as_str().len() / 32);
    while !cursor.is_at_end() {
        model(reader)(&mut cursor, &mut statements);
    }
    if reader == Reader::DjangoEnviron {
        django_environ::resolve(&mut statements.found);
    }
    statements.found
}

/// Returns the final value of `key` after `reader` has parsed the whole file.
pub(crate) fn outcome(reader: Reader, text: &Text, key: &str) -> Reading {
    let mut statements = read(reader, text);
    let refused = statements.iter().position(|statement| statement.reading == Reading::Refused);
    if let Some(refused) = refused {
        // These two have set the variables above the line at which they stop.
        let kept = if reader.keeps_lines_above_an_error() { refused } else { 0 };
        statements.truncate(kept);
    }
    let mut of_key = statements.into_iter().filter(|statement| statement.key == Some(key));
    let found = if reader == Reader::Dotenvy { of_key.next() } else { of_key.next_back() };
    let absent = if refused.is_some() { Reading::Refused } else { Reading::Unset };
    found.map_or(absent, |statement| statement.reading)
}

/// The way of one reader through a part of a file.
pub(crate) struct Walk<'a> {
    model: Model,
    cursor: Cursor<'a>,
    statements: Statements<'a>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(reader: Reader, text: &'a Text, from: Position) -> Walk<'a> {
        let statements = Statements::new(text, Variables::default(), from);
        Walk { model: model(reader), cursor: Cursor { text: text.as_str(), pos: from.start }, statements }
    }

    /// Where the next statement is read.
    pub(crate) fn pos(&self) -> usize {
        self.cursor.pos
    }

    /// Goes on at a later place, where a statement starts.
    pub(crate) fn skip_to(&mut self, pos: usize) {
        self.cursor.pos = pos;
    }

    /// Reads one statement, and returns what it does. Variables of the file are not expanded.
    pub(crate) fn next(&mut self) -> &[Statement<'a>] {
        self.statements.found.clear();
        (self.model)(&mut self.cursor, &mut self.statements);
        &self.statements.found
    }
}

/// The statements of a file so far.
struct Statements<'a> {
    text: &'a Text,
    found: Vec<Statement<'a>>,
    variables: Variables<'a>,
    /// A place up to which line feeds are counted.
    counted: Position,
    /// The last range, and its lines: a command of bash may assign many variables.
    last: (Range<usize>, (usize, usize)),
}

impl<'a> Statements<'a> {
    fn new(text: &'a Text, variables: Variables<'a>, counted: Position) -> Statements<'a> {
        Statements { text, found: Vec::new(), variables, counted, last: (0..0, (0, 0)) }
    }

    /// Returns the physical line of a place, which is behind all those that were asked for before.
    fn line_at(&mut self, pos: usize) -> usize {
        self.counted.number += line_feeds(&self.text.as_str()[self.counted.start..pos]);
        self.counted.start = pos;
        self.counted.number
    }

    /// Adds a statement in this range of the text, which is not empty.
    fn push(&mut self, range: Range<usize>, key: Option<&'a str>, reading: Reading) {
        let start = range.start;
        if self.last.0 != range {
            let first = self.line_at(start);
            let inner = self.text.as_str()[range.clone()].strip_suffix('\n');
            let line_feeds = line_feeds(inner.unwrap_or(&self.text.as_str()[range.clone()]));
            self.last = (range, (first, first + line_feeds));
        }
        self.found.push(Statement { start, lines: self.last.1, key, reading });
    }
}

/// The variables that a file has set so far, for readers that expand them. They are noted only where a file may refer
/// to one.
#[derive(Default)]
struct Variables<'a>(Option<HashMap<&'a str, Reading>>);

impl<'a> Variables<'a> {
    fn of(text: &Text) -> Variables<'a> {
        let is_needed = text.as_str().contains('$') || text.as_str().contains("+=");
        Variables(is_needed.then(|| HashMap::with_capacity(text.as_str().len() / 32)))
    }

    fn insert(&mut self, key: &'a str, reading: &Reading) {
        if let Some(known) = &mut self.0 {
            known.insert(key, reading.clone());
        }
    }

    /// Appends the value of `name`; `None` if it depends on the environment of the reader.
    fn append(&self, name: &str, value: &mut String) -> Option<()> {
        match self.0.as_ref()?.get(name) {
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
