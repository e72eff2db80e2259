//! The lines of a document, split as python-dotenv 1.2.4 splits it.
//!
//! Every byte of a document belongs to exactly one line.

mod parse;

use std::borrow::Cow;
use std::fmt;

pub(crate) use parse::{Position, Span, is_space, next, split};

use crate::cursor::{Text, line_feeds};
use parse::{Content, Parts};

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
#[derive(Clone, Copy)]
pub struct Line<'a> {
    text: &'a Text,
    span: Span,
}

/// The parts of `KEY=value`.
pub(crate) struct Assignment<'a> {
    pub(crate) key: &'a str,
    /// The value with its escapes resolved, before interpolation.
    pub(crate) value: Cow<'a, str>,
    pub(crate) has_export: bool,
    pub(crate) is_spaced: bool,
    /// Whether the name stands in quotes.
    pub(crate) is_name_quoted: bool,
    /// All that follows the `=`, without the line ending.
    pub(crate) value_text: &'a str,
    /// The inline comment, from its `#` to the end of the line.
    pub(crate) comment: Option<&'a str>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(text: &'a Text, span: Span) -> Line<'a> {
        Line { text, span }
    }

    /// The number of the physical line on which it starts, from 1.
    #[must_use]
    pub fn number(&self) -> usize {
        self.span.number
    }

    /// Returns the kind of the line.
    #[must_use]
    pub fn kind(&self) -> LineKind {
        match self.span.content {
            Content::Assignment => LineKind::Assignment,
            Content::Comment => LineKind::Comment,
            Content::Blank => LineKind::Blank,
            Content::Name | Content::Unreadable => LineKind::Unreadable,
        }
    }

    /// The variable that the line assigns, if it is an assignment.
    #[must_use]
    pub fn key(&self) -> Option<&'a str> {
        (self.span.content == Content::Assignment).then(|| &self.text.as_str()[self.span.key()])
    }

    /// The bytes of the line, with its line ending.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.text.raw(self.span.range())
    }

    /// The text of the line without its line ending; each byte that is no UTF-8 is shown as U+FFFD.
    #[must_use]
    pub fn text(&self) -> &'a str {
        let full = self.full_text();
        &full[..full.len() - ending(full).len()]
    }

    /// The variable of an assignment or of a name that stands alone.
    pub(crate) fn name(&self) -> Option<&'a str> {
        let is_named = matches!(self.span.content, Content::Assignment | Content::Name);
        is_named.then(|| &self.text.as_str()[self.span.key()])
    }

    /// The text of the line with its line ending.
    pub(crate) fn full_text(&self) -> &'a str {
        &self.text.as_str()[self.span.range()]
    }

    /// Where the line starts.
    pub(crate) fn position(&self) -> Position {
        self.span.position()
    }

    /// The physical line on which it ends.
    pub(crate) fn last_number(&self) -> usize {
        self.number() + line_feeds(self.text())
    }

    /// Where the line starts in the text of its document.
    pub(crate) fn start(&self) -> usize {
        self.span.range().start
    }

    /// Where the line ends in the text of its document.
    pub(crate) fn end(&self) -> usize {
        self.span.range().end
    }

    /// Whether each byte of the line is UTF-8.
    pub(crate) fn is_valid(&self) -> bool {
        !self.text.has_invalid(self.span.range())
    }

    /// The line break at the end: `\r\n`, `\n`, `\r`, or nothing.
    pub(crate) fn ending(&self) -> &'a str {
        ending(self.full_text())
    }

    /// The bytes of the line without its ending.
    pub(crate) fn raw_text(&self) -> &'a [u8] {
        let raw = self.raw();
        &raw[..raw.len() - self.ending().len()]
    }

    /// The blanks before the first word.
    pub(crate) fn indent(&self) -> &'a str {
        let text = self.full_text();
        &text[..text.len() - text.trim_start_matches([' ', '\t']).len()]
    }

    /// The inline comment of an assignment, from its `#` on.
    pub(crate) fn inline_comment(&self) -> Option<&'a [u8]> {
        let comment = self.assignment()?.comment?;
        let end = self.end() - self.ending().len();
        Some(self.text.raw(end - comment.len()..end).trim_ascii_end())
    }

    /// Returns the parts of an assignment. They are parsed anew: few lines are asked for more than their name.
    pub(crate) fn assignment(&self) -> Option<Assignment<'a>> {
        let key = self.key()?;
        let text = self.full_text();
        let Parts { has_export, key: key_range, equals, value, quote, comment } = parse::parts(text)?;
        let (value, comment) = match quote {
            Some(quote) => (quote.unescape(&text[value]), comment.map(|comment| &text[comment])),
            None if comment.is_some() => (Cow::Borrowed(""), comment.map(|comment| &text[comment])),
            None => split_comment(&text[value]),
        };
        let after_equals = &self.text()[equals + 1..];
        Some(Assignment {
            key,
            value,
            has_export,
            is_spaced: key_range.end != equals || after_equals.starts_with(parse::is_blank),
            is_name_quoted: key_range.len() != key.len(),
            value_text: after_equals,
            comment,
        })
    }

    /// Returns the value of an assignment, with its escapes resolved, before interpolation.
    pub(crate) fn value(&self) -> Option<Cow<'a, str>> {
        self.assignment().map(|assignment| assignment.value)
    }
}

