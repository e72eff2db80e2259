//! A document: its lines in order. `EnvFile::parse(bytes).to_bytes() == bytes` for all bytes.

use std::collections::HashMap;
use std::fmt;

use crate::cursor::{byte_order_mark, split_byte_order_mark};
use crate::line::{self, Line};
use crate::quote::{Piece, has_interpolation, pieces};
use crate::{Change, Disagreement, Reader, Reading, SetError, dialect, disagreement, edit};

/// A `.env` file. Its default is the empty file.
#[derive(Clone, Default, PartialEq)]
pub struct EnvFile {
    has_byte_order_mark: bool,
    lines: Vec<Line>,
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

impl EnvFile {
    /// Parses a document. A line that is no assignment, comment or blank line is kept as
    /// [`LineKind::Unreadable`](crate::LineKind).
    #[must_use]
    pub fn parse(bytes: &[u8]) -> EnvFile {
        let (has_byte_order_mark, bytes) = split_byte_order_mark(bytes);
        EnvFile { has_byte_order_mark, lines: line::split(bytes) }
    }

    /// The bytes of the document.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = byte_order_mark(self.has_byte_order_mark).to_vec();
        for line in &self.lines {
            bytes.extend_from_slice(line.raw());
        }
        bytes
    }

    /// Returns the physical lines of the file, with comments and blank lines.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }

    /// The variables it assigns, in order; one that is assigned twice is there twice.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(Line::key)
    }

    /// Returns the value of a variable as python-dotenv 1.2.4 parses it: the last assignment counts, escapes are
    /// resolved, and `${NAME}` and `${NAME:-default}` stand for the value that the file assigned to `NAME` before. The
    /// environment, which python-dotenv prefers, is not consulted: a variable that the file does not set is empty.
    ///
    /// A name without `=` has no value, and takes it from an assignment before.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Entry<'_>> {
        self.entry(self.lines.iter().rposition(|line| line.name() == Some(key))?)
    }

    /// Returns the reading of `key` by `reader` after the whole file. Most readers that reject a line refuse the whole
    /// file; bash and dotenvy have set the variables above that line.
    #[must_use]
    pub fn reading(&self, reader: Reader, key: &str) -> Reading {
        dialect::outcome(reader, &self.to_bytes(), key)
    }

    /// Every assignment with its value as [`get`](Self::get) would read it there, in order; also those that a later
    /// one overrides.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.lines.len()).filter_map(|index| self.entry(index))
    }

    /// Returns the comment directly above a variable, in one line without the `#`; the variable may be commented out.
    #[must_use]
    pub fn comment(&self, key: &str) -> Option<String> {
        let lines = edit::comment_block(self, key);
        let words: Vec<_> = lines.iter().map(|line| line.text().trim_matches(['#', ' ', '\t']).to_owned()).collect();
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

    /// The assignment on the line at `index`, if it is one.
    fn entry(&self, index: usize) -> Option<Entry<'_>> {
        let assignment = self.lines[index].assignment()?;
        let value = if has_interpolation(&assignment.value) {
            interpolate(&assignment.value, &self.values_before(index))
        } else {
            assignment.value.clone()
        };
        Some(Entry { key: &assignment.key, line: self.lines[index].number(), value })
    }

    /// The values of all variables that are assigned on the lines before the one at `index`.
    fn values_before(&self, index: usize) -> HashMap<&str, String> {
        let mut values = HashMap::new();
        for line in &self.lines[..index] {
            if let Some(name) = line.name() {
                let value = line.assignment().map(|assignment| interpolate(&assignment.value, &values));
                values.insert(name, value.unwrap_or_default());
            }
        }
        values
    }
}

/// Replaces the variables in `value`. A name without a value counts as an empty one, not as an absent one.
fn interpolate(value: &str, values: &HashMap<&str, String>) -> String {
    let piece_text = |piece: Piece<'_>| match piece {
        Piece::Text(text) => text.to_owned(),
        Piece::Variable { name, default } => {
            values.get(name).cloned().unwrap_or_else(|| default.unwrap_or_default().to_owned())
        }
    };
    pieces(value).into_iter().map(piece_text).collect()
}

/// Shows no values, as they can be secrets.
impl fmt::Debug for EnvFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvFile").field("lines", &self.lines).finish_non_exhaustive()
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
