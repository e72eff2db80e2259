//! A checkout that is operated: where its parts are, by its own settings or by the defaults.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use detect::ENV_FILE;
use subprocess::quoted;

use crate::settings::{Settings, settings};

/// The commented example that a fresh `.env` is copied from.
pub const SAMPLE_FILE: &str = ".env.sample";

/// Where the Compose file is looked for when the settings name none, in this order.
const COMPOSE_FILES: [&str; 4] =
    ["deploy/docker/compose.yaml", "deploy/docker/docker-compose.yml", "compose.yaml", "docker-compose.yml"];

/// A checkout with its settings.
#[derive(Debug, Clone)]
pub struct Project {
    /// The root folder, absolute: where `.env` is.
    pub root: PathBuf,
    /// The settings of the service.
    pub settings: Settings,
}

impl Project {
    /// The project in this folder. A missing `Cargo.toml` means the defaults.
    ///
    /// # Errors
    /// If there is no such folder, or `Cargo.toml` cannot be read or has an unknown setting.
    pub fn open(root: &Path) -> Result<Self, ProjectError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |error| ProjectError::Unreadable { path, error }
        };
        let root = root.canonicalize().map_err(unreadable(root))?;
        if !root.is_dir() {
            return Err(unreadable(&root)(io::ErrorKind::NotADirectory.into()));
        }
        let path = root.join("Cargo.toml");
        let settings = match fs::read_to_string(&path) {
            Ok(text) => settings(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Settings::default(),
            Err(error) => return Err(unreadable(&path)(error)),
        };
        Ok(Project { root, settings })
    }

    /// The `.env` of this project.
    #[must_use]
    pub fn env_file(&self) -> PathBuf {
        self.root.join(ENV_FILE)
    }

    /// The sample that a fresh `.env` is copied from.
    #[must_use]
    pub fn sample_file(&self) -> PathBuf {
        self.root.join(SAMPLE_FILE)
    }

    /// The folder of `manage.py`, `pyproject.toml` and `uv.lock`.
    #[must_use]
    pub fn service_dir(&self) -> PathBuf {
        // `root/.` would show as such in messages.
        match self.settings.service_dir.as_os_str().to_str() {
            Some("." | "") => self.root.clone(),
            _ => self.root.join(&self.settings.service_dir),
        }
    }

    /// The Compose file, if the project has one.
    #[must_use]
    pub fn compose_file(&self) -> Option<PathBuf> {
        match &self.settings.compose_file {
            Some(path) => Some(self.root.join(path)),
            None => COMPOSE_FILES.iter().map(|path| self.root.join(path)).find(|path| path.is_file()),
        }
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
        format!("uv lock --project {}", quoted(&self.relative(&service).to_string_lossy()))
    }

    /// A path as a person in the root folder would write it.
    #[must_use]
    pub fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
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
    /// `Cargo.toml` is no TOML, or has an unknown key or a wrong type in `[workspace.metadata.service]`.
    Settings {
        /// The line of `Cargo.toml`, counted from 1.
        line: usize,
        /// The error.
        message: String,
    },
}

impl fmt::Display for ProjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProjectError::Unreadable { path, error } => write!(f, "cannot read `{}`: {error}", path.display()),
            ProjectError::Settings { line, message } => {
                write!(f, "`Cargo.toml` line {line}, `[workspace.metadata.service]`: {message}")
            }
        }
    }
}

impl Error for ProjectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ProjectError::Unreadable { error, .. } => Some(error),
            ProjectError::Settings { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compose_file_is_the_first_that_is_there() {
        let root = tempfile::tempdir().expect("a folder");
        let project = |settings| Project { root: root.path().to_owned(), settings };
        assert_eq!(project(Settings::default()).compose_file(), None);
        fs::write(root.path().join("docker-compose.yml"), "").expect("written");
        assert_eq!(project(Settings::default()).compose_file(), Some(root.path().join("docker-compose.yml")));
        fs::write(root.path().join("compose.yaml"), "").expect("written");
        assert_eq!(project(Settings::default()).compose_file(), Some(root.path().join("compose.yaml")));
        let named = Settings { compose_file: Some("x.yaml".into()), ..Settings::default() };
        assert_eq!(project(named).compose_file(), Some(root.path().join("x.yaml")));
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = Project::open(Path::new("/no/such/folder")).expect_err("there is none");
        assert_eq!(error.to_string(), "cannot read `/no/such/folder`: No such file or directory (os error 2)");
    }
}
