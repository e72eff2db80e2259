//! The variables of uv: those that it gets of `.env`, and those that this tool has to know as well.

use std::path::PathBuf;

use envfile::EnvFile;

use crate::Project;

/// The variable that names the virtual environment.
pub const UV_PROJECT_ENVIRONMENT: &str = "UV_PROJECT_ENVIRONMENT";
const UV_PYTHON: &str = "UV_PYTHON";
const UV_PYTHON_DOWNLOADS: &str = "UV_PYTHON_DOWNLOADS";

/// The variable of uv with which it downloads no Python.
pub const NO_DOWNLOADS: (&str, &str) = (UV_PYTHON_DOWNLOADS, "never");

/// Returns the variables of `.env` that uv is started with. The others are for the service: a `PATH` or a proxy that it
/// needs must not decide which uv runs, or where that downloads from.
pub fn uv_variables(variables: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    let of_uv = variables.iter().filter(|(name, _)| name.starts_with("UV_"));
    of_uv.map(|(name, value)| (name.as_str(), value.as_str()))
}

/// The variables of uv that decide which Python and which virtual environment it uses. An empty value is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UvSettings {
    /// `UV_PROJECT_ENVIRONMENT`: the virtual environment, relative to the root of the workspace.
    pub venv: Option<String>,
    /// `UV_PYTHON`: the Python, before any `.python-version`.
    pub python: Option<String>,
    /// `UV_PYTHON_DOWNLOADS`: whether uv downloads one that is missing.
    pub python_downloads: Option<String>,
}

impl UvSettings {
    /// Returns the settings of an environment; `value` returns the value of a variable.
    pub fn of(value: impl Fn(&str) -> Option<String>) -> Self {
        UvSettings {
            venv: value(UV_PROJECT_ENVIRONMENT),
            python: value(UV_PYTHON),
            python_downloads: value(UV_PYTHON_DOWNLOADS),
        }
        .without_empty()
    }

    /// Returns the settings that uv has with the variables of `.env` on top of these. There, an empty value removes one.
    #[must_use]
    pub fn with(&self, env_file: &EnvFile) -> Self {
        let value = |name: &str, inherited: &Option<String>| {
            env_file.get(name).map(|entry| entry.value).or_else(|| inherited.clone())
        };
        UvSettings {
            venv: value(UV_PROJECT_ENVIRONMENT, &self.venv),
            python: value(UV_PYTHON, &self.python),
            python_downloads: value(UV_PYTHON_DOWNLOADS, &self.python_downloads),
        }
        .without_empty()
    }

    fn without_empty(self) -> Self {
        let some = |value: Option<String>| value.filter(|value| !value.is_empty());
        UvSettings { venv: some(self.venv), python: some(self.python), python_downloads: some(self.python_downloads) }
    }

    /// Returns the virtual environment of a project's service, where uv makes it.
    #[must_use]
    pub fn venv_of(&self, project: &Project) -> PathBuf {
        project.workspace_root().join(self.venv.as_deref().unwrap_or(".venv"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Settings;

    #[test]
    fn a_path_or_a_proxy_of_the_service_does_not_reach_uv() {
        let names = ["PATH", "HTTPS_PROXY", "UV_INDEX_URL", "UVX", "SSL_CERT_FILE"];
        let variables = names.map(|name| (name.to_owned(), "x".to_owned()));
        assert_eq!(uv_variables(&variables).collect::<Vec<_>>(), [("UV_INDEX_URL", "x")]);
    }

    #[test]
    fn the_virtual_environment_is_where_the_file_says() {
        let project = Project::with("/srv/shop".into(), Settings::default()).expect("a project");
        for (file, inherited, expected) in [
            ("", "", "/srv/shop/.venv"),
            ("", "/venvs/a", "/venvs/a"),
            ("UV_PROJECT_ENVIRONMENT=venv\n", "/venvs/a", "/srv/shop/venv"),
            ("UV_PROJECT_ENVIRONMENT=/venvs/b\n", "", "/venvs/b"),
            // As for uv, to which the empty value is passed on.
            ("UV_PROJECT_ENVIRONMENT=\n", "/venvs/a", "/srv/shop/.venv"),
        ] {
            let inherited = UvSettings::of(|name| (name == UV_PROJECT_ENVIRONMENT).then(|| inherited.to_owned()));
            let found = inherited.with(&EnvFile::parse(file.as_bytes())).venv_of(&project);
            assert_eq!(found, Path::new(expected), "{file} {inherited:?}");
        }
    }
}
