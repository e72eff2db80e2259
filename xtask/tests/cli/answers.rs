//! Answers to `cargo xtask install` on the command line, in files and on standard input.

use snapbox::str;

use crate::sandbox::Sandbox;

#[test]
fn axes_that_contradict_or_mean_nothing() {
    let sandbox = Sandbox::project();
    sandbox.check(
        "install --env production",
        2,
        str![],
        str![[r#"
error: invalid value 'production' for '--env <ENV>': unknown value `production`, expected `dev` or `prod`

For more information, try '--help'.

"#]],
    );
    sandbox.check(
        "install --yes --env prod --set DJANGO_ENV=dev",
        2,
        str![],
        str![[r#"
error: `--set`: `DJANGO_ENV` contradicts `--env prod`: dev

"#]],
    );
    sandbox.check(
        "install --yes --set DEPLOY_METHOD=systemd",
        2,
        str![],
        str![[r#"
error: `--set`: `DEPLOY_METHOD` has an unknown value `systemd`, expected `bare` or `docker`

"#]],
    );
    sandbox.write(".env", "\nDJANGO_ENV=production\n");
    sandbox.check(
        "install --yes",
        2,
        str![],
        str![[r#"
error: `.env` line 2: unknown value `production` for `DJANGO_ENV`, expected `dev` or `prod`
hint: cargo xtask install --project '[ROOT]' --env dev|prod --yes

"#]],
    );
    assert_eq!(sandbox.read(".env"), "\nDJANGO_ENV=production\n");
    sandbox.check(
        "install --yes --env dev --method bare",
        0,
        str![[r#"
dev+bare in [ROOT]
  .env: 6 changes
    DJANGO_ENV                dev                  as answered
    DEPLOY_METHOD             bare                 as answered
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
.env
     -DJANGO_ENV=production
   2 +DJANGO_ENV=dev
   3 +
   4 +# How it is deployed: bare (on this machine) | docker (Docker Compose). Independent of DJANGO_ENV.
   5 +DEPLOY_METHOD=bare
   6 +
   7 +# 1 shows tracebacks to anybody who asks: never in prod.
   8 +DJANGO_DEBUG=1
   9 +
  10 +# Signs sessions. At least 50 random characters in prod; in dev an empty key means a throw-away key per start.
  11 +DJANGO_SECRET_KEY=********
  12 +
  13 +# Host names the service answers to, separated by commas. Required in prod.
  14 +DJANGO_ALLOWED_HOSTS=localhost,127.0.0.1
  15 +
  16 +# 1 runs tasks inside the request, without a broker or a worker (dev+bare only).
  17 +CELERY_TASK_ALWAYS_EAGER=1
  ok   core.lock  `.venv` is in step with `uv.lock`
  ok   django.check  no issues
  ok   django.settings  1 value as in `.env`
  ok   django.migrations  all applied
  ok   django.database  answers

"#]],
    );
}

#[test]
fn answers_that_cannot_be() {
    let sandbox = Sandbox::project();
    sandbox.check(
        "install --yes --set DJANGO_SECRET_KEY=hunter2 --set nonsense --set DJANGO_DEBUG=maybe",
        2,
        str![],
        str![[r#"
error: `--set`: `DJANGO_SECRET_KEY` holds a secret, which others would see in the process list
hint: echo "DJANGO_SECRET_KEY=$VALUE" | cargo xtask install --project '[ROOT]' --set DJANGO_DEBUG=maybe --answers -
error: `--set` expects KEY=VALUE, there is no `=`
error: `--set`: `DJANGO_DEBUG` is 1 or 0, not: maybe

"#]],
    );
    sandbox.check(
        "install --yes --set CELERY_BROKER_URL=redis://:hunter2@db/0",
        2,
        str![],
        str![[r#"
error: `--set`: `CELERY_BROKER_URL` holds a secret, which others would see in the process list
hint: echo "CELERY_BROKER_URL=$VALUE" | cargo xtask install --project '[ROOT]' --answers -

"#]],
    );
    sandbox.check(
        "install --yes --env prod --method bare --set DJANGO_DEBUG=1 --set DJANGO_ALLOWED_HOSTS=a --set CELERY_BROKER_URL=b",
        2,
        str![],
        str![[r#"
warning: systemd does not run here: `deploy-systemd` will need it
  ok   preflight  python3 is 3.12.1, uv 9.9.9
error: `--set`: `DJANGO_DEBUG` is always 0 in prod+bare
error: `--set`: `CELERY_BROKER_URL` has no scheme: write a URL, such as `redis://localhost:6379/0`

"#]],
    );
    let shimmed = Sandbox::project().shims(&["docker"]).file("garbled", b"DJANGO_SECRET_KEY=ab\xff\n");
    shimmed.check(
        "install --yes --env prod --method docker --set DJANGO_ALLOWED_HOSTS=,",
        2,
        str![],
        str![[r#"
error: `--set`: `DJANGO_ALLOWED_HOSTS` is required in prod+docker, and the answer is empty

"#]],
    );
    shimmed.xtask("install --yes --answers garbled").assert().code(2).stdout_eq(str![]).stderr_eq(str![[r#"
error: `garbled` line 1: expected UTF-8, found ISO-8859-1 (Latin-1), most likely: no program reads that
hint: (umask 077; iconv -f ISO-8859-1 -t UTF-8 garbled >garbled.utf-8) && cat garbled.utf-8 >garbled && rm garbled.utf-8

"#]]);
    sandbox.check(
        "install --yes --answers no-such-file",
        2,
        str![],
        str![[r#"
error: cannot read the answers from `no-such-file`: No such file or directory (os error 2)

"#]],
    );
    assert!(!sandbox.has(".env"));
}

#[test]
fn names_and_values_that_no_line_can_hold() {
    let sandbox = Sandbox::project();
    let call = sandbox.xtask("install --yes").args(["--set", "MOTD=it's $5", "--set", "A-B=1"]).assert();
    call.code(2).stdout_eq(str![]).stderr_eq(str![[r#"
  ok   preflight  python3 is 3.12.1, uv 9.9.9
error: `.env`: invalid variable name, expected letters, digits and `_`, not a digit first: `A-B`
error: `.env`: cannot write `MOTD`: no reader-independent form for a value with `'` and `$`

"#]]);
    assert!(!sandbox.has(".env"));
}

#[test]
fn passwords_are_covered_wherever_they_stand() {
    let old = "# once redis://:hunter1@a/0\nCELERY_BROKER_URL=redis://:hunter1@a/0\n\
               CELERY_BROKER_URL='redis://:hunter2@b/0;redis://:abc@c/0' # now\n";
    let sandbox = Sandbox::project().file(".env", old);
    let call = sandbox.xtask("install --yes --set CELERY_BROKER_URL=redis://localhost/0 --set DJANGO_DEBUG=0").assert();
    call.success()
        .stdout_eq(str![[r#"
dev+bare in [ROOT]
  .env: 7 changes
    DJANGO_ENV                dev                  default
    DEPLOY_METHOD             bare                 default
    DJANGO_DEBUG              0                    as answered
    DJANGO_SECRET_KEY         ********             generated
    DJANGO_ALLOWED_HOSTS      localhost,127.0.0.1  default
    CELERY_BROKER_URL         redis://localhost/0  as answered
    CELERY_TASK_ALWAYS_EAGER  1                    default

Next steps
  cargo xtask run --project '[ROOT]'      start the development server: http://127.0.0.1:8000/
  cargo xtask health --project '[ROOT]'   check the health, and show how to fix problems

"#]])
        .stderr_eq(str![[r#"
  ok   preflight  python3 is 3.12.1, uv 9.9.9
.env
     -CELERY_BROKER_URL=redis://:********@a/0
     -CELERY_BROKER_URL='redis://:********@b/0;redis://:********@c/0'
   2 +CELERY_BROKER_URL=redis://localhost/0
     (removed 1 other line with the same variable)
   3 +
   4 +# Which environment this is: dev | prod
   5 +DJANGO_ENV=dev
   6 +
   7 +# How it is deployed: bare (on this machine) | docker (Docker Compose). Independent of DJANGO_ENV.
   8 +DEPLOY_METHOD=bare
   9 +
  10 +# 1 shows tracebacks to anybody who asks: never in prod.
  11 +DJANGO_DEBUG=0
  12 +
  13 +# Signs sessions. At least 50 random characters in prod; in dev an empty key means a throw-away key per start.
  14 +DJANGO_SECRET_KEY=********
  15 +
  16 +# Host names the service answers to, separated by commas. Required in prod.
  17 +DJANGO_ALLOWED_HOSTS=localhost,127.0.0.1
  18 +
  19 +# 1 runs tasks inside the request, without a broker or a worker (dev+bare only).
  20 +CELERY_TASK_ALWAYS_EAGER=1
  ok   core.lock  `.venv` is in step with `uv.lock`
  ok   django.check  no issues
  ok   django.settings  1 value as in `.env`
  ok   django.migrations  all applied
  ok   django.database  answers

"#]]);
}

#[test]
fn answers_from_standard_input() {
    let sandbox = Sandbox::project();
    let answers = "# secrets do not go on a command line\nDJANGO_SECRET_KEY='a long $ecret of the operator, with blanks in it, 60 long'\n\
                   DJANGO_ALLOWED_HOSTS=example.org\nCELERY_BROKER_URL=redis://:hunter2@db:6379/0\nEXTRA='two words'\n";
    sandbox
        .xtask("install --env prod --method bare --no-deploy --answers -")
        .stdin(answers)
        .assert()
        .success()
        .stdout_eq(str![[r#"
prod+bare in [ROOT]
  .env: created, only you can read it
    DJANGO_ENV                prod                         as answered
    DEPLOY_METHOD             bare                         as answered
    DJANGO_DEBUG              0                            always so here
    DJANGO_SECRET_KEY         ********                     as answered
    DJANGO_ALLOWED_HOSTS      example.org                  as answered
    CELERY_BROKER_URL         redis://:********@db:6379/0  as answered
    CELERY_TASK_ALWAYS_EAGER  0                            always so here
    EXTRA                     two words                    as answered

Next steps
  cargo xtask deploy-systemd --project '[ROOT]'   deploy it
  cargo xtask health --project '[ROOT]'           check the health, and show how to fix problems

"#]])
        .stderr_eq(str![[r#"
warning: systemd does not run here: `deploy-systemd` will need it
  ok   preflight  python3 is 3.12.1, uv 9.9.9
.env (new, only you can read it; a copy of .env.sample with these changes)
     -DJANGO_ENV=dev
   5 +DJANGO_ENV=prod
     -DJANGO_DEBUG=
  11 +DJANGO_DEBUG=0
     -DJANGO_SECRET_KEY=
  14 +DJANGO_SECRET_KEY='********'
     -DJANGO_ALLOWED_HOSTS=
  17 +DJANGO_ALLOWED_HOSTS=example.org
     -CELERY_TASK_ALWAYS_EAGER=
  20 +CELERY_TASK_ALWAYS_EAGER=0
     -CELERY_BROKER_URL=
  23 +CELERY_BROKER_URL=redis://:********@db:6379/0
  38 +EXTRA='two words'
  ok   core.lock  `.venv` is in step with `uv.lock`
  ok   django.check  no issues
  ok   django.settings  1 value as in `.env`
  ok   django.migrations  all applied
  ok   django.database  answers

"#]]);
    let file = sandbox.read(".env");
    assert!(file.contains("DJANGO_SECRET_KEY='a long $ecret of"), "{file}");
    assert!(file.contains("CELERY_BROKER_URL=redis://:hunter2@db:6379/0"), "{file}");

    sandbox
        .xtask("install --answers -")
        .stdin("A=1\nnot an assignment\n")
        .assert()
        .code(2)
        .stdout_eq(str![])
        .stderr_eq(str![[r#"
error: `standard input` line 2: expected `KEY=VALUE`, a comment or nothing

"#]]);
}
