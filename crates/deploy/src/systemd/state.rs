//! The state of a service: databases, uploads and logs that its settings name. A release is read-only, and the next one is
//! another folder, so whatever is below the project is shared by all releases, or refused.

use std::path::{Path, PathBuf};
use std::time::Duration;

use checks::group::django::SET_UP;
use detect::ENV_FILE;
use project::SharedPath;
use project::text::listed;
use serde::Deserialize;
use subprocess::{Command, Deadline};

use super::canary::with_name;
use super::env_file::EnvPlan;
use super::layout::Layout;
use super::shared;
use crate::failure::Problem;
use crate::source::Source;
use ::systemd::{Unit, UnitFile, UnitKind};

/// The time that the settings have to be loaded.
pub(super) const LOAD: Duration = Duration::from_secs(60);

/// A file or folder that the settings let the service write to.
#[derive(Debug, Deserialize)]
struct StateFile {
    setting: String,
    path: PathBuf,
    /// The line of the settings, with `{}` in place of the path.
    line: String,
    #[serde(default)]
    is_folder: bool,
    /// Whether the service renames it, as a log that is rotated.
    #[serde(default)]
    is_renamed: bool,
}

/// A checkout, or a release, whose settings can be loaded.
pub(super) struct Code<'a> {
    /// The interpreter of its virtual environment.
    pub(super) python: &'a Path,
    /// The folder of `manage.py`.
    pub(super) manage_dir: &'a Path,
    /// The folder itself.
    pub(super) root: &'a Path,
    /// The environment of the units.
    pub(super) env: &'a EnvPlan,
}

/// The units and files of a release, and the paths that the project declares as shared.
pub(super) struct Release<'a> {
    pub(super) units: &'a [UnitFile],
    /// The installed units.
    pub(super) shown: &'a [Unit],
    pub(super) source: &'a Source,
    pub(super) declared: &'a [SharedPath],
    pub(super) layout: &'a Layout,
}

/// The state of a service.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// The paths that are links in each release.
    pub(super) shared: Vec<SharedPath>,
    /// Whether the service needs its state directory, and no unit creates it.
    pub(super) needs_directory: bool,
    pub(super) problems: Vec<Problem>,
}

/// Finds the state of a service. Settings that cannot be loaded name none: the steps that need them report that.
pub(super) fn find(code: &Code<'_>, release: &Release<'_>, deadline: &Deadline) -> State {
    let Release { units, shown, source, declared, layout } = *release;
    let (own, lacking) = (layout.state_dir(), without_state_directory(release));
    let main = units.iter().find(|unit| unit.name == layout.main_unit());
    let directory = main.and_then(|main| state_directory(main, shown));
    let files = load(code, directory.as_deref(), deadline).unwrap_or_default();
    let confined: Vec<&str> =
        lacking.iter().filter(|unit| is_confined(unit, &own)).map(|unit| unit.name.as_str()).collect();
    let mut state = State::default();
    for shared in declared {
        match shared::tracked(&shared.path, source) {
            Some(file) => {
                let message = format!(
                    "the setting `shared-paths` has `{shared}`, and Git tracks `{}`, which each release has anew",
                    file.display()
                );
                state.problems.push(Problem::new(message));
            }
            None => state.shared.push(shared.clone()),
        }
    }
    for file in &files {
        let Some(path) = within(&file.path, code, layout) else { continue };
        if state.shared.iter().any(|shared| shared.has(&path)) {
            continue;
        }
        let shared = if file.is_folder {
            SharedPath { path: path.clone(), is_folder: true }
        } else {
            shared::of_file(&path, source)
        };
        // A link cannot be renamed in a folder of root.
        let is_lasting = shared.is_folder || !file.is_renamed;
        match shared::tracked(&shared.path, source) {
            None if is_lasting => state.shared.push(shared),
            tracked => state.problems.push(problem(file, &path, tracked, code, layout)),
        }
    }
    state.shared = shared::merged(state.shared);
    let is_own = |file: &&StateFile| file.path.starts_with(&own);
    let needs_directory = !state.shared.is_empty() || files.iter().any(|file| is_own(&file));
    if needs_directory && !confined.is_empty() {
        let paths = state.shared.iter().map(ToString::to_string);
        let paths: Vec<String> = paths.chain(files.iter().filter(is_own).map(|file| file.setting.clone())).collect();
        let message =
            format!("{} may not write to `{}`, the place of {}", listed(&confined), own.display(), listed(&paths));
        let hint = format!("StateDirectory={} in the section [Service] of {}", layout.name, listed(&confined));
        state.problems.push(Problem::new(message).hint(hint));
    }
    state.needs_directory = needs_directory && !lacking.is_empty();
    state
}

