//! The encoding of a file. All readers expect UTF-8; a file in another encoding is refused, and no byte of it is changed.

use std::fmt;

/// An encoding other than UTF-8, as far as the bytes reveal it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Two bytes for most characters, in the order of a byte order mark; PowerShell writes it.
    Utf16,
    /// Two bytes for most characters, the low one first, without a byte order mark.
    Utf16Le,
    /// Two bytes for most characters, the high one first, without a byte order mark.
    Utf16Be,
    /// Four bytes for a character, with a byte order mark.
    Utf32,
    /// Western European, one byte for a character.
    Latin1,
    /// As Latin-1, with more characters.
    Windows1252,
    /// Parts in different encodings: no single command converts them.
    Mixed,
}

use Encoding::{Latin1, Mixed, Utf16, Utf16Be, Utf16Le, Utf32, Windows1252};

impl Encoding {
    /// Returns the encoding of bytes that are not UTF-8, and the line with the first byte that shows it; `None` for UTF-8.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<(Self, usize)> {
        let wide = match bytes {
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some(Utf32),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(Utf16),
            _ => without_mark(bytes),
        };
        if let Some(wide) = wide {
            return Some((if wide != Utf32 && has_narrow_end(bytes, wide) { Mixed } else { wide }, 1));
        }
        let error = std::str::from_utf8(bytes).err()?;
        let line = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        if bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii()) {
            return Some((Mixed, line));
        }
        // Latin-1 has control characters there, which no text uses.
        let is_windows = bytes.utf8_chunks().flat_map(|chunk| chunk.invalid()).any(|byte| (0x80..0xa0).contains(byte));
        Some((if is_windows { Windows1252 } else { Latin1 }, line))
    }

    /// Returns the name of the encoding for `iconv`; `None` for a mixture.
    #[must_use]
    pub const fn iconv_name(self) -> Option<&'static str> {
        Some(match self {
            Utf16 => "UTF-16",
            Utf16Le => "UTF-16LE",
            Utf16Be => "UTF-16BE",
            Utf32 => "UTF-32",
            Latin1 => "ISO-8859-1",
            Windows1252 => "WINDOWS-1252",
            Mixed => return None,
        })
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Utf16 | Utf16Le | Utf16Be => "UTF-16",
            Utf32 => "UTF-32",
            Latin1 => "ISO-8859-1 (Latin-1), most likely",
            Windows1252 => "Windows-1252, most likely",
            Mixed => "a mixture of encodings, which an editor has to correct",
        })
    }
}

/// Finds UTF-16 without a byte order mark: every other byte of its ASCII characters is zero.
fn without_mark(bytes: &[u8]) -> Option<Encoding> {
    let zeros = |first: usize| bytes.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let is_most = |zeros: usize| zeros * 4 > bytes.len();
    match (zeros(0), zeros(1)) {
        (0, low_first) if is_most(low_first) => Some(Utf16Le),
        (high_first, 0) if is_most(high_first) => Some(Utf16Be),
        _ => None,
    }
}

/// Returns whether a program has appended text in another encoding: the file does not end with an ASCII character.
fn has_narrow_end(bytes: &[u8], wide: Encoding) -> bool {
    let is_high_first = wide == Utf16Be || bytes.starts_with(&[0xfe, 0xff]);
    let (pairs, rest) = bytes.as_chunks::<2>();
    let [first, second] = pairs.last().copied().unwrap_or_default();
    let (high, low) = if is_high_first { (first, second) } else { (second, first) };
    !rest.is_empty() || high != 0 || !low.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Option<(Encoding, usize)>) {
        assert_eq!(Encoding::of(bytes), expected, "{bytes:?}");
    }

    fn wide(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(to_bytes).collect()
    }

    #[test]
    fn encodings_are_found_by_their_bytes() {
        check(b"", None);
        check("NAME=caf\u{e9}\n".as_bytes(), None);
        check(b"\xef\xbb\xbfA=1\n", None);
        // A single NUL is one bad character, not an encoding.
        check(b"A=1\0\nB=22\n", None);
        check(&wide("\u{feff}A=1\n", u16::to_le_bytes), Some((Utf16, 1)));
        check(&wide("\u{feff}A=1\n", u16::to_be_bytes), Some((Utf16, 1)));
        check(&wide("A=1\nB=\u{e9}\n", u16::to_le_bytes), Some((Utf16Le, 1)));
        check(&wide("A=1\nB=2\n", u16::to_be_bytes), Some((Utf16Be, 1)));
        check(b"\xff\xfe\0\0A\0\0\0", Some((Utf32, 1)));
        check(b"A=1\nNAME=caf\xe9\n", Some((Latin1, 2)));
        check(b"A=1\n\nNAME=\x93x\x94\n", Some((Windows1252, 3)));
        // A mixture, as after an editor or a program that appends.
        check(
            "A=\u{e9}\nB=".as_bytes().iter().chain(b"\xe9\n").copied().collect::<Vec<_>>().as_slice(),
            Some((Mixed, 2)),
        );
        check(&[wide("\u{feff}A=1\n", u16::to_le_bytes), b"B=2\n".to_vec()].concat(), Some((Mixed, 1)));
        check(&[wide("\u{feff}A=1\n", u16::to_le_bytes), b"B=22\n".to_vec()].concat(), Some((Mixed, 1)));
        // Cut off in the middle of a character.
        check(b"NAME=caf\xc3", Some((Latin1, 1)));
    }
}
