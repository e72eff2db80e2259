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
 err   env.axes      unknown value for `DJANGO_ENV` and `DEPLOY_METHOD`
       `.env` line 1: unknown value `production` for `DJANGO_ENV`, expected `dev` or `prod`
       `.env` line 2: unknown value `systemd` for `DEPLOY_METHOD`, expected `bare` or `docker`
warn   env.mode      644: every user of this machine can get at the secrets in it
warn   env.sample    only `.env.sample` has `DJANGO_ALLOWED_HOSTS`, `CELERY_TASK_ALWAYS_EAGER`, `DATABASE_PATH`, `MONITORING_TOKEN`, `TRUSTED_PROXIES`
 err   env.portable  2 lines are read differently by its readers, or not at all
       warn: `.env` line 3: `DJANGO_SECRET_KEY`: blank-inside
         python-dotenv  ********
         bash           executes a part of it
         hint: DJANGO_SECRET_KEY='********'
       err: `.env` line 6: `B`: unterminated-quote
         python-dotenv  sees no such variable
         bash           stops here
 err   env.matrix    1 variable does not have the value that dev+bare needs
       `.env` line 4: `DJANGO_DEBUG` is neither `1` nor `0`

core
 err   core.python   no Python >=3.13 found: `python3` is 3.12.1
 err   core.venv     `.venv` has Python 3.12.1, and >=3.13 is asked for
 err   core.lock     `uv.lock` is not there

  ok   django  4 checks
skip   dev     dev.hooks: the project has no hook configuration

Next steps
  1. cargo xtask install --project '[ROOT]' --env dev|prod --method bare|docker   (env.axes)
  2. cargo xtask install --project '[ROOT]' --env dev --method bare --set DJANGO_DEBUG=1   (env.matrix)
  3. cargo xtask install --project '[ROOT]'   (core.python, core.venv, core.lock)
  4. chmod 640 .env   (env.mode)
  5. cargo xtask health --project '[ROOT]' --fix   (env.sample)

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
warn   env.sample  only `.env.sample` has `CELERY_TASK_ALWAYS_EAGER`, `CELERY_BROKER_URL`, `DATABASE_PATH`, `MONITORING_TOKEN`, `TRUSTED_PROXIES`
 err   env.matrix  5 variables do not have the values that prod+bare needs
       err: `.env` line 3: `DJANGO_DEBUG` has to be `0`
       warn: `.env` line 4: `DJANGO_SECRET_KEY` is weak: at least 50 random characters are expected
       warn: `.env` line 5: `DJANGO_ALLOWED_HOSTS` has only loopback hosts, so that requests from other machines are refused
       err: `.env`: `CELERY_BROKER_URL` is required, and has no value
       err: `.env`: `CELERY_TASK_ALWAYS_EAGER` has to be `0`

Next steps
  1. python3 -c 'import secrets; print("DJANGO_SECRET_KEY=" + secrets.token_urlsafe(50))' | cargo xtask install --project '[ROOT]' --set DJANGO_ALLOWED_HOSTS=… --set CELERY_BROKER_URL=… --answers -   (env.matrix)
  2. cargo xtask install --project '[ROOT]' --set CELERY_BROKER_URL=… --set DATABASE_PATH=… --set TRUSTED_PROXIES=… --answers FILE; or write `# KEY=` where there is to be none   (env.sample)

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

Next steps
  1. chmod 600 .env   (env.mode)

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
 err   env.file  `.env` is not there

Next steps
  1. cargo xtask install --project '[ROOT]'   (env.file)

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
 err   env.file  `[ROOT]/.env` is not a file

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
 err   core.venv  `.venv` is not there

skip   django  4 checks, 4 skipped

Next steps
  1. cargo xtask install --project '[ROOT]'   (core.venv)

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

Next steps
  1. cargo xtask install --project '[ROOT]'   (core.venv)

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
 err   core.python  no Python >=3.11 found: `python3` is 3.6.9
 err   core.uv      command not found: `uv`
 err   core.venv    `.venv` has no Python that starts

Next steps
  1. cargo xtask install --project '[ROOT]'   (core.python, core.uv, core.venv)

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
 err   django.check  RuntimeError: cannot log in with ********
       | RuntimeError: cannot log in with ********

0 ok, 0 warn, 1 err, 3 skip in [TIME]

"#]],
        str![],
    );
}
