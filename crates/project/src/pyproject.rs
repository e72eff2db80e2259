//! The requirements of the service, from its `pyproject.toml`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use pep440_rs::VersionSpecifiers;
use serde::Deserialize;

use crate::settings::line_of;

/// The required Python of a project that names none.
const DEFAULT_PYTHON: &str = ">=3.10";

/// The parts of `pyproject.toml` that the choice of an interpreter and `uv sync` depend on.
#[derive(Debug, Clone)]
pub struct Pyproject {
    /// `requires-python`, or `>=3.10` where it is absent.
    pub requires_python: VersionSpecifiers,
    extras: Vec<String>,
}

#[derive(Deserialize, Default)]
struct Document {
    #[serde(default)]
    project: ProjectTable,
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
        let text = fs::read_to_string(&path).map_err(|error| PyprojectError {
            path: path.clone(),
            line: None,
            message: error.to_string(),
        })?;
        Self::parse(&text).map_err(|(line, message)| PyprojectError { path, line, message })
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
        })
    }

    /// Whether the project has this extra (`[project.optional-dependencies]`).
    #[must_use]
    pub fn has_extra(&self, name: &str) -> bool {
        self.extras.iter().any(|extra| extra.eq_ignore_ascii_case(name))
    }
}

/// A `pyproject.toml` that cannot be parsed.
#[derive(Debug)]
pub struct PyprojectError {
    path: PathBuf,
    line: Option<usize>,
    message: String,
}

impl fmt::Display for PyprojectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        write!(f, ": {}", self.message)
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
