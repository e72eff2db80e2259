//! `cargo xtask detect`.

use snapbox::str;

use crate::sandbox::Sandbox;

#[test]
fn everything_with_its_source() {
    let sandbox = Sandbox::project().file(".env", "# x\nDJANGO_ENV=prod\nDEPLOY_METHOD=docker\n");
    sandbox.check(
        "detect",
        0,
        str![[r#"
environment    prod     .env:2
deploy method  docker   .env:3
mode           docker   .env:3
debug          DJANGO_DEBUG             .env.sample:11
secret-key     DJANGO_SECRET_KEY        .env.sample:14
allowed-hosts  DJANGO_ALLOWED_HOSTS     .env.sample:17
broker-url     CELERY_BROKER_URL        .env.sample:23
always-eager   CELERY_TASK_ALWAYS_EAGER .env.sample:20

"#]],
        str![],
    );
    sandbox.check("detect --format json", 0, str![[r#"
{"schema":1,"environment":{"value":"prod","source":".env:2"},"deploy_method":{"value":"docker","source":".env:3"},"mode":{"value":"docker","source":".env:3"},"variables":{"allowed-hosts":{"name":"DJANGO_ALLOWED_HOSTS","source":".env.sample:17"},"always-eager":{"name":"CELERY_TASK_ALWAYS_EAGER","source":".env.sample:20"},"broker-url":{"name":"CELERY_BROKER_URL","source":".env.sample:23"},"debug":{"name":"DJANGO_DEBUG","source":".env.sample:11"},"secret-key":{"name":"DJANGO_SECRET_KEY","source":".env.sample:14"}}}

"#]], str![]);
}

#[test]
fn without_a_file_it_is_dev_and_bare() {
    let sandbox = Sandbox::project().shims(&["docker"]);
    sandbox.check(
        "detect",
        0,
        str![[r#"
environment    dev      default
deploy method  bare     default
mode           dev      default
debug          DJANGO_DEBUG             .env.sample:11
secret-key     DJANGO_SECRET_KEY        .env.sample:14
allowed-hosts  DJANGO_ALLOWED_HOSTS     .env.sample:17
broker-url     CELERY_BROKER_URL        .env.sample:23
always-eager   CELERY_TASK_ALWAYS_EAGER .env.sample:20

"#]],
        str![],
    );
}

#[test]
fn one_word_for_scripts() {
    let sandbox = Sandbox::project().file(".env", "DJANGO_ENV=Prod\nDEPLOY_METHOD=bare\n");
    sandbox.check(
        "detect env",
        0,
        str![[r#"
prod

"#]],
        str![],
    );
    sandbox.check(
        "detect method",
        0,
        str![[r#"
bare

"#]],
        str![],
    );
    sandbox.check(
        "detect mode",
        0,
        str![[r#"
prod

"#]],
        str![],
    );
    sandbox.check(
        "detect mode --format json",
        0,
        str![[r#"
{"value":"prod","source":".env:1"}

"#]],
        str![],
    );
}

#[test]
fn rejected_values_are_reported_on_standard_error() {
    let sandbox =
        Sandbox::project().file(".env", "DJANGO_ENV=production\nDEPLOY_METHOD=systemd\n").shims(&["docker-down"]);
    sandbox.check(
        "detect method",
        0,
        str![[r#"
bare

"#]],
        str![[r#"
warning: `.env` line 2: unknown value `systemd` for `DEPLOY_METHOD`, expected `bare` or `docker`
warning: `docker`: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?

"#]],
    );
    sandbox.check(
        "detect",
        0,
        str![[r#"
environment    dev      default
deploy method  bare     default
mode           dev      default
debug          DJANGO_DEBUG             .env.sample:11
secret-key     DJANGO_SECRET_KEY        .env.sample:14
allowed-hosts  DJANGO_ALLOWED_HOSTS     .env.sample:17
broker-url     CELERY_BROKER_URL        .env.sample:23
always-eager   CELERY_TASK_ALWAYS_EAGER .env.sample:20

"#]],
        str![[r#"
warning: `.env` line 1: unknown value `production` for `DJANGO_ENV`, expected `dev` or `prod`
warning: `.env` line 2: unknown value `systemd` for `DEPLOY_METHOD`, expected `bare` or `docker`
warning: `docker`: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?

"#]],
    );
}

#[test]
fn projects_that_are_none() {
    let sandbox = Sandbox::empty();
    sandbox.check(
        "detect",
        2,
        str![],
        str![[r#"
error: no Django project here: `[ROOT]/manage.py` is not there
hint: name the checkout with --project DIR, or its manage.py with `manage-py` in pyproject.toml

"#]],
    );
    sandbox.write("manage.py", "");
    sandbox.write("Cargo.toml", "[workspace.metadata.service]\nservice-directory = 'x'\n");
    sandbox.check("detect", 2, str![], str![[r#"
error: `Cargo.toml` line 2, `[workspace.metadata.service]`: unknown field `service-directory`, expected one of `name`, `service-dir`, `manage-py`, `sample-file`, `compose-file`, `unit-dir`, `install-dir`, `system-env-file`, `user`, `health-path`, `drain-timeout`, `shared-paths`, `extras`, `groups`, `variables`, `web-service`, `worker-services`, `proxy-service`

"#]]);
}
