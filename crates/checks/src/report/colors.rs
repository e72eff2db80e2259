//! Colours, for those streams that take them.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

use crate::Status;

/// The style of the status `ok`.
pub const GREEN: Style = AnsiColor::Green.on_default();
/// The style of the status `warn`.
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
/// The style of the status `err`.
pub const RED: Style = AnsiColor::Red.on_default();
/// The style of the most important words.
pub const BOLD: Style = Style::new().bold();
/// The style of details, and of the status `skip`.
pub const DIM: Style = Style::new().dimmed();

/// Whether a stream takes colours.
#[derive(Debug, Clone, Copy)]
pub struct Colors {
    /// Whether the stream is a terminal that shows colours, and nothing like `NO_COLOR` forbids them.
    pub has_color: bool,
}

impl Colors {
    /// The text in a style, where the stream takes it.
    pub fn style(self, style: Style, text: impl Display) -> String {
        if self.has_color { format!("{style}{text}{style:#}") } else { text.to_string() }
    }

    /// The word for a status, padded to this width.
    #[must_use]
    pub fn status(self, status: Status, width: usize) -> String {
        let style = match status {
            Status::Ok => GREEN,
            Status::Warn => YELLOW,
            Status::Err => RED,
            Status::Skip => DIM,
        };
        self.style(style, format_args!("{status:>width$}"))
    }
}
