//! The wish of the operator to stop, which a deploy heeds between its steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// The interval at which a pause polls for a signal.
const SIGNAL_POLL: Duration = Duration::from_millis(50);

/// A flag that a signal handler sets. It is shared with the deadlines of programs, which end them early.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Wraps the flag of a signal handler.
    #[must_use]
    pub fn new(flag: Arc<AtomicBool>) -> Self {
        Interrupt(flag)
    }

    /// Returns an interrupt that no signal sets, for work that must be finished: a rollback.
    #[must_use]
    pub fn never() -> Self {
        Interrupt::default()
    }

    /// Returns the flag, for the deadlines of programs that do not get the signal themselves.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Returns whether a signal has come.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits for this duration, or until a signal comes.
    pub fn pause(&self, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end && !self.is_set() {
            // A signal handler can set a flag, and wake no thread.
            thread::park_timeout(SIGNAL_POLL.min(end.saturating_duration_since(Instant::now())));
        }
    }

    /// Returns an error if a signal has come; `during` names the work that it interrupts.
    ///
    /// # Errors
    /// [`Exit::Interrupted`](crate::Exit::Interrupted) after a signal.
    pub fn check(&self, during: &str) -> anyhow::Result<()> {
        if self.is_set() {
            return Err(Failure::interrupted(format!("interrupted during `{during}`")).into());
        }
        Ok(())
    }
}
