//! The state of projects, by their settings and units.

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

/// Returns the state of a project with these settings, of which Git tracks all files; `{root}` is its folder.
#[track_caller]
fn found(settings: &str, unit: &str, variables: &[(&str, &str)], declared: &[(&str, bool)]) -> State {
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().canonicalize().expect("a folder").join("project");
    let files = DJANGO.into_iter().chain([("settings.py", settings), ("app/models.py", ""), ("logs/a/.gitkeep", "")]);
    let mut tracked = Vec::new();
    for (file, text) in files {
        fs::create_dir_all(root.join(file).parent().expect("inside")).expect("a folder");
        fs::write(root.join(file), text).expect("written");
        tracked.push(file.into());
    }
    symlink("/srv/files", root.join("elsewhere")).expect("linked");
    tracked.push("elsewhere".into());
    symlink("/srv/files", root.join("untracked")).expect("linked");
    // A folder can have several names.
    let named = dir.path().join("named");
    symlink(&root, &named).expect("linked");
    let shown = root.display().to_string();
    let source = Source::of_files(&root, tracked);
    let variables = variables.iter().map(|(name, value)| ((*name).into(), value.replace("{root}", &shown))).collect();
    let env = EnvPlan { variables, is_there: true, ..EnvPlan::unchanged(None) };
    let code = Code { python: Path::new("python3"), manage_dir: &root, root: &named, env: &env };
    let text = format!("[Service]\nExecStart=/opt/shop/.venv/bin/gunicorn\n{unit}");
    let units = [UnitFile { name: "shop.service".into(), text }];
    let declared: Vec<_> =
        declared.iter().map(|(path, is_folder)| SharedPath { path: path.into(), is_folder: *is_folder }).collect();
    let layout = Layout::of_a_shop();
    let release =
        Release { units: &units, shown: &[], source: &source, declared: &declared, user: "web", layout: &layout };
    let mut state = find(&code, &release, &Deadline::within(LOAD));
    for problem in &mut state.problems {
        problem.message = problem.message.replace(&shown, "{root}");
    }
    state
}

