//! The line that is edited at a prompt.

use unicode_width::UnicodeWidthChar;

use super::keys::Key;

/// A text, and the cursor in it.
#[derive(Default)]
pub(super) struct Line {
    chars: Vec<char>,
    /// The position of the cursor, from 0 to the number of characters.
    at: usize,
}

impl Line {
    pub(super) fn of(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        Line { at: chars.len(), chars }
    }

    pub(super) fn text(&self) -> String {
        self.chars.iter().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chars.is_empty()
    }

    /// Applies an editing key; the other keys change nothing.
    pub(super) fn edit(&mut self, key: &Key) {
        match key {
            Key::Char(c) => {
                self.chars.insert(self.at, *c);
                self.at += 1;
            }
            Key::Backspace => self.erase(self.at.saturating_sub(1), self.at),
            Key::Delete | Key::EndOfInput => self.erase(self.at, (self.at + 1).min(self.chars.len())),
            Key::Left => self.at = self.at.saturating_sub(1),
            Key::Right => self.at = (self.at + 1).min(self.chars.len()),
            Key::WordLeft => self.at = self.word_start(),
            Key::WordRight => self.at = self.word_end(),
            Key::Home => self.at = 0,
            Key::End => self.at = self.chars.len(),
            Key::EraseToStart => self.erase(0, self.at),
            Key::EraseToEnd => self.chars.truncate(self.at),
            Key::EraseWord => self.erase(self.word_start(), self.at),
            Key::EraseNextWord => self.erase(self.at, self.word_end()),
            _ => {}
        }
    }

    /// Inserts a pasted text. A line break at its end is dropped, and so are control characters.
    ///
    /// # Errors
    /// If it has several lines: one answer is one line.
    pub(super) fn paste(&mut self, text: &str) -> Result<(), &'static str> {
        let text = text.trim_end_matches(['\r', '\n']);
        if text.contains(['\r', '\n']) {
            return Err("the pasted text has several lines, and an answer is one line");
        }
        for c in text.chars().filter(|c| !c.is_control()) {
            self.edit(&Key::Char(c));
        }
        Ok(())
    }

    /// Returns the part around the cursor that fits into this many columns, and the column of the cursor in it.
    pub(super) fn window(&self, columns: usize, is_masked: bool) -> (String, usize) {
        let shown = |c: &char| if is_masked { '*' } else { *c };
        let width = |c: &char| shown(c).width().unwrap_or_default();
        // Up to a third of them shows what follows the cursor.
        let rest = self.chars.iter().skip(self.at).map(width).sum::<usize>().min(columns / 3);
        let mut first = self.at;
        let mut cursor = 0;
        while let Some(c) = first.checked_sub(1).and_then(|index| self.chars.get(index)) {
            // One column is left for the cursor behind the text.
            if cursor + width(c) + rest >= columns {
                break;
            }
            cursor += width(c);
            first -= 1;
        }
        let mut room = columns.saturating_sub(1);
        let fits = |c: &&char| {
            let fits = width(c) <= room;
            room = room.saturating_sub(width(c));
            fits
        };
        (self.chars.iter().skip(first).take_while(fits).map(shown).collect(), cursor)
    }

    fn erase(&mut self, from: usize, to: usize) {
        self.chars.drain(from..to);
        self.at = from;
    }

    fn word_start(&self) -> usize {
        let before = &self.chars[..self.at];
        let blanks = before.iter().rev().take_while(|c| c.is_whitespace()).count();
        let word = before.iter().rev().skip(blanks).take_while(|c| !c.is_whitespace()).count();
        self.at - blanks - word
    }

    fn word_end(&self) -> usize {
        let after = &self.chars[self.at..];
        let blanks = after.iter().take_while(|c| c.is_whitespace()).count();
        let word = after.iter().skip(blanks).take_while(|c| !c.is_whitespace()).count();
        self.at + blanks + word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, keys: &[Key], expected: &str) {
        let mut line = Line::of(text);
        for key in keys {
            line.edit(key);
        }
        assert_eq!(line.text(), expected, "{keys:?}");
    }

    #[test]
    fn editing() {
        check("abcdef", &[Key::EraseToStart, Key::Char('x')], "x");
        check("one two ", &[Key::EraseWord, Key::Char('x')], "one x");
        check("abc", &[Key::Home, Key::Char('x'), Key::End, Key::Char('y')], "xabcy");
        check("abc", &[Key::Left, Key::Left, Key::EraseToEnd], "a");
        check("a界c", &[Key::Left, Key::Backspace], "ac");
        check("one two", &[Key::WordLeft, Key::EraseToStart, Key::Delete], "wo");
        check("one two", &[Key::Home, Key::EraseNextWord], " two");
        check("", &[Key::Backspace, Key::Delete, Key::Left, Key::Right, Key::EraseWord, Key::Ignored], "");
    }

    #[test]
    fn pasted_line_breaks() {
        let mut line = Line::of("a");
        assert_eq!(line.paste("b\tc\r\n"), Ok(()));
        assert!(line.paste("d\ne").is_err());
        assert_eq!(line.text(), "abc");
    }

    #[test]
    fn long_and_wide_lines_scroll() {
        let mut line = Line::of("0123456789");
        assert_eq!(line.window(5, false), ("6789".to_owned(), 4));
        line.edit(&Key::Left);
        line.edit(&Key::Left);
        assert_eq!(line.window(7, false), ("456789".to_owned(), 4));
        line.edit(&Key::Home);
        assert_eq!(line.window(5, false), ("0123".to_owned(), 0));
        assert_eq!(Line::of("界界界").window(6, false), ("界界".to_owned(), 4));
        assert_eq!(Line::of("界a").window(80, true), ("**".to_owned(), 2));
    }
}
