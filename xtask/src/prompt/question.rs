//! One question: it is drawn, edited, checked, and asked again until its answer can be taken.

use std::io;
use std::sync::OnceLock;

use checks::report::{BOLD, Colors, DIM, RED};

use super::keys::Key;
use super::line::Line;
use super::terminal::{Terminal, columns};
use crate::wrap::{width, wrap};

/// The narrowest field that is worth typing into; a longer question stands on lines of its own.
const NARROWEST_FIELD: usize = 24;

static HAS_COLOR: OnceLock<bool> = OnceLock::new();

/// Sets whether prompts are coloured.
pub(crate) fn use_colors(has_color: bool) {
    // A run has one terminal.
    let _ = HAS_COLOR.set(has_color);
}

/// A question, and what is done with its answer.
pub(super) struct Question<'a> {
    pub(super) message: &'a str,
    /// The answer of Enter, in parentheses.
    pub(super) default: &'a str,
    /// A line above the question.
    pub(super) help: &'a str,
    /// The text that is there to be edited.
    pub(super) initial: &'a str,
    /// Whether each character is shown as `*`.
    pub(super) is_hidden: bool,
    /// Whether a rejected text stays, to be corrected. A word is typed again.
    pub(super) keeps_rejected: bool,
    /// Returns the reason why an answer cannot be taken.
    pub(super) check: &'a dyn Fn(&str) -> Result<(), String>,
    /// The answer, as it stays on the terminal.
    pub(super) shown: &'a dyn Fn(&str) -> String,
}

/// Why there is no answer.
pub(super) enum Left {
    /// Ctrl-C, Ctrl-D or Esc, or the terminal is gone.
    Interrupted,
    Back,
    Failed(io::Error),
}

impl From<io::Error> for Left {
    fn from(error: io::Error) -> Self {
        Left::Failed(error)
    }
}

impl<'a> Question<'a> {
    pub(super) fn new(message: &'a str, check: &'a dyn Fn(&str) -> Result<(), String>) -> Self {
        let (default, help, initial) = ("", "", "");
        Question {
            message,
            default,
            help,
            initial,
            is_hidden: false,
            keeps_rejected: false,
            check,
            shown: &|text| text.to_owned(),
        }
    }

    /// Asks until there is an answer that can be taken; returns it without blanks around it.
    pub(super) fn ask(&self, can_go_back: bool) -> Result<String, Left> {
        let colors = Colors { has_color: HAS_COLOR.get().copied().unwrap_or(false) };
        let terminal = Terminal::open()?;
        for help in wrap(self.help, columns()).filter(|_| !self.help.is_empty()) {
            terminal.write(&format!("{}\n", colors.style(DIM, help)))?;
        }
        let prompt = self.prompt(colors, &terminal)?;
        let mut line = Line::of(self.initial);
        loop {
            self.draw(&prompt, &line, &terminal)?;
            let refused = match terminal.key()? {
                Key::Enter => {
                    let answer = line.text().trim().to_owned();
                    match (self.check)(&answer) {
                        Ok(()) => {
                            let shown = printable(&(self.shown)(&answer));
                            terminal.draw(&format!("{prompt}{shown}"), 0)?;
                            terminal.write("\n")?;
                            return Ok(answer);
                        }
                        Err(reason) => Some(reason),
                    }
                }
                Key::Paste(text) => line.paste(&text).err().map(str::to_owned),
                Key::EndOfInput if !line.is_empty() => {
                    line.edit(&Key::EndOfInput);
                    None
                }
                Key::Interrupt | Key::EndOfInput | Key::Escape | Key::Closed => {
                    terminal.write("\n")?;
                    return Err(Left::Interrupted);
                }
                Key::Back if can_go_back => {
                    terminal.write("\n")?;
                    return Err(Left::Back);
                }
                key => {
                    line.edit(&key);
                    None
                }
            };
            if let Some(reason) = refused {
                terminal.write("\n")?;
                for reason in wrap(&reason, columns()) {
                    terminal.write(&format!("{}\n", colors.style(RED, reason)))?;
                }
                if !self.keeps_rejected {
                    line = Line::default();
                }
            }
        }
    }

    /// Returns the beginning of the line. A question that leaves too little of it is written above.
    fn prompt(&self, colors: Colors, terminal: &Terminal) -> io::Result<String> {
        let message = format!("? {}", self.message);
        let default = if self.default.is_empty() { String::new() } else { format!("({}) ", printable(self.default)) };
        if width(&message) + width(&default) + 1 + NARROWEST_FIELD <= columns() {
            return Ok(format!("{} {}", colors.style(BOLD, message), colors.style(DIM, default)));
        }
        for part in wrap(&message, columns()) {
            terminal.write(&format!("{}\n", colors.style(BOLD, part)))?;
        }
        Ok(colors.style(DIM, default))
    }

    fn draw(&self, prompt: &str, line: &Line, terminal: &Terminal) -> io::Result<()> {
        let before = width(prompt);
        let (shown, cursor) = line.window(columns().saturating_sub(before), self.is_hidden);
        terminal.draw(&format!("{prompt}{shown}"), before + cursor)
    }
}

/// A value of a file can have lines, and characters that move the cursor.
fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}
