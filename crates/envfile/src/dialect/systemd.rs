//! systemd 252, `EnvironmentFile=`: quotes may start anywhere before the value does, nothing is ever expanded.
//!
//! A comment that ends in a backslash goes on in the next line (until systemd 254).

use super::Statements;
use crate::Reading;
use crate::cursor::Cursor;
use crate::key::is_name;
use crate::quote::{EXEC_LIMIT, is_noncharacter};

pub(super) fn read<'a>(cursor: &mut Cursor<'a>, statements: &mut Statements<'a>) {
    cursor.take_while(is_white_space);
    let start = cursor.pos;
    let Some(c) = cursor.peek() else { return };
    let (key, reading) = if matches!(c, '#' | ';') {
        comment(cursor);
        (None, Reading::Unset)
    } else {
        assignment(cursor)
    };
    let taken = cursor.since(start);
    let is_malformed = || statements.text.has_invalid(start..cursor.pos) || taken.contains(is_noncharacter);
    let is_refused = !taken.is_ascii() && key.is_some() && is_malformed() || taken.contains('\0');
    statements.push(start..cursor.pos, key, if is_refused { Reading::Refused } else { reading });
}

fn comment(cursor: &mut Cursor<'_>) {
    while let Some(c) = cursor.bump() {
        match c {
            '\\' => _ = cursor.bump(),
            '\n' | '\r' => return,
            _ => {}
        }
    }
}

/// Parses an assignment: the key and its reading. A line without `=` has no key.
fn assignment<'a>(cursor: &mut Cursor<'a>) -> (Option<&'a str>, Reading) {
    let start = cursor.pos;
    // Its first character belongs to the key, even if it is `=`.
    cursor.bump();
    cursor.take_while(|c| !matches!(c, '=' | '\n' | '\r'));
    let key = cursor.since(start).trim_end_matches(is_white_space);
    if !cursor.eat('=') {
        cursor.bump();
        return (None, Reading::Unset);
    }
    let value = value(cursor);
    let reading = if !is_name(key) {
        Reading::Unset
    } else if key.len() + value.len() + 2 > EXEC_LIMIT {
        Reading::Refused
    } else {
        Reading::Value(value)
    };
    (Some(key), reading)
}

fn value(cursor: &mut Cursor<'_>) -> String {
    let mut value = String::new();
    // Quotes are quotes as long as nothing unquoted has come.
    while let Some(c) = cursor.bump() {
        match c {
            '\n' | '\r' => return value,
            '\'' => single_quoted(cursor, &mut value),
            '"' => double_quoted(cursor, &mut value),
            '\\' => {
                escaped(cursor, &mut value);
                return unquoted(cursor, value);
            }
            c if is_white_space(c) => {}
            c => {
                value.push(c);
                return unquoted(cursor, value);
            }
        }
    }
    value
}

/// The rest of a value in which something unquoted has come; blanks at its end do not count, unless escaped.
fn unquoted(cursor: &mut Cursor<'_>, mut value: String) -> String {
    let mut kept = value.len();
    while let Some(c) = cursor.bump() {
        match c {
            '\n' | '\r' => break,
            '\\' => {
                escaped(cursor, &mut value);
                kept = value.len();
            }
            c => {
                value.push(c);
                if !is_white_space(c) {
                    kept = value.len();
                }
            }
        }
    }
    value.truncate(kept);
    value
}

/// Consumes the character after a backslash outside quotes; a line break is removed with it.
fn escaped(cursor: &mut Cursor<'_>, value: &mut String) {
    value.extend(cursor.bump().filter(|c| !matches!(c, '\n' | '\r')));
}

fn single_quoted(cursor: &mut Cursor<'_>, value: &mut String) {
    value.push_str(cursor.take_until([b'\'']));
    cursor.bump();
}

fn double_quoted(cursor: &mut Cursor<'_>, value: &mut String) {
    while let Some(c) = cursor.bump() {
        match c {
            '"' => return,
            '\\' => match cursor.bump() {
                Some(c @ ('"' | '\\' | '`' | '$')) => value.push(c),
                Some('\n') | None => {}
                Some(c) => value.extend(['\\', c]),
            },
            c => value.push(c),
        }
    }
}

fn is_white_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}
