//! The files of the Compose project, by Compose's own rules, and the options that name them.
//!
//! Measured with Compose 2.26.1. Compose finds its files by itself only in the current folder, and then reads the `.env`
//! of that folder; with `-f` it reads only the one beside the first file. So the options name all of them.

use std::path::{Path, PathBuf};

use detect::ENV_FILE;
use envfile::EnvFile;
use subprocess::quoted;

use crate::Project;

/// The names of a Compose file, in the order in which Compose looks for them.
const FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
/// The names of the file that overrides parts of the one beside it. Compose takes the first that exists.
const OVERRIDES: [&str; 4] =
    ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];
/// The folders that are searched for a Compose file, from the root.
const FOLDERS: [&str; 2] = ["", "deploy/docker"];

const COMPOSE_FILE: &str = "COMPOSE_FILE";
const COMPOSE_PATH_SEPARATOR: &str = "COMPOSE_PATH_SEPARATOR";

/// Compose's variables in the environment of the call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComposeVariables {
    /// The value of `COMPOSE_FILE`.
    pub file: Option<String>,
    /// The value of `COMPOSE_PATH_SEPARATOR`.
    pub path_separator: Option<String>,
    /// Whether `COMPOSE_ENV_FILES` names the files that Compose reads instead of `.env`.
    pub has_env_files: bool,
}

/// The files of a Compose project; paths are relative to the root where they are below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComposeFiles {
    root: PathBuf,
    /// The Compose files; later ones override earlier ones. The folder of the first is that of the Compose project.
    files: Vec<PathBuf>,
    /// The files with Compose's variables that have to be named; none if Compose finds the one beside the first file.
    env_files: Vec<PathBuf>,
}

impl Project {
    /// Returns the files of the Compose project, if there is one: those of `COMPOSE_FILE` in the environment or in `.env`;
    /// else the one of the settings; else the first with one of Compose's names in the root, or in `deploy/docker`.
    #[must_use]
    pub fn compose_files(&self) -> Option<ComposeFiles> {
        let variables = &self.compose_variables;
        if let Some(list) = variables.file.as_deref().filter(|list| !list.is_empty()) {
            return self.listed(list, variables.path_separator.as_deref(), &self.root, None);
        }
        let default_files = |dir: &Path| FILES.iter().map(|name| dir.join(name)).find(|path| path.is_file());
        let dirs = FOLDERS.map(|dir| if dir.is_empty() { self.root.clone() } else { self.root.join(dir) });
        for (index, dir) in dirs.iter().enumerate() {
            let env_file = dir.join(ENV_FILE);
            // A link to the `.env` of the root names files from there.
            let is_own = index == 0 || real(&env_file) != real(&self.env_file());
            let env = envfile::read(&env_file).ok().flatten().filter(|_| is_own).unwrap_or_default();
            if let Some(list) = value(&env, COMPOSE_FILE) {
                let separator = variables.path_separator.clone().or_else(|| value(&env, COMPOSE_PATH_SEPARATOR));
                return self.listed(&list, separator.as_deref(), dir, Some(env_file));
            }
            let setting = self.settings.compose_file.as_ref().map(|path| self.root.join(path));
            if let Some(first) = setting.or_else(|| default_files(dir)) {
                return Some(self.with_override(first));
            }
        }
        None
    }

    /// Returns the files of a value of `COMPOSE_FILE`, which are relative to `dir`.
    fn listed(
        &self,
        list: &str,
        separator: Option<&str>,
        dir: &Path,
        env_file: Option<PathBuf>,
    ) -> Option<ComposeFiles> {
        let separator = separator.filter(|separator| !separator.is_empty()).unwrap_or(":");
        let files: Vec<PathBuf> =
            list.split(separator).filter(|name| !name.is_empty()).map(|it| dir.join(it)).collect();
        let beside = files.first()?.with_file_name(ENV_FILE);
        let env_files = match env_file {
            Some(env_file) if real(&env_file) == real(&beside) => Vec::new(),
            // Of a variable in both, the value of the last file counts.
            Some(env_file) => [beside].into_iter().filter(|beside| beside.is_file()).chain([env_file]).collect(),
            None => self.env_files(&beside),
        };
        Some(self.compose_project(files, env_files))
    }

    /// Returns a Compose file, and the one that overrides parts of it, if it has one of Compose's names.
    fn with_override(&self, first: PathBuf) -> ComposeFiles {
        let has_known_name = first.file_name().is_some_and(|name| FILES.iter().any(|known| name == *known));
        let mut overrides = OVERRIDES.iter().map(|name| first.with_file_name(name)).filter(|_| has_known_name);
        let second = overrides.find(|path| path.is_file());
        let env_files = self.env_files(&first.with_file_name(ENV_FILE));
        self.compose_project([Some(first), second].into_iter().flatten().collect(), env_files)
    }

    /// Returns the `.env` of the root if there is none beside the Compose file.
    fn env_files(&self, beside: &Path) -> Vec<PathBuf> {
        [self.env_file()].into_iter().filter(|root| !beside.is_file() && root.is_file()).collect()
    }

    fn compose_project(&self, files: Vec<PathBuf>, mut env_files: Vec<PathBuf>) -> ComposeFiles {
        if self.compose_variables.has_env_files {
            env_files.clear();
        }
        let relative = |paths: Vec<PathBuf>| paths.iter().map(|path| self.relative(path).to_owned()).collect();
        ComposeFiles { root: self.root.clone(), files: relative(files), env_files: relative(env_files) }
    }
}

