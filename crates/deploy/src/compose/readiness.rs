//! Readiness: whether each of the new containers is healthy, and stays so.

use std::time::{Duration, Instant};

use docker::Container;
use project::{Variable, web};
use serde::Deserialize;

use super::client::{Client, QUICK};
use super::stack::{Role, Service, Stack};
use crate::event::Events;
use crate::excerpt;
use crate::failure::{Exit, Failure, Problem};
use crate::interrupt::Interrupt;
use crate::patience::{Patience, Unhealthy};

const POLL: Duration = Duration::from_millis(250);
const NOT_HEALTHY_YET: &str = "is not healthy by its health check";
/// The duration of one poll from within a container; its state is polled in between.
const ASK: Duration = Duration::from_secs(1);
/// Requests the health path from within the container: it is not reachable from outside yet.
const SCRIPT: &str = include_str!("probe.py");

/// The time that a proxy with unknown rules has to respond.
const UNKNOWN: Duration = Duration::from_secs(10);

/// The meaning of a response that is not healthy, through a proxy with unknown rules.
#[derive(Debug, PartialEq, Eq)]
enum Through {
    /// The proxy gets no response from the web service.
    NoUpstream,
    /// It may be one of the proxy's own, such as a redirect to HTTPS or a page for other hosts.
    Unknown,
}

impl Through {
    fn of(status: Option<u16>) -> Self {
        match status {
            Some(502..=504) => Through::NoUpstream,
            _ => Through::Unknown,
        }
    }
}

/// The readiness checks of containers.
pub(super) struct Readiness<'a> {
    pub(super) client: &'a Client<'a>,
    pub(super) stack: &'a Stack,
    pub(super) interrupt: &'a Interrupt,
    pub(super) events: Events<'a>,
    /// The time that a container has to become healthy.
    pub(super) timeout: Duration,
}

/// The output of the script: the response of the server in a container.
#[derive(Deserialize)]
struct Response {
    is_healthy: bool,
    status: Option<u16>,
    error: Option<String>,
}

