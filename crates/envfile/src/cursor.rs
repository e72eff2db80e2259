//! Characters of a file with their place in it; an invalid byte is one U+FFFD, so every byte has a character.

use std::ops::Range;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The decoded text of a file. Positions are character indices.
#[derive(Clone)]
pub(crate) struct Text {
    bytes: Vec<u8>,
    chars: Vec<char>,
    /// Byte offset of each character, and of the end.
    offsets: Vec<usize>,
    /// Positions of the line feeds.
    line_feeds: Vec<usize>,
    /// Positions of the bytes that are not UTF-8.
    invalid: Vec<usize>,
}

impl Text {
    pub(crate) fn new(bytes: &[u8]) -> Text {
        let mut text =
            Text { bytes: bytes.to_vec(), chars: vec![], offsets: vec![0], line_feeds: vec![], invalid: vec![] };
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                text.push(c, c.len_utf8());
            }
            for _ in chunk.invalid() {
                text.invalid.push(text.chars.len());
                text.push(char::REPLACEMENT_CHARACTER, 1);
            }
        }
        text
    }

    fn push(&mut self, c: char, len: usize) {
        if c == '\n' {
            self.line_feeds.push(self.chars.len());
        }
        self.offsets.push(self.offsets[self.chars.len()] + len);
        self.chars.push(c);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of the physical line that holds `pos`, from 1. Only a line feed ends a line here, as for `grep -n`.
    pub(crate) fn line_at(&self, pos: usize) -> usize {
        self.line_feeds.partition_point(|&line_feed| line_feed < pos) + 1
    }

    /// The byte offset of `pos`.
    pub(crate) fn offset(&self, pos: usize) -> usize {
        self.offsets[pos.min(self.chars.len())]
    }

    pub(crate) fn string(&self, range: Range<usize>) -> String {
        self.chars[range].iter().collect()
    }

    /// Whether a byte in `range` is not UTF-8.
    pub(crate) fn has_invalid(&self, range: Range<usize>) -> bool {
        let first = self.invalid.partition_point(|&pos| pos < range.start);
        self.invalid.get(first).is_some_and(|&pos| pos < range.end)
    }
}

/// A place in a [`Text`].
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    pub(crate) text: &'a Text,
    pub(crate) pos: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a Text) -> Cursor<'a> {
        Cursor { text, pos: 0 }
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.peek_nth(0)
    }

    pub(crate) fn peek_nth(&self, n: usize) -> Option<char> {
        self.text.chars.get(self.pos + n).copied()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.pos >= self.text.chars.len()
    }

    /// The next character, which is consumed.
    pub(crate) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += 1;
        Some(c)
    }

    /// Consumes `c` if it is next.
    pub(crate) fn eat(&mut self, c: char) -> bool {
        let is_next = self.peek() == Some(c);
        self.pos += usize::from(is_next);
        is_next
    }

    /// Consumes `text` if it is next.
    pub(crate) fn eat_str(&mut self, text: &str) -> bool {
        let is_next = text.chars().enumerate().all(|(n, c)| self.peek_nth(n) == Some(c));
        if is_next {
            self.pos += text.chars().count();
        }
        is_next
    }

    /// Consumes characters while `accept` holds, and returns them.
    pub(crate) fn take_while(&mut self, accept: impl Fn(char) -> bool) -> Range<usize> {
        let start = self.pos;
        while self.peek().is_some_and(&accept) {
            self.pos += 1;
        }
        start..self.pos
    }

    /// Consumes the rest of the line with its line feed; returns it without.
    pub(crate) fn take_line(&mut self) -> Range<usize> {
        let line = self.take_while(|c| c != '\n');
        self.eat('\n');
        line
    }

    /// The physical line of the next character.
    pub(crate) fn line(&self) -> usize {
        self.text.line_at(self.pos)
    }

    /// The physical line of the character that was consumed last.
    pub(crate) fn line_before(&self) -> usize {
        self.text.line_at(self.pos.saturating_sub(1))
    }
}

/// The bytes without a byte order mark, and whether there was one.
pub(crate) fn split_byte_order_mark(bytes: &[u8]) -> (bool, &[u8]) {
    match bytes.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => (true, rest),
        None => (false, bytes),
    }
}

/// The byte order mark, or nothing.
pub(crate) fn byte_order_mark(is_there: bool) -> &'static [u8] {
    if is_there { BYTE_ORDER_MARK } else { b"" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_character() {
        let bytes = b"a\xFF\xFE\xC3\xA9\nb\xE2\x82";
        let text = Text::new(bytes);
        assert_eq!(text.string(0..4), "a\u{FFFD}\u{FFFD}é");
        assert_eq!(text.offset(usize::MAX), bytes.len());
        assert_eq!((text.line_at(4), text.line_at(5)), (1, 2));
        assert!(text.has_invalid(0..2) && text.has_invalid(5..8) && !text.has_invalid(3..6));
    }
}