/// Returns where a file is in a release, from its root; `None` for one elsewhere. The settings may name it by the folder
/// that serves, and a link may lead out of the release.
fn within(file: &Path, code: &Code<'_>, layout: &Layout) -> Option<PathBuf> {
    let path = [code.root, &layout.install_dir].iter().find_map(|root| file.strip_prefix(root).ok())?;
    let there = code.root.join(path);
    let ancestor = there.ancestors().find(|ancestor| ancestor.symlink_metadata().is_ok())?;
    let real = ancestor.canonicalize().ok()?.join(there.strip_prefix(ancestor).ok()?);
    Some(real.strip_prefix(code.root.canonicalize().ok()?).ok()?.to_owned())
}

/// Returns the problem of a file that cannot be shared.
fn problem(file: &StateFile, path: &Path, tracked: Option<&PathBuf>, code: &Code<'_>, layout: &Layout) -> Problem {
    let StateFile { setting, line, .. } = file;
    // The root itself has no name.
    let name = path.file_name().unwrap_or("files".as_ref()).to_string_lossy();
    let new = shared::place(Path::new(&*name), layout).display().to_string();
    let reason = match tracked {
        Some(tracked) if tracked == path => "Git tracks it, so that each release has it anew".to_owned(),
        Some(tracked) => format!("Git tracks `{}` there, so that each release has it anew", tracked.display()),
        None => "the service cannot rename it in a release".to_owned(),
    };
    let message = format!("`{setting}` is `./{}` in the project: {reason}; it belongs in `{new}`", path.display());
    let env_file = if code.env.is_there { layout.env_file.display() } else { Path::new(ENV_FILE).display() };
    let place = format!(r#"Path(os.environ.get("STATE_DIRECTORY", BASE_DIR)) / "{name}""#);
    let of_variable =
        variable_of(&file.path, code, layout).map(|(name, start)| format!("{name}={start}{new} in `{env_file}`"));
    Problem::new(message)
        .hint(of_variable.unwrap_or_else(|| format!("in the settings: {}", line.replace("{}", &place))))
}

/// Returns the variable that has a path, and what stands before the path in its value.
fn variable_of<'v>(path: &Path, code: &'v Code<'_>, layout: &Layout) -> Option<(&'v str, &'static str)> {
    let is_it =
        |value: &str| [code.manage_dir, code.root, &layout.install_dir].iter().any(|folder| folder.join(value) == path);
    code.env.variables.iter().find_map(|(name, value)| match value.strip_prefix("sqlite:///") {
        Some(file) if is_it(file) => Some((name.as_str(), "sqlite:///")),
        None if !value.is_empty() && is_it(value) => Some((name.as_str(), "")),
        _ => None,
    })
}

/// Returns the services of the release that have no state directory of its name.
fn without_state_directory<'u>(release: &Release<'u>) -> Vec<&'u UnitFile> {
    let Release { units, shown, layout, .. } = *release;
    let install_dir = layout.install_dir.to_string_lossy();
    let starts_release = |unit: &&UnitFile| {
        let mut lines = ["ExecStart", "WorkingDirectory"].into_iter().flat_map(|key| unit.values("Service", key));
        lines.any(|line| line.contains(&*install_dir))
    };
    let own = layout.state_dir();
    let has_it = |unit: &UnitFile| {
        state_directory(unit, shown).is_some_and(|value| value.split(':').any(|folder| Path::new(folder) == own))
    };
    let services = units.iter().filter(|unit| unit.is(UnitKind::Service)).filter(starts_release);
    services.filter(|unit| !has_it(unit)).collect()
}

