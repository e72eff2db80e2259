//! Setting a variable: the place of its line, the changes around it, and the verification that all readers see it.

use crate::document::Patch;
use crate::key::{is_name, is_read_only};
use crate::line::Line;
use crate::quote::{EXEC_LIMIT, encode};
use crate::rewrite::{ends_in_escape, moved_comment};
use crate::verify::{Verifier, misread};
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
    let places: Vec<usize> = (0..file.lines().len()).filter(|&index| file.line(index).name() == Some(key)).collect();
    if !places.is_empty() && is_settled(file, &places, key, value) {
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

/// Whether all readers read `value` on each of these lines.
fn is_settled(file: &EnvFile, places: &[usize], key: &str, value: &str) -> bool {
    // Most lines that are to change have another value.
    if !places.iter().all(|&place| file.line(place).value().is_some_and(|present| present == value)) {
        return false;
    }
    let plain = file.without_carriage_returns();
    let mut verifier = Verifier::new(&plain, Reader::QUOTING);
    places.iter().all(|&place| {
        let line = plain.line_at(file.line(place).number(), key);
        line.is_some_and(|line| verifier.swallowed(line).is_none() && verifier.misread(line, key, value).is_none())
    })
}

/// A document being edited.
struct Edit<'a> {
    file: &'a EnvFile,
    patches: Vec<Patch>,
    /// The physical line of the new assignment.
    number: usize,
    before: Vec<String>,
    after: Vec<String>,
    notes: Vec<Note>,
}

impl<'a> Edit<'a> {
    fn new(file: &'a EnvFile) -> Edit<'a> {
        Edit { file, patches: vec![], number: 0, before: vec![], after: vec![], notes: vec![] }
    }

    /// Puts `assignment` on the line at `first`, and removes the lines at `others`.
    fn replace(&mut self, first: usize, others: &[usize], assignment: &str) {
        let line = self.file.line(first);
        let places = [&[first], others].concat();
        self.before = places.iter().map(|&place| self.file.line(place).text().to_owned()).collect();
        let comment = moved_comment(line);
        if let Some(parts) = line.assignment() {
            self.note_if(parts.has_export, Note::ExportDropped);
            self.note_if(parts.is_spaced, Note::BlanksRemoved);
            self.note_if(comment.is_some(), Note::CommentMoved);
            self.note_if(parts.is_name_quoted, Note::NameUnquoted);
        }
        self.note_if(!others.is_empty(), Note::OthersRemoved(others.len()));

        let mut new: Vec<Vec<u8>> = comment.into_iter().collect();
        if new.is_empty() && self.above(first).is_some_and(goes_on) {
            new.push(vec![]);
            self.notes.push(Note::BlankLineAdded);
        }
        new.push([line.indent(), assignment].concat().into_bytes());
        self.put(first..first + 1, vec![], &new, [self.ending_near(first), line.ending()]);
        for &other in others {
            // Without it, the comment above would go on in the line below.
            let is_joined = self.above(other).is_some_and(goes_on);
            let blank = if is_joined { self.file.line(other).ending() } else { "" };
            self.patches.push((other..other + 1, blank.as_bytes().to_vec()));
        }
    }

    /// Puts `assignment` below its commented-out line, or at the end with the comment that `sample` has above it.
    fn insert(&mut self, key: &str, assignment: &str, sample: Option<&EnvFile>) {
        let commented_out = self.file.lines().rposition(|line| is_commented_out(line, key));
        let place = commented_out.map_or(self.file.lines().len(), |above| above + 1);
        let block = if commented_out.is_none() { copied_comment_block(sample, key) } else { vec![] };
        let ending = self.ending_near(place);
        let mut new = Vec::new();
        let mut lines = place..place;
        let mut kept = Vec::new();
        if let Some(above) = self.above(place) {
            let is_apart = block.is_empty() || above.kind() == LineKind::Blank;
            if !is_apart || goes_on(above) {
                new.push(vec![]);
            }
            self.note_if(goes_on(above), Note::BlankLineAdded);
            if above.ending().is_empty() {
                lines.start -= 1;
                kept = [above.raw(), ending.as_bytes()].concat();
                self.notes.push(Note::LineBreakAdded);
            }
        }
        new.extend(block);
        new.push(assignment.as_bytes().to_vec());
        self.put(lines, kept, &new, [ending, ending]);
    }

    /// Replaces `lines` by `kept` and new lines, of which the last is the assignment. Line endings are those of the others
    /// and its own.
    fn put(&mut self, lines: std::ops::Range<usize>, mut kept: Vec<u8>, new: &[Vec<u8>], endings: [&str; 2]) {
        self.after = new.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        let first = self.file.number_at(lines.start);
        let last = new.len() - 1;
        for (index, line) in new.iter().enumerate() {
            if index == last {
                self.number = first + kept.split(|&byte| byte == b'\n').count() - 1;
            }
            kept.extend_from_slice(line);
            kept.extend_from_slice(endings[usize::from(index == last)].as_bytes());
        }
        self.patches.push((lines, kept));
    }

    fn above(&self, place: usize) -> Option<Line<'a>> {
        place.checked_sub(1).map(|above| self.file.line(above))
    }

