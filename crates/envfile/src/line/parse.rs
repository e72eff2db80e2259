//! The grammar of python-dotenv 1.2.4, of which a document keeps the boundaries of lines and names.

use std::borrow::Cow;
use std::ops::Range;

use crate::cursor::{Cursor, line_feeds};

/// The place of a line in the text of its document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    start: usize,
    end: usize,
    key_start: usize,
    key_end: usize,
    /// The physical line on which it starts, from 1.
    pub(super) number: usize,
    pub(super) content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Content {
    Assignment,
    /// A name alone. For python-dotenv, the variable is there and has no value.
    Name,
    Comment,
    Blank,
    Unreadable,
}

impl Span {
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Where the name is, without its quotes.
    pub(super) fn key(&self) -> Range<usize> {
        self.key_start..self.key_end
    }

    /// Whether the end of the line may depend on the lines that follow, as that of a quote that is never closed.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.content == Content::Unreadable
    }

    /// Where the line starts.
    pub(crate) fn position(&self) -> Position {
        Position { start: self.start, number: self.number }
    }

    /// The same line in another text, in which a line of this one at `from` is at `to`.
    pub(crate) fn moved(&self, from: Position, to: Position) -> Span {
        let place = |pos: usize| pos - from.start + to.start;
        Span {
            start: place(self.start),
            end: place(self.end),
            key_start: place(self.key_start),
            key_end: place(self.key_end),
            number: self.number - from.number + to.number,
            content: self.content,
        }
    }
}

/// The start of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    pub(crate) start: usize,
    /// The physical line, from 1.
    pub(crate) number: usize,
}

impl Position {
    pub(crate) const FIRST: Position = Position { start: 0, number: 1 };
}

/// The parts of an assignment, as ranges of a text.
pub(super) struct Parts {
    pub(super) has_export: bool,
    /// With its quotes.
    pub(super) key: Range<usize>,
    pub(super) equals: usize,
    /// Between the quotes, if it has some, else with its comment.
    pub(super) value: Range<usize>,
    pub(super) quote: Option<Quote>,
    pub(super) comment: Option<Range<usize>>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Quote {
    Single,
    Double,
}

/// Splits `text` into lines.
pub(crate) fn split(text: &str) -> Vec<Span> {
    let mut cursor = Cursor::new(text);
    let mut number = 1;
    // Most lines are longer.
    let mut spans = Vec::with_capacity(text.len() / 8);
    while !cursor.is_at_end() {
        spans.push(next(&mut cursor, &mut number));
    }
    spans
}

/// Reads one line with its ending; `number` is that of its physical line, and then of the next one.
pub(crate) fn next(cursor: &mut Cursor<'_>, number: &mut usize) -> Span {
    let start = cursor.pos;
    let (content, key) = content(cursor);
    let text = cursor.text;
    let is_quoted = !key.is_empty() && text.as_bytes()[key.start] == b'\'';
    let (key_start, key_end) = if is_quoted { (key.start + 1, key.end - 1) } else { (key.start, key.end) };
    let span = Span { start, end: cursor.pos, key_start, key_end, number: *number, content };
    *number += line_feeds(cursor.since(start));
    span
}

/// Returns the parts of an assignment that is all of `text`.
pub(super) fn parts(text: &str) -> Option<Parts> {
    let mut cursor = Cursor::new(text);
    cursor.take_while(is_blank);
    match statement(&mut cursor)? {
        Statement::Assignment(parts) => Some(parts),
        _ => None,
    }
}

fn content(cursor: &mut Cursor<'_>) -> (Content, Range<usize>) {
    let start = cursor.pos;
    cursor.take_while(is_blank);
    if eat_line_break(cursor) || cursor.is_at_end() {
        return (Content::Blank, start..start);
    }
    match statement(cursor) {
        Some(Statement::Assignment(parts)) => (Content::Assignment, parts.key),
        Some(Statement::Name(key)) => (Content::Name, key),
        Some(Statement::Comment) => (Content::Comment, start..start),
        None => {
            // From where reading failed: a quote that is opened and closed has taken further physical lines with it.
            cursor.take_until(LINE_BREAKS);
            eat_line_break(cursor);
            (Content::Unreadable, start..start)
        }
    }
}

enum Statement {
    Assignment(Parts),
    Name(Range<usize>),
    Comment,
}

fn statement(cursor: &mut Cursor<'_>) -> Option<Statement> {
    let has_export = eat_export(cursor);
    if cursor.peek() == Some('#') {
        end_of_line(cursor)?;
        return Some(Statement::Comment);
    }
    let key = key(cursor)?;
    cursor.take_while(is_blank);
    let equals = cursor.pos;
    if !cursor.eat('=') {
        end_of_line(cursor)?;
        return Some(Statement::Name(key));
    }
    let has_blanks = !cursor.take_while(is_blank).is_empty();
    let start = cursor.pos;
    let (value, quote, comment) = match cursor.peek() {
        // `K= # text`, as opposed to `K=#text`.
        Some('#') if has_blanks => (start..start, None, end_of_line(cursor)?),
        Some('\'') => (quoted(cursor, Quote::Single)?, Some(Quote::Single), end_of_line(cursor)?),
        Some('"') => (quoted(cursor, Quote::Double)?, Some(Quote::Double), end_of_line(cursor)?),
        _ => {
            cursor.take_until(LINE_BREAKS);
            let end = cursor.pos;
            eat_line_break(cursor);
            (start..end, None, None)
        }
    };
    Some(Statement::Assignment(Parts { has_export, key, equals, value, quote, comment }))
}

fn eat_export(cursor: &mut Cursor<'_>) -> bool {
    let start = cursor.pos;
    if cursor.eat_str("export") && !cursor.take_while(is_blank).is_empty() {
        return true;
    }
    cursor.pos = start;
    false
}

/// A name, with its quotes; nothing is consumed if there is none.
fn key(cursor: &mut Cursor<'_>) -> Option<Range<usize>> {
    let start = cursor.pos;
    if cursor.eat('\'') {
        let key = cursor.take_until([b'\'']);
        if key.is_empty() || !cursor.eat('\'') {
            cursor.pos = start;
            return None;
        }
    } else {
        cursor.take_while(|c| c != '=' && c != '#' && !is_space(c));
    }
    (cursor.pos > start).then_some(start..cursor.pos)
}

/// A value in quotes, without them; nothing is consumed if the closing quote is missing.
fn quoted(cursor: &mut Cursor<'_>, quote: Quote) -> Option<Range<usize>> {
    let start = cursor.pos;
    cursor.pos += 1;
    loop {
        cursor.take_until([quote.byte(), b'\\']);
        let at = cursor.pos;
        match cursor.bump() {
            Some('\\') => {
                if cursor.peek().is_some_and(|next| quote.unescaped(next).is_some()) {
                    cursor.bump();
                }
            }
            Some(_) => return Some(start + 1..at),
            None => {
                cursor.pos = start;
                return None;
            }
        }
    }
}

impl Quote {
    fn byte(self) -> u8 {
        match self {
            Quote::Single => b'\'',
            Quote::Double => b'"',
        }
    }

