//! The answers that come with the call: `--env`, `--method`, `--set` and `--answers`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use detect::{DEPLOY_METHOD, DJANGO_ENV, DeployMethod, ENV_FILE, Environment, UnknownWord};
use envfile::LineKind;
use project::{Names, Variable, matrix, secret};

use crate::cli;
use crate::exit::{Exit, Failure, Problem};
use crate::typed;

/// One answer and where it was given. No `Debug`: it can be a secret.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) value: String,
    /// The value as it was given.
    pub(super) raw: String,
    origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Flag(&'static str),
    Set,
    File { name: String, line: usize },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => write!(f, "`{flag}`"),
            Origin::Set => f.write_str("`--set`"),
            Origin::File { name, line } => write!(f, "`{name}` line {line}"),
        }
    }
}

impl Answer {
    /// Something that is wrong with this answer.
    pub(super) fn problem(&self, variable: &str, message: impl fmt::Display) -> Problem {
        Problem::new(format!("{}: `{variable}` {message}", self.origin))
    }
}

/// The answers by variable.
pub(super) type Answers = BTreeMap<String, Answer>;

/// Collects the answers. `--set` goes before `--answers`, as the command line goes before files everywhere; an axis
/// that is given twice must be the same. Values of the matrix are as the matrix compares them. `known` has the variables of
/// `.env` and of its sample.
pub(super) fn collect(args: &cli::Install, names: &Names, known: &[&str]) -> anyhow::Result<Answers> {
    let mut answers = match &args.answers {
        Some(file) => from_file(file)?,
        None => Answers::new(),
    };
    let mut problems = Vec::new();
    for assignment in &args.set {
        match from_set(assignment, args, names) {
            Ok((variable, answer)) => {
                answers.insert(variable, answer);
            }
            Err(problem) => problems.push(problem),
        }
    }
    for (variable, answer) in &mut answers {
        if let Some(renamed) = names.renamed(variable) {
            let (name, source) = (names.shown(renamed), &names.named(renamed).source);
            problems.push(answer.problem(variable, format_args!("is `{name}` in this project ({source})")));
            continue;
        }
        let Some(of_matrix) = names.variable(variable) else {
            if let Some(meant) = misspelled(variable, names, known) {
                let problem = answer.problem(variable, format_args!("is unknown: did you mean `{meant}`?"));
                problems.push(problem.hint(format!("if not, add a line `{variable}=` to `{ENV_FILE}` first")));
            }
            continue;
        };
        if !of_matrix.is_switch() {
            answer.value = names.named(of_matrix).format.canonical(of_matrix, &answer.value);
            continue;
        }
        match matrix::parse_switch(&answer.value) {
            Some(on) => matrix::switch(on).clone_into(&mut answer.value),
            None => problems.push(answer.problem(variable, format_args!("is 1 or 0, not: {}", answer.value))),
        }
    }
    let env = args.env.map(|env| (DJANGO_ENV, "--env", env.as_str()));
    let method = args.method.map(|method| (DEPLOY_METHOD, "--method", method.as_str()));
    for (variable, flag, word) in [env, method].into_iter().flatten() {
        let answer = Answer { value: word.to_owned(), raw: word.to_owned(), origin: Origin::Flag(flag) };
        if let Some(other) = answers.insert(variable.to_owned(), answer)
            && !other.value.trim().eq_ignore_ascii_case(word)
        {
            problems.push(other.problem(variable, format_args!("contradicts `{flag} {word}`: {}", other.value)));
        }
    }
    if problems.is_empty() { Ok(answers) } else { Err(Failure { exit: Exit::Usage, problems }.into()) }
}

