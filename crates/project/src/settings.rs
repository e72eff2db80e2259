//! The settings of a service, in the project's `Cargo.toml`.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::ProjectError;

/// The settings in `[workspace.metadata.service]` of the project's `Cargo.toml`, with the defaults given here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Names the units and the folders in `/opt` and `/etc`; `server-monitoring`.
    pub name: String,
    /// Where `manage.py`, `pyproject.toml` and `uv.lock` are, from the project's root; `.`.
    pub service_dir: PathBuf,
    /// The Compose file, from the project's root; else the first that is there of `deploy/docker/compose.yaml`,
    /// `deploy/docker/docker-compose.yml`, `compose.yaml` and `docker-compose.yml`.
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
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            name: "server-monitoring".into(),
            service_dir: ".".into(),
            compose_file: None,
            unit_dir: "deploy/systemd".into(),
            install_dir: None,
            system_env_file: None,
            user: "www-data".into(),
            health_path: None,
            drain_timeout: None,
        }
    }
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

#[derive(Deserialize, Default)]
struct Manifest {
    #[serde(default)]
    workspace: Workspace,
}

#[derive(Deserialize, Default)]
struct Workspace {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    service: Settings,
}

/// Parses the settings in the text of `Cargo.toml`.
pub(crate) fn settings(text: &str) -> Result<Settings, ProjectError> {
    let manifest: Manifest = toml::from_str(text).map_err(|error| ProjectError::Settings {
        line: line_of(text, error.span()),
        message: error.message().to_owned(),
    })?;
    Ok(manifest.workspace.metadata.service)
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
    fn check(text: &str, expected: &Settings) {
        assert_eq!(settings(text).as_ref().ok(), Some(expected));
    }

    #[test]
    fn missing_settings_have_defaults() {
        check("", &Settings::default());
        check("[package]\nname = 'x'\n", &Settings::default());
        check("[workspace.metadata.other]\nname = 1\n", &Settings::default());
        check(
            "[workspace.metadata.service]\nname = 'shop'\nhealth-path = '/up'\n",
            &Settings { name: "shop".into(), health_path: Some("/up".into()), ..Settings::default() },
        );
        check(
            "[workspace.metadata.service]\ndrain-timeout = '1m 30s'\n",
            &Settings { drain_timeout: Some(Duration::from_secs(90)), ..Settings::default() },
        );
    }

    #[track_caller]
    fn check_error(text: &str, expected: &str) {
        assert_eq!(settings(text).expect_err("invalid").to_string(), expected);
    }

    #[test]
    fn an_unknown_key_or_a_wrong_type_is_named_with_its_line() {
        check_error(
            "[workspace.metadata.service]\nnam = 'shop'\n",
            "`Cargo.toml` line 2, `[workspace.metadata.service]`: unknown field `nam`, expected one of `name`, \
             `service-dir`, `compose-file`, `unit-dir`, `install-dir`, `system-env-file`, `user`, `health-path`, `drain-timeout`",
        );
        check_error(
            "\n[workspace.metadata.service]\n\nname = 1\n",
            "`Cargo.toml` line 4, `[workspace.metadata.service]`: invalid type: integer `1`, expected a string",
        );
        for (value, expected) in [
            ("'90'", "`90` is no duration, such as `90s` or `10m`: time unit needed, for example 90sec or 90ms"),
            ("'0s'", "`0s` is not a number of seconds above 0"),
            ("'25h'", "`25h` is longer than a day"),
            ("'100ms'", "`100ms` is not a number of seconds above 0"),
            ("90", "invalid type: integer `90`, expected a string"),
        ] {
            check_error(
                &format!("[workspace.metadata.service]\ndrain-timeout = {value}\n"),
                &format!("`Cargo.toml` line 2, `[workspace.metadata.service]`: {expected}"),
            );
        }
    }
}
