//! Lines that break between words.

use unicode_width::UnicodeWidthChar;

/// Returns the columns that a text takes on a terminal; the sequences of its styles take none.
pub(crate) fn width(text: &str) -> usize {
    let mut is_style = false;
    let mut columns = 0;
    for c in text.chars() {
        match c {
            '\x1b' => is_style = true,
            'm' if is_style => is_style = false,
            c if !is_style => columns += c.width().unwrap_or_default(),
            _ => {}
        }
    }
    columns
}

/// Breaks the lines of a text between words, so that none is wider than this, except for a word that is. Each new line
/// begins below its first one.
pub(crate) fn wrap(text: &str, columns: usize) -> impl Iterator<Item = String> {
    text.split('\n').flat_map(move |line| wrap_line(line, columns))
}

fn wrap_line(line: &str, columns: usize) -> Vec<String> {
    if width(line) <= columns {
        return vec![line.to_owned()];
    }
    let words = line.trim_start();
    let indent = " ".repeat(line.len() - words.len());
    let mut lines = Vec::new();
    let mut current = indent.clone();
    for word in words.split(' ') {
        let is_first = width(&current) == width(&indent);
        if !is_first && width(&current) + 1 + width(word) > columns {
            lines.push(std::mem::replace(&mut current, format!("{indent}{word}")));
            continue;
        }
        if !is_first {
            current.push(' ');
        }
        current.push_str(word);
    }
    lines.push(current);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(wrap(text, 10).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn lines_break_between_words() {
        check("short", &["short"]);
        check("", &[""]);
        check("one two three", &["one two", "three"]);
        check("  one two three", &["  one two", "  three"]);
        check("a-word-longer-than-that x", &["a-word-longer-than-that", "x"]);
        check("one\ntwo", &["one", "two"]);
        check("\x1b[1mbold\x1b[0m words", &["\x1b[1mbold\x1b[0m words"]);
        check("界界界 界界", &["界界界", "界界"]);
    }
}
