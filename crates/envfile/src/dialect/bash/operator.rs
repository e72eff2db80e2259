//! The operators between the words of a bash command, and the errors that bash finds in them before it executes anything.

use crate::cursor::Cursor;

/// An operator that bash does not expect.
pub(super) struct SyntaxError;

/// The operators of one command so far.
pub(super) struct Operators {
    /// The brackets that are open.
    depth: usize,
    /// Whether a command can begin here, and so a subshell.
    is_at_start: bool,
}

impl Default for Operators {
    fn default() -> Self {
        Operators { depth: 0, is_at_start: true }
    }
}

impl Operators {
    /// Notes that a word was read.
    pub(super) fn follow_word(&mut self) {
        self.is_at_start = false;
    }

    /// Takes the operator that is next.
    pub(super) fn take(&mut self, cursor: &mut Cursor<'_>) -> Result<(), SyntaxError> {
        let is_array = cursor.text[..cursor.pos].ends_with('=');
        let is_at_start = std::mem::replace(&mut self.is_at_start, true);
        match cursor.bump() {
            Some('(') => {
                self.depth += 1;
                // An array, a subshell, or a function.
                expect(is_array || is_at_start || cursor.peek() == Some(')'))
            }
            Some(')') => {
                let is_open = self.depth > 0;
                self.depth = self.depth.saturating_sub(1);
                expect(is_open)
            }
            Some(first @ ('<' | '>')) => {
                self.is_at_start = false;
                // A process substitution is a word.
                if cursor.peek() == Some('(') {
                    cursor.bump();
                    self.depth += 1;
                    return Ok(());
                }
                // `<<`, `<<<`, `<>`, `<&`, `>>`, `>&`, `>|`
                if cursor.peek().is_some_and(|next| next == first || "<>&|".contains(next)) {
                    cursor.bump();
                    _ = cursor.eat('<');
                }
                let next = next(cursor);
                expect(next.is_some_and(|next| !";&|<>)\n".contains(next)))
            }
            Some(';') => expect(next(cursor).is_none_or(|next| !";&|".contains(next))),
            Some('&') => {
                let is_and = cursor.eat('&');
                let is_redirection = !is_and && cursor.peek() == Some('>');
                expect(is_redirection || next(cursor).is_none_or(|next| !";&|".contains(next)))
            }
            // The command may go on in the next line.
            Some('|') => {
                if !cursor.eat('|') {
                    _ = cursor.eat('&');
                }
                expect(next(cursor).is_none_or(|next| !";&|)".contains(next)))
            }
            _ => Ok(()),
        }
    }
}

fn expect(is_expected: bool) -> Result<(), SyntaxError> {
    if is_expected { Ok(()) } else { Err(SyntaxError) }
}

/// Returns the character after blanks.
fn next(cursor: &Cursor<'_>) -> Option<char> {
    let mut ahead = cursor.clone();
    ahead.take_while(|c| matches!(c, ' ' | '\t'));
    ahead.peek()
}

#[cfg(test)]
mod tests {
    use crate::{EnvFile, Reader, Reading};

    /// As bash 5.2 reads `text`, and then `B=2` on the next line.
    #[track_caller]
    fn check(text: &str, is_lost: bool) {
        let file = EnvFile::parse(format!("{text}\nB=2\n").as_bytes());
        let found = file.disagreements(&[Reader::PythonDotenv, Reader::Bash]);
        let readings = found.iter().flat_map(|disagreement| &disagreement.readings);
        let is_refused =
            readings.into_iter().any(|(reader, reading)| *reader == Reader::Bash && *reading == Reading::Refused);
        assert_eq!(is_refused, is_lost, "{text}: {found:?}");
        // The line below is lost with it, or is read as all others read it.
        assert!(found.iter().all(|disagreement| disagreement.line == 1), "{text}: {found:?}");
    }

    #[test]
    fn syntax_errors_lose_the_rest_of_the_file() {
        for text in [
            "A=Shop <a@b.org>",
            "A=x (y)",
            "A=x)",
            "A=1 >",
            "A=1;;",
            "A=1; ;",
            "A=x &&& y",
            "A=x (",
            "A=<b>",
            "A=x | | y",
        ] {
            check(text, true);
        }
    }

    #[test]
    fn commands_with_operators_lose_nothing() {
        for text in [
            "A=1 > file",
            "A=1 >> file x",
            "A=x & B=3",
            "A=x && B=3",
            "A=(x y)",
            "A=1 2>&1",
            "A=x <(true)",
            "A=a|b",
            "A=a||b",
            "A=x < in",
            "f() { true; }",
            "A=x;(true)",
            "A=1 ;",
            "A=1 &",
            "A=a>b",
            "A=Tom & Jerry",
            "A=x <<< y",
            "A=x &> y",
        ] {
            check(text, false);
        }
    }
}
