//! The lines of a document, split as python-dotenv 1.2.4 splits it.
//!
//! Every byte of a document belongs to exactly one line.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::cursor::{Cursor, Text};

/// The kind of a [`Line`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// `KEY=value`, over several physical lines if its value is.
    Assignment,
    /// `# …`
    Comment,
    /// Nothing but blanks.
    Blank,
    /// Anything else, also a name without `=`. No reader is sure to skip it.
    Unreadable,
}

impl LineKind {
    /// Returns whether readers skip the line: a comment, or a blank one.
    pub(crate) fn has_no_content(self) -> bool {
        matches!(self, LineKind::Comment | LineKind::Blank)
    }
}

/// A line of a document. A quoted value that spans several physical lines is one line.
#[derive(Clone, PartialEq)]
pub struct Line {
    number: usize,
    raw: Vec<u8>,
    content: Content,
}

#[derive(Clone, PartialEq)]
pub(crate) enum Content {
    Assignment(Assignment),
    /// A name alone. For python-dotenv, the variable is there and has no value.
    Name(String),
    Comment,
    Blank,
    Unreadable,
}

/// The parts of `KEY=value`.
#[derive(Clone, PartialEq)]
pub(crate) struct Assignment {
    pub(crate) key: String,
    /// The value with its escapes resolved, before interpolation.
    pub(crate) value: String,
    /// Where the key is in the bytes of the line, its quotes included.
    key_range: Range<usize>,
    pub(crate) has_export: bool,
    pub(crate) is_spaced: bool,
    /// Where the inline comment is in the bytes of the line, from its `#` on.
    comment: Option<Range<usize>>,
}

impl Line {
    /// The number of the physical line on which it starts, from 1.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// Returns the kind of the line.
    #[must_use]
    pub fn kind(&self) -> LineKind {
        match self.content {
            Content::Assignment(_) => LineKind::Assignment,
            Content::Comment => LineKind::Comment,
            Content::Blank => LineKind::Blank,
            Content::Name(_) | Content::Unreadable => LineKind::Unreadable,
        }
    }

    /// The variable that the line assigns, if it is an assignment.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.assignment().map(|assignment| assignment.key.as_str())
    }

    /// The bytes of the line, with its line ending.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The text of the line without its line ending; invalid UTF-8 is shown as U+FFFD.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.raw[..self.raw.len() - self.ending().len()])
    }

    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    pub(crate) fn assignment(&self) -> Option<&Assignment> {
        match &self.content {
            Content::Assignment(assignment) => Some(assignment),
            _ => None,
        }
    }

    /// The variable of an assignment or of a name that stands alone.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.content {
            Content::Assignment(Assignment { key, .. }) | Content::Name(key) => Some(key),
            _ => None,
        }
    }

    /// The line break at the end: `\r\n`, `\n`, `\r`, or nothing.
    pub(crate) fn ending(&self) -> &[u8] {
        let len = match self.raw.as_slice() {
            [.., b'\r', b'\n'] => 2,
            [.., b'\r' | b'\n'] => 1,
            _ => 0,
        };
        &self.raw[self.raw.len() - len..]
    }

    /// The blanks before the first word.
    pub(crate) fn indent(&self) -> &[u8] {
        let len = self.raw.iter().take_while(|&byte| matches!(byte, b' ' | b'\t')).count();
        &self.raw[..len]
    }

    /// The inline comment of an assignment, from its `#` on.
    pub(crate) fn inline_comment(&self) -> Option<&[u8]> {
        let range = self.assignment()?.comment.clone()?;
        Some(self.raw[range].trim_ascii_end())
    }

    /// Whether the name of an assignment stands in quotes.
    pub(crate) fn has_quoted_name(&self) -> bool {
        self.assignment().is_some_and(|assignment| assignment.key_range.len() != assignment.key.len())
    }

    /// The bytes after the `=` of an assignment, without the line ending.
    pub(crate) fn value_text(&self) -> Option<String> {
        let start = self.assignment()?.key_range.end;
        let text = String::from_utf8_lossy(&self.raw[start..self.raw.len() - self.ending().len()]);
        text.split_once('=').map(|(_, value)| value.to_owned())
    }

    /// A line with the bytes of its ending changed.
    pub(crate) fn with_ending(&self, ending: &[u8]) -> Vec<u8> {
        let mut raw = self.raw[..self.raw.len() - self.ending().len()].to_vec();
        raw.extend_from_slice(ending);
        raw
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("number", &self.number)
            .field("kind", &self.kind())
            .field("key", &self.name())
            .finish_non_exhaustive()
    }
}

