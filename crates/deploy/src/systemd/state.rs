//! The state of a service: databases, uploads and logs that its settings name. A release is read-only, and the next one is
//! another folder, so none of it can be below the project.

use std::path::{Path, PathBuf};
use std::time::Duration;

use checks::group::django::SET_UP;
use detect::ENV_FILE;
use project::text::listed;
use serde::Deserialize;
use subprocess::{Command, Deadline};

use super::canary::with_name;
use super::env_file::EnvPlan;
use super::layout::Layout;
use crate::failure::Problem;
use ::systemd::{Unit, UnitFile, UnitKind};

/// The time that the settings have to be loaded.
pub(super) const LOAD: Duration = Duration::from_secs(60);

/// A file or folder that the settings let the service write to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct StateFile {
    setting: String,
    path: PathBuf,
    /// The line of the settings, with `{}` in place of the path.
    line: String,
}

/// A checkout, or a release, whose settings can be loaded.
pub(super) struct Code<'a> {
    /// The interpreter of its virtual environment.
    pub(super) python: &'a Path,
    /// The folder of `manage.py`.
    pub(super) manage_dir: &'a Path,
    /// The folders that are not there in the next release.
    pub(super) roots: &'a [PathBuf],
    /// The environment of the units.
    pub(super) env: &'a EnvPlan,
}

/// Returns a problem for each file of the service that would be in a release, with its new place. Settings that cannot be
/// loaded have none: the steps that need them report that.
pub(super) fn check(
    code: &Code<'_>,
    units: &[UnitFile],
    shown: &[Unit],
    layout: &Layout,
    deadline: &Deadline,
) -> Vec<Problem> {
    let lacking = without_state_directory(units, shown, layout);
    let own = format!("/var/lib/{}", layout.name);
    let main = units.iter().find(|unit| unit.name == layout.main_unit());
    let directory = main.and_then(|main| state_directory(main, shown));
    let Some(files) = load(code, directory.as_deref(), deadline) else { return Vec::new() };
    let is_inside = |file: &&StateFile| code.roots.iter().any(|root| file.path.starts_with(root));
    let inside: Vec<&StateFile> = files.iter().filter(is_inside).collect();
    // The settings may know the variable that systemd sets for the units.
    let with = (!inside.is_empty() && directory.is_none()).then(|| load(code, Some(&own), &deadline.again())).flatten();
    let stays = |file: &StateFile| with.as_ref().is_none_or(|with| with.contains(file));
    let mut problems: Vec<Problem> =
        inside.iter().map(|file| problem(file, stays(file), &lacking, code, layout)).collect();
    let is_own = |file: &&StateFile| file.path.starts_with(&own) && directory.is_none() && !Path::new(&own).exists();
    problems.extend(files.iter().filter(is_own).map(|file| {
        let message = format!("`{}` is below `{own}`, which is not there, and no unit creates it", file.setting);
        Problem::new(message).hint(add_directory(&lacking, layout))
    }));
    problems
}

fn problem(file: &StateFile, stays: bool, lacking: &[&str], code: &Code<'_>, layout: &Layout) -> Problem {
    let StateFile { setting, path, line } = file;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = format!("/var/lib/{}/{name}", layout.name);
    let message = format!(
        "`{setting}` is `{}`: a release is read-only, and the next one would not have it; it belongs in `{new}`",
        path.display()
    );
    let mut changes = Vec::new();
    if !lacking.is_empty() {
        changes.push(add_directory(lacking, layout));
    }
    if stays {
        let env_file = if code.env.is_there { layout.env_file.display() } else { Path::new(ENV_FILE).display() };
        let place = format!(r#"Path(os.environ.get("STATE_DIRECTORY", BASE_DIR)) / "{name}""#);
        let of_variable = variable_of(path, code).map(|(name, start)| format!("{name}={start}{new} in `{env_file}`"));
        changes.push(of_variable.unwrap_or_else(|| format!("in the settings: {}", line.replace("{}", &place))));
    }
    Problem::new(message).hint(changes.join("; and "))
}

/// Returns the variable that has a path, and what stands before the path in its value.
fn variable_of<'v>(path: &Path, code: &'v Code<'_>) -> Option<(&'v str, &'static str)> {
    let is_it = |value: &str| {
        let named = code.manage_dir.join(value);
        named == path || code.roots.iter().any(|root| root.join(value) == path)
    };
    code.env.variables.iter().find_map(|(name, value)| match value.strip_prefix("sqlite:///") {
        Some(file) if is_it(file) => Some((name.as_str(), "sqlite:///")),
        None if !value.is_empty() && is_it(value) => Some((name.as_str(), "")),
        _ => None,
    })
}