    /// Returns the character that `\c` stands for in these quotes, if it is an escape sequence there.
    fn unescaped(self, c: char) -> Option<char> {
        match (self, c) {
            (_, '\\' | '\'') | (Quote::Double, '"') => Some(c),
            (Quote::Double, 'a') => Some('\u{7}'),
            (Quote::Double, 'b') => Some('\u{8}'),
            (Quote::Double, 'f') => Some('\u{C}'),
            (Quote::Double, 'n') => Some('\n'),
            (Quote::Double, 'r') => Some('\r'),
            (Quote::Double, 't') => Some('\t'),
            (Quote::Double, 'v') => Some('\u{B}'),
            _ => None,
        }
    }

    /// Resolves the escapes of a value between these quotes.
    pub(super) fn unescape(self, text: &str) -> Cow<'_, str> {
        if !text.contains(['\\', '\r']) {
            return Cow::Borrowed(text);
        }
        let mut value = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            value.push(match c {
                '\\' => match chars.peek().and_then(|&next| self.unescaped(next)) {
                    Some(unescaped) => {
                        chars.next();
                        unescaped
                    }
                    None => c,
                },
                // Python opens the file as text, which turns `\r\n` and `\r` into `\n`.
                '\r' => {
                    _ = chars.next_if_eq(&'\n');
                    '\n'
                }
                c => c,
            });
        }
        Cow::Owned(value)
    }
}

/// Blanks, a comment, a line ending; `None` if there is something else. The inner option is where the comment is.
#[expect(clippy::option_option, reason = "no line ending and no comment are two things")]
fn end_of_line(cursor: &mut Cursor<'_>) -> Option<Option<Range<usize>>> {
    cursor.take_while(is_blank);
    let start = cursor.pos;
    let comment = (cursor.peek() == Some('#')).then(|| {
        cursor.take_until(LINE_BREAKS);
        start..cursor.pos
    });
    (eat_line_break(cursor) || cursor.is_at_end()).then_some(comment)
}

fn eat_line_break(cursor: &mut Cursor<'_>) -> bool {
    let has_return = cursor.eat('\r');
    cursor.eat('\n') || has_return
}

const LINE_BREAKS: [u8; 2] = [b'\r', b'\n'];

pub(super) fn is_blank(c: char) -> bool {
    is_space(c) && !matches!(c, '\r' | '\n')
}

/// Returns whether Python's `\s` matches: Unicode's white space, and the separators U+001C to U+001F.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1C}'..='\u{1F}')
}

#[cfg(test)]
mod tests {
    use crate::EnvFile;

    /// The kinds, numbers and keys of the lines of `text`, as in `3 Assignment K`.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let file = EnvFile::parse(text.as_bytes());
        let lines = file.lines();
        let shown = lines.map(|line| format!("{} {:?} {}", line.number(), line.kind(), line.name().unwrap_or("")));
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
}
