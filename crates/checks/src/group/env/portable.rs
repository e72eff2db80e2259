//! `env.portable`: lines of `.env` that the programs which read it here read differently.

use std::collections::BTreeSet;

use detect::{DeployMethod, ENV_FILE};
use envfile::{Class, Disagreement, EnvFile, Reader, Reading, ValueError};
use project::Pyproject;
use project::secret::{self, MASK, Secrets, is_secret, url_passwords};
use project::text::counted;

use crate::outcome::{Finding, Outcome, Status};
use crate::{CheckName, Target};

pub(super) fn check(name: CheckName, file: &EnvFile, target: &Target) -> Outcome {
    // Where it cannot be read, another check says so.
    let pyproject = Pyproject::read(target.project.service_dir()).ok();
    let requires = |package: &str| pyproject.as_ref().is_some_and(|pyproject| pyproject.requires(package));
    let readers = readers(target.deploy_method.value, target.is_unit_installed, requires);
    let findings = findings(file, &readers, &target.secrets);
    let lines = match findings.len() {
        0 => {
            let names: Vec<_> = readers.iter().map(ToString::to_string).collect();
            return Outcome::ok(name, format!("{} and bash read every line alike", names.join(", ")));
        }
        1 => "1 line is".to_owned(),
        many => format!("{many} lines are"),
    };
    if findings.iter().all(|finding| finding.status == Status::Warn) {
        return Outcome::warn(name, format!("{lines} read differently by bash")).findings(findings);
    }
    let message =
        if readers.len() == 1 { "read differently by its readers, or not at all" } else { "read differently" };
    Outcome::err(name, format!("{lines} {message}")).findings(findings)
}

/// The packages with which a project may read `.env`, beside python-dotenv.
const PACKAGES: [(&str, Reader); 2] =
    [("django-environ", Reader::DjangoEnviron), ("python-decouple", Reader::PythonDecouple)];

/// Who reads `.env` here, beside bash, for which a person may source it.
fn readers(method: DeployMethod, is_unit_installed: bool, requires: impl Fn(&str) -> bool) -> Vec<Reader> {
    let packages = PACKAGES.into_iter().filter(|(package, _)| requires(package)).map(|(_, reader)| reader);
    let other = match method {
        DeployMethod::Docker => Some(Reader::Compose),
        DeployMethod::Bare => is_unit_installed.then_some(Reader::Systemd),
    };
    [Reader::PythonDotenv].into_iter().chain(packages).chain(other).collect()
}

/// Returns the findings. Different values of the readers are an error, and so is an assignment that one of them misses;
/// a difference of bash alone is a warning.
fn findings(file: &EnvFile, readers: &[Reader], secrets: &Secrets) -> Vec<Finding> {
    let with_bash = [readers, &[Reader::Bash]].concat();
    let place = |disagreement: &Disagreement| (disagreement.line, disagreement.class);
    let among_readers: BTreeSet<_> = file.disagreements(readers).iter().map(place).collect();
    let assignments: BTreeSet<_> =
        file.lines().filter(|line| line.text().contains('=')).map(|line| line.number()).collect();
    let variables: Vec<_> = file.lines().filter(|line| line.key().is_some()).map(|line| line.number()).collect();
    let found = file.disagreements(&with_bash);
    found
        .iter()
        .map(|disagreement| {
            let is_missed =
                |(reader, reading): &(Reader, Reading)| readers.contains(reader) && *reading == Reading::Unset;
            let is_err = among_readers.contains(&place(disagreement))
                || (assignments.contains(&disagreement.line) && disagreement.readings.iter().any(is_missed));
            let below = variables.len() - variables.partition_point(|line| *line <= disagreement.line);
            finding(disagreement, below, if is_err { Status::Err } else { Status::Warn }, secrets)
        })
        .collect()
}

