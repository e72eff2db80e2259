//! A document: its text, and the places of its lines in it. `EnvFile::parse(bytes).to_bytes() == bytes` for all bytes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use crate::cursor::{Text, byte_order_mark, line_feeds, split_byte_order_mark};
use crate::line::{self, Line, Position, Span};
use crate::quote::{Piece, has_interpolation, pieces};
use crate::{Change, Disagreement, Reader, Reading, SetError, dialect, disagreement, edit};

/// A `.env` file. Its default is the empty file.
#[derive(Clone, Default)]
pub struct EnvFile {
    has_byte_order_mark: bool,
    text: Text,
    spans: Vec<Span>,
}

/// A variable of a file.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry<'a> {
    /// The name of the variable.
    pub key: &'a str,
    /// The physical line of its assignment, from 1.
    pub line: usize,
    /// The value, as this crate parses it.
    pub value: String,
}

/// Shows no value, as it can be a secret.
impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("key", &self.key).field("line", &self.line).finish_non_exhaustive()
    }
}

/// Lines of a document, by index, and the bytes that replace them.
pub(crate) type Patch = (Range<usize>, Vec<u8>);

impl EnvFile {
    /// Parses a document. A line that is no assignment, comment or blank line is kept as
    /// [`LineKind::Unreadable`](crate::LineKind).
    #[must_use]
    pub fn parse(bytes: &[u8]) -> EnvFile {
        let (has_byte_order_mark, bytes) = split_byte_order_mark(bytes);
        EnvFile::of(Text::new(bytes), has_byte_order_mark)
    }

    fn of(text: Text, has_byte_order_mark: bool) -> EnvFile {
        let spans = line::split(text.as_str());
        EnvFile { has_byte_order_mark, text, spans }
    }

