//! The terminal of a prompt: keys from standard input, drawings on standard error.

use std::io::{self, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

use super::keys::{self, Key, Wait};

/// How far the bytes of one key may be apart: a slow connection splits the sequence of an arrow key.
const SAME_KEY: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// The width of a terminal that does not report one.
const COLUMNS: usize = 80;
const PASTE_ON: &str = "\x1b[?2004h";
const PASTE_OFF: &str = "\x1b[?2004l";
const CLEAR_TO_END: &str = "\x1b[K";

/// A terminal that sends each key, and shows none; as it was before when this is dropped.
pub(super) struct Terminal {
    before: Termios,
}

impl Terminal {
    pub(super) fn open() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut modes = before.clone();
        // Signals as well: Ctrl-C at a prompt is an answer.
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
        modes.input_modes -= InputModes::ICRNL | InputModes::INLCR | InputModes::IXON;
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        // `Now` keeps what was typed ahead.
        tcsetattr(io::stdin(), OptionalActions::Now, &modes)?;
        let terminal = Terminal { before };
        terminal.write(PASTE_ON)?;
        Ok(terminal)
    }

    /// Reads a key. It reads byte by byte, so that what was typed ahead is left to the next question.
    #[expect(clippy::unused_self, reason = "keys are read from an open terminal")]
    pub(super) fn key(&self) -> io::Result<Key> {
        keys::read(&mut next_byte)
    }

    #[expect(clippy::unused_self, reason = "an open terminal is written to")]
    pub(super) fn write(&self, text: &str) -> io::Result<()> {
        let mut stderr = io::stderr();
        stderr.write_all(text.as_bytes())?;
        stderr.flush()
    }

    /// Draws the line anew, with the cursor in this column.
    pub(super) fn draw(&self, line: &str, cursor: usize) -> io::Result<()> {
        let right = if cursor == 0 { String::new() } else { format!("\x1b[{cursor}C") };
        self.write(&format!("\r{line}{CLEAR_TO_END}\r{right}"))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no mode.
        let _ = self.write(PASTE_OFF);
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// Returns the width of the terminal of standard error.
pub(crate) fn columns() -> usize {
    match tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => COLUMNS,
    }
}

fn next_byte(wait: Wait) -> io::Result<Option<u8>> {
    if wait == Wait::SameKey {
        let stdin = io::stdin();
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&SAME_KEY)) {
            Ok(0) => return Ok(None),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut byte = [0];
    loop {
        match read(io::stdin(), &mut byte) {
            // The terminal has hung up.
            Ok(0) | Err(Errno::IO) => return Ok(None),
            Ok(_) => return Ok(Some(byte[0])),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
