//! `cargo xtask health` on a real checkout: uv, Django, Git and its hooks, other users, a read-only disk.

use std::fs;

use duct::cmd;

use crate::checkout::{Checkout, contains_all};
use crate::engine::{IMAGE, image};

/// A checkout that is installed in dev+bare.
fn installed() -> Checkout {
    let checkout = Checkout::of_this_workspace();
    checkout.install([]);
    checkout
}

/// Healthy parts are reported as such; broken ones are named, and fixed if nothing can be lost.
pub(crate) fn fixes() {
    let checkout = installed();
    let healthy = checkout.health("", 0);
    contains_all(
        &healthy,
        &["django.check       no issues", "django.migrations  all applied", "core.lock", ", 0 err, "],
    );

    variables_without_effect(&checkout);
    let before = checkout.read(".env");
    checkout.write("service/monitoring/migrations/0002_more.py", MIGRATION);
    fs::remove_dir_all(checkout.root.join("service/.venv/lib")).expect("half a virtual environment");
    let broken = checkout.health("", 1);
    contains_all(&broken, &["err   core.lock", "is not in step with `uv.lock`", "err   django.check"]);
    let mended = checkout.health("--fix --yes", 0);
    contains_all(&mended, &["fix: uv sync", "fix: manage.py migrate", "django.migrations  all applied"]);
    assert_eq!(checkout.read(".env"), before);

    fs::remove_dir_all(checkout.root.join("service/.venv")).expect("no virtual environment");
    contains_all(&checkout.health("", 1), &["err   core.venv", "skip   core.lock", "skip   django.check"]);
    contains_all(&checkout.health("--fix --yes", 0), &["fix: uv sync", ", 0 err, "]);

    fs::remove_file(checkout.root.join("service/data/db.sqlite3")).expect("no database");
    let broken = checkout.health("", 1);
    contains_all(&broken, &["err   django.migrations", "err   django.database    the database file is not there yet"]);
    assert!(!checkout.root.join("service/data/db.sqlite3").exists(), "looking for the database has made one");
}

/// Settings that ignore `.env` are found in Django itself: each variable is named, and no value.
fn variables_without_effect(checkout: &Checkout) {
    let variables = ["DJANGO_ALLOWED_HOSTS", "DJANGO_DEBUG", "DJANGO_SECRET_KEY", "CELERY_TASK_ALWAYS_EAGER"];
    contains_all(&checkout.health("--only django.settings", 0), &["ok   django.settings  4 values as in `.env`"]);
    let settings = checkout.read("service/config/settings.py");
    let fixed = "ALLOWED_HOSTS = ['*']\nDEBUG = False\nSECRET_KEY = 'hard-coded'\nCELERY_TASK_ALWAYS_EAGER = False\n";
    checkout.write("service/config/settings.py", &format!("{settings}{fixed}"));
    let output = checkout.health("--only django.settings", 0);
    contains_all(&output, &["warn   django.settings  4 variables of `.env` without effect"]);
    for variable in variables {
        contains_all(&output, &[&format!("`{variable}` is set in `.env`, and the settings have another value")]);
    }
    let key = checkout.value("DJANGO_SECRET_KEY").expect("a key");
    assert!(!output.contains("hard-coded") && !output.contains(&key), "{output}");
    // In prod that is an error.
    let env = checkout.read(".env");
    checkout.write(".env", &env.replace("DJANGO_ENV=dev", "DJANGO_ENV=prod"));
    contains_all(&checkout.health("--only django.settings", 1), &["err   django.settings  4 variables"]);
    checkout.write(".env", &env);
    checkout.write("service/config/settings.py", &settings);
}

const MIGRATION: &str = r#"
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0001_initial")]
"#;

