//! `cargo xtask health --fix` and `--wait`.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;

use duct::cmd;
use snapbox::str;

use super::{WELL, healthy, mode};
use crate::sandbox::Sandbox;

fn broken() -> Sandbox {
    let sandbox = Sandbox::project()
        .file(".env.sample", "# where\nDJANGO_ENV=prod\nDEPLOY_METHOD=docker\nDJANGO_DEBUG=1\n# shown to all\nGREETING='hello all'\nA_TOKEN=changeme\n")
        .file(".env", "DEPLOY_METHOD=bare\n");
    mode(&sandbox, ".env", 0o664);
    sandbox
}

#[test]
fn a_dry_run_shows_and_changes_nothing() {
    let sandbox = broken();
    sandbox.check(
        "health --fix --dry-run --only env",
        0,
        str![[r#"
environment    dev      default
deploy method  bare     .env:1
mode           dev      default

env
warn   env.mode    664: every user of this machine can get at the secrets in it
warn   env.sample  only `.env.sample` has `DJANGO_ENV`, `DJANGO_DEBUG`, `GREETING`, `A_TOKEN`

Next steps
  1. chmod 660 .env   (env.mode)
  2. cargo xtask health --project '[ROOT]' --fix   (env.sample)

4 ok, 2 warn, 0 err, 1 skip in [TIME]

"#]],
        str![[r#"
warn   env.mode  664: every user of this machine can get at the secrets in it
fix: chmod 660 .env
warn   env.sample  only `.env.sample` has `DJANGO_ENV`, `DJANGO_DEBUG`, `GREETING`, `A_TOKEN`
fix: add to .env: DJANGO_ENV=dev, DJANGO_DEBUG=1, GREETING=hello all, A_TOKEN=

"#]],
    );
    assert_eq!(sandbox.read(".env"), "DEPLOY_METHOD=bare\n");
}

#[test]
fn no_terminal_is_no_consent() {
    let sandbox = broken();
    sandbox.check(
        "health --fix --only env.mode",
        0,
        str![[r#"
environment    dev      default
deploy method  bare     .env:1
mode           dev      default

env
warn   env.mode  664: every user of this machine can get at the secrets in it

Next steps
  1. chmod 660 .env   (env.mode)

0 ok, 1 warn, 0 err, 0 skip in [TIME]

"#]],
        str![[r#"
warn   env.mode  664: every user of this machine can get at the secrets in it
fix: chmod 660 .env
warning: not done, and there is no terminal to ask on
hint: cargo xtask health --project '[ROOT]' --fix --yes --only env.mode

"#]],
    );
    assert_eq!(sandbox.read(".env"), "DEPLOY_METHOD=bare\n");
}

/// The values of the sample are no answers: the environment stays, and no secret is taken from the sample.
#[test]
fn repairs_and_the_report_after_them() {
    let sandbox = broken();
    sandbox.check(
        "health --fix --yes --only env",
        0,
        str![[r#"
environment    dev      .env:4
deploy method  bare     .env:1
mode           dev      .env:4

  ok   env  7 checks, 1 skipped

6 ok, 0 warn, 0 err, 1 skip in [TIME]

"#]],
        str![[r#"
warn   env.mode  664: every user of this machine can get at the secrets in it
fix: chmod 660 .env
  ok   .env  660
warn   env.sample  only `.env.sample` has `DJANGO_ENV`, `DJANGO_DEBUG`, `GREETING`, `A_TOKEN`
fix: add to .env: DJANGO_ENV=dev, DJANGO_DEBUG=1, GREETING=hello all, A_TOKEN=
  ok   .env  4 added

"#]],
    );
    assert_eq!(
        sandbox.read(".env"),
        "DEPLOY_METHOD=bare\n\n# where\nDJANGO_ENV=dev\nDJANGO_DEBUG=1\n\n# shown to all\nGREETING='hello all'\nA_TOKEN=\n"
    );
    let mode = fs::metadata(sandbox.root().join(".env")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    sandbox.check(
        "health --fix --yes --only env.mode",
        0,
        str![[r#"
environment    dev      .env:4
deploy method  bare     .env:1
mode           dev      .env:4

  ok   env  env.mode: 660: no other user can read it

1 ok, 0 warn, 0 err, 0 skip in [TIME]

"#]],
        str![],
    );
}

#[test]
fn nothing_in_prod_without_yes() {
    let sandbox = healthy();
    sandbox.write(".env", WELL.replace("=dev", "=prod"));
    mode(&sandbox, ".env", 0o644);
    sandbox.check(
        "health --fix --only env.mode",
        1,
        str![[r#"
environment    prod     .env:1
deploy method  bare     .env:2
mode           prod     .env:1

env
 err   env.mode  644: every user of this machine can get at the secrets in it

Next steps
  1. chmod 640 .env   (env.mode)

0 ok, 0 warn, 1 err, 0 skip in [TIME]

"#]],
        str![[r#"
 err   env.mode  644: every user of this machine can get at the secrets in it
fix: chmod 640 .env
warning: nothing is mended in prod without `--yes`
hint: cargo xtask health --project '[ROOT]' --fix --yes --only env.mode

"#]],
    );
    sandbox.check(
        "health --fix --yes --only env.mode",
        0,
        str![[r#"
environment    prod     .env:1
deploy method  bare     .env:2
mode           prod     .env:1

  ok   env  env.mode: 640: no other user can read it

1 ok, 0 warn, 0 err, 0 skip in [TIME]

"#]],
        str![[r#"
 err   env.mode  644: every user of this machine can get at the secrets in it
fix: chmod 640 .env
  ok   .env  640

"#]],
    );
}

#[test]
fn a_repair_that_fails_is_shown_and_reported() {
    let sandbox = healthy().relink(".venv", "venv-behind").shims(&["uv-failing", "python"]);
    sandbox.check(
        "health --fix --yes --only core.lock,django.migrations",
        1,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

core
 err   core.lock          `.venv` is not in step with `uv.lock`
       | error: no way: uv sync --check

django
 err   django.migrations  2 not applied: shop.0001_initial, shop.0002_more

Next steps
  1. cargo xtask install --project '[ROOT]'   (core.lock, django.migrations)

0 ok, 0 warn, 2 err, 0 skip in [TIME]

"#]],
        str![[r#"
 err   core.lock  `.venv` is not in step with `uv.lock`
       | error: no way: uv sync --check
fix: uv sync
 err   uv sync  [SHORT]
     | error: no way: uv sync
error: `uv sync` failed: exit status: 2
 err   django.migrations  2 not applied: shop.0001_initial, shop.0002_more
fix: manage.py migrate
 err   manage.py migrate  [SHORT]
     | OperationalError: no such table
error: `manage.py migrate` failed: exit status: 1

"#]],
    );
}

/// In prod, only an empty value is added, of a key that the project does not mention. A key that the operator has
/// commented out is not missing.
#[test]
fn no_example_value_in_prod() {
    let sample = "POSTGRES_USER=app\nPOSTGRES_PASSWORD=changeme\nDATABASE_URL=postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@db/app\n\
                  EMPTY=\nIN_COMPOSE=\nIN_CODE=\nIN_ENV=\nNOT_WANTED=1\nNOT_WANTED_EITHER=\n";
    let env = "DJANGO_ENV=prod\nDEPLOY_METHOD=docker\nPOSTGRES_PASSWORD=the-operators-own\n# NOT_WANTED=2\n#NOT_WANTED_EITHER=\nX=a${IN_ENV-b}\n";
    let sandbox = Sandbox::project()
        .file(".env.sample", sample)
        .file("compose.yaml", "services: {web: {environment: {A: '${IN_COMPOSE-default}'}}}\n")
        .file("app/settings.py", "import os\nCODE = os.environ.get('IN_CODE', 'default')\n")
        .file("README.md", "EMPTY is mentioned here.\n")
        .file(".env", env)
        .git();
    mode(&sandbox, ".env", 0o600);
    sandbox.check("health --fix --yes --only env.sample", 0, str![[r#"
environment    prod     .env:1
deploy method  docker   .env:2
mode           docker   .env:2

env
warn   env.sample  only `.env.sample` has `POSTGRES_USER`, `DATABASE_URL`, `IN_COMPOSE`, `IN_CODE`, `IN_ENV`

Next steps
  1. cargo xtask install --project '[ROOT]' --set POSTGRES_USER=… --set DATABASE_URL=… --set IN_COMPOSE=… --set IN_CODE=… --set IN_ENV=…; or write `# KEY=` where there is to be none   (env.sample)

0 ok, 1 warn, 0 err, 0 skip in [TIME]

"#]], str![[r#"
warn   env.sample  only `.env.sample` has `POSTGRES_USER`, `DATABASE_URL`, `EMPTY`, `IN_COMPOSE`, `IN_CODE`, `IN_ENV`
fix: add to .env: EMPTY=
  ok   .env  1 added

"#]]);
    assert_eq!(sandbox.read(".env"), format!("{env}EMPTY=\n"));
    // There is nothing left that it may add.
    sandbox.check("health --fix --yes --only env.sample", 0, str![[r#"
environment    prod     .env:1
deploy method  docker   .env:2
mode           docker   .env:2

env
warn   env.sample  only `.env.sample` has `POSTGRES_USER`, `DATABASE_URL`, `IN_COMPOSE`, `IN_CODE`, `IN_ENV`

Next steps
  1. cargo xtask install --project '[ROOT]' --set POSTGRES_USER=… --set DATABASE_URL=… --set IN_COMPOSE=… --set IN_CODE=… --set IN_ENV=…; or write `# KEY=` where there is to be none   (env.sample)

0 ok, 1 warn, 0 err, 0 skip in [TIME]

"#]], str![[r#"
warn   env.sample  only `.env.sample` has `POSTGRES_USER`, `DATABASE_URL`, `IN_COMPOSE`, `IN_CODE`, `IN_ENV`
fix: nothing, as any of them may change something: they are the operator's to decide

"#]]);
    // In dev, a value that is made of others would be made of the sample's.
    sandbox.write(".env", env.replace("=prod", "=dev"));
    sandbox.xtask("health --fix --yes --only env.sample").assert().code(0);
    let fixed = sandbox.read(".env");
    assert!(fixed.contains("POSTGRES_USER=app\n") && !fixed.contains("DATABASE_URL"), "{fixed}");
    assert!(fixed.contains("POSTGRES_PASSWORD=the-operators-own\n") && !fixed.contains("changeme"), "{fixed}");
    assert!(!fixed.contains("\nNOT_WANTED"), "{fixed}");
}

/// Waits until the problem is fixed.
#[test]
fn waits_until_healthy() {
    let sandbox = Sandbox::project();
    let args = ["health", "--only", "env.file", "--wait", "1h", "--project"].map(OsString::from);
    let command = cmd(env!("CARGO_BIN_EXE_xtask"), args.into_iter().chain([sandbox.root().into()]));
    let reader = command.env("PATH", sandbox.path()).stderr_to_stdout().unchecked().reader().expect("started");
    let mut output = BufReader::new(reader);
    let mut line = String::new();
    output.read_line(&mut line).expect("a line");
    assert!(line.starts_with("not healthy yet: env.file; retrying for "), "{line}");
    sandbox.write(".env", WELL);
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("it ends");
    assert!(rest.contains("1 ok, 0 warn, 0 err, 0 skip"), "{rest}");
}

#[test]
fn waiting_in_vain() {
    let messages = "not healthy yet: env.file; retrying for [LEFT]\n";
    Sandbox::project().xtask("health --only env.file --wait 300ms").assert().code(1).stderr_eq(messages);
}

/// With `--strict`, a warning is waited for as well.
#[test]
fn waiting_for_a_warning_in_vain() {
    let sandbox = healthy();
    mode(&sandbox, ".env", 0o644);
    sandbox.xtask("health --only env.mode --wait 300ms").assert().code(0).stderr_eq("");
    let messages = "not healthy yet: env.mode; retrying for [LEFT]\n";
    sandbox.xtask("health --only env.mode --wait 300ms --strict").assert().code(1).stderr_eq(messages);
}

/// With an unknown environment nothing is fixed, and no guess is written down.
#[test]
fn nothing_where_the_axes_are_not_known() {
    let sandbox = healthy();
    sandbox.write(".env", WELL.replace("=dev", "=production"));
    mode(&sandbox, ".env", 0o644);
    sandbox.check(
        "health --fix --yes --only env.mode",
        0,
        str![[r#"
environment    dev      default
deploy method  bare     .env:2
mode           dev      default

env
warn   env.mode  644: every user of this machine can get at the secrets in it

Next steps
  1. chmod 640 .env   (env.mode)

0 ok, 1 warn, 0 err, 0 skip in [TIME]

"#]],
        str![[r#"
warn   env.mode  644: every user of this machine can get at the secrets in it
fix: chmod 640 .env
warning: nothing is mended before the axes in `.env` are words that we know
hint: cargo xtask install --project '[ROOT]' --env dev|prod --method bare|docker

"#]],
    );

    let sandbox = healthy().shims(&["docker-down"]);
    sandbox.write(".env", WELL.replace("DEPLOY_METHOD=bare\n", ""));
    sandbox.xtask("health --fix --yes --only env.sample").assert().code(0);
    assert!(!sandbox.read(".env").contains("DEPLOY_METHOD"));
}

/// A number is no secret, whatever its name; and a value that no line can hold keeps no other from being added.
#[test]
fn each_variable_of_the_sample_is_judged_for_itself() {
    let sample = "DEPLOY_METHOD=bare\nACCESS_TOKEN_LIFETIME=3600\nMOTD=\"it's $5\"\nUSE_TOKEN_AUTH_CACHE=false\nAPI_TOKEN=changeme\n";
    let sandbox = Sandbox::project().file(".env.sample", sample).file(".env", "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\n");
    mode(&sandbox, ".env", 0o600);
    let output = sandbox.xtask("health --fix --yes --only env.sample").assert().code(0);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    let expected = "warning: `.env.sample`: cannot write `MOTD`: no reader-independent form for a value with `'` and `$`: not added";
    assert!(stderr.contains("3 added") && stderr.contains(expected), "{stderr}");
    let env = sandbox.read(".env");
    for line in ["ACCESS_TOKEN_LIFETIME=3600\n", "USE_TOKEN_AUTH_CACHE=false\n", "API_TOKEN=\n"] {
        assert!(env.contains(line), "{env}");
    }
}
