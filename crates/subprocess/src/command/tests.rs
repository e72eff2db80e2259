//! Programs that end, hang, flood, are interrupted, or leave others behind.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(200);

#[test]
fn output_and_exit_status() {
    let finished = Command::new("sh", ["-c", "cat; echo $FRUIT; echo sour >&2; exit 3"])
        .envs([("FRUIT", "lemon")])
        .stdin("fresh ")
        .run(&Deadline::within(LONG))
        .expect("sh runs");
    assert_eq!(finished.stdout(), "fresh lemon\n");
    assert_eq!(finished.failure_reason(), "sour");
    assert!(!finished.is_success());
}

#[test]
fn a_failing_program_without_output_is_reported_by_its_status() {
    let finished = Command::new("false", [""; 0]).run(&Deadline::within(LONG)).expect("false runs");
    assert_eq!(finished.failure_reason(), "exit status: 1");
}

#[test]
fn a_program_that_is_wanted_no_longer_is_stopped() {
    let stopped = Deadline::unless(Arc::new(AtomicBool::new(true)), LONG, LONG);
    let error = Command::new("sleep", ["64.25"]).run(&stopped).expect_err("it is stopped");
    assert_eq!(error.to_string(), "`sleep` was stopped");
}

#[test]
fn a_program_that_a_signal_ends_was_interrupted_and_stops_the_rest() {
    for (script, is_interrupted) in [
        ("kill -INT $$", true),
        ("kill -TERM $$", true),
        ("kill -HUP $$", true),
        ("exit 130", true),
        ("kill -KILL $$", false),
        ("kill -SEGV $$", false),
        ("exit 1", false),
    ] {
        let flag = Arc::new(AtomicBool::new(false));
        let ended = Command::new("sh", ["-c", script]).run(&Deadline::unless(Arc::clone(&flag), LONG, LONG));
        assert_eq!(ended.is_err_and(|error| error.is_interrupted()), is_interrupted, "{script}");
        assert_eq!(flag.load(std::sync::atomic::Ordering::Relaxed), is_interrupted, "{script}");
    }
}

#[test]
fn a_missing_program_is_named() {
    let error = Command::new("no-such-program", [""; 0]).run(&Deadline::within(LONG)).expect_err("there is none");
    assert!(error.is_not_found());
    assert_eq!(error.to_string(), "command not found: `no-such-program`");
}

/// The processes that were started as `sleep MARK`.
#[cfg(target_os = "linux")]
fn sleepers(mark: &str) -> Vec<PathBuf> {
    let command_line = format!("sleep\0{mark}\0");
    let processes = std::fs::read_dir("/proc").expect("the processes of this machine");
    let processes = processes.filter_map(|process| Some(process.ok()?.path().join("cmdline")));
    // One that cannot be read has just ended.
    processes.filter(|path| std::fs::read(path).is_ok_and(|line| line == command_line.as_bytes())).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn a_hanging_program_is_killed_with_its_children() {
    for (mark, script) in [("61.25", "sleep 61.25"), ("62.25", "trap '' TERM; sleep 62.25 & wait; wait")] {
        let error = Command::new("sh", ["-c", script]).run(&Deadline::within(SHORT)).expect_err("it hangs");
        assert_eq!(error.to_string(), "no response in 0.2 s from `sh`", "{script}");
        assert_eq!(sleepers(mark), Vec::<PathBuf>::new(), "{script}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_program_that_has_ended_is_not_held_up_by_those_it_leaves_behind() {
    let finished = Command::new("sh", ["-c", "echo done; sleep 63.25 & exit 0"]).run(&Deadline::within(LONG));
    assert_eq!(finished.expect("it ends").stdout(), "done\n");
    assert_eq!(sleepers("63.25"), Vec::<PathBuf>::new());
    // A daemon is out of reach.
    let finished = Command::new("sh", ["-c", "echo done; setsid sleep 1.5 & exit 0"]).run(&Deadline::within(LONG));
    assert_eq!(finished.expect("it ends").stdout(), "done\n");
}

#[test]
fn of_very_much_output_the_end_is_kept() {
    let flood = "yes | head -c 40000000; echo the end";
    let finished = Command::new("sh", ["-c", flood]).run(&Deadline::within(LONG)).expect("sh runs");
    assert_eq!(finished.stdout().len(), MAX_OUTPUT);
    assert!(finished.stdout().ends_with("the end\n"));
}

#[test]
fn output_before_a_kill_is_kept() {
    let error = Command::new("sh", ["-c", "echo so far; sleep 67.25"]).run(&Deadline::within(SHORT));
    assert_eq!(error.expect_err("it hangs").stdout(), "so far\n");
}
