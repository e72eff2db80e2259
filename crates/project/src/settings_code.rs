//! The settings of Django as text: which variables of the environment they read.
//!
//! This is a search, not an interpreter: it finds the common forms (`os.environ["X"]`, `getenv("X")`, `env.bool("X")`,
//! `config("X", …)`), and finds nothing where a project computes its names. `health` compares the effect of every value
//! with the settings themselves.

mod files;
mod text;

use std::path::{Path, PathBuf};

pub(crate) use self::text::literals;
use self::text::{Statement, statements};

/// The settings of a project, statement by statement.
#[derive(Debug, Default)]
pub(crate) struct SettingsCode {
    statements: Vec<(PathBuf, Statement)>,
}

/// A name in the settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a> {
    /// The name of the variable.
    pub(crate) name: &'a str,
    /// The file, from the project's root.
    pub(crate) file: &'a Path,
    /// The line on which the statement begins, counted from 1.
    pub(crate) line: usize,
    /// The statement, without comments.
    pub(crate) statement: &'a str,
}

impl SettingsCode {
    /// Reads the settings that `manage.py` in this folder names, and what they are made of; files that cannot be read
    /// are left out.
    pub(crate) fn read(root: &Path, manage_dir: &Path) -> Self {
        let mut all = Vec::new();
        for (file, text) in files::of_settings(manage_dir) {
            let file = file.strip_prefix(root).unwrap_or(&file).to_owned();
            all.extend(statements(&text).into_iter().map(|statement| (file.clone(), statement)));
        }
        SettingsCode { statements: all }
    }

    /// Returns the variables of the environment that the values of these settings are read from, such as those of
    /// `SECRET_KEY = os.environ["APP_KEY"]`.
    pub(crate) fn assigned<'a>(&'a self, settings: &'a [&str]) -> impl Iterator<Item = Found<'a>> {
        self.found(move |statement| settings.iter().any(|setting| statement.assigns(setting)))
    }

    /// Returns all variables of the environment that are read anywhere.
    pub(crate) fn all(&self) -> impl Iterator<Item = Found<'_>> {
        self.found(|_| true)
    }

    fn found<'a>(&'a self, is_wanted: impl Fn(&Statement) -> bool + 'a) -> impl Iterator<Item = Found<'a>> {
        let wanted = self.statements.iter().filter(move |(_, statement)| is_wanted(statement));
        wanted.flat_map(|(file, statement)| {
            let Statement { line, text } = statement;
            text::variables(text).into_iter().map(|name| Found { name, file, line: *line, statement: text })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Returns the names that `SECRET_KEY` is read from in a project with these files.
    fn names(files: &[(&str, &str)]) -> Vec<String> {
        let root = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        let code = SettingsCode::read(root.path(), root.path());
        let found = code.assigned(&["SECRET_KEY"]);
        found.map(|found| format!("{} {}:{}", found.name, found.file.display(), found.line)).collect()
    }

    const MANAGE: &str = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n";

    #[test]
    fn settings_are_where_manage_py_says() {
        let key = "import os\nSECRET_KEY = os.environ['APP_KEY']\n";
        assert_eq!(names(&[("manage.py", MANAGE), ("shop/settings.py", key)]), ["APP_KEY shop/settings.py:2"]);
        assert_eq!(names(&[("manage.py", MANAGE), ("other/settings.py", key)]), [""; 0]);
        assert_eq!(
            names(&[
                ("manage.py", MANAGE),
                ("shop/settings/__init__.py", "from .prod import *\n"),
                ("shop/settings/base.py", key),
                ("shop/settings/prod.py", "from .base import *\n"),
            ]),
            ["APP_KEY shop/settings/base.py:2"]
        );
        let manage = "os.environ.setdefault(\n    \"DJANGO_SETTINGS_MODULE\",\n    \"config.settings.local\",\n)\n";
        assert_eq!(
            names(&[("manage.py", manage), ("config/settings/local.py", ""), ("config/settings/base.py", key)]),
            ["APP_KEY config/settings/base.py:2"]
        );
        assert_eq!(
            names(&[
                ("manage.py", MANAGE),
                ("shop/settings.py", "from shop.common import *\n"),
                ("shop/common.py", key),
            ]),
            ["APP_KEY shop/common.py:2"]
        );
        assert_eq!(names(&[]), [""; 0]);
    }
}
