//! The variables of the matrix, and the names that a project has for them.

mod detection;
mod format;

use std::fmt;
use std::path::PathBuf;

pub(crate) use self::detection::{Shown, detect, no_celery};
pub use self::format::Format;

/// A variable of the matrix, by its meaning: projects have different names for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variable {
    /// Whether Django shows tracebacks to every visitor.
    Debug,
    /// The key that signs sessions and tokens; a secret.
    SecretKey,
    /// The host names that the service answers to, separated by commas.
    AllowedHosts,
    /// The URL of the task queue.
    BrokerUrl,
    /// Whether tasks run inside the request.
    AlwaysEager,
}

/// The variables with their keys in the setting `variables` and their default names.
#[rustfmt::skip]
const VARIABLES: [(Variable, &str, &str); 5] = [
    (Variable::Debug,        "debug",         "DJANGO_DEBUG"),
    (Variable::SecretKey,    "secret-key",    "DJANGO_SECRET_KEY"),
    (Variable::AllowedHosts, "allowed-hosts", "DJANGO_ALLOWED_HOSTS"),
    (Variable::BrokerUrl,    "broker-url",    "CELERY_BROKER_URL"),
    (Variable::AlwaysEager,  "always-eager",  "CELERY_TASK_ALWAYS_EAGER"),
];

impl Variable {
    /// Every variable, in the order of the matrix.
    pub const ALL: [Variable; 5] =
        [Variable::Debug, Variable::SecretKey, Variable::AllowedHosts, Variable::BrokerUrl, Variable::AlwaysEager];

    /// Returns the key of this variable in the setting `variables`, such as `secret-key`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        VARIABLES[self as usize].1
    }

    /// Returns the name of this variable in a project that shows no other one, such as `DJANGO_DEBUG`.
    #[must_use]
    pub const fn default_name(self) -> &'static str {
        VARIABLES[self as usize].2
    }

    /// Returns whether the value is on or off.
    #[must_use]
    pub const fn is_switch(self) -> bool {
        matches!(self, Variable::Debug | Variable::AlwaysEager)
    }

    /// Returns whether the variable belongs to Celery.
    #[must_use]
    pub const fn is_of_celery(self) -> bool {
        matches!(self, Variable::BrokerUrl | Variable::AlwaysEager)
    }
}

/// Where a name comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameSource {
    /// The setting `variables` of the project.
    Setting,
    /// The settings of Django read this name.
    Code {
        /// The file, from the project's root.
        file: PathBuf,
        /// The line of the name, counted from 1.
        line: usize,
    },
    /// The sample has this name, and no other one that is known.
    Sample {
        /// The file, from the project's root.
        file: PathBuf,
        /// The line of the assignment, counted from 1.
        line: usize,
    },
    /// The project does not depend on Celery, by this file.
    NoCelery(PathBuf),
    /// There are no settings that could show another name.
    Default,
    /// The settings show no name at all.
    Unread,
}

impl fmt::Display for NameSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameSource::Setting => f.write_str("setting `variables`"),
            NameSource::Code { file, line } | NameSource::Sample { file, line } => {
                write!(f, "{}:{line}", file.display())
            }
            NameSource::NoCelery(file) => write!(f, "no Celery in {}", file.display()),
            NameSource::Default => f.write_str("default"),
            NameSource::Unread => f.write_str("default, which the settings do not seem to read"),
        }
    }
}

/// The name of a variable in a project, and the form of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name, such as `SECRET_KEY`; `None` where the variable is switched off.
    pub name: Option<String>,
    /// Where the name comes from.
    pub source: NameSource,
    /// How values are spelled in `.env`.
    pub format: Format,
}

/// The names of the variables of the matrix in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names([Named; 5]);

impl Default for Names {
    /// The default names.
    fn default() -> Self {
        Names(Variable::ALL.map(|variable| Named {
            name: Some(variable.default_name().to_owned()),
            source: NameSource::Default,
            format: Format::default(),
        }))
    }
}

impl Names {
    /// Returns the name of a variable with its source.
    #[must_use]
    pub const fn named(&self, variable: Variable) -> &Named {
        &self.0[variable as usize]
    }

    /// Returns the name of a variable; `None` where it is switched off.
    #[must_use]
    pub fn name(&self, variable: Variable) -> Option<&str> {
        self.named(variable).name.as_deref()
    }

    /// Returns the name of a variable for a message: the default name where it is switched off.
    #[must_use]
    pub fn shown(&self, variable: Variable) -> &str {
        self.name(variable).unwrap_or(variable.default_name())
    }

    /// Returns the variable that has this name.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<Variable> {
        Variable::ALL.into_iter().find(|variable| self.name(*variable) == Some(name))
    }

    /// Returns the value of a variable as the matrix compares it: a switch as `1` or `0`, hosts separated by commas.
    /// `get` returns the value of a name in a file or an environment.
    pub fn value(&self, variable: Variable, get: impl FnOnce(&str) -> Option<String>) -> Option<String> {
        let value = get(self.name(variable)?)?;
        Some(self.named(variable).format.canonical(variable, &value))
    }

    /// Returns the variable that goes by another name in this project, if `name` is its default name.
    #[must_use]
    pub fn renamed(&self, name: &str) -> Option<Variable> {
        let variable = Variable::ALL.into_iter().find(|variable| variable.default_name() == name)?;
        (self.variable(name).is_none() && self.name(variable).is_some()).then_some(variable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_variables() {
        assert_eq!(VARIABLES.map(|(variable, ..)| variable), Variable::ALL);
    }

    #[test]
    fn names_and_variables_of_a_project() {
        let mut names = Names::default();
        names.0[Variable::SecretKey as usize].name = Some("SECRET_KEY".into());
        names.0[Variable::AlwaysEager as usize].name = None;
        assert_eq!(names.variable("SECRET_KEY"), Some(Variable::SecretKey));
        assert_eq!(names.variable("DJANGO_SECRET_KEY"), None);
        assert_eq!(names.renamed("DJANGO_SECRET_KEY"), Some(Variable::SecretKey));
        assert_eq!(names.renamed("SECRET_KEY"), None);
        assert_eq!(names.renamed("CELERY_TASK_ALWAYS_EAGER"), None);
        assert_eq!(names.shown(Variable::AlwaysEager), "CELERY_TASK_ALWAYS_EAGER");
    }
}
