//! The verification of a line: whether readers see a value on it, and none takes it for a part of an earlier line.
//!
//! Most lines end for every reader where they end for a person. Only the others are read as each reader does, from where
//! they start, so that verifying costs less than parsing.

use crate::dialect::Walk;
use crate::line::{Line, Position};
use crate::survey::reading;
use crate::{EnvFile, LineKind, Reader};

/// A reader that does not read `value` on the line with this number, and the line that is to blame.
pub(crate) fn misread(file: &EnvFile, number: usize, key: &str, value: &str) -> Option<(usize, Reader)> {
    let plain = file.without_carriage_returns();
    let Some(line) = plain.line_at(number, key) else {
        let around = plain.lines().rfind(|line| line.number() <= number);
        return Some((around.map_or(number, |line| line.number()), Reader::PythonDotenv));
    };
    let mut verifier = Verifier::new(&plain, Reader::SERVICE);
    verifier.swallowed(line).or_else(|| verifier.misread(line, key, value))
}

/// Readers on their way through a file [without carriage returns](EnvFile::without_carriage_returns).
pub(crate) struct Verifier<'a> {
    file: &'a EnvFile,
    /// The lines from here on are looked at.
    next: usize,
    /// Lines above that do not end for every reader where they end for python-dotenv.
    open: Vec<Line<'a>>,
    readers: Vec<(Reader, Progress<'a>)>,
}

/// The part of a file that a reader has read.
struct Progress<'a> {
    walk: Walk<'a>,
    /// The number of open lines that it has come to.
    opened: usize,
    /// Where its last statement started, and on which physical line.
    last: (usize, usize),
}

impl<'a> Verifier<'a> {
    pub(crate) fn new(file: &'a EnvFile, readers: &[Reader]) -> Verifier<'a> {
        let progress = |&reader: &Reader| {
            (reader, Progress { walk: Walk::new(reader, file.text(), Position::FIRST), opened: 0, last: (0, 1) })
        };
        Verifier { file, next: 0, open: Vec::new(), readers: readers.iter().map(progress).collect() }
    }

    /// The first reader for which `line` is a part of an earlier line, and that line. To be asked from top to bottom.
    pub(crate) fn swallowed(&mut self, line: Line<'a>) -> Option<(usize, Reader)> {
        let above = self.file.lines_from(self.next).take_while(|above| above.start() < line.start());
        let is_shell = self.readers.iter().any(|(reader, _)| !Reader::SERVICE.contains(reader));
        let mut count = 0;
        self.open.extend(above.inspect(|_| count += 1).filter(|above| !is_closed(*above, is_shell)));
        self.next += count;
        let open = &self.open;
        // For python-dotenv, a line is a line of the document.
        let mut others = self.readers.iter_mut().filter(|(reader, _)| *reader != Reader::PythonDotenv);
        others.find_map(|(reader, progress)| {
            progress.go_to(line.start(), open, self.file.text().as_str());
            let (start, number) = progress.last;
            (progress.walk.pos() > line.start() && start < line.start()).then_some((number, *reader))
        })
    }

    /// The first reader that reads another value on `line`, and the line itself.
    pub(crate) fn misread(&self, line: Line<'a>, key: &str, value: &str) -> Option<(usize, Reader)> {
        let is_misread = |reader: Reader| {
            let mut walk = Walk::new(reader, self.file.text(), line.position());
            let mut statements = Vec::new();
            while walk.pos() < line.end() {
                statements.extend_from_slice(walk.next());
            }
            // Blanks at the end of the line are read together with the next one.
            statements.retain(|statement| statement.lines.0 <= line.last_number());
            !reading(&statements, Some(key)).is(value)
        };
        let found = self.readers.iter().find(|(reader, _)| is_misread(*reader));
        found.map(|(reader, _)| (line.number(), *reader))
    }
}

impl Progress<'_> {
    /// Reads on until the statements above `target` are read.
    fn go_to(&mut self, target: usize, open: &[Line<'_>], text: &str) {
        while self.walk.pos() < target {
            let pos = self.walk.pos();
            let is_at_line = pos == 0 || text.as_bytes()[pos - 1] == b'\n';
            let is_in_open = open[self.opened..].first().is_some_and(|line| line.start() < pos);
            if is_at_line && !is_in_open {
                // No statement stretches to the next open line.
                let start = open[self.opened..].first().map_or(target, Line::start);
                if start >= target {
                    return self.walk.skip_to(target);
                }
                self.walk.skip_to(start);
            }
            if let Some(statement) = self.walk.next().last() {
                self.last = (statement.start, statement.lines.0);
            }
            let pos = self.walk.pos();
            self.opened += open[self.opened..].iter().take_while(|line| line.end() <= pos).count();
        }
    }
}

/// Whether each reader that starts at this line ends with it, and reads the next one by itself.
fn is_closed(line: Line<'_>, is_shell: bool) -> bool {
    let Some(text) = line.full_text().strip_suffix('\n') else { return false };
    match line.kind() {
        LineKind::Unreadable => false,
        LineKind::Blank | LineKind::Comment => {
            let word = text.trim_start_matches([' ', '\t']);
            (word.is_empty() || word.starts_with('#')) && !has(word, |byte| matches!(byte, b'\\' | b'\r'))
        }
        LineKind::Assignment => {
            !has(text, is_opening)
                || text
                    .split_once('=')
                    .is_some_and(|(name, value)| !has(name, is_opening) && is_closed_value(value, is_shell))
        }
    }
}

fn is_closed_value(value: &str, is_shell: bool) -> bool {
    match value.as_bytes() {
        [b'\'', inner @ .., b'\''] => !has(inner, |byte| matches!(byte, b'\'' | b'\\' | b'\r' | b'\n')),
        [b'"', inner @ .., b'"'] => !has(inner, |byte| matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | b'`' | b'$')),
        // In the middle of a value, only a shell goes on.
        _ => {
            !is_shell
                && !value.trim_start().starts_with(['\'', '"'])
                && !has(value, |byte| matches!(byte, b'\\' | b'\r'))
        }
    }
}