    /// The bytes of the document.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [byte_order_mark(self.has_byte_order_mark), self.text.bytes()].concat()
    }

    /// Returns the physical lines of the file, with comments and blank lines.
    #[must_use]
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = Line<'_>> + ExactSizeIterator {
        self.spans.iter().map(|span| Line::new(&self.text, *span))
    }

    /// The variables it assigns, in order; one that is assigned twice is there twice.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.lines().filter_map(|line| line.key())
    }

    /// Returns the value of a variable as python-dotenv 1.2.4 parses it: the last assignment counts, escapes are
    /// resolved, and `${NAME}` and `${NAME:-default}` stand for the value that the file assigned to `NAME` before. The
    /// environment, which python-dotenv prefers, is not consulted: a variable that the file does not set is empty.
    ///
    /// A name without `=` has no value, and takes it from an assignment before.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Entry<'_>> {
        let index = self.lines().rposition(|line| line.name() == Some(key))?;
        let line = self.line(index);
        let value = line.value()?;
        let value = if has_interpolation(&value) {
            let mut values = HashMap::new();
            self.lines().take(index).for_each(|line| assign(&mut values, line));
            interpolate(&value, &values)
        } else {
            value.into_owned()
        };
        Some(Entry { key: line.key()?, line: line.number(), value })
    }

    /// Returns the reading of `key` by `reader` after the whole file. Most readers that reject a line refuse the whole
    /// file; bash and dotenvy have set the variables above that line.
    #[must_use]
    pub fn reading(&self, reader: Reader, key: &str) -> Reading {
        if self.has_byte_order_mark && reader.takes_byte_order_mark() {
            return dialect::outcome(reader, &Text::new(&self.to_bytes()), key);
        }
        dialect::outcome(reader, &self.text, key)
    }

    /// Every assignment with its value as [`get`](Self::get) would read it there, in order; also those that a later
    /// one overrides.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let has_references = self.text.as_str().contains("${");
        let mut values = HashMap::new();
        self.lines().filter_map(move |line| {
            let entry = line.value().zip(line.key()).map(|(value, key)| {
                let value = if has_references { interpolate(&value, &values) } else { value.into_owned() };
                Entry { key, line: line.number(), value }
            });
            if has_references {
                assign(&mut values, line);
            }
            entry
        })
    }

    /// Returns the comment directly above a variable, in one line without the `#`; the variable may be commented out.
    #[must_use]
    pub fn comment(&self, key: &str) -> Option<String> {
        let lines = edit::comment_block(self, key);
        let words: Vec<_> = lines.iter().map(|line| line.text().trim_matches(['#', ' ', '\t'])).collect();
        Some(words.join(" ")).filter(|comment| !comment.trim().is_empty())
    }

    /// Returns the disagreements between readers, in the order of the lines.
    #[must_use]
    pub fn disagreements(&self, readers: &[Reader]) -> Vec<Disagreement> {
        disagreement::find(self, readers)
    }

    /// Assigns `value` to `key`, in the form that all readers but `docker run` read alike ([`encode`](crate::encode)).
    ///
    /// The assignment stays where it is; the first one, if there are several, and the others are removed. A new one
    /// goes below a line `# KEY=…`, else to the end, together with the comment block that `sample` has directly above
    /// it. `Ok(None)`: the variable had this value already, on a line that all readers read alike.
    ///
    /// # Errors
    ///
    /// The name or the value cannot be written so that all readers read it alike, or for one of the readers that a
    /// service runs with (python-dotenv, Compose, systemd) a line before would swallow the
    /// assignment, such as one that opens a quote and never closes it. The document is then as it was.
    pub fn set(&mut self, key: &str, value: &str, sample: Option<&EnvFile>) -> Result<Option<Change>, SetError> {
        let Some((edited, change)) = edit::set(self, key, value, sample)? else { return Ok(None) };
        *self = edited;
        Ok(Some(change))
    }

    pub(crate) fn has_byte_order_mark(&self) -> bool {
        self.has_byte_order_mark
    }

    pub(crate) fn text(&self) -> &Text {
        &self.text
    }

    pub(crate) fn line(&self, index: usize) -> Line<'_> {
        Line::new(&self.text, self.spans[index])
    }

    /// Returns the lines from the one at `index` on.
    pub(crate) fn lines_from(&self, index: usize) -> impl Iterator<Item = Line<'_>> {
        self.spans[index..].iter().map(|span| Line::new(&self.text, *span))
    }

    /// Returns the physical line of the line at `index`, or of the end.
    pub(crate) fn number_at(&self, index: usize) -> usize {
        self.position(index).number
    }

    fn index_at(&self, number: usize) -> usize {
        self.spans.partition_point(|span| span.position().number < number)
    }

    /// Returns the assignment of `key` on the physical line with this number.
    pub(crate) fn line_at(&self, number: usize, key: &str) -> Option<Line<'_>> {
        let lines = self.spans[self.index_at(number)..].iter().take_while(|span| span.position().number == number);
        lines.map(|span| Line::new(&self.text, *span)).find(|line| line.key() == Some(key))
    }

    /// Returns the first line that starts on the physical line with this number, or below.
    pub(crate) fn line_from(&self, number: usize) -> Option<Line<'_>> {
        self.spans.get(self.index_at(number)).map(|span| Line::new(&self.text, *span))
    }

    /// Returns the document without the CRs of its line endings, and without its byte order mark.
    pub(crate) fn without_carriage_returns(&self) -> Cow<'_, EnvFile> {
        if !self.text.as_str().contains("\r\n") {
            return Cow::Borrowed(self);
        }
        let mut bytes = Vec::with_capacity(self.text.bytes().len());
        for line in self.lines() {
            let is_crlf = line.ending() == "\r\n";
            bytes.extend_from_slice(if is_crlf { line.raw_text() } else { line.raw() });
            bytes.extend_from_slice(if is_crlf { b"\n" } else { b"" });
        }
        Cow::Owned(EnvFile::of(Text::new(&bytes), false))
    }

    /// Returns the document with lines replaced. Where that cannot change how the other lines are read, these are not
    /// parsed again.
    pub(crate) fn patched(&self, patches: &[Patch]) -> EnvFile {
        self.patched_in_place(patches).unwrap_or_else(|| {
            let mut bytes = Vec::new();
            let mut next = 0;
            for (lines, new) in patches {
                self.lines().skip(next).take(lines.start - next).for_each(|line| bytes.extend_from_slice(line.raw()));
                bytes.extend_from_slice(new);
                next = lines.end;
            }
            self.lines().skip(next).for_each(|line| bytes.extend_from_slice(line.raw()));
            EnvFile::of(Text::new(&bytes), self.has_byte_order_mark)
        })
    }

    /// The same, where each line ends by itself: none has an open quote, and no CR meets a line feed.
    fn patched_in_place(&self, patches: &[Patch]) -> Option<EnvFile> {
        if !self.text.is_valid() || self.spans.iter().any(Span::is_unreadable) {
            return None;
        }
        let mut text = String::with_capacity(self.text.as_str().len() + 256);
        let mut spans = Vec::with_capacity(self.spans.len() + 8);
        let mut number = 1;
        let mut next = 0;
        let rest = (self.spans.len()..self.spans.len(), Vec::new());
        for (lines, new) in patches.iter().chain([&rest]) {
            let (from, behind) = (self.position(next), self.position(lines.start));
            let to = Position { start: text.len(), number };
            spans.extend(self.spans[next..lines.start].iter().map(|span| span.moved(from, to)));
            text.push_str(&self.text.as_str()[from.start..behind.start]);
            number += behind.number - from.number;

            let new = std::str::from_utf8(new).ok()?;
            let is_last = lines.end == self.spans.len();
            if text.ends_with('\r') || !(is_last || new.is_empty() || new.ends_with('\n')) {
                return None;
            }
            let to = Position { start: text.len(), number };
            spans.extend(line::split(new).iter().map(|span| span.moved(Position::FIRST, to)));
            text.push_str(new);
            number += line_feeds(new);
            next = lines.end;
        }
        let is_unreadable = spans.iter().any(Span::is_unreadable);
        let has_byte_order_mark = self.has_byte_order_mark;
        (!is_unreadable).then(|| EnvFile { has_byte_order_mark, text: Text::from(text), spans })
    }

    /// Where the line at `index` starts, or where the text ends.
    fn position(&self, index: usize) -> Position {
        let end = || Position { start: self.text.as_str().len(), number: 1 + line_feeds(self.text.as_str()) };
        self.spans.get(index).map_or_else(end, Span::position)
    }
}

