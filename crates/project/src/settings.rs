//! The settings of a service, in the project's `pyproject.toml` or `Cargo.toml`.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer};

use crate::shared_path::{self, SharedPath};
use crate::{ProjectError, Variable};

/// The settings of a service, in `[tool.xtask.service]` of the project's `pyproject.toml` or in
/// `[workspace.metadata.service]` of its `Cargo.toml`, with the defaults given here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Names the units and the folders in `/opt` and `/etc`; `server-monitoring`.
    pub name: String,
    /// Where `pyproject.toml` and `uv.lock` are, from the project's root; else where they are found.
    pub service_dir: Option<PathBuf>,
    /// The path of `manage.py` from the project's root; else where it is found.
    pub manage_py: Option<PathBuf>,
    /// The commented example that a fresh `.env` is copied from; else the first that is found of `.env.sample`,
    /// `.env.example` and other usual names.
    pub sample_file: Option<PathBuf>,
    /// The Compose file, from the project's root; else the first with one of Compose's names in the root or in
    /// `deploy/docker`.
    pub compose_file: Option<PathBuf>,
    /// The folder of the unit files, from the project's root; `deploy/systemd`.
    pub unit_dir: PathBuf,
    /// Where releases are served from; `/opt/<name>`.
    pub install_dir: Option<PathBuf>,
    /// The environment that systemd gives to the units; `/etc/<name>/env`.
    pub system_env_file: Option<PathBuf>,
    /// The user that the units run as; `www-data`.
    pub user: String,
    /// The path that answers when the service is well; else `/`, where any response below 500 but 400 counts.
    pub health_path: Option<String>,
    /// The time that the previous release has to finish requests and tasks, such as `10m`; else `stop_grace_period` and
    /// `TimeoutStopSec` apply.
    #[serde(deserialize_with = "duration")]
    pub drain_timeout: Option<Duration>,
    /// The files and folders that all releases of `deploy-systemd` have in common; besides, those that Django's settings name.
    #[serde(deserialize_with = "shared_path::list")]
    pub shared_paths: Vec<SharedPath>,
    /// The extras that are installed; else the extra `dev` in dev and `prod` in prod, where there is one.
    pub extras: Option<Vec<String>>,
    /// The dependency groups that are installed; else the group `dev` in dev and `prod` in prod, where there is one.
    pub groups: Option<Vec<String>>,
    /// The project's names of the variables that `install` sets; else those that the checkout shows.
    #[serde(deserialize_with = "variables")]
    pub variables: Vec<(Variable, Chosen)>,
    /// The service of the Compose file that runs Django and answers requests; else it is known by its label, name, command
    /// or port.
    pub web_service: Option<String>,
    /// The services of the Compose file that do tasks; else they are known by their commands and names.
    pub worker_services: Vec<String>,
    /// The service of the Compose file that hands requests to the web service; else it is known by its label, image or name.
    pub proxy_service: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            name: "server-monitoring".into(),
            service_dir: None,
            manage_py: None,
            sample_file: None,
            compose_file: None,
            unit_dir: "deploy/systemd".into(),
            install_dir: None,
            system_env_file: None,
            user: "www-data".into(),
            health_path: None,
            drain_timeout: None,
            shared_paths: Vec::new(),
            extras: None,
            groups: None,
            variables: Vec::new(),
            web_service: None,
            worker_services: Vec::new(),
            proxy_service: None,
        }
    }
}

/// The choice for a variable in the setting `variables`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// The project has this name for it.
    Name(String),
    /// The project does not use it.
    Off,
}

impl Chosen {
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Chosen::Name(name) => Some(name),
            Chosen::Off => None,
        }
    }
}

