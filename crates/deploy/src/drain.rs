//! Stopping previous processes and containers: the time that they have to finish their requests and tasks, and the work that
//! was cut.

use std::cell::RefCell;
use std::time::Duration;

use crate::event::Events;
use crate::failure::Problem;

/// The work that was cut in this deploy; a sentence each.
#[derive(Default)]
pub(crate) struct CutWork(RefCell<Vec<String>>);

impl CutWork {
    /// Reports work that was cut, and keeps it for the record.
    pub(crate) fn add(&self, message: String, hint: String, events: &Events<'_>) {
        self.0.borrow_mut().push(message.clone());
        events.warning(Problem::new(message).hint(hint));
    }

    /// Takes all of it since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// Returns the announcement of the times to stop, by names: a note before the deploy.
pub(crate) fn announcement<'a>(times: impl IntoIterator<Item = (&'a str, Duration)>) -> Option<String> {
    let times = times.into_iter().map(|(name, time)| format!("`{name}` {} s", time.as_secs()));
    let times: Vec<String> = times.collect();
    let message = "time for the previous release to finish its requests and tasks: at most";
    (!times.is_empty()).then(|| format!("{message} {}", times.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_announced_by_name() {
        assert_eq!(announcement([]), None);
        let times = [("web", Duration::from_secs(40)), ("celery", Duration::from_secs(600))];
        let expected =
            "time for the previous release to finish its requests and tasks: at most `web` 40 s, `celery` 600 s";
        assert_eq!(announcement(times).as_deref(), Some(expected));
    }
}
