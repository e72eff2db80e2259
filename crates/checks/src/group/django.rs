//! `django`: the project's own checks, its migrations and its database, all from one interpreter start.

mod answer;
mod database;
mod deployed;

use std::sync::Arc;

use detect::{ENV_FILE, Environment};
use project::Variable;
use project::secret::Secrets;
use project::text::counted;
use subprocess::{Command, Deadline};

use self::answer::Part;
pub use self::answer::{Answer, Database, Failure, Finding, Migrations, Settings};
pub use self::deployed::deployed;
use super::ServiceContext;
use super::core::{NO_VENV, interpreter, no_venv};
use crate::outcome::{self, Outcome, Repair, Status};
use crate::run::Probe;
use crate::{CheckName, Target};

/// The beginning of a Python script that asks Django something, run in the folder of manage.py: it defines `set_up()`,
/// and `answer(name=…)`, which prints a line of JSON.
pub const SET_UP: &str = include_str!("django_setup.py");
const SCRIPT: &str = concat!(include_str!("django_setup.py"), "\n\n", include_str!("django.py"));

const CHECK: CheckName = CheckName::known("django.check");
const SETTINGS: CheckName = CheckName::known("django.settings");
const MIGRATIONS: CheckName = CheckName::known("django.migrations");
const DATABASE: CheckName = CheckName::known("django.database");

pub(super) fn probes(target: &Arc<Target>) -> Vec<Probe> {
    let target = Arc::clone(target);
    vec![Probe::new([CHECK, SETTINGS, MIGRATIONS, DATABASE], move |deadline| {
        if !interpreter(&target.venv).exists() {
            if let Some(reason) = target.serves_elsewhere() {
                return [CHECK, SETTINGS, MIGRATIONS, DATABASE].map(|name| Outcome::skip(name, &*reason)).to_vec();
            }
            let cause = no_venv(&target);
            return [CHECK, SETTINGS, MIGRATIONS, DATABASE]
                .map(|name| Outcome::blocked(name, NO_VENV, &cause))
                .to_vec();
        }
        let environment = target.environment.value;
        let answer = ask(&target.ground(), environment, deadline);
        let outcomes = outcomes(&answer, environment);
        if target.project.is_deployed(environment, target.deploy_method.value) {
            return deployed(outcomes, &answer, &target.project);
        }
        outcomes
    })]
}

/// Django's level from which on a finding is an error.
const ERROR: u32 = 40;
/// Django's level from which on a finding is a warning.
const WARNING: u32 = 30;

/// Starts Django once, in the environment that `.env` describes, and asks it everything. Secrets are covered.
#[must_use]
pub fn ask(ground: &ServiceContext<'_>, environment: Environment, deadline: &Deadline) -> Answer {
    let ServiceContext { project, venv, variables, secrets } = *ground;
    let deploy = (environment == Environment::Prod).then_some("--deploy");
    let names = serde_json::Value::from_iter(Variable::ALL.map(|it| (it.key(), project.names.name(it))));
    // `-B`: a check writes no `.pyc` files, least of all root's files into another user's checkout.
    let args = ["-B", "-"].map(str::to_owned).into_iter().chain([names.to_string()]).chain(deploy.map(str::to_owned));
    let command = Command::new(interpreter(venv), args).dir(project.manage_dir()).envs(variables.to_vec());
    let (output, failure) = match command.stdin(SCRIPT).run(deadline) {
        Ok(finished) if finished.is_success() => (finished.stdout().to_owned(), None),
        Ok(finished) => {
            let (failure_reason, output) =
                (secrets.redact(&finished.failure_reason()), secrets.redact(finished.stderr()));
            (finished.stdout().to_owned(), Some(Failure { failure_reason, output }))
        }
        Err(error) => {
            let (failure_reason, output) = (error.to_string(), secrets.redact(error.stderr()));
            (error.stdout().to_owned(), Some(Failure { failure_reason, output }))
        }
    };
    let mut answer = redacted(parse(&output), secrets);
    if let Some(database) = &mut answer.database {
        database.denied = database::denied(database, project.manage_dir());
    }
    // A database that does not respond has no more results.
    let is_down = answer.database.as_ref().is_some_and(|database| database.error.is_some());
    let is_complete = answer.check.is_some() && (answer.migrations.is_some() || is_down);
    answer.failure = failure.or_else(|| {
        let failure_reason = "Django exited before it had reported everything".to_owned();
        (!is_complete).then_some(Failure { failure_reason, output: String::new() })
    });
    answer
}

