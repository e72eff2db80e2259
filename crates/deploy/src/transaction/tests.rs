//! The transaction over a backend in memory, which fails, is interrupted or is killed at every one of its steps.

mod memory;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use memory::{Fault, Machine, Target};

/// Every step of a deploy that succeeds, as the backend numbers them.
fn steps_of_a_deploy() -> usize {
    let machine = Machine::new();
    machine.deploy("v1", &[]);
    machine.steps()
}

/// Checks the properties that hold after every deploy, successful or not.
#[track_caller]
fn check(machine: &Machine, deployed: &str, previous: Option<&str>) {
    let target = machine.target();
    let serving = target.serving.as_deref();
    assert!(
        serving == Some(deployed) || serving == previous,
        "`{serving:?}` serves, neither `{deployed}` nor `{previous:?}`: {target:?}"
    );
    for record in machine.records() {
        if record.result == Status::Deployed {
            // The record does not claim a step that did not happen.
            assert!(target.history.contains(&record.contents["app"]), "{record:?} never served: {target:?}");
        }
        assert!(
            record.migrations.iter().all(|migration| target.migrations.contains(migration)),
            "{record:?} claims migrations that were not applied: {target:?}"
        );
    }
}

/// Checks that the target holds the release that serves, and nothing else.
#[track_caller]
fn check_clean(machine: &Machine) {
    let target = machine.target();
    let expected: BTreeSet<String> = target.serving.iter().cloned().collect();
    assert_eq!(target.installed, expected, "{target:?}");
    assert!(!target.has_canary, "{target:?}");
    assert!(machine.records().iter().all(|record| record.result != Status::UnderWay));
}

#[test]
fn a_deploy_ends_with_the_new_release_and_a_clean_target() {
    let machine = Machine::new();
    let verdict = machine.deploy("v1", &[]);
    assert_eq!((verdict.exit, verdict.outcome), (Exit::Done, Some(Outcome::Deployed)));
    check(&machine, "v1", None);
    check_clean(&machine);
    let verdict = machine.deploy("v1", &[]);
    assert_eq!((verdict.exit, verdict.outcome), (Exit::Done, Some(Outcome::Unchanged)));
    let verdict = machine.deploy("v2", &[]);
    assert_eq!((verdict.exit, verdict.outcome), (Exit::Done, Some(Outcome::Deployed)));
    check(&machine, "v2", Some("v1"));
    check_clean(&machine);
}

#[test]
fn work_that_was_cut_is_recorded() {
    let machine = Machine::new();
    machine.deploy("v1", &[]);
    assert_eq!(machine.deploy("v2", &[Fault::CutWork]).exit, Exit::Done);
    let cut = |machine: &Machine| machine.records().into_iter().map(|record| record.cut.len()).collect::<Vec<_>>();
    assert_eq!(cut(&machine), [0, 1]);
    // The rollback of a failed release can cut work, too.
    let verdict = machine.deploy("v3", &[Fault::CutWork, Fault::Fail(steps_of_a_deploy() - 3)]);
    assert_eq!(verdict.exit, Exit::RolledBack);
    assert_eq!(cut(&machine), [0, 1, 1]);
    check(&machine, "v2", None);
}

#[test]
fn a_rollback_goes_back_to_the_release_before() {
    let machine = Machine::new();
    machine.deploy("v1", &[]);
    machine.deploy("v2", &[]);
    let verdict = machine.roll_back(&[]);
    assert_eq!((verdict.exit, verdict.outcome), (Exit::Done, Some(Outcome::Deployed)));
    assert!(verdict.rollback_to.is_some());
    assert_eq!(machine.target().serving.as_deref(), Some("v1"));
    check_clean(&machine);
    // There is no release before the first.
    assert_eq!(machine.roll_back(&[]).exit, Exit::NotMet);
}