/// Notes the value of a line for those below. A name without a value counts as an empty one, not as an absent one.
fn assign<'a>(values: &mut HashMap<&'a str, String>, line: Line<'a>) {
    if let Some(name) = line.name() {
        let value = line.value().map(|value| interpolate(&value, values));
        values.insert(name, value.unwrap_or_default());
    }
}

/// Replaces the variables in `value`.
fn interpolate(value: &str, values: &HashMap<&str, String>) -> String {
    let piece_text = |piece: Piece<'_>| match piece {
        Piece::Text(text) => text.to_owned(),
        Piece::Variable { name, default } => {
            values.get(name).cloned().unwrap_or_else(|| default.unwrap_or_default().to_owned())
        }
    };
    pieces(value).into_iter().map(piece_text).collect()
}

impl PartialEq for EnvFile {
    fn eq(&self, other: &Self) -> bool {
        // The lines follow from the text.
        self.has_byte_order_mark == other.has_byte_order_mark && self.text == other.text
    }
}

/// Shows no values, as they can be secrets.
impl fmt::Debug for EnvFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvFile").field("lines", &self.lines().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(usize, &str)>) {
        let file = EnvFile::parse(text.as_bytes());
        let found = file.get("K").map(|entry| (entry.line, entry.value));
        assert_eq!(found, expected.map(|(line, value)| (line, value.to_owned())), "{text:?}");
    }

    #[test]
    fn every_assignment() {
        let file = EnvFile::parse(b"K=1\n# x\nA=${K}\nK\nK=2\n");
        let entries: Vec<_> = file.entries().map(|entry| (entry.line, entry.key, entry.value)).collect();
        assert_eq!(entries, [(1, "K", "1".to_owned()), (3, "A", "1".to_owned()), (5, "K", "2".to_owned())]);
    }

    #[test]
    fn comments() {
        let file = EnvFile::parse(b"# far away\n\n# what K is,\n#  and why #\nexport K=v\nA=1\n# off\n#B=\n");
        assert_eq!(file.comment("K").as_deref(), Some("what K is, and why"));
        assert_eq!(file.comment("A"), None);
        assert_eq!(file.comment("B").as_deref(), Some("off"));
        assert_eq!(file.comment("C"), None);
    }

    #[test]
    fn lookup() {
        check("", None);
        check("#K=1\nKK=1\n", None);
        check("K=1\nK=2 # last\n", Some((2, "2")));
        check("K=1\nK\n", None);
        check("\u{FEFF}K= # none", Some((1, "")));
        check("K=#some", Some((1, "#some")));
        check("K='a\r\nb'", Some((1, "a\nb")));
        check("K=\"\\a\\b\\f\\n\\r\\t\\v\\'\\\"\\\\\\x\"", Some((1, "\u{7}\u{8}\u{C}\n\r\t\u{B}'\"\\\\x")));
        check("K='\\n\\'\\\\'", Some((1, "\\n'\\")));
    }

    #[test]
    fn interpolation() {
        check("A=1\nK=${A}-${B}-${B:-2}-$A", Some((2, "1--2-$A")));
        check("A\nK='${A:-2}'", Some((2, "")));
        check("K=1\nK=${K}${K}\nA=${K}", Some((2, "11")));
        check("K=${A}\nA=1", Some((1, "")));
    }

    #[test]
    fn debug_shows_no_value() {
        let file = EnvFile::parse(b"K=s3cret");
        let shown = format!("{file:?} {:?} {:?}", file.get("K"), file.disagreements(Reader::ALL));
        assert!(shown.contains("\"K\"") && !shown.contains("s3cret"), "{shown}");
    }
}
