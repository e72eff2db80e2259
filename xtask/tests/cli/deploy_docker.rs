//! The output of `deploy-docker` before it changes anything. The end-to-end tests deploy to a real engine.

use std::fs;

use snapbox::str;

use crate::sandbox::Sandbox;

const ENV: &str = "DJANGO_ENV=dev\nDEPLOY_METHOD=docker\nDJANGO_DEBUG=1\nCELERY_TASK_ALWAYS_EAGER=0\n";

fn stack() -> Sandbox {
    Sandbox::project().shims(&["docker-stack"]).file(".env", ENV)
}

#[test]
fn the_plan() {
    let sandbox = stack();
    sandbox.check(
        "deploy-docker --dry-run",
        0,
        str![[r#"
Plan for `shop` in [ROOT] (Docker 28.0.0, Compose 2.26.1)
  build shop-app:latest, shop-proxy:latest; a service with a new image is replaced as well
  pull redis:7, which is not on the engine
  copy the database (SQLite) and apply pending migrations, if any service is replaced
  start redis (backing service by its image): it has no container yet
  start web (web service by its label): it has no container yet
  start celery (worker by its name): it has no container yet
  start proxy (proxy by its label): it has no container yet
  watch the new containers for 5 s; roll back if one is unhealthy, otherwise remove the old ones

"#]],
        str![[r#"
warning: `celery` has 10 s to finish its tasks when it is replaced: longer ones are cut
hint: set `stop_grace_period` in the Compose file, or `drain-timeout`: see docs/deploy-docker.md

"#]],
    );
    assert!(!sandbox.has(".xtask"));
    sandbox.check("deploy-docker --dry-run --format json", 0, str![[r#"
{"event":"started","schema":1,"command":"deploy-docker"}
{"event":"waiting","title":"preflight"}
{"event":"plan","title":"Plan for `shop` in [ROOT] (Docker 28.0.0, Compose 2.26.1)","steps":["build shop-app:latest, shop-proxy:latest; a service with a new image is replaced as well","pull redis:7, which is not on the engine","copy the database (SQLite) and apply pending migrations, if any service is replaced","start redis (backing service by its image): it has no container yet","start web (web service by its label): it has no container yet","start celery (worker by its name): it has no container yet","start proxy (proxy by its label): it has no container yet","watch the new containers for 5 s; roll back if one is unhealthy, otherwise remove the old ones"],"commands":[]}
{"event":"warning","message":"`celery` has 10 s to finish its tasks when it is replaced: longer ones are cut","hint":"set `stop_grace_period` in the Compose file, or `drain-timeout`: see docs/deploy-docker.md"}
{"event":"verdict","exit_code":0,"outcome":"planned","release":null,"rollback_to":null,"is_rolled_back":false,"database_copy":null,"addresses":[],"problems":[],"duration":[DURATION]}

"#]], str![""]);
    sandbox.check("deploy-docker --dry-run --rollback --format json", 3, str![[r#"
{"event":"started","schema":1,"command":"deploy-docker"}
{"event":"waiting","title":"preflight"}
{"event":"verdict","exit_code":3,"outcome":null,"release":null,"rollback_to":null,"is_rolled_back":false,"database_copy":null,"addresses":[],"problems":[{"message":"there is no earlier release with other images to go back to","hint":"docker volume ls --filter label=xtask.release=shop"}],"duration":[DURATION]}

"#]], str![""]);
    sandbox.check(
        "deploy-docker --dry-run --rollback",
        3,
        str![""],
        str![[r#"
error: there is no earlier release with other images to go back to
hint: docker volume ls --filter label=xtask.release=shop

"#]],
    );
    sandbox.check(
        "deploy-docker --dry-run --no-build --rollback",
        2,
        str![""],
        str![[r#"
error: the argument '--no-build' cannot be used with '--rollback'

Usage: cargo xtask deploy-docker --dry-run --no-build --project <DIR>

For more information, try '--help'.

"#]],
    );
}

#[test]
fn everything_that_is_wrong_at_once() {
    let sandbox = Sandbox::project()
        .shims(&["docker-old-compose"])
        .file(".env", "DJANGO_ENV=prod\nDEPLOY_METHOD=dokcer\nDJANGO_SECRET_KEY='hunter2\n");
    sandbox.check(
        "deploy-docker",
        3,
        str![""],
        str![[r#"
warning: env.mode: 644: every user of this machine can get at the secrets in it
hint: chmod 640 .env
error: `.env` line 2: unknown value `dokcer` for `DEPLOY_METHOD`, expected `bare` or `docker`
hint: cargo xtask install --project '[ROOT]' --method docker, or correct the line by hand
error: env.portable: 1 line is read differently
  `.env` line 3: `DJANGO_SECRET_KEY`: unterminated-quote
  python-dotenv  sees no such variable
  compose        refuses the file
  bash           stops here
hint: cargo xtask health --project '[ROOT]'
error: env.matrix: 3 variables do not have the values that prod+docker needs
  `.env`: `DJANGO_SECRET_KEY` is required, and has no value
  `.env`: `DJANGO_ALLOWED_HOSTS` is required, and has no value
  `.env`: `CELERY_TASK_ALWAYS_EAGER` has to be `0`
hint: cargo xtask install --project '[ROOT]' --env prod --method docker --set DJANGO_ALLOWED_HOSTS=…
error: Compose 2.20 or later is required, the installed version is 2.19.1
hint: update the Compose plugin of Docker
error: port 8000, which `web` publishes, is held by container `other`
hint: stop it, or choose another port: `WEB_PORT` in `.env` for the stack that is carried here

"#]],
    );
    assert!(!sandbox.has(".xtask/releases"));
    let sandbox = Sandbox::project().shims(&["docker-down"]).file(".env", ENV);
    sandbox.check(
        "deploy-docker",
        3,
        str![""],
        str![[r#"
error: docker.daemon: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?
hint: sudo systemctl start docker
error: docker.compose: Compose v2 is not installed: `docker compose version` fails
hint: install the Compose plugin of Docker

"#]],
    );
    let sandbox = Sandbox::project().shims(&[]);
    sandbox.check(
        "deploy-docker",
        3,
        str![""],
        str![[r#"
error: env.file: `.env` is not there
hint: cargo xtask install --project '[ROOT]' --env dev --method docker
error: docker.daemon: command not found: `docker`
hint: install Docker: https://docs.docker.com/engine/install/

"#]],
    );
}

#[test]
fn another_method_is_not_passed_over() {
    let sandbox = stack().file(".env", ENV.replace("=docker", "=bare"));
    sandbox.check("deploy-docker", 3, str![""], str![[r#"
error: `.env` line 2: `DEPLOY_METHOD` is `bare`, and this deploys with `docker`: there is no terminal to ask on: nothing was changed
hint: cargo xtask install --project '[ROOT]' --method docker, or cargo xtask deploy-docker --project '[ROOT]' --yes

"#]]);
    assert_eq!(sandbox.read(".env"), ENV.replace("=docker", "=bare"));
}

#[test]
fn nothing_to_go_back_to() {
    let sandbox = stack();
    sandbox.check(
        "deploy-docker --rollback",
        3,
        str![""],
        str![[r#"
  ok   preflight  Docker 28.0.0, Compose 2.26.1
error: there is no earlier release with other images to go back to
hint: docker volume ls --filter label=xtask.release=shop

"#]],
    );
    sandbox.write(".xtask/releases/20260101T000000Z.json", "{}");
    sandbox.check(
        "deploy-docker --rollback",
        3,
        str![""],
        str![[r#"
error: `.xtask/releases/20260101T000000Z.json` line 1 is no release record
hint: correct it, or move it away if no deploy was interrupted: it records the state to go back to

"#]],
    );
}

#[test]
fn one_at_a_time() {
    let sandbox = stack();
    sandbox.write(".xtask/lock", "");
    let lock = fs::File::open(sandbox.root().join(".xtask/lock")).expect("readable");
    lock.lock().expect("locked");
    sandbox.check(
        "deploy-docker",
        6,
        str![""],
        str![[r#"
error: another run holds the lock: [HOLDER], for [AGE]
hint: wait until it has ended, and run this again

"#]],
    );
}
