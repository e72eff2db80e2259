//! Setting a variable: the place of its line, the changes around it, and the verification that all readers see it.

use crate::key::{is_name, is_read_only};
use crate::line::{Assignment, Line};
use crate::quote::{EXEC_LIMIT, encode};
use crate::rewrite::{ends_in_escape, moved_comment};
use crate::survey::Survey;
use crate::{Change, EnvFile, LineKind, Note, Reader, SetError, ValueError};

/// Returns the document with `key` set to `value`, and the change; `None` if nothing has to change.
pub(crate) fn set(
    file: &EnvFile,
    key: &str,
    value: &str,
    sample: Option<&EnvFile>,
) -> Result<Option<(EnvFile, Change)>, SetError> {
    if !is_name(key) {
        return Err(SetError::InvalidKey(key.to_owned()));
    }
    if is_read_only(key) {
        return Err(SetError::ReadOnlyKey(key.to_owned()));
    }
    let invalid = |source| SetError::Value { key: key.to_owned(), source };
    if key.len() + value.len() + 2 > EXEC_LIMIT {
        return Err(invalid(ValueError::TooLong(value.len())));
    }
    let assignment = format!("{key}={}", encode(value).map_err(invalid)?);
    let lines: Vec<&Line> = file.lines().collect();
    let places: Vec<usize> = (0..lines.len()).filter(|&index| lines[index].name() == Some(key)).collect();
    if !places.is_empty() && places.iter().all(|&place| is_settled(file, lines[place].number(), key, value)) {
        return Ok(None);
    }
    let mut edit = Edit::new(file);
    match *places {
        [first, ref others @ ..] => edit.replace(first, others, &assignment),
        [] => edit.insert(key, &assignment, sample),
    }
    if file.get(key).is_some_and(|entry| entry.value == value) {
        edit.notes.push(Note::Requoted);
    }
    let (edited, change) = edit.finish(key, value)?;
    Ok((edited != *file).then_some((edited, change)))
}

/// Whether all readers read `value` on the line with this number.
fn is_settled(file: &EnvFile, number: usize, key: &str, value: &str) -> bool {
    let survey = Survey::new(file, Reader::QUOTING);
    let line = survey.lines.iter().find(|line| line.number() == number && line.key() == Some(key));
    line.is_some_and(|line| {
        let readings = survey.readings(line, Some(key));
        readings.len() == Reader::QUOTING.len() && readings.iter().all(|(_, reading)| reading.is(value))
    })
}

/// A document being edited.
struct Edit<'a> {
    lines: Vec<&'a Line>,
    /// The bytes of the lines, in order.
    raw: Vec<Vec<u8>>,
    has_byte_order_mark: bool,
    /// The index in `raw` of the new assignment.
    place: usize,
    before: Vec<String>,
    after: Vec<String>,
    notes: Vec<Note>,
}

