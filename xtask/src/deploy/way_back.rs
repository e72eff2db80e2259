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
    undo: impl Fn() -> anyhow::Result<()>,
) -> anyhow::Error {
    let is_interrupted = Exit::of(error) == Exit::Interrupted;
    if is_interrupted {
        ui.note("     interrupted: going back first");
    }
    let undone = ui.stage("rolling back", || to_the_end(&undo));
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

/// How often a rollback is begun anew whose programs are ended by a signal.
const ATTEMPTS: usize = 5;

/// Rolls back, whatever signals come. This process does not heed them meanwhile, but a program that it has just started
/// can be ended by one: a rollback can be repeated, and is.
fn to_the_end(undo: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<()> {
    for _ in 1..ATTEMPTS {
        match undo() {
            Err(error) if Exit::of(&error) == Exit::Interrupted => {}
            result => return result,
        }
    }
    undo()
}

/// Undoes a release whose deploy did not come to its end.
pub(super) fn put_right(record: &Record, ui: &Ui, undo: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let Record { id, started, by, .. } = record;
    ui.warning(&Problem::new(format!(
        "an earlier deploy did not come to its end: release {id}, begun at {started} by {by}; it is undone first{}",
        record.what_stays()
    )));
    ui.stage("putting things right", || to_the_end(&undo)).map_err(|error| {
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_rollback_whose_program_is_interrupted_is_repeated() {
        let begun = Cell::new(0);
        let interrupted_until = |last| {
            begun.set(0);
            to_the_end(|| {
                begun.set(begun.get() + 1);
                if begun.get() < last { Err(Failure::interrupted("Ctrl-C").into()) } else { Ok(()) }
            })
        };
        assert!(interrupted_until(3).is_ok());
        assert_eq!(begun.get(), 3);
        assert!(interrupted_until(usize::MAX).is_err());
        assert_eq!(begun.get(), ATTEMPTS);
        // Another failure is not cured by repeating it.
        begun.set(0);
        let failed = to_the_end(|| {
            begun.set(begun.get() + 1);
            Err(anyhow::anyhow!("no such unit"))
        });
        assert!(failed.is_err() && begun.get() == 1);
    }
}
