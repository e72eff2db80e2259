//! The engine and Compose themselves.

use super::{COMPOSE, DAEMON};
use crate::command::{Command, Finished};
use crate::compose::is_v2;
use crate::outcome::Outcome;
use crate::{Deadline, Site};

/// Whether the engine answers.
pub(super) fn daemon(site: &Site, deadline: &Deadline) -> Outcome {
    match Command::new("docker", ["version", "--format", "{{.Server.Version}}"]).run(deadline) {
        Ok(finished) if finished.is_success() => Outcome::ok(DAEMON, format!("Docker {}", finished.stdout().trim())),
        Ok(finished) => {
            let complaint = site.secrets.cover(&finished.complaint());
            let is_here = complaint.contains("/var/run/docker.sock");
            let hint = if is_here { "sudo systemctl start docker" } else { "docker context ls" };
            Outcome::err(DAEMON, complaint).hint(hint)
        }
        Err(error) if error.is_not_found() => {
            Outcome::err(DAEMON, error.to_string()).hint("install Docker: https://docs.docker.com/engine/install/")
        }
        Err(error) => Outcome::err(DAEMON, error.to_string()),
    }
}

/// The version of Compose, if it is one that works here.
pub(super) fn compose_version(deadline: &Deadline) -> Result<String, Box<Outcome>> {
    let install = "install the Compose plugin of Docker";
    match Command::new("docker", ["compose", "version", "--short"]).run(deadline) {
        Ok(finished) if finished.is_success() && is_v2(finished.stdout()) => Ok(finished.stdout().trim().to_owned()),
        Ok(finished) if finished.is_success() => {
            let message = format!("Compose v2 is needed, this is: {}", finished.stdout().trim());
            Err(Outcome::err(COMPOSE, message).hint(install).into())
        }
        Ok(_) => {
            let message = "Compose v2 is not installed: `docker compose version` fails";
            Err(Outcome::err(COMPOSE, message).hint(install).into())
        }
        Err(error) => Err(Outcome::err(COMPOSE, error.to_string()).into()),
    }
}

/// The host of the engine, where published ports are; none if it is this machine. Docker itself says which context or
/// variable counts.
#[must_use]
pub fn host(deadline: &Deadline) -> Option<String> {
    let ask = Command::new("docker", ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]);
    // Who does not say is on this machine, like most.
    let endpoint = ask.run(deadline).ok().filter(Finished::is_success)?;
    host_in(endpoint.stdout().trim()).map(str::to_owned)
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
