//! The rotation of the web containers: how a new one is kept out of it until it is verified, how it gets in, and how an old
//! one gets out without losing a request.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use docker::compose::{Config, Service as Declared};
use docker::roles::FRONT_LABEL;
use docker::{Container, HOLD_FILE, Health};
use serde_json::json;
use tempfile::NamedTempFile;

use super::client::{Client, QUICK};
use super::proxy::Labels;
use super::stack::{Role, Stack};
use crate::failure::{Exit, Failure, Problem};
use crate::interrupt::Interrupt;

/// On the web service: as long as this file is there, the proxy hands it no request.
const HOLD_FILE_LABEL: &str = "xtask.hold-file";

const POLL: Duration = Duration::from_millis(200);
/// The time in which Traefik heeds the health of a container: more than twice its `providersThrottleDuration`, which is 2 s
/// unless it is set.
const NOTICE: Duration = Duration::from_secs(5);

/// The way in which requests reach a web container, and stop reaching it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rotation {
    /// By the labels of this tool: the container is on the network of a proxy, and has no hold file.
    Labels(Front),
    /// By the labels of Traefik, which leaves out containers whose health check fails.
    HealthCheck(Hold),
}

/// How containers wait outside of a rotation that goes by health checks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hold {
    /// The health check that fails while a container is held.
    pub(super) test: Vec<String>,
    /// The time that the engine takes at most to call a held container unhealthy.
    pub(super) time: Duration,
}

/// The network in front of the web service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Front {
    /// The network, by the name that the engine has for it.
    pub(super) network: String,
    /// The names by which the service is known there.
    pub(super) aliases: Vec<String>,
    pub(super) hold_file: String,
}

/// The way to the rotation.
pub(super) enum Gate<'a> {
    Labels(Labels<'a>),
    HealthCheck(HealthCheck<'a>),
}

/// A rotation that goes by the health checks of the containers.
pub(super) struct HealthCheck<'a> {
    pub(super) client: &'a Client<'a>,
    pub(super) hold: &'a Hold,
    /// The time that a container has to become healthy.
    pub(super) timeout: Duration,
    pub(super) interrupt: &'a Interrupt,
}

impl Gate<'_> {
    /// Keeps a container that was never started out of the rotation.
    pub(super) fn keep_out(&self, container: &Container) -> anyhow::Result<()> {
        match self {
            Gate::Labels(labels) => labels.detach(container),
            Gate::HealthCheck(health_check) => health_check.hold_before_start(container),
        }
    }

    /// Lets a container into the rotation.
    pub(super) fn let_in(&self, container: &Container) -> anyhow::Result<()> {
        match self {
            Gate::Labels(labels) => labels.connect(container),
            Gate::HealthCheck(health_check) => health_check.release(container),
        }
    }

    /// Waits until a container gets requests.
    pub(super) fn wait_until_in_rotation(&self, container: &Container) -> anyhow::Result<()> {
        match self {
            Gate::Labels(labels) => labels.wait_until_in_rotation(container),
            Gate::HealthCheck(health_check) => health_check.wait_until_in_rotation(container),
        }
    }

    /// Returns whether a container can be in the rotation, and be taken out of it.
    pub(super) fn can_drain(&self, container: &Container) -> bool {
        match self {
            Gate::Labels(labels) => container.addresses.contains_key(&labels.front.network),
            Gate::HealthCheck(_) => container.is_holdable,
        }
    }

    /// Returns whether it knows the number of requests that a container has begun.
    pub(super) fn counts_requests(&self) -> bool {
        matches!(self, Gate::Labels(_))
    }

    /// Takes a container out of the rotation. Returns the number of requests that are still open after `patience`; those
    /// that are not counted are finished by the container itself when it is stopped.
    pub(super) fn drain(&self, container: &Container, patience: Duration) -> anyhow::Result<u64> {
        match self {
            Gate::Labels(labels) => labels.drain(container, patience),
            Gate::HealthCheck(health_check) => health_check.hold(container).map(|()| 0),
        }
    }
}

