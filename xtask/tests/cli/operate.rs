//! `cargo xtask status`, `logs`, `stop`, `start` and `uninstall` where nothing is deployed, and where the engine does not respond.

use snapbox::str;

use crate::sandbox::Sandbox;

const BARE: &str = "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\n";
const DOCKER: &str = "DJANGO_ENV=dev\nDEPLOY_METHOD=docker\n";

#[test]
fn nothing_is_deployed() {
    let sandbox = Sandbox::project().file(".env", BARE);
    sandbox.check(
        "status",
        0,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2

release        nothing is deployed here
               cargo xtask run --project '[ROOT]' starts the development server

"#]],
        str![[""]],
    );
    sandbox.check("status --format json", 0, str![[r#"
{"schema":1,"environment":{"value":"dev","source":".env:1"},"deploy_method":{"value":"bare","source":".env:2"},"release":null,"checkout":null,"serves":null,"services":[],"deploys":[]}

"#]], str![[""]]);
    sandbox.check(
        "logs",
        3,
        str![[""]],
        str![[r#"
error: there is no log: no unit is installed, and the development server logs to the terminal of `run`
hint: cargo xtask run --project '[ROOT]'

"#]],
    );
    sandbox.check(
        "stop",
        0,
        str![[r#"
nothing is deployed here: Ctrl-C ends the development server in the terminal of `run`

"#]],
        str![[""]],
    );
    sandbox.check(
        "start",
        3,
        str![[""]],
        str![[r#"
error: nothing is deployed here: `run` starts the development server
hint: cargo xtask run --project '[ROOT]'

"#]],
    );
    sandbox.check("logs --since yesterday", 2, str![[""]], str![[r#"
error: invalid value 'yesterday' for '--since <TIME>': expected a duration such as 10m, or a time such as 2026-12-01T10:00:00Z

For more information, try '--help'.

"#]]);
}

#[test]
fn the_engine_does_not_respond() {
    let sandbox = Sandbox::project().shims(&["docker-down"]).file(".env", DOCKER);
    sandbox.check("status", 1, str![[r#"
environment    dev      .env:1
deploy method  docker   .env:2

 err   docker.service  Compose v2 is not installed: `docker compose version` fails
       hint: install the Compose plugin of Docker
 err   docker.http     Compose v2 is not installed: `docker compose version` fails

"#]], str![[r#"
error: `docker compose config` failed: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?

"#]]);
    sandbox.check("start", 1, str![[""]], str![[r#"
error: `docker compose config` failed: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?

"#]]);
}

#[test]
fn the_log_of_containers() {
    let sandbox = Sandbox::project().shims(&["docker-stack"]).file(".env", DOCKER);
    sandbox.check(
        "logs web --follow --dry-run",
        0,
        str![[r#"
docker compose -f compose.yaml logs --no-color --follow --tail=100 web

"#]],
        str![[""]],
    );
    sandbox.check(
        "logs --since 2026-12-01T10:00:00Z --dry-run",
        0,
        str![[r#"
docker compose -f compose.yaml logs --no-color --since=1796119200

"#]],
        str![[""]],
    );
    sandbox.check(
        "logs wbe",
        2,
        str![[""]],
        str![[r#"
error: there is no service `wbe`: the Compose file has `celery`, `proxy`, `redis` and `web`

"#]],
    );
    sandbox.check(
        "start",
        3,
        str![[""]],
        str![[r#"
error: the Compose project `shop` has no containers to start
hint: cargo xtask deploy-docker --project '[ROOT]'

"#]],
    );
    sandbox.check(
        "stop",
        0,
        str![[r#"
nothing runs: the service is stopped already

"#]],
        str![[""]],
    );
}

#[test]
fn an_uninstall_removes_what_was_created_and_keeps_the_rest() {
    let sandbox = Sandbox::project().file(".env", BARE).file(".xtask/tools/uv/x", "");
    std::fs::remove_file(sandbox.root().join(".venv")).expect("a link");
    sandbox.write(".venv/pyvenv.cfg", "home = /usr/bin\nuv = 0.13.9\n");
    sandbox.check(
        "uninstall",
        3,
        str![[r#"
To be removed
  `[ROOT]/.xtask`
  `[ROOT]/.venv`

"#]],
        str![[r#"
error: an uninstall needs consent, and there is no terminal to ask on: nothing was changed
hint: the same command with --yes

"#]],
    );
    sandbox.check(
        "uninstall --dry-run",
        0,
        str![[r#"
To be removed
  `[ROOT]/.xtask`
  `[ROOT]/.venv`

"#]],
        str![[""]],
    );
    sandbox.check(
        "uninstall --yes --remove-data data",
        2,
        str![[""]],
        str![[r#"
error: the service has no data `data`: there is none

"#]],
    );
    assert!(sandbox.has(".venv") && sandbox.has(".xtask"));
    sandbox.check(
        "uninstall --yes",
        0,
        str![[r#"
To be removed
  `[ROOT]/.xtask`
  `[ROOT]/.venv`
it is uninstalled; `.env` and all other files of the checkout stay

"#]],
        str![[""]],
    );
    assert!(!sandbox.has(".venv") && !sandbox.has(".xtask") && sandbox.has(".env"));
    // A virtual environment that was made by hand is not removed.
    sandbox.write(".venv/pyvenv.cfg", "home = /usr/bin\n");
    sandbox.check(
        "uninstall --yes",
        0,
        str![[r#"
nothing is installed here

"#]],
        str![[""]],
    );
    assert!(sandbox.has(".venv"));
}