fn parse(output: &str) -> Answer {
    let mut answer = Answer::default();
    // A line that is cut off, or that another module has printed, is no result.
    for part in output.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        match part {
            Part::Settings(settings) => answer.settings = Some(settings),
            Part::Check(findings) => answer.check = Some(findings),
            Part::Database(database) => answer.database = Some(database),
            Part::Migrations(migrations) => answer.migrations = Some(migrations),
        }
    }
    answer
}

/// The answer with the secrets covered that Django has put into its words.
fn redacted(mut answer: Answer, secrets: &Secrets) -> Answer {
    for finding in answer.check.iter_mut().flatten() {
        finding.message = secrets.redact(&finding.message);
        finding.hint = finding.hint.as_deref().map(|hint| secrets.redact(hint));
    }
    let errors = answer.database.iter_mut().map(|database| &mut database.error);
    for error in errors.chain(answer.migrations.iter_mut().map(|migrations| &mut migrations.error)) {
        *error = error.as_deref().map(|error| secrets.redact(error));
    }
    answer
}

/// Returns the outcomes of this group from one start of Django. A failure is reported once, by the first check that it
/// prevented.
#[must_use]
pub fn outcomes(answer: &Answer, environment: Environment) -> Vec<Outcome> {
    let Answer { check: findings, database: found, migrations: listed, failure, .. } = answer;
    let mut cause: Option<Outcome> = None;
    let mut failed = |name: CheckName| match (&cause, failure) {
        (None, Some(Failure { failure_reason, output })) => {
            cause.insert(Outcome::err(name, failure_reason).output(output)).clone()
        }
        (Some(cause), _) => Outcome::blocked(name, "Django did not get that far", cause),
        (None, None) => Outcome::skip(name, "Django did not get that far"),
    };
    let check = findings.as_deref().map_or_else(|| failed(CHECK), check);
    let settings = answer.settings.as_ref().map_or_else(|| failed(SETTINGS), |found| settings(found, environment));
    let database = found.as_ref().map_or_else(|| failed(DATABASE), |found| database::outcome(found, environment));
    let migrations = match listed {
        Some(listed) => migrations(listed),
        None if database.status == Status::Err => {
            Outcome::blocked(MIGRATIONS, "the database does not answer", &database)
        }
        None => failed(MIGRATIONS),
    };
    vec![check, settings, migrations, database]
}

fn settings(settings: &Settings, environment: Environment) -> Outcome {
    let status = without_effect(environment);
    let lost = settings.arrived.iter().filter(|(_, has_arrived)| !**has_arrived);
    let findings: Vec<_> = lost
        .map(|(variable, _)| outcome::Finding {
            status,
            line: None,
            message: format!("`{variable}` is set in `{ENV_FILE}`, and the settings have another value"),
            hint: None,
        })
        .collect();
    match findings.len() {
        0 if settings.arrived.is_empty() => Outcome::skip(SETTINGS, "no variable to compare"),
        0 => Outcome::ok(SETTINGS, format!("{} as in `{ENV_FILE}`", counted(settings.arrived.len(), "value"))),
        lost => Outcome::new(SETTINGS, status, format!("{} of `{ENV_FILE}` without effect", counted(lost, "variable")))
            .findings(findings)
            .hint("let the settings read these variables, or write the names that they read"),
    }
}

