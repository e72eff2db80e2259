//! bash 5.2, `set -a; source .env`: the file is a script. Nothing is executed here; a part that bash would execute is
//! `Runs`.
//!
//! The grammar of executed commands is modelled as far as one line of operators and words goes: at a syntax error bash stops,
//! and the rest of the file is lost. Errors in compound commands are not found.

use super::{Statement, Variables, statement};
use crate::Reading;
use crate::cursor::{Cursor, Text};
use crate::key::{is_name, is_name_char, is_read_only};
use crate::quote::EXEC_LIMIT;

mod operator;
mod word;

use operator::Operators;
use word::Word;

pub(super) fn read(text: &Text) -> Vec<Statement> {
    let mut cursor = Cursor::new(text);
    let mut variables = Variables::default();
    let mut statements = Vec::new();
    loop {
        cursor.take_while(|c| matches!(c, ' ' | '\t' | '\n'));
        let start = cursor.clone();
        match cursor.peek() {
            None => return statements,
            Some('#') => _ = cursor.take_line(),
            Some(_) => {
                let words = command(&mut cursor, &mut variables);
                statements.extend(words.into_iter().map(|(key, reading)| statement(&start, &cursor, key, reading)));
            }
        }
    }
}

/// Parses one command, up to the end of its line, and returns its effect on each variable.
fn command(cursor: &mut Cursor<'_>, variables: &mut Variables) -> Vec<(Option<String>, Reading)> {
    let mut assigned: Vec<(Option<String>, Reading)> = Vec::new();
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
            Some('\\') if cursor.peek_nth(1) == Some('\n') => {
                cursor.pos += 2;
                continue;
            }
            Some(_) => {}
        }
        let start = cursor.clone();
        let target = target(cursor);
        let Ok(word) = word::read(cursor, variables, target.is_some()) else {
            // The quote stays open to the end of the file, nothing of which bash executes.
            return refused(cursor, target.map(|target| target.key));
        };
        operators.follow_word();
        match target {
            Some(target) => {
                let reading = target.reading(&word, variables);
                variables.insert(&target.key, &reading);
                assigned.push((Some(target.key), reading));
            }
            None if assigned.is_empty() && cursor.text.string(start.pos..cursor.pos) == "export" => is_exporting = true,
            None if is_exporting && is_name(&cursor.text.string(start.pos..cursor.pos)) => {
                assigned.push((None, Reading::Unset));
            }
            None => runs = true,
        }
    }
    if runs {
        let keys = assigned.into_iter().filter_map(|(key, _)| key).map(Some);
        let keys: Vec<Option<String>> = keys.chain([None]).collect();
        return keys.into_iter().map(|key| (key, Reading::Runs)).collect();
    }
    assigned
}

/// A syntax error: nothing from this line on is executed.
fn refused(cursor: &mut Cursor<'_>, key: Option<String>) -> Vec<(Option<String>, Reading)> {
    cursor.take_while(|_| true);
    vec![(key, Reading::Refused)]
}

/// The left side of an assignment.
struct Target {
    key: String,
    is_appended: bool,
}

/// Takes `KEY=` or `KEY+=`, if that is next.
fn target(cursor: &mut Cursor<'_>) -> Option<Target> {
    let start = cursor.pos;
    let key = cursor.take_while(is_name_char);
    let key = cursor.text.string(key);
    let is_appended = cursor.eat('+');
    if is_name(&key) && cursor.eat('=') {
        return Some(Target { key, is_appended });
    }
    cursor.pos = start;
    None
}

impl Target {
    fn reading(&self, word: &Word, variables: &Variables) -> Reading {
        if word.runs {
            return Reading::Runs;
        }
        if is_read_only(&self.key) {
            return Reading::Unset;
        }
        let mut value = String::new();
        if !word.is_known || self.is_appended && variables.append(&self.key, &mut value).is_none() {
            return Reading::Unknown;
        }
        value.push_str(&word.value);
        if self.key.len() + value.len() + 2 > EXEC_LIMIT { Reading::Refused } else { Reading::Value(value) }
    }
}
