//! The selection of checks, their timeouts, and the exit code.

use snapbox::str;

use super::{healthy, mode};
use crate::sandbox::Sandbox;

#[test]
fn checks_are_selected_by_name() {
    let sandbox = healthy();
    sandbox.check(
        "health --only env.file,core.uv --skip core",
        0,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

  ok   env  env.file: `.env` is there, 10 variables

1 ok, 0 warn, 0 err, 0 skip in [TIME]

"#]],
        str![],
    );
    sandbox.check("health --only djang", 2, str![], str![[r#"
error: invalid value 'djang' for '--only <NAME>': unknown check `djang`, expected one of the groups env, core, django, dev, docker, systemd, or of the checks env.axes, env.file, env.mode, env.ignored, env.sample, env.portable, env.matrix, core.python, core.uv, core.venv, core.lock, core.writable, core.disk, django.check, django.settings, django.migrations, django.database, dev.hooks, docker.daemon, docker.compose, docker.environment, docker.service.<name>, docker.http, docker.drift, systemd.unit.<name>, systemd.redis, systemd.http, systemd.drift

For more information, try '--help'.

"#]]);
    sandbox.check(
        "health --only env --skip env",
        2,
        str![],
        str![[r#"
error: `--only` and `--skip` leave nothing to check
hint: cargo xtask health --project '[ROOT]' --list

"#]],
    );
    // A check that is selected by name has an outcome, even if it has no meaning here.
    sandbox.check(
        "health --only docker.daemon,systemd",
        0,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

skip   docker   docker.daemon: the deployment method is `bare`
skip   systemd  4 checks, 4 skipped

0 ok, 0 warn, 0 err, 5 skip in [TIME]

"#]],
        str![],
    );
    sandbox.check(
        "health --only docker.service.web",
        0,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

skip   docker  docker.service: the deployment method is `bare`

0 ok, 0 warn, 0 err, 1 skip in [TIME]

"#]],
        str![],
    );
}

#[test]
fn durations_that_are_none() {
    let sandbox = healthy();
    sandbox.check(
        "health --timeout soon",
        2,
        str![],
        str![[r#"
error: invalid value 'soon' for '--timeout <DURATION>': expected number at 0

For more information, try '--help'.

"#]],
    );
    sandbox.check(
        "health --deadline 0",
        2,
        str![],
        str![[r#"
error: invalid value '0' for '--deadline <DURATION>': expected more than nothing, and at most a day

For more information, try '--help'.

"#]],
    );
}

#[test]
fn the_list() {
    let sandbox = healthy();
    sandbox.check("health --list --skip django,core.disk", 0, str![[r#"
dev+bare in [ROOT]
  run   env.axes               `DJANGO_ENV` and `DEPLOY_METHOD` have known values
  run   env.file               `.env` exists and is readable
  run   env.mode               no other user can read `.env`; an error in prod
  run   env.ignored            Git does not track `.env`, an error in prod, and ignores it
  run   env.sample             every variable of the sample is in `.env`
  run   env.portable           every line of `.env` has the same value for all its readers here
  run   env.matrix             `.env` has the variables that this environment and method need
  run   core.python            a Python that `requires-python` allows
  run   core.uv                uv, on PATH or in `.xtask/tools`
  run   core.venv              the virtual environment exists and starts
  run   core.lock              the virtual environment matches `uv.lock`
  run   core.writable          the project is writable
  skip  core.disk              at least 1 GB is free  (left out by `--skip`)
  skip  django.check           `manage.py check`, with `--deploy` in prod  (left out by `--skip`)
  skip  django.settings        the settings have the values of `.env`  (left out by `--skip`)
  skip  django.migrations      no migration is pending  (left out by `--skip`)
  skip  django.database        the database responds  (left out by `--skip`)
  run   dev.hooks              the Git hooks of the project's configuration are installed
  skip  docker.daemon          the Docker engine responds  (the deployment method is `bare`)
  skip  docker.compose         Compose v2 is installed, and the Compose file is valid  (the deployment method is `bare`)
  skip  docker.environment     the variables of `.env` reach the web service  (the deployment method is `bare`)
  skip  docker.service.<name>  a service of the Compose file runs, is healthy, and is not restarting  (the deployment method is `bare`)
  skip  docker.http            the published web service responds over HTTP  (the deployment method is `bare`)
  skip  docker.drift           the release that serves is of the commit of the checkout  (the deployment method is `bare`)
  skip  systemd.unit.<name>    a unit is active and enabled, and is not restarting  (the unit is not installed)
  skip  systemd.redis          Redis runs and responds  (the unit is not installed)
  skip  systemd.http           the service's socket responds over HTTP  (the unit is not installed)
  skip  systemd.drift          the installed units equal those of the checkout  (the unit is not installed)

"#]], str![]);
    sandbox.write(".env", "DJANGO_ENV=prod\nDEPLOY_METHOD=docker\n");
    sandbox.check("health --list", 0, str![[r#"
prod+docker in [ROOT]
  run   env.axes               `DJANGO_ENV` and `DEPLOY_METHOD` have known values
  run   env.file               `.env` exists and is readable
  run   env.mode               no other user can read `.env`; an error in prod
  run   env.ignored            Git does not track `.env`, an error in prod, and ignores it
  run   env.sample             every variable of the sample is in `.env`
  run   env.portable           every line of `.env` has the same value for all its readers here
  run   env.matrix             `.env` has the variables that this environment and method need
  skip  core.python            a Python that `requires-python` allows  (the deployment method is `docker`)
  skip  core.uv                uv, on PATH or in `.xtask/tools`  (the deployment method is `docker`)
  skip  core.venv              the virtual environment exists and starts  (the deployment method is `docker`)
  skip  core.lock              the virtual environment matches `uv.lock`  (the deployment method is `docker`)
  skip  core.writable          the project is writable  (the deployment method is `docker`)
  skip  core.disk              at least 1 GB is free  (the deployment method is `docker`)
  skip  django.check           `manage.py check`, with `--deploy` in prod  (the deployment method is `docker`)
  skip  django.settings        the settings have the values of `.env`  (the deployment method is `docker`)
  skip  django.migrations      no migration is pending  (the deployment method is `docker`)
  skip  django.database        the database responds  (the deployment method is `docker`)
  skip  dev.hooks              the Git hooks of the project's configuration are installed  (the deployment method is `docker`)
  run   docker.daemon          the Docker engine responds
  run   docker.compose         Compose v2 is installed, and the Compose file is valid
  run   docker.environment     the variables of `.env` reach the web service
  run   docker.service.<name>  a service of the Compose file runs, is healthy, and is not restarting
  run   docker.http            the published web service responds over HTTP
  run   docker.drift           the release that serves is of the commit of the checkout
  skip  systemd.unit.<name>    a unit is active and enabled, and is not restarting  (the deployment method is `docker`)
  skip  systemd.redis          Redis runs and responds  (the deployment method is `docker`)
  skip  systemd.http           the service's socket responds over HTTP  (the deployment method is `docker`)
  skip  systemd.drift          the installed units equal those of the checkout  (the deployment method is `docker`)

"#]], str![]);
}

#[test]
fn warnings_fail_only_with_strict() {
    let sandbox = healthy();
    mode(&sandbox, ".env", 0o644);
    sandbox.xtask("health --only env").assert().code(0);
    sandbox.xtask("health --only env --strict").assert().code(1);
}

/// A run without results does not look healthy: a check that could not run reports the reason, if no other check does.
#[test]
fn a_narrowed_run_reports_the_cause() {
    let sandbox = Sandbox::project().relink(".venv", "venv-failing");
    let failing = |args: &str| sandbox.xtask(args).assert().code(1);
    for args in [
        "health --only django.migrations",
        "health --only django --skip django.check",
        "health --only env.sample",
        "health --only env.matrix,env.portable",
    ] {
        failing(args);
    }
    let sandbox = healthy().shims(&["python"]);
    sandbox.check(
        "health --only core.lock",
        1,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

core
 err   core.lock  command not found: `uv`

Next steps
  1. cargo xtask install --project '[ROOT]'   (core.lock)

0 ok, 0 warn, 1 err, 0 skip in [TIME]

"#]],
        str![],
    );
    std::fs::remove_file(sandbox.root().join(".venv")).expect("removed");
    sandbox.check(
        "health --only django",
        1,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

django
 err   django.check       `.venv` is not there
 err   django.settings    `.venv` is not there
 err   django.migrations  `.venv` is not there
 err   django.database    `.venv` is not there

Next steps
  1. cargo xtask install --project '[ROOT]'   (django.check, django.settings and 2 more)

0 ok, 0 warn, 4 err, 0 skip in [TIME]

"#]],
        str![],
    );
}

/// The checks of Docker, with an engine that does not respond or does not exist.
#[test]
fn docker_that_cannot_be_asked() {
    let sandbox = Sandbox::project().file(".env", "DEPLOY_METHOD=docker\nCELERY_TASK_ALWAYS_EAGER=0\n");
    sandbox.check(
        "health --only docker",
        1,
        str![[r#"
environment    dev      default
deploy method  docker   .env:1
mode           docker   .env:1

docker
 err   docker.daemon   command not found: `docker`
 err   docker.compose  command not found: `docker`

Next steps
  1. install Docker: https://docs.docker.com/engine/install/   (docker.daemon)

0 ok, 0 warn, 2 err, 4 skip in [TIME]

"#]],
        str![],
    );
    let sandbox = sandbox.shims(&["docker-down"]);
    sandbox.check(
        "health --only docker",
        1,
        str![[r#"
environment    dev      default
deploy method  docker   .env:1
mode           docker   .env:1

docker
 err   docker.daemon   Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?
 err   docker.compose  Compose v2 is not installed: `docker compose version` fails

Next steps
  1. sudo systemctl start docker   (docker.daemon)
  2. install the Compose plugin of Docker   (docker.compose)

0 ok, 0 warn, 2 err, 4 skip in [TIME]

"#]],
        str![],
    );
    let sandbox = sandbox.shims(&["docker-compose-v1"]);
    sandbox.check(
        "health --only docker.compose",
        1,
        str![[r#"
environment    dev      default
deploy method  docker   .env:1
mode           docker   .env:1

docker
 err   docker.compose  Compose v2 is required, the installed version is 1.29.2

Next steps
  1. install the Compose plugin of Docker   (docker.compose)

0 ok, 0 warn, 1 err, 0 skip in [TIME]

"#]],
        str![],
    );
    std::fs::remove_file(sandbox.root().join("compose.yaml")).expect("removed");
    sandbox.check(
        "health --only docker.compose",
        1,
        str![[r#"
environment    dev      default
deploy method  docker   .env:1
mode           docker   .env:1

docker
 err   docker.compose  there is no Compose file

Next steps
  1. name it in Cargo.toml: [workspace.metadata.service] compose-file = "…"   (docker.compose)

0 ok, 0 warn, 1 err, 0 skip in [TIME]

"#]],
        str![],
    );
    // Without a word in `.env`, a Docker that does not answer makes the method a guess.
    let sandbox = healthy().shims(&["docker-down"]);
    sandbox.write(".env", "DJANGO_ENV=dev\n");
    sandbox.check("health --only env.axes", 0, str![[r#"
environment    dev      .env:1
deploy method  bare     default
mode           dev      .env:1

env
warn   env.axes  `bare` is a guess, as `docker`: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?

Next steps
  1. cargo xtask install --project '[ROOT]' --method bare|docker   (env.axes)

0 ok, 1 warn, 0 err, 0 skip in [TIME]

"#]], str![]);
}

#[test]
fn a_sample_that_is_missing_or_no_file() {
    let sandbox = healthy();
    std::fs::remove_file(sandbox.root().join(".env.sample")).expect("removed");
    sandbox.check(
        "health --only env.sample",
        0,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

skip   env  env.sample: there is no `.env.sample`

0 ok, 0 warn, 0 err, 1 skip in [TIME]

"#]],
        str![],
    );
    std::fs::create_dir(sandbox.root().join(".env.sample")).expect("made");
    sandbox.check(
        "health --only env.sample",
        0,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

env
warn   env.sample  `[ROOT]/.env.sample` is not a file

0 ok, 1 warn, 0 err, 0 skip in [TIME]

"#]],
        str![],
    );
}

#[test]
fn a_report_that_cannot_be_written_is_no_success() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("a disk that is full");
    let sandbox = healthy();
    let project = sandbox.root().as_os_str().to_owned();
    let args = ["health", "--only", "env.file", "--project"].map(std::ffi::OsString::from);
    let command = duct::cmd(env!("CARGO_BIN_EXE_xtask"), args.into_iter().chain([project]));
    let output = command.stdout_file(full).stderr_capture().unchecked().run().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: cannot write the report: "));
}
