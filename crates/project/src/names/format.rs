//! How the values of switches and lists of hosts are spelled in the `.env` of a project.

use super::Variable;
use crate::matrix::{parse_switch, switch};
use crate::settings_code::literals;

/// The separator of a list of hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum List {
    #[default]
    Commas,
    Blanks,
    Semicolons,
    Json,
}

/// How the values of a variable are spelled in `.env`.
///
/// The matrix knows `1`, `0` and hosts separated by commas. A project whose settings compare a switch with a word
/// (`== "True"`) or split hosts at blanks would take these for something else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Format {
    /// The words for on and off.
    switch: Option<(&'static str, &'static str)>,
    /// The comparison that decides a switch.
    comparison: Option<Comparison>,
    list: List,
    /// Whether the settings show the form: a form of another source does not replace it.
    is_known: bool,
}

/// The words that a statement compares a switch with.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Comparison {
    words: Vec<&'static str>,
    /// Whether any other value than these words is on.
    is_negated: bool,
    ignores_case: bool,
}

/// Words for on with their counterparts.
const WORDS: [(&str, &str); 12] = [
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

impl Format {
    /// Returns the form that a statement of the settings shows, such as `DEBUG = os.environ["DEBUG"] == "True"`;
    /// comments are cut off.
    #[must_use]
    pub fn of_statement(variable: Variable, statement: &str) -> Self {
        if variable.is_switch() {
            let comparison = Comparison::of(statement);
            let switch = comparison.as_ref().and_then(Comparison::switch);
            return Format { is_known: switch.is_some(), switch, comparison, ..Format::default() };
        }
        let list = match () {
            () if statement.contains("json.loads") => Some(List::Json),
            () if statement.contains(".split()") => Some(List::Blanks),
            () if is_split_at(statement, " ") => Some(List::Blanks),
            () if is_split_at(statement, ";") => Some(List::Semicolons),
            () if is_split_at(statement, ",") => Some(List::Commas),
            () => None,
        };
        Format { is_known: list.is_some(), list: list.unwrap_or_default(), ..Format::default() }
    }

    /// Adopts the form of an example, such as `True` or `a b`, where the settings show none.
    pub fn adopt(&mut self, variable: Variable, example: &str) {
        let example = example.trim();
        if self.is_known || example.is_empty() {
            return;
        }
        if variable.is_switch() {
            self.switch = WORDS.into_iter().find(|(on, off)| [*on, *off].contains(&example));
        } else {
            self.list = match example {
                _ if example.starts_with('[') && example.contains('"') => List::Json,
                _ if example.contains(',') => List::Commas,
                _ if example.contains(';') => List::Semicolons,
                _ if example.contains(char::is_whitespace) => List::Blanks,
                _ => List::Commas,
            };
        }
    }

    /// Returns a value of `.env` as the matrix compares it: a switch as `1` or `0`, hosts separated by commas. A value
    /// in no such form stays as it is.
    #[must_use]
    pub fn canonical(&self, variable: Variable, value: &str) -> String {
        match variable {
            _ if variable.is_switch() => match (&self.comparison, self.switch) {
                (Some(comparison), _) if !value.trim().is_empty() => switch(comparison.is_on(value)).to_owned(),
                (None, Some((on, _))) if value.trim() == on => "1".to_owned(),
                (None, Some((_, off))) if value.trim() == off => "0".to_owned(),
                _ => value.to_owned(),
            },
            Variable::AllowedHosts => match self.list {
                List::Commas => value.to_owned(),
                List::Blanks => value.split_whitespace().collect::<Vec<_>>().join(","),
                List::Semicolons => value.replace(';', ","),
                List::Json => serde_json::from_str::<Vec<String>>(value).map_or(value.to_owned(), |it| it.join(",")),
            },
            _ => value.to_owned(),
        }
    }

    /// Returns the spelling in `.env` of a value of the matrix.
    #[must_use]
    pub fn spelled(&self, variable: Variable, value: &str) -> String {
        match variable {
            _ if variable.is_switch() => match (self.switch, parse_switch(value)) {
                (Some((on, _)), Some(true)) => on.to_owned(),
                (Some((_, off)), Some(false)) => off.to_owned(),
                _ => value.to_owned(),
            },
            Variable::AllowedHosts if self.list != List::Commas => {
                let hosts: Vec<_> = value.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
                match self.list {
                    List::Blanks => hosts.join(" "),
                    List::Semicolons => hosts.join(";"),
                    List::Json => serde_json::Value::from(hosts).to_string(),
                    List::Commas => value.to_owned(),
                }
            }
            _ => value.to_owned(),
        }
    }
}

impl Comparison {
    /// Returns the comparison in a statement with words that mean on or off.
    fn of(statement: &str) -> Option<Self> {
        let ignores_case = [".lower()", ".upper()", ".casefold()"].iter().any(|call| statement.contains(call));
        for (operator, is_negated) in [("!=", true), (" not in ", true), ("==", false), (" in ", false)] {
            let Some((before, after)) = statement.split_once(operator) else { continue };
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
                return Some(Comparison { words, is_negated, ignores_case });
            }
        }
        None
    }

    /// Returns the words for on and off: the first pair with a word that the statement names, `1` and `0` above all.
    fn switch(&self) -> Option<(&'static str, &'static str)> {
        WORDS.into_iter().find(|(on, off)| self.words.contains(if self.is_negated { off } else { on }))
    }

    fn is_on(&self, value: &str) -> bool {
        let is_same = |word: &&&str| if self.ignores_case { word.eq_ignore_ascii_case(value) } else { **word == value };
        self.words.iter().any(|word| is_same(&word)) != self.is_negated
    }
}

