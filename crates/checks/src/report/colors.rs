//! Colours, for those streams that take them.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

use crate::Status;

/// As it should be.
pub const GREEN: Style = AnsiColor::Green.on_default();
/// To be looked at.
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
/// Broken.
pub const RED: Style = AnsiColor::Red.on_default();
/// The style of the most important words.
pub const BOLD: Style = Style::new().bold();
/// The style of details.
pub const DIM: Style = Style::new().dimmed();

/// Whether a stream takes colours.
#[derive(Debug, Clone, Copy)]
pub struct Colors {
    /// Whether it does.
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