fn add_directory(lacking: &[&str], layout: &Layout) -> String {
    format!("StateDirectory={} in the section [Service] of {}", layout.name, listed(lacking))
}

/// Returns the services of the release that have no state directory of its name.
fn without_state_directory<'u>(units: &'u [UnitFile], shown: &[Unit], layout: &Layout) -> Vec<&'u str> {
    let own = format!("/var/lib/{}", layout.name);
    let starts_release = |unit: &&UnitFile| {
        let install_dir = layout.install_dir.to_string_lossy();
        unit.values("Service", "ExecStart").iter().any(|command| command.contains(&*install_dir))
    };
    let has_it = |unit: &UnitFile| {
        state_directory(unit, shown).is_some_and(|value| value.split(':').any(|folder| folder == own))
    };
    let services = units.iter().filter(|unit| unit.is(UnitKind::Service)).filter(starts_release);
    services.filter(|unit| !has_it(unit)).map(|unit| unit.name.as_str()).collect()
}

/// Returns the value of `STATE_DIRECTORY` as systemd sets it for a unit, by its file or by its installed drop-ins.
fn state_directory(unit: &UnitFile, shown: &[Unit]) -> Option<String> {
    let installed =
        shown.iter().filter(|shown| shown.name == unit.name).map(|shown| shown.get("StateDirectory").to_owned());
    let values: Vec<String> = unit.values("Service", "StateDirectory").into_iter().chain(installed).collect();
    let mut folders: Vec<String> = Vec::new();
    for name in values.iter().flat_map(|value| value.split_whitespace()) {
        // What follows a colon is a link to it.
        let name = with_name(name.split(':').next().unwrap_or(name), &unit.name);
        let folder = format!("/var/lib/{name}");
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    (!folders.is_empty()).then(|| folders.join(":"))
}

/// Loads the settings, and returns what they let the service write to; `None` if they cannot be loaded.
fn load(code: &Code<'_>, state_directory: Option<&str>, deadline: &Deadline) -> Option<Vec<StateFile>> {
    let script = [SET_UP, "\n\n", include_str!("state.py")].concat();
    let variables = code.env.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let directory = state_directory.map(|value| ("STATE_DIRECTORY", value));
    let command = Command::new(code.python, ["-B", "-"])
        .dir(code.manage_dir)
        .env_remove("STATE_DIRECTORY")
        .envs(variables)
        .envs(directory)
        .stdin(script);
    let finished = command.run(deadline).ok().filter(subprocess::Finished::is_success)?;
    Some(finished.stdout().lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// As much of Django as the script needs.
    const DJANGO: [(&str, &str); 5] = [
        ("django/__init__.py", "def setup():\n    raise RuntimeError('the log files would be opened')\n"),
        ("django/conf.py", "import settings\n"),
        ("django/core/__init__.py", ""),
        ("django/core/management.py", "execute_from_command_line = None\n"),
        ("manage.py", "import django.core.management\ndjango.core.management.execute_from_command_line([])\n"),
    ];
    const SETTINGS: &str = r#"
import os
STATE = os.environ.get("STATE_DIRECTORY", ".")
MEDIA_ROOT = STATE + "/media"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("DB", "db.sqlite3")},
    "other": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop"},
    "cache": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
}
LOGGING = {"handlers": {"file": {"filename": "logs/shop.log"}, "mail": {}}}
"#;

    /// Checks the problems of a project with these settings; `[ROOT]` is its folder.
    #[track_caller]
    fn check_project(settings: &str, unit: &str, variables: &[(&str, &str)], expected: &[(&str, &str)]) {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path().canonicalize().expect("a folder");
        for (file, text) in DJANGO.into_iter().chain([("settings.py", settings)]) {
            fs::create_dir_all(root.join(file).parent().expect("inside")).expect("a folder");
            fs::write(root.join(file), text).expect("written");
        }
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let env = EnvPlan { variables, is_there: true, ..EnvPlan::unchanged(None) };
        let code =
            Code { python: Path::new("python3"), manage_dir: &root, roots: std::slice::from_ref(&root), env: &env };
        let text = format!("[Service]\nExecStart=/opt/shop/.venv/bin/gunicorn\n{unit}");
        let units = [UnitFile { name: "shop.service".into(), text }];
        let found = check(&code, &units, &[], &Layout::of_a_shop(), &Deadline::within(LOAD));
        let shown = |text: String| text.replace(&root.display().to_string(), "[ROOT]");
        let found: Vec<_> =
            found.into_iter().map(|it| (shown(it.message), shown(it.hint.unwrap_or_default()))).collect();
        let expected: Vec<_> =
            expected.iter().map(|(message, hint)| ((*message).to_owned(), (*hint).to_owned())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn state_below_the_project_is_listed_with_its_new_place() {
        check_project(
            SETTINGS,
            "StateDirectory=%N\n",
            &[],
            &[
                (
                    "`DATABASES[\"default\"][\"NAME\"]` is `[ROOT]/db.sqlite3`: a release is read-only, and the next one would \
                     not have it; it belongs in `/var/lib/shop/db.sqlite3`",
                    "in the settings: \"NAME\": Path(os.environ.get(\"STATE_DIRECTORY\", BASE_DIR)) / \"db.sqlite3\"",
                ),
                (
                    "`LOGGING[\"handlers\"][\"file\"][\"filename\"]` is `[ROOT]/logs/shop.log`: a release is read-only, and the \
                     next one would not have it; it belongs in `/var/lib/shop/shop.log`",
                    "in the settings: \"filename\": Path(os.environ.get(\"STATE_DIRECTORY\", BASE_DIR)) / \"shop.log\"",
                ),
            ],
        );
    }

    #[test]
    fn a_unit_without_a_state_directory_gets_the_line_for_it() {
        let settings =
            "import os\nDATABASES = {}\nLOGGING = {}\nMEDIA_ROOT = os.environ.get('STATE_DIRECTORY', '.') + '/media'\n";
        check_project(
            settings,
            "",
            &[],
            &[(
                "`MEDIA_ROOT` is `[ROOT]/media`: a release is read-only, and the next one would not have it; it belongs in \
                 `/var/lib/shop/media`",
                "StateDirectory=shop in the section [Service] of `shop.service`",
            )],
        );
        check_project(settings, "StateDirectory=shop\n", &[], &[]);
    }

    #[test]
    fn the_variable_with_the_path_is_named() {
        let settings = "import os\nMEDIA_ROOT = LOGGING = None\n\
                        DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': os.environ['URL'][10:]}}\n";
        check_project(
            settings,
            "StateDirectory=shop\n",
            &[("URL", "sqlite:///data/db.sqlite3")],
            &[(
                "`DATABASES[\"default\"][\"NAME\"]` is `[ROOT]/data/db.sqlite3`: a release is read-only, and the next one would \
                 not have it; it belongs in `/var/lib/shop/db.sqlite3`",
                "URL=sqlite:////var/lib/shop/db.sqlite3 in `/etc/shop/env`",
            )],
        );
        // Settings that cannot be loaded are reported by the steps that need them.
        check_project(settings, "", &[], &[]);
        check_project(settings, "", &[("URL", "sqlite:////srv/shop/db.sqlite3")], &[]);
    }

    #[test]
    fn a_state_directory_of_another_name_has_several_folders() {
        let unit = UnitFile { name: "shop.service".into(), text: "[Service]\nStateDirectory=a b:link\n".into() };
        let mut shown = Unit::default().with("StateDirectory", "a shop");
        shown.name = "shop.service".into();
        assert_eq!(state_directory(&unit, &[shown]).as_deref(), Some("/var/lib/a:/var/lib/b:/var/lib/shop"));
        assert_eq!(state_directory(&unit, &[]).as_deref(), Some("/var/lib/a:/var/lib/b"));
    }
}
