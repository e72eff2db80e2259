//! Lines that the readers read differently.

use std::collections::HashMap;
use std::fmt;

use crate::class::Class;
use crate::classify::{LONG_LINE, classify};
use crate::cursor::Text;
use crate::dialect;
use crate::line::Line;
use crate::rewrite;
use crate::survey::{Survey, is_agreed, owned, reading};
use crate::{EnvFile, Reader, Reading};

/// A line that the readers do not read alike.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Disagreement {
    /// The physical line, from 1.
    pub line: usize,
    /// The variable of the line, if it has one.
    pub key: Option<String>,
    /// The reason why the readers disagree.
    pub class: Class,
    /// The readings of the variable on this line. A reader for which the line is a part of an earlier one, with a
    /// disagreement of its own, is left out.
    pub readings: Vec<(Reader, Reading)>,
    /// The replacement that all readers parse as python-dotenv does now; lines are separated by `\n`. It holds the
    /// value.
    pub rewritten: Option<String>,
}

impl Disagreement {
    /// Whether a reader refuses the file, misses the variable, or executes the line.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.readings.iter().any(|(_, reading)| reading.is_failure() || *reading == Reading::Unset)
    }
}

/// Shows no value, as it can be a secret.
impl fmt::Debug for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disagreement")
            .field("line", &self.line)
            .field("key", &self.key)
            .field("class", &self.class)
            .field("readings", &self.readings)
            .finish_non_exhaustive()
    }
}

/// Everything that `readers` disagree on, by line. Each line is looked at once.
pub(crate) fn find(file: &EnvFile, readers: &[Reader]) -> Vec<Disagreement> {
    let plain = file.without_carriage_returns();
    let survey = Survey::new(&plain, readers);
    let mut found: Vec<Disagreement> = survey.file.lines().filter_map(|line| on_line(&survey, line, readers)).collect();
    found.extend(duplicates(&survey, readers));
    found.extend(byte_order_mark(file, &survey));
    found.extend(crlf(file, &survey, readers));
    found.sort_by_key(|disagreement| (disagreement.line, disagreement.class));
    found
}

fn on_line(survey: &Survey<'_>, line: Line<'_>, readers: &[Reader]) -> Option<Disagreement> {
    if line.kind().has_no_content() {
        return swallowing_comment(survey, line).or_else(|| on_bytes(survey, line));
    }
    let key = survey.key(line);
    if is_agreed(survey.readings(line, key)) {
        return None;
    }
    let readings = owned(survey.readings(line, key));
    let key = key.map(str::to_owned);
    Some(Disagreement {
        line: line.number(),
        key,
        class: classify(line),
        readings,
        rewritten: rewritten(line, readers),
    })
}

/// A comment that goes on in the next line for a reader, if there is more than a comment on that.
fn swallowing_comment(survey: &Survey<'_>, line: Line<'_>) -> Option<Disagreement> {
    let next = survey.file.line_from(line.number() + 1).filter(|next| !next.kind().has_no_content())?;
    let key = survey.key(next);
    let readings = survey.readings_below(line, next, key)?;
    let key = key.map(str::to_owned);
    Some(Disagreement { line: line.number(), key, class: Class::CommentBackslash, readings, rewritten: None })
}

/// A comment or a blank line with bytes that make a reader refuse the file, or run it.
fn on_bytes(survey: &Survey<'_>, line: Line<'_>) -> Option<Disagreement> {
    if is_agreed(survey.readings(line, None)) {
        return None;
    }
    let readings = owned(survey.readings(line, None));
    let class = classify(line);
    let class = if class == Class::Bytes || class == Class::TooLong { class } else { Class::NotAnAssignment };
    Some(Disagreement { line: line.number(), key: None, class, readings, rewritten: None })
}

/// The line that all `readers` read as python-dotenv reads `line`.
fn rewritten(line: Line<'_>, readers: &[Reader]) -> Option<String> {
    // django-environ sees no indented variable.
    let indent = if readers.contains(&Reader::DjangoEnviron) { "" } else { line.indent() };
    let candidates = rewrite::rewritten(line, indent)?;
    let [preferred, in_double_quotes] = &candidates;
    let is_quoted = preferred.ends_with(['\'', '"']);
    if is_quoted && readers.len() > 1 && readers.contains(&Reader::DockerRun) {
        return None;
    }
    if preferred.lines().count() == 1 && preferred.len() < LONG_LINE {
        // The rule of `encode`, which the tests hold against the models.
        let is_bare = indent.is_empty() && !is_quoted;
        if is_bare || readers.iter().all(|reader| Reader::QUOTING.contains(reader)) {
            return candidates.into_iter().next();
        }
    }
    // Only double quotes within others are read differently.
    let tried = if in_double_quotes.ends_with("\\\"\"") { 2 } else { 1 };
    candidates.into_iter().take(tried).find(|candidate| {
        let file = EnvFile::parse(candidate.as_bytes());
        let plain = file.without_carriage_returns();
        let survey = Survey::new(&plain, readers);
        plain.lines().all(|line| is_agreed(survey.readings(line, line.key())))
    })
}