/// Splits `bytes`, which have no byte order mark, into lines.
pub(crate) fn split(bytes: &[u8]) -> Vec<Line> {
    let text = Text::new(bytes);
    let mut cursor = Cursor::new(&text);
    let mut lines = Vec::new();
    while !cursor.is_at_end() {
        let start = cursor.pos;
        let content = content(&mut cursor);
        let (from, to) = (text.offset(start), text.offset(cursor.pos));
        lines.push(Line { number: text.line_at(start), raw: bytes[from..to].to_vec(), content });
    }
    lines
}

/// Reads one line with its ending.
fn content(cursor: &mut Cursor<'_>) -> Content {
    let start = cursor.pos;
    cursor.take_while(is_blank);
    if eat_line_break(cursor) || cursor.is_at_end() {
        return Content::Blank;
    }
    statement(cursor, start).unwrap_or_else(|| {
        // From where reading failed: a quote that is opened and closed has taken further physical lines with it.
        cursor.take_while(|c| !is_line_break(c));
        eat_line_break(cursor);
        Content::Unreadable
    })
}

fn statement(cursor: &mut Cursor<'_>, start: usize) -> Option<Content> {
    let text = cursor.text;
    let has_export = eat_export(cursor);
    if cursor.peek() == Some('#') {
        end_of_line(cursor)?;
        return Some(Content::Comment);
    }
    let key_start = cursor.pos;
    let key = key(cursor)?;
    let byte = |pos: usize| text.offset(pos) - text.offset(start);
    let key_range = byte(key_start)..byte(cursor.pos);
    let blanks_before = cursor.take_while(is_blank);
    if !cursor.eat('=') {
        end_of_line(cursor)?;
        return Some(Content::Name(key));
    }
    let blanks_after = cursor.take_while(is_blank);
    let (value, quoted_comment) = match cursor.peek() {
        // `K= # text`, as opposed to `K=#text`.
        Some('#') if !blanks_after.is_empty() => (String::new(), end_of_line(cursor)?),
        Some(quote @ ('\'' | '"')) => (quoted(cursor, quote)?, end_of_line(cursor)?),
        _ => unquoted(cursor),
    };
    Some(Content::Assignment(Assignment {
        key,
        value,
        key_range,
        has_export,
        is_spaced: !blanks_before.is_empty() || !blanks_after.is_empty(),
        comment: quoted_comment.map(|comment| byte(comment.start)..byte(comment.end)),
    }))
}

fn eat_export(cursor: &mut Cursor<'_>) -> bool {
    let start = cursor.pos;
    if cursor.eat_str("export") && !cursor.take_while(is_blank).is_empty() {
        return true;
    }
    cursor.pos = start;
    false
}

fn key(cursor: &mut Cursor<'_>) -> Option<String> {
    let start = cursor.pos;
    if cursor.eat('\'') {
        let key = cursor.take_while(|c| c != '\'');
        if key.is_empty() || !cursor.eat('\'') {
            cursor.pos = start;
            return None;
        }
        return Some(cursor.text.string(key));
    }
    let key = cursor.take_while(|c| c != '=' && c != '#' && !is_space(c));
    (!key.is_empty()).then(|| cursor.text.string(key))
}

/// A value in quotes, with its escapes resolved; nothing is consumed if the closing quote is missing.
fn quoted(cursor: &mut Cursor<'_>, quote: char) -> Option<String> {
    let start = cursor.pos;
    cursor.bump();
    let mut value = String::new();
    while let Some(c) = cursor.bump() {
        if c == quote {
            return Some(value);
        }
        let escaped = if c == '\\' { cursor.peek().and_then(|next| unescape(quote, next)) } else { None };
        match escaped {
            Some(c) => {
                cursor.bump();
                value.push(c);
            }
            None => push_line_break_as_lf(&mut value, c, cursor),
        }
    }
    cursor.pos = start;
    None
}

/// Returns the character that `\c` stands for in quotes, if it is an escape sequence there.
fn unescape(quote: char, c: char) -> Option<char> {
    match (quote, c) {
        (_, '\\' | '\'') | ('"', '"') => Some(c),
        ('"', 'a') => Some('\u{7}'),
        ('"', 'b') => Some('\u{8}'),
        ('"', 'f') => Some('\u{C}'),
        ('"', 'n') => Some('\n'),
        ('"', 'r') => Some('\r'),
        ('"', 't') => Some('\t'),
        ('"', 'v') => Some('\u{B}'),
        _ => None,
    }
}

