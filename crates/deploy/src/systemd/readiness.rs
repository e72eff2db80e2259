//! Whether a release is well: asked by itself before anybody else reaches it, and watched; then as the one that serves.

use std::time::{Duration, Instant};

use project::web;
use subprocess::{Address, Deadline, http};

use super::manager::Manager;
use crate::failure::{Exit, Failure, Problem};
use ::systemd::Unit;

const POLL: Duration = Duration::from_millis(200);
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
}

/// A unit that is up, and where it answers, if anywhere.
pub(super) struct Watched {
    pub(super) unit: Unit,
    pub(super) address: Option<Address>,
}

impl Readiness<'_> {
    /// Waits until a started unit is up and, if it has an address, responds as it should.
    pub(super) fn wait_until_healthy(
        &self,
        name: &str,
        before: &str,
        address: Option<Address>,
    ) -> anyhow::Result<Watched> {
        let unit = self.manager.wait_until_up(name, before, self.timeout)?;
        let end = Instant::now() + self.timeout;
        while let Some(failure_reason) = address.as_ref().and_then(|address| self.failure_reason(address)) {
            self.manager.interrupt.check("waiting for an answer")?;
            self.manager.check_same(&unit)?;
            if Instant::now() >= end {
                return Err(self
                    .manager
                    .unhealthy(&unit, &format!("{failure_reason}, after {} s", self.timeout.as_secs_f32())));
            }
            self.manager.interrupt.pause(POLL);
        }
        Ok(Watched { unit, address })
    }

    /// Sees to it that the same processes live on so long, without a restart, and answer at the end.
    pub(super) fn watch(&self, watched: &[Watched]) -> anyhow::Result<()> {
        let end = Instant::now() + self.stability;
        loop {
            self.manager.interrupt.check("watching the new release")?;
            let is_over = Instant::now() >= end;
            for Watched { unit, address } in watched {
                self.manager.check_same(unit)?;
                if is_over
                    && let Some(failure_reason) = address.as_ref().and_then(|address| self.failure_reason(address))
                {
                    return Err(self.manager.unhealthy(unit, &failure_reason));
                }
            }
            if is_over {
                return Ok(());
            }
            self.manager.interrupt.pause(POLL);
        }
    }

    /// Returns the failure of the response, if there is one. A refused permission reveals nothing about the service.
    fn failure_reason(&self, address: &Address) -> Option<String> {
        let path = web::health_path(self.health_path);
        let deadline = Deadline::unless(self.manager.interrupt.flag(), ANSWER, ANSWER);
        // As a proxy requests it that terminates HTTPS: a redirect to HTTPS would reveal nothing.
        match http::get(address, path, &self.host, true, &deadline) {
            Ok(answer) if web::is_healthy(answer.status, self.health_path) => None,
            Ok(answer) => Some(format!("answers {} on `{path}` as {}", answer.status, self.host)),
            Err(error) if error.is_denied() => None,
            Err(error) => Some(format!("does not answer: {error}")),
        }
    }
}

/// Returns the warning about a service whose address is unknown.
pub(super) fn unknown_address(unit: &str) -> Problem {
    Problem::new(format!("`{unit}` has no socket unit and no address in `ExecStart`: whether it responds is unknown"))
}

/// Returns an error that belongs to no unit.
pub(super) fn failed(message: impl Into<String>) -> anyhow::Error {
    Failure::new(Exit::Failed, Problem::new(message)).into()
}
