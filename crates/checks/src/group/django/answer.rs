//! The response of Django: lines of JSON, a part each.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::group::core::Denied;

/// The results of one start of Django; a part that it did not come to is `None`.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The values of settings that this tool depends on.
    pub settings: Option<Settings>,
    /// The findings of `manage.py check`; in prod those of `manage.py check --deploy`.
    pub check: Option<Vec<Finding>>,
    /// The result of a query to the default database.
    pub database: Option<Database>,
    /// The migrations of the default database that are not applied yet.
    pub migrations: Option<Migrations>,
    /// The reason why the other parts are missing.
    pub failure: Option<Failure>,
}

/// The values of settings that this tool depends on.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// Where `collectstatic` puts its files, if that is configured.
    pub static_root: Option<String>,
    /// For each variable of the matrix that is set, whether the settings have its value.
    #[serde(default)]
    pub arrived: BTreeMap<String, bool>,
}

/// A finding of Django's system checks.
#[derive(Debug, Clone, Deserialize)]
pub struct Finding {
    /// Django's own id, such as `security.W009`; empty for a check without one.
    pub id: String,
    /// From 30 on a warning, from 40 on an error, as in Django.
    pub level: u32,
    /// Django's message, in one line or several.
    pub message: String,
    /// Django's advice, which is not a command.
    pub hint: Option<String>,
}

/// The result of a query (`SELECT 1`) to the default database.
#[derive(Debug, Clone, Deserialize)]
pub struct Database {
    /// The error that the database reports.
    pub error: Option<String>,
    /// The file of a `SQLite` database.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// The file, or the folder of its journal, if this user cannot write to it.
    #[serde(skip)]
    pub denied: Option<Denied>,
}

/// The migrations of the default database.
#[derive(Debug, Clone, Deserialize)]
pub struct Migrations {
    /// The error in the migrations themselves.
    pub error: Option<String>,
    /// Those that are not applied, such as `auth.0001_initial`.
    pub pending: Vec<String>,
}

/// One line of the script's answer.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    Settings(Settings),
    Check(Vec<Finding>),
    Database(Database),
    Migrations(Migrations),
}

/// The reason why Django did not report everything, with secrets redacted.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The last line of it, such as `ModuleNotFoundError: No module named 'shop'`.
    pub failure_reason: String,
    /// The error output of Django, with the traceback.
    pub output: String,
}
