//! python-decouple 3.8: a value is the rest of its line, without the quotes around it; there are no escapes.

use super::Statements;
use crate::Reading;
use crate::cursor::Cursor;
use crate::line::is_space;

pub(super) fn read<'a>(cursor: &mut Cursor<'a>, statements: &mut Statements<'a>) {
    let start = cursor.pos;
    let line = cursor.take_until([b'\r', b'\n']);
    if cursor.bump() == Some('\r') {
        cursor.eat('\n');
    }
    let text = line.trim_matches(is_space);
    if statements.text.has_invalid(start..start + line.len()) {
        statements.push(start..cursor.pos, None, Reading::Refused);
    } else if !text.is_empty() && !text.starts_with('#') {
        let assignment = text.split_once('=').map(|(key, value)| (key.trim_matches(is_space), unquoted(value)));
        let (key, value) = assignment.unzip();
        let reading = value.map_or(Reading::Unset, |value| Reading::Value(value.to_owned()));
        statements.push(start..cursor.pos, key, reading);
    }
}

fn unquoted(value: &str) -> &str {
    let value = value.trim_matches(is_space);
    let between = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    between('\'').or_else(|| between('"')).unwrap_or(value)
}