#[test]
fn a_failure_at_any_step_leaves_the_previous_release_serving() {
    for step in 0..steps_of_a_deploy() {
        let machine = Machine::new();
        machine.deploy("v1", &[]);
        let verdict = machine.deploy("v2", &[Fault::Fail(step)]);
        check(&machine, "v2", Some("v1"));
        let committed = machine.target().serving.as_deref() == Some("v2");
        // A failure after the commit is one of the clean-up; one before the record is written changes nothing.
        let expected = [if committed { Exit::Failed } else { Exit::RolledBack }, Exit::Failed, Exit::Done];
        assert!(expected.contains(&verdict.exit), "step {step}: {verdict:?}");
        assert_eq!(verdict.exit == Exit::RolledBack, verdict.is_rolled_back, "step {step}");
        // Then a deploy without a fault cleans up and succeeds.
        let verdict = machine.deploy("v2", &[]);
        assert_eq!(verdict.exit, Exit::Done, "step {step}: {verdict:?}");
        assert_eq!(machine.target().serving.as_deref(), Some("v2"), "step {step}");
        check_clean(&machine);
    }
}

#[test]
fn a_signal_at_any_step_ends_with_one_of_the_two_releases() {
    for step in 0..steps_of_a_deploy() {
        let machine = Machine::new();
        machine.deploy("v1", &[]);
        let verdict = machine.deploy("v2", &[Fault::Interrupt(step)]);
        check(&machine, "v2", Some("v1"));
        let serves_new = machine.target().serving.as_deref() == Some("v2");
        assert_eq!(verdict.exit == Exit::Interrupted, !serves_new, "step {step}: {verdict:?}");
        assert_eq!(machine.deploy("v2", &[]).exit, Exit::Done, "step {step}");
        check_clean(&machine);
    }
}

#[test]
fn a_kill_at_any_step_is_recovered_by_the_next_deploy() {
    for step in 0..steps_of_a_deploy() {
        let machine = Machine::new();
        machine.deploy("v1", &[]);
        let before = machine.target().serving.clone();
        assert!(machine.survives("v2", &[Fault::Kill(step)]).is_none(), "step {step} was not reached");
        check(&machine, "v2", before.as_deref());
        assert_eq!(machine.deploy("v3", &[]).exit, Exit::Done, "step {step}");
        assert_eq!(machine.target().serving.as_deref(), Some("v3"), "step {step}");
        check_clean(&machine);
    }
}

#[test]
fn a_rollback_that_fails_is_reported_and_repeated_by_the_next_deploy() {
    for step in 0..steps_of_a_deploy() {
        let machine = Machine::new();
        machine.deploy("v1", &[]);
        let verdict = machine.deploy("v2", &[Fault::Fail(step), Fault::FailRollback]);
        check(&machine, "v2", Some("v1"));
        if verdict.exit == Exit::RollbackFailed {
            assert!(verdict.problems[0].message.contains("the rollback failed, too"), "{verdict:?}");
        }
        assert_eq!(machine.deploy("v2", &[]).exit, Exit::Done, "step {step}");
        check_clean(&machine);
    }
}

#[test]
fn a_first_deploy_that_fails_leaves_nothing() {
    for step in 0..steps_of_a_deploy() {
        let machine = Machine::new();
        let verdict = machine.deploy("v1", &[Fault::Fail(step)]);
        if verdict.exit == Exit::RolledBack {
            assert!(machine.target().installed.is_empty(), "step {step}: {:?}", machine.target());
            assert!(verdict.problems[0].message.contains("no release serves"), "{verdict:?}");
        }
        check(&machine, "v1", None);
    }
}

#[test]
fn a_second_deploy_at_the_same_time_is_refused() {
    let machine = Machine::new();
    let lock = Lock::take(machine.project()).expect("free");
    let verdict = machine.deploy("v1", &[]);
    assert_eq!(verdict.exit, Exit::Locked);
    assert_eq!(*machine.target(), Target::default());
    drop(lock);
    assert_eq!(machine.deploy("v1", &[]).exit, Exit::Done);
}

#[test]
fn a_declined_change_leaves_nothing_behind() {
    let machine = Machine::new();
    machine.deploy("v1", &[]);
    let verdict = machine.deploy("v2", &[Fault::Decline]);
    assert_eq!(verdict.exit, Exit::NotMet);
    check_clean(&machine);
    assert_eq!(machine.records().len(), 1);
}

