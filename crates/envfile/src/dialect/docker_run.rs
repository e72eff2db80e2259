//! `docker run --env-file` 28: the text after `=` is the value, quotes and all; a line is at most 64 KiB.

use super::{Statement, statement};
use crate::Reading;
use crate::cursor::{Cursor, Text};
use crate::quote::EXEC_LIMIT;

/// The longest line that its scanner takes, without the line feed.
const LINE_LIMIT: usize = 65_535;

pub(super) fn read(text: &Text) -> Vec<Statement> {
    let mut cursor = Cursor::new(text);
    let mut statements = Vec::new();
    while !cursor.is_at_end() {
        let start = cursor.clone();
        let line = cursor.take_line();
        let len = text.offset(line.end) - text.offset(line.start);
        let is_refused = len > LINE_LIMIT || text.has_invalid(line.clone());
        let line = text.string(line);
        let line = line.strip_suffix('\r').unwrap_or(&line).trim_start();
        if is_refused {
            statements.push(statement(&start, &cursor, None, Reading::Refused));
        } else if !line.is_empty() && !line.starts_with('#') {
            let (key, reading) = assignment(line);
            statements.push(statement(&start, &cursor, Some(key.to_owned()), reading));
        }
    }
    statements
}

fn assignment(line: &str) -> (&str, Reading) {
    let (key, value) = line.split_once('=').map_or((line, None), |(key, value)| (key, Some(value)));
    let reading = match value {
        _ if key.is_empty() || key.contains([' ', '\t']) => Reading::Refused,
        // A name alone is taken from the environment of the caller.
        None => Reading::Unknown,
        Some(_) if line.contains('\0') || line.len() >= EXEC_LIMIT => Reading::Refused,
        Some(value) => Reading::Value(value.to_owned()),
    };
    (key, reading)
}
