//! `cargo xtask install` without a terminal.

use std::os::unix::fs::PermissionsExt;

use snapbox::str;

use crate::sandbox::Sandbox;

#[test]
fn help() {
    Sandbox::project().check("install --help", 0, str![], str![]);
}

#[test]
fn a_fresh_checkout_and_a_second_run() {
    let sandbox = Sandbox::project();
    sandbox.check("install --yes", 0, str![], str![]);
    let mode = sandbox.root().join(".env").metadata().expect("written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let before = sandbox.read(".env");
    sandbox.check("install --yes", 0, str![], str![]);
    assert_eq!(sandbox.read(".env"), before);
}

#[test]
fn a_dry_run_touches_nothing() {
    let sandbox = Sandbox::project();
    sandbox.check("install --dry-run --env prod --method bare --set DJANGO_ALLOWED_HOSTS=example.org --set CELERY_BROKER_URL=redis://localhost/0", 0, str![], str![]);
    assert!(!sandbox.has(".env"));
    assert!(!sandbox.has(".xtask"));
}

#[test]
fn everything_that_is_missing_at_once() {
    let sandbox = Sandbox::project();
    sandbox.check("install --env prod --method bare", 2, str![], str![]);
    assert!(!sandbox.has(".env"));
    // A sample with values answers nothing; an answer on the command line does.
    sandbox.write(".env.sample", "DJANGO_ALLOWED_HOSTS=example.com\nCELERY_BROKER_URL=redis://redis\n");
    sandbox.check("install --env prod --method bare --yes --set DJANGO_ALLOWED_HOSTS=example.org", 2, str![], str![]);
    assert!(!sandbox.has(".env"));
}

#[test]
fn pre_flight_tells_everything_that_is_not_there() {
    let bare = Sandbox::project().shims(&["old-python"]).file("pyproject.toml", "[project]\nrequires-python='>=3.11'");
    bare.check("install --yes", 3, str![], str![]);
    let docker = Sandbox::project().shims(&["docker-down"]);
    docker.check("install --yes --method docker", 3, str![], str![]);
    assert!(!docker.has(".env"));
    let nothing = Sandbox::project().shims(&[]);
    nothing.check("install --yes --method docker", 3, str![], str![]);
}

#[test]
fn without_deploying_the_engine_is_not_needed() {
    let sandbox = Sandbox::project().shims(&["docker-down"]);
    sandbox.check("install --yes --method docker --no-deploy", 0, str![], str![]);
    assert!(sandbox.has(".env"));
}

#[test]
fn the_deployers_are_still_to_come() {
    let sandbox = Sandbox::project().shims(&["tools", "docker"]);
    sandbox.check("install --yes --method docker", 3, str![], str![]);
    assert!(sandbox.has(".env"));
}

#[test]
fn axes_that_contradict_or_mean_nothing() {
    let sandbox = Sandbox::project();
    sandbox.check("install --env production", 2, str![], str![]);
    sandbox.check("install --yes --env prod --set DJANGO_ENV=dev", 2, str![], str![]);
    sandbox.check("install --yes --set DEPLOY_METHOD=systemd", 2, str![], str![]);
    sandbox.write(".env", "\nDJANGO_ENV=production\n");
    sandbox.check("install --yes", 2, str![], str![]);
    assert_eq!(sandbox.read(".env"), "\nDJANGO_ENV=production\n");
    sandbox.check("install --yes --env dev --method bare", 0, str![], str![]);
}

#[test]
fn answers_that_cannot_be() {
    let sandbox = Sandbox::project();
    sandbox.check(
        "install --yes --set DJANGO_SECRET_KEY=hunter2 --set nonsense --set A-B=1 --set DJANGO_DEBUG=maybe",
        2,
        str![],
        str![],
    );
    sandbox.check("install --yes --set CELERY_BROKER_URL=redis://:hunter2@db/0", 2, str![], str![]);
    sandbox.check(
        "install --yes --env prod --method bare --set DJANGO_DEBUG=1 --set DJANGO_ALLOWED_HOSTS=a --set CELERY_BROKER_URL=b",
        2,
        str![],
        str![],
    );
    sandbox.check("install --yes --answers no-such-file", 2, str![], str![]);
    assert!(!sandbox.has(".env"));
}

#[test]
fn a_value_that_no_line_can_hold() {
    let sandbox = Sandbox::project();
    sandbox.xtask("install --yes").args(["--set", "MOTD=it's $5"]).assert().code(2).stdout_eq(str![]).stderr_eq(str![]);
    assert!(!sandbox.has(".env"));
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
        .stdout_eq(str![])
        .stderr_eq(str![]);
    let file = sandbox.read(".env");
    assert!(file.contains("DJANGO_SECRET_KEY='a long $ecret of"), "{file}");
    assert!(file.contains("CELERY_BROKER_URL=redis://:hunter2@db:6379/0"), "{file}");

    sandbox
        .xtask("install --answers -")
        .stdin("A=1\nnot an assignment\n")
        .assert()
        .code(2)
        .stdout_eq(str![])
        .stderr_eq(str![]);
}

/// Switching later forces what the table forces, and says what is unsafe.
#[test]
fn from_dev_to_prod() {
    let sandbox = Sandbox::project();
    sandbox.xtask("install --yes").assert().success();
    sandbox.check(
        "install --yes --env prod --method bare --no-deploy --set CELERY_BROKER_URL=redis://localhost/0",
        0,
        str![],
        str![],
    );
}