    /// The line ending of the first line before `place` that has one, else of any line, else LF.
    fn ending_near(&self, place: usize) -> &'a str {
        let lines = |range: std::ops::Range<usize>| range.map(|index| self.file.line(index).ending());
        let mut near = lines(0..place).rev().chain(lines(place..self.file.lines().len()));
        near.find(|ending| ending.ends_with('\n')).unwrap_or("\n")
    }

    fn note_if(&mut self, condition: bool, note: Note) {
        self.notes.extend(condition.then_some(note));
    }

    /// Applies the changes, and verifies that each relevant reader parses exactly `value` on the line.
    fn finish(self, key: &str, value: &str) -> Result<(EnvFile, Change), SetError> {
        let Edit { file, patches, number, before, after, notes } = self;
        let file = file.patched(&patches);
        if let Some((line, reader)) = misread(&file, number, key, value) {
            return Err(SetError::Swallowed { key: key.to_owned(), line, reader });
        }
        Ok((file, Change { key: key.to_owned(), line: number, before, after, notes }))
    }
}

/// The comment lines directly above `key`, which may be commented out itself.
pub(crate) fn comment_block<'a>(file: &'a EnvFile, key: &str) -> Vec<Line<'a>> {
    let by_name = file.lines().position(|line| line.key() == Some(key));
    let Some(place) = by_name.or_else(|| file.lines().position(|line| is_commented_out(line, key))) else {
        return vec![];
    };
    let is_comment = |&index: &usize| file.line(index).kind() == LineKind::Comment;
    let start = (0..place).rev().take_while(is_comment).last().unwrap_or(place);
    (start..place).map(|index| file.line(index)).collect()
}

/// The same, as bytes that no reader joins with the next line.
fn copied_comment_block(sample: Option<&EnvFile>, key: &str) -> Vec<Vec<u8>> {
    let lines = sample.map(|sample| comment_block(sample, key)).unwrap_or_default();
    let mut block: Vec<Vec<u8>> = lines.into_iter().map(|line| line.raw_text().to_vec()).collect();
    for line in block.iter_mut().filter(|line| ends_in_escape(line)) {
        line.push(b' ');
    }
    block
}

/// Whether `line` is `# KEY=…`.
fn is_commented_out(line: Line<'_>, key: &str) -> bool {
    if line.kind() != LineKind::Comment || !line.text().contains('=') {
        return false;
    }
    let text = line.text().trim_start().trim_start_matches('#').trim_start();
    let text = text.strip_prefix("export ").unwrap_or(text).trim_start();
    text.strip_prefix(key).is_some_and(|after| after.trim_start().starts_with('='))
}

/// Whether systemd before 254 takes the line after this comment for a part of it.
fn goes_on(line: Line<'_>) -> bool {
    line.kind() == LineKind::Comment && line.ending() != "\r\n" && ends_in_escape(line.text().as_bytes())
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