fn check(findings: &[Finding]) -> Outcome {
    let findings: Vec<_> = findings.iter().filter(|finding| finding.level >= WARNING).map(finding).collect();
    let count = |status| findings.iter().filter(|finding| finding.status == status).count();
    let message = match (count(Status::Err), count(Status::Warn)) {
        (0, 0) => return Outcome::ok(CHECK, "no issues"),
        (0, warnings) => counted(warnings, "warning"),
        (errors, 0) => counted(errors, "error"),
        (errors, warnings) => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
    };
    let status = if count(Status::Err) > 0 { Status::Err } else { Status::Warn };
    Outcome::new(CHECK, status, message).findings(findings)
}

fn finding(finding: &Finding) -> outcome::Finding {
    let separator = if finding.id.is_empty() { "" } else { ": " };
    outcome::Finding {
        status: if finding.level >= ERROR { Status::Err } else { Status::Warn },
        line: None,
        message: format!("{}{separator}{}", finding.id, finding.message),
        hint: finding.hint.clone(),
    }
}

/// Returns the status of a variable of `.env` that has no effect. In dev the defaults of the program may do as well.
pub(super) fn without_effect(environment: Environment) -> Status {
    match environment {
        Environment::Dev => Status::Warn,
        Environment::Prod => Status::Err,
    }
}

fn migrations(migrations: &Migrations) -> Outcome {
    match (&migrations.error, migrations.pending.as_slice()) {
        (Some(error), _) => Outcome::err(MIGRATIONS, error),
        (None, []) => Outcome::ok(MIGRATIONS, "all applied"),
        (None, pending) => Outcome::err(MIGRATIONS, format!("{} not applied: {}", pending.len(), some_of(pending)))
            .hint("cargo xtask install")
            .repair(Repair::Migrate),
    }
}

