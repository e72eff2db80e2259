//! `cargo xtask health` among programs that hang: each costs its timeout and no more, and none outlives the command.
//!
//! A timeout in these tests is either one that must expire, or so long that a busy machine does not reach it: where
//! another check has to respond before it expires, it is 10 s.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use duct::cmd;
use snapbox::str;

use super::healthy;
use crate::sandbox::Sandbox;

/// The processes that the command of this sandbox has started as `sleep MARK`, however indirectly: they inherit the
/// variable that names the sandbox.
fn sleepers(sandbox: &Sandbox, mark: &str) -> Vec<PathBuf> {
    let command_line = format!("sleep\0{mark}\0");
    let variable = format!("SANDBOX={}\0", sandbox.root().display());
    let contains = |file: PathBuf, text: &str| {
        // One that cannot be read has just ended, or belongs to another user.
        fs::read(file).is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    };
    let processes = fs::read_dir("/proc").expect("the processes of this machine");
    let processes = processes.filter_map(|process| Some(process.ok()?.path()));
    let is_meant = |process: &PathBuf| {
        contains(process.join("cmdline"), &command_line) && contains(process.join("environ"), &variable)
    };
    processes.filter(is_meant).collect()
}

#[track_caller]
fn no_sleeper_is_left(sandbox: &Sandbox, mark: &str) {
    assert_eq!(sleepers(sandbox, mark), Vec::<PathBuf>::new(), "left behind");
}

#[test]
fn a_python_that_ignores_term() {
    let sandbox = healthy().relink(".venv", "venv-hanging");
    sandbox.check(
        "health --only core.venv,django --timeout 300ms",
        1,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

core
 err   core.venv     `.venv` does not start: no response in 0.3 s from `[ROOT]/.venv/bin/python`

django
 err   django.check  no response in 0.3 s from `[ROOT]/.venv/bin/python`

Next steps
  1. cargo xtask install --project '[ROOT]'   (core.venv)
  2. cargo xtask health --project '[ROOT]' --timeout 3s   (django.check)

0 ok, 0 warn, 2 err, 3 skip in [TIME]

"#]],
        str![],
    );
    no_sleeper_is_left(&sandbox, "71.25");
}

#[test]
fn a_database_that_hangs_takes_nothing_with_it() {
    let sandbox = healthy().relink(".venv", "venv-hanging-database");
    sandbox.check(
        "health --only django --timeout 10s",
        1,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

django
 err   django.database  no response in 10 s from `[ROOT]/.venv/bin/python`

Next steps
  1. cargo xtask health --project '[ROOT]' --timeout 30s   (django.database)

2 ok, 0 warn, 1 err, 1 skip in [TIME]

"#]],
        str![],
    );
    no_sleeper_is_left(&sandbox, "72.25");
}

/// The program has exited, and the children that it left behind delay nothing.
#[test]
fn a_uv_whose_child_holds_the_pipe() {
    let sandbox = healthy().shims(&["uv-hanging", "python"]);
    sandbox.check(
        "health --only core.uv,core.lock --timeout 10m --deadline 10m",
        0,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

  ok   core  2 checks

2 ok, 0 warn, 0 err, 0 skip in [TIME]

"#]],
        str![],
    );
    no_sleeper_is_left(&sandbox, "73.25");
}

/// Ctrl-C reaches only this process: the programs that it has started are in process groups of their own.
#[test]
fn an_interrupted_run_leaves_no_process() {
    let sandbox = healthy().relink(".venv", "venv-hanging");
    let args = ["health", "--only", "django", "--timeout", "10m", "--deadline", "10m", "--project"].map(OsString::from);
    let command = cmd(env!("CARGO_BIN_EXE_xtask"), args.into_iter().chain([sandbox.root().into()]));
    let command = command
        .env("PATH", sandbox.path())
        .env("SANDBOX", sandbox.root())
        .stdout_capture()
        .stderr_capture()
        .unchecked();
    let handle = command.start().expect("started");
    while sleepers(&sandbox, "71.25").is_empty() {
        assert!(handle.try_wait().expect("waited for").is_none(), "it has ended");
        std::thread::yield_now();
    }
    for pid in handle.pids() {
        cmd!("kill", "-INT", pid.to_string()).run().expect("interrupted");
    }
    let output = handle.wait().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "error: interrupted during `health`\n");
    assert!(output.stdout.is_empty(), "half a report");
    no_sleeper_is_left(&sandbox, "71.25");
}

#[test]
fn all_of_them_under_one_deadline() {
    let sandbox = healthy().relink(".venv", "venv-hanging").shims(&["uv-hanging", "python"]);
    sandbox.check(
        "health --only core.lock,django --deadline 10s",
        1,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

  ok   core    core.lock: `.venv` is in step with `uv.lock`

django
 err   django.check  no response in 10 s from `[ROOT]/.venv/bin/python`

Next steps
  1. cargo xtask health --project '[ROOT]' --timeout 30s   (django.check)

1 ok, 0 warn, 1 err, 3 skip in [TIME]

"#]],
        str![],
    );
    no_sleeper_is_left(&sandbox, "71.25");
    no_sleeper_is_left(&sandbox, "73.25");
}
