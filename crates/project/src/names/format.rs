//! How the values of switches and lists of hosts are spelled in the `.env` of a project.

mod comparison;

use self::comparison::{Comparison, WORDS};
use super::Variable;
use crate::matrix::{parse_switch, switch};

/// The form of a list of hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
enum List {
    /// The text between two hosts; a blank stands for any blanks.
    Separator(String),
    Json,
}

impl Default for List {
    fn default() -> Self {
        List::of(",")
    }
}

impl List {
    fn of(separator: &str) -> Self {
        List::Separator(separator.to_owned())
    }
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

impl Format {
    /// Returns the form that a statement of the settings shows, such as `DEBUG = os.environ["DEBUG"] == "True"`;
    /// comments are cut off. `name` is the variable that it reads, and `returned` has the values that a function of the
    /// settings returns.
    #[must_use]
    pub fn of_statement(
        variable: Variable,
        statement: &str,
        name: &str,
        returned: impl Fn(&str) -> Option<String>,
    ) -> Self {
        if variable.is_switch() {
            let comparison = Comparison::of(statement, name, returned);
            let switch = comparison.as_ref().and_then(Comparison::switch);
            return Format { is_known: switch.is_some(), switch, comparison, ..Format::default() };
        }
        let by_function = || list(&returned(comparison::function_of(statement, name)?)?);
        let list = list(statement).or_else(by_function);
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
                _ if example.starts_with('[') && example.contains(['"', '\'']) => List::Json,
                _ if example.contains(',') => List::default(),
                _ if example.contains(';') => List::of(";"),
                _ if example.contains(char::is_whitespace) => List::of(" "),
                _ => List::default(),
            };
        }
    }

    /// Returns whether the settings show the form.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.is_known
    }

    /// Returns whether the words for on and off are known.
    #[must_use]
    pub const fn has_words(&self) -> bool {
        self.switch.is_some()
    }

    /// Returns a value of `.env` as the matrix compares it: a switch as `1` or `0`, hosts separated by commas. A value
    /// in no such form stays as it is.
    #[must_use]
    pub fn canonical(&self, variable: Variable, value: &str) -> String {
        match variable {
            _ if variable.is_switch() => match (&self.comparison, self.switch) {
                (Some(comparison), _) => comparison.is_on(value).map_or(value, |on| switch(on)).to_owned(),
                (None, Some((on, _))) if value.trim() == on => "1".to_owned(),
                (None, Some((_, off))) if value.trim() == off => "0".to_owned(),
                _ => value.to_owned(),
            },
            Variable::AllowedHosts => match &self.list {
                List::Separator(separator) => match separator.trim() {
                    "" => value.split_whitespace().collect::<Vec<_>>().join(","),
                    "," => value.to_owned(),
                    other => value.replace(other, ","),
                },
                List::Json => {
                    let json = if value.contains('"') { value.to_owned() } else { value.replace('\'', "\"") };
                    serde_json::from_str::<Vec<String>>(&json).map_or(value.to_owned(), |hosts| hosts.join(","))
                }
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
            Variable::AllowedHosts if self.list != List::default() => {
                let hosts: Vec<_> = value.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
                match &self.list {
                    List::Separator(separator) => hosts.join(separator),
                    List::Json => serde_json::Value::from(hosts).to_string(),
                }
            }
            _ => value.to_owned(),
        }
    }
}

/// Returns the form of a list that a statement takes apart.
fn list(statement: &str) -> Option<List> {
    let is_json = ["loads(", ".json(", "literal_eval(", "eval("].iter().any(|call| statement.contains(call));
    if is_json {
        return Some(List::Json);
    }
    let split = statement.match_indices("split(").filter(|(at, _)| !statement[..*at].ends_with("re."));
    let arguments = split.map(|(at, call)| &statement[at + call.len()..]);
    let delimiters = statement.match_indices("delimiter=").map(|(at, key)| &statement[at + key.len()..]);
    arguments.chain(delimiters).find_map(separator)
}