impl Readiness<'_> {
    /// Waits until the web service responds as it should, and a backing service is healthy by its health check. A
    /// container that exits or restarts fails at once.
    pub(super) fn wait_until_healthy(&self, service: &Service, id: &str) -> anyhow::Result<Container> {
        let (started, mut patience) = (Instant::now(), Patience::start(self.timeout, !service.role.is_rolling()));
        loop {
            self.interrupt.check("waiting for the new containers")?;
            let container = self.container(id)?;
            if service.role.is_done(&container) {
                return Ok(container);
            }
            if let Some(failure) = container.failure() {
                return Err(self.unhealthy(&container, &failure));
            }
            let failure = match &service.role {
                Role::Web(_) => self.failure(service, &container, None)?,
                Role::Job => Some(Unhealthy::no_response("has not ended")),
                // A container of a rolling update is checked while it is watched.
                role if role.is_rolling() => None,
                _ => container.is_starting().then(|| Unhealthy::no_response(NOT_HEALTHY_YET)),
            };
            let Some(failure) = failure else { return Ok(container) };
            if patience.is_exhausted(&failure) {
                let reason = format!("{}, after {:.1} s", failure.reason, started.elapsed().as_secs_f32());
                return Err(self.unhealthy(&container, &reason));
            }
            self.interrupt.pause(POLL);
        }
    }

    /// Waits until a previous container responds again; the result of its health check comes later.
    pub(super) fn wait_until_responding(&self, service: &Service, id: &str) -> anyhow::Result<()> {
        let end = Instant::now() + self.timeout;
        while let Role::Web(_) = service.role {
            let container = self.container(id)?;
            let Some(failure) = self.failure(service, &container, None)? else { break };
            // Whether it responds as well as before is checked once the rollback is recorded.
            if failure.status.is_some() {
                break;
            }
            if Instant::now() >= end {
                return Err(self.unhealthy(&container, &failure.reason));
            }
            self.interrupt.pause(POLL);
        }
        Ok(())
    }

    /// Watches containers over the stability window: the same ones live on without a restart, and are healthy at the end,
    /// by their health checks too, which may take longer.
    pub(super) fn watch(&self, watched: &[(&Service, Container)], stability: Duration) -> anyhow::Result<()> {
        let (end, given_up) = (Instant::now() + stability, Instant::now() + stability.max(self.timeout));
        loop {
            self.interrupt.check("watching the new containers")?;
            let mut is_over = Instant::now() >= end;
            let containers = self.client.inspect(watched.iter().map(|(_, container)| container.id.as_str()))?;
            for (service, first) in watched.iter().filter(|(service, _)| service.role != Role::Job) {
                let Some(now) = containers.iter().find(|it| it.id == first.id) else {
                    let message = format!("{first} was removed by another process");
                    return Err(Failure::new(Exit::Failed, Problem::new(message)).into());
                };
                if let Some(failure) = failure_since(&service.role, first, now) {
                    return Err(self.unhealthy(now, &failure));
                }
                if now.is_starting() {
                    if Instant::now() >= given_up {
                        return Err(
                            self.unhealthy(now, &format!("{NOT_HEALTHY_YET}, after {} s", self.timeout.as_secs()))
                        );
                    }
                    is_over = false;
                }
                if is_over
                    && matches!(service.role, Role::Web(_))
                    && let Some(failure) = self.lasting_failure(service, now)?
                {
                    return Err(self.unhealthy(now, &failure.reason));
                }
            }
            if is_over {
                return Ok(());
            }
            self.interrupt.pause(POLL);
        }
    }

    /// Asks the web service through the proxy, from within one of its containers.
    pub(super) fn ask_through(&self, proxy: &Service, web: &Service, from: &Container) -> anyhow::Result<()> {
        let end = Instant::now() + self.timeout;
        while let Some(failure) = self.failure(web, from, Some(proxy))? {
            self.interrupt.check("asking through the proxy")?;
            if Instant::now() >= end {
                let reason = self.client.secrets.redact(&failure.reason);
                let message = format!("`{}` is healthy, and through `{}` it {reason}", web.name, proxy.name);
                return Err(Failure::new(Exit::Failed, Problem::new(message)).into());
            }
        }
        Ok(())
    }

    /// Asks the web service through a proxy whose rules are unknown, from within one of its containers. Returns the reason why
    /// its response is not verified.
    ///
    /// # Errors
    /// If the proxy reports that it gets no response from the web service.
    pub(super) fn ask_through_unknown(
        &self,
        proxy: &Service,
        web: &Service,
        from: &Container,
    ) -> anyhow::Result<Option<String>> {
        let end = Instant::now() + self.timeout.min(UNKNOWN);
        while let Some(failure) = self.failure(web, from, Some(proxy))? {
            self.interrupt.check("asking through the proxy")?;
            let is_over = Instant::now() >= end;
            match Through::of(failure.status) {
                Through::NoUpstream if is_over => {
                    let message =
                        format!("`{}` is healthy, and through `{}` it {}", web.name, proxy.name, failure.reason);
                    return Err(Failure::new(Exit::Failed, Problem::new(self.client.secrets.redact(&message))).into());
                }
                Through::Unknown if is_over || failure.status.is_some() => {
                    return Ok(Some(self.client.secrets.redact(&failure.reason)));
                }
                _ => self.interrupt.pause(POLL),
            }
        }
        Ok(None)
    }

    /// Returns the failure of the web server in a container: after two wrong responses in a row, or if it does not respond
    /// within the timeout.
    pub(super) fn lasting_failure(
        &self,
        service: &Service,
        container: &Container,
    ) -> anyhow::Result<Option<Unhealthy>> {
        let mut patience = Patience::start(self.timeout, true);
        while let Some(failure) = self.failure(service, container, None)? {
            if patience.is_exhausted(&failure) {
                return Ok(Some(failure));
            }
            self.interrupt.pause(POLL);
        }
        Ok(None)
    }

    /// Returns the failure of the web server in this container, or of another service as seen from there; `None` if it
    /// is healthy.
    fn failure(
        &self,
        service: &Service,
        container: &Container,
        through: Option<&Service>,
    ) -> anyhow::Result<Option<Unhealthy>> {
        let health_path = self.client.project.settings.health_path.as_deref();
        let path = web::health_path(health_path);
        let names = &self.client.project.names;
        let environment = &self.stack.declared(service).environment;
        let hosts = names.value(Variable::AllowedHosts, |name| Some(environment.get(name)?.as_str()?.to_owned()));
        let host = web::request_host(hosts.as_deref());
        let address = through.map_or("127.0.0.1", |through| &through.name);
        let port = self.stack.port(through.unwrap_or(service)).to_string();
        let seconds = ASK.as_secs_f32().to_string();
        // The range of healthy statuses, as the checks judge them.
        let healthy: Vec<u16> = (100..600).filter(|status| web::is_healthy(*status, health_path)).collect();
        let (low, high) = (healthy.first().copied().unwrap_or(200), healthy.last().copied().unwrap_or(299) + 1);
        let (low, high) = (low.to_string(), high.to_string());
        let args = ["exec", "-i", &container.id, "python3", "-", address, &port, &host, path, &seconds, &low, &high];
        let finished = self.client.ask(&args, SCRIPT.as_bytes(), QUICK)?;
        let no_response = |reason: String| Ok(Some(Unhealthy::no_response(reason)));
        if !finished.is_success() {
            return no_response(format!("cannot be asked from within: {}", finished.failure_reason()));
        }
        let Ok(answer) = serde_json::from_str::<Response>(finished.stdout()) else {
            return no_response("sent a response that cannot be parsed".to_owned());
        };
        match answer {
            Response { is_healthy: true, .. } => Ok(None),
            Response { status: Some(status), .. } => Ok(Some(Unhealthy::status(status, path, &host, names))),
            Response { error, .. } => {
                no_response(format!("does not answer on port {port}: {}", error.unwrap_or_default()))
            }
        }
    }

    fn container(&self, id: &str) -> anyhow::Result<Container> {
        self.client.inspect([id])?.pop().ok_or_else(|| {
            let message = format!("the container {} was removed by another process", &id[..12.min(id.len())]);
            Failure::new(Exit::Failed, Problem::new(message)).into()
        })
    }

    /// The exit code that a container ended with which runs again by now: only the engine's events still know it.
    fn last_exit_code(&self, container: &Container) -> Option<String> {
        let filter = format!("container={}", container.id);
        // Docker cuts these times to whole seconds: up to the next one, so that the present one is in it.
        let range = ["events", "--since", "15m", "--until", "-1s", "--filter", &filter, "--filter", "event=die"];
        let format = ["--format", "{{index .Actor.Attributes \"exitCode\"}}"];
        let events = self.client.ask(&[&range[..], &format].concat(), b"", QUICK).ok()?;
        events.stdout().lines().last().map(str::to_owned)
    }

    /// Emits the last log lines of a container, and returns an error with the reason of its failure.
    fn unhealthy(&self, container: &Container, failure: &str) -> anyhow::Error {
        let ended = if container.runs() { self.last_exit_code(container) } else { None };
        let ended = ended.map(|code| format!(" (exit code {code})")).unwrap_or_default();
        let failure = self.client.secrets.redact(failure) + &ended;
        self.events.note(format!("{container} {failure}; its last lines:"));
        // The error is useful without the log, too.
        let args = ["logs", "--timestamps", "--tail", excerpt::READ, &container.id];
        if let Ok(logs) = self.client.ask(&args, b"", QUICK) {
            let log = self.client.secrets.redact(&in_order(logs.stdout(), logs.stderr()));
            self.events.output(&excerpt::of_log(&log), true);
        }
        Failure::new(Exit::Failed, Problem::new(format!("{container} {failure}"))).into()
    }
}

