//! What is told of a deploy that did not go well, and the exit code that it ends with.

use super::record::Record;
use crate::exit::{Exit, Failure, Problem};
use crate::ui::Ui;

/// Goes back after an error, and says how that went.
pub(super) fn roll_back(
    record: &Record,
    is_first: bool,
    error: &anyhow::Error,
    ui: &Ui,
    undo: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Error {
    let is_interrupted = Exit::of(error) == Exit::Interrupted;
    if is_interrupted {
        ui.note("     interrupted: going back first");
    }
    let undone = ui.stage("rolling back", undo);
    let state = match (&undone, is_first) {
        (Ok(()), false) => "rolled back: what served before serves again",
        (Ok(()), true) => "rolled back: nothing of this release is left",
        (Err(_), _) => "and rolling back failed, too",
    };
    let message = format!("{error:#}\n  {state}{}", record.what_stays());
    let (exit, problem) = match undone {
        Ok(()) if is_interrupted => (Exit::Interrupted, Problem::new(message)),
        Ok(()) => (Exit::RolledBack, Problem::new(message)),
        Err(failed) => {
            let problem = Problem::new(format!("{message}:\n  {failed:#}"));
            (Exit::RollbackFailed, problem.hint("mend that, and run this again: it puts things right first"))
        }
    };
    Failure::new(exit, problem).into()
}

/// Undoes a release whose deploy did not come to its end.
pub(super) fn put_right(record: &Record, ui: &Ui, undo: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let Record { id, started, by, .. } = record;
    ui.warning(&Problem::new(format!(
        "an earlier deploy did not come to its end: release {id}, begun at {started} by {by}; it is undone first{}",
        record.what_stays()
    )));
    ui.stage("putting things right", undo).map_err(|error| {
        let hint = "mend that, and run this again";
        Failure::new(Exit::RollbackFailed, Problem::new(format!("{error:#}")).hint(hint)).into()
    })
}

/// Everything is where it was. That this cannot be written down makes the next run look again, and no more.
pub(super) fn note(noted: anyhow::Result<()>, ui: &Ui) {
    if let Err(error) = noted {
        ui.warning(&Problem::new(format!("what was there before is back, and it is not noted: {error:#}")));
    }
}
