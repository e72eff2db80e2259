//! uv: which one is used, what it gets of `.env`, and what remains where it fails.

use snapbox::str;

use crate::sandbox::Sandbox;

/// The settled `.env` of a project, so that nothing in it is changed.
pub(crate) const SETTLED: &str = "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\nDJANGO_DEBUG=1\nDJANGO_ALLOWED_HOSTS=localhost\n\
                       CELERY_BROKER_URL=\nCELERY_TASK_ALWAYS_EAGER=1\n\
                       DJANGO_SECRET_KEY=zq2kX7w9Lr4vT8yB3nM6pJ1hG5fD0sAcEuIoWbRtYxKvNmQ\n";

#[test]
fn an_old_uv_is_passed_over() {
    let sandbox = Sandbox::project().shims(&["uv-old", "python-installing"]).file(".env", SETTLED);
    sandbox.check(
        "health --only core.uv,core.lock",
        1,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

core
 err   core.uv  `uv` is too old: uv 0.5.10, and uv 0.6.10 is the oldest that works

Next steps
  1. cargo xtask install --project '[ROOT]'   (core.uv)

0 ok, 0 warn, 1 err, 1 skip in [TIME]

"#]],
        str![],
    );
    sandbox.check("install --yes", 0, str!["..."], str![[r#"
  ok   preflight  python3 is 3.12.1, uv 0.13.9 is to be installed (`uv` is too old: uv 0.5.10, and uv 0.6.10 is the oldest that works)
  ok   .env  as it should be
  ok   Python environment for uv  [SHORT]
  ok   uv from PyPI  [SHORT]
  ok   core.lock  `.venv` is in step with `uv.lock`
  ok   django.check  no issues
  ok   django.settings  1 value as in `.env`
  ok   django.migrations  all applied
  ok   django.database  answers

"#]]);
    sandbox.check(
        "health --only core.uv,core.lock",
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
        "install --yes",
        0,
        str!["..."],
        str![[r#"
  ok   preflight  python3 is 3.12.1, uv 9.9.9
  ok   .env  as it should be
  ok   core.lock  `.venv` is in step with `uv.lock`
  ok   django.check  no issues
  ok   django.settings  1 value as in `.env`
  ok   django.migrations  all applied
  ok   django.database  answers

"#]],
    );
}

#[test]
fn a_path_or_a_proxy_of_the_service_does_not_reach_uv() {
    let env = format!("{SETTLED}PATH=/nowhere\nHTTPS_PROXY=http://proxy:3128\nUV_INDEX_URL=https://index.example\n");
    let sandbox =
        Sandbox::project().relink(".venv", "venv-behind").shims(&["uv-of-variables", "python"]).file(".env", env);
    sandbox.check("health --only core", 0, str!["..."], str![]);
    sandbox.check(
        "install --yes",
        1,
        str![],
        str![[r#"
  ok   preflight  python3 is 3.12.1, uv 9.9.9
  ok   .env  as it should be
 err   manage.py migrate  [SHORT]
     | OperationalError: no such table
error: `manage.py migrate` failed: exit status: 1; the answers are kept in `.env`
hint: cargo xtask install --project '[ROOT]' --yes

"#]],
    );
}

#[test]
fn answers_survive_a_failed_step() {
    let sandbox = Sandbox::project().shims(&["python-offline"]);
    sandbox.check("install --yes --no-deploy --set DJANGO_ALLOWED_HOSTS=localhost,shop.example", 1, str![], str![[r#"
  ok   preflight  python3 is 3.12.1, uv 0.13.9 is to be installed (command not found: `uv`)
.env (new, only you can read it; a copy of .env.sample with these changes)
     -DJANGO_DEBUG=
  11 +DJANGO_DEBUG=1
     -DJANGO_SECRET_KEY=
  14 +DJANGO_SECRET_KEY=********
     -DJANGO_ALLOWED_HOSTS=
  17 +DJANGO_ALLOWED_HOSTS=localhost,shop.example
     -CELERY_TASK_ALWAYS_EAGER=
  20 +CELERY_TASK_ALWAYS_EAGER=1
  ok   Python environment for uv  [SHORT]
 err   uv from PyPI  [SHORT]
     | ERROR: No matching distribution found for uv
error: `uv from PyPI` failed: exit status: 1; behind a proxy set `HTTPS_PROXY`, for another index `PIP_INDEX_URL`, or install uv yourself; the answers are kept in `.env`
hint: cargo xtask install --project '[ROOT]' --no-deploy --yes

"#]]);
    assert!(sandbox.read(".env").contains("DJANGO_ALLOWED_HOSTS=localhost,shop.example\n"));

    let sandbox = Sandbox::project().shims(&["uv-failing", "python"]);
    sandbox.check(
        "install --yes --set DJANGO_ALLOWED_HOSTS=localhost,shop.example",
        1,
        str![],
        str![[r#"
  ok   preflight  python3 is 3.12.1, uv 9.9.9
.env (new, only you can read it; a copy of .env.sample with these changes)
     -DJANGO_DEBUG=
  11 +DJANGO_DEBUG=1
     -DJANGO_SECRET_KEY=
  14 +DJANGO_SECRET_KEY=********
     -DJANGO_ALLOWED_HOSTS=
  17 +DJANGO_ALLOWED_HOSTS=localhost,shop.example
     -CELERY_TASK_ALWAYS_EAGER=
  20 +CELERY_TASK_ALWAYS_EAGER=1
 err   uv sync  [SHORT]
     | error: no way: uv sync
error: `uv sync` failed: exit status: 2; the answers are kept in `.env`
hint: cargo xtask install --project '[ROOT]' --yes

"#]],
    );
    assert!(sandbox.read(".env").contains("DJANGO_ALLOWED_HOSTS=localhost,shop.example\n"));
}

#[test]
fn a_moved_virtual_environment_is_reported_and_fixed() {
    let moved = || {
        let sandbox = Sandbox::project().shims(&["uv-reinstalling", "python"]).file(".env", SETTLED);
        std::fs::remove_file(sandbox.root().join(".venv")).expect("removed");
        let script = "#!/srv/previous/.venv/bin/python\nimport gunicorn\n";
        sandbox.file(".venv/bin/gunicorn", script).link(".venv/bin/python", "venv/bin/python")
    };
    let sandbox = moved();
    sandbox.check("health --only core.venv,core.lock", 1, str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

core
 err   core.venv  `.venv` was moved or copied here: its script `gunicorn` starts `/srv/previous/.venv/bin/python`, which does not exist

Next steps
  1. cargo xtask install --project '[ROOT]'   (core.venv)

1 ok, 0 warn, 1 err, 0 skip in [TIME]

"#]], str![]);
    sandbox.check("health --only core.venv --fix --yes", 0, str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

  ok   core  core.venv: `.venv` has Python 3.12.1

1 ok, 0 warn, 0 err, 0 skip in [TIME]

"#]], str![[r#"
 err   core.venv  `.venv` was moved or copied here: its script `gunicorn` starts `/srv/previous/.venv/bin/python`, which does not exist
fix: uv sync --reinstall
  ok   uv sync --reinstall  [SHORT]

"#]]);
    let sandbox = moved();
    sandbox.check(
        "install --yes",
        0,
        str!["..."],
        str![[r#"
  ok   preflight  python3 is 3.12.1, uv 9.9.9
  ok   .env  as it should be
  ok   uv sync --reinstall  [SHORT]
  ok   core.lock  `.venv` is in step with `uv.lock`
  ok   django.check  no issues
  ok   django.settings  1 value as in `.env`
  ok   django.migrations  all applied
  ok   django.database  answers

"#]],
    );
    sandbox.check("health --only core.venv,core.lock", 0, str!["..."], str![]);
}
