//! How long a deploy waits for a service that does not respond as it should.

use std::time::{Duration, Instant};

use project::{Names, Variable};

/// The number of wrong responses in a row after which a service that users reach is given up.
const WRONG_RESPONSES: u32 = 2;

/// The failure of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unhealthy {
    /// The reason, as the end of a sentence about the service.
    pub(crate) reason: String,
    /// The wrong status of the response; `None` without one. A connection that is refused may be a start-up.
    pub(crate) status: Option<u16>,
}

impl Unhealthy {
    /// Makes a failure without a response.
    pub(crate) fn no_response(reason: impl Into<String>) -> Self {
        Unhealthy { reason: reason.into(), status: None }
    }

    /// Makes a failure of a response with a wrong status.
    pub(crate) fn status(status: u16, path: &str, host: &str, names: &Names) -> Self {
        let mut reason = format!("answers {status} on `{path}` as {host}");
        if status == 400 {
            reason = format!("answers 400 as {host}: is {host} in `{}`?", names.shown(Variable::AllowedHosts));
        }
        Unhealthy { reason, status: Some(status) }
    }
}

/// The time that a service has to become healthy.
#[derive(Debug)]
pub(crate) struct Patience {
    end: Instant,
    is_live: bool,
    wrong_responses: u32,
}

impl Patience {
    /// Starts the time now. `is_live`: users reach the service already, and see every wrong response.
    pub(crate) fn start(timeout: Duration, is_live: bool) -> Self {
        Patience { end: Instant::now() + timeout, is_live, wrong_responses: 0 }
    }

    /// Returns whether this failure is the last one.
    pub(crate) fn is_exhausted(&mut self, failure: &Unhealthy) -> bool {
        self.wrong_responses = if failure.status.is_some() { self.wrong_responses + 1 } else { 0 };
        Instant::now() >= self.end || (self.is_live && self.wrong_responses >= WRONG_RESPONSES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn two_wrong_responses_in_a_row_are_a_verdict_on_a_live_service() {
        let (wrong, refused) =
            (Unhealthy::status(500, "/", "shop", &Names::default()), Unhealthy::no_response("refuses"));
        let verdicts = |is_live| {
            let mut patience = Patience::start(LONG, is_live);
            [&wrong, &refused, &wrong, &wrong].map(|failure| patience.is_exhausted(failure))
        };
        assert_eq!(verdicts(true), [false, false, false, true]);
        // A canary gets all of its time.
        assert_eq!(verdicts(false), [false; 4]);
        assert!(Patience::start(Duration::ZERO, false).is_exhausted(&refused));
    }

    #[test]
    fn a_refused_host_is_named() {
        let reason = Unhealthy::status(400, "/healthz", "shop.example.org", &Names::default()).reason;
        assert_eq!(reason, "answers 400 as shop.example.org: is shop.example.org in `DJANGO_ALLOWED_HOSTS`?");
    }
}