/// `below` is the number of variables on the lines below.
fn finding(disagreement: &Disagreement, below: usize, status: Status, secrets: &Secrets) -> Finding {
    let Disagreement { line, key, class, readings, rewritten, .. } = disagreement;
    let variable = key.as_deref().filter(|key| may_be_shown(key, *class));
    let is_no_variable = variable.is_none();
    let variable = variable.map(|key| format!(" `{key}`:")).unwrap_or_default();
    let mut lines = vec![format!("`{ENV_FILE}` line {line}:{variable} {class}")];
    let width = readings.iter().map(|(reader, _)| reader.to_string().len()).max().unwrap_or_default();
    let shown = Shown { key: key.as_deref().unwrap_or_default(), readings, secrets, is_no_variable };
    lines.extend(readings.iter().map(|(reader, reading)| {
        let is_stop = *reader == Reader::Bash && *reading == Reading::Refused && *class != Class::TooLong;
        let shown = if is_stop { stop(below) } else { shown.reading(reading) };
        format!("{reader:<width$}  {shown}")
    }));
    if let (None, Some((_, Reading::Value(value)))) = (rewritten, readings.first()) {
        lines.extend(without_form(value, readings));
    }
    let hint = rewritten.as_ref().map(|rewritten| shown.rewritten(rewritten)).or_else(|| remedy(*class));
    Finding { status, line: Some(*line), message: lines.join("\n"), hint }
}

/// Returns the effect of a syntax error: bash has executed the lines before it, and the others are lost.
fn stop(below: usize) -> String {
    match below {
        0 => "stops here".to_owned(),
        lost => format!("stops here, and loses the {} below", counted(lost, "variable")),
    }
}

/// Whether this is a name, and not the line of a secret that was meant to go on from the line before.
fn may_be_shown(key: &str, class: Class) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    class != Class::NotAnAssignment && key.len() <= WIDEST && key.chars().all(is_plain)
}

/// Returns the advice for a value that all readers read alike in no form.
fn without_form(value: &str, readings: &[(Reader, Reading)]) -> Option<String> {
    let advice = match envfile::encode(value) {
        Err(ValueError::NoForm(_)) if value.contains("://") => {
            "percent-encode the quote in the URL, `'` as `%27`, and `$` as `%24`".to_owned()
        }
        Err(ValueError::NoForm(_)) => "choose a value without quotes or without `$`".to_owned(),
        Err(_) => return None,
        Ok(_) => {
            let is_other = |reader: &Reader| PACKAGES.iter().any(|(_, known)| known == reader);
            let other = readings.iter().map(|(reader, _)| reader).find(|reader| is_other(reader))?;
            match other {
                _ if value.contains('\n') => format!(
                    "{other} reads one line only, so keep the value in a file of its own, and the path of that in `{ENV_FILE}`"
                ),
                Reader::DjangoEnviron if value.starts_with('$') => {
                    format!("{other} takes `$` at the start for a reference, so choose another value")
                }
                Reader::PythonDecouple if value.contains('\'') => {
                    format!("{other} resolves no escapes, so choose a value without `'` or without `\"` and `\\`")
                }
                _ => return None,
            }
        }
    };
    Some(format!("no form is read alike by all: {advice}"))
}

/// Returns the command that fixes all lines of a class in the file.
fn remedy(class: Class) -> Option<String> {
    match class {
        Class::Crlf => Some(format!(r"sed -i 's/\r$//' {ENV_FILE}")),
        Class::ByteOrderMark => Some(format!(r"sed -i '1s/^\xEF\xBB\xBF//' {ENV_FILE}")),
        _ => None,
    }
}

/// A longer value is cut off where it is shown.
const WIDEST: usize = 60;

/// The values that the readers have for a variable, redacted.
struct Shown<'a> {
    key: &'a str,
    readings: &'a [(Reader, Reading)],
    secrets: &'a Secrets,
    /// Whether the line is not shown as that of a variable.
    is_no_variable: bool,
}

