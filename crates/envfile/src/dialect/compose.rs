//! Docker Compose 2.26, `env_file:`. Text after a closing quote is a statement of its own.

use super::{Statements, Variables};
use crate::Reading;
use crate::cursor::Cursor;
use crate::key::{is_name, is_name_char};
use crate::quote::EXEC_LIMIT;

pub(super) fn read<'a>(cursor: &mut Cursor<'a>, statements: &mut Statements<'a>) {
    cursor.take_while(char::is_whitespace);
    let start = cursor.pos;
    match cursor.peek() {
        None => {}
        Some('#') => _ = cursor.take_line(),
        Some(_) => {
            let (key, reading) = assignment(cursor, &statements.variables);
            if let Some(key) = key {
                statements.variables.insert(key, &reading);
            }
            statements.push(start..cursor.pos, key, reading);
        }
    }
}

fn assignment<'a>(cursor: &mut Cursor<'a>, variables: &Variables<'a>) -> (Option<&'a str>, Reading) {
    let start = cursor.pos;
    if cursor.eat_str("export") && cursor.peek().is_some_and(char::is_whitespace) {
        cursor.take_while(is_blank);
    } else {
        cursor.pos = start;
    }
    if cursor.is_at_end() {
        return (None, Reading::Refused);
    }
    let key = cursor.take_while(|c| is_key_char(c) || is_blank(c)).trim_end();
    if key.contains(' ') {
        cursor.take_line();
        return (None, Reading::Refused);
    }
    match cursor.peek() {
        Some('=' | ':') => cursor.pos += 1,
        // A name alone is taken from the environment of the caller.
        Some('\n') => {
            cursor.bump();
            return (Some(key), Reading::Unknown);
        }
        // At the end of the file, it becomes the value of a variable without a name.
        None => return (None, Reading::Unset),
        Some(_) => {
            cursor.take_line();
            return (None, Reading::Refused);
        }
    }
    cursor.take_while(is_blank);
    let reading = match value(cursor, variables) {
        Reading::Value(value) if value.contains('\0') || key.len() + value.len() + 2 > EXEC_LIMIT => Reading::Refused,
        reading => reading,
    };
    (Some(key), reading)
}

fn value(cursor: &mut Cursor<'_>, variables: &Variables<'_>) -> Reading {
    if cursor.eat('\'') {
        return quoted(cursor, '\'').map_or(Reading::Refused, Reading::Value);
    }
    if cursor.eat('"') {
        return quoted(cursor, '"').map_or(Reading::Refused, |value| expand(&unescape(&value), variables));
    }
    let line = cursor.take_line();
    let value = line.split_once(" #").map_or(line, |(value, _)| value);
    expand(value.trim_end(), variables)
}

/// The text up to the closing quote, in which only `\` before the quote is resolved.
fn quoted(cursor: &mut Cursor<'_>, quote: char) -> Option<String> {
    let mut value = String::new();
    loop {
        match cursor.bump()? {
            c if c == quote => return Some(value),
            '\\' => match cursor.bump()? {
                c if c == quote => value.push(c),
                c => value.extend(['\\', c]),
            },
            c => value.push(c),
        }
    }
}

/// Resolves the escapes of double quotes. `\$` becomes `$$`, which is `$` after expansion.
fn unescape(text: &str) -> String {
    let mut value = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        value.push_str(before);
        let (unescaped, len) = escape(after);
        match unescaped {
            Some('$') => value.push_str("$$"),
            Some(c) => value.push(c),
            None => {
                value.push('\\');
                // Of an octal escape that is none, Compose loses the `0`.
                value.push_str(after[..len].strip_prefix('0').unwrap_or(&after[..len]));
            }
        }
        rest = &after[len..];
    }
    value + rest
}

/// Returns the character of the escape sequence at the beginning of the text after a backslash, and its length in
/// bytes.
fn escape(after: &str) -> (Option<char>, usize) {
    let c = match after.chars().next() {
        Some(c @ ('\\' | '"' | '$')) => c,
        Some('a') => '\u{7}',
        Some('b') => '\u{8}',
        Some('f') => '\u{C}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('v') => '\u{B}',
        Some('0') => {
            let digits = after[1..].bytes().take(3).take_while(u8::is_ascii_digit).count();
            let octal = if digits == 3 { u8::from_str_radix(&after[1..4], 8).ok() } else { None };
            return (octal.map(char::from), 1 + digits);
        }
        _ => return (None, 0),
    };
    (Some(c), 1)
}

/// Expands `$NAME`, `${NAME}` and `${NAME:-default}`. Another `${` is an error, another `$` is one.
fn expand(text: &str, variables: &Variables<'_>) -> Reading {
    let mut value = String::new();
    let mut is_known = true;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        value.push_str(before);
        let braced = after.strip_prefix('{');
        let name_start = braced.unwrap_or(after);
        let name_len = name_start.find(|c| !is_name_char(c)).unwrap_or(name_start.len());
        let (name, tail) = name_start.split_at(name_len);
        rest = if let Some(after) = after.strip_prefix('$') {
            value.push('$');
            after
        } else if !is_name(name) && braced.is_none() {
            value.push('$');
            after
        } else if braced.is_none() {
            is_known &= variables.append(name, &mut value).is_some();
            tail
        } else {
            match tail.split_once('}').filter(|(operator, _)| is_name(name) && is_operator(operator)) {
                Some((operator, tail)) => {
                    is_known &= variables.append(name, &mut value).is_some();
                    // Operators and nested braces are not modelled.
                    is_known &= operator.is_empty() || is_default_of_set(operator, name, variables);
                    tail
                }
                None => return Reading::Refused,
            }
        };
    }
    value.push_str(rest);
    if is_known { Reading::Value(value) } else { Reading::Unknown }
}

fn is_operator(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').unwrap_or(text).starts_with(['-', '+', '?'])
}

/// Whether `operator` gives a plain default, and `name` needs none.
fn is_default_of_set(operator: &str, name: &str, variables: &Variables<'_>) -> bool {
    let is_plain = operator.starts_with(":-") && !operator.contains(['$', '{']);
    let mut value = String::new();
    is_plain && variables.append(name, &mut value).is_some() && !value.is_empty()
}

/// Returns whether a character is a letter or digit of any script. Compose accepts no combining marks, which are not
/// distinguished here.
fn is_key_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']')
}

fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\u{B}' | '\u{C}' | '\r' | ' ' | '\u{85}' | '\u{A0}')
}
