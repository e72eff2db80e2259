//! `cargo xtask install` without a terminal.

use std::os::unix::fs::PermissionsExt;

use snapbox::str;

use crate::sandbox::Sandbox;

#[test]
fn help() {
    Sandbox::project().check(
        "install --help",
        0,
        str![[r#"
Settle `.env`, install the service and verify it

Asks for the environment and the deployment method, sets `.env` for that combination, and in `bare`
installs the dependencies with uv, migrates the database and checks the result. Can be run again at
any time: everything that is up to date is left alone. Without a terminal, or with `--yes`, it asks
no questions.

Usage: cargo xtask install [OPTIONS]

Options:
      --env <ENV>
          The environment: dev | prod

      --method <METHOD>
          The deployment method: bare | docker

      --set <KEY=VALUE>
          Answer the question for a variable; not for secrets, which others would see in the process
          list

      --answers <FILE>
          Read answers, secrets too, from a file in `.env` syntax; `-` is standard input

      --no-deploy
          Stop before deploying, and do not require the tools of the deployment

  -h, --help
          Print help (see a summary with '-h')

Options of every command:
      --project <DIR>
          The checkout to work on; this one otherwise

      --yes
          Ask nothing: use the default of each question, which is `no` where data could be lost

      --dry-run
          Print the plan and change nothing

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
fn a_fresh_checkout_and_a_second_run() {
    let sandbox = Sandbox::project();
    sandbox.check(
        "install --yes",
        0,
        str![[r#"
dev+bare in [ROOT]
  .env: created, only you can read it
    DJANGO_ENV                dev                  default
    DEPLOY_METHOD             bare                 default
    DJANGO_DEBUG              1                    default
    DJANGO_SECRET_KEY         ********             generated
    DJANGO_ALLOWED_HOSTS      localhost,127.0.0.1  default
    CELERY_BROKER_URL                              not set
    CELERY_TASK_ALWAYS_EAGER  1                    default

Next steps
  cargo xtask run --project '[ROOT]'      start the development server: http://127.0.0.1:8000/
  cargo xtask health --project '[ROOT]'   check the health, and show how to fix problems

"#]],
        str![[r#"
  ok   preflight  python3 is 3.12.1, uv 9.9.9
.env (new, only you can read it; a copy of .env.sample with these changes)
     -DJANGO_DEBUG=
  11 +DJANGO_DEBUG=1
     -DJANGO_SECRET_KEY=
  14 +DJANGO_SECRET_KEY=********
     -DJANGO_ALLOWED_HOSTS=
  17 +DJANGO_ALLOWED_HOSTS=localhost,127.0.0.1
     -CELERY_TASK_ALWAYS_EAGER=
  20 +CELERY_TASK_ALWAYS_EAGER=1
  ok   core.lock  `.venv` is in step with `uv.lock`
  ok   django.check  no issues
  ok   django.settings  1 value as in `.env`
  ok   django.migrations  all applied
  ok   django.database  answers

"#]],
    );
    let mode = sandbox.root().join(".env").metadata().expect("written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let before = sandbox.read(".env");
    sandbox.check(
        "install --yes",
        0,
        str![[r#"
dev+bare in [ROOT]: nothing had to be changed
  .env: unchanged
    DJANGO_ENV                dev                  kept
    DEPLOY_METHOD             bare                 kept
    DJANGO_DEBUG              1                    kept
    DJANGO_SECRET_KEY         ********             kept
    DJANGO_ALLOWED_HOSTS      localhost,127.0.0.1  kept
    CELERY_BROKER_URL                              not set
    CELERY_TASK_ALWAYS_EAGER  1                    kept

Next steps
  cargo xtask run --project '[ROOT]'      start the development server: http://127.0.0.1:8000/
  cargo xtask health --project '[ROOT]'   check the health, and show how to fix problems

"#]],
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
    assert_eq!(sandbox.read(".env"), before);
}

#[test]
fn a_dry_run_touches_nothing() {
    let sandbox = Sandbox::project();
    sandbox.check("install --dry-run --env prod --method bare --set DJANGO_ALLOWED_HOSTS=example.org --set CELERY_BROKER_URL=redis://localhost/0", 0, str![[r#"
Plan for prod+bare in [ROOT]
.env (new, only you can read it; a copy of .env.sample with these changes)
     -DJANGO_ENV=dev
   5 +DJANGO_ENV=prod
     -DJANGO_DEBUG=
  11 +DJANGO_DEBUG=0
     -DJANGO_SECRET_KEY=
  14 +DJANGO_SECRET_KEY=********
     -DJANGO_ALLOWED_HOSTS=
  17 +DJANGO_ALLOWED_HOSTS=example.org
     -CELERY_TASK_ALWAYS_EAGER=
  20 +CELERY_TASK_ALWAYS_EAGER=0
     -CELERY_BROKER_URL=
  23 +CELERY_BROKER_URL=redis://localhost/0
Commands in [ROOT]; steps that are up to date are skipped
  uv sync --frozen --no-dev
  .venv/bin/python manage.py migrate --noinput
  .venv/bin/python manage.py check --deploy
  .venv/bin/python manage.py collectstatic --noinput   (where STATIC_ROOT is set)
Then deploy-systemd; once `.env` is settled, its plan is: cargo xtask deploy-systemd --project '[ROOT]' --dry-run

"#]], str![[r#"
warning: systemd does not run here: `deploy-systemd` will need it
  ok   preflight  python3 is 3.12.1, uv 9.9.9

"#]]);
    assert!(!sandbox.has(".env"));
    assert!(!sandbox.has(".xtask"));
}

#[test]
fn everything_that_is_missing_at_once() {
    let sandbox = Sandbox::project();
    sandbox.check("install --env prod --method bare", 2, str![], str![[r#"
warning: systemd does not run here: `deploy-systemd` will need it
  ok   preflight  python3 is 3.12.1, uv 9.9.9
error: `DJANGO_ALLOWED_HOSTS` and `CELERY_BROKER_URL` are required in prod+bare, and there is no terminal to ask on
hint: cargo xtask install --project '[ROOT]' --env prod --method bare --set DJANGO_ALLOWED_HOSTS=… --set CELERY_BROKER_URL=…, or a file with them: --answers FILE

"#]]);
    assert!(!sandbox.has(".env"));
    // A sample with values answers nothing; an answer on the command line does.
    sandbox.write(".env.sample", "DJANGO_ALLOWED_HOSTS=example.com\nCELERY_BROKER_URL=redis://redis\n");
    sandbox.check(
        "install --env prod --method bare --yes --set DJANGO_ALLOWED_HOSTS=example.org",
        2,
        str![],
        str![[r#"
warning: systemd does not run here: `deploy-systemd` will need it
  ok   preflight  python3 is 3.12.1, uv 9.9.9
error: `CELERY_BROKER_URL` is required in prod+bare, and there is no terminal to ask on
hint: cargo xtask install --project '[ROOT]' --env prod --method bare --set DJANGO_ALLOWED_HOSTS=example.org --yes --set CELERY_BROKER_URL=…, or a file with them: --answers FILE

"#]],
    );
    assert!(!sandbox.has(".env"));
}

/// A value that the matrix gave the previous combination is not the operator's choice: it is set again, in each
/// direction.
#[test]
fn another_combination_resets_values_of_the_matrix() {
    let sandbox = Sandbox::project().shims(&["uv", "python", "docker"]);
    sandbox.xtask("install --yes").assert().success();
    let before = sandbox.read(".env");
    sandbox.check("install --yes --env prod --method docker --no-deploy", 2, str![], str![[r#"
error: `DJANGO_ALLOWED_HOSTS` is required in prod+docker, and there is no terminal to ask on; `DJANGO_ALLOWED_HOSTS` was localhost,127.0.0.1 in dev+bare
hint: cargo xtask install --project '[ROOT]' --env prod --method docker --no-deploy --yes --set DJANGO_ALLOWED_HOSTS=…, or a file with them: --answers FILE

"#]]);
    assert_eq!(sandbox.read(".env"), before);
    sandbox.check(
        "install --yes --env prod --method docker --no-deploy --set DJANGO_ALLOWED_HOSTS=example.org",
        0,
        str![[r#"
prod+docker in [ROOT]
  .env: 5 changes
    DJANGO_ENV                prod         as answered
    DEPLOY_METHOD             docker       as answered
    DJANGO_DEBUG              0            default
    DJANGO_SECRET_KEY         ********     kept
    DJANGO_ALLOWED_HOSTS      example.org  as answered
    CELERY_BROKER_URL                      Compose provides it
    CELERY_TASK_ALWAYS_EAGER  0            always so here

Next steps
  cargo xtask deploy-docker --project '[ROOT]'   deploy it
  cargo xtask health --project '[ROOT]'          check the health, and show how to fix problems

"#]],
        str![[r#"
warning: `DJANGO_DEBUG` is 0 in prod+docker: was 1 in dev+bare
warning: `CELERY_TASK_ALWAYS_EAGER` is always 0 in prod+docker: was 1
.env
     -DJANGO_ENV=dev
   5 +DJANGO_ENV=prod
     -DEPLOY_METHOD=bare
   8 +DEPLOY_METHOD=docker
     -DJANGO_DEBUG=1
  11 +DJANGO_DEBUG=0
     -DJANGO_ALLOWED_HOSTS=localhost,127.0.0.1
  17 +DJANGO_ALLOWED_HOSTS=example.org
     -CELERY_TASK_ALWAYS_EAGER=1
  20 +CELERY_TASK_ALWAYS_EAGER=0

"#]],
    );
    sandbox.check(
        "install --yes --env dev --method bare",
        0,
        str![[r#"
dev+bare in [ROOT]
  .env: 4 changes
    DJANGO_ENV                dev          as answered
    DEPLOY_METHOD             bare         as answered
    DJANGO_DEBUG              1            default
    DJANGO_SECRET_KEY         ********     kept
    DJANGO_ALLOWED_HOSTS      example.org  kept
    CELERY_BROKER_URL                      not set
    CELERY_TASK_ALWAYS_EAGER  1            default

Next steps
  cargo xtask run --project '[ROOT]'      start the development server: http://127.0.0.1:8000/
  cargo xtask health --project '[ROOT]'   check the health, and show how to fix problems

"#]],
        str![[r#"
  ok   preflight  python3 is 3.12.1, uv 9.9.9
warning: `DJANGO_DEBUG` is 1 in dev+bare: was 0 in prod+docker
warning: `DJANGO_ALLOWED_HOSTS` in dev+bare has neither `localhost` nor `127.0.0.1`: the page on this machine answers 400
hint: cargo xtask install --project '[ROOT]' --env dev --method bare --yes --set DJANGO_ALLOWED_HOSTS=localhost,127.0.0.1
warning: `CELERY_TASK_ALWAYS_EAGER` is 1 in dev+bare: was 0 in prod+docker
.env
     -DJANGO_ENV=prod
   5 +DJANGO_ENV=dev
     -DEPLOY_METHOD=docker
   8 +DEPLOY_METHOD=bare
     -DJANGO_DEBUG=0
  11 +DJANGO_DEBUG=1
     -CELERY_TASK_ALWAYS_EAGER=0
  20 +CELERY_TASK_ALWAYS_EAGER=1
  ok   core.lock  `.venv` is in step with `uv.lock`
  ok   django.check  no issues
  ok   django.settings  1 value as in `.env`
  ok   django.migrations  all applied
  ok   django.database  answers

"#]],
    );
}

/// A value in another spelling, and one that the operator has chosen.
#[test]
fn other_spellings_are_settled_again_and_choices_are_kept() {
    let value = |env: &str, args: &str, variable: &str| {
        let sandbox = Sandbox::project().shims(&["uv", "python", "docker"]).file(".env", env);
        sandbox.xtask(&format!("install --yes --no-deploy {args}")).assert().success();
        let file = envfile::EnvFile::parse(sandbox.read(".env").as_bytes());
        file.get(variable).map(|entry| entry.value).unwrap_or_default()
    };
    let dev = "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\nDJANGO_ALLOWED_HOSTS=example.org\n";
    let to_prod = "--env prod --method docker";
    assert_eq!(value(&format!("{dev}DJANGO_DEBUG=yes\n"), to_prod, "DJANGO_DEBUG"), "0");
    assert_eq!(value(&format!("{dev}DJANGO_DEBUG=off\n"), to_prod, "DJANGO_DEBUG"), "off");
    assert_eq!(value(dev, to_prod, "DJANGO_ALLOWED_HOSTS"), "example.org");
    // Without axes in the file, detection takes it for dev and bare.
    assert_eq!(value("DJANGO_DEBUG=1\n", &format!("{to_prod} --set DJANGO_ALLOWED_HOSTS=a"), "DJANGO_DEBUG"), "0");
    // Nothing changes, and so nothing is settled again.
    let prod = "DJANGO_ENV=prod\nDEPLOY_METHOD=docker\nDJANGO_ALLOWED_HOSTS=example.org\nDJANGO_DEBUG=1\n";
    assert_eq!(value(prod, "", "DJANGO_DEBUG"), "1");
    let docker = "DJANGO_ENV=dev\nDEPLOY_METHOD=docker\nCELERY_TASK_ALWAYS_EAGER=0\n";
    assert_eq!(value(docker, "--method bare", "CELERY_TASK_ALWAYS_EAGER"), "1");
    // The hosts that both combinations have by the table stay as they are written.
    let spelled = "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\nDJANGO_ALLOWED_HOSTS=\"localhost, 127.0.0.1\" # mine\n";
    let sandbox = Sandbox::project().shims(&["uv", "python", "docker"]).file(".env", spelled);
    sandbox.xtask("install --yes --no-deploy --method docker").assert().success();
    assert!(sandbox.read(".env").contains("DJANGO_ALLOWED_HOSTS=\"localhost, 127.0.0.1\" # mine\n"));
}
