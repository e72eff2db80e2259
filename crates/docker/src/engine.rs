//! The engine and Compose themselves: whether they are there, their versions, and the machine that the engine is on.

use std::fmt;

use subprocess::{Command, CommandError, Deadline, Finished};

use crate::compose::is_at_least;

/// The first Compose that is a plugin of Docker.
const COMPOSE_V2: (u32, u32) = (2, 0);
/// Where the engine of this machine listens unless it is configured otherwise.
const DEFAULT_ENDPOINT: &str = "unix:///var/run/docker.sock";

/// The reason why the engine or Compose cannot be used.
#[derive(Debug)]
pub enum EngineError {
    /// Docker's program was not run to its end.
    Program(CommandError),
    /// Docker's program fails: the last line of its error output, unredacted, and whether it asked the default engine of
    /// this machine.
    Engine {
        /// The last line of the error output.
        reason: String,
        /// Whether the endpoint is the default socket of this machine.
        is_default: bool,
    },
    /// Docker has no Compose plugin.
    NoCompose,
    /// The Compose plugin is older than version 2; the version is given.
    OldCompose(String),
}

impl EngineError {
    /// Returns whether Docker's program is not installed.
    #[must_use]
    pub fn is_not_installed(&self) -> bool {
        matches!(self, EngineError::Program(error) if error.is_not_found())
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineError::Program(error) => error.fmt(f),
            EngineError::Engine { reason, .. } => f.write_str(reason),
            EngineError::NoCompose => f.write_str("Compose v2 is not installed: `docker compose version` fails"),
            EngineError::OldCompose(version) => write!(f, "Compose v2 is required, the installed version is {version}"),
        }
    }
}

impl std::error::Error for EngineError {}

/// Returns the version of the engine.
///
/// # Errors
/// If Docker is not installed, or its engine does not respond.
pub fn version(deadline: &Deadline) -> Result<String, EngineError> {
    let version = Command::new("docker", ["version", "--format", "{{.Server.Version}}"]).run(deadline);
    let version = version.map_err(EngineError::Program)?;
    if version.is_success() {
        return Ok(version.stdout().trim().to_owned());
    }
    // Where even the endpoint is unknown, it is most likely the default one.
    let is_default = endpoint(deadline).is_none_or(|endpoint| endpoint == DEFAULT_ENDPOINT);
    Err(EngineError::Engine { reason: version.failure_reason(), is_default })
}

/// Returns the version of Compose.
///
/// # Errors
/// If Docker is not installed, or has no Compose plugin of version 2 or later.
pub fn compose_version(deadline: &Deadline) -> Result<String, EngineError> {
    let version = Command::new("docker", ["compose", "version", "--short"]).run(deadline);
    let version = version.map_err(EngineError::Program)?;
    let text = version.stdout().trim().to_owned();
    match version.is_success() {
        true if is_at_least(&text, COMPOSE_V2) => Ok(text),
        true => Err(EngineError::OldCompose(text)),
        false => Err(EngineError::NoCompose),
    }
}

/// Returns the host of the engine, where published ports are; `None` for this machine, and for an unknown endpoint.
#[must_use]
pub fn host(deadline: &Deadline) -> Option<String> {
    endpoint(deadline).as_deref().and_then(host_in).map(str::to_owned)
}

/// Returns the endpoint that Docker uses; Docker itself decides which context or variable counts.
fn endpoint(deadline: &Deadline) -> Option<String> {
    let inspect = Command::new("docker", ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]);
    let endpoint = inspect.run(deadline).ok().filter(Finished::is_success)?;
    Some(endpoint.stdout().trim().to_owned())
}

/// The host in `tcp://db.example.org:2376` or `ssh://me@example.org`; none in `unix:///var/run/docker.sock`.
fn host_in(endpoint: &str) -> Option<&str> {
    let (scheme, rest) = endpoint.split_once("://")?;
    if !matches!(scheme, "tcp" | "http" | "https" | "ssh") {
        return None;
    }
    let authority = rest.split('/').next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    // An IPv6 address has colons of its own.
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => host.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_engine_is() {
        for (endpoint, host) in [
            ("unix:///var/run/docker.sock", None),
            ("npipe:////./pipe/docker_engine", None),
            ("", None),
            ("tcp://127.0.0.1:2375", Some("127.0.0.1")),
            ("tcp://[::1]:2375", Some("::1")),
            ("ssh://me@example.org:22", Some("example.org")),
            ("ssh://example.org", Some("example.org")),
            ("tcp://", None),
        ] {
            assert_eq!(host_in(endpoint), host, "{endpoint}");
        }
    }
}
