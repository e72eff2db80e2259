//! The transaction: lock, preflight, recovery, plan, record, apply, commit, clean-up; or a rollback instead.
//!
//! Before its record is written, a deploy changes nothing that serves, and the record has a snapshot of the target. Once the record
//! has the status `deployed`, the new release serves, and no failure rolls it back any more. A deploy that was killed
//! before that is rolled back by the next one, with the code that rolls back a failed deploy.

mod verdict;

use std::time::{Duration, Instant};

use project::Lock;
use project::text::listed;

use crate::backend::{Backend, Cause};
use crate::context::Context;
use crate::event::Events;
use crate::failure::{Exit, Failure, Problem};
use crate::hooks::{self, Facts, Hook};
use crate::record::{Deploy, Record, Status, previous, serving};
use crate::source::Checkout;

use self::verdict::Progress;
pub use self::verdict::{Outcome, Verdict};

/// Deploys: runs the whole transaction, and returns when the new release or the previous one serves.
pub fn run<'a, B: Backend<'a>>(options: &'a B::Options, context: &'a Context<'a>) -> Verdict {
    let started = Instant::now();
    let mut progress = Progress::default();
    let result = transact::<B>(options, context, &mut progress, started);
    let mut verdict = match result {
        Ok(verdict) => verdict,
        Err(error) => {
            let Failure { exit, problems } = Failure::of(&error);
            Verdict { exit, problems, ..Verdict::new(Duration::ZERO) }
        }
    };
    verdict.release = verdict.release.or(progress.release);
    verdict.rollback_to = progress.rollback_to;
    verdict.is_rolled_back = progress.is_rolled_back;
    verdict.database_copy = progress.database_copy;
    run_hook(&verdict, B::COMMAND, context);
    verdict.duration = started.elapsed();
    verdict
}

/// Runs the hook that follows a deploy. A run that has changed nothing, and has built nothing, has none.
fn run_hook(verdict: &Verdict, command: &str, context: &Context<'_>) {
    let (hook, result) = match (verdict.exit, verdict.outcome) {
        (Exit::Done, Some(Outcome::Deployed)) => (Hook::After, "deployed"),
        (Exit::Failed, _) => (Hook::Failed, "failed"),
        (Exit::RolledBack, _) => (Hook::Failed, "rolled-back"),
        (Exit::RollbackFailed, _) => (Hook::Failed, "rollback-failed"),
        (Exit::Interrupted, _) => (Hook::Failed, "interrupted"),
        (Exit::Done | Exit::Usage | Exit::NotMet | Exit::Locked, _) => return,
    };
    let (release, rollback_to) = (verdict.release.as_deref(), verdict.rollback_to.as_deref());
    if !context.is_dry_run {
        hooks::run_after(hook, &Facts { command, release, rollback_to, result }, context);
    }
}

fn transact<'a, B: Backend<'a>>(
    options: &'a B::Options,
    context: &'a Context<'a>,
    progress: &mut Progress,
    started: Instant,
) -> anyhow::Result<Verdict> {
    let succeeded = |outcome| Verdict { outcome: Some(outcome), ..Verdict::new(started.elapsed()) };
    if context.is_dry_run {
        B::preflight(options, context)?.dry_run()?;
        return Ok(succeeded(Outcome::Planned));
    }
    // `install` and `health --fix` change the checkout; another checkout can deploy to the same target.
    let _checkout = Lock::take(context.project).map_err(Failure::from)?;
    let lock = B::lock(context)?;
    let events = &context.events;
    let mut backend = B::preflight(options, context)?;
    let _target = if let Some(lock) = lock {
        lock
    } else {
        // The target could not be asked a moment ago, and now it can.
        let problem =
            || Problem::new("the lock of the target cannot be taken: nothing was changed").hint("run this again");
        let lock = B::lock(context)?.ok_or_else(|| Failure::new(Exit::NotMet, problem()))?;
        backend = backend.refresh()?;
        lock
    };
    backend.accept_target()?;
    events.done("preflight", backend.versions());
    if recover(&backend, events)? {
        if backend.is_rollback() {
            return Ok(succeeded(Outcome::Recovered));
        }
        backend = backend.refresh()?;
    }

    announce(&backend, context)?;
    let (mut record, plan) = backend.plan()?;
    let Some(plan) = plan else {
        let release = unchanged(&backend, record)?;
        return Ok(Verdict { release: Some(release), ..succeeded(Outcome::Unchanged) });
    };
    let before = Facts {
        command: B::COMMAND,
        release: Some(&record.id),
        rollback_to: record.rollback_to.as_deref(),
        result: "planned",
    };
    let accepted = backend.accept_changes(&plan).and_then(|()| hooks::run(Hook::Before, &before, context));
    if let Err(error) = accepted {
        backend.discard()?;
        return Err(error);
    }
    // A rollback must restore a healthy service only if the service was healthy before.
    record.snapshot.was_healthy = backend.serving_failure(false).is_ok_and(|failure| failure.is_none());
    backend.records().write(&record)?;
    let committed = backend.apply(&plan, &mut record).and_then(|()| {
        context.interrupt.check(B::COMMAND)?;
        backend.records().write(&record.clone().ended(Status::Deployed))
    });
    *progress = Progress::of(&record);
    if let Err(error) = committed {
        return Err(after_failure(&backend, &record, &error, progress, events));
    }
    // From here on the new release serves, even if the remains of the previous one cannot be removed.
    let cleaned_up = backend.clean_up(&plan, &record);
    record.cut = backend.take_cut_work();
    let noted =
        if record.cut.is_empty() { Ok(()) } else { backend.records().write(&record.clone().ended(Status::Deployed)) };
    cleaned_up.and(noted).and_then(|()| backend.records().prune().map(drop)).map_err(|error| {
        let message = format!("release {} serves, and the clean-up after it failed: {error:#}", record.id);
        Failure::new(
            Exit::Failed,
            Problem::new(message).hint(format!("{}, which cleans up first", backend.command(false))),
        )
    })?;
    if backend.is_rollback()
        && let Some(checkout) = Checkout::of(context)
    {
        events.note(format!("the checkout is still at {checkout}: {} would deploy it again", backend.command(false)));
    }
    // The deploy has succeeded, even if the engine does not respond any more.
    let unknown = |error: anyhow::Error| {
        events.warning(Problem::new(format!("release {} serves, and its address is unknown: {error:#}", record.id)));
    };
    let addresses = backend.addresses().map_err(unknown).unwrap_or_default();
    let next_steps = next_steps(&backend, &record, context).map_err(unknown).unwrap_or_default();
    Ok(Verdict { addresses, next_steps, ..succeeded(Outcome::Deployed) })
}

