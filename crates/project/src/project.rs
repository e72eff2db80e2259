//! A checkout that is operated: where its parts are, by its own settings or by the defaults.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use detect::{DeployMethod, ENV_FILE, Environment};
use subprocess::quoted;

use crate::ComposeVariables;
use crate::names::{self, Names};
use crate::places::Places;
use crate::settings::{Manifest, Settings};
use crate::settings_code::SettingsCode;
use crate::text::listed;
use crate::workspace::workspace_root;

/// A checkout with its settings.
#[derive(Debug, Clone)]
pub struct Project {
    /// The root folder, absolute: where `.env` is.
    pub root: PathBuf,
    /// The settings of the service.
    pub settings: Settings,
    /// The names of the variables that `install` sets.
    pub names: Names,
    /// Compose's variables in the environment of the call; none unless the caller sets them.
    pub compose_variables: ComposeVariables,
    /// Whether the settings list Django's accounts, so that there is a command `createsuperuser`.
    pub has_accounts: bool,
    places: Places,
    settings_file: &'static str,
}

impl Project {
    /// The project in this folder. Without settings it has the defaults, and what the checkout shows.
    ///
    /// # Errors
    /// If there is no such folder, a file with settings cannot be read or has an unknown one, or a part of the project
    /// is not found.
    pub fn open(root: &Path) -> Result<Self, ProjectError> {
        let root = root.canonicalize().map_err(unreadable(root))?;
        if !root.is_dir() {
            return Err(unreadable(&root)(io::ErrorKind::NotADirectory.into()));
        }
        let mut found = Vec::new();
        for manifest in Manifest::ALL {
            let path = root.join(manifest.file());
            match fs::read_to_string(&path) {
                Ok(text) => found.extend(manifest.settings(&text)?.map(|settings| (manifest, settings))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unreadable(&path)(error)),
            }
        }
        if found.len() > 1 {
            return Err(ProjectError::SettingsTwice);
        }
        if let Some((manifest, settings)) = found.pop() {
            return Self::new(root, settings, manifest.file());
        }
        let has_file = |manifest: &Manifest| root.join(manifest.file()).is_file();
        let manifest = Manifest::ALL.into_iter().find(has_file).unwrap_or(Manifest::Pyproject);
        Self::new(root, Settings::default(), manifest.file())
    }

    /// The project in this folder, absolute, with these settings.
    ///
    /// # Errors
    /// If a part of the project is not found.
    pub fn with(root: PathBuf, settings: Settings) -> Result<Self, ProjectError> {
        Self::new(root, settings, Manifest::Pyproject.file())
    }

    fn new(root: PathBuf, settings: Settings, settings_file: &'static str) -> Result<Self, ProjectError> {
        let places = Places::find(&root, &settings)?;
        let code = SettingsCode::read(&root, &places.manage_dir);
        // A sample that cannot be read is reported where it is used.
        let sample = envfile::read(&places.sample_file).ok().flatten();
        let sample_path = places.sample_file.strip_prefix(&root).unwrap_or(&places.sample_file);
        let lock_file = workspace_root(&places.service_dir).join("uv.lock");
        let pyproject = places.service_dir.join("pyproject.toml");
        let names = names::detect(&names::Shown {
            chosen: &settings.variables,
            code: &code,
            sample: sample.as_ref().map(|sample| (sample, sample_path)),
            no_celery: names::no_celery(&root, &lock_file, &pyproject),
        });
        let compose_variables = ComposeVariables::default();
        let has_accounts = code.has_app("django.contrib.auth");
        Ok(Project { root, settings, names, compose_variables, has_accounts, places, settings_file })
    }

    /// The `.env` of this project.
    #[must_use]
    pub fn env_file(&self) -> PathBuf {
        self.root.join(ENV_FILE)
    }

    /// The sample that a fresh `.env` is copied from; it may not be there.
    #[must_use]
    pub fn sample_file(&self) -> &Path {
        &self.places.sample_file
    }

    /// Returns the path of the sample from the root folder, for a message.
    #[must_use]
    pub fn sample_name(&self) -> String {
        self.relative(&self.places.sample_file).display().to_string()
    }

    /// The folder of `pyproject.toml` and `uv.lock`.
    #[must_use]
    pub fn service_dir(&self) -> &Path {
        &self.places.service_dir
    }

    /// Returns the root of the uv workspace that the service is a member of; else the service folder.
    #[must_use]
    pub fn workspace_root(&self) -> PathBuf {
        workspace_root(self.service_dir())
    }