impl<'de> Deserialize<'de> for Chosen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Choice;
        impl Visitor<'_> for Choice {
            type Value = Chosen;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a variable, or false")
            }
            fn visit_bool<E: serde::de::Error>(self, is_on: bool) -> Result<Chosen, E> {
                if is_on { Err(E::custom("expected the name of a variable, or false")) } else { Ok(Chosen::Off) }
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Chosen, E> {
                let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
                let is_name = name.starts_with(is_first) && name.chars().all(|c| is_first(c) || c.is_ascii_digit());
                let is_axis = [detect::DJANGO_ENV, detect::DEPLOY_METHOD].contains(&name);
                match () {
                    () if !is_name => Err(E::custom(format!("`{name}` is no name of a variable"))),
                    () if is_axis => Err(E::custom(format!("`{name}` is the variable of an axis"))),
                    () => Ok(Chosen::Name(name.to_owned())),
                }
            }
        }
        deserializer.deserialize_any(Choice)
    }
}

/// Deserializes the table of variables: each key is known, and no name is there twice.
fn variables<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(Variable, Chosen)>, D::Error> {
    let table = std::collections::BTreeMap::<String, Chosen>::deserialize(deserializer)?;
    let mut all: Vec<(Variable, Chosen)> = Vec::new();
    for (key, chosen) in table {
        let Some(variable) = Variable::ALL.into_iter().find(|variable| variable.key() == key) else {
            let keys = Variable::ALL.map(|variable| format!("`{}`", variable.key())).join(", ");
            return Err(D::Error::custom(format!("unknown variable `{key}`, expected one of {keys}")));
        };
        if let Some((other, _)) = all.iter().find(|(_, known)| *known == chosen && chosen != Chosen::Off) {
            let message = format!("`{}` and `{key}` have the same name", other.key());
            return Err(D::Error::custom(message));
        }
        all.push((variable, chosen));
    }
    Ok(all)
}

/// The longest `drain-timeout`: a deploy waits for it.
const LONGEST_DRAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Deserializes a duration with its unit; whole seconds, since Docker counts in them.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match humantime::parse_duration(&text) {
        Ok(duration) if duration > LONGEST_DRAIN => Err(D::Error::custom(format!("`{text}` is longer than a day"))),
        Ok(duration) if duration.subsec_nanos() == 0 && !duration.is_zero() => Ok(Some(duration)),
        Ok(_) => Err(D::Error::custom(format!("`{text}` is not a number of seconds above 0"))),
        Err(error) => Err(D::Error::custom(format!("`{text}` is no duration, such as `90s` or `10m`: {error}"))),
    }
}

/// A file that can have the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manifest {
    Pyproject,
    Cargo,
}

impl Manifest {
    pub(crate) const ALL: [Manifest; 2] = [Manifest::Pyproject, Manifest::Cargo];

    /// Returns the name of the file.
    pub(crate) const fn file(self) -> &'static str {
        match self {
            Manifest::Pyproject => "pyproject.toml",
            Manifest::Cargo => "Cargo.toml",
        }
    }

    /// Returns the names of the table and of those around it.
    const fn path(self) -> [&'static str; 3] {
        match self {
            Manifest::Pyproject => ["tool", "xtask", "service"],
            Manifest::Cargo => ["workspace", "metadata", "service"],
        }
    }

    /// Returns the header of the table.
    pub(crate) fn table(self) -> String {
        format!("[{}]", self.path().join("."))
    }

    /// Parses the settings in the text of this file; `None` if it has none.
    ///
    /// # Errors
    /// If the text is no TOML, or the table has an unknown key or a wrong value.
    pub(crate) fn settings(self, text: &str) -> Result<Option<Settings>, ProjectError> {
        let error = |error: &toml::de::Error| ProjectError::Settings {
            file: self.file(),
            table: self.table(),
            line: line_of(text, error.span()),
            message: error.message().to_owned(),
        };
        let tables: Tables = toml::from_str(text).map_err(|it| error(&it))?;
        Ok(match self {
            Manifest::Pyproject => tables.tool.xtask.service,
            Manifest::Cargo => tables.workspace.metadata.service,
        })
    }
}