/// Returns the text up to the bracket that closes the first one.
fn group(text: &str) -> &str {
    let end = text.find([')', ']', '}']).unwrap_or(text.len());
    &text[..end]
}

fn is_split_at(statement: &str, separator: &str) -> bool {
    ["'", "\""].iter().any(|quote| {
        statement.contains(&format!("split({quote}{separator}{quote}"))
            || statement.contains(&format!("split(sep={quote}{separator}{quote}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variable: Variable, statement: &str, value: &str, expected: &str) {
        let format = Format::of_statement(variable, statement);
        assert_eq!(format.spelled(variable, value), expected, "{statement}");
        assert_eq!(format.canonical(variable, expected), value, "{statement}");
    }

    #[test]
    fn a_switch_is_spelled_as_the_statement_compares_it() {
        for (statement, on, off) in [
            (r#"DEBUG = os.environ.get("DEBUG") == "True""#, "True", "False"),
            (r#"DEBUG = os.getenv("DEBUG", "false").lower() == "true""#, "true", "false"),
            (r#"DEBUG = os.environ.get("DEBUG", "True") != "False""#, "True", "False"),
            (r#"DEBUG = "1" == os.environ["DEBUG"]"#, "1", "0"),
            (r#"DEBUG = os.getenv("DEBUG", "").lower() in ("1", "true", "yes")"#, "1", "0"),
            (r#"DEBUG = os.getenv("DEBUG") in ['true', 'yes']"#, "true", "false"),
            (r#"DEBUG = os.getenv("DEBUG") not in ("False", "false", "0")"#, "1", "0"),
            (r#"DEBUG = os.getenv("DEBUG", "off") != "off""#, "on", "off"),
            (r#"DEBUG = os.environ["DEBUG"] == "YES""#, "YES", "NO"),
            (r#"DEBUG = env.bool("DEBUG")"#, "1", "0"),
        ] {
            check(Variable::Debug, statement, "1", on);
            check(Variable::Debug, statement, "0", off);
        }
    }

    #[test]
    fn a_value_is_judged_as_the_statement_compares_it() {
        for (statement, value, expected) in [
            (r#"DEBUG = os.environ.get("DEBUG", "True") != "False""#, "0", "1"),
            (r#"DEBUG = os.environ.get("DEBUG") == "True""#, "1", "0"),
            (r#"DEBUG = os.environ.get("DEBUG", "").lower() == "true""#, "True", "1"),
            (r#"DEBUG = os.getenv("DEBUG") in ("1", "yes")"#, "true", "0"),
            (r#"DEBUG = os.environ.get("DEBUG") == "True""#, "", ""),
            (r#"DEBUG = os.environ.get("STAGE") == "dev""#, "yes", "yes"),
        ] {
            assert_eq!(Format::of_statement(Variable::Debug, statement).canonical(Variable::Debug, value), expected);
        }
    }

    #[test]
    fn hosts_are_separated_as_the_statement_splits_them() {
        for (statement, expected) in [
            (r#"ALLOWED_HOSTS = os.environ["HOSTS"].split(",")"#, "a,b"),
            (r#"ALLOWED_HOSTS = os.environ["HOSTS"].split()"#, "a b"),
            (r#"ALLOWED_HOSTS = os.environ.get("HOSTS", "").split(" ")"#, "a b"),
            (r#"ALLOWED_HOSTS = os.environ["HOSTS"].split(';')"#, "a;b"),
            (r#"ALLOWED_HOSTS = json.loads(os.environ["HOSTS"])"#, r#"["a","b"]"#),
            (r#"ALLOWED_HOSTS = env.list("HOSTS")"#, "a,b"),
        ] {
            check(Variable::AllowedHosts, statement, "a,b", expected);
        }
    }

    #[test]
    fn an_example_shows_the_form_where_the_settings_do_not() {
        for (variable, example, value, expected) in [
            (Variable::Debug, "True", "0", "False"),
            (Variable::Debug, "no", "1", "yes"),
            (Variable::Debug, "", "1", "1"),
            (Variable::AllowedHosts, "a.example b.example", "c,d", "c d"),
            (Variable::AllowedHosts, "[\"a\"]", "c, d", "[\"c\",\"d\"]"),
            (Variable::AllowedHosts, "a;b", "c,d", "c;d"),
            (Variable::AllowedHosts, "a", "c,d", "c,d"),
            (Variable::BrokerUrl, "True", "redis://", "redis://"),
        ] {
            let mut format = Format::default();
            format.adopt(variable, example);
            assert_eq!(format.spelled(variable, value), expected, "{example}");
        }
        let mut format = Format::of_statement(Variable::Debug, "DEBUG = os.environ['DEBUG'] == 'true'");
        format.adopt(Variable::Debug, "True");
        assert_eq!(format.spelled(Variable::Debug, "1"), "true");
    }
}