impl ComposeFiles {
    /// Returns the first file, from the root.
    #[must_use]
    pub fn first(&self) -> &Path {
        self.files.first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// Returns the first file as an absolute path: the engine's labels of a container have such paths.
    #[must_use]
    pub fn first_path(&self) -> PathBuf {
        real(&self.root.join(self.first()))
    }

    /// Returns the file in which variables for Compose are set.
    #[must_use]
    pub fn env_file(&self) -> PathBuf {
        self.env_files.last().cloned().unwrap_or_else(|| self.first().with_file_name(ENV_FILE))
    }

    /// Returns the options of `docker compose` that name the files, for a command that runs in the root folder.
    #[must_use]
    pub fn options(&self) -> Vec<String> {
        let files = self.files.iter().map(|file| ("-f", file));
        let env_files = self.env_files.iter().map(|file| ("--env-file", file));
        let options = files.chain(env_files);
        options.flat_map(|(option, file)| [option.to_owned(), file.display().to_string()]).collect()
    }

    /// Returns `docker compose` with the options, as it is typed in the root folder.
    #[must_use]
    pub fn command(&self) -> String {
        let options = self.options().into_iter().map(|word| quoted(&word));
        ["docker compose".to_owned()].into_iter().chain(options).collect::<Vec<_>>().join(" ")
    }

    /// Returns the names of the files, as a part of a message.
    #[must_use]
    pub fn shown(&self) -> String {
        crate::text::listed(self.files.iter().map(|file| file.display().to_string()))
    }
}

fn value(env: &EnvFile, variable: &str) -> Option<String> {
    env.get(variable).map(|entry| entry.value).filter(|value| !value.is_empty())
}

/// Returns the file behind all links; for one that does not exist, its path.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    /// Checks the options of a project with these files; their names may be followed by `=` and the content.
    #[track_caller]
    fn check(files: &str, setting: Option<&str>, compose_file: Option<&str>, expected: &str) {
        let dir = tempfile::tempdir().expect("a folder");
        for file in files.split_whitespace() {
            let (name, content) = file.split_once('=').unwrap_or((file, ""));
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("inside")).expect("a folder");
            std::fs::write(path, content.replace(',', "\n")).expect("written");
        }
        let settings = Settings { compose_file: setting.map(PathBuf::from), ..Settings::default() };
        let root = dir.path().canonicalize().expect("the folder");
        let mut project = Project::with(root, settings).expect("a project");
        project.compose_variables.file = compose_file.map(str::to_owned);
        let options = project.compose_files().map(|files| files.options().join(" "));
        assert_eq!(options.unwrap_or_default(), expected, "{files}");
    }

    #[test]
    fn files_are_found_in_the_order_of_compose() {
        check("", None, None, "");
        check("docker-compose.yaml docker-compose.yml", None, None, "-f docker-compose.yml");
        check(
            "docker-compose.yml compose.yml compose.override.yaml",
            None,
            None,
            "-f compose.yml -f compose.override.yaml",
        );
        check("deploy/docker/compose.yml compose.override.yml", None, None, "-f deploy/docker/compose.yml");
        check(
            "deploy/docker/docker-compose.yml deploy/docker/docker-compose.override.yml",
            None,
            None,
            "-f deploy/docker/docker-compose.yml -f deploy/docker/docker-compose.override.yml",
        );
        check("deploy/docker/compose.yml compose.yaml", None, None, "-f compose.yaml");
        check("compose.yaml", Some("x.yaml"), None, "-f x.yaml");
        // Compose takes no override for a file that was named.
        check("x.yaml compose.override.yml", Some("x.yaml"), None, "-f x.yaml");
    }

    #[test]
    fn compose_file_names_the_files() {
        check("a.yml b.yml .env=COMPOSE_FILE=a.yml:b.yml", None, None, "-f a.yml -f b.yml");
        check(".env=COMPOSE_PATH_SEPARATOR=;,COMPOSE_FILE=a.yml;b.yml compose.yaml", None, None, "-f a.yml -f b.yml");
        check(".env=COMPOSE_FILE=a.yml compose.yaml", Some("x.yml"), Some("c.yml"), "-f c.yml");
        check(".env=COMPOSE_FILE=a.yml", Some("x.yml"), None, "-f a.yml");
        check(
            ".env=A=1 deploy/docker/compose.yml deploy/docker/.env=COMPOSE_FILE=compose.yml:p.yml",
            None,
            None,
            "-f deploy/docker/compose.yml -f deploy/docker/p.yml",
        );
    }

    #[test]
    fn the_env_file_is_the_one_beside_the_first_file_and_else_that_of_the_root() {
        check(".env compose.yml", None, None, "-f compose.yml");
        check(".env d/c.yml", Some("d/c.yml"), None, "-f d/c.yml --env-file .env");
        check(".env d/.env d/c.yml", Some("d/c.yml"), None, "-f d/c.yml");
        check(".env d/.env", None, Some("d/c.yml"), "-f d/c.yml");
        // Compose reads both, and the value of the root counts.
        check(".env=COMPOSE_FILE=d/c.yml d/.env", None, None, "-f d/c.yml --env-file d/.env --env-file .env");
        check(".env=COMPOSE_FILE=d/c.yml", None, None, "-f d/c.yml --env-file .env");
    }
}