/// Returns whether the sandbox of a unit keeps it from writing to a folder that its user owns.
fn is_confined(unit: &UnitFile, folder: &Path) -> bool {
    let last = |key| unit.values("Service", key).pop().unwrap_or_default();
    let has = |key| {
        let values = unit.values("Service", key);
        let mut paths = values.iter().flat_map(|value| value.split_whitespace());
        paths.any(|path| folder.starts_with(path.trim_start_matches(['-', '+'])))
    };
    let is_dynamic = ["yes", "true", "on", "1"].contains(&last("DynamicUser").as_str());
    let is_read_only = last("ProtectSystem") == "strict" || has("ReadOnlyPaths");
    is_dynamic || is_read_only && !has("ReadWritePaths") || has("InaccessiblePaths")
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
    use std::os::unix::fs::symlink;

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
MEDIA_ROOT = "media"
SESSION_FILE_PATH = os.environ.get("LOGS", "logs")
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("DB", "db.sqlite3")},
    "other": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop"},
    "memory": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
}
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "var/cache"},
    "other": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://h/0"},
}
LOGGING = {"handlers": {"file": {"filename": "logs/shop.log", "class": "x.RotatingFileHandler"}, "mail": {}}}
"#;

    /// Checks the shared paths and the problems of a project with these settings; Git tracks all files of it.
    #[track_caller]
    fn check(settings: &str, unit: &str, variables: &[(&str, &str)], shared: &str, problems: &[(&str, &str)]) {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path().canonicalize().expect("a folder");
        let files = DJANGO.into_iter().chain([("settings.py", settings), ("app/models.py", ""), ("logs/.gitkeep", "")]);
        let mut tracked = Vec::new();
        for (file, text) in files {
            fs::create_dir_all(root.join(file).parent().expect("inside")).expect("a folder");
            fs::write(root.join(file), text).expect("written");
            tracked.push(file.into());
        }
        symlink("/srv/files", root.join("elsewhere")).expect("linked");
        let source = Source::of_files(&root, tracked);
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let env = EnvPlan { variables, is_there: true, ..EnvPlan::unchanged(None) };
        let code = Code { python: Path::new("python3"), manage_dir: &root, root: &root, env: &env };
        let text = format!("[Service]\nExecStart=/opt/shop/.venv/bin/gunicorn\n{unit}");
        let units = [UnitFile { name: "shop.service".into(), text }];
        let declared = [SharedPath { path: "exports".into(), is_folder: true }];
        let layout = Layout::of_a_shop();
        let release = Release { units: &units, shown: &[], source: &source, declared: &declared, layout: &layout };
        let state = find(&code, &release, &Deadline::within(LOAD));
        let names: Vec<String> = state.shared.iter().map(ToString::to_string).collect();
        assert_eq!(names.join(" "), shared);
        let found: Vec<_> =
            state.problems.iter().map(|it| (it.message.as_str(), it.hint.as_deref().unwrap_or_default())).collect();
        assert_eq!(found, problems);
        assert_eq!(state.needs_directory, !unit.contains("StateDirectory=shop\n") && !unit.contains("=%N"));
    }

    #[test]
    fn state_below_the_project_is_shared() {
        let shared = "db.sqlite3 exports/ logs/ media/ var/cache/";
        check(SETTINGS, "", &[], shared, &[]);
        check(SETTINGS, "StateDirectory=%N\n", &[], "db.sqlite3 exports/ logs/ media/ var/cache/", &[]);
        check(
            SETTINGS,
            "ProtectSystem=strict\nReadWritePaths=-/var/lib/shop\n",
            &[("DB", "data/db.sqlite3")],
            "data/ exports/ logs/ media/ var/cache/",
            &[],
        );
        // By the folder that serves.
        check(SETTINGS, "", &[("DB", "/opt/shop/db.sqlite3")], shared, &[]);
        check(SETTINGS, "", &[("DB", "elsewhere/db.sqlite3")], "exports/ logs/ media/ var/cache/", &[]);
        check(SETTINGS, "", &[("DB", "/srv/shop/db.sqlite3")], "exports/ logs/ media/ var/cache/", &[]);
        check("no settings", "", &[], "exports/", &[]);
    }

    #[test]
    fn state_that_git_tracks_is_refused_with_its_new_place() {
        check(
            SETTINGS,
            "StateDirectory=shop\n",
            &[("DB", "app/models.py"), ("LOGS", "app")],
            "exports/ logs/ media/ var/cache/",
            &[
                (
                    "`DATABASES[\"default\"][\"NAME\"]` is `./app/models.py` in the project: Git tracks it, so that each release \
                     has it anew; it belongs in `/var/lib/shop/models.py`",
                    "DB=/var/lib/shop/models.py in `/etc/shop/env`",
                ),
                (
                    "`SESSION_FILE_PATH` is `./app` in the project: Git tracks `app/models.py` there, so that each release has it \
                     anew; it belongs in `/var/lib/shop/app`",
                    "LOGS=/var/lib/shop/app in `/etc/shop/env`",
                ),
            ],
        );
        let settings = "DATABASES, CACHES, MEDIA_ROOT = {}, {}, '.'\n\
                        LOGGING = {'handlers': {'file': {'filename': 'a.log', 'class': 'x.RotatingFileHandler'}}}\n";
        check(
            settings,
            "StateDirectory=shop\n",
            &[],
            "exports/",
            &[
                (
                    "`MEDIA_ROOT` is `./` in the project: Git tracks `django/__init__.py` there, so that each release has it anew; \
                     it belongs in `/var/lib/shop/files`",
                    "in the settings: MEDIA_ROOT = Path(os.environ.get(\"STATE_DIRECTORY\", BASE_DIR)) / \"files\"",
                ),
                (
                    "`LOGGING[\"handlers\"][\"file\"][\"filename\"]` is `./a.log` in the project: the service cannot rename it \
                     in a release; it belongs in `/var/lib/shop/a.log`",
                    "in the settings: \"filename\": Path(os.environ.get(\"STATE_DIRECTORY\", BASE_DIR)) / \"a.log\"",
                ),
            ],
        );
    }

    #[test]
    fn a_unit_in_a_sandbox_gets_the_line_for_its_state_directory() {
        for sandbox in
            ["ProtectSystem=strict", "DynamicUser=yes", "ReadOnlyPaths=/etc /var", "InaccessiblePaths=-/var/lib"]
        {
            check(
                "DATABASES, CACHES, LOGGING, MEDIA_ROOT = {}, {}, {}, '/var/lib/shop/media'\n",
                &format!("{sandbox}\n"),
                &[],
                "exports/",
                &[(
                    "`shop.service` may not write to `/var/lib/shop`, the place of `exports/` and `MEDIA_ROOT`",
                    "StateDirectory=shop in the section [Service] of `shop.service`",
                )],
            );
        }
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
