//! One question: it is drawn, edited, checked, and asked again until its answer can be taken.

use std::io::{self, Write};
use std::sync::OnceLock;

use checks::report::{BOLD, Colors, DIM, RED};

use super::editor::{Field, Input, columns, read};
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
        for help in wrap(self.help, columns()).filter(|_| !self.help.is_empty()) {
            write(&format!("{}\n", colors.style(DIM, help)))?;
        }
        let (prompt, shown_prompt) = self.prompt(colors)?;
        let mut initial = self.initial.to_owned();
        loop {
            let field = Field {
                prompt: &prompt,
                shown_prompt: &shown_prompt,
                initial: &initial,
                is_hidden: self.is_hidden,
                can_go_back,
            };
            let typed = match read(&field)? {
                Input::Line(typed) => typed,
                Input::Back => return Err(Left::Back),
                Input::Interrupted => return Err(Left::Interrupted),
            };
            // A paste has the line breaks of its text.
            let answer = typed.trim().to_owned();
            let several = answer.contains(['\n', '\r']).then(|| SEVERAL_LINES.to_owned());
            match several.map_or_else(|| (self.check)(&answer), Err) {
                Ok(()) => {
                    let rows = (width(&prompt) + width(&typed)) / columns() + 1;
                    let shown = printable(&(self.shown)(&answer));
                    // Where the answer was typed, its final form stays.
                    write(&format!("\x1b[{rows}A\r\x1b[J{shown_prompt}{shown}\n"))?;
                    return Ok(answer);
                }
                Err(reason) => {
                    for reason in wrap(&reason, columns()) {
                        write(&format!("{}\n", colors.style(RED, reason)))?;
                    }
                    initial = if self.keeps_rejected && !answer.contains('\n') { answer } else { String::new() };
                }
            }
        }
    }

    /// Returns the beginning of the line, plain and with colours. A question that leaves too little of it is written above.
    fn prompt(&self, colors: Colors) -> io::Result<(String, String)> {
        let message = format!("? {}", self.message);
        let default = if self.default.is_empty() { String::new() } else { format!("({}) ", printable(self.default)) };
        if width(&message) + width(&default) + 1 + NARROWEST_FIELD <= columns() {
            let shown = format!("{} {}", colors.style(BOLD, &message), colors.style(DIM, &default));
            return Ok((format!("{message} {default}"), shown));
        }
        for part in wrap(&message, columns()) {
            write(&format!("{}\n", colors.style(BOLD, part)))?;
        }
        let shown = colors.style(DIM, &default);
        Ok((default, shown))
    }
}

/// Refuses a pasted text: one answer is one line.
const SEVERAL_LINES: &str = "the pasted text has several lines, and an answer is one line";

fn write(text: &str) -> io::Result<()> {
    let mut stderr = io::stderr();
    stderr.write_all(text.as_bytes())?;
    stderr.flush()
}

/// A value of a file can have lines, and characters that move the cursor.
fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}