/// The tables around the settings, in either file.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Tables {
    tool: Tool,
    workspace: Workspace,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tool {
    xtask: Metadata,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Workspace {
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Metadata {
    service: Option<Settings>,
}

/// The line, counted from 1, on which a span begins.
pub(crate) fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    before.matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(manifest: Manifest, text: &str, expected: Option<&Settings>) {
        assert_eq!(manifest.settings(text).expect("valid").as_ref(), expected, "{text}");
    }

    #[test]
    fn missing_settings_have_defaults() {
        check(Manifest::Cargo, "", None);
        check(Manifest::Cargo, "[package]\nname = 'x'\n", None);
        check(Manifest::Cargo, "[workspace.metadata.other]\nname = 1\n", None);
        check(Manifest::Pyproject, "[tool.uv]\npackage = false\n", None);
        check(Manifest::Pyproject, "[workspace.metadata.service]\nname = 'shop'\n", None);
        check(
            Manifest::Cargo,
            "[workspace.metadata.service]\nname = 'shop'\nhealth-path = '/up'\n",
            Some(&Settings { name: "shop".into(), health_path: Some("/up".into()), ..Settings::default() }),
        );
        check(
            Manifest::Pyproject,
            "[tool.xtask.service]\ndrain-timeout = '1m 30s'\nmanage-py = 'src/manage.py'\ngroups = ['web']\n",
            Some(&Settings {
                drain_timeout: Some(Duration::from_secs(90)),
                manage_py: Some("src/manage.py".into()),
                groups: Some(vec!["web".into()]),
                ..Settings::default()
            }),
        );
        check(
            Manifest::Pyproject,
            "[tool.xtask.service.variables]\nsecret-key = 'APP_KEY'\nalways-eager = false\n",
            Some(&Settings {
                variables: vec![
                    (Variable::AlwaysEager, Chosen::Off),
                    (Variable::SecretKey, Chosen::Name("APP_KEY".into())),
                ],
                ..Settings::default()
            }),
        );
    }

    #[track_caller]
    fn check_error(manifest: Manifest, text: &str, expected: &str) {
        let message = manifest.settings(text).expect_err("invalid").to_string();
        assert!(message.starts_with(expected), "{message}");
    }

    #[test]
    fn an_unknown_key_or_a_wrong_type_is_named_with_its_line() {
        check_error(
            Manifest::Cargo,
            "[workspace.metadata.service]\nnam = 'shop'\n",
            "`Cargo.toml` line 2, `[workspace.metadata.service]`: unknown field `nam`, expected one of `name`, ",
        );
        check_error(
            Manifest::Pyproject,
            "\n[tool.xtask.service]\n\nname = 1\n",
            "`pyproject.toml` line 4, `[tool.xtask.service]`: invalid type: integer `1`, expected a string",
        );
        for (value, expected) in [
            ("'90'", "`90` is no duration, such as `90s` or `10m`: time unit needed, for example 90sec or 90ms"),
            ("'0s'", "`0s` is not a number of seconds above 0"),
            ("'25h'", "`25h` is longer than a day"),
            ("'100ms'", "`100ms` is not a number of seconds above 0"),
            ("90", "invalid type: integer `90`, expected a string"),
        ] {
            check_error(
                Manifest::Cargo,
                &format!("[workspace.metadata.service]\ndrain-timeout = {value}\n"),
                &format!("`Cargo.toml` line 2, `[workspace.metadata.service]`: {expected}"),
            );
        }
        for (variables, expected) in [
            ("key = 'A'", "unknown variable `key`, expected one of `debug`, `secret-key`, "),
            ("debug = 'A-B'", "`A-B` is no name of a variable"),
            ("debug = ''", "`` is no name of a variable"),
            ("debug = 'DJANGO_ENV'", "`DJANGO_ENV` is the variable of an axis"),
            ("debug = true", "expected the name of a variable, or false"),
            ("debug = 1", "invalid type: integer `1`, expected the name of a variable, or false"),
            ("debug = 'A', secret-key = 'A'", "`debug` and `secret-key` have the same name"),
        ] {
            check_error(
                Manifest::Pyproject,
                &format!("[tool.xtask.service]\nvariables = {{ {variables} }}\n"),
                &format!("`pyproject.toml` line 2, `[tool.xtask.service]`: {expected}"),
            );
        }
    }
}
