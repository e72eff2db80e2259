//! `docker run --env-file` 28: the text after `=` is the value, quotes and all; a line is at most 64 KiB.

use super::Statements;
use crate::Reading;
use crate::cursor::Cursor;
use crate::quote::EXEC_LIMIT;

/// The longest line that its scanner takes, without the line feed.
const LINE_LIMIT: usize = 65_535;

pub(super) fn read<'a>(cursor: &mut Cursor<'a>, statements: &mut Statements<'a>) {
    let start = cursor.pos;
    let line = cursor.take_line();
    let range = start..start + line.len();
    let is_refused = statements.text.has_invalid(range) || line.len() > LINE_LIMIT;
    let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
    if is_refused {
        statements.push(start..cursor.pos, None, Reading::Refused);
    } else if !line.is_empty() && !line.starts_with('#') {
        let (key, reading) = assignment(line);
        statements.push(start..cursor.pos, Some(key), reading);
    }
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
