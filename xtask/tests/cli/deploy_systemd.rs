//! `deploy-systemd` on a machine without systemd: all problems are reported at once, and nothing is changed.

use snapbox::str;

use crate::sandbox::Sandbox;

/// Both outputs, after checking the exit code.
#[track_caller]
fn messages(sandbox: &Sandbox, args: &str, code: i32) -> String {
    let output = sandbox.xtask(args).output().expect("it starts");
    let messages = [output.stdout, output.stderr].concat();
    let messages = String::from_utf8_lossy(&messages).into_owned();
    assert_eq!(output.status.code(), Some(code), "{messages}");
    messages
}

#[test]
fn all_problems_are_reported_at_once() {
    let env = "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\nDJANGO_DEBUG=1\nDJANGO_SECRET_KEY=a-secret-of-the-operators\n";
    let sandbox = Sandbox::project().file(".env", env).shims(&["python"]);
    for args in ["deploy-systemd", "deploy-systemd --dry-run"] {
        let messages = messages(&sandbox, args, 3);
        for problem in [
            "error: systemd does not run here (it is not PID 1)",
            "error: `.env`: `DJANGO_ENV` is `dev`, and systemd runs services in production",
            "error: `.env`: `DJANGO_DEBUG` has to be `0`",
            "error: `.env`: `DJANGO_ALLOWED_HOSTS` is required, and has no value",
            "error: `.env`: `CELERY_BROKER_URL` is required, and has no value",
            &format!("hint: cargo xtask install --project '{}' --env prod --method bare", sandbox.root().display()),
            "error: command not found: `uv`",
            "error: command not found: `git`",
        ] {
            assert!(messages.contains(problem), "{problem:?} is not in: {messages}");
        }
        assert!(!messages.contains("a-secret-of-the-operators"), "{messages}");
        crate::sandbox::names_project(&messages);
    }
    assert_eq!(sandbox.read(".env"), env);
}

#[test]
fn usage() {
    let sandbox = Sandbox::project();
    sandbox.check(
        "deploy-systemd --rollback --sync-env",
        2,
        str![],
        str![[r#"
error: the argument '--rollback' cannot be used with '--sync-env'

Usage: cargo xtask deploy-systemd --rollback --project <DIR>

For more information, try '--help'.

"#]],
    );
}

#[test]
fn an_install_leaves_the_migrations_to_the_deploy() {
    let args = "install --yes --no-deploy --env prod --method bare --set DJANGO_ALLOWED_HOSTS=example.org --set CELERY_BROKER_URL=redis://localhost/0";
    // Its `migrate` fails.
    let sandbox = Sandbox::project().relink(".venv", "venv-behind").file("deploy/systemd/x.service", "[Service]\n");
    let installed = messages(&sandbox, args, 0);
    for message in [
        "no `migrate` and no `collectstatic` here: `deploy-systemd` does both in the release that the units run",
        "warn   django.migrations  2 not applied: shop.0001_initial, shop.0002_more",
    ] {
        assert!(installed.contains(message), "{message:?} is not in: {installed}");
    }
    crate::sandbox::names_project(&installed);
    let plan = messages(&sandbox, &format!("{args} --dry-run"), 0);
    assert!(plan.contains("manage.py check --deploy") && !plan.contains("migrate"), "{plan}");
    let health = messages(&sandbox, "health --only django.migrations", 0);
    assert!(health.contains("  1. cargo xtask deploy-systemd --project"), "{health}");
}