/// Variables that are assigned several times, where dotenvy keeps the first value and the others the last.
fn duplicates(survey: &Survey<'_>, readers: &[Reader]) -> Vec<Disagreement> {
    if !readers.iter().any(|reader| reader.keeps_first_assignment()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut places: HashMap<&str, (Line<'_>, usize)> = HashMap::with_capacity(survey.file.lines().len());
    for (index, line) in survey.file.lines().enumerate() {
        if let Some(key) = line.key() {
            places.entry(key).and_modify(|(_, last)| *last = index).or_insert((line, index));
        }
    }
    for (index, last) in survey.file.lines().enumerate() {
        let Some(key) = last.key() else { continue };
        let Some((first, _)) = places.get(key).filter(|(first, end)| *end == index && first.start() != last.start())
        else {
            continue;
        };
        let mut readings = owned(survey.readings(last, Some(key)));
        for (reader, reading) in readings.iter_mut().filter(|(reader, _)| reader.keeps_first_assignment()) {
            let mut of_first = survey.readings(*first, Some(key));
            if let Some((_, first)) = of_first.find(|(other, _)| other == reader) {
                *reading = first.clone();
            }
        }
        let is_agreed = is_agreed(readings.iter().map(|(reader, reading)| (*reader, reading)));
        if !is_agreed && readings.iter().any(|(reader, _)| reader.keeps_first_assignment()) {
            let (line, key) = (last.number(), Some(key.to_owned()));
            found.push(Disagreement { line, key, class: Class::DuplicateKey, readings, rewritten: None });
        }
    }
    found
}

/// The first line, if a reader takes the byte order mark for a part of it.
fn byte_order_mark(file: &EnvFile, survey: &Survey<'_>) -> Option<Disagreement> {
    let first = survey.file.lines().next().filter(|_| file.has_byte_order_mark())?;
    let text = Text::new(&[b"\xEF\xBB\xBF", first.raw()].concat());
    file_level(survey, first, Class::ByteOrderMark, Reader::takes_byte_order_mark, &text)
}

/// The first line for which bash reads the CR of CRLF, too.
fn crlf(file: &EnvFile, survey: &Survey<'_>, readers: &[Reader]) -> Option<Disagreement> {
    if !readers.iter().any(|reader| reader.takes_carriage_return()) {
        return None;
    }
    let mut lines = file.lines().zip(survey.file.lines()).filter(|(line, _)| line.ending() == "\r\n");
    lines.find_map(|(raw, line)| {
        file_level(survey, line, Class::Crlf, Reader::takes_carriage_return, &Text::new(raw.raw()))
    })
}

/// Makes a disagreement on `line` from the readings of the affected readers in `text`, which stands in its place.
fn file_level(
    survey: &Survey<'_>,
    line: Line<'_>,
    class: Class,
    is_affected: fn(Reader) -> bool,
    text: &Text,
) -> Option<Disagreement> {
    let key = line.name();
    let before = owned(survey.readings(line, key));
    let mut readings = before.clone();
    for (reader, found) in readings.iter_mut().filter(|(reader, _)| is_affected(*reader)) {
        let statements = dialect::read_at(*reader, text, line.number());
        let count = statements.partition_point(|statement| statement.lines.0 <= line.last_number());
        *found = reading(&statements[..count], key).clone();
    }
    let key = key.map(str::to_owned);
    (readings != before).then(|| Disagreement { line: line.number(), key, class, readings, rewritten: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the disagreements of the readers that quoting is for, as in `2 K export`, and the replacement.
    #[track_caller]
    fn check(text: &str, expected: &[(&str, Option<&str>)]) {
        check_for(Reader::QUOTING, text, expected);
    }

    #[track_caller]
    fn check_for(readers: &[Reader], text: &str, expected: &[(&str, Option<&str>)]) {
        let found = EnvFile::parse(text.as_bytes()).disagreements(readers);
        let show = |it: &Disagreement| format!("{} {} {}", it.line, it.key.as_deref().unwrap_or("-"), it.class);
        let found: Vec<_> = found.iter().map(|it| (show(it), it.rewritten.as_deref())).collect();
        let expected: Vec<_> = expected.iter().map(|(shown, rewritten)| ((*shown).to_owned(), *rewritten)).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn agreed() {
        check("", &[]);
        check("A=1\n\n# note\n  B='two words'\nC=\"it's\"\n", &[]);
        check_for(Reader::ALL, "A=1\nB=a#b\n", &[]);
        check_for(&[], "K=a b\n", &[]);
    }

    #[test]
    fn lines() {
        check("A=1\nexport K=v # why\n", &[("2 K export", Some("# why\nK=v"))]);
        check("K = v\n", &[("1 K blank-around-equals", Some("K=v"))]);
        check("K=a b\n", &[("1 K blank-inside", Some("K='a b'"))]);
        check("K=a b", &[("1 K blank-inside", Some("K='a b'"))]);
        check("K=cost$5\n", &[("1 K dollar", Some("K='cost$5'"))]);
        check("K=`id`\n", &[("1 K command", Some("K='`id`'"))]);
        check("K=${A}\n", &[("1 K dollar", None)]);
        check("K=v # why\n", &[("1 K inline-comment", Some("# why\nK=v"))]);
        check("K=\"a\" # why\n", &[("1 K comment-after-quotes", Some("# why\nK=a"))]);
        check("K=v  # don't\n", &[("1 K quote-in-comment", Some("# don't\nK=v"))]);
        check("K=C:\\dir\n", &[("1 K unquoted-backslash", Some("K='C:\\dir'"))]);
        check("K=\"a\\tb\"\n", &[("1 K escape-in-double-quotes", Some("K='a\tb'"))]);
        check("K='a\\\\b'\n", &[("1 K escape-in-single-quotes", Some("K='a\\b'"))]);
        check("K=it's\n", &[("1 K quote-inside", Some("K=\"it's\""))]);
        check("K=a&b\n", &[("1 K shell-character", Some("K='a&b'"))]);
        check("K=#a\n", &[("1 K leading-hash", Some("K='#a'"))]);
        check("UID=1\n", &[("1 UID read-only-name", None)]);
        check("A.B=1\n", &[("1 A.B invalid-name", None)]);
        check("K=v\u{A0}\n", &[("1 K unicode-blank", Some("K=v"))]);
    }

    #[test]
    fn no_assignments() {
        check("foo bar\nK=1\n", &[("1 - not-an-assignment", None)]);
        check("; note\n", &[("1 - semicolon-comment", None)]);
        check("A=1\nK='open\nB=2\n", &[("2 K unterminated-quote", None)]);
        check("K='a'b\n", &[("1 K text-after-quotes", None)]);
    }

    #[test]
    fn files() {
        check("K=1\nA=2\nK=1\n", &[]);
        check("K=1\nA=2\nK=3\n", &[("3 K duplicate-key", None)]);
        check("# note \\\nK=1\n", &[("1 K comment-backslash", None)]);
        check("# note \\\n\nK=1\n", &[]);
        check("\u{FEFF}K=1\n", &[("1 K byte-order-mark", None)]);
        check("# note\r\nK=1\r\nA=1\r\n", &[("2 K crlf", None)]);
        check("K=1 ", &[("1 K trailing-blank", Some("K=1"))]);
        check("# \0\nK=1\n", &[("1 - bytes", None)]);
    }

    #[test]
    fn django_environ() {
        let check = |text: &str, expected: &[(&str, Option<&str>)]| {
            check_for(&[Reader::PythonDotenv, Reader::DjangoEnviron], text, expected);
        };
        check("A=1\nB='a b'\nC=\"it's\"\nD=\"a\\\\b\"\n", &[]);
        check("K='$A'\nA=1\n", &[("1 K dollar-in-single-quotes", None)]);
        check("K='\"a\"'\n", &[("1 K quotes", Some("K=\"\\\"a\\\"\""))]);
        check("K='a\nb'\n", &[("1 K quotes", None)]);
        check("  K=v\n", &[("1 K indented", Some("K=v"))]);
        check("K=v # why\n", &[("1 K inline-comment", Some("# why\nK=v"))]);
    }

    #[test]
    fn python_decouple() {
        let check = |text: &str, expected: &[(&str, Option<&str>)]| {
            check_for(&[Reader::PythonDotenv, Reader::PythonDecouple], text, expected);
        };
        check("A=1\n  B='$A'\nC=\"it's\"\n", &[]);
        check("K=\"a\\\\b\"\n", &[("1 K quotes", Some("K='a\\b'"))]);
        check("K=\"it's \\\"a\\\"\"\n", &[("1 K quotes", None)]);
        check("K='a\nb'\n", &[("1 K quotes", None)]);
        check("export K=v\n", &[("1 K export", Some("K=v"))]);
    }

    #[test]
    fn docker_run() {
        check_for(Reader::ALL, "K='a b'\n", &[("1 K quotes", None)]);
        check_for(Reader::ALL, "K='a'\n", &[("1 K quotes", Some("K=a"))]);
        let long = format!("K={}\n", "x".repeat(70_000));
        check_for(Reader::ALL, &long, &[("1 K too-long", None)]);
    }
}
