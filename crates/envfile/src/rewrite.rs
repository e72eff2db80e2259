//! A line in the form that all readers parse alike, with the same value.

use crate::key::{is_name, is_read_only};
use crate::line::{Assignment, Line};
use crate::quote::{encode, has_interpolation, in_double_quotes};

/// The text of `line` as [`EnvFile::set`](crate::EnvFile::set) would write it with the value that it has, if it can; and
/// the same in double quotes, which django-environ needs for a value that has some itself. `indent` stands before it.
pub(crate) fn rewritten(line: Line<'_>, indent: &str) -> Option<[String; 2]> {
    let Assignment { key, value, .. } = line.assignment()?;
    if !is_name(key) || is_read_only(key) || has_interpolation(&value) {
        return None;
    }
    let encoded = encode(&value).ok()?;
    let comment = moved_comment(line).map(|comment| String::from_utf8(comment).map(|comment| comment + "\n"));
    let comment = comment.transpose().ok()?.unwrap_or_default();
    Some([encoded, in_double_quotes(&value)].map(|encoded| format!("{comment}{indent}{key}={encoded}")))
}

/// The inline comment of `line` as a line of its own.
pub(crate) fn moved_comment(line: Line<'_>) -> Option<Vec<u8>> {
    let mut moved = [line.indent().as_bytes(), line.inline_comment()?].concat();
    if ends_in_escape(&moved) {
        moved.push(b' ');
    }
    Some(moved)
}

/// Whether `text` ends in a backslash that is not itself escaped.
pub(crate) fn ends_in_escape(text: &[u8]) -> bool {
    text.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}
