//! `cargo xtask update`: real Git, with an upstream in another folder.

use std::path::Path;

use snapbox::str;

use crate::sandbox::Sandbox;

const ENV: &str = "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\nDJANGO_DEBUG=1\nDJANGO_SECRET_KEY=a-key-that-is-long-enough-for-all-uses-0123456789\n\
                   DJANGO_ALLOWED_HOSTS=localhost\nCELERY_TASK_ALWAYS_EAGER=1\n";

/// A checkout with `.env`, its upstream, and another clone of that to push from.
struct Checkout {
    sandbox: Sandbox,
    upstream: tempfile::TempDir,
}

fn git(dir: &Path, args: &[&str]) -> String {
    let user = ["-c", "user.name=me", "-c", "user.email=me@here"];
    duct::cmd("git", [&user[..], args].concat()).dir(dir).stderr_null().read().expect("Git answers")
}

impl Checkout {
    fn new(shims: &[&'static str]) -> Self {
        let sandbox = Sandbox::project().shims(shims).file(".gitignore", ".env\n.venv\n.xtask\n").git();
        sandbox.write(".env", ENV);
        let upstream = tempfile::tempdir().expect("a folder");
        let origin = upstream.path().join("origin");
        git(sandbox.root(), &["clone", "--quiet", "--bare", ".", &origin.to_string_lossy()]);
        git(sandbox.root(), &["remote", "add", "origin", &origin.to_string_lossy()]);
        git(sandbox.root(), &["fetch", "--quiet", "origin"]);
        let branch = git(sandbox.root(), &["branch", "--show-current"]);
        git(sandbox.root(), &["branch", "--quiet", &format!("--set-upstream-to=origin/{branch}")]);
        git(upstream.path(), &["clone", "--quiet", "origin", "other"]);
        Checkout { sandbox, upstream }
    }

    /// Another developer pushes a commit with this file.
    fn push(&self, file: &str) {
        let other = self.upstream.path().join("other");
        std::fs::create_dir_all(other.join(file).parent().expect("inside")).expect("a folder");
        std::fs::write(other.join(file), "").expect("written");
        git(&other, &["add", "--all"]);
        git(&other, &["commit", "--quiet", "-m", &format!("add {file}")]);
        git(&other, &["push", "--quiet"]);
    }

    fn head(&self) -> String {
        git(self.sandbox.root(), &["log", "-1", "--format=%s"])
    }
}

#[test]
fn the_upstream_is_shown_and_installed() {
    let checkout = Checkout::new(&["uv", "python"]);
    let sandbox = &checkout.sandbox;
    sandbox.check(
        "update",
        0,
        str![[r#"
up to date with `origin/master`: [..] "1"

"#]],
        str![[""]],
    );
    checkout.push("shop/migrations/0002_more.py");
    checkout.push("new");
    sandbox.check(
        "update --check",
        1,
        str![[r#"
2 new commits in `origin/master`
  [..] add new
  [..] add shop/migrations/0002_more.py
with 1 migration: `shop.0002_more`

"#]],
        str![[""]],
    );
    sandbox.check(
        "update --dry-run",
        0,
        str![[r#"
2 new commits in `origin/master`
  [..] add new
  [..] add shop/migrations/0002_more.py
with 1 migration: `shop.0002_more`
would fast-forward the checkout, then: cargo xtask install --project '[ROOT]' --yes --no-deploy

"#]],
        str![[""]],
    );
    assert_eq!(checkout.head(), "1");
    sandbox.check(
        "update",
        0,
        str![[r#"
2 new commits in `origin/master`
  [..] add new
  [..] add shop/migrations/0002_more.py
with 1 migration: `shop.0002_more`
dev+bare in [ROOT]: nothing had to be changed
  .env: unchanged
    DJANGO_ENV                dev        kept
    DEPLOY_METHOD             bare       kept
    DJANGO_DEBUG              1          kept
    DJANGO_SECRET_KEY         ********   kept
    DJANGO_ALLOWED_HOSTS      localhost  kept
    CELERY_BROKER_URL                    not set
    CELERY_TASK_ALWAYS_EAGER  1          kept

Next steps
  cargo xtask run --project '[ROOT]'      start the development server: http://localhost:8000/
  cargo xtask health --project '[ROOT]'   check the health, and show how to fix problems

"#]],
        str![[r#"
  ok   checkout  [..] "add new"
  ok   preflight  python3 is 3.12.1, uv 9.9.9
  ok   .env  as it should be
  ok   core.lock  `.venv` is in step with `uv.lock`
  ok   django.check  no issues
  ok   django.settings  1 value as in `.env`
  ok   django.migrations  all applied
  ok   django.database  answers

"#]],
    );
    assert_eq!(checkout.head(), "add new");
    assert!(!sandbox.has(".git/xtask-update"));
    sandbox.xtask("update --check").assert().code(0);
}

#[test]
fn a_failed_update_goes_back() {
    let checkout = Checkout::new(&["uv-failing", "python"]);
    checkout.push("new");
    checkout.sandbox.check(
        "update",
        1,
        str![[r#"
1 new commit in `origin/master`
  [..] add new

"#]],
        str![[r#"
  ok   checkout  [..] "add new"
  ok   preflight  python3 is 3.12.1, uv 9.9.9
  ok   .env  as it should be
 err   uv sync  [SHORT]
     | error: no way: uv sync
error: `uv sync` failed: exit status: 2; the answers are kept in `.env`
hint: cargo xtask install --project '[ROOT]' --no-deploy --yes
  ok   preflight  python3 is 3.12.1, uv 9.9.9
  ok   .env  as it should be
 err   uv sync  [SHORT]
     | error: no way: uv sync
error: `uv sync` failed: exit status: 2; the answers are kept in `.env`
hint: cargo xtask install --project '[ROOT]' --no-deploy --yes
error: the update failed, see above: the checkout is back at [..] "1"; migrations that were applied stay

"#]],
    );
    assert_eq!(checkout.head(), "1");
    assert!(!checkout.sandbox.has(".git/xtask-update"));
}

#[test]
fn an_update_that_was_killed_is_completed() {
    let checkout = Checkout::new(&["uv", "python"]);
    let before = git(checkout.sandbox.root(), &["rev-parse", "HEAD"]);
    checkout.push("new");
    git(checkout.sandbox.root(), &["pull", "--quiet", "--ff-only"]);
    checkout.sandbox.write(".git/xtask-update", before);
    checkout.sandbox.check(
        "update",
        0,
        str![[r#"
dev+bare in [ROOT]: nothing had to be changed
  .env: unchanged
    DJANGO_ENV                dev        kept
    DEPLOY_METHOD             bare       kept
    DJANGO_DEBUG              1          kept
    DJANGO_SECRET_KEY         ********   kept
    DJANGO_ALLOWED_HOSTS      localhost  kept
    CELERY_BROKER_URL                    not set
    CELERY_TASK_ALWAYS_EAGER  1          kept

Next steps
  cargo xtask run --project '[ROOT]'      start the development server: http://localhost:8000/
  cargo xtask health --project '[ROOT]'   check the health, and show how to fix problems

"#]],
        str![[r#"
an earlier update from [..] "1" was not finished: it is completed
  ok   checkout  [..] "add new"
  ok   preflight  python3 is 3.12.1, uv 9.9.9
  ok   .env  as it should be
  ok   core.lock  `.venv` is in step with `uv.lock`
  ok   django.check  no issues
  ok   django.settings  1 value as in `.env`
  ok   django.migrations  all applied
  ok   django.database  answers

"#]],
    );
    assert!(!checkout.sandbox.has(".git/xtask-update"));
}

#[test]
fn a_checkout_that_cannot_be_updated_is_left_alone() {
    Sandbox::project().file(".env", ENV).check(
        "update",
        3,
        str![[""]],
        str![[r#"
error: the checkout is on no branch of Git, and so has no upstream
hint: git switch BRANCH

"#]],
    );
    let sandbox = Sandbox::project().file(".env", ENV).git();
    sandbox.check(
        "update",
        3,
        str![[""]],
        str![[r#"
error: the branch `master` has no upstream to fetch from
hint: git branch --set-upstream-to=origin/master

"#]],
    );
    let checkout = Checkout::new(&["uv", "python"]);
    checkout.push("new");
    let sandbox = &checkout.sandbox;
    sandbox.write("manage.py", "changed");
    sandbox.check(
        "update",
        3,
        str![[""]],
        str![[r#"
error: the checkout has uncommitted changes in 1 tracked file, such as `manage.py`
hint: git stash, or git commit

"#]],
    );
    git(sandbox.root(), &["commit", "--quiet", "--all", "-m", "own"]);
    sandbox.check(
        "update",
        3,
        str![[""]],
        str![[r#"
error: the checkout has 1 commit that `origin/master` has not, and cannot be fast-forwarded
hint: git rebase origin/master

"#]],
    );
    assert_eq!((checkout.head().as_str(), sandbox.read("manage.py").as_str()), ("own", "changed"));
    std::fs::remove_dir_all(checkout.upstream.path().join("origin")).expect("removed");
    sandbox.check(
        "update --check",
        3,
        str![[""]],
        str![[r#"
error: `git fetch` fails in `[ROOT]`: fatal: '[..]/origin' does not appear to be a git repository

"#]],
    );
}