/// Whether some reader may go on in the next line because of this character.
fn is_opening(byte: u8) -> bool {
    matches!(
        byte,
        b'\''
            | b'"'
            | b'\\'
            | b'\r'
            | b'\n'
            | b'`'
            | b'$'
            | b'('
            | b')'
            | b'{'
            | b'}'
            | b'<'
            | b'>'
            | b'|'
            | b'&'
            | b';'
    )
}

fn has(text: impl AsRef<[u8]>, is_searched: impl Fn(u8) -> bool) -> bool {
    text.as_ref().iter().fold(false, |has, &byte| has | is_searched(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A line that may be closed, of which the value is a word or quoted.
    fn line() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            "[ -~\\t\\r\u{A0}]{0,6}",
            "'[ -&(-~\n]{0,6}'",
            "\"[ #%-_a-~\n]{0,6}\"",
            "[$`(;&|<{\\\\' ]{0,4}"
        ];
        let name = prop_oneof!["[ \\t]{0,1}[A-Z]{1,2}", "#[ -~]{0,4}", "[ -~]{0,3}"];
        (name, value, "[ \\\\\r]{0,1}").prop_map(|(name, value, end)| format!("{name}={value}{end}\n"))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn closed_lines_end_for_each_reader(text in line(), is_shell: bool) {
            let file = EnvFile::parse(format!("{text}Z=1\n").as_bytes());
            let line = file.line(0);
            let readers = if is_shell { Reader::QUOTING } else { Reader::SERVICE };
            for reader in readers.iter().filter(|_| line.end() == text.len() && is_closed(line, is_shell)) {
                let mut walk = Walk::new(*reader, file.text(), Position::FIRST);
                let mut last = None;
                while walk.pos() < file.text().as_str().len() {
                    last = walk.next().last().cloned().or(last);
                }
                let is_read_by_itself = last.is_some_and(|last| last.start == line.end() && last.key == Some("Z"));
                prop_assert!(is_read_by_itself, "{}: {:?}", reader, text);
            }
        }
    }

    #[track_caller]
    fn check(text: &str, is_shell: bool, expected: bool) {
        let file = EnvFile::parse(text.as_bytes());
        assert_eq!(is_closed(file.line(0), is_shell), expected, "{text:?}");
    }

    #[test]
    fn closed_lines() {
        for text in ["A=1\n", "# it's\n", "\n", "A='b c'\n", "A=\"it's\"\n", "A=b # c\n"] {
            check(text, true, true);
        }
        for text in ["A=1", "# \\\n", "A='b\n", "A='b' \n", "A=\"$B\"\n", "A=1\r\n", "A='b\nc'\n", "foo\n"] {
            check(text, false, false);
        }
        check("A=it's $5; (\n", false, true);
        check("A=it's $5; (\n", true, false);
    }
}
