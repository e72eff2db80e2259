//! Quoting: the form of a value that python-dotenv, Compose, systemd, bash and dotenvy all read back exactly.
//!
//! `docker run --env-file` takes quotes as part of the value, so that it reads only the bare form. Of the quoted forms,
//! django-environ and python-decouple read one line only; django-environ takes `$` at the start for a reference and removes
//! double quotes within single ones, python-decouple resolves no escapes. [`EnvFile::disagreements`](crate::EnvFile) finds
//! these.

use crate::error::ValueError;

/// A string of this many bytes, `KEY=value` with its final NUL, is refused by `execve`.
pub(crate) const EXEC_LIMIT: usize = 131_072;

/// Writes `value` so that python-dotenv, Docker Compose, systemd, bash and dotenvy read exactly `value`.
///
/// The result is bare, in single quotes, or in double quotes, in this order of preference.
///
/// # Errors
///
/// For some values no form exists that all five read alike. The error names the characters that stand in the way.
///
/// ```
/// assert_eq!(envfile::encode("plain")?, "plain");
/// assert_eq!(envfile::encode("two words, $5")?, "'two words, $5'");
/// assert_eq!(envfile::encode("it's")?, "\"it's\"");
/// assert_eq!(envfile::encode("it's $5").unwrap_err().to_string(), "no reader-independent form for a value with `'` and `$`");
/// # Ok::<(), envfile::ValueError>(())
/// ```
pub fn encode(value: &str) -> Result<String, ValueError> {
    if let Some(c) = value.chars().find(|&c| c == '\0' || c == '\r' || is_noncharacter(c)) {
        return Err(ValueError::Character(c));
    }
    // `K=` and the final NUL are the least that surrounds a value.
    if value.len() + 3 > EXEC_LIMIT {
        return Err(ValueError::TooLong(value.len()));
    }
    if is_bare(value) {
        Ok(value.to_owned())
    } else if is_single_quotable(value) {
        Ok(format!("'{value}'"))
    } else if !value.contains(['$', '`']) {
        Ok(in_double_quotes(value))
    } else {
        Err(ValueError::NoForm(conflict(value)))
    }
}

/// Writes `value` so that systemd parses exactly `value` (`EnvironmentFile=`), even if other readers do not.
///
/// The form of [`encode`] where there is one; else double quotes, in which systemd expands nothing.
///
/// # Errors
///
/// For a value that systemd, or the system, cannot hand to a program.
///
/// ```
/// assert_eq!(envfile::encode_for_systemd("it's $5")?, r#""it's $5""#);
/// # Ok::<(), envfile::ValueError>(())
/// ```
pub fn encode_for_systemd(value: &str) -> Result<String, ValueError> {
    match encode(value) {
        Err(ValueError::NoForm(_) | ValueError::Character('\r')) if !value.contains(is_refused_by_systemd) => {
            Ok(in_double_quotes(value))
        }
        result => result,
    }
}

fn is_refused_by_systemd(c: char) -> bool {
    c == '\0' || is_noncharacter(c)
}

pub(crate) fn in_double_quotes(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

fn is_bare(value: &str) -> bool {
    value.chars().all(|c| c.is_ascii_alphanumeric() || "_./:@%+,=-".contains(c))
}

fn is_single_quotable(value: &str) -> bool {
    !value.contains('\'') && !value.contains("\\\\") && !value.ends_with('\\') && !has_interpolation(value)
}

/// Returns the reasons why `value` fits in neither kind of quotes: a text for each kind.
fn conflict(value: &str) -> Vec<&'static str> {
    if has_interpolation(value) {
        return vec!["${…}"];
    }
    let no_single = if value.contains('\'') {
        "'"
    } else if value.contains("\\\\") {
        "\\\\"
    } else {
        "a final \\"
    };
    let no_double = if value.contains('$') { "$" } else { "`" };
    vec![no_single, no_double]
}

/// systemd refuses a file with one of the 66 code points that Unicode sets aside as no characters.
pub(crate) fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{FDD0}'..='\u{FDEF}') || (u32::from(c) & 0xFFFE) == 0xFFFE
}