    /// Returns the path of `uv.lock`.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.workspace_root().join("uv.lock")
    }

    /// The folder of `manage.py`.
    #[must_use]
    pub fn manage_dir(&self) -> &Path {
        &self.places.manage_dir
    }

    /// Returns the name of the file that has the settings, or can have them: `pyproject.toml` or `Cargo.toml`.
    #[must_use]
    pub const fn settings_file(&self) -> &'static str {
        self.settings_file
    }

    /// The unit that answers requests.
    #[must_use]
    pub fn main_unit(&self) -> String {
        format!("{}.service", self.settings.name)
    }

    /// The environment that systemd gives to the units.
    #[must_use]
    pub fn system_env_file(&self) -> PathBuf {
        let default = || PathBuf::from(format!("/etc/{}/env", self.settings.name));
        self.root.join(self.settings.system_env_file.clone().unwrap_or_else(default))
    }

    /// Returns whether `deploy-systemd` deploys the checkout: in prod+bare, where it has unit files. The service runs in a
    /// release then, and not in the checkout.
    #[must_use]
    pub fn is_deployed(&self, environment: Environment, method: DeployMethod) -> bool {
        (environment, method) == (Environment::Prod, DeployMethod::Bare) && self.unit_dir().is_dir()
    }

    /// Where releases are served from.
    #[must_use]
    pub fn install_dir(&self) -> PathBuf {
        let default = || PathBuf::from(format!("/opt/{}", self.settings.name));
        self.root.join(self.settings.install_dir.clone().unwrap_or_else(default))
    }

    /// The folder of the unit files.
    #[must_use]
    pub fn unit_dir(&self) -> PathBuf {
        self.root.join(&self.settings.unit_dir)
    }

    /// Returns the folder of this tool's own files in the project: its lock, release records, and tools that it
    /// installed.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.root.join(".xtask")
    }

    /// Returns the command that makes `uv.lock`, as it is typed in the root folder.
    #[must_use]
    pub fn lock_command(&self) -> String {
        let service = self.service_dir();
        if service == self.root {
            return "uv lock".to_owned();
        }
        format!("uv lock --project {}", quoted(&self.relative(service).to_string_lossy()))
    }

    /// A path as a person in the root folder would write it.
    #[must_use]
    pub fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> ProjectError {
    let path = path.to_owned();
    move |error| ProjectError::Unreadable { path: path.clone(), error }
}

/// A project that cannot be operated.
#[derive(Debug)]
pub enum ProjectError {
    /// A file or folder that cannot be read.
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A file with settings is no TOML, or has an unknown key or a wrong value in the table of the settings.
    Settings {
        /// The name of the file.
        file: &'static str,
        /// The header of the table.
        table: String,
        /// The line, counted from 1.
        line: usize,
        /// The error.
        message: String,
    },
    /// Both `pyproject.toml` and `Cargo.toml` have settings.
    SettingsTwice,
    /// The setting `manage-py` names no such file.
    NoManage(PathBuf),
    /// Several folders have a `manage.py`.
    SeveralManage {
        /// The folder of the search.
        root: PathBuf,
        /// The folders of `manage.py`.
        found: Vec<PathBuf>,
    },
}

impl fmt::Display for ProjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProjectError::Unreadable { path, error } => write!(f, "cannot read `{}`: {error}", path.display()),
            ProjectError::Settings { file, table, line, message } => {
                write!(f, "`{file}` line {line}, `{table}`: {message}")
            }
            ProjectError::SettingsTwice => {
                let [pyproject, cargo] = Manifest::ALL.map(|file| format!("`{}` of `{}`", file.table(), file.file()));
                write!(f, "the settings are both in {pyproject} and in {cargo}: keep one of them")
            }
            ProjectError::NoManage(path) => write!(f, "setting `manage-py`: there is no `{}`", path.display()),
            ProjectError::SeveralManage { root, found } => {
                let found = found.iter().map(|dir| dir.strip_prefix(root).unwrap_or(dir).join("manage.py"));
                let found: Vec<_> = found.map(|path| path.display().to_string()).collect();
                let names = listed(found.iter().map(String::as_str));
                write!(
                    f,
                    "several Django projects in `{}`: {names}; choose one with the setting `manage-py`",
                    root.display()
                )
            }
        }
    }
}

impl Error for ProjectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ProjectError::Unreadable { error, .. } => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_folder_is_named() {
        let error = Project::open(Path::new("/no/such/folder")).expect_err("there is none");
        assert_eq!(error.to_string(), "cannot read `/no/such/folder`: No such file or directory (os error 2)");
    }
}