/// The first few names; a fresh database lacks dozens.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let rest = names.len().saturating_sub(SHOWN);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{more}", names[..names.len() - rest].join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy() -> Answer {
        Answer {
            check: Some(Vec::new()),
            database: Some(Database { error: None, file: None, denied: None }),
            migrations: Some(Migrations { error: None, pending: Vec::new() }),
            settings: Some(Settings { static_root: None, arrived: [("DJANGO_DEBUG".to_owned(), true)].into() }),
            ..Answer::default()
        }
    }

    #[track_caller]
    fn check(answer: &Answer, expected: &[&str]) {
        let lines = outcomes(answer, Environment::Prod).into_iter().map(|outcome| {
            let findings = outcome.findings.iter().map(|found| format!(" [{} {}]", found.status, found.message));
            let findings = findings.collect::<Vec<_>>().concat();
            format!("{} {}: {}{findings}", outcome.status, outcome.name, outcome.message)
        });
        // In most of these tests there is nothing wrong with the settings.
        let lines = lines.filter(|line| line != "ok django.settings: 1 value as in `.env`");
        assert_eq!(lines.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn variables_without_effect_are_named() {
        let arrived = [("DJANGO_DEBUG".to_owned(), true), ("DJANGO_SECRET_KEY".to_owned(), false)].into();
        let settings = Settings { static_root: None, arrived };
        check(
            &Answer { settings: Some(settings), ..healthy() },
            &[
                "ok django.check: no issues",
                "err django.settings: 1 variable of `.env` without effect [err `DJANGO_SECRET_KEY` is set in `.env`, \
                 and the settings have another value]",
                "ok django.migrations: all applied",
                "ok django.database: answers",
            ],
        );
    }

    fn finding(level: u32) -> Finding {
        Finding { id: "security.W018".into(), level, message: "DEBUG".into(), hint: None }
    }

    #[test]
    fn one_answer_gives_every_check_of_the_group() {
        check(
            &healthy(),
            &["ok django.check: no issues", "ok django.migrations: all applied", "ok django.database: answers"],
        );
        let pending = Some(Migrations { error: None, pending: vec!["a.0001".into()] });
        check(
            &Answer { check: Some(vec![finding(20), finding(30)]), migrations: pending, ..healthy() },
            &[
                "warn django.check: 1 warning [warn security.W018: DEBUG]",
                "err django.migrations: 1 not applied: a.0001",
                "ok django.database: answers",
            ],
        );
        let locked = Some(Database { error: Some("locked".into()), file: None, denied: None });
        let check_found = Some(vec![finding(40), finding(30), finding(30)]);
        check(
            &Answer { check: check_found, database: locked, migrations: None, ..healthy() },
            &[
                "err django.check: 1 error, 2 warnings [err security.W018: DEBUG] [warn security.W018: DEBUG] [warn security.W018: DEBUG]",
                "skip django.migrations: the database does not answer",
                "err django.database: locked",
            ],
        );
    }

    #[test]
    fn results_before_a_crash_count() {
        let failure =
            Some(Failure { failure_reason: "no response in 10 s from `python`".into(), output: String::new() });
        check(
            &Answer { failure: failure.clone(), database: None, migrations: None, ..healthy() },
            &[
                "ok django.check: no issues",
                "skip django.migrations: the database does not answer",
                "err django.database: no response in 10 s from `python`",
            ],
        );
        check(
            &Answer { failure: failure.clone(), migrations: None, ..healthy() },
            &[
                "ok django.check: no issues",
                "err django.migrations: no response in 10 s from `python`",
                "ok django.database: answers",
            ],
        );
        check(
            &Answer { failure, ..Answer::default() },
            &[
                "err django.check: no response in 10 s from `python`",
                "skip django.settings: Django did not get that far",
                "skip django.migrations: Django did not get that far",
                "skip django.database: Django did not get that far",
            ],
        );
    }

    #[test]
    fn migrations_can_be_wrong_by_themselves() {
        let error = Some("conflicting migrations: a.0002_b, a.0002_c".to_owned());
        check(
            &Answer { migrations: Some(Migrations { error, pending: Vec::new() }), ..healthy() },
            &[
                "ok django.check: no issues",
                "err django.migrations: conflicting migrations: a.0002_b, a.0002_c",
                "ok django.database: answers",
            ],
        );
    }

    #[test]
    fn lines_that_are_no_part_of_the_answer_are_passed_over() {
        let answer = parse(
            "hello\n{\"check\": []}\n{\"other\": 1}\n{\"migrations\": {\"error\": null, \"pending\": [\"a\"]}}\n{\"set",
        );
        assert!(answer.check.is_some_and(|findings| findings.is_empty()) && answer.settings.is_none());
        assert_eq!(answer.migrations.expect("told").pending, ["a"]);
    }

    #[test]
    fn of_many_migrations_the_first_are_named() {
        let names: Vec<_> = (1..=8).map(|number| format!("a.{number}")).collect();
        assert_eq!(some_of(&names), "a.1, a.2, a.3, a.4, a.5 and 3 more");
        assert_eq!(some_of(&names[..5]), "a.1, a.2, a.3, a.4, a.5");
    }

    #[test]
    fn secrets_are_covered_in_djangos_words() {
        let secrets = Secrets::of([&envfile::EnvFile::parse(b"A_KEY=hunter2\n")]);
        let hint = Some("not hunter2".into());
        let finding = Finding { id: "x.E001".into(), level: 40, message: "weak: hunter2".into(), hint };
        let database = Some(Database { error: Some("no hunter2".into()), file: None, denied: None });
        let redacted = redacted(Answer { check: Some(vec![finding]), database, ..healthy() }, &secrets);
        let findings = redacted.check.expect("told");
        assert_eq!(
            (findings[0].message.as_str(), findings[0].hint.as_deref()),
            ("weak: ********", Some("not ********"))
        );
        assert_eq!(redacted.database.expect("told").error.as_deref(), Some("no ********"));
    }
}
