//! The readings of a file by several readers, line by line.

use crate::cursor::Text;
use crate::dialect::{self, Statement};
use crate::key::is_name;
use crate::line::{self, Line};
use crate::{EnvFile, Reader, Reading};

/// The readings of a file by several readers.
pub(crate) struct Survey {
    pub(crate) lines: Vec<Line>,
    pub(crate) statements: Vec<(Reader, Vec<Statement>)>,
}

impl Survey {
    /// Asks `readers` about `file`. Its byte order mark and its CRs are left out: they concern the file, not a line.
    pub(crate) fn new(file: &EnvFile, readers: &[Reader]) -> Survey {
        let mut bytes = Vec::new();
        for line in file.lines() {
            let is_crlf = line.ending() == b"\r\n";
            bytes.extend(if is_crlf { line.with_ending(b"\n") } else { line.raw().to_vec() });
        }
        let text = Text::new(&bytes);
        let statements = readers.iter().map(|&reader| (reader, dialect::read(reader, &text))).collect();
        Survey { lines: line::split(&bytes), statements }
    }

    /// Returns the readings of `key` on `line`, without those of readers for which it is a part of an earlier line.
    pub(crate) fn readings(&self, line: &Line, key: Option<&str>) -> Vec<(Reader, Reading)> {
        let of_reader = |(reader, statements): &(Reader, Vec<Statement>)| {
            let is_part = statements.iter().any(|statement| swallows(statement, line));
            (!is_part).then(|| (*reader, reading(statements, line, key)))
        };
        self.statements.iter().filter_map(of_reader).collect()
    }

    /// The first reader for which `line` is a part of an earlier line, and that line.
    pub(crate) fn swallowed(&self, line: &Line) -> Option<(Reader, usize)> {
        self.statements.iter().find_map(|(reader, statements)| {
            let statement = statements.iter().find(|statement| swallows(statement, line))?;
            Some((*reader, statement.lines.0))
        })
    }

    /// Returns the variable on `line`, by the document or else by the first reader that finds one.
    pub(crate) fn key(&self, line: &Line) -> Option<String> {
        let of_readers = || {
            let mut all = self.statements.iter().flat_map(|(_, statements)| statements_on(statements, line));
            all.find_map(|statement| statement.key.clone().filter(|key| is_name(key)))
        };
        line.name().map(str::to_owned).or_else(|| if line.text().contains('=') { of_readers() } else { None })
    }
}

fn swallows(statement: &Statement, line: &Line) -> bool {
    statement.lines.0 < line.number() && line.number() <= statement.lines.1
}

fn statements_on<'a>(statements: &'a [Statement], line: &Line) -> impl Iterator<Item = &'a Statement> {
    let lines = line.number()..=line.number() + line.text().matches('\n').count();
    statements.iter().filter(move |statement| lines.contains(&statement.lines.0))
}

pub(crate) fn reading(statements: &[Statement], line: &Line, key: Option<&str>) -> Reading {
    let on_line: Vec<&Statement> = statements_on(statements, line).collect();
    let worst = [Reading::Refused, Reading::Runs];
    if let Some(worst) = worst.into_iter().find(|worst| on_line.iter().any(|statement| statement.reading == *worst)) {
        return worst;
    }
    let found = on_line.iter().rfind(|statement| statement.key.as_deref() == key);
    found.map_or(Reading::Unset, |statement| statement.reading.clone())
}

/// Whether the readers agree, and none of them chokes.
pub(crate) fn is_agreed(readings: &[(Reader, Reading)]) -> bool {
    readings.iter().all(|(_, reading)| !reading.is_failure()) && readings.windows(2).all(|pair| pair[0].1 == pair[1].1)
}
