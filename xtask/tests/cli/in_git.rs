//! A `.env` that Git tracks, or would take with the next `git add`.

use snapbox::str;

use crate::sandbox::Sandbox;

const PROD: &str = "install --yes --no-deploy --env prod --method docker --set DJANGO_ALLOWED_HOSTS=example.org";

fn project() -> Sandbox {
    Sandbox::project().shims(&["uv", "python", "docker"])
}

#[test]
fn a_tracked_env_is_refused_in_prod_and_warned_about_in_dev() {
    let env = "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\n";
    let sandbox = project().file(".env", env).git();
    sandbox.check(
        PROD,
        3,
        str![],
        str![[r#"
error: Git tracks `.env`: everyone with the repository has its secrets; replace them once it is removed
hint: git rm --cached .env && printf '/n.env/n' >>.gitignore

"#]],
    );
    assert_eq!(sandbox.read(".env"), env);
    // A dry run reports the same, and so does a run without a `.env` in the working tree: it is in the index.
    sandbox.xtask(&format!("{PROD} --dry-run")).assert().code(3);
    std::fs::remove_file(sandbox.root().join(".env")).expect("removed");
    sandbox.xtask(PROD).assert().code(3);
    assert!(!sandbox.has(".env"));
    sandbox.xtask("install --yes").assert().code(0).stderr_eq(str![[r#"
warning: Git tracks `.env`: everyone with the repository has its secrets; replace them once it is removed
hint: git rm --cached .env && printf '/n.env/n' >>.gitignore
  ok   preflight  python3 is 3.12.1, uv 9.9.9
.env (new, its mode is 600; a copy of .env.sample with these changes)
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

"#]]);
    sandbox.check(
        "health --only env.ignored",
        0,
        str![[r#"
environment    dev      .env:5
deploy method  bare     .env:8
mode           dev      .env:5

env
warn   env.ignored  Git tracks `.env`: everyone with the repository has its secrets; replace them once it is removed

Next steps
  1. git rm --cached .env && printf '/n.env/n' >>.gitignore   (env.ignored)

0 ok, 1 warn, 0 err, 0 skip in [TIME]

"#]],
        str![],
    );
    sandbox.write(".env", "DJANGO_ENV=prod\nDEPLOY_METHOD=bare\n");
    sandbox.check(
        "health --only env.ignored",
        1,
        str![[r#"
environment    prod     .env:1
deploy method  bare     .env:2
mode           prod     .env:1

env
 err   env.ignored  Git tracks `.env`: everyone with the repository has its secrets; replace them once it is removed

Next steps
  1. git rm --cached .env && printf '/n.env/n' >>.gitignore   (env.ignored)

0 ok, 0 warn, 1 err, 0 skip in [TIME]

"#]],
        str![],
    );
}

#[test]
fn a_deploy_refuses_a_tracked_env_in_prod() {
    let env = "DJANGO_ENV=prod\nDEPLOY_METHOD=docker\nDJANGO_DEBUG=0\nCELERY_TASK_ALWAYS_EAGER=0\n\
               DJANGO_ALLOWED_HOSTS=example.org\nDJANGO_SECRET_KEY=0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghij\n";
    let messages = |sandbox: Sandbox, command: &str| {
        let output = sandbox.xtask(command).output().expect("it starts");
        assert_eq!(output.status.code(), Some(3));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for command in ["deploy-docker", "deploy-systemd"] {
        let messages = messages(Sandbox::project().shims(&["docker-stack"]).file(".env", env).git(), command);
        assert!(messages.contains("error: env.ignored: Git tracks `.env`"), "{messages}");
        assert!(messages.contains("hint: git rm --cached .env && "), "{messages}");
    }
}

#[test]
fn a_env_that_is_not_ignored_gets_the_line_for_gitignore() {
    let sandbox = project().git();
    sandbox.xtask("install --yes").assert().code(0).stderr_eq(str![[r#"
warning: Git does not ignore `.env`: the next `git add` takes its secrets
hint: printf '/n.env/n' >>.gitignore
  ok   preflight  python3 is 3.12.1, uv 9.9.9
.env (new, its mode is 600; a copy of .env.sample with these changes)
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

"#]]);
    sandbox.check(
        "health --only env.ignored",
        0,
        str![[r#"
environment    dev      .env:5
deploy method  bare     .env:8
mode           dev      .env:5

env
warn   env.ignored  Git does not ignore `.env`: the next `git add` takes its secrets

Next steps
  1. printf '/n.env/n' >>.gitignore   (env.ignored)

0 ok, 1 warn, 0 err, 0 skip in [TIME]

"#]],
        str![],
    );
    // The hint works as printed, also where the last line of the file has no end.
    sandbox.write(".gitignore", "*.pyc");
    duct::cmd!("sh", "-c", r"printf '\n.env\n' >>.gitignore").dir(sandbox.root()).run().expect("as it is typed");
    sandbox.check(
        "health --only env.ignored",
        0,
        str![[r#"
environment    dev      .env:5
deploy method  bare     .env:8
mode           dev      .env:5

  ok   env  env.ignored: Git ignores `.env`

1 ok, 0 warn, 0 err, 0 skip in [TIME]

"#]],
        str![],
    );
    assert_eq!(sandbox.read(".gitignore"), "*.pyc\n.env\n");
}

#[test]
fn the_repository_of_a_hook_is_another_one() {
    let hook = Sandbox::empty().file("a", "").git();
    let sandbox = Sandbox::project().file(".env", "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\n").git();
    // As Git sets them for the hooks of a repository.
    let mut health = sandbox.xtask("health --only env.ignored").env("GIT_DIR", hook.root().join(".git"));
    for (name, value) in [("GIT_WORK_TREE", "."), ("GIT_INDEX_FILE", ".git/index"), ("GIT_PREFIX", "sub/")] {
        health = health.env(name, hook.root().join(value));
    }
    let output = health.output().expect("it starts");
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(messages.contains("Git tracks `.env`"), "{messages}");
}