#[test]
fn a_dry_run_changes_nothing() {
    let machine = Machine::new();
    let verdict = machine.dry_run("v1");
    assert_eq!((verdict.exit, verdict.outcome), (Exit::Done, Some(Outcome::Planned)));
    assert_eq!(*machine.target(), Target::default());
    assert!(machine.records().is_empty());
}

#[test]
fn applied_migrations_are_reported_with_a_failure() {
    let machine = Machine::new();
    machine.deploy("v1", &[]);
    let after_migrations = machine.step_named("cut over");
    let verdict = machine.deploy("v2", &[Fault::Fail(after_migrations)]);
    let message = &verdict.problems[0].message;
    assert!(
        message.contains("1 migration stays applied; the database from before them is in `db.before-"),
        "{message}"
    );
}

#[test]
fn a_rollback_to_a_release_that_the_migrations_have_broken_fails() {
    let machine = Machine::new();
    machine.deploy("v1", &[]);
    let watch = machine.step_named("watch");
    let verdict = machine.deploy("v2", &[Fault::DestructiveMigration, Fault::Fail(watch)]);
    assert_eq!((verdict.exit, verdict.is_rolled_back), (Exit::RollbackFailed, true));
    let [failed, unhealthy] = verdict.problems.as_slice() else { panic!("{:?}", verdict.problems) };
    assert!(!failed.message.contains("serves again"), "{failed:?}");
    assert!(unhealthy.message.contains("is unhealthy: answers 500"), "{unhealthy:?}");
    assert!(unhealthy.message.contains("`v2.0001`"), "{unhealthy:?}");
    assert!(unhealthy.hint.as_ref().is_some_and(|hint| hint.starts_with("restore db.before-")), "{unhealthy:?}");
    // The code was rolled back all the same: the next deploy has nothing to recover.
    check_clean(&machine);
    // The same after a kill, which the next run recovers from.
    let machine = Machine::new();
    machine.deploy("v1", &[]);
    assert!(machine.survives("v2", &[Fault::DestructiveMigration, Fault::Kill(watch)]).is_none());
    let verdict = machine.deploy("v3", &[]);
    assert_eq!(verdict.exit, Exit::RollbackFailed);
    assert_eq!(machine.deploy("v3", &[]).exit, Exit::Done);
}

#[test]
fn the_hint_of_a_failure_stays_after_its_rollback() {
    let machine = Machine::new();
    machine.deploy("v1", &[]);
    let verdict = machine.deploy("v2", &[Fault::Fail(machine.step_named("watch"))]);
    let problem = &verdict.problems[0];
    assert!(problem.message.starts_with("`watch` failed\n  rolled back: the previous release serves again"));
    assert_eq!(problem.hint.as_deref(), Some("try again"));
}

#[test]
fn a_release_that_was_unhealthy_before_is_no_failure_of_the_rollback() {
    let machine = Machine::new();
    machine.deploy("v1", &[]);
    let watch = machine.step_named("watch");
    let verdict = machine.deploy("v2", &[Fault::UnhealthyBefore, Fault::Fail(watch)]);
    assert_eq!(verdict.exit, Exit::RolledBack);
}

/// Makes a program a hook of the project.
fn add_hook(machine: &Machine, name: &str, program: &str) {
    let folder = machine.project().root.join("deploy/hooks");
    std::fs::create_dir_all(&folder).expect("a folder");
    let _ = std::fs::remove_file(folder.join(name));
    std::os::unix::fs::symlink(program, folder.join(name)).expect("linked");
}

#[test]
fn hooks_know_the_release_and_the_result() {
    let machine = Machine::new();
    std::fs::write(machine.project().env_file(), "XTASK_USER_TOKEN=hunter2hunter2\n").expect("written");
    for name in ["pre-deploy", "post-deploy", "failed-deploy"] {
        add_hook(&machine, name, "/usr/bin/env");
    }
    let verdict = machine.deploy("v1", &[]);
    let release = verdict.release.expect("a release");
    let check = |hook: &str, result: &str| {
        let printed = machine.printed();
        let [hook, result] = [format!("XTASK_HOOK={hook}\n"), format!("XTASK_RESULT={result}\n")];
        assert!(printed.contains(&hook) && printed.contains(&result), "{printed}");
    };
    check("pre-deploy", "planned");
    check("post-deploy", "deployed");
    assert_eq!(machine.printed().matches(&format!("XTASK_RELEASE={release}\n")).count(), 2);
    assert!(!machine.printed().contains("failed-deploy"));
    machine.deploy("v2", &[Fault::Fail(machine.step_named("watch"))]);
    check("failed-deploy", "rolled-back");
    // Nothing changes, and no hook runs.
    machine.deploy("v1", &[]);
    assert_eq!(machine.printed(), "");
    machine.dry_run("v2");
    assert_eq!(machine.printed(), "");
}

