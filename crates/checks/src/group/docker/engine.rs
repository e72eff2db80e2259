//! The checks of the engine and of Compose themselves.

use docker::EngineError;
use subprocess::Deadline;

use super::{COMPOSE, DAEMON};
use crate::Target;
use crate::outcome::Outcome;

/// Checks that the engine responds.
pub(super) fn daemon(target: &Target, deadline: &Deadline) -> Outcome {
    let error = match docker::version(deadline) {
        Ok(version) => return Outcome::ok(DAEMON, format!("Docker {version}")),
        Err(error) => error,
    };
    let outcome = Outcome::err(DAEMON, target.secrets.redact(&error.to_string()));
    match error {
        _ if error.is_not_installed() => outcome.hint("install Docker: https://docs.docker.com/engine/install/"),
        EngineError::Engine { is_default: true, .. } => outcome.hint("sudo systemctl start docker"),
        EngineError::Engine { .. } => outcome.hint("docker context ls"),
        _ => outcome,
    }
}

/// Returns the version of Compose, or the failed check.
pub(super) fn compose_version(deadline: &Deadline) -> Result<String, Box<Outcome>> {
    docker::compose_version(deadline).map_err(|error| {
        let outcome = Outcome::err(COMPOSE, error.to_string());
        Box::new(match error {
            EngineError::NoCompose | EngineError::OldCompose(_) => outcome.hint("install the Compose plugin of Docker"),
            _ => outcome,
        })
    })
}
