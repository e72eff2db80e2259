//! A word of a bash command: quotes, escapes, and expansions.

use super::super::Variables;
use crate::cursor::Cursor;
use crate::key::{is_name, is_name_char};

/// A word after quotes and expansion.
pub(super) struct Word {
    pub(super) value: String,
    /// Whether `value` follows from the file alone.
    pub(super) is_known: bool,
    /// Whether bash executes a command to get at the value.
    pub(super) runs: bool,
}

/// A quote or a bracket that is not closed before the end of the file.
pub(super) struct Broken;

/// Reads a word up to the next blank, line feed or operator.
pub(super) fn read(cursor: &mut Cursor<'_>, variables: &Variables<'_>, is_assigned: bool) -> Result<Word, Broken> {
    let mut word = Word { value: String::new(), is_known: true, runs: false };
    // `~` is a home folder at the start of a value and after each `:` or `=` in it.
    let mut tilde_may_follow = is_assigned;
    while let Some(c) = cursor.peek() {
        if matches!(c, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')') {
            break;
        }
        cursor.bump();
        match c {
            '\0' => {}
            '\\' => word.value.extend(cursor.bump().filter(|&c| c != '\n')),
            '\'' => single_quoted(cursor, &mut word.value)?,
            '"' => double_quoted(cursor, variables, &mut word)?,
            '$' => match cursor.peek() {
                Some('\'') => ansi_quoted(cursor, &mut word)?,
                // A translated string; there is no translation.
                Some('"') => {}
                _ => dollar(cursor, variables, &mut word)?,
            },
            '`' => backticks(cursor, &mut word)?,
            '~' if tilde_may_follow => {
                word.is_known = false;
                word.value.push('~');
            }
            c => word.value.push(c),
        }
        tilde_may_follow = is_assigned && matches!(c, ':' | '=');
    }
    Ok(word)
}

fn single_quoted(cursor: &mut Cursor<'_>, value: &mut String) -> Result<(), Broken> {
    value.extend(cursor.take_until([b'\'']).chars().filter(|&c| c != '\0'));
    close(cursor, '\'')
}

fn double_quoted(cursor: &mut Cursor<'_>, variables: &Variables<'_>, word: &mut Word) -> Result<(), Broken> {
    loop {
        match cursor.bump().ok_or(Broken)? {
            '"' => return Ok(()),
            '\0' => {}
            '\\' => match cursor.bump().ok_or(Broken)? {
                '\n' => {}
                c @ ('$' | '`' | '"' | '\\') => word.value.push(c),
                c => word.value.extend(['\\', c]),
            },
            '$' => dollar(cursor, variables, word)?,
            '`' => backticks(cursor, word)?,
            c => word.value.push(c),
        }
    }
}

/// `$'…'` with C's escapes, of which the rarer ones are not modelled.
fn ansi_quoted(cursor: &mut Cursor<'_>, word: &mut Word) -> Result<(), Broken> {
    cursor.bump();
    loop {
        match cursor.bump().ok_or(Broken)? {
            '\'' => return Ok(()),
            '\\' => match cursor.bump().ok_or(Broken)? {
                'n' => word.value.push('\n'),
                't' => word.value.push('\t'),
                'r' => word.value.push('\r'),
                c @ ('\\' | '\'' | '"' | '?') => word.value.push(c),
                _ => word.is_known = false,
            },
            c => word.value.push(c),
        }
    }
}

/// Parses an expansion, after its `$`.
fn dollar(cursor: &mut Cursor<'_>, variables: &Variables<'_>, word: &mut Word) -> Result<(), Broken> {
    match cursor.peek() {
        Some('(') => {
            word.runs = true;
            bracketed(cursor, '(', ')').map(drop)
        }
        Some('[') => {
            word.is_known = false;
            bracketed(cursor, '[', ']').map(drop)
        }
        Some('{') => {
            let content = bracketed(cursor, '{', '}')?;
            let (name, default) = content.split_once(":-").unwrap_or((content, ""));
            let known = if is_name(name) { variables.append(name, &mut word.value) } else { None };
            // A default that is used, or could be, is not modelled.
            word.is_known &= known.is_some() && default.is_empty();
            word.runs |= content.contains(['`', '$']);
            Ok(())
        }
        Some(c) if is_name_char(c) && !c.is_ascii_digit() => {
            let name = cursor.take_while(is_name_char);
            word.is_known &= variables.append(name, &mut word.value).is_some();
            Ok(())
        }
        Some(c) if c.is_ascii_digit() || "@*#?-$!".contains(c) => {
            cursor.bump();
            word.is_known = false;
            Ok(())
        }
        _ => {
            word.value.push('$');
            Ok(())
        }
    }
}

/// The text between brackets, which may hold brackets and quotes of its own.
fn bracketed<'a>(cursor: &mut Cursor<'a>, open: char, close: char) -> Result<&'a str, Broken> {
    let start = cursor.pos + 1;
    let mut depth = 0_usize;
    loop {
        match cursor.bump().ok_or(Broken)? {
            '\\' => _ = cursor.bump(),
            '\'' => single_quoted(cursor, &mut String::new())?,
            c if c == open => depth += 1,
            c if c == close => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok(&cursor.text[start..cursor.pos - 1]);
        }
    }
}

fn backticks(cursor: &mut Cursor<'_>, word: &mut Word) -> Result<(), Broken> {
    word.runs = true;
    loop {
        match cursor.bump().ok_or(Broken)? {
            '`' => return Ok(()),
            '\\' => _ = cursor.bump(),
            _ => {}
        }
    }
}

fn close(cursor: &mut Cursor<'_>, quote: char) -> Result<(), Broken> {
    if cursor.eat(quote) { Ok(()) } else { Err(Broken) }
}
