//! Where the parts of a checkout are: by its settings, else by a search.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{ProjectError, Settings};

/// The usual names of the sample, the project's own first.
const SAMPLES: [&str; 8] = [
    ".env.sample",
    ".env.example",
    ".env.template",
    ".env.dist",
    "env.sample",
    "env.example",
    "sample.env",
    "example.env",
];

/// Folders without the project's own code.
const OTHERS: [&str; 10] =
    ["node_modules", "venv", "env", "site-packages", "tests", "test", "examples", "docs", "templates", "target"];

/// The places of a checkout, absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// The folder of `pyproject.toml` and `uv.lock`.
    pub(crate) service_dir: PathBuf,
    /// The folder of `manage.py`.
    pub(crate) manage_dir: PathBuf,
    /// The sample, which may not be there.
    pub(crate) sample_file: PathBuf,
}

impl Places {
    /// Finds the places of a checkout.
    ///
    /// # Errors
    /// If several folders have a `manage.py`, and no setting chooses one; or if a path of a setting has another name
    /// than `manage.py`, or is not there.
    pub(crate) fn find(root: &Path, settings: &Settings) -> Result<Self, ProjectError> {
        let set_dir = settings.service_dir.as_deref().map(|dir| plain(root, dir));
        let manage_dir = match &settings.manage_py {
            Some(manage) if root.join(manage).is_file() && manage.ends_with("manage.py") => {
                plain(root, manage.parent().unwrap_or(Path::new("")))
            }
            Some(manage) => return Err(ProjectError::NoManage(manage.clone())),
            None => manage_dir(set_dir.as_deref().unwrap_or(root))?,
        };
        let with_pyproject = || {
            let around = manage_dir.ancestors().take_while(|dir| dir.starts_with(root));
            around.into_iter().find(|dir| dir.join("pyproject.toml").is_file()).unwrap_or(&manage_dir).to_owned()
        };
        let service_dir = set_dir.unwrap_or_else(with_pyproject);
        let dirs = [root, &service_dir, &manage_dir];
        let samples = dirs.iter().flat_map(|dir| SAMPLES.map(|name| dir.join(name)));
        let found = settings.sample_file.as_ref().map(|file| root.join(file));
        let sample_file = found.or_else(|| samples.into_iter().find(|path| path.is_file()));
        let sample_file = sample_file.unwrap_or_else(|| root.join(SAMPLES[0]));
        Ok(Places { service_dir, manage_dir, sample_file })
    }
}

/// Joins a path of a setting to the root: `root/.` would show as such in messages.
fn plain(root: &Path, dir: &Path) -> PathBuf {
    root.join(dir).components().collect()
}

/// Returns the folder of `manage.py`: this one, else the only one that has it of the folders below, else the only one of
/// those below them; this one if there is none.
fn manage_dir(dir: &Path) -> Result<PathBuf, ProjectError> {
    let has_manage = |dir: &&PathBuf| dir.join("manage.py").is_file();
    let mut level = vec![dir.to_owned()];
    for _ in 0..3 {
        let found: Vec<_> = level.iter().filter(has_manage).cloned().collect();
        match found.as_slice() {
            [] => level = level.iter().flat_map(|dir| folders(dir)).collect(),
            [only] => return Ok(only.clone()),
            _ => return Err(ProjectError::SeveralManage { root: dir.to_owned(), found }),
        }
    }
    Ok(dir.to_owned())
}

/// Returns the folders in a folder that can have the project's own code, sorted; links are not followed.
fn folders(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let is_dir = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let names = entries.filter_map(Result::ok).filter(is_dir);
    let is_own = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !name.starts_with('.') && !OTHERS.contains(&&*name) && !path.join("pyvenv.cfg").is_file()
    };
    let mut found: Vec<_> = names.map(|entry| entry.path()).filter(is_own).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[&str], settings: &Settings, expected: [&str; 3]) {
        let root = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, "").expect("written");
        }
        let places = match Places::find(root.path(), settings) {
            Ok(places) => places,
            Err(error) => return assert!(error.to_string().contains(expected[0]), "{error}"),
        };
        let paths = [&places.service_dir, &places.manage_dir, &places.sample_file];
        let paths = paths.map(|path| path.strip_prefix(root.path()).expect("below").display().to_string());
        assert_eq!(paths, expected.map(str::to_owned), "{files:?}");
    }

    #[test]
    fn a_project_shows_its_places() {
        let none = Settings::default();
        check(&[], &none, ["", "", ".env.sample"]);
        check(&["manage.py", "pyproject.toml", ".env.example"], &none, ["", "", ".env.example"]);
        check(&["manage.py", "backend/manage.py", ".env.sample", ".env.example"], &none, ["", "", ".env.sample"]);
        check(&["src/manage.py", "pyproject.toml"], &none, ["", "src", ".env.sample"]);
        check(
            &["backend/manage.py", "backend/pyproject.toml", "backend/env.example"],
            &none,
            ["backend", "backend", "backend/env.example"],
        );
        check(&["backend/app/manage.py", "backend/pyproject.toml"], &none, ["backend", "backend/app", ".env.sample"]);
        check(
            &["app/manage.py", "venv/manage.py", ".x/manage.py", "x/pyvenv.cfg", "x/manage.py"],
            &none,
            ["app", "app", ".env.sample"],
        );
        check(&["a/manage.py", "b/manage.py"], &none, ["`a/manage.py` and `b/manage.py`", "", ""]);
    }

    #[test]
    fn settings_go_before_the_search() {
        let files = ["a/manage.py", "b/manage.py", "pyproject.toml", "deploy/env.txt", ".env.sample"];
        let manage = Settings { manage_py: Some("b/manage.py".into()), ..Settings::default() };
        check(&files, &manage, ["", "b", ".env.sample"]);
        let dir = Settings { service_dir: Some("./a".into()), ..Settings::default() };
        check(&files, &dir, ["a", "a", ".env.sample"]);
        let sample = Settings { sample_file: Some("deploy/env.txt".into()), ..manage };
        check(&files, &sample, ["", "b", "deploy/env.txt"]);
        let missing = Settings { manage_py: Some("c/manage.py".into()), ..Settings::default() };
        check(&files, &missing, ["`manage-py`: there is no `c/manage.py`", "", ""]);
    }
}