fn shared(state: &State) -> String {
    state.shared.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn messages(state: &State) -> Vec<&str> {
    state.problems.iter().map(|problem| problem.message.as_str()).collect()
}

/// Checks the shared paths and the problems.
#[track_caller]
fn check(settings: &str, unit: &str, variables: &[(&str, &str)], expected: &str, problems: &[(&str, &str)]) {
    let state = found(settings, unit, variables, &[("exports", true)]);
    assert_eq!(shared(&state), expected);
    let found: Vec<_> =
        state.problems.iter().map(|it| (it.message.as_str(), it.hint.as_deref().unwrap_or_default())).collect();
    assert_eq!(found, problems);
    assert_eq!(state.needs_directory, !unit.contains("StateDirectory=shop\n") && !unit.contains("=%N"));
    assert_eq!(state.unknown.is_some(), settings == "no settings");
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
    // A release has no link of the checkout that Git does not track.
    check(SETTINGS, "", &[("DB", "untracked/db.sqlite3")], "exports/ logs/ media/ untracked/ var/cache/", &[]);
    check(SETTINGS, "", &[("DB", "memory/db.sqlite3")], "exports/ logs/ media/ memory/ var/cache/", &[]);
    check(SETTINGS, "", &[("DB", "file:data/db.sqlite3?mode=rwc")], "data/ exports/ logs/ media/ var/cache/", &[]);
    check(SETTINGS, "", &[("DB", "file:shop?mode=memory&cache=shared")], "exports/ logs/ media/ var/cache/", &[]);
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
fn a_unit_of_another_user_than_the_setting_is_refused() {
    let problem = |unit| messages(&found(SETTINGS, unit, &[], &[])).join("\n");
    let expected = "`shop.service` runs as `deploy`, and `/var/lib/shop` belongs to the user of the setting `user`, which is \
                    `web`";
    assert_eq!(problem("User=deploy\n"), expected);
    assert_eq!(problem("User=web\n") + &problem("User=root\n") + &problem(""), "");
    let settings = "DATABASES, CACHES, LOGGING, MEDIA_ROOT = {}, {}, {}, ''\n";
    assert_eq!(messages(&found(settings, "User=deploy\n", &[], &[])), [""; 0]);
}

#[test]
fn a_unit_in_a_sandbox_gets_the_line_for_its_state_directory() {
    for sandbox in ["ProtectSystem=strict", "DynamicUser=yes", "ReadOnlyPaths=/etc /var", "InaccessiblePaths=-/var/lib"]
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
fn static_files_are_a_part_of_the_release() {
    let settings = [SETTINGS, "STATIC_ROOT = 'var/static'\n"].concat();
    let state = found(&settings, "", &[("DB", "var/db.sqlite3")], &[]);
    assert_eq!(shared(&state), "logs/ media/ var/cache/ var/db.sqlite3");
    let state = found(&settings, "", &[], &[("var", true)]);
    assert_eq!(
        messages(&state),
        ["the setting `shared-paths` has `var/`, and the deploy makes `var/static`, which each release has anew"]
    );
}

#[test]
fn folders_in_shared_folders_are_made() {
    let settings = "DATABASES, CACHES = {}, {}\n\
                    LOGGING = {'handlers': {'file': {'filename': 'logs/b/a.log'}, 'all': {'filename': 'logs/a.log'}}}\n";
    let state = found(settings, "", &[], &[]);
    assert_eq!(shared(&state), "logs/");
    assert_eq!(state.folders, ["logs", "logs/a", "logs/b"].map(PathBuf::from).into());
}

#[test]
fn a_declared_path_is_what_it_is() {
    let state = found(SETTINGS, "", &[], &[("media", false), ("django", true), ("elsewhere/exports", true)]);
    assert_eq!(
        messages(&state),
        [
            "the setting `shared-paths` has `media`, which is a folder: write `media/`",
            "the setting `shared-paths` has `django/`, and Git tracks `django/__init__.py`, which each release has anew",
            "the setting `shared-paths` has `elsewhere/exports/`, and Git tracks `elsewhere`, which each release has anew",
        ]
    );
    let settings = "DATABASES, CACHES = {}, {}\n\
                    LOGGING = {'handlers': {'file': {'filename': 'app/a.log', 'class': 'x.RotatingFileHandler'}}}\n";
    let state = found(settings, "", &[], &[("app/a.log", false)]);
    assert_eq!(
        messages(&state),
        [
            "`LOGGING[\"handlers\"][\"file\"][\"filename\"]` is `./app/a.log` in the project: the service cannot rename it in a \
          release; it belongs in `/var/lib/shop/a.log`"
        ]
    );
}

#[test]
fn a_file_of_the_checkout_or_beside_the_releases_is_in_no_release() {
    let problem = |path: &str| {
        format!(
            "`DATABASES[\"default\"][\"NAME\"]` is `{path}`: it is in no release; it belongs in `/var/lib/shop/db.sqlite3`"
        )
    };
    for path in ["{root}/db.sqlite3", "/opt/shop-releases/db.sqlite3"] {
        let state = found(SETTINGS, "", &[("DB", path)], &[]);
        assert_eq!(messages(&state), [problem(path)]);
        assert_eq!(state.problems[0].hint.as_deref(), Some("DB=/var/lib/shop/db.sqlite3 in `/etc/shop/env`"));
    }
}

#[test]
fn a_dynamic_user_has_the_folders_that_systemd_makes() {
    let settings = "DATABASES, CACHES, LOGGING, MEDIA_ROOT = {}, {}, {}, 'media'\n";
    let state = found(settings, "DynamicUser=yes\nStateDirectory=shop\n", &[], &[]);
    assert_eq!(
        messages(&state),
        ["`shop.service` has a dynamic user, for which only systemd can make `media` in `/var/lib/shop`"]
    );
    let hint = "StateDirectory=shop shop/media in the section [Service] of `shop.service`";
    assert_eq!(state.problems[0].hint.as_deref(), Some(hint));
    let state = found(settings, "DynamicUser=yes\nStateDirectory=shop shop/media\n", &[], &[]);
    assert!(state.problems.is_empty() && state.is_dynamic);
}