impl HealthCheck<'_> {
    fn hold_before_start(&self, container: &Container) -> anyhow::Result<()> {
        let empty = NamedTempFile::new().context("cannot write a temporary file")?;
        let file = empty.path().display().to_string();
        self.client.docker(["cp", &file, &format!("{}:{HOLD_FILE}", container.id)], QUICK)?;
        Ok(())
    }

    fn hold(&self, container: &Container) -> anyhow::Result<()> {
        self.client.docker(["exec", "--user", "0", &container.id, "touch", HOLD_FILE], QUICK)?;
        self.wait(container, self.hold.time, "does not become unhealthy", |container| {
            matches!(container.health, Health::Held { is_out: true } | Health::Unhealthy(_)) || !container.runs()
        })
    }

    fn release(&self, container: &Container) -> anyhow::Result<()> {
        self.client.docker(["exec", "--user", "0", &container.id, "rm", "-f", HOLD_FILE], QUICK)?;
        Ok(())
    }

    fn wait_until_in_rotation(&self, container: &Container) -> anyhow::Result<()> {
        if !container.is_holdable {
            return Ok(());
        }
        self.wait(container, self.hold.time.max(self.timeout), "does not become healthy", |container| {
            container.health == Health::Healthy
        })
    }

    /// Waits until the engine sees a container as it should be, and then until the proxy has heeded it.
    fn wait(
        &self,
        container: &Container,
        time: Duration,
        failure_reason: &str,
        is_so: impl Fn(&Container) -> bool,
    ) -> anyhow::Result<()> {
        let end = Instant::now() + time;
        loop {
            self.interrupt.check("waiting for the rotation")?;
            let now = self.client.inspect([container.id.as_str()])?;
            // One that is gone gets no requests.
            if now.first().is_none_or(&is_so) {
                break;
            }
            if Instant::now() >= end {
                let message = format!("{container} {failure_reason} in {} s", time.as_secs());
                return Err(Failure::new(Exit::Failed, Problem::new(message)).into());
            }
            self.interrupt.pause(POLL);
        }
        self.interrupt.pause(NOTICE);
        self.interrupt.check("waiting for the rotation")
    }
}

/// Returns the rotation of the web service, if it has one.
pub(super) fn rotation(config: &Config, web: &str) -> Option<Rotation> {
    let declared = &config.services[web];
    by_labels(config, web, declared).map(Rotation::Labels).or_else(|| by_traefik(declared).map(Rotation::HealthCheck))
}

/// Returns how Traefik leaves out containers of a service: it has routes to it, several containers can run, and their health
/// check can be made to fail.
fn by_traefik(declared: &Declared) -> Option<Hold> {
    let is_enabled = declared.labels.get("traefik.enable").is_none_or(|value| value.eq_ignore_ascii_case("true"));
    let has_route = declared.labels.keys().any(|label| label.starts_with("traefik.http."));
    let is_single = declared.ports.iter().any(|port| port.published.as_deref().is_some_and(|port| !port.contains('-')));
    if !is_enabled || !has_route || is_single || declared.read_only {
        return None;
    }
    let health_check = declared.healthcheck.as_ref()?;
    Some(Hold { test: health_check.held_test()?, time: health_check.time_to_unhealthy() })
}

fn by_labels(config: &Config, web: &str, declared: &Declared) -> Option<Front> {
    config.services.values().find(|service| service.labels.contains_key(docker::STATE_LABEL))?;
    let (front, hold_file) = (declared.labels.get(FRONT_LABEL)?, declared.labels.get(HOLD_FILE_LABEL)?);
    let membership = declared.networks.get(front)?;
    let more = membership.as_ref().map(|membership| membership.aliases.clone()).unwrap_or_default();
    Some(Front {
        network: config.networks.get(front)?.name.clone(),
        aliases: [web.to_owned()].into_iter().chain(more).collect(),
        hold_file: hold_file.clone(),
    })
}

/// Returns a Compose file on top of the project's, with which the health check of the web service fails while a container is
/// held; `None` for a rotation that goes by something else.
pub(super) fn overlay(stack: &Stack, service: &str) -> anyhow::Result<Option<NamedTempFile>> {
    let Some(Role::Web(Some(Rotation::HealthCheck(hold)))) = stack.service(service).map(|service| &service.role) else {
        return Ok(None);
    };
    let write = || {
        let mut file = tempfile::Builder::new().prefix("xtask-health-").suffix(".json").tempfile()?;
        let services = json!({ service: {"healthcheck": {"test": hold.test}} });
        serde_json::to_writer(&mut file, &json!({"services": services}))?;
        file.flush().map(|()| file)
    };
    write().context("cannot write a temporary file").map(Some)
}