/// A piece of a value as python-dotenv splits it, in single quotes too.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    /// `${name}` or `${name:-default}`.
    Variable {
        name: &'a str,
        default: Option<&'a str>,
    },
}

/// Splits a value at its `${name}` and `${name:-default}`.
pub(crate) fn pieces(value: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut text_start, mut search) = (0, 0);
    // Behind the last `}` there is nothing to find.
    let end = value.rfind('}').unwrap_or_default();
    while let Some(found) = value[search..].find("${").filter(|found| search + found < end) {
        let start = search + found;
        match variable(&value[start + 2..]) {
            Some((piece, len)) => {
                if start > text_start {
                    pieces.push(Piece::Text(&value[text_start..start]));
                }
                pieces.push(piece);
                text_start = start + 2 + len;
                search = text_start;
            }
            None => search = start + 2,
        }
    }
    if text_start < value.len() {
        pieces.push(Piece::Text(&value[text_start..]));
    }
    pieces
}

/// The variable whose name starts `text`, and the length up to and with its `}`.
fn variable(text: &str) -> Option<(Piece<'_>, usize)> {
    let name_end = text.find(['}', ':'])?;
    let name = &text[..name_end];
    let rest = &text[name_end..];
    if rest.starts_with('}') {
        return Some((Piece::Variable { name, default: None }, name_end + 1));
    }
    let default = rest.strip_prefix(":-")?;
    let default_end = default.find('}')?;
    let len = name_end + 2 + default_end + 1;
    Some((Piece::Variable { name, default: Some(&default[..default_end]) }, len))
}

/// Whether python-dotenv would replace a part of `value`, however it is quoted.
pub(crate) fn has_interpolation(value: &str) -> bool {
    value.contains("${") && pieces(value).iter().any(|piece| matches!(piece, Piece::Variable { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: Result<&str, &str>) {
        let actual = encode(value).map_err(|error| error.to_string());
        assert_eq!(actual.as_deref().map_err(String::as_str), expected, "{value:?}");
    }

    #[test]
    fn bare() {
        for value in ["", "abc", "redis://:p@h:6379/0", "a=b==", "50%", "a,b"] {
            check(value, Ok(value));
        }
    }

    #[test]
    fn single_quotes_take_almost_all() {
        check("a b", Ok("'a b'"));
        check("$5 `id` \"x\" #!", Ok("'$5 `id` \"x\" #!'"));
        check("a\\d\t\u{1}\n", Ok("'a\\d\t\u{1}\n'"));
        check("${open", Ok("'${open'"));
        check("é🚀", Ok("'é🚀'"));
    }

    #[test]
    fn double_quotes_take_the_rest() {
        check("it's", Ok("\"it's\""));
        check("C:\\dir\\", Ok("\"C:\\\\dir\\\\\""));
        check("a\\\\b\"", Ok("\"a\\\\\\\\b\\\"\""));
    }

    #[test]
    fn no_form() {
        check("it's $5", Err("no reader-independent form for a value with `'` and `$`"));
        check("\\\\ `", Err("no reader-independent form for a value with `\\\\` and ```"));
        check("$\\", Err("no reader-independent form for a value with `a final \\` and `$`"));
        check("a${B}c", Err("no reader-independent form for a value with `${…}`"));
        check("${B:-}", Err("no reader-independent form for a value with `${…}`"));
        check("a\rb", Err("a value cannot hold the character U+000D"));
        check("\u{FFFF}", Err("a value cannot hold the character U+FFFF"));
        check(&"x".repeat(EXEC_LIMIT), Err("a value of 131072 bytes is too long for a variable"));
    }

    #[test]
    fn pieces_of_a_value() {
        let variable = |name, default| Piece::Variable { name, default };
        assert_eq!(pieces("a${B}c"), [Piece::Text("a"), variable("B", None), Piece::Text("c")]);
        assert_eq!(pieces("${B:-}${C:-x:y}"), [variable("B", Some("")), variable("C", Some("x:y"))]);
        assert_eq!(pieces("${${x}"), [variable("${x", None)]);
        assert_eq!(pieces("${a:b}"), [Piece::Text("${a:b}")]);
        assert_eq!(pieces("${a:${b}"), [Piece::Text("${a:"), variable("b", None)]);
    }
}