/// An unquoted value, and its comment.
fn split_comment(text: &str) -> (Cow<'_, str>, Option<&str>) {
    let is_start = |&(at, _): &(usize, &str)| text[..at].ends_with(is_space);
    let comment = text.match_indices('#').find(is_start).map(|(at, _)| at);
    let value = &text[..comment.unwrap_or(text.len())];
    (Cow::Borrowed(value.trim_end_matches(is_space)), comment.map(|at| &text[at..]))
}

fn ending(text: &str) -> &str {
    let len = match text.as_bytes() {
        [.., b'\r', b'\n'] => 2,
        [.., b'\r' | b'\n'] => 1,
        _ => 0,
    };
    &text[text.len() - len..]
}

impl PartialEq for Line<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.number() == other.number() && self.raw() == other.raw()
    }
}

impl fmt::Debug for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("number", &self.number())
            .field("kind", &self.kind())
            .field("key", &self.name())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::EnvFile;

    #[test]
    fn parts_of_an_assignment() {
        let file = EnvFile::parse(b"  export 'K' = \"a\\tb\" # why \r\n");
        let line = file.lines().next().expect("a line");
        let assignment = line.assignment().expect("an assignment");
        assert_eq!((assignment.key, &*assignment.value), ("K", "a\tb"));
        assert!(assignment.has_export && assignment.is_spaced && assignment.is_name_quoted);
        assert_eq!(line.inline_comment(), Some(&b"# why"[..]));
        assert_eq!(assignment.value_text, " \"a\\tb\" # why ");
        assert_eq!((line.indent(), line.ending()), ("  ", "\r\n"));
        assert_eq!(line.text(), "  export 'K' = \"a\\tb\" # why ");
    }

    #[test]
    fn bytes_that_are_no_utf_8() {
        let file = EnvFile::parse(b"A\xFF=\xFE\nB=1\xE2\x82\n");
        let lines: Vec<_> = file.lines().map(|line| (line.raw(), line.text(), line.is_valid())).collect();
        assert_eq!(
            lines,
            [
                (&b"A\xFF=\xFE\n"[..], "A\u{FFFD}=\u{FFFD}", false),
                (&b"B=1\xE2\x82\n"[..], "B=1\u{FFFD}\u{FFFD}", false)
            ]
        );
    }

    #[test]
    fn debug_shows_no_value() {
        let file = EnvFile::parse(b"K=secret");
        let shown = format!("{:?}", file.lines().collect::<Vec<_>>());
        assert_eq!(shown, "[Line { number: 1, kind: Assignment, key: Some(\"K\"), .. }]");
    }
}
