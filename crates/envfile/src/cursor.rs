//! The text of a file, and a place in it. An invalid byte is one U+FFFD, so every byte is part of a character.

use std::ops::Range;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The decoded text of a file, kept once: lines, names and values are ranges of it. Positions are byte offsets in the
/// decoded text, which is the file itself unless that holds invalid bytes.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Text {
    decoded: String,
    invalid: Option<Box<Invalid>>,
}

/// A file that is not UTF-8.
#[derive(Clone, PartialEq)]
struct Invalid {
    bytes: Vec<u8>,
    /// Positions of the invalid bytes in the decoded text.
    positions: Vec<usize>,
}

impl Text {
    pub(crate) fn new(bytes: &[u8]) -> Text {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Text::from(text.to_owned());
        }
        let mut decoded = String::new();
        let mut positions = Vec::new();
        for chunk in bytes.utf8_chunks() {
            decoded.push_str(chunk.valid());
            for _ in chunk.invalid() {
                positions.push(decoded.len());
                decoded.push(char::REPLACEMENT_CHARACTER);
            }
        }
        Text { decoded, invalid: Some(Box::new(Invalid { bytes: bytes.to_vec(), positions })) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.decoded
    }

    /// The bytes of the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.invalid.as_ref().map_or(self.decoded.as_bytes(), |invalid| &invalid.bytes)
    }

    /// The bytes of a range.
    pub(crate) fn raw(&self, range: Range<usize>) -> &[u8] {
        &self.bytes()[self.offset(range.start)..self.offset(range.end)]
    }

    /// Whether a byte in `range` is not UTF-8.
    pub(crate) fn has_invalid(&self, range: Range<usize>) -> bool {
        self.invalid.as_ref().is_some_and(|invalid| {
            let first = invalid.positions.partition_point(|&pos| pos < range.start);
            invalid.positions.get(first).is_some_and(|&pos| pos < range.end)
        })
    }

    /// Whether the whole file is UTF-8.
    pub(crate) fn is_valid(&self) -> bool {
        self.invalid.is_none()
    }

    /// The offset of `pos` in the bytes of the file, where an invalid byte is one byte and not the three of U+FFFD.
    fn offset(&self, pos: usize) -> usize {
        self.invalid.as_ref().map_or(pos, |invalid| {
            pos - invalid.positions.partition_point(|&at| at < pos) * (char::REPLACEMENT_CHARACTER.len_utf8() - 1)
        })
    }
}

impl From<String> for Text {
    fn from(decoded: String) -> Text {
        Text { decoded, invalid: None }
    }
}

/// A place in a text.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    pub(crate) text: &'a str,
    pub(crate) pos: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, pos: 0 }
    }

    /// The text that is not consumed yet.
    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.pos..]
    }

    /// The text from `start` up to here.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.pos]
    }

    pub(crate) fn peek(&self) -> Option<char> {
        match *self.text.as_bytes().get(self.pos)? {
            byte @ 0..0x80 => Some(char::from(byte)),
            _ => self.rest().chars().next(),
        }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.pos >= self.text.len()
    }

    /// The next character, which is consumed.
    pub(crate) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    /// Consumes `c` if it is next.
    pub(crate) fn eat(&mut self, c: char) -> bool {
        let is_next = self.peek() == Some(c);
        if is_next {
            self.pos += c.len_utf8();
        }
        is_next
    }

    /// Consumes `text` if it is next.
    pub(crate) fn eat_str(&mut self, text: &str) -> bool {
        let is_next = self.text.as_bytes()[self.pos..].starts_with(text.as_bytes());
        if is_next {
            self.pos += text.len();
        }
        is_next
    }

    /// Consumes characters while `accept` holds, and returns them.
    pub(crate) fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let start = self.pos;
        while let Some(c) = self.peek().filter(|&c| accept(c)) {
            self.pos += c.len_utf8();
        }
        self.since(start)
    }

    /// Consumes everything before the next byte that is one of these ASCII characters, and returns it.
    pub(crate) fn take_until<const N: usize>(&mut self, ends: [u8; N]) -> &'a str {
        let start = self.pos;
        let rest = &self.text.as_bytes()[start..];
        self.pos += rest.iter().position(|byte| ends.contains(byte)).unwrap_or(rest.len());
        self.since(start)
    }

    /// Consumes the rest of the line with its line feed; returns it without.
    pub(crate) fn take_line(&mut self) -> &'a str {
        let line = self.take_until([b'\n']);
        self.eat('\n');
        line
    }
}

/// The number of line feeds in `text`. Only a line feed ends a physical line, as for `grep -n`.
pub(crate) fn line_feeds(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
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
        assert_eq!(text.as_str(), "a\u{FFFD}\u{FFFD}é\nb\u{FFFD}\u{FFFD}");
        assert_eq!(text.bytes(), bytes);
        assert_eq!((text.raw(0..1), text.raw(1..7), text.raw(7..17)), (&bytes[..1], &bytes[1..3], &bytes[3..]));
        assert!(text.has_invalid(0..2) && text.has_invalid(9..17) && !text.has_invalid(7..11));
        assert!(!text.is_valid() && Text::new("é".as_bytes()).is_valid());
    }
}
