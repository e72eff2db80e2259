//! The Python and the virtual environment of the service: `.python-version`, downloads, workspaces.

use std::fs;

use snapbox::str;

use crate::sandbox::Sandbox;
use crate::uv::SETTLED;

/// uv does not count an environment of another Python as a change (`sync --check` exits with 0).
#[test]
fn the_pinned_python_is_used() {
    let pinned = |version: &str| Sandbox::project().file(".env", SETTLED).file(".python-version", version);
    pinned("3.12\n").check(
        "health --only core.python,core.venv",
        0,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

  ok   core  2 checks

2 ok, 0 warn, 0 err, 0 skip in [TIME]

"#]],
        str![],
    );
    pinned("3.13\n").check(
        "health --only core.python,core.venv",
        1,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

core
 err   core.python  no Python 3.13 (`.python-version`) found: `python3` is 3.12.1
 err   core.venv    `.venv` has Python 3.12.1, and 3.13 (`.python-version`) is asked for

Next steps
  1. cargo xtask install --project '[ROOT]'   (core.python, core.venv)

0 ok, 0 warn, 2 err, 0 skip in [TIME]

"#]],
        str![],
    );
    // One that contradicts `requires-python` does not count.
    pinned("3.10\n").check("health --only core.python,core.venv", 0, str!["..."], str![]);
    let sandbox = pinned("3.14\n").shims(&["uv-fetching", "python"]);
    fs::remove_file(sandbox.root().join(".venv")).expect("removed");
    let sandbox = sandbox.file(".venv/bin/activate", "").link(".venv/bin/python", "venv/bin/python");
    sandbox.check(
        "install --yes",
        0,
        str!["..."],
        str![[r#"
  ok   preflight  uv is to download Python 3.14 (`.python-version`), uv 9.9.9
  ok   .env  as it should be
  ok   uv sync  [SHORT]
  ok   core.lock  `.venv` is in step with `uv.lock`
  ok   django.check  no issues
  ok   django.settings  1 value as in `.env`
  ok   django.migrations  all applied
  ok   django.database  answers

"#]],
    );
    sandbox.check(
        "health --only core.python,core.venv",
        0,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

  ok   core  2 checks

2 ok, 0 warn, 0 err, 0 skip in [TIME]

"#]],
        str![],
    );
}

#[test]
fn uv_fetches_the_python_that_is_missing() {
    let project = || {
        let sandbox = Sandbox::project().shims(&["uv-fetching", "python"]).file(".env", SETTLED);
        fs::remove_file(sandbox.root().join(".venv")).expect("removed");
        sandbox.file("pyproject.toml", "[project]\nname = 'x'\nrequires-python = '>=3.14'\n")
    };
    let sandbox = project();
    sandbox.check(
        "health --only core.python,core.venv",
        1,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

core
 err   core.python  no Python >=3.14 found: `python3` is 3.12.1
 err   core.venv    `.venv` is not there

Next steps
  1. cargo xtask install --project '[ROOT]'   (core.python, core.venv)

0 ok, 0 warn, 2 err, 0 skip in [TIME]

"#]],
        str![],
    );
    sandbox.check(
        "health --fix --yes --only core.venv",
        1,
        str!["..."],
        str![[r#"
 err   core.venv  `.venv` is not there
fix: uv sync
 err   uv sync  [SHORT]
error: `uv sync` failed: exit status: 2

"#]],
    );
    sandbox.check(
        "install --yes",
        0,
        str!["..."],
        str![[r#"
  ok   preflight  uv is to download Python >=3.14, uv 9.9.9
  ok   .env  as it should be
  ok   uv sync  [SHORT]
  ok   core.lock  `.venv` is in step with `uv.lock`
  ok   django.check  no issues
  ok   django.settings  1 value as in `.env`
  ok   django.migrations  all applied
  ok   django.database  answers

"#]],
    );
    sandbox.check("health --only core", 0, str!["..."], str![]);

    let sandbox = project().file("uv.toml", "python-downloads = 'manual'\n");
    sandbox.check("health --only core.python", 1, str!["..."], str![]);
    sandbox.check(
        "install --yes",
        3,
        str![],
        str![[r#"
error: no Python >=3.14 found: `python3` is 3.12.1
hint: uv python install 3.14

"#]],
    );
    let sandbox = project().file(".env", format!("{SETTLED}UV_PYTHON_DOWNLOADS=never\n"));
    sandbox.check(
        "install --yes",
        3,
        str![],
        str![[r#"
error: no Python >=3.14 found: `python3` is 3.12.1
hint: uv python install 3.14

"#]],
    );
    // A uv of its own downloads as well; any Python installs that.
    let sandbox = project().shims(&["python-installing"]);
    sandbox.check(
        "install --yes --dry-run",
        0,
        str!["..."],
        str![[r#"
  ok   preflight  uv is to download Python >=3.14, uv 0.13.9 is to be installed (command not found: `uv`)

"#]],
    );
}

#[test]
fn a_member_of_a_workspace_has_the_lock_and_the_environment_of_its_root() {
    let sandbox = Sandbox::empty()
        .file("Cargo.toml", "[workspace.metadata.service]\nservice-dir = 'services/web'\n")
        .file("pyproject.toml", "[tool.uv.workspace]\nmembers = ['services/*']\n")
        .file("services/web/pyproject.toml", "[project]\nname = 'web'\nrequires-python = '>=3.11'\n")
        .file("services/web/manage.py", "")
        .file(".env", SETTLED);
    sandbox.check(
        "health --only core.venv,core.lock",
        1,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

core
 err   core.venv  `.venv` is not there

Next steps
  1. cargo xtask install --project '[ROOT]'   (core.venv)

0 ok, 0 warn, 1 err, 1 skip in [TIME]

"#]],
        str![],
    );
    let sandbox = sandbox.file("uv.lock", "").link(".venv", "venv");
    sandbox.check(
        "health --only core.venv,core.lock",
        0,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

  ok   core  2 checks

2 ok, 0 warn, 0 err, 0 skip in [TIME]

"#]],
        str![],
    );
    sandbox.check(
        "install --yes --dry-run",
        0,
        str![[r#"
Plan for dev+bare in [ROOT]
.env: as it should be
Commands in [ROOT]/services/web; steps that are up to date are skipped
  uv sync
  '[ROOT]/.venv/bin/python' manage.py migrate --noinput
  '[ROOT]/.venv/bin/python' manage.py check

"#]],
        str![[r#"
  ok   preflight  python3 is 3.12.1, uv 9.9.9

"#]],
    );
}

/// A release has only the files of the checkout.
#[test]
fn a_member_without_its_workspace_is_not_deployed() {
    let sandbox = Sandbox::empty()
        .file("pyproject.toml", "[tool.uv.workspace]\nmembers = ['services/*']\n")
        .file("uv.lock", "")
        .file("services/web/pyproject.toml", "[project]\nname = 'web'\nrequires-python = '>=3.11'\n")
        .file("services/web/manage.py", "");
    let member = sandbox.root().join("services/web").display().to_string();
    let deploy = duct::cmd(env!("CARGO_BIN_EXE_xtask"), ["deploy-systemd", "--yes", "--project", &member]);
    let output = deploy.env("PATH", sandbox.path()).stderr_to_stdout().stdout_capture().unchecked().run();
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(3));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("error: the service is a member of the uv workspace `"), "{printed}");
    assert!(
        printed
            .contains("hint: deploy the checkout of the workspace, with the setting `service-dir = \"services/web\"`"),
        "{printed}"
    );
}

#[test]
fn the_virtual_environment_is_where_the_file_says() {
    let sandbox = Sandbox::project().file(".env", format!("{SETTLED}UV_PROJECT_ENVIRONMENT=venvs/shop\n"));
    sandbox.check(
        "health --only core.venv",
        1,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

core
 err   core.venv  `venvs/shop` is not there

Next steps
  1. cargo xtask install --project '[ROOT]'   (core.venv)

0 ok, 0 warn, 1 err, 0 skip in [TIME]

"#]],
        str![],
    );
    let sandbox = sandbox.file("venvs/x", "").link("venvs/shop", "venv");
    fs::remove_file(sandbox.root().join(".venv")).expect("removed");
    sandbox.check(
        "health --only core,django.check",
        0,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

  ok   core    6 checks
  ok   django  django.check: no issues

7 ok, 0 warn, 0 err, 0 skip in [TIME]

"#]],
        str![],
    );
    sandbox.xtask("install --yes").assert().code(0);
    sandbox.check(
        "run --dry-run",
        0,
        str![[r#"
cd '[ROOT]' && '[ROOT]/venvs/shop/bin/python' manage.py runserver 'localhost:8000'

"#]],
        str![],
    );
    sandbox.check(
        "install --yes --dry-run",
        0,
        str![[r#"
Plan for dev+bare in [ROOT]
.env: as it should be
Commands in [ROOT]; steps that are up to date are skipped
  uv sync
  venvs/shop/bin/python manage.py migrate --noinput
  venvs/shop/bin/python manage.py check

"#]],
        str![[r#"
  ok   preflight  python3 is 3.12.1, uv 9.9.9

"#]],
    );
}
