//! The requirements of the service, from its `pyproject.toml`.

use std::collections::{BTreeMap, BTreeSet};
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
    /// The names of the packages that it requires, in the spelling of package indexes.
    packages: BTreeSet<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Document {
    project: ProjectTable,
    dependency_groups: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct ProjectTable {
    requires_python: Option<String>,
    dependencies: Option<toml::Value>,
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
        let lists = [document.project.dependencies.as_ref()].into_iter().flatten();
        let lists =
            lists.chain(document.project.optional_dependencies.values()).chain(document.dependency_groups.values());
        let requirements = lists.filter_map(toml::Value::as_array).flatten().filter_map(toml::Value::as_str);
        Ok(Pyproject {
            packages: requirements.map(package).collect(),
            requires_python: requires
                .parse()
                .map_err(|_| (None, format!("`requires-python` is no version specifier: {requires}")))?,
            extras: document.project.optional_dependencies.into_keys().collect(),
            groups: document.dependency_groups.into_keys().collect(),
        })
    }

    /// Whether the project requires this package, also for an extra or in a dependency group.
    #[must_use]
    pub fn requires(&self, name: &str) -> bool {
        self.packages.contains(&package(name))
    }

    /// Whether the project has this extra (`[project.optional-dependencies]`).
    #[must_use]
    pub fn has_extra(&self, name: &str) -> bool {
        self.extras.iter().any(|known| package(known) == package(name))
    }

    /// Whether the project has this dependency group (`[dependency-groups]`).
    #[must_use]
    pub fn has_group(&self, name: &str) -> bool {
        self.groups.iter().any(|known| package(known) == package(name))
    }
}

/// Returns the name of the package in a requirement, such as `django-environ` of `Django_Environ[x]>=0.11`.
fn package(requirement: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = requirement.trim().split(|c| !is_name(c)).next().unwrap_or_default();
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
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
    fn required_packages() {
        let text = "[project]\ndependencies = ['Django_Environ[x]>=0.11; python_version > \"3\"', 'django']\n\
                    [project.optional-dependencies]\nprod = ['gunicorn~=23.0']\n\
                    [dependency-groups]\ndev = ['pytest', {include-group = 'lint'}]\nlint = ['ruff']\n";
        let pyproject = Pyproject::parse(text).expect("valid");
        for name in ["django-environ", "django", "gunicorn", "pytest", "ruff"] {
            assert!(pyproject.requires(name), "{name}");
        }
        assert!(!pyproject.requires("environ") && !pyproject.requires("python-decouple"));
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
