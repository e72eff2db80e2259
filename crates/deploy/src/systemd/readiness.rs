//! Readiness: whether a release is healthy, as a canary before it gets requests, and then as the one that serves.

use std::time::{Duration, Instant};

use project::{Names, web};
use subprocess::http::{self, HttpError};
use subprocess::{Address, Deadline};

use super::manager::Manager;
use super::root::Step;
use crate::failure::{Exit, Failure, Problem};
use crate::patience::{Patience, Unhealthy};
use ::systemd::Unit;

const POLL: Duration = Duration::from_millis(200);
/// The number of requests to an address that two processes share; one of them is not asked once in 256 times.
const SHARED_REQUESTS: usize = 8;
/// The timeout of one request.
const ANSWER: Duration = Duration::from_secs(5);

/// The readiness checks of units.
#[derive(Clone)]
pub(super) struct Readiness<'a> {
    pub(super) manager: Manager<'a>,
    /// The time that a unit has to become healthy.
    pub(super) timeout: Duration,
    /// The time that units must stay healthy before the deploy relies on them.
    pub(super) stability: Duration,
    pub(super) health_path: Option<&'a str>,
    /// The name by which the service is asked.
    pub(super) host: String,
    /// The names of the variables, for messages.
    pub(super) names: &'a Names,
}

/// A unit that is up, and where it answers, if anywhere.
pub(super) struct Watched {
    pub(super) unit: Unit,
    pub(super) address: Option<Address>,
}

impl Readiness<'_> {
    /// Waits until a started unit is up and, if it has an address, responds as it should. `is_live`: users reach it.
    pub(super) fn wait_until_healthy(
        &self,
        name: &str,
        before: &str,
        address: Option<Address>,
        is_live: bool,
    ) -> anyhow::Result<Watched> {
        let unit = self.manager.wait_until_up(name, before, self.timeout)?;
        let (started, mut patience) = (Instant::now(), Patience::start(self.timeout, is_live));
        while let Some(failure) = address.as_ref().and_then(|address| self.failure(address)) {
            self.manager.interrupt.check("waiting for an answer")?;
            self.manager.check_same(&unit)?;
            if patience.is_exhausted(&failure) {
                let reason = format!("{}, after {:.1} s", failure.reason, started.elapsed().as_secs_f32());
                return Err(self.manager.unhealthy(&unit, &reason));
            }
            self.manager.interrupt.pause(POLL);
        }
        Ok(Watched { unit, address })
    }

    /// Returns the failure of the service that users reach at an address: after two wrong responses in a row, or if it
    /// does not respond within the timeout.
    pub(super) fn lasting_failure(&self, address: &Address) -> anyhow::Result<Option<Unhealthy>> {
        let mut patience = Patience::start(self.timeout, true);
        while let Some(failure) = self.failure(address) {
            self.manager.interrupt.check("waiting for a response")?;
            if patience.is_exhausted(&failure) {
                return Ok(Some(failure));
            }
            self.manager.interrupt.pause(POLL);
        }
        Ok(None)
    }

    /// Checks that a service that users reach responds as it should.
    pub(super) fn check_response(&self, watched: &Watched) -> anyhow::Result<()> {
        let Some(address) = &watched.address else { return Ok(()) };
        match self.lasting_failure(address)? {
            Some(failure) => Err(self.manager.unhealthy(&watched.unit, &failure.reason)),
            None => Ok(()),
        }
    }

    /// Checks a unit that shares its address with another one: no response may be wrong.
    pub(super) fn check_shared(&self, unit: &Unit, address: Option<&Address>) -> anyhow::Result<()> {
        let requests = address.into_iter().cycle().take(SHARED_REQUESTS);
        let mut failures = requests.filter_map(|address| self.failure(address));
        match failures.find(|failure| failure.status.is_some()) {
            Some(failure) => Err(self.manager.unhealthy(unit, &failure.reason)),
            None => Ok(()),
        }
    }

    /// Waits until a Celery worker logs that it takes tasks: the watch over it begins then. Returns the time that it took;
    /// `None` for one that logs nothing of the kind within `timeout`. `read_log` reads its log.
    pub(super) fn wait_until_ready(
        &self,
        unit: &Unit,
        read_log: &Step,
        timeout: Duration,
    ) -> anyhow::Result<Option<Duration>> {
        let started = Instant::now();
        while !self.manager.is_worker_ready(unit, read_log) {
            self.manager.interrupt.check("waiting for the worker")?;
            self.manager.check_same(unit)?;
            if started.elapsed() >= timeout {
                return Ok(None);
            }
            self.manager.interrupt.pause(POLL);
        }
        Ok(Some(started.elapsed()))
    }

    /// Watches units over the stability window: the same processes live on without a restart, and respond at the end.
    pub(super) fn watch(&self, watched: &[Watched]) -> anyhow::Result<()> {
        let end = Instant::now() + self.stability;
        loop {
            self.manager.interrupt.check("watching the new release")?;
            let is_over = Instant::now() >= end;
            for watched in watched {
                self.manager.check_same(&watched.unit)?;
                if is_over {
                    self.check_response(watched)?;
                }
            }
            if is_over {
                return Ok(());
            }
            self.manager.interrupt.pause(POLL);
        }
    }

    /// Returns the failure of the response, if there is one. A refused permission reveals nothing about the service.
    fn failure(&self, address: &Address) -> Option<Unhealthy> {
        match self.request(address) {
            Ok(status) if web::is_healthy(status, self.health_path) => None,
            Ok(status) => Some(Unhealthy::status(status, web::health_path(self.health_path), &self.host, self.names)),
            Err(error) if error.is_denied() => None,
            Err(error) => Some(Unhealthy::no_response(format!("does not answer: {error}"))),
        }
    }

    /// Returns whether this user may connect to an address: what it answers is unknown otherwise.
    pub(super) fn can_reach(&self, address: &Address) -> bool {
        !self.request(address).is_err_and(|error| error.is_denied())
    }

    /// Returns the status of the response, as a proxy gets it that terminates HTTPS: a redirect to HTTPS would reveal
    /// nothing.
    fn request(&self, address: &Address) -> Result<u16, HttpError> {
        let deadline = Deadline::unless(self.manager.interrupt.flag(), ANSWER, ANSWER);
        let answer = http::get(address, web::health_path(self.health_path), &self.host, true, &deadline)?;
        Ok(answer.status)
    }
}

