//! `cargo xtask manage` and `run`: the programs that they start, and what they refuse.

use snapbox::str;

use crate::sandbox::Sandbox;

const BARE: &str = "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\nAPI_TOKEN=hunter2\n";
const DOCKER: &str = "DJANGO_ENV=dev\nDEPLOY_METHOD=docker\n";

#[track_caller]
fn check(sandbox: &Sandbox, args: &str, code: i32, stdout: impl snapbox::IntoData, stderr: impl snapbox::IntoData) {
    sandbox.before(args).assert().code(code).stdout_eq(stdout).stderr_eq(stderr);
}

#[test]
fn everything_from_the_command_on_is_passed_on() {
    let sandbox = Sandbox::project().file(".env", BARE).relink(".venv", "venv-echo");
    check(
        &sandbox,
        "manage migrate --plan -v 3 --project x --help -- --dry-run",
        7,
        str![[r#"
[ROOT]
manage.py
migrate
--plan
-v
3
--project
x
--help
--
--dry-run
API_TOKEN has 7 characters

"#]],
        str![[""]],
    );
    check(
        &sandbox,
        "manage",
        7,
        str![[r#"
[ROOT]
manage.py
API_TOKEN has 7 characters

"#]],
        str![[""]],
    );
    check(
        &sandbox,
        "--dry-run manage shell -c print('$HOME')",
        0,
        str![[r#"
cd '[ROOT]' && '[ROOT]/.venv/bin/python' manage.py shell -c 'print('/''$HOME'/'')'

"#]],
        str![[""]],
    );
    // A shell shows the signal as 128 and its number.
    sandbox.before("manage kill-yourself").assert().interrupted();
}

#[test]
fn the_development_server() {
    let sandbox = Sandbox::project().file(".env", BARE).relink(".venv", "venv-echo");
    check(
        &sandbox,
        "run",
        7,
        str![[r#"
[ROOT]
manage.py
runserver
127.0.0.1:8000
API_TOKEN has 7 characters

"#]],
        str![[""]],
    );
    check(
        &sandbox,
        "run 0.0.0.0:80",
        7,
        str![[r#"
[ROOT]
manage.py
runserver
0.0.0.0:80
API_TOKEN has 7 characters

"#]],
        str![[""]],
    );
    sandbox.write(".env", [BARE, "DJANGO_ALLOWED_HOSTS=example.org,localhost\n"].concat());
    check(
        &sandbox,
        "--dry-run run 8001",
        0,
        str![[r#"
cd '[ROOT]' && '[ROOT]/.venv/bin/python' manage.py runserver 'localhost:8001'

"#]],
        str![[""]],
    );
}

#[test]
fn a_place_that_is_missing_or_unknown_is_refused() {
    let sandbox = Sandbox::project().file(".env", BARE).relink(".venv", "no-venv");
    check(
        &sandbox,
        "manage check",
        3,
        str![[""]],
        str![[r#"
error: no virtual environment: `[ROOT]/.venv/bin/python` does not exist
hint: cargo xtask install --project '[ROOT]'

"#]],
    );
    sandbox.write(".env", "DJANGO_ENV=dev\nDEPLOY_METHOD=systemd\n");
    check(
        &sandbox,
        "manage check",
        2,
        str![[""]],
        str![[r#"
error: `.env` line 2: unknown value `systemd` for `DEPLOY_METHOD`, expected `bare` or `docker`
hint: cargo xtask install --project '[ROOT]'

"#]],
    );
    let sandbox = Sandbox::project().file(".env", DOCKER);
    check(
        &sandbox.shims(&[]),
        "manage check",
        1,
        str![[""]],
        str![[r#"
error: `docker compose config`: command not found: `docker`

"#]],
    );
}

#[test]
fn without_a_container_and_an_image_nothing_is_started() {
    let sandbox = Sandbox::project().shims(&["docker-stack"]).file(".env", DOCKER);
    check(
        &sandbox,
        "manage check",
        3,
        str![[""]],
        str![[r#"
error: `web` does not run, and its image `shop-app:latest` does not exist yet
hint: cargo xtask deploy-docker --project '[ROOT]'

"#]],
    );
    check(
        &sandbox,
        "run",
        1,
        str![[r#"
 err   docker.service.celery  there is no container
       hint: cargo xtask deploy-docker --project '[ROOT]'
 err   docker.service.proxy   there is no container
 err   docker.service.redis   there is no container
 err   docker.service.web     there is no container
 err   docker.http            `proxy` does not run

"#]],
        str![[r#"
error: the service does not respond, and `run` starts it only in dev+bare
hint: cargo xtask deploy-docker --project '[ROOT]'

"#]],
    );
}

#[test]
fn with_docker_in_a_container_of_the_web_service() {
    let sandbox = Sandbox::project().shims(&["docker-image"]).file(".env", DOCKER);
    check(
        &sandbox,
        "manage createsuperuser --noinput",
        7,
        str![[r#"
compose
-f
compose.yaml
run
--rm
--no-deps
-T
--entrypoint
python3
web
manage.py
createsuperuser
--noinput

"#]],
        str![[""]],
    );
    check(
        &sandbox,
        "--dry-run manage check",
        0,
        str![[r#"
cd '[ROOT]' && docker compose -f compose.yaml run --rm --no-deps -T --entrypoint python3 web manage.py check

"#]],
        str![[""]],
    );
    let sandbox = Sandbox::project().shims(&["docker-serving"]).file(".env", DOCKER);
    check(
        &sandbox,
        "manage shell -c print(1)",
        7,
        str![[r#"
exec
-i
shop-web-1
python3
manage.py
shell
-c
print(1)

"#]],
        str![[""]],
    );
}