impl<'a> Edit<'a> {
    fn new(file: &'a EnvFile) -> Edit<'a> {
        Edit {
            lines: file.lines().collect(),
            raw: file.lines().map(|line| line.raw().to_vec()).collect(),
            has_byte_order_mark: file.has_byte_order_mark(),
            place: 0,
            before: vec![],
            after: vec![],
            notes: vec![],
        }
    }

    /// Puts `assignment` on the line at `first`, and removes the lines at `others`.
    fn replace(&mut self, first: usize, others: &[usize], assignment: &str) {
        let line = self.lines[first];
        self.before.push(line.text().into_owned());
        for &other in others.iter().rev() {
            self.before.insert(1, self.lines[other].text().into_owned());
            // Without it, the comment above would go on in the line below.
            let blank = if goes_on(self.lines[other - 1]) { self.lines[other].ending() } else { b"" };
            self.raw[other] = blank.to_vec();
        }
        let comment = moved_comment(line);
        if let Some(Assignment { has_export, is_spaced, .. }) = line.assignment() {
            self.note_if(*has_export, Note::ExportDropped);
            self.note_if(*is_spaced, Note::BlanksRemoved);
        }
        self.note_if(comment.is_some(), Note::CommentMoved);
        self.note_if(line.has_quoted_name(), Note::NameUnquoted);
        self.note_if(!others.is_empty(), Note::OthersRemoved(others.len()));

        let mut new: Vec<Vec<u8>> = comment.into_iter().collect();
        if new.is_empty() && first > 0 && goes_on(self.lines[first - 1]) {
            new.push(vec![]);
            self.notes.push(Note::BlankLineAdded);
        }
        new.push([line.indent(), assignment.as_bytes()].concat());
        self.raw.remove(first);
        let ending = line.ending();
        self.put(first, new, ending);
    }

    /// Puts `assignment` below its commented-out line, or at the end with the comment that `sample` has above it.
    fn insert(&mut self, key: &str, assignment: &str, sample: Option<&EnvFile>) {
        let commented_out = self.lines.iter().rposition(|line| is_commented_out(line, key));
        let place = commented_out.map_or(self.lines.len(), |above| above + 1);
        let above = place.checked_sub(1).map(|above| self.lines[above]);
        let mut new = Vec::new();
        if let Some(above) = above {
            let block = if commented_out.is_none() { copied_comment_block(sample, key) } else { vec![] };
            let is_apart = block.is_empty() || above.kind() == LineKind::Blank;
            if !is_apart || goes_on(above) {
                new.push(vec![]);
            }
            self.note_if(goes_on(above), Note::BlankLineAdded);
            if above.ending().is_empty() {
                let ending = self.ending_near(place);
                self.raw[place - 1].extend_from_slice(&ending);
                self.notes.push(Note::LineBreakAdded);
            }
            new.extend(block);
        } else {
            new.extend(copied_comment_block(sample, key));
        }
        new.push(assignment.as_bytes().to_vec());
        let ending = self.ending_near(place);
        self.put(place, new, &ending);
    }

    /// Puts new lines, of which the last is the assignment and gets `ending`.
    fn put(&mut self, place: usize, new: Vec<Vec<u8>>, ending: &[u8]) {
        self.after = new.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        self.place = place + new.len() - 1;
        let between = self.ending_near(place);
        let last = new.len() - 1;
        let with_endings = new.into_iter().enumerate().map(|(index, mut line)| {
            line.extend_from_slice(if index == last { ending } else { &between });
            line
        });
        self.raw.splice(place..place, with_endings.collect::<Vec<_>>());
    }

    /// The line ending of the first line before `place` that has one, else of any line, else LF.
    fn ending_near(&self, place: usize) -> Vec<u8> {
        let (before, after) = self.lines.split_at(place.min(self.lines.len()));
        let mut near = before.iter().rev().chain(after).map(|line| line.ending());
        near.find(|ending| ending.ends_with(b"\n")).unwrap_or(b"\n").to_vec()
    }

    fn note_if(&mut self, condition: bool, note: Note) {
        self.notes.extend(condition.then_some(note));
    }

    /// Parses the result, and verifies that each relevant reader parses exactly `value` on the line.
    fn finish(self, key: &str, value: &str) -> Result<(EnvFile, Change), SetError> {
        let mut bytes = crate::cursor::byte_order_mark(self.has_byte_order_mark).to_vec();
        bytes.extend(self.raw.concat());
        let file = EnvFile::parse(&bytes);
        let line_feeds = self.raw[..self.place].iter().flatten().filter(|&&byte| byte == b'\n').count();
        let number = line_feeds + 1;
        if let Some((line, reader)) = misread(&file, number, key, value) {
            return Err(SetError::Swallowed { key: key.to_owned(), line, reader });
        }
        let Edit { before, after, notes, .. } = self;
        Ok((file, Change { key: key.to_owned(), line: number, before, after, notes }))
    }
}

/// A reader that does not read `value` on the line with this number, and the line that is to blame.
fn misread(file: &EnvFile, number: usize, key: &str, value: &str) -> Option<(usize, Reader)> {
    let survey = Survey::new(file, Reader::SERVICE);
    let Some(line) = survey.lines.iter().find(|line| line.number() == number && line.key() == Some(key)) else {
        let around = survey.lines.iter().rfind(|line| line.number() <= number);
        return Some((around.map_or(number, Line::number), Reader::PythonDotenv));
    };
    if let Some((reader, line)) = survey.swallowed(line) {
        return Some((line, reader));
    }
    let readings = survey.readings(line, Some(key));
    let (reader, _) = readings.iter().find(|(_, reading)| !reading.is(value))?;
    Some((number, *reader))
}

/// The comment lines directly above `key`, which may be commented out itself.
pub(crate) fn comment_block<'a>(file: &'a EnvFile, key: &str) -> Vec<&'a Line> {
    let lines: Vec<&Line> = file.lines().collect();
    let by_name = lines.iter().position(|line| line.key() == Some(key));
    let Some(place) = by_name.or_else(|| lines.iter().position(|line| is_commented_out(line, key))) else {
        return vec![];
    };
    let start = lines[..place].iter().rposition(|line| line.kind() != LineKind::Comment).map_or(0, |above| above + 1);
    lines[start..place].to_vec()
}

