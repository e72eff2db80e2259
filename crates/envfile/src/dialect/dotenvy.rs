//! dotenvy 0.15.7. It first cuts the file into statements, by one idea of quotes, and then reads each by another.

use super::{Statements, Variables, value_or_unknown};
use crate::Reading;
use crate::cursor::Cursor;

pub(super) fn read<'a>(cursor: &mut Cursor<'a>, statements: &mut Statements<'a>) {
    let start = cursor.pos;
    let cut = cut(cursor).filter(|_| !statements.text.has_invalid(start..cursor.pos));
    let Some(cut) = cut.map(str::trim) else {
        return statements.push(start..cursor.pos, None, Reading::Refused);
    };
    if cut.is_empty() || cut.starts_with('#') {
        return;
    }
    let (key, reading) = assignment(cut, &statements.variables);
    if let (Some(key), Reading::Value(_) | Reading::Unknown) = (key, &reading) {
        statements.variables.insert(key, &reading);
    }
    statements.push(start..cursor.pos, key, reading);
}

/// The construct that the cut is inside of.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Plain,
    /// Directly after one blank: here, and only here, `#` starts a comment.
    Blank,
    Escape,
    Quotes(char),
    QuotedEscape(char),
}

/// Takes one statement, which ends with a line outside quotes; `None` if the file ends within quotes or with a blank.
fn cut<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    let start = cursor.pos;
    cursor.take_while(|c| c.is_whitespace() && c != '\n');
    let is_comment = cursor.peek() == Some('#');
    cursor.pos = start;
    if is_comment {
        return Some(cursor.take_line());
    }
    let mut inside = Inside::Plain;
    while let Some(c) = cursor.bump() {
        inside = match (inside, c) {
            (Inside::Blank, '#') => {
                let cut = &cursor.text[start..cursor.pos - 1];
                cursor.take_line();
                return Some(cut);
            }
            (Inside::Plain | Inside::Blank, '\\') => Inside::Escape,
            (Inside::Plain | Inside::Blank, '"' | '\'') => Inside::Quotes(c),
            (Inside::Plain, c) if c.is_whitespace() && c != '\n' && c != '\r' => Inside::Blank,
            (Inside::Plain | Inside::Blank | Inside::Escape, _) => Inside::Plain,
            (Inside::Quotes(quote), '\\') => Inside::QuotedEscape(quote),
            (Inside::Quotes(quote), c) if c == quote => Inside::Plain,
            (Inside::Quotes(quote) | Inside::QuotedEscape(quote), _) => Inside::Quotes(quote),
        };
        if inside == Inside::Plain && c == '\n' {
            return Some(&cursor.text[start..cursor.pos - 1]);
        }
    }
    (inside == Inside::Plain).then(|| cursor.since(start))
}

fn assignment<'a>(cut: &'a str, variables: &Variables<'_>) -> (Option<&'a str>, Reading) {
    let Some((mut key, mut rest)) = key(cut) else { return (None, Reading::Refused) };
    if key == "export" && !rest.starts_with('=') {
        match self::key(rest) {
            Some(exported) => (key, rest) = exported,
            None => return (None, Reading::Refused),
        }
    }
    let reading = match rest.strip_prefix('=') {
        Some(value) => self::value(value.trim_start(), variables),
        None => Reading::Refused,
    };
    (Some(key), reading)
}

/// Parses a key, and returns the rest of the line after blanks.
fn key(text: &str) -> Option<(&str, &str)> {
    let len = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(text.len());
    let (key, rest) = text.split_at(len);
    let is_key = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    is_key.then(|| (key, rest.trim_start()))
}

/// A `$`, possibly with a `{`, and the name that follows so far.
#[derive(Default)]
struct Reference {
    is_braced: bool,
    name: String,
}

fn value(text: &str, variables: &Variables<'_>) -> Reading {
    if text.starts_with('#') {
        return Reading::Value(String::new());
    }
    let mut value = String::new();
    let mut is_known = true;
    let mut quote = None;
    let mut reference: Option<Reference> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if let Some(mut open) = reference.take() {
            match c {
                c if c.is_alphanumeric() => open.name.push(c),
                '{' if !open.is_braced && open.name.is_empty() => open.is_braced = true,
                '}' if open.is_braced => {
                    is_known &= append(variables, &open.name, &mut value);
                    continue;
                }
                c if open.is_braced => open.name.push(c),
                c => {
                    is_known &= append(variables, &open.name, &mut value);
                    if c == '$' {
                        open = Reference::default();
                    } else {
                        // Even a closing quote, which then does not close.
                        value.push(c);
                        continue;
                    }
                }
            }
            reference = Some(open);
            continue;
        }
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), c) => value.push(c),
            (_, '$') => reference = Some(Reference::default()),
            (_, '\\') => match chars.next() {
                Some(c @ ('\\' | '\'' | '"' | '$' | ' ')) => value.push(c),
                Some('n') => value.push('\n'),
                Some(_) => return Reading::Refused,
                None => {}
            },
            (None, '\'' | '"') => quote = Some(c),
            (None, ' ' | '\t') => {
                let rest = chars.as_str().trim_start_matches([' ', '\t']);
                if !rest.is_empty() && !rest.starts_with('#') {
                    return Reading::Refused;
                }
                break;
            }
            (_, c) => value.push(c),
        }
    }
    let reference = reference.unwrap_or_default();
    if quote.is_some() || reference.is_braced {
        return Reading::Refused;
    }
    is_known &= append(variables, &reference.name, &mut value);
    value_or_unknown(is_known.then_some(value))
}

/// Appends the value of `name`, and returns whether it is known. An empty name has an empty value.
fn append(variables: &Variables<'_>, name: &str, value: &mut String) -> bool {
    name.is_empty() || variables.append(name, value).is_some()
}
