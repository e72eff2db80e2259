//! Until when an answer is waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A point in time at which a wait ends, and a flag that ends it earlier.
#[derive(Debug, Clone)]
pub struct Deadline {
    allowed: Duration,
    at: Instant,
    /// When everything is over that this is a part of.
    end: Instant,
    stop: Arc<AtomicBool>,
}

impl Deadline {
    /// So much time from now on.
    #[must_use]
    pub fn within(allowed: Duration) -> Self {
        Deadline::unless(Arc::default(), allowed, allowed)
    }

    /// So much time from now on for one answer, and so much for `all` of them; none any longer once `stop` is set.
    #[must_use]
    pub fn unless(stop: Arc<AtomicBool>, allowed: Duration, all: Duration) -> Self {
        let now = Instant::now();
        let allowed = allowed.min(all);
        Deadline { allowed, at: now + allowed, end: now + all, stop }
    }

    /// The time for another answer, which could not be asked for earlier.
    #[must_use]
    pub fn again(&self) -> Self {
        Deadline { at: self.end.min(Instant::now() + self.allowed), ..self.clone() }
    }

    /// When the time for all answers is over.
    #[must_use]
    pub fn end(&self) -> Instant {
        self.end
    }

    /// Returns the whole time that was allowed: the one in the message about a timeout.
    #[must_use]
    pub fn allowed(&self) -> Duration {
        self.allowed
    }

    /// Returns the moment at which the time is over.
    #[must_use]
    pub fn at(&self) -> Instant {
        self.at
    }

    /// Returns the remaining time; zero after the deadline, and once the flag is set.
    #[must_use]
    pub fn left(&self) -> Duration {
        if self.is_stopped() { Duration::ZERO } else { self.at.saturating_duration_since(Instant::now()) }
    }

    /// Sets the flag, which ends this wait and all others that share it.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Returns whether the flag is set.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A time as reports name it: `10 s`, `0.2 s`.
#[must_use]
pub fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_time() {
        let deadline = Deadline::within(Duration::from_secs(60));
        assert!(deadline.left() > Duration::from_secs(50));
        assert!(Deadline::within(Duration::ZERO).left().is_zero());
        let stop = Arc::new(AtomicBool::new(false));
        let deadline = Deadline::unless(Arc::clone(&stop), Duration::from_secs(60), Duration::from_secs(90));
        stop.store(true, Ordering::Relaxed);
        assert!(deadline.left().is_zero() && deadline.is_stopped());
    }

    #[test]
    fn one_answer_has_no_more_time_than_all_together() {
        let minute = Duration::from_secs(60);
        let deadline = Deadline::unless(Arc::default(), minute, 2 * minute);
        let again = deadline.again();
        assert!(again.at() >= deadline.at() && again.at() <= deadline.end());
        let deadline = Deadline::unless(Arc::default(), minute, Duration::from_secs(1));
        assert_eq!(deadline.allowed(), Duration::from_secs(1));
        assert_eq!(deadline.again().at(), deadline.end());
    }

    #[test]
    fn times_as_reports_name_them() {
        assert_eq!(seconds(Duration::from_secs(10)), "10 s");
        assert_eq!(seconds(Duration::from_millis(200)), "0.2 s");
    }
}