/// The same, as bytes that no reader joins with the next line.
fn copied_comment_block(sample: Option<&EnvFile>, key: &str) -> Vec<Vec<u8>> {
    let lines = sample.map(|sample| comment_block(sample, key)).unwrap_or_default();
    let mut block: Vec<Vec<u8>> = lines.into_iter().map(|line| line.with_ending(b"")).collect();
    for line in block.iter_mut().filter(|line| ends_in_escape(line)) {
        line.push(b' ');
    }
    block
}

/// Whether `line` is `# KEY=…`.
fn is_commented_out(line: &Line, key: &str) -> bool {
    let text = line.text();
    let text = text.trim_start().trim_start_matches('#').trim_start();
    let text = text.strip_prefix("export ").unwrap_or(text).trim_start();
    let is_key = text.strip_prefix(key).is_some_and(|after| after.trim_start().starts_with('='));
    line.kind() == LineKind::Comment && is_key
}

/// Whether systemd before 254 takes the line after this comment for a part of it.
fn goes_on(line: &Line) -> bool {
    line.kind() == LineKind::Comment && line.ending() != b"\r\n" && ends_in_escape(&line.with_ending(b""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets `K` to `v` in `before`.
    #[track_caller]
    fn check(before: &str, after: &str, notes: &[Note]) {
        check_with("", before, after, notes);
    }

    #[track_caller]
    fn check_with(sample: &str, before: &str, after: &str, notes: &[Note]) {
        let mut file = EnvFile::parse(before.as_bytes());
        let sample = EnvFile::parse(sample.as_bytes());
        let change = file.set("K", "v", Some(&sample)).unwrap().expect("a change");
        assert_eq!(String::from_utf8(file.to_bytes()).unwrap(), after);
        assert_eq!(change.notes, notes);
        assert_eq!(file.get("K").map(|entry| entry.line), Some(change.line));
        assert_eq!(change.after.last().map(|line| line.trim_start()), Some("K=v"));
        assert_eq!(file.set("K", "v", Some(&sample)), Ok(None));
    }

    #[track_caller]
    fn check_error(before: &str, key: &str, value: &str, message: &str) {
        let mut file = EnvFile::parse(before.as_bytes());
        assert_eq!(file.set(key, value, None).unwrap_err().to_string(), message);
        assert_eq!(file.to_bytes(), before.as_bytes());
    }

    #[test]
    fn in_place() {
        check("A=1\nK=old\nB=2\n", "A=1\nK=v\nB=2\n", &[]);
        check("A=1\r\n\tK='a\nb'\r\nB=2", "A=1\r\n\tK=v\r\nB=2", &[]);
        check("\u{FEFF}K=old", "\u{FEFF}K=v", &[]);
    }

    #[test]
    fn normalised() {
        check("export K=old\n", "K=v\n", &[Note::ExportDropped]);
        check("K = old\n", "K=v\n", &[Note::BlanksRemoved]);
        check("'K'=old\n", "K=v\n", &[Note::NameUnquoted]);
        check(" K=old # why\r\nZ=1\n", " # why\r\n K=v\r\nZ=1\n", &[Note::CommentMoved]);
        check("K=\"v\" # why \\", "# why \\ \nK=v", &[Note::CommentMoved, Note::Requoted]);
        check("K\n", "K=v\n", &[]);
    }

    #[test]
    fn one_is_left() {
        check("K=1\nA=$K\nK=2\nK\n", "K=v\nA=$K\n", &[Note::OthersRemoved(2)]);
        check("K=1\n# \\\nK=2\nA=1\n", "K=v\n# \\\n\nA=1\n", &[Note::OthersRemoved(1)]);
    }

    #[test]
    fn inserted() {
        check("", "K=v\n", &[]);
        check("A=1", "A=1\nK=v\n", &[Note::LineBreakAdded]);
        check("A=1\r\nB=2", "A=1\r\nB=2\r\nK=v\r\n", &[Note::LineBreakAdded]);
        check("# K=old\n#export K = x\nA=1\n", "# K=old\n#export K = x\nK=v\nA=1\n", &[]);
        check("# note \\\n", "# note \\\n\nK=v\n", &[Note::BlankLineAdded]);
        check("# note \\\nK=old\n", "# note \\\n\nK=v\n", &[Note::BlankLineAdded]);
        check("# note \\\\\n", "# note \\\\\nK=v\n", &[]);
    }

    #[test]
    fn with_the_comment_of_the_sample() {
        let sample = "# other\n\n# about K\n# more \\\nK=\n";
        check_with(sample, "A=1\n", "A=1\n\n# about K\n# more \\ \nK=v\n", &[]);
        check_with(sample, "A=1\r\n\r\n", "A=1\r\n\r\n# about K\r\n# more \\ \r\nK=v\r\n", &[]);
        check_with("# about\n#K=\n", "A=1\n", "A=1\n\n# about\nK=v\n", &[]);
        check_with(sample, "A=1\n#K=\nB=2\n", "A=1\n#K=\nK=v\nB=2\n", &[]);
    }

    #[test]
    fn refused() {
        let name = "invalid variable name, expected letters, digits and `_`, not a digit first";
        check_error("", "1K", "v", &format!("{name}: `1K`"));
        check_error("", "A\nB", "v", &format!("{name}: `A\\nB`"));
        check_error("", "UID", "0", "bash does not let `UID` be assigned, expected another name");
        let no_form = "cannot write `K`: no reader-independent form for a value with `'` and `$`";
        check_error("K=1\n", "K", "it's $5", no_form);
    }

    #[test]
    fn swallowed() {
        let by = |reader: &str, line: usize| {
            format!("cannot set `K`: {reader} would read it as a part of line {line}, correct that line first")
        };
        check_error("A=1\nB='open\nC=2\n", "K", "a b", &by("python-dotenv", 2));
        check_error("A=1\nB=\"open\nC=2\n", "K", "v", &by("compose", 2));
        check_error("A=1\nB='open\nK=1\n", "K", "2", &by("compose", 2));
        check_error("A=1\nB=a\\", "K", "2", &by("systemd", 2));
    }

    #[test]
    fn lines_that_only_bash_and_dotenvy_swallow_are_kept() {
        check("NAME=it's\n", "NAME=it's\nK=v\n", &[]);
        check("NAME=it's\nK=old\n", "NAME=it's\nK=v\n", &[]);
    }
}