/// A real Django whose database does not respond, and one with findings for deployment.
pub(crate) fn asks_django_once() {
    let checkout = installed();
    let settings = checkout.read("service/config/settings.py");
    // The settings count every start, and print a line that is no result.
    let count = "import os\nos.write(1, b'noise')\nopen(BASE_DIR / 'starts', 'a').write('x')\n";
    checkout.write("service/config/settings.py", &format!("{settings}{count}"));
    checkout.health("", 0);
    assert_eq!(checkout.read("service/starts"), "x");

    let slow = "DATABASES['default']['ENGINE'] = 'slow'\n";
    checkout.write("service/config/settings.py", &format!("{settings}{slow}"));
    checkout.write("service/slow/__init__.py", "");
    checkout.write("service/slow/base.py", SLOW);
    let output = checkout.health("--only django --timeout 5s", 1);
    contains_all(&output, &["ok   django.check       no issues", "err   django.database    no response in 5 s"]);

    checkout.write("service/config/settings.py", &settings);
    let key = "k".repeat(50);
    checkout.write(
        ".env",
        &format!("DJANGO_ENV=prod\nDEPLOY_METHOD=bare\nDJANGO_SECRET_KEY={key}0123\nDJANGO_DEBUG=1\nDJANGO_ALLOWED_HOSTS=example.org\n"),
    );
    let output = checkout.health("--only django", 0);
    contains_all(&output, &["warn   django.check", "security.W018: "]);
    assert!(!output.contains(&key), "the key is shown: {output}");
}

/// A database that takes an hour to connect.
const SLOW: &str = r#"
import time

from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, params):
        time.sleep(3600)
"#;

/// The real pre-commit, from PyPI.
pub(crate) fn knows_hooks() {
    let checkout = installed();
    cmd!("git", "init", "-q").dir(&checkout.root).run().expect("git answers");
    contains_all(&checkout.health("--only dev", 0), &["skip   dev.hooks  the project has no hook configuration"]);
    checkout.write(".pre-commit-config.yaml", "repos: []\n");
    contains_all(&checkout.health("--only dev", 0), &["warn   dev.hooks", "  1. pre-commit install   (dev.hooks)"]);
    let args = ["run", "--no-project", "--with", "pre-commit", "pre-commit", "install"];
    checkout.uv(".", args).stdout_null().stderr_null().run().expect("pre-commit installs its hooks");
    contains_all(&checkout.health("--only dev", 0), &["ok   dev.hooks  `.pre-commit-config.yaml`: pre-commit"]);
}

/// As another user, and on a read-only disk: there is a report, even if nothing can be read or written.
pub(crate) fn reports_without_permission() {
    image();
    let checkout = Checkout::empty();
    checkout.write("manage.py", "");
    checkout.write("pyproject.toml", "[project]\nname = 'shop'\nversion = '1'\n");
    checkout.write(".env", "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\n");
    cmd!("chmod", "600", checkout.root.join(".env")).run().expect("private");
    cmd!("chmod", "755", &checkout.root, checkout.root.parent().expect("a folder")).run().expect("open to all");
    let report = |options: &[&str]| {
        let binary = format!("{}:/usr/local/bin/xtask:ro", env!("CARGO_BIN_EXE_xtask"));
        let project = format!("{}:/srv/app:ro", checkout.root.display());
        let args = ["run", "--rm", "--network", "none", "-v", &binary, "-v", &project];
        let args =
            args.iter().chain(options).chain(&[IMAGE, "xtask", "health", "-v", "--project", "/srv/app"]).copied();
        let output = cmd("docker", args).stderr_to_stdout().stdout_capture().unchecked().run().expect("docker starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        text
    };
    contains_all(
        &report(&[]),
        &["ok   env.file", "err   core.writable ", "`/srv/app`: Read-only file system", "core.disk"],
    );
    let other = report(&["--user", "1234"]);
    contains_all(
        &other,
        &["skip   env.axes", "err   env.file", "Permission denied", "` belongs to `", "runs as `1234`"],
    );
    assert!(!other.contains("core."), "judged without `.env`: {other}");
}
