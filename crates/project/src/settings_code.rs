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
#[derive(Debug, Clone)]
pub(crate) struct Found<'a> {
    /// The name of the variable.
    pub(crate) name: &'a str,
    /// The file, from the project's root.
    pub(crate) file: &'a Path,
    /// The line on which the statement begins, counted from 1.
    pub(crate) line: usize,
    /// The statement, without comments; a name that it uses is replaced by the value that was assigned to it.
    pub(crate) statement: String,
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

    /// Returns whether there are any settings.
    pub(crate) fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Returns whether a setting lists an app of Django, such as `django.contrib.auth`.
    pub(crate) fn has_app(&self, app: &str) -> bool {
        let mut apps = self.statements.iter().filter(|(_, statement)| statement.text.contains("INSTALLED_APPS"));
        apps.any(|(_, statement)| literals(&statement.text).contains(&app))
    }

    /// Returns whether names are read with a prefix that the code adds: they are not those of the literals.
    pub(crate) fn has_prefix(&self) -> bool {
        let signs = [".prefixed(", ".prefix =", "env_prefix"];
        self.statements.iter().any(|(_, statement)| signs.iter().any(|sign| statement.text.contains(sign)))
    }

    /// Returns the variables of the environment that the values of these settings are read from, such as those of
    /// `SECRET_KEY = os.environ["APP_KEY"]`; also in two steps, through another name.
    pub(crate) fn assigned(&self, settings: &[&str]) -> Vec<Found<'_>> {
        let is_wanted = |statement: &Statement| settings.iter().any(|setting| statement.assigns(setting));
        let mut all = Vec::new();
        for (index, (file, statement)) in self.statements.iter().enumerate() {
            if !is_wanted(statement) {
                continue;
            }
            let direct = found(file, statement);
            if direct.is_empty() {
                all.extend(self.through_a_name(statement));
                let before = index.checked_sub(1).map(|before| &self.statements[before]);
                all.extend(before.into_iter().flat_map(|(file, before)| by_condition(file, before, statement)));
            }
            all.extend(direct);
        }
        all
    }

    /// Returns the variables that a statement uses by a name that was assigned before.
    fn through_a_name(&self, statement: &Statement) -> Vec<Found<'_>> {
        let mut all = Vec::new();
        for (file, assigned) in &self.statements {
            let Some((name, value)) = assigned.assignment().filter(|_| assigned != statement) else { continue };
            let replaced = text::with_value(&statement.text, name, value);
            if replaced != statement.text {
                let of_value = found(file, assigned).into_iter();
                all.extend(of_value.map(|found| Found { statement: replaced.clone(), ..found }));
            }
        }
        all
    }

    /// Returns all variables of the environment that are read anywhere.
    pub(crate) fn all(&self) -> impl Iterator<Item = Found<'_>> {
        self.statements.iter().flat_map(|(file, statement)| found(file, statement))
    }

    /// Returns the values that a function of the settings returns, as text; `None` if the function is not there.
    pub(crate) fn returned(&self, function: &str) -> Option<String> {
        let begin = format!("def {function}(");
        let at = self.statements.iter().position(|(_, statement)| statement.text.starts_with(&begin))?;
        let body = self.statements[at + 1..].iter().map(|(_, statement)| statement.text.as_str());
        let body = body.take_while(|text| !["def ", "class ", "@"].iter().any(|begin| text.starts_with(begin)));
        Some(body.filter(|text| text.starts_with("return ")).collect::<Vec<_>>().join("; "))
    }
}

/// Returns the variables of the condition of a statement that sets a switch, such as `if os.environ.get("DEBUG"):` before
/// `DEBUG = True`.
fn by_condition<'a>(file: &'a Path, before: &'a Statement, statement: &Statement) -> Vec<Found<'a>> {
    let condition = before.text.strip_prefix("if ").and_then(|text| text.strip_suffix(':'));
    let (Some(condition), Some((name, value))) = (condition, statement.assignment()) else { return Vec::new() };
    let negation = match value {
        "True" => "",
        "False" => "not ",
        _ => return Vec::new(),
    };
    let statement = format!("{name} = {negation}{condition}");
    found(file, before).into_iter().map(|found| Found { statement: statement.clone(), ..found }).collect()
}

fn found<'a>(file: &'a Path, statement: &'a Statement) -> Vec<Found<'a>> {
    let Statement { line, text } = statement;
    let names = text::variables(text).into_iter();
    names.map(|name| Found { name, file, line: *line, statement: text.clone() }).collect()
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
        let found = code.assigned(&["SECRET_KEY"]).into_iter();
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

    #[test]
    fn settings_in_other_shapes_are_found() {
        let key = "import os\nSECRET_KEY = os.environ['APP_KEY']\n";
        let check = |files: &[(&str, &str)], expected: &str| assert_eq!(names(files), [expected], "{files:?}");
        let manage = "# DJANGO_SETTINGS_MODULE\nprint('no DJANGO_SETTINGS_MODULE')\nif 'DJANGO_SETTINGS_MODULE' not in os.environ:\n    \
                      os.environ['DJANGO_SETTINGS_MODULE'] = os.getenv('SETTINGS', 'shop.settings')\n";
        check(&[("manage.py", manage), ("shop/settings.py", key)], "APP_KEY shop/settings.py:2");
        let manage = "module = 'shop.settings'\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', module)\n";
        check(&[("manage.py", manage), ("shop/settings.py", key)], "APP_KEY shop/settings.py:2");
        let manage = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'config.django.base')\n";
        check(
            &[("manage.py", manage), ("config/django/base.py", ""), ("config/django/production.py", key)],
            "APP_KEY config/django/production.py:2",
        );
        check(
            &[("manage.py", MANAGE), ("shop/settings.py", "include('parts/*.py')\n"), ("shop/parts/key.py", key)],
            "APP_KEY shop/parts/key.py:2",
        );
        let plain = "from shop import env\nSECRET_KEY = env.KEY\n";
        let env = "KEY = os.environ['APP_KEY']\n";
        assert_eq!(names(&[("manage.py", MANAGE), ("shop/settings.py", plain), ("shop/env.py", env)]), [""; 0]);
        let steps = "_key = os.environ['APP_KEY']\nSECRET_KEY = _key.strip()\n";
        check(&[("manage.py", MANAGE), ("shop/settings.py", steps)], "APP_KEY shop/settings.py:1");
        let steps = "from shop.env import KEY\nSECRET_KEY = KEY\n";
        check(&[("manage.py", MANAGE), ("shop/settings.py", steps), ("shop/env.py", env)], "APP_KEY shop/env.py:1");
    }
}
