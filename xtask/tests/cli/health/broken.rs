//! The report of failed checks.

use snapbox::str;

use super::{WELL, healthy, mode};
use crate::sandbox::Sandbox;

#[test]
fn broken_in_every_way() {
    let sandbox = healthy();
    sandbox.write(
        ".env",
        "DJANGO_ENV=production\nDEPLOY_METHOD=systemd\nDJANGO_SECRET_KEY=hunter2 hunter3\nDJANGO_DEBUG=perhaps\n\
         CELERY_BROKER_URL=redis://:hunter4@db/0 # old\nB='open\n",
    );
    mode(&sandbox, ".env", 0o644);
    sandbox.write("pyproject.toml", "[project]\nrequires-python = '>=3.13'\n");
    std::fs::remove_file(sandbox.root().join("uv.lock")).expect("removed");
    sandbox.check("health", 1, str![[r#"
environment    dev      default
deploy method  bare     default
mode           dev      default

env
 err   env.axes           unknown value for `DJANGO_ENV` and `DEPLOY_METHOD`
       `.env` line 1: unknown value `production` for `DJANGO_ENV`, expected `dev` or `prod`
       `.env` line 2: unknown value `systemd` for `DEPLOY_METHOD`, expected `bare` or `docker`
       hint: cargo xtask install --project '[ROOT]' --env dev|prod --method bare|docker
  ok   env.file           `.env` is there, 5 variables
warn   env.mode           644: every user of this machine can get at the secrets in it
       hint: chmod 640 .env
skip   env.ignored        command not found: `git`
warn   env.sample         only `.env.sample` has `DJANGO_ALLOWED_HOSTS`, `CELERY_TASK_ALWAYS_EAGER`, `DATABASE_PATH`, `MONITORING_TOKEN`, `TRUSTED_PROXIES`
       hint: cargo xtask health --project '[ROOT]' --fix
 err   env.portable       2 lines are read differently by its readers, or not at all
       warn: `.env` line 3: `DJANGO_SECRET_KEY`: blank-inside
         python-dotenv  ********
         bash           executes a part of it
         hint: DJANGO_SECRET_KEY='********'
       err: `.env` line 6: `B`: unterminated-quote
         python-dotenv  sees no such variable
         bash           stops here
 err   env.matrix         1 variable does not have the value that dev+bare needs
       `.env` line 4: `DJANGO_DEBUG` is neither `1` nor `0`
       hint: cargo xtask install --project '[ROOT]' --env dev --method bare --set DJANGO_DEBUG=1

core
 err   core.python        no Python >=3.13 found: `python3` is 3.12.1
       hint: cargo xtask install --project '[ROOT]'
  ok   core.uv            uv 9.9.9 (uv)
 err   core.venv          `.venv` has Python 3.12.1, and >=3.13 is asked for
       hint: cargo xtask install --project '[ROOT]'
 err   core.lock          `uv.lock` is not there
       hint: cargo xtask install --project '[ROOT]'
  ok   core.writable      the project can be written to
  ok   core.disk          [FREE] free

django
  ok   django.check       no issues
  ok   django.settings    1 value as in `.env`
  ok   django.migrations  all applied
  ok   django.database    answers

dev
skip   dev.hooks          the project has no hook configuration

8 ok, 2 warn, 6 err, 2 skip in [TIME]

"#]], str![]);
}

#[test]
fn in_prod_it_is_stricter() {
    let sandbox = healthy();
    sandbox.write(
        ".env",
        "DJANGO_ENV=prod\nDEPLOY_METHOD=bare\nDJANGO_DEBUG=1\nDJANGO_SECRET_KEY=short\nDJANGO_ALLOWED_HOSTS=localhost\n",
    );
    mode(&sandbox, ".env", 0o640);
    sandbox.check("health --only env", 1, str![[r#"
environment    prod     .env:1
deploy method  bare     .env:2
mode           prod     .env:1

env
  ok   env.axes      prod (.env:1), bare (.env:2)
  ok   env.file      `.env` is there, 5 variables
  ok   env.mode      640: no other user can read it
skip   env.ignored   command not found: `git`
warn   env.sample    only `.env.sample` has `CELERY_TASK_ALWAYS_EAGER`, `CELERY_BROKER_URL`, `DATABASE_PATH`, `MONITORING_TOKEN`, `TRUSTED_PROXIES`
       hint: cargo xtask install --project '[ROOT]' --set CELERY_BROKER_URL=… --set DATABASE_PATH=… --set TRUSTED_PROXIES=… --answers FILE; or write `# KEY=` where there is to be none
  ok   env.portable  python-dotenv and bash read every line alike
 err   env.matrix    5 variables do not have the values that prod+bare needs
       err: `.env` line 3: `DJANGO_DEBUG` has to be `0`
       warn: `.env` line 4: `DJANGO_SECRET_KEY` is weak: at least 50 random characters are expected
       warn: `.env` line 5: `DJANGO_ALLOWED_HOSTS` has only loopback hosts, so that requests from other machines are refused
       err: `.env`: `CELERY_BROKER_URL` is required, and has no value
       err: `.env`: `CELERY_TASK_ALWAYS_EAGER` has to be `0`
       hint: python3 -c 'import secrets; print("DJANGO_SECRET_KEY=" + secrets.token_urlsafe(50))' | cargo xtask install --project '[ROOT]' --set DJANGO_ALLOWED_HOSTS=… --set CELERY_BROKER_URL=… --answers -

4 ok, 1 warn, 1 err, 1 skip in [TIME]

"#]], str![]);
    mode(&sandbox, ".env", 0o604);
    sandbox.check(
        "health --only env.mode",
        1,
        str![[r#"
environment    prod     .env:1
deploy method  bare     .env:2
mode           prod     .env:1

env
 err   env.mode  604: every user of this machine can get at the secrets in it
       hint: chmod 600 .env

0 ok, 0 warn, 1 err, 0 skip in [TIME]

"#]],
        str![],
    );
}

#[test]
fn without_a_file_or_with_something_else_in_its_place() {
    let sandbox = Sandbox::project();
    sandbox.check(
        "health --only env",
        1,
        str![[r#"
environment    dev      default
deploy method  bare     default
mode           dev      default

env
  ok   env.axes      dev (default), bare (default)
 err   env.file      `.env` is not there
       hint: cargo xtask install --project '[ROOT]'
skip   env.mode      `.env` is not there
skip   env.ignored   command not found: `git`
skip   env.sample    `.env` is not there
skip   env.portable  `.env` is not there
skip   env.matrix    `.env` is not there

1 ok, 0 warn, 1 err, 5 skip in [TIME]

"#]],
        str![],
    );
    std::fs::create_dir(sandbox.root().join(".env")).expect("made");
    sandbox.check(
        "health --only env",
        1,
        str![[r#"
environment    unknown: `.env` cannot be read
deploy method  unknown: `.env` cannot be read
mode           unknown: `.env` cannot be read

env
skip   env.axes      `.env` cannot be read
 err   env.file      `[ROOT]/.env` is not a file
skip   env.mode      `.env` is not a file
skip   env.ignored   command not found: `git`
skip   env.sample    `.env` cannot be read
skip   env.portable  `.env` cannot be read
skip   env.matrix    `.env` cannot be read

0 ok, 0 warn, 1 err, 6 skip in [TIME]

"#]],
        str![],
    );
}

#[test]
fn half_installed() {
    let sandbox = healthy();
    std::fs::remove_file(sandbox.root().join(".venv")).expect("removed");
    sandbox.check(
        "health --only core,django",
        1,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

core
  ok   core.python        `python3` is 3.12.1
  ok   core.uv            uv 9.9.9 (uv)
 err   core.venv          `.venv` is not there
       hint: cargo xtask install --project '[ROOT]'
skip   core.lock          there is no virtual environment
  ok   core.writable      the project can be written to
  ok   core.disk          [FREE] free

django
skip   django.check       there is no virtual environment
skip   django.settings    there is no virtual environment
skip   django.migrations  there is no virtual environment
skip   django.database    there is no virtual environment

4 ok, 0 warn, 1 err, 5 skip in [TIME]

"#]],
        str![],
    );
    // A virtual environment whose Python is gone.
    std::fs::create_dir_all(sandbox.root().join(".venv/bin")).expect("made");
    std::os::unix::fs::symlink("/no/such/python", sandbox.root().join(".venv/bin/python")).expect("linked");
    sandbox.check(
        "health --only core.venv",
        1,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

core
 err   core.venv  `.venv` has no Python that starts
       hint: cargo xtask install --project '[ROOT]'

0 ok, 0 warn, 1 err, 0 skip in [TIME]

"#]],
        str![],
    );
    sandbox.shims(&["old-python"]).check(
        "health --only core",
        1,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

core
 err   core.python    no Python >=3.11 found: `python3` is 3.6.9
       hint: cargo xtask install --project '[ROOT]'
 err   core.uv        command not found: `uv`
       hint: cargo xtask install --project '[ROOT]'
 err   core.venv      `.venv` has no Python that starts
       hint: cargo xtask install --project '[ROOT]'
skip   core.lock      there is no uv to ask
  ok   core.writable  the project can be written to
  ok   core.disk      [FREE] free

2 ok, 0 warn, 3 err, 1 skip in [TIME]

"#]],
        str![],
    );
}

#[test]
fn output_of_a_failing_program_is_redacted() {
    let sandbox = Sandbox::project().file(".env", format!("{WELL}A_TOKEN=hunter2\n"));
    sandbox.relink(".venv", "venv-failing").check(
        "health --only django",
        1,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

django
 err   django.check       RuntimeError: cannot log in with ********
       | Traceback (most recent call last):
       | RuntimeError: cannot log in with ********
skip   django.settings    Django did not get that far
skip   django.migrations  Django did not get that far
skip   django.database    Django did not get that far

0 ok, 0 warn, 1 err, 3 skip in [TIME]

"#]],
        str![],
    );
}
