//! `cargo xtask health` without a terminal: the report, what is chosen, and how it ends.

use std::os::unix::fs::PermissionsExt;

use snapbox::str;

use crate::sandbox::Sandbox;

/// A `.env` that is well in dev+bare.
pub(crate) const WELL: &str = "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\nDJANGO_DEBUG=1\nDJANGO_SECRET_KEY=\nDJANGO_ALLOWED_HOSTS=\n\
                               CELERY_TASK_ALWAYS_EAGER=1\nCELERY_BROKER_URL=\nDATABASE_PATH=\nMONITORING_TOKEN=\n";

/// A project that is installed and well.
pub(crate) fn well() -> Sandbox {
    let sandbox = Sandbox::project().file(".env", WELL);
    mode(&sandbox, ".env", 0o600);
    sandbox
}

pub(crate) fn mode(sandbox: &Sandbox, name: &str, mode: u32) {
    std::fs::set_permissions(sandbox.root().join(name), std::fs::Permissions::from_mode(mode)).expect("changed");
}

#[test]
fn help() {
    Sandbox::project().check(
        "health --help",
        0,
        str![[r#"
Check whether everything is well, and say what mends it

What is looked at depends on both axes: `env` always; `core`, `django` and, in dev, `dev` with
`bare`; `docker` with `docker`; `systemd` with `bare` where the unit is installed. All checks run at
the same time; nothing is changed without `--fix`. `--list` names them all.

Exit status: 0 no check ended in `err`, 1 some did, 2 wrong usage, 130 interrupted.

Usage: cargo xtask health [OPTIONS]

Options:
      --format <FORMAT>
          The form of the report

          Possible values:
          - human:  For people
          - json:   For programs: one line, described by crates/checks/schema/health-1.schema.json
          - junit:  For the test view of a CI server
          - github: Annotations for GitHub Actions
          
          [default: human]

      --output <FILE>
          Write the report to a file instead of standard output

      --only <NAME>
          Only these groups or checks

      --skip <NAME>
          Not these groups or checks

      --strict
          Fail on warnings, too

      --timeout <DURATION>
          How long one check may take, such as 10s or 500ms
          
          [default: 10s]

      --deadline <DURATION>
          How long all of them may take
          
          [default: 30s]

      --wait <DURATION>
          Try again what is not well, until all is or this time is up

      --list
          List the checks: what each looks at, and whether it would run here

      --fix
          Mend what loses nothing: the mode of `.env`, keys that only the sample has, `uv sync`,
          `migrate`; asks before, and does nothing in prod without `--yes`

  -h, --help
          Print help (see a summary with '-h')

Options of every command:
      --project <DIR>
          The checkout to work on; this one otherwise

      --yes
          Ask nothing: take the answers that Enter would

      --dry-run
          Print what would be done, and change nothing

  -v, --verbose
          Show the output of every step

      --color <WHEN>
          When to use colours; `auto` heeds `NO_COLOR`
          
          [default: auto]
          [possible values: auto, always, never]

"#]],
        str![],
    );
}

#[test]
fn all_is_well() {
    well().check(
        "health",
        0,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

env
  ok   env.axes           dev (.env:1), bare (.env:2)
  ok   env.file           `.env` is there, 9 variables
  ok   env.mode           600: nobody else can read it
  ok   env.sample         every variable of `.env.sample` is there
  ok   env.portable       python-dotenv and bash read every line alike
  ok   env.matrix         holds what dev+bare needs

core
  ok   core.python        3.12.1, as >=3.11 asks for
  ok   core.uv            uv 0.0.0 (uv)
  ok   core.venv          `.venv` has Python 3.12.1
  ok   core.lock          `.venv` is in step with `uv.lock`
  ok   core.writable      the project can be written to
  ok   core.disk          [FREE] free

django
  ok   django.check       no issues
  ok   django.migrations  all applied
  ok   django.database    answers

dev
skip   dev.hooks          the project has no hook configuration

15 ok, 0 warn, 0 err, 1 skip in [TIME]

"#]],
        str![],
    );
}

#[test]
fn every_form() {
    let sandbox = well();
    sandbox.write(".env", format!("{WELL}GREETING=hello world\n"));
    sandbox.check("health --only env,dev --format json", 0, str![[r#"
{"schema":1,"environment":{"value":"dev","source":".env:1"},"deploy_method":{"value":"bare","source":".env:2"},"mode":"dev","summary":{"ok":5,"warn":1,"err":0,"skip":1},"elapsed_ms":[MS],"checks":[{"group":"env","check":"axes","status":"ok","message":"dev (.env:1), bare (.env:2)","hint":null,"elapsed_ms":[MS]},{"group":"env","check":"file","status":"ok","message":"`.env` is there, 10 variables","hint":null,"elapsed_ms":[MS]},{"group":"env","check":"mode","status":"ok","message":"600: nobody else can read it","hint":null,"elapsed_ms":[MS]},{"group":"env","check":"sample","status":"ok","message":"every variable of `.env.sample` is there","hint":null,"elapsed_ms":[MS]},{"group":"env","check":"portable","status":"warn","message":"1 line is read differently by bash/n`.env` line 10: `GREETING`: blank-inside/npython-dotenv  hello world/nbash           executes a part of it","hint":"GREETING='hello world'","elapsed_ms":[MS]},{"group":"env","check":"matrix","status":"ok","message":"holds what dev+bare needs","hint":null,"elapsed_ms":[MS]},{"group":"dev","check":"hooks","status":"skip","message":"the project has no hook configuration","hint":null,"elapsed_ms":[MS]}]}

"#]], str![]);
    sandbox.check(
        "health --only env,dev --format junit",
        0,
        str![[r#"
<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="health" tests="7" failures="0" errors="0" time="[SECONDS]">
  <testsuite name="env" tests="6" failures="0" errors="0" skipped="0" time="[SECONDS]">
    <properties>
      <property name="environment" value="dev"/>
      <property name="deploy_method" value="bare"/>
      <property name="mode" value="dev"/>
    </properties>
    <testcase classname="env" name="axes" time="[SECONDS]"/>
    <testcase classname="env" name="file" time="[SECONDS]"/>
    <testcase classname="env" name="mode" time="[SECONDS]"/>
    <testcase classname="env" name="sample" time="[SECONDS]"/>
    <testcase classname="env" name="portable" time="[SECONDS]">
      <system-out>1 line is read differently by bash
`.env` line 10: `GREETING`: blank-inside
python-dotenv  hello world
bash           executes a part of it
hint: GREETING=&apos;hello world&apos;</system-out>
    </testcase>
    <testcase classname="env" name="matrix" time="[SECONDS]"/>
  </testsuite>
  <testsuite name="dev" tests="1" failures="0" errors="0" skipped="1" time="[SECONDS]">
    <properties>
      <property name="environment" value="dev"/>
      <property name="deploy_method" value="bare"/>
      <property name="mode" value="dev"/>
    </properties>
    <testcase classname="dev" name="hooks" time="[SECONDS]">
      <skipped message="the project has no hook configuration"/>
    </testcase>
  </testsuite>
</testsuites>

"#]],
        str![],
    );
    sandbox.check("health --only env,dev --format github", 0, str![[r#"
::warning file=.env,line=10,title=env.portable::`.env` line 10: `GREETING`: blank-inside%0Apython-dotenv  hello world%0Abash           executes a part of it%0Ahint: GREETING='hello world'
5 ok, 1 warn, 0 err, 1 skip in [TIME]

"#]], str![]);
    sandbox.check(
        "health --only env,dev --format human --color always",
        0,
        str![[r#"
environment    [1mdev     [0m [2m.env:1[0m
deploy method  [1mbare    [0m [2m.env:2[0m
mode           [1mdev     [0m [2m.env:1[0m

[1menv[0m
[32m  ok[0m   env.axes      [2mdev (.env:1), bare (.env:2)[0m
[32m  ok[0m   env.file      [2m`.env` is there, 10 variables[0m
[32m  ok[0m   env.mode      [2m600: nobody else can read it[0m
[32m  ok[0m   env.sample    [2mevery variable of `.env.sample` is there[0m
[33mwarn[0m   env.portable  1 line is read differently by bash
       `.env` line 10: `GREETING`: blank-inside
         python-dotenv  hello world
         bash           executes a part of it
         [1mhint:[0m GREETING='hello world'
[32m  ok[0m   env.matrix    [2mholds what dev+bare needs[0m

[1mdev[0m
[2mskip[0m   dev.hooks     the project has no hook configuration

[32m5 ok[0m, [33m1 warn[0m, [2m0 err[0m, [2m1 skip[0m in [TIME]

"#]],
        str![],
    );
    sandbox.check("health --only env.portable --format github --strict", 1, str![[r#"
::error file=.env,line=10,title=env.portable::`.env` line 10: `GREETING`: blank-inside%0Apython-dotenv  hello world%0Abash           executes a part of it%0Ahint: GREETING='hello world'
0 ok, 1 warn, 0 err, 0 skip in [TIME]

"#]], str![]);
}

#[test]
fn a_file_takes_the_report() {
    let sandbox = well();
    sandbox.check(
        "health --only env.file --output report.txt",
        0,
        str![],
        str![[r#"
1 ok, 0 warn, 0 err, 0 skip in [TIME]: `report.txt`

"#]],
    );
    assert_eq!(sandbox.read("report.txt").lines().count(), 8);
    sandbox.check(
        "health --only env.file --output no/such/report.txt",
        2,
        str![],
        str![[r#"
error: cannot write `no/such/report.txt`: No such file or directory (os error 2)

"#]],
    );
}

#[test]
fn broken_in_every_way() {
    let sandbox = well();
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
       hint: cargo xtask install --env dev|prod --method bare|docker
  ok   env.file           `.env` is there, 5 variables
warn   env.mode           644: every user of this machine can get at the secrets in it
       hint: chmod 640 .env
warn   env.sample         only `.env.sample` has `DJANGO_ALLOWED_HOSTS`, `CELERY_TASK_ALWAYS_EAGER`, `DATABASE_PATH`, `MONITORING_TOKEN`
       hint: cargo xtask health --fix
 err   env.portable       2 lines are read differently by its readers, or not at all
       warn: `.env` line 3: `DJANGO_SECRET_KEY`: blank-inside
         python-dotenv  ********
         bash           executes a part of it
         hint: DJANGO_SECRET_KEY='********'
       err: `.env` line 6: `B`: unterminated-quote
         python-dotenv  sees no such variable
         bash           refuses the file
 err   env.matrix         1 variable is not what dev+bare needs
       `.env` line 4: `DJANGO_DEBUG` is neither `1` nor `0`
       hint: cargo xtask install --env dev --method bare

core
 err   core.python        no Python >=3.13 found: `python3` is 3.12.1
       hint: install such a Python, and have it on PATH
  ok   core.uv            uv 0.0.0 (uv)
 err   core.venv          `.venv` has Python 3.12.1, and >=3.13 is asked for
       hint: cargo xtask install
 err   core.lock          `uv.lock` is not there
       hint: cargo xtask install
  ok   core.writable      the project can be written to
  ok   core.disk          [FREE] free

django
  ok   django.check       no issues
  ok   django.migrations  all applied
  ok   django.database    answers

dev
skip   dev.hooks          the project has no hook configuration

7 ok, 2 warn, 6 err, 1 skip in [TIME]

"#]], str![]);
}

#[test]
fn in_prod_it_is_stricter() {
    let sandbox = well();
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
  ok   env.mode      640: nobody else can read it
warn   env.sample    only `.env.sample` has `CELERY_TASK_ALWAYS_EAGER`, `CELERY_BROKER_URL`, `DATABASE_PATH`, `MONITORING_TOKEN`
       hint: cargo xtask health --fix
  ok   env.portable  python-dotenv and bash read every line alike
 err   env.matrix    5 variables are not what prod+bare needs
       err: `.env` line 3: `DJANGO_DEBUG` has to be `0`
       warn: `.env` line 4: `DJANGO_SECRET_KEY` is weak: at least 50 random characters are expected
       warn: `.env` line 5: `DJANGO_ALLOWED_HOSTS` has only loopback hosts, so that nobody else is answered
       err: `.env`: `CELERY_BROKER_URL` is required, and has no value
       err: `.env`: `CELERY_TASK_ALWAYS_EAGER` has to be `0`
       hint: cargo xtask install --env prod --method bare

4 ok, 1 warn, 1 err, 0 skip in [TIME]

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
       hint: cargo xtask install
skip   env.mode      `.env` is not there
skip   env.sample    `.env` is not there
skip   env.portable  `.env` is not there
skip   env.matrix    `.env` is not there

1 ok, 0 warn, 1 err, 4 skip in [TIME]

"#]],
        str![],
    );
    std::fs::create_dir(sandbox.root().join(".env")).expect("made");
    sandbox.check(
        "health --only env",
        1,
        str![[r#"
environment    dev      default
deploy method  bare     default
mode           dev      default

env
skip   env.axes      `.env` cannot be read
 err   env.file      `[ROOT]/.env` is not a file
skip   env.mode      `.env` is not a file
skip   env.sample    `.env` cannot be read
skip   env.portable  `.env` cannot be read
skip   env.matrix    `.env` cannot be read

0 ok, 0 warn, 1 err, 5 skip in [TIME]

"#]],
        str![],
    );
}

#[test]
fn half_installed() {
    let sandbox = well();
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
  ok   core.uv            uv 0.0.0 (uv)
 err   core.venv          `.venv` is not there
       hint: cargo xtask install
skip   core.lock          there is no virtual environment
  ok   core.writable      the project can be written to
  ok   core.disk          [FREE] free

django
skip   django.check       there is no virtual environment to start Django in
skip   django.migrations  there is no virtual environment to start Django in
skip   django.database    there is no virtual environment to start Django in

4 ok, 0 warn, 1 err, 4 skip in [TIME]

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
       hint: cargo xtask install

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
       hint: install such a Python, and have it on PATH
 err   core.uv        command not found: `uv`
       hint: cargo xtask install
 err   core.venv      `.venv` has no Python that starts
       hint: cargo xtask install
skip   core.lock      uv does not answer
  ok   core.writable  the project can be written to
  ok   core.disk      [FREE] free

2 ok, 0 warn, 3 err, 1 skip in [TIME]

"#]],
        str![],
    );
}

#[test]
fn what_a_failing_program_prints_is_shown_without_secrets() {
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
skip   django.migrations  Django did not get that far
skip   django.database    Django did not get that far

0 ok, 0 warn, 1 err, 2 skip in [TIME]

"#]],
        str![],
    );
}

#[test]
fn what_is_chosen() {
    let sandbox = well();
    sandbox.check(
        "health --only env.file,core.uv --skip core",
        0,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

env
  ok   env.file  `.env` is there, 9 variables

1 ok, 0 warn, 0 err, 0 skip in [TIME]

"#]],
        str![],
    );
    sandbox.check("health --only djang", 2, str![], str![[r#"
error: invalid value 'djang' for '--only <NAME>': unknown check `djang`, expected one of the groups env, core, django, dev, docker, systemd, or of the checks env.axes, env.file, env.mode, env.sample, env.portable, env.matrix, core.python, core.uv, core.venv, core.lock, core.writable, core.disk, django.check, django.migrations, django.database, dev.hooks, docker.daemon, docker.compose, docker.service.<name>, docker.http, systemd.unit.<name>, systemd.redis, systemd.http, systemd.drift

For more information, try '--help'.

"#]]);
    sandbox.check(
        "health --only env --skip env",
        2,
        str![],
        str![[r#"
error: `env` names nothing that can be checked here
hint: cargo xtask health --list

"#]],
    );
    // What was asked for by name is answered, even if it has no meaning here.
    sandbox.check(
        "health --only docker.daemon,systemd",
        0,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

docker
skip   docker.daemon  the deployment method is `bare`

systemd
skip   systemd.unit   the unit is not installed
skip   systemd.redis  the unit is not installed
skip   systemd.http   the unit is not installed
skip   systemd.drift  the unit is not installed

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

docker
skip   docker.service  the deployment method is `bare`

0 ok, 0 warn, 0 err, 1 skip in [TIME]

"#]],
        str![],
    );
}

#[test]
fn durations_that_are_none() {
    let sandbox = well();
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
    let sandbox = well();
    sandbox.check("health --list --skip django,core.disk", 0, str![[r#"
dev+bare in [ROOT]
  run   env.axes               `DJANGO_ENV` and `DEPLOY_METHOD` are words that we know
  run   env.file               `.env` is there and can be read
  run   env.mode               `.env` can be read by nobody else; an error in prod
  run   env.sample             every variable of `.env.sample` is in `.env`
  run   env.portable           no line of `.env` is read differently by the programs that read it here
  run   env.matrix             `.env` holds what this environment and method need
  run   core.python            a Python that `requires-python` admits
  run   core.uv                uv, on PATH or in `.xtask/tools`
  run   core.venv              the virtual environment is there and starts
  run   core.lock              the virtual environment is in step with `uv.lock`
  run   core.writable          the project can be written to
  skip  core.disk              at least 1 GB is free  (left out by `--skip`)
  skip  django.check           `manage.py check`, with `--deploy` in prod  (left out by `--skip`)
  skip  django.migrations      no migration is pending  (left out by `--skip`)
  skip  django.database        the database answers  (left out by `--skip`)
  run   dev.hooks              the Git hooks of the project's configuration are installed
  skip  docker.daemon          the Docker engine answers  (the deployment method is `bare`)
  skip  docker.compose         Compose v2 is there, and the Compose file is valid  (the deployment method is `bare`)
  skip  docker.service.<name>  a service of the Compose file runs, is healthy, and is not restarting  (the deployment method is `bare`)
  skip  docker.http            the published web service answers over HTTP  (the deployment method is `bare`)
  skip  systemd.unit.<name>    a unit is active and enabled, and is not restarting  (the unit is not installed)
  skip  systemd.redis          Redis runs and answers  (the unit is not installed)
  skip  systemd.http           the service's socket answers over HTTP  (the unit is not installed)
  skip  systemd.drift          the installed units are those of the checkout  (the unit is not installed)

"#]], str![]);
    sandbox.write(".env", "DJANGO_ENV=prod\nDEPLOY_METHOD=docker\n");
    sandbox.check("health --list", 0, str![[r#"
prod+docker in [ROOT]
  run   env.axes               `DJANGO_ENV` and `DEPLOY_METHOD` are words that we know
  run   env.file               `.env` is there and can be read
  run   env.mode               `.env` can be read by nobody else; an error in prod
  run   env.sample             every variable of `.env.sample` is in `.env`
  run   env.portable           no line of `.env` is read differently by the programs that read it here
  run   env.matrix             `.env` holds what this environment and method need
  skip  core.python            a Python that `requires-python` admits  (the deployment method is `docker`)
  skip  core.uv                uv, on PATH or in `.xtask/tools`  (the deployment method is `docker`)
  skip  core.venv              the virtual environment is there and starts  (the deployment method is `docker`)
  skip  core.lock              the virtual environment is in step with `uv.lock`  (the deployment method is `docker`)
  skip  core.writable          the project can be written to  (the deployment method is `docker`)
  skip  core.disk              at least 1 GB is free  (the deployment method is `docker`)
  skip  django.check           `manage.py check`, with `--deploy` in prod  (the deployment method is `docker`)
  skip  django.migrations      no migration is pending  (the deployment method is `docker`)
  skip  django.database        the database answers  (the deployment method is `docker`)
  skip  dev.hooks              the Git hooks of the project's configuration are installed  (the deployment method is `docker`)
  run   docker.daemon          the Docker engine answers
  run   docker.compose         Compose v2 is there, and the Compose file is valid
  run   docker.service.<name>  a service of the Compose file runs, is healthy, and is not restarting
  run   docker.http            the published web service answers over HTTP
  skip  systemd.unit.<name>    a unit is active and enabled, and is not restarting  (the deployment method is `docker`)
  skip  systemd.redis          Redis runs and answers  (the deployment method is `docker`)
  skip  systemd.http           the service's socket answers over HTTP  (the deployment method is `docker`)
  skip  systemd.drift          the installed units are those of the checkout  (the deployment method is `docker`)

"#]], str![]);
}

#[test]
fn warnings_fail_only_if_they_shall() {
    let sandbox = well();
    mode(&sandbox, ".env", 0o644);
    sandbox.xtask("health --only env").assert().code(0);
    sandbox.xtask("health --only env --strict").assert().code(1);
}