/// Reports the commit that is deployed, and the release that it replaces. A rollback reports its release itself.
fn announce<'a, B: Backend<'a>>(backend: &B, context: &Context<'a>) -> anyhow::Result<()> {
    let records = backend.records().all()?;
    let serving = serving(&records).map(Deploy::from);
    let serving = serving.map(|live| match live.version() {
        Some(version) => format!("release {} serves, of {version}", live.id),
        None => format!("release {} serves", live.id),
    });
    let checkout = Checkout::of(context).filter(|_| !backend.is_rollback());
    let checkout = checkout.map(|checkout| format!("deploying {checkout}"));
    let parts: Vec<String> = checkout.into_iter().chain(serving).collect();
    if !parts.is_empty() {
        context.events.note(parts.join("; "));
    }
    Ok(())
}

/// Returns the commands that follow a deploy.
fn next_steps<'a, B: Backend<'a>>(
    backend: &B,
    record: &Record,
    context: &Context<'a>,
) -> anyhow::Result<Vec<(String, &'static str)>> {
    let is_first = backend.is_first(record) && context.project.has_accounts;
    let rollback = previous(&backend.records().all()?).map(|_| backend.command(true));
    let steps = [
        (is_first.then(|| "cargo xtask manage createsuperuser".to_owned()), "create the first account"),
        (Some("cargo xtask health".to_owned()), "check its health"),
        (Some("cargo xtask logs --follow".to_owned()), "follow its log"),
        (rollback, "go back to the previous release"),
    ];
    Ok(steps.into_iter().filter_map(|(command, purpose)| Some((command?, purpose))).collect())
}

/// Ends a deploy that has nothing to change; returns the release that serves. A target without a record, such as a
/// stack that was started by hand, gets one, so that a later deploy has something to go back to.
fn unchanged<'a, B: Backend<'a>>(backend: &B, record: Record) -> anyhow::Result<String> {
    let records = backend.records().all()?;
    if let Some(last) = serving(&records).filter(|last| last.contents == record.contents) {
        backend.discard()?;
        // It serves a later commit as well, whose changes are not in it.
        if record.commit.is_some() && last.commit != record.commit {
            let mut last = last.clone();
            (last.commit, last.subject) = (record.commit, record.subject);
            backend.records().write(&last)?;
        }
        return Ok(last.id.clone());
    }
    let record = record.ended(Status::Deployed);
    backend.records().write(&record)?;
    Ok(record.id)
}

/// Rolls back the deploys that were killed, the newest first, and cleans up after those that were killed later than
/// that. Returns whether there was one to roll back.
fn recover<'a, B: Backend<'a>>(backend: &B, events: &Events<'_>) -> anyhow::Result<bool> {
    let records = backend.records().all()?;
    let unfinished: Vec<&Record> = records.iter().filter(|record| record.result == Status::UnderWay).collect();
    for record in unfinished.iter().rev() {
        let mut record = (*record).clone();
        backend.add_migrations(&mut record);
        let record = &record;
        backend.accept_recovery(record)?;
        let Record { id, started, by, .. } = record;
        events.warning(Problem::new(format!(
            "an earlier deploy was not finished: release {id}, begun at {started} by {by}; it is rolled back first{}",
            record.lasting_effects()
        )));
        events
            .step("recovering", || repeat_if_interrupted(|| roll_back(backend, record, Cause::Recovery, events)))
            .map_err(|error| {
                let problem = Problem::new(format!("{error:#}"))
                    .hint(format!("solve that, then {}, which recovers first", backend.command(backend.is_rollback())));
                Failure::new(Exit::RollbackFailed, problem)
            })?;
        if let Some(problem) = restored_failure(backend, record) {
            return Err(Failure::new(Exit::RollbackFailed, problem).into());
        }
    }
    if unfinished.is_empty() {
        backend.clean_up_earlier(&records)?;
    }
    Ok(!unfinished.is_empty())
}

