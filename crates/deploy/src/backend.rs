//! The contract between the transaction and the engine that it deploys to.

use crate::context::Context;
use crate::record::{Record, Records};

/// An engine that releases are deployed to. The order of the calls is in `transaction.rs`; only
/// [`apply`](Backend::apply), [`roll_back`](Backend::roll_back) and the clean-ups change the running service.
pub trait Backend<'a>: Sized {
    /// The options of the command.
    type Options;
    /// The changes of one release.
    type Plan;

    /// The lock of the target, which is free again when this is dropped, and when the process ends in any other way.
    type Lock;

    /// The command that deploys to this engine, such as `deploy-docker`.
    const COMMAND: &'static str;

    /// Takes the lock of the target, for all checkouts that deploy to it. Does not wait for another holder. Returns `None`
    /// where something that the lock needs is missing: then the preflight fails as well, and reports all problems.
    ///
    /// # Errors
    /// If another run holds it, with [`Exit::Locked`](crate::Exit::Locked).
    fn lock(context: &Context<'a>) -> anyhow::Result<Option<Self::Lock>>;

    /// Examines everything that the deploy needs and changes nothing.
    ///
    /// # Errors
    /// All problems at once, with [`Exit::NotMet`](crate::Exit::NotMet).
    fn preflight(options: &'a Self::Options, context: &'a Context<'a>) -> anyhow::Result<Self>;

    /// Emits the plan of a dry run.
    ///
    /// # Errors
    /// If the plan cannot be made.
    fn dry_run(&self) -> anyhow::Result<()>;

    /// Asks for the consent that the target itself needs, and writes `DEPLOY_METHOD` to `.env` if it is not set.
    ///
    /// # Errors
    /// If the operator declines, or cannot be asked.
    fn accept_target(&self) -> anyhow::Result<()>;

    /// Returns the versions that the preflight found, for the report.
    fn versions(&self) -> String;

    /// Returns the release records of this target.
    fn records(&self) -> &Records<'a>;

    /// Returns whether this deploy rolls back to an earlier release.
    fn is_rollback(&self) -> bool;

    /// Asks for the consent that the recovery of an unfinished deploy needs.
    ///
    /// # Errors
    /// If the operator declines, or cannot be asked.
    fn accept_recovery(&self, unfinished: &Record) -> anyhow::Result<()>;

    /// Removes the remains of committed deploys: a deploy can be killed after its commit.
    ///
    /// # Errors
    /// If something could not be removed. The next deploy retries.
    fn clean_up_earlier(&self, records: &[Record]) -> anyhow::Result<()>;

    /// Examines the target again, after a recovery has changed it.
    ///
    /// # Errors
    /// As the preflight.
    fn refresh(self) -> anyhow::Result<Self>;

    /// Plans a release: begins its record, builds everything that can be built without touching the running service,
    /// compares the release with the target, and fills the record with the contents of the release and the snapshot of
    /// the target. Returns no plan if nothing has to change.
    ///
    /// # Errors
    /// If the release cannot be built. Nothing that serves was changed.
    fn plan(&self) -> anyhow::Result<(Record, Option<Self::Plan>)>;

    /// Asks for the consent that the changes need.
    ///
    /// # Errors
    /// If the operator declines, or cannot be asked.
    fn accept_changes(&self, plan: &Self::Plan) -> anyhow::Result<()>;

    /// Discards a planned release that is not applied.
    ///
    /// # Errors
    /// If something that was built could not be removed.
    fn discard(&self) -> anyhow::Result<()>;

    /// Requests the service as its users reach it, and returns its failure: `None` if it is healthy, or if nothing of it
    /// can be requested. `is_patient`: waits for a service that does not respond yet.
    ///
    /// # Errors
    /// If the engine does not respond.
    fn serving_failure(&self, is_patient: bool) -> anyhow::Result<Option<String>>;

    /// Applies the plan, from the migrations to the watch over the new release. Writes the record whenever something is
    /// about to change that a rollback has to know.
    ///
    /// # Errors
    /// Any failure; the transaction then rolls back.
    fn apply(&self, plan: &Self::Plan, record: &mut Record) -> anyhow::Result<()>;

    /// Stops the migrations of an unfinished deploy, and adds those to its record that it has applied and not recorded, as
    /// far as they are known.
    fn add_migrations(&self, _unfinished: &mut Record) {}

    /// Restores the state of the target before a release, by the snapshot in its record. Compares the snapshot with the
    /// present state, so that it can be repeated at any time: after a failure, a signal, a kill or a power cut.
    ///
    /// # Errors
    /// If something could not be restored. The next deploy retries.
    fn roll_back(&self, record: &Record, cause: Cause) -> anyhow::Result<()>;

    /// Removes the remains of a release that was rolled back, once its record has that status.
    ///
    /// # Errors
    /// If something could not be removed.
    fn clean_up_rolled_back(&self) -> anyhow::Result<()>;

    /// Returns whether the target had no release before this one.
    fn is_first(&self, record: &Record) -> bool;

    /// Removes the remains of the previous release, once the record has the status `deployed`.
    ///
    /// # Errors
    /// If something could not be removed. The next deploy retries.
    fn clean_up(&self, plan: &Self::Plan, record: &Record) -> anyhow::Result<()>;

    /// Takes the list of requests and tasks that were cut since the last call, when previous processes or containers were
    /// stopped.
    fn take_cut_work(&self) -> Vec<String>;

    /// Returns the addresses of the service, for the report: a line each.
    ///
    /// # Errors
    /// If the engine does not respond.
    fn addresses(&self) -> anyhow::Result<Vec<String>>;

    /// Returns the command that repeats this deploy with its times, or rolls back with `rollback`.
    fn command(&self, rollback: bool) -> String;

    /// Returns the command that puts the copy of a database file back in its place, after a release was rolled back.
    fn restore_command(&self, record: &Record, copy: &str, database: &str) -> String;
}

/// The reason of a rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// This deploy failed, or was interrupted.
    Failure,
    /// An earlier deploy was killed: it may have left a program running, and its release may have served since.
    Recovery,
}
