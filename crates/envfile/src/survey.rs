//! The readings of a file by several readers, line by line.

use crate::cursor::line_feeds;
use crate::dialect::{self, Statement};
use crate::key::is_name;
use crate::line::Line;
use crate::{EnvFile, Reader, Reading};

/// The readings of a file by several readers.
pub(crate) struct Survey<'a> {
    /// Without byte order mark and CRs of line endings: they concern the file, not a line.
    pub(crate) file: &'a EnvFile,
    statements: Vec<(Reader, OfReader<'a>)>,
}

/// The statements of a reader, in the order of the file.
struct OfReader<'a> {
    statements: Vec<Statement<'a>>,
    /// For each physical line, from 0, the first statement that does not start above it.
    first: Vec<usize>,
}

impl<'a> Survey<'a> {
    /// Asks `readers` about a file [without carriage returns](EnvFile::without_carriage_returns).
    pub(crate) fn new(file: &'a EnvFile, readers: &[Reader]) -> Survey<'a> {
        let count = line_feeds(file.text().as_str()) + 1;
        let of_reader = |&reader: &Reader| (reader, OfReader::new(dialect::read(reader, file.text()), count));
        Survey { file, statements: readers.iter().map(of_reader).collect() }
    }

    /// Returns the readings of `key` on `line`, without those of readers for which it is a part of an earlier line.
    pub(crate) fn readings(&self, line: Line<'_>, key: Option<&str>) -> impl Iterator<Item = (Reader, &Reading)> {
        let lines = line.number()..line.last_number() + 1;
        self.statements.iter().filter_map(move |(reader, statements)| {
            let is_part = statements.swallows(lines.start);
            (!is_part).then(|| (*reader, reading(statements.on(lines.clone()), key)))
        })
    }

    /// Returns the readings of `key` on `line`, where `above` is a line that some readers join with it.
    pub(crate) fn readings_below(
        &self,
        above: Line<'_>,
        line: Line<'_>,
        key: Option<&str>,
    ) -> Option<Vec<(Reader, Reading)>> {
        let lines = line.number()..line.last_number() + 1;
        let joins = |statements: &OfReader<'_>| {
            let mut starting = statements.on(above.number()..above.number() + 1).iter();
            starting.any(|statement| statement.lines.1 >= line.number())
        };
        if !self.statements.iter().any(|(_, statements)| joins(statements)) {
            return None;
        }
        let of_reader = |(reader, statements): &(Reader, OfReader<'_>)| {
            let is_joined = joins(statements);
            (*reader, if is_joined { Reading::Unset } else { reading(statements.on(lines.clone()), key).clone() })
        };
        Some(self.statements.iter().map(of_reader).collect())
    }

    /// Returns the variable on `line`, by the document or else by the first reader that finds one.
    pub(crate) fn key(&self, line: Line<'a>) -> Option<&'a str> {
        let of_readers = || {
            let lines = line.number()..line.last_number() + 1;
            let mut all = self.statements.iter().flat_map(|(_, statements)| statements.on(lines.clone()));
            all.find_map(|statement| statement.key.filter(|key| is_name(key)))
        };
        line.name().or_else(|| if line.text().contains('=') { of_readers() } else { None })
    }
}

impl<'a> OfReader<'a> {
    /// Indexes statements of a file with so many physical lines.
    fn new(statements: Vec<Statement<'a>>, count: usize) -> OfReader<'a> {
        let mut first = Vec::with_capacity(count + 2);
        for (index, statement) in statements.iter().enumerate() {
            if first.len() <= statement.lines.0 {
                first.resize(statement.lines.0 + 1, index);
            }
        }
        first.resize(count + 2, statements.len());
        OfReader { statements, first }
    }

    /// Returns the statements that start on these physical lines.
    fn on(&self, lines: std::ops::Range<usize>) -> &[Statement<'a>] {
        &self.statements[self.first[lines.start]..self.first[lines.end]]
    }

    /// Whether the physical line with this number is a part of an earlier one.
    fn swallows(&self, number: usize) -> bool {
        let above = self.first[number].checked_sub(1).map(|last| &self.statements[last]);
        above.is_some_and(|statement| statement.lines.1 >= number)
    }
}

/// Returns the reading of `key` by the statements that start on its line.
pub(crate) fn reading<'s>(on_line: &'s [Statement<'_>], key: Option<&str>) -> &'s Reading {
    let is_any = |reading: &Reading| on_line.iter().any(|statement| statement.reading == *reading);
    match on_line.iter().rfind(|statement| statement.key == key) {
        _ if is_any(&Reading::Refused) => &Reading::Refused,
        _ if is_any(&Reading::Runs) => &Reading::Runs,
        found => found.map_or(&Reading::Unset, |statement| &statement.reading),
    }
}

/// Whether the readers agree, and none of them chokes.
pub(crate) fn is_agreed<'r>(mut readings: impl Iterator<Item = (Reader, &'r Reading)>) -> bool {
    let Some((_, first)) = readings.next() else { return true };
    !first.is_failure() && readings.all(|(_, reading)| reading == first)
}

/// Returns the readings as values.
pub(crate) fn owned<'r>(readings: impl Iterator<Item = (Reader, &'r Reading)>) -> Vec<(Reader, Reading)> {
    readings.map(|(reader, reading)| (reader, reading.clone())).collect()
}