#[test]
fn a_hook_before_a_deploy_can_prevent_it() {
    let machine = Machine::new();
    machine.deploy("v1", &[]);
    add_hook(&machine, "pre-deploy", "/bin/false");
    let verdict = machine.deploy("v2", &[]);
    assert_eq!(verdict.exit, Exit::NotMet);
    assert_eq!(verdict.problems[0].message, "`deploy/hooks/pre-deploy` failed: exit status: 1");
    assert_eq!((machine.target().serving.as_deref(), machine.records().len()), (Some("v1"), 1));
    check_clean(&machine);
    // One after it changes nothing any more.
    add_hook(&machine, "pre-deploy", "/bin/true");
    add_hook(&machine, "post-deploy", "/dev/null");
    let verdict = machine.deploy("v2", &[]);
    assert_eq!((verdict.exit, machine.target().serving.as_deref()), (Exit::Done, Some("v2")));
    assert!(machine.printed().contains("`deploy/hooks/post-deploy` is not executable"), "{}", machine.printed());
}

#[test]
fn a_rollback_whose_program_is_interrupted_is_repeated() {
    let begun = std::cell::Cell::new(0);
    let interrupted_until = |last| {
        begun.set(0);
        repeat_if_interrupted(|| {
            begun.set(begun.get() + 1);
            if begun.get() < last { Err(Failure::interrupted("Ctrl-C").into()) } else { Ok(()) }
        })
    };
    assert!(interrupted_until(3).is_ok());
    assert_eq!(begun.get(), 3);
    assert!(interrupted_until(usize::MAX).is_err());
    assert_eq!(begun.get(), ATTEMPTS);
    // Another failure is not solved by repeating the rollback.
    begun.set(0);
    let failed = repeat_if_interrupted(|| {
        begun.set(begun.get() + 1);
        Err(anyhow::anyhow!("no such unit"))
    });
    assert!(failed.is_err() && begun.get() == 1);
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        (0..20_usize).prop_map(Fault::Fail),
        (0..20_usize).prop_map(Fault::Interrupt),
        (0..20_usize).prop_map(Fault::Kill),
        Just(Fault::FailRollback),
        Just(Fault::KillRollback),
        Just(Fault::KillRecovery),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Deploys with any two faults each, one after the other: some release serves after each of them, and a deploy without
    /// a fault ends with its own release and nothing left over.
    #[test]
    fn any_faults_in_a_row_are_recovered(runs in prop::collection::vec(prop::collection::vec(fault(), 0..3), 1..5)) {
        let machine = Machine::new();
        machine.deploy("v0", &[]);
        // The release that a rollback or a recovery has to restore.
        let mut committed = "v0".to_owned();
        for (index, faults) in runs.iter().enumerate() {
            let version = format!("v{}", index + 1);
            let verdict = machine.survives(&version, faults);
            let serving = machine.target().serving.clone();
            let serving = serving.expect("some release serves");
            let is_done = verdict.is_some_and(|verdict| verdict.exit == Exit::Done);
            prop_assert!(serving == version || (serving == committed && !is_done), "{serving} after {version}");
            let records = machine.records();
            let last = records.iter().rev().find(|record| record.result == Status::Deployed);
            committed.clone_from(&last.expect("the first deploy").contents["app"]);
        }
        let verdict = machine.deploy("last", &[]);
        prop_assert_eq!(verdict.exit, Exit::Done);
        prop_assert_eq!(machine.target().serving.clone(), Some("last".to_owned()));
        check_clean(&machine);
    }
}
