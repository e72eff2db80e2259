//! The comparison by which settings turn a text into a switch.

use crate::settings_code::literals;

/// Words for on with their counterparts.
pub(super) const WORDS: [(&str, &str); 12] = [
    ("1", "0"),
    ("true", "false"),
    ("True", "False"),
    ("TRUE", "FALSE"),
    ("yes", "no"),
    ("Yes", "No"),
    ("YES", "NO"),
    ("on", "off"),
    ("On", "Off"),
    ("ON", "OFF"),
    ("t", "f"),
    ("y", "n"),
];

/// The words that a statement compares a switch with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Comparison {
    /// One of these words.
    Words {
        words: Vec<&'static str>,
        /// Whether any other value than these words is on.
        is_negated: bool,
        ignores_case: bool,
    },
    /// Any text but the empty one is on.
    AnyText,
}

impl Comparison {
    /// Returns the comparison with words that mean on or off: in the part of the statement that reads `name`, else in the
    /// function that it calls.
    pub(super) fn of(statement: &str, name: &str, returned: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let value = statement.split_once('=').map_or(statement, |(_, value)| value);
        let (part, before) = part_with(value, name)?;
        // `not x == "False"`, and `False if x == "False" else True`.
        let is_inverted = part.trim_start().starts_with("not ") || before.trim_end().ends_with("False");
        if let Some(words) = Self::words(part, is_inverted) {
            return Some(words);
        }
        let part = ["!= \"\"", "!= ''"].iter().fold(part.trim(), |part, end| part.strip_suffix(end).unwrap_or(part));
        if is_read_as_it_is(part, name) {
            return Some(Comparison::AnyText);
        }
        returned(function_of(part, name)?).and_then(|body| Self::words(&body, false))
    }

    fn words(part: &str, is_inverted: bool) -> Option<Self> {
        let ignores_case = [".lower()", ".upper()", ".casefold()"].iter().any(|call| part.contains(call));
        for (operator, is_negated) in [("!=", true), (" not in ", true), ("==", false), (" in ", false)] {
            let Some((before, after)) = part.split_once(operator) else { continue };
            let after = after.trim_start();
            let literals = match after.chars().next() {
                Some('(' | '[' | '{') => literals(group(after)),
                Some('"' | '\'') => literals(after).into_iter().take(1).collect(),
                // `"True" == os.environ[...]`.
                _ => literals(before).into_iter().next_back().into_iter().collect(),
            };
            let known = |literal: &str| WORDS.into_iter().flat_map(|(on, off)| [on, off]).find(|word| *word == literal);
            let words: Vec<_> = literals.into_iter().filter_map(known).collect();
            if !words.is_empty() {
                return Some(Comparison::Words { words, is_negated: is_negated != is_inverted, ignores_case });
            }
        }
        None
    }

    /// Returns the words for on and off: the first pair with a word that the statement names, `1` and `0` above all.
    pub(super) fn switch(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Comparison::Words { words, is_negated, .. } => {
                WORDS.into_iter().find(|(on, off)| words.contains(if *is_negated { off } else { on }))
            }
            Comparison::AnyText => Some(("1", "")),
        }
    }

    /// Returns whether a value is on; `None` for an empty one that the default of the settings may replace.
    pub(super) fn is_on(&self, value: &str) -> Option<bool> {
        match self {
            Comparison::AnyText => Some(!value.is_empty()),
            Comparison::Words { .. } if value.trim().is_empty() => None,
            Comparison::Words { words, is_negated, ignores_case } => {
                let is_same =
                    |word: &&str| if *ignores_case { word.eq_ignore_ascii_case(value) } else { *word == value };
                Some(words.iter().any(is_same) != *is_negated)
            }
        }
    }
}

/// Returns the operand of `and`, `or` and `if` in which a name is read, with the text before it if that is the value of an
/// `if`.
fn part_with<'a>(value: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let at = ["'", "\""].iter().find_map(|quote| value.find(&format!("{quote}{name}{quote}")))?;
    let separators = [" and ", " or ", " if ", " else "];
    let begins = separators.iter().filter_map(|separator| Some((value[..at].rfind(separator)?, *separator)));
    let (start, before) = match begins.max_by_key(|(begin, _)| *begin) {
        Some((begin, separator)) => (begin + separator.len(), if separator == " if " { &value[..begin] } else { "" }),
        None => (0, ""),
    };
    let end = separators.iter().filter_map(|separator| value[at..].find(separator)).min();
    Some((&value[start..end.map_or(value.len(), |end| at + end)], before))
}

/// Returns the text up to the bracket that closes the first one.
fn group(text: &str) -> &str {
    let end = text.find([')', ']', '}']).unwrap_or(text.len());
    &text[..end]
}

/// Calls that return the text of a variable.
const READERS: [&str; 5] = ["os.environ.get", "environ.get", "os.getenv", "getenv", "config"];

/// Returns whether an expression is the text of a variable, possibly in `bool(…)`: any text is on.
fn is_read_as_it_is(part: &str, name: &str) -> bool {
    let part = part.trim();
    let inner = part.strip_prefix("bool(").and_then(|part| part.strip_suffix(')')).unwrap_or(part).trim();
    let is_reader = |reader: &str| READERS.contains(&reader.trim());
    match inner.split_once(['(', '[']) {
        Some((reader @ ("os.environ" | "environ"), rest)) => {
            inner[reader.len()..].starts_with('[') && rest.ends_with(']') && rest.contains(name)
        }
        Some((reader, rest)) => {
            is_reader(reader) && rest.ends_with(')') && !rest.contains("cast") && !rest.contains(").")
        }
        None => false,
    }
}

/// Returns the function whose first argument is the name.
pub(super) fn function_of<'a>(part: &'a str, name: &str) -> Option<&'a str> {
    let at = ["'", "\""].iter().find_map(|quote| part.find(&format!("{quote}{name}{quote}")))?;
    let before = part[..at].trim_end().strip_suffix('(')?;
    let start = before.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
    Some(&before[start..]).filter(|function| !function.is_empty())
}
