//! The requirements of the service, from its `pyproject.toml`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use pep440_rs::VersionSpecifiers;
use serde::Deserialize;

use crate::other_tool::{self, OtherTool};
use crate::settings::line_of;

/// The required Python of a project that names none.
const DEFAULT_PYTHON: &str = ">=3.10";

/// The parts of `pyproject.toml` that the choice of an interpreter and `uv sync` depend on.
#[derive(Debug, Clone)]
pub struct Pyproject {
    /// `requires-python`, or `>=3.10` where it is absent.
    pub requires_python: VersionSpecifiers,
    extras: Vec<String>,
    groups: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
struct Document {
    #[serde(default)]
    project: ProjectTable,
    #[serde(default)]
    dependency_groups: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct ProjectTable {
    requires_python: Option<String>,
    optional_dependencies: BTreeMap<String, toml::Value>,
}

impl Pyproject {
    /// Reads `pyproject.toml` in the service folder.
    ///
    /// # Errors
    /// When it is not there, is no TOML, or has a `requires-python` that is no version specifier.
    pub fn read(service_dir: &Path) -> Result<Self, PyprojectError> {
        let path = service_dir.join("pyproject.toml");
        let read = fs::read_to_string(&path);
        if let Some(other_tool) = other_tool::find(service_dir, read.as_deref().ok()) {
            return Err(PyprojectError { path, reason: Reason::OtherTool(other_tool) });
        }
        let text = match read {
            Ok(text) => text,
            Err(error) => return Err(PyprojectError { path, reason: Reason::Invalid(None, error.to_string()) }),
        };
        Self::parse(&text).map_err(|(line, message)| PyprojectError { path, reason: Reason::Invalid(line, message) })
    }

    fn parse(text: &str) -> Result<Self, (Option<usize>, String)> {
        let document: Document =
            toml::from_str(text).map_err(|error| (Some(line_of(text, error.span())), error.message().to_owned()))?;
        let requires = document.project.requires_python.as_deref().unwrap_or(DEFAULT_PYTHON);
        Ok(Pyproject {
            requires_python: requires
                .parse()
                .map_err(|_| (None, format!("`requires-python` is no version specifier: {requires}")))?,
            extras: document.project.optional_dependencies.into_keys().collect(),
            groups: document.dependency_groups.into_keys().collect(),
        })
    }

    /// Whether the project has this extra (`[project.optional-dependencies]`).
    #[must_use]
    pub fn has_extra(&self, name: &str) -> bool {
        is_in(&self.extras, name)
    }

    /// Whether the project has this dependency group (`[dependency-groups]`).
    #[must_use]
    pub fn has_group(&self, name: &str) -> bool {
        is_in(&self.groups, name)
    }
}

/// Compares names as PEP 503 normalizes them.
fn is_in(names: &[String], name: &str) -> bool {
    let normalized = |name: &str| name.to_lowercase().replace(['_', '.'], "-");
    names.iter().any(|known| normalized(known) == normalized(name))
}

/// A `pyproject.toml` that cannot be used.
#[derive(Debug)]
pub struct PyprojectError {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    /// A line, if it is known, and the error.
    Invalid(Option<usize>, String),
    /// Another tool installs the dependencies.
    OtherTool(OtherTool),
}

impl PyprojectError {
    /// Returns the command that converts a project of another tool.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        match &self.reason {
            Reason::Invalid(..) => None,
            Reason::OtherTool(other_tool) => Some(&other_tool.command),
        }
    }
}

impl fmt::Display for PyprojectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Invalid(Some(line), message) => write!(f, "`{}` line {line}: {message}", self.path.display()),
            Reason::Invalid(None, message) => write!(f, "`{}`: {message}", self.path.display()),
            Reason::OtherTool(other_tool) => other_tool.fmt(f),
        }
    }
}

impl Error for PyprojectError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_parsed() {
        let text = "[project]\nrequires-python = '>=3.11,<4'\n[project.optional-dependencies]\nprod = ['gunicorn']\n";
        let pyproject = Pyproject::parse(text).expect("valid");
        assert_eq!(pyproject.requires_python.to_string(), ">=3.11, <4");
        assert!(pyproject.has_extra("prod"));
        assert!(!pyproject.has_extra("dev"));
    }

    #[test]
    fn without_a_word_on_python_it_is_3_10() {
        let pyproject = Pyproject::parse("").expect("valid");
        assert_eq!(pyproject.requires_python.to_string(), DEFAULT_PYTHON);
    }

    #[test]
    fn errors_name_their_line() {
        let (line, _) = Pyproject::parse("[project]\nrequires-python = 3\n").expect_err("a number");
        assert_eq!(line, Some(2));
        let (_, message) = Pyproject::parse("[project]\nrequires-python = 'new'\n").expect_err("a word");
        assert_eq!(message, "`requires-python` is no version specifier: new");
        let error = Pyproject::read(Path::new("/no")).expect_err("no such folder");
        assert_eq!(error.to_string(), "`/no/pyproject.toml`: No such file or directory (os error 2)");
    }
}