impl Shown<'_> {
    fn reading(&self, reading: &Reading) -> String {
        match reading {
            Reading::Value(value) if value.is_empty() => "an empty value".to_owned(),
            // Two secrets look alike once they are covered.
            Reading::Value(value) if self.is_secret(value) => match self.readings.first() {
                Some((_, Reading::Value(first))) if first != value => format!("{MASK} (another value)"),
                _ => MASK.to_owned(),
            },
            Reading::Value(value) => self.value(value),
            Reading::Unset if self.is_no_variable => "skips it".to_owned(),
            other => other.to_string(),
        }
    }

    /// Whether nothing of the value may be shown. A reader that cuts a URL short may cut it within the password.
    fn is_secret(&self, value: &str) -> bool {
        secret::shown(self.key, value) == MASK || (self.has_password() && url_passwords(value).next().is_none())
    }

    /// Whether some reader sees a password in the value.
    fn has_password(&self) -> bool {
        self.readings.iter().any(|(_, reading)| match reading {
            Reading::Value(value) => url_passwords(value).next().is_some(),
            _ => false,
        })
    }

    /// A value in one line, the passwords in it covered.
    fn value(&self, value: &str) -> String {
        let redacted = self.secrets.redact(&secret::shown(self.key, value));
        let shown: String = redacted.chars().take(WIDEST).map(escaped).collect();
        if redacted.chars().count() > WIDEST { format!("{shown}… ({} bytes)", value.len()) } else { shown }
    }

    /// The line to write instead; a covered value keeps its quotes.
    fn rewritten(&self, rewritten: &str) -> String {
        let hides = is_secret(self.key) || self.has_password();
        let mut lines = Vec::new();
        for line in rewritten.lines() {
            match line.split_once('=') {
                Some((name, value)) if name == self.key && self.is_secret(value) && !value.is_empty() => {
                    let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"')).map(String::from);
                    let quote = quote.unwrap_or_default();
                    lines.push(format!("{name}={quote}{MASK}{quote}"));
                    // Further lines are a part of the value.
                    break;
                }
                // A comment may be the rest of the secret.
                _ if hides && line.starts_with('#') => lines.push("# …".to_owned()),
                _ => lines.push(secret::redacted_line(line, self.secrets)),
            }
        }
        lines.join("\n")
    }
}