/// Python opens the file as text, which turns `\r\n` and `\r` into `\n`.
fn push_line_break_as_lf(value: &mut String, c: char, cursor: &mut Cursor<'_>) {
    if c == '\r' {
        cursor.eat('\n');
    }
    value.push(if c == '\r' { '\n' } else { c });
}

/// An unquoted value with the rest of its line, and where its comment is.
fn unquoted(cursor: &mut Cursor<'_>) -> (String, Option<Range<usize>>) {
    let line = cursor.take_while(|c| !is_line_break(c));
    let text = cursor.text.string(line.clone());
    eat_line_break(cursor);
    let mut previous = None;
    let comment = text.chars().position(|c| {
        let starts = c == '#' && previous.is_some_and(is_space);
        previous = Some(c);
        starts
    });
    let value: String = text.chars().take(comment.unwrap_or(usize::MAX)).collect();
    (value.trim_end_matches(is_space).to_owned(), comment.map(|at| line.start + at..line.end))
}

/// Blanks, a comment, a line ending; `None` if there is something else. The inner option is where the comment is.
#[expect(clippy::option_option, reason = "no line ending and no comment are two things")]
fn end_of_line(cursor: &mut Cursor<'_>) -> Option<Option<Range<usize>>> {
    cursor.take_while(is_blank);
    let comment = (cursor.peek() == Some('#')).then(|| cursor.take_while(|c| !is_line_break(c)));
    (eat_line_break(cursor) || cursor.is_at_end()).then_some(comment)
}

fn eat_line_break(cursor: &mut Cursor<'_>) -> bool {
    let has_return = cursor.eat('\r');
    cursor.eat('\n') || has_return
}

fn is_line_break(c: char) -> bool {
    matches!(c, '\r' | '\n')
}

fn is_blank(c: char) -> bool {
    is_space(c) && !is_line_break(c)
}

/// Returns whether Python's `\s` matches: Unicode's white space, and the separators U+001C to U+001F.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1C}'..='\u{1F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kinds, numbers and keys of the lines of `text`, as in `3 Assignment K`.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let lines = split(text.as_bytes());
        let shown = lines.iter().map(|line| format!("{} {:?} {}", line.number, line.kind(), line.name().unwrap_or("")));
        assert_eq!(shown.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>(), expected, "{text:?}");
    }

    #[test]
    fn lines() {
        check("", &[]);
        check("# a\n\n \t\nK=v", &["1 Comment", "2 Blank", "3 Blank", "4 Assignment K"]);
        check("K='a\nb'\r\nexport Z = 1\r\n", &["1 Assignment K", "3 Assignment Z"]);
        check("K\nexport K # why\n'a b'=1\n", &["1 Unreadable K", "2 Unreadable K", "3 Assignment a b"]);
        check("K=1\rZ=2\r\n", &["1 Assignment K", "1 Assignment Z"]);
        check("export=1\nexport # K=1\n", &["1 Assignment export", "2 Comment"]);
    }

    #[test]
    fn unreadable() {
        check("foo bar\nK=1\n", &["1 Unreadable", "2 Assignment K"]);
        check("K=\"open\nZ=1\n", &["1 Unreadable", "2 Assignment Z"]);
        check("K='a\\'\nZ='z'\nA=1\n", &["1 Unreadable", "3 Assignment A"]);
        check("'open\nK=1\n=v\n", &["1 Unreadable", "2 Assignment K", "3 Unreadable"]);
    }

    #[test]
    fn parts_of_an_assignment() {
        let lines = split(b"  export 'K' = \"a\\tb\" # why \r\n");
        let assignment = lines[0].assignment().expect("an assignment");
        assert_eq!((assignment.key.as_str(), assignment.value.as_str()), ("K", "a\tb"));
        assert!(assignment.has_export && assignment.is_spaced && lines[0].has_quoted_name());
        assert_eq!(lines[0].indent(), b"  ");
        assert_eq!(lines[0].inline_comment(), Some(&b"# why"[..]));
        assert_eq!(lines[0].ending(), b"\r\n");
        assert_eq!(lines[0].text(), "  export 'K' = \"a\\tb\" # why ");
        assert_eq!(lines[0].value_text().as_deref(), Some(" \"a\\tb\" # why "));
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", split(b"K=secret")), "[Line { number: 1, kind: Assignment, key: Some(\"K\"), .. }]");
    }
}
