//! The outcomes of a checkout that `deploy-systemd` deploys: the deploy migrates, and no unit reads a database in the
//! checkout.

use project::Project;

use super::{Answer, DATABASE, MIGRATIONS};
use crate::outcome::{Outcome, Status};

/// Returns the outcomes as they count for a checkout that is deployed.
#[must_use]
pub fn deployed(outcomes: Vec<Outcome>, answer: &Answer, project: &Project) -> Vec<Outcome> {
    let file = answer.database.as_ref().and_then(|database| database.file.as_ref());
    let file = file.map(|file| project.manage_dir().join(file)).filter(|file| file.starts_with(&project.root));
    let is_pending = answer.migrations.as_ref().is_some_and(|listed| listed.error.is_none());
    let count = |outcome: Outcome| match &file {
        Some(file) if outcome.name == DATABASE => {
            let file = project.relative(file).display();
            Outcome::skip(DATABASE, format!("`{file}` is in the checkout, and no unit reads it"))
        }
        Some(_) if outcome.name == MIGRATIONS => {
            Outcome::skip(MIGRATIONS, "`deploy-systemd` migrates the database of the units")
        }
        None if outcome.name == MIGRATIONS && outcome.status == Status::Err && is_pending => {
            Outcome::warn(MIGRATIONS, outcome.message).hint("cargo xtask deploy-systemd")
        }
        _ => outcome,
    };
    outcomes.into_iter().map(count).collect()
}

#[cfg(test)]
mod tests {
    use detect::Environment;
    use project::Settings;

    use super::super::{Database, Migrations, outcomes};
    use super::*;

    #[track_caller]
    fn check(file: Option<&str>, pending: &[&str], expected: [&str; 2]) {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path().canonicalize().expect("a folder");
        std::fs::write(root.join("manage.py"), "").expect("written");
        let project = Project::with(root, Settings::default()).expect("a project");
        let answer = Answer {
            check: Some(Vec::new()),
            database: Some(Database { error: None, file: file.map(Into::into), denied: None }),
            migrations: Some(Migrations { error: None, pending: pending.iter().map(ToString::to_string).collect() }),
            ..Answer::default()
        };
        let found = deployed(outcomes(&answer, Environment::Prod), &answer, &project);
        let lines = found.iter().filter(|it| [DATABASE, MIGRATIONS].contains(&it.name));
        let lines: Vec<_> = lines.map(|it| format!("{} {}: {}", it.status, it.name, it.message)).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_database_in_the_checkout_is_read_by_no_unit() {
        check(
            Some("db.sqlite3"),
            &["a.0001"],
            [
                "skip django.migrations: `deploy-systemd` migrates the database of the units",
                "skip django.database: `db.sqlite3` is in the checkout, and no unit reads it",
            ],
        );
        let answers = "ok django.database: answers";
        check(None, &["a.0001"], ["warn django.migrations: 1 not applied: a.0001", answers]);
        check(None, &[], ["ok django.migrations: all applied", answers]);
    }
}
