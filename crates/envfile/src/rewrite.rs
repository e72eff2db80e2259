//! A line in the form that all readers parse alike, with the same value.

use crate::key::{is_name, is_read_only};
use crate::line::{Assignment, Line};
use crate::quote::{encode, has_interpolation};

/// The text of `line` as [`EnvFile::set`](crate::EnvFile::set) would write it with the value that it has, if it can.
pub(crate) fn rewritten(line: Line<'_>) -> Option<String> {
    let Assignment { key, value, .. } = line.assignment()?;
    if !is_name(key) || is_read_only(key) || has_interpolation(&value) {
        return None;
    }
    let assignment = format!("{key}={}", encode(&value).ok()?);
    let mut lines: Vec<Vec<u8>> = moved_comment(line).into_iter().collect();
    lines.push([line.indent(), assignment.as_str()].concat().into_bytes());
    String::from_utf8(lines.join(&b'\n')).ok()
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