/// Returns the separator that an argument begins with; `None` and no argument stand for blanks.
fn separator(argument: &str) -> Option<List> {
    let argument = argument.trim_start();
    let argument = argument.strip_prefix("sep=").unwrap_or(argument);
    if argument.starts_with(')') || argument.starts_with("None") {
        return Some(List::of(" "));
    }
    let quote = argument.chars().next().filter(|c| "\"'".contains(*c))?;
    let literal = argument[1..].split(quote).next()?;
    (!literal.is_empty()).then(|| List::of(literal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::is_same;

    fn of_statement(variable: Variable, statement: &str) -> Format {
        let name = if variable.is_switch() { "DEBUG" } else { "HOSTS" };
        let returned = |function: &str| match function {
            "is_true" => Some("return value == 'True'".to_owned()),
            "hosts_of" => Some("return os.environ.get(name, '').split()".to_owned()),
            "parsed" => Some("return bool(int(value))".to_owned()),
            _ => None,
        };
        Format::of_statement(variable, statement, name, returned)
    }

    #[track_caller]
    fn check(variable: Variable, statement: &str, value: &str, expected: &str) {
        let format = of_statement(variable, statement);
        assert_eq!(format.spelled(variable, value), expected, "{statement}");
        assert!(is_same(variable, &format.canonical(variable, expected), value), "{statement}");
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
            (r#"DEBUG = not os.environ.get("DEBUG") == "False""#, "True", "False"),
            (r#"DEBUG = False if os.getenv("DEBUG") == "False" else True"#, "True", "False"),
            (r#"DEBUG = True if os.getenv("DEBUG") == "yes" else False"#, "yes", "no"),
            (r#"DEBUG = os.getenv("DEBUG", "0") == "1" and os.getenv("CI") != "true""#, "1", "0"),
            (r#"DEBUG = os.getenv("DEBUG") == "True" and os.getenv("CI") != "1""#, "True", "False"),
            (r#"DEBUG = os.getenv("STAGE") == "development" and os.getenv("DEBUG") == "True""#, "True", "False"),
            (r#"DEBUG = bool(os.environ.get("DEBUG", False))"#, "1", ""),
            (r#"DEBUG = os.environ.get("DEBUG")"#, "1", ""),
            (r#"DEBUG = os.environ.get("DEBUG", "") != """#, "1", ""),
            (r#"DEBUG = config("DEBUG", default=False)"#, "1", ""),
            (r#"DEBUG = config("DEBUG", default=False, cast=bool)"#, "1", "0"),
            (r#"DEBUG = bool(int(os.environ.get("DEBUG", 0)))"#, "1", "0"),
            (r#"DEBUG = strtobool(os.environ.get("DEBUG", "0"))"#, "1", "0"),
            (r#"DEBUG = is_true("DEBUG")"#, "True", "False"),
            (r#"DEBUG = parsed("DEBUG")"#, "1", "0"),
            (r#"DEBUG = unknown("DEBUG")"#, "1", "0"),
            (r#"DEBUG = env("DEBUG")"#, "1", "0"),
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
            (r#"DEBUG = not os.environ.get("DEBUG") == "False""#, "False", "0"),
            (r#"DEBUG = bool(os.environ.get("DEBUG"))"#, "0", "1"),
            (r#"DEBUG = bool(os.environ.get("DEBUG"))"#, "", "0"),
            (r#"DEBUG = os.environ.get("STAGE") == "dev""#, "yes", "yes"),
        ] {
            assert_eq!(of_statement(Variable::Debug, statement).canonical(Variable::Debug, value), expected);
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
            (r#"ALLOWED_HOSTS = env.list("HOSTS", delimiter=" ")"#, "a b"),
            (r#"ALLOWED_HOSTS = os.environ["HOSTS"].split( " " )"#, "a b"),
            (r#"ALLOWED_HOSTS = os.environ["HOSTS"].split(None)"#, "a b"),
            (r#"ALLOWED_HOSTS = os.environ["HOSTS"].split(", ")"#, "a, b"),
            (r#"ALLOWED_HOSTS = hosts_of("HOSTS")"#, "a b"),
            (r#"ALLOWED_HOSTS = os.environ["HOSTS"].split("|")"#, "a|b"),
            (r#"ALLOWED_HOSTS = env.json("HOSTS")"#, r#"["a","b"]"#),
            (r#"ALLOWED_HOSTS = ast.literal_eval(os.environ["HOSTS"])"#, r#"["a","b"]"#),
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
            (Variable::AllowedHosts, "['a', 'b']", "c, d", "[\"c\",\"d\"]"),
            (Variable::AllowedHosts, "a;b", "c,d", "c;d"),
            (Variable::AllowedHosts, "a", "c,d", "c,d"),
            (Variable::BrokerUrl, "True", "redis://", "redis://"),
        ] {
            let mut format = Format::default();
            format.adopt(variable, example);
            assert_eq!(format.spelled(variable, value), expected, "{example}");
        }
        let mut format = of_statement(Variable::Debug, "DEBUG = os.environ['DEBUG'] == 'true'");
        format.adopt(Variable::Debug, "True");
        assert_eq!(format.spelled(Variable::Debug, "1"), "true");
    }
}
