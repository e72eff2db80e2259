//! The keys of a terminal, parsed from the bytes that it sends.

use std::io;

/// A key, or a pasted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Enter,
    Backspace,
    Delete,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    EraseToStart,
    EraseToEnd,
    EraseWord,
    EraseNextWord,
    /// To the question before: Up, Shift-Tab or Ctrl-P.
    Back,
    Interrupt,
    /// Ctrl-D, which deletes within a text.
    EndOfInput,
    Escape,
    Paste(String),
    /// The terminal is gone.
    Closed,
    /// Any other key.
    Ignored,
}

/// How long to wait for the next byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    Forever,
    /// As long as the bytes of one key may be apart.
    SameKey,
}

/// Returns the next byte; `None` at the end of the input, or if there was none in time.
pub(super) type NextByte<'a> = &'a mut dyn FnMut(Wait) -> io::Result<Option<u8>>;

const ESC: u8 = 0x1b;
const PASTE_END: &[u8] = b"\x1b[201~";

/// Reads one key.
pub(super) fn read(next: NextByte<'_>) -> io::Result<Key> {
    let Some(byte) = next(Wait::Forever)? else { return Ok(Key::Closed) };
    Ok(match byte {
        b'\r' | b'\n' => Key::Enter,
        0x7f => Key::Backspace,
        ESC => escape(next)?,
        // A control character is its letter without the upper bits.
        0..0x20 => match byte | 0x40 {
            b'A' => Key::Home,
            b'B' => Key::Left,
            b'C' => Key::Interrupt,
            b'D' => Key::EndOfInput,
            b'E' => Key::End,
            b'F' => Key::Right,
            b'H' => Key::Backspace,
            b'K' => Key::EraseToEnd,
            b'P' => Key::Back,
            b'U' => Key::EraseToStart,
            b'W' => Key::EraseWord,
            _ => Key::Ignored,
        },
        _ => character(byte, next)?,
    })
}

fn character(first: u8, next: NextByte<'_>) -> io::Result<Key> {
    let length = match first {
        0..0x80 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf8 => 4,
        // The middle of a character.
        _ => return Ok(Key::Ignored),
    };
    let mut bytes = vec![first];
    while bytes.len() < length {
        let Some(byte) = next(Wait::SameKey)? else { return Ok(Key::Ignored) };
        bytes.push(byte);
    }
    let text = String::from_utf8(bytes).unwrap_or_default();
    Ok(text.chars().next().filter(|c| !c.is_control()).map_or(Key::Ignored, Key::Char))
}

/// The rest of a sequence that Escape begins, or Escape alone.
fn escape(next: NextByte<'_>) -> io::Result<Key> {
    let Some(byte) = next(Wait::SameKey)? else { return Ok(Key::Escape) };
    Ok(match byte {
        ESC => Key::Escape,
        b'[' => control_sequence(next)?,
        // The keypad's mode: one letter.
        b'O' => next(Wait::SameKey)?.map_or(Key::Ignored, |letter| named(letter, "")),
        0x7f | 0x08 => Key::EraseWord,
        b'b' | b'B' => Key::WordLeft,
        b'f' | b'F' => Key::WordRight,
        b'd' | b'D' => Key::EraseNextWord,
        0x80.. => {
            character(byte, next)?;
            Key::Ignored
        }
        _ => Key::Ignored,
    })
}

fn control_sequence(next: NextByte<'_>) -> io::Result<Key> {
    let mut parameters = String::new();
    loop {
        let Some(byte) = next(Wait::SameKey)? else { return Ok(Key::Ignored) };
        match byte {
            // The Linux console has one more letter for its function keys.
            b'[' => {
                next(Wait::SameKey)?;
                return Ok(Key::Ignored);
            }
            b'~' if parameters == "200" => return pasted(next),
            0x40..=0x7e => return Ok(named(byte, &parameters)),
            0x20..0x40 => parameters.push(char::from(byte)),
            _ => return Ok(Key::Ignored),
        }
    }
}

fn named(letter: u8, parameters: &str) -> Key {
    // `1;5` is Ctrl, `1;3` is Alt.
    let is_word = parameters.ends_with(";5") || parameters.ends_with(";3");
    match (letter, parameters) {
        (b'A' | b'Z', _) => Key::Back,
        (b'C', _) if is_word => Key::WordRight,
        (b'D', _) if is_word => Key::WordLeft,
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'H', _) | (b'~', "1" | "7") => Key::Home,
        (b'F', _) | (b'~', "4" | "8") => Key::End,
        (b'~', "3") => Key::Delete,
        _ => Key::Ignored,
    }
}

/// A pasted text, in a terminal that marks its begin and end.
fn pasted(next: NextByte<'_>) -> io::Result<Key> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(PASTE_END) {
        let Some(byte) = next(Wait::Forever)? else { return Ok(Key::Closed) };
        bytes.push(byte);
    }
    bytes.truncate(bytes.len() - PASTE_END.len());
    Ok(Key::Paste(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &[Key]) {
        let mut rest = bytes.iter().copied();
        let mut next = |_| Ok(rest.next());
        let mut keys = Vec::new();
        loop {
            match read(&mut next).expect("no error") {
                Key::Closed => break,
                key => keys.push(key),
            }
        }
        assert_eq!(keys, expected, "{bytes:?}");
    }

    #[test]
    fn keys_of_terminals() {
        check("aé界".as_bytes(), &[Key::Char('a'), Key::Char('é'), Key::Char('界')]);
        check(b"\x01\x05\x15\x0b\x17", &[Key::Home, Key::End, Key::EraseToStart, Key::EraseToEnd, Key::EraseWord]);
        check(b"\x08\x7f\x1b\x7f", &[Key::Backspace, Key::Backspace, Key::EraseWord]);
        check(b"\x1b[A\x1bOA\x1b[Z", &[Key::Back, Key::Back, Key::Back]);
        check(b"\x1b[D\x1b[1;5D\x1bb\x1b[3~", &[Key::Left, Key::WordLeft, Key::WordLeft, Key::Delete]);
        check(b"\x1b[H\x1b[1~\x1bOF\x1b[8~", &[Key::Home, Key::Home, Key::End, Key::End]);
        check(b"\x1b", &[Key::Escape]);
    }

    #[test]
    fn other_controls_and_broken_characters_are_ignored() {
        check(
            b"\0\t\x07\x12\x1a\x1b[15~\x1b[[A\x1bx",
            &[
                Key::Ignored,
                Key::Ignored,
                Key::Ignored,
                Key::Ignored,
                Key::Ignored,
                Key::Ignored,
                Key::Ignored,
                Key::Ignored,
            ],
        );
        check(b"\x80\xff\xc3", &[Key::Ignored, Key::Ignored, Key::Ignored]);
        check("\u{85}a".as_bytes(), &[Key::Ignored, Key::Char('a')]);
    }

    #[test]
    fn a_paste_is_one_key() {
        check(b"\x1b[200~a\r\x1b[Ab\x1b[201~c", &[Key::Paste("a\r\u{1b}[Ab".to_owned()), Key::Char('c')]);
    }
}