/// Returns the warning about a service whose address is unknown.
pub(super) fn unknown_address(unit: &str) -> Problem {
    Problem::new(format!("`{unit}` has no socket unit and no address in `ExecStart`: whether it responds is unknown"))
}

/// Returns the warning about a worker that has not logged that it is ready.
pub(super) fn not_ready(unit: &str, timeout: Duration) -> Problem {
    let seconds = timeout.as_secs_f32();
    Problem::new(format!(
        "`{unit}` has not logged within {seconds} s that it is ready: whether it can take tasks is not verified"
    ))
}

/// Returns an error that belongs to no unit.
pub(super) fn failed(message: impl Into<String>) -> anyhow::Error {
    Failure::new(Exit::Failed, Problem::new(message)).into()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use project::secret::Secrets;

    use super::super::root::Root;
    use super::*;
    use crate::event::Events;
    use crate::interrupt::Interrupt;

    #[test]
    fn an_interruption_ends_the_wait_for_a_response() {
        let (root, secrets, interrupt) = (Root::none(), Secrets::default(), Interrupt::default());
        interrupt.flag().store(true, Ordering::Relaxed);
        let events = Events::new(&|_| {});
        let manager = Manager { root: &root, events, secrets: &secrets, interrupt: &interrupt };
        let hour = Duration::from_secs(3600);
        let readiness = Readiness {
            manager,
            timeout: hour,
            stability: hour,
            health_path: None,
            host: "shop".to_owned(),
            names: &Names::default(),
        };
        let error = readiness.lasting_failure(&Address::Unix("/no/such/socket".into())).expect_err("interrupted");
        assert_eq!(Exit::of(&error), Exit::Interrupted);
    }
}
