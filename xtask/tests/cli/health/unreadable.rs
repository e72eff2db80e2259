//! A `.env` that cannot be read: nothing is judged by the defaults of the axes, and nothing is changed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use snapbox::str;

use super::healthy;
use crate::sandbox::Sandbox;

#[test]
fn without_a_readable_file_nothing_else_is_judged() {
    let sandbox = Sandbox::project().shims(&["uv", "python", "docker"]);
    fs::create_dir(sandbox.root().join(".env")).expect("made");
    sandbox.check(
        "health",
        1,
        str![[r#"
environment    unknown: `.env` cannot be read
deploy method  unknown: `.env` cannot be read
mode           unknown: `.env` cannot be read

env
 err   env.file  `[ROOT]/.env` is not a file

0 ok, 0 warn, 1 err, 6 skip in [TIME]

"#]],
        str![],
    );
    sandbox.check("health --only core.venv,env.file --format json", 1, str![[r#"
{"schema":1,"environment":{"value":"dev","source":"unknown: `.env` cannot be read"},"deploy_method":{"value":"bare","source":"unknown: `.env` cannot be read"},"mode":"dev","summary":{"ok":0,"warn":0,"err":1,"skip":1},"elapsed_ms":[MS],"checks":[{"group":"env","check":"file","status":"err","message":"`[ROOT]/.env` is not a file","hint":null,"elapsed_ms":[MS]},{"group":"core","check":"venv","status":"skip","message":"`.env` cannot be read","hint":null,"elapsed_ms":[MS]}]}

"#]], str![]);
    sandbox.check(
        "health --fix --yes --only env.file,env.mode",
        1,
        str![[r#"
environment    unknown: `.env` cannot be read
deploy method  unknown: `.env` cannot be read
mode           unknown: `.env` cannot be read

env
 err   env.file  `[ROOT]/.env` is not a file

0 ok, 0 warn, 1 err, 1 skip in [TIME]

"#]],
        str![],
    );
    sandbox.check(
        "install --yes",
        1,
        str![],
        str![[r#"
error: `[ROOT]/.env` is not a file

"#]],
    );
    sandbox.check(
        "detect",
        1,
        str![],
        str![[r#"
error: `[ROOT]/.env` is not a file

"#]],
    );
    sandbox.check("deploy-docker --yes", 3, str![], str!["..."]);
    sandbox.check("deploy-systemd --yes", 3, str![], str!["..."]);
}

/// The user of the tests owns the file; for root, who reads everything, another user runs the command.
#[test]
fn the_owner_of_an_unreadable_file_is_reported() {
    let sandbox = healthy();
    let is_root = Path::new("/proc/self").metadata().expect("this process").uid() == 0;
    let xtask = env!("CARGO_BIN_EXE_xtask");
    let run = |args: &[&str]| {
        let as_other = ["setpriv", "--reuid", "65534", "--clear-groups"];
        let words: Vec<&str> =
            as_other.into_iter().filter(|_| is_root).chain([xtask]).chain(args.iter().copied()).collect();
        duct::cmd(words[0], &words[1..]).env("PATH", std::env::join_paths(paths(&sandbox)).expect("a PATH")).dir("/")
    };
    fs::set_permissions(sandbox.root(), Permissions::from_mode(0o755)).expect("ours");
    fs::set_permissions(sandbox.root().join(".env"), Permissions::from_mode(if is_root { 0o600 } else { 0 }))
        .expect("ours");
    // Another user may have no access to the binary.
    if !run(&["--version"]).stdout_null().stderr_null().unchecked().run().is_ok_and(|output| output.status.success()) {
        return;
    }
    let root = sandbox.root().display().to_string();
    let printed = run(&["health", "--project", &root]).stderr_to_stdout().unchecked().read().expect("it runs");
    for expected in
        ["unknown: `.env` cannot be read", "Permission denied (os error 13): `", "` belongs to `", "Next steps\n  1. "]
    {
        assert!(printed.contains(expected), "{expected} is not in {printed}");
    }
    assert!(!printed.contains("core.") && !printed.contains("django."), "{printed}");
    let printed =
        run(&["install", "--yes", "--project", &root]).stderr_to_stdout().unchecked().read().expect("it runs");
    assert!(printed.contains("` belongs to `"), "{printed}");
}

/// The shims, and the folders of `setpriv`.
fn paths(sandbox: &Sandbox) -> Vec<String> {
    sandbox.path().split(':').map(str::to_owned).chain(["/usr/bin".into(), "/bin".into()]).collect()
}
