//! The preflight of `cargo xtask install`, and its exit codes.

use std::fs::File;

use snapbox::str;

use crate::sandbox::Sandbox;

#[test]
fn preflight_reports_everything_that_is_missing() {
    let bare = Sandbox::project().shims(&["old-python"]).file("pyproject.toml", "[project]\nrequires-python='>=3.11'");
    bare.check(
        "install --yes",
        3,
        str![],
        str![[r#"
error: command not found: `uv`, and nothing can install it: no Python >=3.8 found: `python3` is 3.6.9
hint: install uv, which downloads the Python

"#]],
    );
    let unlocked = Sandbox::project();
    std::fs::remove_file(unlocked.root().join("uv.lock")).expect("removed");
    unlocked.check(
        "install --yes --env prod",
        3,
        str![],
        str![[r#"
warning: systemd does not run here: `deploy-systemd` will need it
error: `[ROOT]/uv.lock` is not there, and prod installs nothing else
hint: uv lock

"#]],
    );
    let stripped = Sandbox::project().shims(&["python-without-venv"]);
    stripped.check(
        "install --yes",
        3,
        str![],
        str![[r#"
error: command not found: `uv`, and `python3` cannot install it: no `venv`
hint: apt install python3-venv (Debian, Ubuntu), or install uv

"#]],
    );
    let docker = Sandbox::project().shims(&["docker-down"]);
    docker.check("install --yes --method docker", 3, str![], str![[r#"
error: the Docker engine does not respond: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?
hint: start the engine, or go on without deploying: cargo xtask install --project '[ROOT]' --env dev --method docker --no-deploy --yes
error: Compose v2 is not installed: `docker compose version` fails
hint: install the Compose plugin of Docker

"#]]);
    assert!(!docker.has(".env"));
    let nothing = Sandbox::project().shims(&[]);
    nothing.check(
        "install --yes --method docker",
        3,
        str![],
        str![[r#"
error: command not found: `docker`
hint: install Docker, or go on without deploying: cargo xtask install --project '[ROOT]' --env dev --method docker --no-deploy --yes

"#]],
    );
}

#[test]
fn without_deploying_the_engine_is_not_needed() {
    let sandbox = Sandbox::project().shims(&["docker-down"]);
    sandbox.check("install --yes --method docker --no-deploy", 0, str![[r#"
dev+docker in [ROOT]
  .env: created, only you can read it
    DJANGO_ENV                dev                  default
    DEPLOY_METHOD             docker               as answered
    DJANGO_DEBUG              1                    default
    DJANGO_SECRET_KEY         ********             generated
    DJANGO_ALLOWED_HOSTS      localhost,127.0.0.1  default
    CELERY_BROKER_URL                              Compose provides it
    CELERY_TASK_ALWAYS_EAGER  0                    always so here

Next steps
  cargo xtask deploy-docker --project '[ROOT]'   deploy it
  cargo xtask health --project '[ROOT]'          check the health, and show how to fix problems

"#]], str![[r#"
warning: the Docker engine does not respond: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?
warning: Compose v2 is not installed: `docker compose version` fails
.env (new, only you can read it; a copy of .env.sample with these changes)
     -DEPLOY_METHOD=bare
   8 +DEPLOY_METHOD=docker
     -DJANGO_DEBUG=
  11 +DJANGO_DEBUG=1
     -DJANGO_SECRET_KEY=
  14 +DJANGO_SECRET_KEY=********
     -DJANGO_ALLOWED_HOSTS=
  17 +DJANGO_ALLOWED_HOSTS=localhost,127.0.0.1
     -CELERY_TASK_ALWAYS_EAGER=
  20 +CELERY_TASK_ALWAYS_EAGER=0

"#]]);
    assert!(sandbox.has(".env"));
}

#[test]
fn an_engine_that_does_not_answer_is_not_passed_over() {
    let sandbox = Sandbox::project().shims(&["uv", "python", "docker-down"]);
    sandbox.check("install --yes --dry-run", 0, str!["..."], str![[r#"
warning: `docker`: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?; taken for `bare`
  ok   preflight  python3 is 3.12.1, uv 9.9.9

"#]]);
}

#[test]
fn one_run_at_a_time() {
    let sandbox = Sandbox::project().file(".xtask/lock", "");
    let lock = File::open(sandbox.root().join(".xtask/lock")).expect("the lock");
    lock.lock().expect("nobody else has it");
    sandbox.check(
        "install --yes",
        6,
        str![],
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
error: another run holds the lock: [HOLDER], for [AGE]
hint: wait until it has ended, and run this again

"#]],
    );
    assert!(!sandbox.has(".env"));

    drop(lock);
    sandbox.xtask("install --yes").assert().success();
}

#[test]
fn an_install_in_prod_and_bare_goes_on_with_the_deploy() {
    let sandbox = Sandbox::project();
    let prod = "install --yes --env prod --method bare --set DJANGO_ALLOWED_HOSTS=example.org --set CELERY_BROKER_URL=redis://db/0";
    let output = sandbox.xtask(prod).output().expect("it starts");
    assert_eq!(output.status.code(), Some(3));
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(messages.contains("error: systemd does not run here (it is not PID 1)"), "{messages}");
    assert!(sandbox.has(".env"));
}

#[test]
fn an_install_with_docker_goes_on_with_the_deploy() {
    let sandbox = Sandbox::project().shims(&["docker"]);
    sandbox.check(
        "install --yes --method docker",
        3,
        str![[r#"
dev+docker in [ROOT]
  .env: created, only you can read it
    DJANGO_ENV                dev                  default
    DEPLOY_METHOD             docker               as answered
    DJANGO_DEBUG              1                    default
    DJANGO_SECRET_KEY         ********             generated
    DJANGO_ALLOWED_HOSTS      localhost,127.0.0.1  default
    CELERY_BROKER_URL                              Compose provides it
    CELERY_TASK_ALWAYS_EAGER  0                    always so here

"#]],
        str![[r#"
.env (new, only you can read it; a copy of .env.sample with these changes)
     -DEPLOY_METHOD=bare
   8 +DEPLOY_METHOD=docker
     -DJANGO_DEBUG=
  11 +DJANGO_DEBUG=1
     -DJANGO_SECRET_KEY=
  14 +DJANGO_SECRET_KEY=********
     -DJANGO_ALLOWED_HOSTS=
  17 +DJANGO_ALLOWED_HOSTS=localhost,127.0.0.1
     -CELERY_TASK_ALWAYS_EAGER=
  20 +CELERY_TASK_ALWAYS_EAGER=0
error: docker.compose: the Compose file is not valid
hint: docker compose -f compose.yaml config

"#]],
    );
    assert!(sandbox.has(".env"));
}

/// A program that exits by the terminal's Ctrl-C is an interruption, also if the signal has not reached this process.
#[test]
fn a_program_that_is_interrupted_ends_the_install() {
    let sandbox = Sandbox::project().shims(&["uv-interrupted", "python"]);
    sandbox.check(
        "install --yes",
        130,
        str![],
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
error: interrupted during `uv sync`: the new `.env` is removed again

"#]],
    );
    assert!(!sandbox.has(".env"));
    let before = "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\n";
    for (shims, args) in [
        // While a check asks uv, and before anything is changed.
        (["uv-interrupted-asking", "python"], "install --yes"),
        (["docker-interrupted-asking", "python"], "install --yes --method docker"),
    ] {
        let sandbox = Sandbox::project().file(".env", before).shims(&shims);
        sandbox.xtask(args).assert().code(130);
        assert_eq!(sandbox.read(".env"), before, "{shims:?}");
    }
}