fn escaped(c: char) -> String {
    if c.is_control() { c.escape_default().to_string() } else { c.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, readers: &[Reader], expected: &[&str]) {
        let file = EnvFile::parse(text.as_bytes());
        let found = findings(&file, readers, &Secrets::of([&file]));
        let found: Vec<_> = found
            .iter()
            .map(|Finding { status, message, hint, .. }| {
                format!("{status} {message} -> {}", hint.as_deref().unwrap_or("-"))
            })
            .collect();
        assert_eq!(found, expected, "{text:?}");
    }

    const DJANGO: &[Reader] = &[Reader::PythonDotenv];
    const COMPOSE: &[Reader] = &[Reader::PythonDotenv, Reader::Compose];
    const SYSTEMD: &[Reader] = &[Reader::PythonDotenv, Reader::Systemd];

    #[test]
    fn who_reads_it_here() {
        assert_eq!(readers(DeployMethod::Bare, false, |_| false), DJANGO);
        assert_eq!(readers(DeployMethod::Bare, true, |_| false), SYSTEMD);
        assert_eq!(readers(DeployMethod::Docker, true, |_| false), COMPOSE);
        let with_environ = [Reader::PythonDotenv, Reader::DjangoEnviron, Reader::Systemd];
        assert_eq!(readers(DeployMethod::Bare, true, |package| package == "django-environ"), with_environ);
    }

    #[test]
    fn a_difference_of_bash_alone_is_a_warning() {
        check("A=1\n", DJANGO, &[]);
        check(
            "A=1\nB=a b\n",
            DJANGO,
            &[
                "warn `.env` line 2: `B`: blank-inside\npython-dotenv  a b\nbash           executes a part of it -> B='a b'",
            ],
        );
        check(
            "B=v # why\n",
            SYSTEMD,
            &[
                "err `.env` line 1: `B`: inline-comment\npython-dotenv  v\nsystemd        v # why\nbash           v -> # why\nB=v",
            ],
        );
        check(
            "B=a$NOPE\n",
            COMPOSE,
            &["err `.env` line 1: `B`: dollar\npython-dotenv  a$NOPE\ncompose        depends on its environment\n\
               bash           depends on its environment -> B='a$NOPE'"],
        );
    }

    #[test]
    fn secrets_are_covered_in_values_and_hints() {
        check(
            "A_KEY=hunter2 # why\n",
            SYSTEMD,
            &[
                "err `.env` line 1: `A_KEY`: inline-comment\npython-dotenv  ********\nsystemd        ******** (another value)\n\
               bash           ******** -> # …\nA_KEY=********",
            ],
        );
        check(
            "A_KEY=hunter2 three\n",
            DJANGO,
            &[
                "warn `.env` line 1: `A_KEY`: blank-inside\npython-dotenv  ********\nbash           executes a part of it -> A_KEY='********'",
            ],
        );
        check(
            "URL=redis://:hun;ter2@db/0\n",
            DJANGO,
            &["warn `.env` line 1: `URL`: shell-character\npython-dotenv  redis://:********@db/0\n\
               bash           executes a part of it -> URL='redis://:********@db/0'"],
        );
        // A reader that sees a part of the password only.
        check(
            "URL=redis://:hun #ter2@db/0\n",
            SYSTEMD,
            &["err `.env` line 1: `URL`: inline-comment\npython-dotenv  ********\n\
               systemd        redis://:********@db/0\nbash           ******** -> # …\nURL=********"],
        );
    }

    #[test]
    fn packages_that_read_a_value_in_no_form() {
        let check_with = |reader: Reader, text: &str, advice: &str, hint: &str| {
            let file = EnvFile::parse(text.as_bytes());
            let found = findings(&file, &[Reader::PythonDotenv, reader], &Secrets::default());
            let [Finding { status: Status::Err, message, hint: found, .. }] = &*found else {
                panic!("{text}: {found:?}")
            };
            let last = message.lines().last().filter(|line| line.starts_with("no form"));
            assert_eq!((last.unwrap_or("-"), found.as_deref().unwrap_or("-")), (advice, hint), "{text}");
        };
        let one_line = "reads one line only, so keep the value in a file of its own, and the path of that in `.env`";
        let (environ, decouple) = (Reader::DjangoEnviron, Reader::PythonDecouple);
        let advice = |reader: Reader, advice: &str| format!("no form is read alike by all: {reader} {advice}");
        check_with(environ, "K='a\nb'\n", &advice(environ, one_line), "-");
        check_with(decouple, "K='a\nb'\n", &advice(decouple, one_line), "-");
        let reference = "takes `$` at the start for a reference, so choose another value";
        check_with(environ, "K='$5'\n", &advice(environ, reference), "-");
        let escapes = "resolves no escapes, so choose a value without `'` or without `\"` and `\\`";
        check_with(decouple, "K=\"it's \\\"\"\n", &advice(decouple, escapes), "-");
        check_with(decouple, "K=\"a\\\"b\"\n", "-", "K='a\"b'");
        check_with(environ, "K='\"a\"'\n", "-", "K=\"\\\"a\\\"\"");
    }

    #[test]
    fn a_line_that_django_cannot_read_is_an_error() {
        check(
            "B='open\n",
            DJANGO,
            &[
                "err `.env` line 1: `B`: unterminated-quote\npython-dotenv  sees no such variable\nbash           stops here -> -",
            ],
        );
    }

    #[test]
    fn the_lines_of_a_key_are_not_shown_as_names() {
        check(
            "MIIEvQabcdefgh\n",
            DJANGO,
            &[
                "warn `.env` line 1: not-an-assignment\npython-dotenv  skips it\nbash           executes a part of it -> -",
            ],
        );
    }

    #[test]
    fn whole_files_are_fixed_by_a_command() {
        check(
            "K=1\r\n",
            DJANGO,
            &["warn `.env` line 1: `K`: crlf\npython-dotenv  1\nbash           1\\r -> sed -i 's/\\r$//' .env"],
        );
    }

    #[test]
    fn long_values_and_controls_stay_in_their_line() {
        let shown = Shown { key: "A", readings: &[], secrets: &Secrets::default(), is_no_variable: false };
        assert_eq!(shown.value("a\tb\nc é"), "a\\tb\\nc é");
        assert_eq!(shown.value(&"x".repeat(100)), format!("{}… (100 bytes)", "x".repeat(60)));
    }
}
