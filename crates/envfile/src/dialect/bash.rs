//! bash 5.2, `set -a; source .env`: the file is a script. Nothing is executed here; a part that bash would execute is
//! `Runs`.
//!
//! The grammar of executed commands is modelled as far as one line of operators and words goes: at a syntax error bash stops,
//! and the rest of the file is lost. Errors in compound commands are not found.

use super::{Statements, Variables};
use crate::Reading;
use crate::cursor::Cursor;
use crate::key::{is_name, is_name_char, is_read_only};
use crate::quote::EXEC_LIMIT;

mod operator;
mod word;

use operator::Operators;
use word::Word;

pub(super) fn read<'a>(cursor: &mut Cursor<'a>, statements: &mut Statements<'a>) {
    cursor.take_while(|c| matches!(c, ' ' | '\t' | '\n'));
    let start = cursor.pos;
    match cursor.peek() {
        None => {}
        Some('#') => _ = cursor.take_line(),
        Some(_) => {
            for (key, reading) in command(cursor, &mut statements.variables) {
                statements.push(start..cursor.pos, key, reading);
            }
        }
    }
}

/// Parses one command, up to the end of its line, and returns its effect on each variable.
fn command<'a>(cursor: &mut Cursor<'a>, variables: &mut Variables<'a>) -> Vec<(Option<&'a str>, Reading)> {
    let mut assigned: Vec<(Option<&str>, Reading)> = Vec::new();
    let mut is_exporting = false;
    let mut runs = false;
    let mut operators = Operators::default();
    loop {
        cursor.take_while(|c| matches!(c, ' ' | '\t'));
        match cursor.peek() {
            None | Some('\n') => break,
            Some('#') => {
                cursor.take_while(|c| c != '\n');
                break;
            }
            Some(';' | '&' | '|' | ')') if assigned.is_empty() && !runs && !is_exporting => {
                return refused(cursor, None);
            }
            // Another command, a file or an array follows: parsed only to find the end of the line.
            Some(';' | '&' | '|' | '<' | '>' | '(' | ')') => {
                if operators.take(cursor).is_err() {
                    return refused(cursor, assigned.into_iter().find_map(|(key, _)| key));
                }
                runs = true;
                continue;
            }
            Some('\\') if cursor.eat_str("\\\n") => continue,
            Some(_) => {}
        }
        let start = cursor.pos;
        let target = target(cursor);
        let Ok(word) = word::read(cursor, variables, target.is_some()) else {
            // The quote stays open to the end of the file, nothing of which bash executes.
            return refused(cursor, target.map(|target| target.key));
        };
        operators.follow_word();
        match target {
            Some(target) => {
                let reading = target.reading(&word, variables);
                variables.insert(target.key, &reading);
                assigned.push((Some(target.key), reading));
            }
            None if assigned.is_empty() && cursor.since(start) == "export" => is_exporting = true,
            None if is_exporting && is_name(cursor.since(start)) => {
                assigned.push((None, Reading::Unset));
            }
            None => runs = true,
        }
    }
    if runs {
        let keys = assigned.into_iter().filter_map(|(key, _)| key).map(Some);
        let keys: Vec<Option<&str>> = keys.chain([None]).collect();
        return keys.into_iter().map(|key| (key, Reading::Runs)).collect();
    }
    assigned
}

/// A syntax error: nothing from this line on is executed.
fn refused<'a>(cursor: &mut Cursor<'a>, key: Option<&'a str>) -> Vec<(Option<&'a str>, Reading)> {
    cursor.pos = cursor.text.len();
    vec![(key, Reading::Refused)]
}

/// The left side of an assignment.
struct Target<'a> {
    key: &'a str,
    is_appended: bool,
}

/// Takes `KEY=` or `KEY+=`, if that is next.
fn target<'a>(cursor: &mut Cursor<'a>) -> Option<Target<'a>> {
    let start = cursor.pos;
    let key = cursor.take_while(is_name_char);
    let is_appended = cursor.eat('+');
    if is_name(key) && cursor.eat('=') {
        return Some(Target { key, is_appended });
    }
    cursor.pos = start;
    None
}

impl Target<'_> {
    fn reading(&self, word: &Word, variables: &Variables<'_>) -> Reading {
        if word.runs {
            return Reading::Runs;
        }
        if is_read_only(self.key) {
            return Reading::Unset;
        }
        let mut value = String::new();
        if !word.is_known || self.is_appended && variables.append(self.key, &mut value).is_none() {
            return Reading::Unknown;
        }
        value.push_str(&word.value);
        if self.key.len() + value.len() + 2 > EXEC_LIMIT { Reading::Refused } else { Reading::Value(value) }
    }
}