/// Restores the previous release, and records that.
fn roll_back<'a, B: Backend<'a>>(
    backend: &B,
    record: &Record,
    cause: Cause,
    events: &Events<'_>,
) -> anyhow::Result<()> {
    backend.roll_back(record, cause)?;
    let records = backend.records();
    let mut ended = record.clone().ended(Status::RolledBack);
    ended.cut = backend.take_cut_work();
    let noted =
        records.write(&ended).and_then(|()| backend.clean_up_rolled_back()).and_then(|()| records.prune().map(drop));
    // The target is as it was before. If this cannot be recorded, the next deploy examines it again, and that is all.
    if let Err(error) = noted {
        events.warning(Problem::new(format!("the rollback succeeded, and could not be recorded: {error:#}")));
    }
    Ok(())
}

/// Rolls back after a failure, and returns the error of the deploy.
fn after_failure<'a, B: Backend<'a>>(
    backend: &B,
    record: &Record,
    error: &anyhow::Error,
    progress: &mut Progress,
    events: &Events<'_>,
) -> anyhow::Error {
    let is_interrupted = Exit::of(error) == Exit::Interrupted;
    if is_interrupted {
        events.note("interrupted: rolling back first");
    }
    let rolled_back =
        events.step("rolling back", || repeat_if_interrupted(|| roll_back(backend, record, Cause::Failure, events)));
    progress.is_rolled_back = rolled_back.is_ok();
    let restored = rolled_back.as_ref().ok().and_then(|()| restored_failure(backend, record));
    let state = match (&rolled_back, backend.is_first(record)) {
        (Ok(()), false) if restored.is_some() => "rolled back",
        // It is not requested: it cannot be expected to respond.
        (Ok(()), false) if !record.snapshot.was_healthy => {
            "rolled back: the previous release is restored, which was unhealthy before"
        }
        (Ok(()), false) => "rolled back: the previous release serves again",
        (Ok(()), true) => "rolled back: no release serves",
        (Err(_), _) => "the rollback failed, too",
    };
    let message = format!("{error:#}\n  {state}{}", record.lasting_effects());
    if let Some(problem) = restored {
        return Failure { exit: Exit::RollbackFailed, problems: vec![Problem::new(message), problem] }.into();
    }
    let (exit, problem) = match rolled_back {
        Ok(()) if is_interrupted => (Exit::Interrupted, Problem::new(message)),
        Ok(()) => {
            let hints: Vec<String> = Failure::of(error).problems.into_iter().filter_map(|it| it.hint).collect();
            let problem = Problem::new(message);
            (Exit::RolledBack, if hints.is_empty() { problem } else { problem.hint(hints.join("; and ")) })
        }
        Err(failed) => {
            let hint = format!("solve that, then {}, which rolls back first", backend.command(backend.is_rollback()));
            (Exit::RollbackFailed, Problem::new(format!("{message}:\n  {failed:#}")).hint(hint))
        }
    };
    Failure::new(exit, problem).into()
}

/// Returns the problem of a previous release that was healthy before the deploy and is not any more, although it was
/// restored: most likely it does not work with the migrations of the new one.
fn restored_failure<'a, B: Backend<'a>>(backend: &B, record: &Record) -> Option<Problem> {
    if !record.snapshot.was_healthy || backend.is_first(record) {
        return None;
    }
    let reason = match backend.serving_failure(true) {
        Ok(failure) => failure?,
        Err(error) => format!("cannot be verified: {error:#}"),
    };
    let message = format!("after the rollback the previous release is unhealthy: {reason}");
    if record.migrations.is_empty() {
        return Some(Problem::new(message).hint("cargo xtask health"));
    }
    let applied = listed(&record.migrations);
    let message = format!("{message}; it may not work with the migrations that stay applied: {applied}");
    Some(match record.copied_database() {
        Some((copy, database)) => {
            let message = format!("{message}; `{copy}` is the database from before them, without later changes");
            Problem::new(message).hint(backend.restore_command(record, copy, database))
        }
        None => Problem::new(message).hint("cargo xtask health"),
    })
}

/// The number of times that a rollback is tried whose programs are ended by a signal.
const ATTEMPTS: usize = 5;

/// Repeats a rollback whose programs were interrupted. This process ignores signals during a rollback, but a program
/// that it has just started can still be ended by one, before it is in a process group of its own.
fn repeat_if_interrupted(roll_back: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<()> {
    for _ in 1..ATTEMPTS {
        match roll_back() {
            Err(error) if Exit::of(&error) == Exit::Interrupted => {}
            result => return result,
        }
    }
    roll_back()
}

#[cfg(test)]
mod tests;
