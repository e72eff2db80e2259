//! The line editor of prompts: rustyline, with a hidden field and a step back.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::termios::tcgetwinsize;
use rustyline::completion::Completer;
use rustyline::config::{Behavior, BellStyle, ColorMode};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{
    Cmd, ConditionalEventHandler, Config, Editor, Event, EventContext, EventHandler, Helper, KeyCode, KeyEvent,
    Modifiers, RepeatCount,
};
use unicode_width::UnicodeWidthStr;

/// How far the bytes of one key may be apart, in milliseconds: a slow connection splits the sequence of an arrow key.
const SAME_KEY: u16 = 100;
/// The width of a terminal that does not report one.
const COLUMNS: usize = 80;
/// The control keys that have a meaning in a shell and none at a prompt. Ctrl-Z would leave a prompt behind, and Ctrl-Y show a
/// secret that was erased in the question before.
const IGNORED: [char; 15] = ['G', 'I', 'L', 'N', 'O', 'Q', 'R', 'S', 'V', 'X', 'Y', 'Z', '@', ']', '_'];

/// A line of input, or another end of the question.
pub(super) enum Input {
    Line(String),
    /// Up, Shift-Tab or Ctrl-P.
    Back,
    /// Ctrl-C, Escape, Ctrl-D in an empty line, or the terminal is gone.
    Interrupted,
}

/// How a line is read.
pub(super) struct Field<'a> {
    pub(super) prompt: &'a str,
    /// The prompt with colours.
    pub(super) shown_prompt: &'a str,
    /// The text that is there to be edited.
    pub(super) initial: &'a str,
    /// Whether each character is shown as `*`.
    pub(super) is_hidden: bool,
    pub(super) can_go_back: bool,
}

thread_local! {
    /// One for all questions: it keeps what was typed ahead.
    static EDITOR: RefCell<Option<Line>> = const { RefCell::new(None) };
}

/// Reads a line from the terminal.
pub(super) fn read(field: &Field<'_>) -> io::Result<Input> {
    EDITOR.with_borrow_mut(|editor| {
        let line = match editor {
            Some(line) => line,
            None => editor.insert(Line::open().map_err(io::Error::other)?),
        };
        line.read(field)
    })
}

/// Returns the width of the terminal of standard error.
pub(crate) fn columns() -> usize {
    match tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => COLUMNS,
    }
}

/// The editor, and the wish to go back.
struct Line {
    editor: Editor<Look, MemHistory>,
    can_go_back: Arc<AtomicBool>,
    goes_back: Arc<AtomicBool>,
}

impl Line {
    fn open() -> rustyline::Result<Self> {
        // Standard output can be a file. The look hides secrets, with colours or not.
        let config = Config::builder()
            .behavior(Behavior::PreferTerm)
            .color_mode(ColorMode::Forced)
            .bell_style(BellStyle::None)
            .keyseq_timeout(Some(SAME_KEY))
            .build();
        let mut editor = Editor::with_history(config, MemHistory::new())?;
        editor.set_helper(Some(Look::default()));
        let (can_go_back, goes_back) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let back = || {
            let step = StepBack { is_possible: Arc::clone(&can_go_back), is_wanted: Arc::clone(&goes_back) };
            EventHandler::Conditional(Box::new(step))
        };
        for key in IGNORED {
            editor.bind_sequence(KeyEvent::ctrl(key), Cmd::Noop);
        }
        let plain = |code| KeyEvent(code, Modifiers::NONE);
        for key in [plain(KeyCode::Up), plain(KeyCode::BackTab), KeyEvent::ctrl('P')] {
            editor.bind_sequence(key, back());
        }
        for code in [KeyCode::Down, KeyCode::PageUp, KeyCode::PageDown, KeyCode::Tab, KeyCode::Insert] {
            editor.bind_sequence(plain(code), Cmd::Noop);
        }
        editor.bind_sequence(plain(KeyCode::Esc), Cmd::Interrupt);
        Ok(Line { editor, can_go_back, goes_back })
    }

    fn read(&mut self, field: &Field<'_>) -> io::Result<Input> {
        self.can_go_back.store(field.can_go_back, Ordering::Relaxed);
        self.goes_back.store(false, Ordering::Relaxed);
        if let Some(look) = self.editor.helper_mut() {
            *look = Look { prompt: field.shown_prompt.to_owned(), is_hidden: field.is_hidden };
        }
        let read = self.editor.readline_with_initial(field.prompt, (field.initial, ""));
        match read {
            Ok(line) => Ok(Input::Line(line)),
            Err(ReadlineError::Interrupted) if self.goes_back.load(Ordering::Relaxed) => Ok(Input::Back),
            // The last one is a terminal that has hung up.
            Err(ReadlineError::Interrupted | ReadlineError::Eof | ReadlineError::Errno(_)) => Ok(Input::Interrupted),
            Err(ReadlineError::Io(error)) => Err(error),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

/// Goes one question back, where there is one.
struct StepBack {
    is_possible: Arc<AtomicBool>,
    is_wanted: Arc<AtomicBool>,
}

impl ConditionalEventHandler for StepBack {
    fn handle(&self, _event: &Event, _count: RepeatCount, _positive: bool, _context: &EventContext<'_>) -> Option<Cmd> {
        if !self.is_possible.load(Ordering::Relaxed) {
            return Some(Cmd::Noop);
        }
        self.is_wanted.store(true, Ordering::Relaxed);
        Some(Cmd::Interrupt)
    }
}

/// The look of a line: the prompt with its colours, and stars for a secret.
#[derive(Default)]
struct Look {
    prompt: String,
    is_hidden: bool,
}

impl Helper for Look {}
impl Hinter for Look {
    type Hint = String;
}
impl Validator for Look {}
impl Completer for Look {
    type Candidate = String;
}

impl Highlighter for Look {
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        if self.is_hidden { "*".repeat(line.width()).into() } else { line.into() }
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, _prompt: &'p str, _default: bool) -> Cow<'b, str> {
        self.prompt.as_str().into()
    }

    fn highlight_char(&self, _line: &str, _pos: usize, _kind: CmdKind) -> bool {
        self.is_hidden
    }
}
