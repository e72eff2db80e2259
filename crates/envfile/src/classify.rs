//! The [`Class`] of a line, by its text: the first class that fits.

use crate::Class;
use crate::key::{is_name, is_read_only};
use crate::line::{Assignment, Line};
use crate::quote::{has_interpolation, is_noncharacter};

/// The longest line that `docker run` accepts.
pub(crate) const LONG_LINE: usize = 65_535;

/// The class of a line that the readers disagree on.
pub(crate) fn classify(line: Line<'_>) -> Class {
    let text = line.text();
    if !line.is_valid() || text.contains(['\0', '\r']) || text.contains(is_noncharacter) {
        return Class::Bytes;
    }
    if text.len() > LONG_LINE {
        return Class::TooLong;
    }
    match line.assignment() {
        Some(assignment) => match of_assignment(&assignment) {
            Class::Other if !line.indent().is_empty() => Class::Indented,
            class => class,
        },
        None => of_unreadable(text),
    }
}

fn of_unreadable(text: &str) -> Class {
    let text = text.trim();
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    let value = value.trim_start();
    match value.chars().next() {
        _ if text.starts_with(';') => Class::SemicolonComment,
        _ if text.starts_with("export ") => Class::Export,
        _ if text.contains('=') && key.contains([' ', '\t']) => Class::BlankAroundEquals,
        Some('\'') if value.contains("\\'") => Class::EscapeInSingleQuotes,
        Some(quote @ ('\'' | '"')) if value[1..].contains(quote) => Class::TextAfterQuotes,
        Some('\'' | '"') => Class::UnterminatedQuote,
        _ => Class::NotAnAssignment,
    }
}

fn of_assignment(assignment: &Assignment<'_>) -> Class {
    let value_text = assignment.value_text;
    let value = value_text.trim_start();
    if assignment.has_export {
        Class::Export
    } else if value.starts_with('#') && value.len() < value_text.len() {
        Class::InlineComment
    } else if assignment.is_spaced {
        Class::BlankAroundEquals
    } else if !is_name(assignment.key) {
        Class::InvalidName
    } else if is_read_only(assignment.key) {
        Class::ReadOnlyName
    } else if let Some(text) = value.strip_prefix('\'') {
        of_single_quoted(text)
    } else if let Some(text) = value.strip_prefix('"') {
        of_double_quoted(text)
    } else {
        of_unquoted(value, &assignment.value)
    }
}

fn of_single_quoted(text: &str) -> Class {
    let (text, after) = text.rsplit_once('\'').unwrap_or((text, ""));
    match text {
        _ if after.trim_start().starts_with('#') || text.contains('\'') && text.contains('#') => {
            Class::CommentAfterQuotes
        }
        _ if has_interpolation(text) || text.starts_with('$') => Class::DollarInSingleQuotes,
        _ if text.contains("\\\\") || text.contains("\\'") => Class::EscapeInSingleQuotes,
        _ => Class::Quotes,
    }
}

fn of_double_quoted(text: &str) -> Class {
    let mut chars = text.chars();
    let mut has_escape = false;
    let mut has_dollar = false;
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '`' => return Class::Command,
            '$' if chars.as_str().starts_with('(') => return Class::Command,
            '$' => has_dollar = true,
            '\\' => match chars.next() {
                Some('"' | '\\') => {}
                Some('$' | '`') => has_dollar = true,
                _ => has_escape = true,
            },
            _ => {}
        }
    }
    match chars.as_str().trim() {
        _ if has_dollar => Class::Dollar,
        _ if has_escape => Class::EscapeInDoubleQuotes,
        after if after.starts_with('#') => Class::CommentAfterQuotes,
        after if !after.is_empty() => Class::TextAfterQuotes,
        _ => Class::Quotes,
    }
}

/// `text` is all that follows the `=`, `value` is it without its comment.
fn of_unquoted(text: &str, value: &str) -> Class {
    let comment = &text[value.len().min(text.len())..];
    if value.contains('`') || value.contains("$(") {
        Class::Command
    } else if value.starts_with('#') {
        Class::LeadingHash
    } else if value.contains(['\'', '"']) {
        Class::QuoteInside
    } else if value.contains([';', '&', '|', '<', '>', '(', ')', '~']) {
        Class::ShellCharacter
    } else if value.contains('$') {
        Class::Dollar
    } else if value.contains('\\') {
        Class::UnquotedBackslash
    } else if comment.starts_with("  ") && comment.contains(['\'', '"']) {
        Class::QuoteInComment
    } else if comment.contains('#') {
        Class::InlineComment
    } else if value.contains([' ', '\t']) {
        Class::BlankInside
    } else if !comment.is_empty() && comment.chars().all(|c| c == ' ' || c == '\t') {
        Class::TrailingBlank
    } else if text.contains(|c: char| c.is_whitespace()) {
        Class::UnicodeBlank
    } else {
        Class::Other
    }
}