/// Returns the failure of a container since the first look at it: one that the deploy has not replaced can have been restarted
/// before that.
fn failure_since(role: &Role, first: &Container, now: &Container) -> Option<String> {
    if role.is_done(now) {
        return None;
    }
    let restarts = now.restarts.saturating_sub(first.restarts);
    let failure = Container { restarts, ..now.clone() }.failure();
    failure.or_else(|| (now.started_at != first.started_at).then(|| "was restarted".to_owned()))
}

/// The lines of both outputs in the order of their times, which Docker has written before them; without these.
fn in_order(stdout: &str, stderr: &str) -> String {
    let mut lines: Vec<&str> = stdout.lines().chain(stderr.lines()).collect();
    lines.sort_by_key(|line| line.split(' ').next());
    let lines = lines.iter().map(|line| line.split_once(' ').map_or("", |(_, line)| line));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::container;
    use super::*;

    #[test]
    fn every_service_lives_on_or_has_done_its_work() {
        let check = |role: &Role, restarts: (u64, u64), state: &str, exit_code, expected: Option<&str>| {
            let first = Container { restarts: restarts.0, ..container() };
            let now = Container { restarts: restarts.1, state: state.into(), exit_code, ..container() };
            assert_eq!(failure_since(role, &first, &now).as_deref(), expected, "{restarts:?} {state}");
        };
        let backing = Role::Backing;
        check(&backing, (0, 0), "running", 0, None);
        // It was restarted on another day.
        check(&backing, (7, 7), "running", 0, None);
        check(&backing, (7, 8), "running", 0, Some("was restarted once"));
        check(&backing, (7, 8), "restarting", 1, Some("keeps restarting: exit code 1"));
        check(&backing, (0, 0), "exited", 1, Some("has exited with exit code 1"));
        // A one-shot service, and one that must not end.
        check(&backing, (0, 0), "exited", 0, None);
        check(&Role::Proxy, (0, 0), "exited", 0, Some("has exited with exit code 0"));
        // It was restarted by hand.
        let now = Container { started_at: "later".into(), ..container() };
        assert_eq!(failure_since(&backing, &container(), &now).as_deref(), Some("was restarted"));
        let unhealthy = Container { health: docker::Health::Unhealthy("no".into()), ..container() };
        assert_eq!(failure_since(&Role::Proxy, &container(), &unhealthy).as_deref(), Some("is unhealthy: no"));
    }

    #[test]
    fn only_a_proxy_without_an_upstream_fails_a_deploy() {
        for status in [502, 503, 504] {
            assert_eq!(Through::of(Some(status)), Through::NoUpstream);
        }
        for status in [Some(301), Some(400), Some(404), Some(500), None] {
            assert_eq!(Through::of(status), Through::Unknown);
        }
    }

    #[test]
    fn two_outputs_in_the_order_of_their_times() {
        let stdout = "2026-11-23T04:48:46.1Z one\n2026-11-23T04:48:46.3Z three\n";
        let stderr = "2026-11-23T04:48:46.2Z two words\n2026-11-23T04:48:46.4Z \n";
        assert_eq!(in_order(stdout, stderr), "one\ntwo words\nthree\n");
    }
}
