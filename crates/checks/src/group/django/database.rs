//! `django.database`: the default database responds, and a file of `SQLite` can be written to.

use std::path::{Path, PathBuf};

use detect::Environment;

use super::DATABASE;
use super::answer::Database;
use crate::group::core::{Denied, this_user, unwritable};
use crate::outcome::Outcome;

/// Returns the file of the database, or the folder of its journal, if this user cannot write to it.
pub(super) fn denied(database: &Database, service_dir: &Path) -> Option<Denied> {
    let file = service_dir.join(database.file.as_ref()?);
    let folder = file.parent().map(Path::to_owned);
    let paths: Vec<PathBuf> = [file].into_iter().chain(folder).collect();
    unwritable(&paths).into_iter().next()
}

pub(super) fn outcome(database: &Database, environment: Environment) -> Outcome {
    match (&database.error, &database.denied) {
        (Some(error), _) => Outcome::err(DATABASE, error),
        (None, None) => Outcome::ok(DATABASE, "answers"),
        (None, Some(Denied { message, hint })) => {
            let message = format!("answers, and `{}` cannot write to it: {message}", this_user());
            let outcome = match environment {
                Environment::Dev => Outcome::err(DATABASE, message),
                // There the service can run as another user.
                Environment::Prod => Outcome::warn(DATABASE, message),
            };
            hint.iter().fold(outcome, Outcome::hint)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Status;

    #[test]
    fn a_database_that_cannot_be_written_to_is_reported() {
        let hint = Some("sudo chown me db.sqlite3".to_owned());
        let denied = Denied { message: "`db.sqlite3` belongs to `root`, with the mode 644".into(), hint: hint.clone() };
        let database = Database { error: None, file: Some("db.sqlite3".into()), denied: Some(denied) };
        for (environment, status) in [(Environment::Dev, Status::Err), (Environment::Prod, Status::Warn)] {
            let found = outcome(&database, environment);
            assert_eq!((found.status, &found.hint), (status, &hint));
            assert!(
                found.message.ends_with(": `db.sqlite3` belongs to `root`, with the mode 644"),
                "{}",
                found.message
            );
        }
        let database = Database { denied: None, ..database };
        assert_eq!(outcome(&database, Environment::Dev).status, Status::Ok);
    }
}
