//! `django`: the project's own checks, its migrations and its database, all from one interpreter start.

use std::time::Duration;

use detect::Environment;
use serde::Deserialize;

use super::Ground;
use crate::outcome::{Outcome, Status};
use crate::secret::Secrets;

const SCRIPT: &str = include_str!("django.py");

/// What one start of Django told.
#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    /// What `manage.py check` finds; with `--deploy` in prod.
    pub check: Vec<Finding>,
    /// The migrations that are not applied, such as `auth.0001_initial`.
    pub pending: Vec<String>,
    /// What kept the database from answering.
    pub database_error: Option<String>,
    /// Where `collectstatic` puts its files, if that is configured.
    pub static_root: Option<String>,
    /// Whether a reader of `.env` is loaded: the settings see the file without anybody's help.
    pub reads_env_file: bool,
}

/// A finding of Django's system checks.
#[derive(Debug, Clone, Deserialize)]
pub struct Finding {
    /// Django's own id, such as `security.W009`; empty for a check without one.
    pub id: String,
    /// From 30 on a warning, from 40 on an error, as in Django.
    pub level: u32,
    /// What Django says.
    pub message: String,
}

/// Django's level from which on a finding is an error.
const ERROR: u32 = 40;
/// Django's level from which on a finding is a warning.
const WARNING: u32 = 30;

/// A Django that did not start. Secrets are covered.
#[derive(Debug, Clone)]
pub struct NotStarted {
    /// The last word on it, such as `ModuleNotFoundError: No module named 'shop'`.
    pub complaint: String,
    /// All that was printed, with the traceback.
    pub output: String,
}

/// Starts Django once, in the environment that `.env` describes, and asks it everything. Secrets are covered.
///
/// # Errors
/// Django did not start, or not in time.
pub fn ask(ground: &Ground<'_>, environment: Environment, timeout: Duration) -> Result<Answer, NotStarted> {
    let Ground { project, uv, secrets, stop, .. } = ground;
    let deploy = (environment == Environment::Prod).then_some("--deploy");
    let args = ["run", "--no-sync", "--quiet", "python", "-"].into_iter().chain(deploy);
    let command = uv.command(args).dir(project.service_dir()).envs(ground.variables.clone()).stdin(SCRIPT);
    let finished = command
        .run_unless(stop, timeout)
        .map_err(|error| NotStarted { complaint: error.to_string(), output: String::new() })?;
    match finished.stdout.lines().next_back().map(serde_json::from_str::<Answer>) {
        Some(Ok(answer)) if finished.is_success() => Ok(covered(answer, secrets)),
        _ => {
            Err(NotStarted { complaint: secrets.cover(&finished.complaint()), output: secrets.cover(&finished.stderr) })
        }
    }
}

/// The answer with the secrets covered that Django has put into its words.
fn covered(mut answer: Answer, secrets: &Secrets) -> Answer {
    for finding in &mut answer.check {
        finding.message = secrets.cover(&finding.message);
    }
    answer.database_error = answer.database_error.map(|error| secrets.cover(&error));
    answer
}

/// The checks of this group, from one answer.
#[must_use]
pub fn outcomes(answer: &Result<Answer, NotStarted>) -> Vec<Outcome> {
    match answer {
        Ok(answer) => vec![check(&answer.check), migrations(answer), database(answer)],
        Err(error) => vec![Outcome::new("django.check", Status::Err, &error.complaint)],
    }
}

fn check(findings: &[Finding]) -> Outcome {
    const NAME: &str = "django.check";
    let status = match findings.iter().map(|finding| finding.level).max() {
        Some(ERROR..) => Status::Err,
        Some(WARNING..) => Status::Warn,
        _ => return Outcome::new(NAME, Status::Ok, "no issues"),
    };
    let lines = findings.iter().filter(|finding| finding.level >= WARNING).map(|finding| {
        let separator = if finding.id.is_empty() { "" } else { ": " };
        format!("{}{separator}{}", finding.id, finding.message)
    });
    Outcome::new(NAME, status, lines.collect::<Vec<_>>().join("\n"))
}

fn migrations(answer: &Answer) -> Outcome {
    const NAME: &str = "django.migrations";
    match answer.pending.as_slice() {
        _ if answer.database_error.is_some() => Outcome::new(NAME, Status::Skip, "the database does not answer"),
        [] => Outcome::new(NAME, Status::Ok, "all applied"),
        pending => Outcome::new(NAME, Status::Err, format!("{} not applied: {}", pending.len(), pending.join(", ")))
            .hint("cargo xtask install"),
    }
}

fn database(answer: &Answer) -> Outcome {
    const NAME: &str = "django.database";
    match &answer.database_error {
        None => Outcome::new(NAME, Status::Ok, "answers"),
        Some(error) => Outcome::new(NAME, Status::Err, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        Answer { check: Vec::new(), pending: Vec::new(), database_error: None, static_root: None, reads_env_file: true }
    }

    #[track_caller]
    fn check(answer: &Result<Answer, NotStarted>, expected: &[&str]) {
        let outcomes = outcomes(answer);
        let lines = outcomes.iter().map(|outcome| format!("{} {}: {}", outcome.status, outcome.name, outcome.message));
        assert_eq!(lines.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn one_answer_gives_every_check_of_the_group() {
        check(
            &Ok(answer()),
            &["ok django.check: no issues", "ok django.migrations: all applied", "ok django.database: answers"],
        );
        let finding = |level| Finding { id: "security.W018".into(), level, message: "DEBUG".into() };
        check(
            &Ok(Answer { check: vec![finding(20), finding(30)], pending: vec!["a.0001".into()], ..answer() }),
            &[
                "warn django.check: security.W018: DEBUG",
                "err django.migrations: 1 not applied: a.0001",
                "ok django.database: answers",
            ],
        );
        check(
            &Ok(Answer { check: vec![finding(40)], database_error: Some("locked".into()), ..answer() }),
            &[
                "err django.check: security.W018: DEBUG",
                "skip django.migrations: the database does not answer",
                "err django.database: locked",
            ],
        );
    }

    #[test]
    fn secrets_are_covered_in_djangos_words() {
        let secrets = Secrets::of([&envfile::EnvFile::parse(b"A_KEY=hunter2\n")]);
        let finding = Finding { id: "x.E001".into(), level: 40, message: "weak: hunter2".into() };
        let answer = Answer { check: vec![finding], database_error: Some("no hunter2".into()), ..answer() };
        let covered = covered(answer, &secrets);
        assert_eq!(covered.check[0].message, "weak: ********");
        assert_eq!(covered.database_error.as_deref(), Some("no ********"));
    }

    #[test]
    fn a_django_that_does_not_start_is_one_error() {
        let error = NotStarted { complaint: "ImproperlyConfigured: no".into(), output: String::new() };
        check(&Err(error), &["err django.check: ImproperlyConfigured: no"]);
    }
}
