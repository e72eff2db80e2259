//! django-environ 0.14.0, `Env.read_env()` and `env("KEY")`: it reads line by line, and takes a value that starts with `$`
//! for the name of another variable, however it is quoted.

use std::collections::HashMap;

use super::{Statement, Statements};
use crate::Reading;
use crate::cursor::Cursor;
use crate::key::is_name;

/// The longest chain of references that is followed: Python gives up at 1,000 nested calls.
const LONGEST_CHAIN: usize = 900;

pub(super) fn read<'a>(cursor: &mut Cursor<'a>, statements: &mut Statements<'a>) {
    let start = cursor.pos;
    let line = cursor.take_while(|c| !is_line_break(c));
    if cursor.bump() == Some('\r') {
        cursor.eat('\n');
    }
    if statements.text.has_invalid(start..start + line.len()) {
        statements.push(start..cursor.pos, None, Reading::Refused);
    } else if !line.is_empty() && !line.starts_with('#') {
        let (key, reading) = assignment(line).map_or((None, Reading::Unset), |(key, value)| (Some(key), value));
        statements.push(start..cursor.pos, key, reading);
    }
}

/// Replaces each value that is a reference by that of the variable that it names, wherever the file sets that.
pub(super) fn resolve(statements: &mut [Statement<'_>]) {
    if !statements.iter().any(is_reference) {
        return;
    }
    let last: HashMap<&str, Reading> =
        statements.iter().filter_map(|statement| Some((statement.key?, statement.reading.clone()))).collect();
    for statement in statements.iter_mut().filter(|statement| is_reference(statement)) {
        let mut reading = &statement.reading;
        for _ in 0..LONGEST_CHAIN {
            let Some(name) = reference(reading).map(|value| value.trim_start_matches('$')) else { break };
            reading = last.get(name).unwrap_or(if is_name(name) { &Reading::Unknown } else { &Reading::Unset });
        }
        let reading = if reference(reading).is_some() { Reading::Unset } else { reading.clone() };
        statement.reading = reading;
    }
}

fn is_reference(statement: &Statement<'_>) -> bool {
    reference(&statement.reading).is_some()
}

fn reference(reading: &Reading) -> Option<&str> {
    match reading {
        Reading::Value(value) if value.starts_with('$') => Some(value),
        _ => None,
    }
}

fn assignment(line: &str) -> Option<(&str, Reading)> {
    let line = line.strip_prefix("export ").filter(|rest| rest.starts_with(is_key_char)).unwrap_or(line);
    let (key, value) = line.split_once('=')?;
    if key.is_empty() || !key.chars().all(is_key_char) {
        return None;
    }
    let value = between(value, '\'').unwrap_or(value);
    let value = between(value, '"').map_or_else(|| value.to_owned(), unescape);
    // It cannot be put into the environment.
    Some((key, if value.contains('\0') { Reading::Refused } else { Reading::Value(value) }))
}

fn between(value: &str, quote: char) -> Option<&str> {
    value.strip_prefix(quote)?.strip_suffix(quote)
}

/// Drops the backslash of each escape but `\n`, `\r` and `\t`, which stay as they are.
fn unescape(text: &str) -> String {
    let mut value = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, chars.clone().next()) {
            ('\\', Some(next)) => {
                chars.next();
                value.extend(matches!(next, 'n' | 'r' | 't').then_some('\\'));
                value.push(next);
            }
            _ => value.push(c),
        }
    }
    value
}

fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Returns whether Python's `splitlines` ends a line here.
fn is_line_break(c: char) -> bool {
    matches!(c, '\n'..='\r' | '\u{1C}'..='\u{1E}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}