/// Returns the known variable that is one or two typing errors away from an unknown one.
fn misspelled<'a>(variable: &str, names: &'a Names, known: &[&'a str]) -> Option<&'a str> {
    let axes = [DJANGO_ENV, DEPLOY_METHOD];
    let of_matrix = Variable::ALL.into_iter().filter_map(|variable| names.name(variable));
    let mut known = axes.into_iter().chain(of_matrix).chain(known.iter().copied());
    if known.clone().any(|name| name == variable) {
        return None;
    }
    let upper = variable.to_uppercase();
    let without_digits = |name: &str| name.replace(|c: char| c.is_ascii_digit(), "").trim_end_matches('_').to_owned();
    // Short names are alike by chance, such as `DB_HOST` and `DB_POST`; numbered ones are meant so.
    let is_meant = |name: &&str| {
        if without_digits(name) == without_digits(&upper) {
            return *name == upper;
        }
        let errors = strsim::osa_distance(&upper, name);
        errors <= if name.len() < 10 { 1 } else { 2 }
    };
    known.find(is_meant)
}

/// The word that was given for an axis.
pub(super) fn axis<T>(answers: &Answers, variable: &str) -> anyhow::Result<Option<T>>
where
    T: FromStr<Err = UnknownWord>,
{
    let Some(answer) = answers.get(variable) else { return Ok(None) };
    let word = answer.value.parse().map_err(|error: UnknownWord| {
        Failure::new(Exit::Usage, answer.problem(variable, format_args!("has an {error}")))
    })?;
    Ok(Some(word))
}

fn from_set(assignment: &str, args: &cli::Install, names: &Names) -> Result<(String, Answer), Problem> {
    let Some((variable, value)) = assignment.split_once('=') else {
        // Not repeated: it may be a secret value.
        return Err(Problem::new("`--set` expects KEY=VALUE, there is no `=`"));
    };
    let is_key = names.variable(variable) == Some(Variable::SecretKey);
    if is_key || secret::is_secret(variable) || !secret::in_variable(variable, value).is_empty() {
        return Err(Problem::new(format!(
            "`--set`: `{variable}` holds a secret, which others would see in the process list"
        ))
        .hint(format!("echo \"{variable}=$VALUE\" | {}", on_stdin(args))));
    }
    Ok((variable.to_owned(), Answer { value: value.to_owned(), raw: value.to_owned(), origin: Origin::Set }))
}

/// This run, with answers from standard input.
fn on_stdin(args: &cli::Install) -> String {
    let args = cli::Install { answers: Some("-".into()), ..args.clone() };
    let (env, method) = (args.env.map(Environment::as_str), args.method.map(DeployMethod::as_str));
    typed::install(&args, false, env, method)
}

fn from_file(path: &Path) -> anyhow::Result<Answers> {
    let (name, bytes) = if path == Path::new("-") {
        let mut bytes = Vec::new();
        ("standard input".to_owned(), io::stdin().read_to_end(&mut bytes).map(|_| bytes))
    } else {
        (path.display().to_string(), fs::read(path))
    };
    let bytes = bytes.map_err(|error| Failure::usage(format!("cannot read the answers from `{name}`: {error}")))?;
    let file = envfile::parse(Path::new(&name), &bytes).map_err(|error| {
        let remedy = error.remedy().filter(|_| path != Path::new("-"));
        Failure::new(Exit::Usage, remedy.into_iter().fold(Problem::new(error.to_string()), Problem::hint))
    })?;
    let unreadable = file.lines().filter(|line| line.kind() == LineKind::Unreadable);
    let problems: Vec<_> = unreadable
        .map(|line| {
            Problem::new(format!("`{name}` line {}: expected `KEY=VALUE`, a comment or nothing", line.number()))
        })
        .collect();
    if !problems.is_empty() {
        return Err(Failure { exit: Exit::Usage, problems }.into());
    }
    let answers = file.keys().filter_map(|key| {
        let entry = file.get(key)?;
        let origin = Origin::File { name: name.clone(), line: entry.line };
        Some((key.to_owned(), Answer { raw: entry.value.clone(), value: entry.value, origin }))
    });
    Ok(answers.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variable: &str, expected: Option<&str>) {
        let names = Names::default();
        assert_eq!(misspelled(variable, &names, &["DB_HOST", "DATABASE_URL_1"]), expected);
    }

    #[test]
    fn typing_errors() {
        check("DJANGO_ALOWED_HOSTS", Some("DJANGO_ALLOWED_HOSTS"));
        check("django_allowed_hosts", Some("DJANGO_ALLOWED_HOSTS"));
        check("DJNAGO_DEBUG", Some("DJANGO_DEBUG"));
        check("DEPLOY_METHDO", Some("DEPLOY_METHOD"));
        check("DB_HOTS", Some("DB_HOST"));
    }

    #[test]
    fn names_of_their_own() {
        check("DJANGO_DEBUG", None);
        check("DATABASE_URL_1", None);
        check("DATABASE_URL_2", None);
        check("DATABASE_URL", None);
        check("DB_PORT", None);
        check("SENTRY_DSN", None);
    }
}
