//! The new containers of a release: created, checked, and added to the rotation.

use std::collections::BTreeMap;
use std::time::Duration;

use docker::Container;
use docker::compose::spelled_out;

use super::changes::Change;
use super::client::{Client, QUICK};
use super::images::tagged;
use super::names;
use super::proxy::Labels;
use super::readiness::Readiness;
use super::rotation::{self, Gate, HealthCheck, Rotation};
use super::stack::{Role, Service, Stack};
use crate::drain::CutWork;
use crate::event::Events;
use crate::failure::{Exit, Failure, Problem};
use crate::interrupt::Interrupt;
use crate::record::{PreviousContainer, ServiceSnapshot, Snapshot};

/// On top of the time that a container has to end by itself.
const STOP: Duration = Duration::from_secs(30);

/// The parts that a rollout works with.
pub(super) struct Rollout<'a> {
    pub(super) client: &'a Client<'a>,
    pub(super) stack: &'a Stack,
    pub(super) interrupt: &'a Interrupt,
    pub(super) events: Events<'a>,
    pub(super) timeout: Duration,
    pub(super) stability: Duration,
    /// The setting `drain-timeout`.
    pub(super) drain_timeout: Option<Duration>,
    pub(super) cut: &'a CutWork,
    /// Compose files on top of the project's, which new containers are created with.
    pub(super) pins: Vec<String>,
}

/// New containers with their services.
pub(super) type Started<'c> = Vec<(&'c Service, Container)>;

impl<'a> Rollout<'a> {
    /// Replaces the changed services that must be there before the migrations.
    pub(super) fn early_services<'c>(&self, changes: &'c [Change]) -> anyhow::Result<Started<'c>> {
        let mut started = Vec::new();
        for change in changes.iter().filter(|change| change.service.is_early) {
            started.extend(self.replace_in_place(change)?);
        }
        Ok(started)
    }

    /// Replaces the other services and watches all containers of the release, also those that are not new. During a rolling
    /// update the previous containers stay in the rotation.
    pub(super) fn services<'c>(&self, changes: &'c [Change], early: Started<'c>) -> anyhow::Result<Started<'c>> {
        let mut started = early;
        for change in changes.iter().filter(|change| !change.service.is_early) {
            if change.service.role.is_rolling() {
                started.extend(self.start_rolling(change)?);
            } else {
                started.extend(self.replace_in_place(change)?);
            }
        }
        let seconds = self.stability.as_secs_f32();
        self.stage(&format!("all containers stay healthy for {seconds} s"), || {
            let present = self.client.containers(self.stack.name())?;
            let watched = [started.clone(), unchanged(self.stack, changes, &started, present)].concat();
            self.readiness().watch(&watched, self.stability)
        })?;
        Ok(started)
    }

    /// Asks the way that users come, where a new web container or a new proxy could have closed it.
    pub(super) fn check_through_proxy(&self, started: &[(&Service, Container)]) -> anyhow::Result<()> {
        let is_concerned = started.iter().any(|(it, _)| matches!(it.role, Role::Web(_) | Role::Proxy));
        let web = self.stack.web().filter(|_| is_concerned);
        let (Some(web), Some(proxy)) = (web, self.stack.proxy()) else { return Ok(()) };
        let containers = self.client.containers(self.stack.name())?;
        let of = |service: &Service| containers.iter().rev().find(|it| it.service == service.name && it.runs());
        let Some(from) = of(web) else { return Ok(()) };
        if web.role.is_rolling() {
            return self.stage("responds through the proxy", || self.readiness().ask_through(proxy, web, from));
        }
        let reason = if of(proxy).is_some_and(|proxy| share_network(from, proxy)) && self.stack.has_port(proxy) {
            self.stage("responds through the proxy", || self.readiness().ask_through_unknown(proxy, web, from))?
        } else {
            Some("is not reachable from there".to_owned())
        };
        if let Some(reason) = reason {
            let message = format!("not verified: whether `{}` responds through `{}`: {reason}", web.name, proxy.name);
            self.events.warning(Problem::new(message));
        }
        Ok(())
    }

    /// Starts new containers next to the previous ones, checks them, and adds them to the rotation.
    fn start_rolling<'c>(&self, change: &'c Change) -> anyhow::Result<Started<'c>> {
        let service = &change.service;
        let name = &service.name;
        let gate = self.gate(service)?;
        let place = if change.old.is_empty() { "" } else { " next to the old one" };
        let started = self.stage(&format!("{name}: new container{place}"), || {
            let created = self.create(change)?;
            for container in &created {
                if let Some(gate) = &gate {
                    gate.keep_out(container)?;
                }
                self.start(container)?;
            }
            self.wait_until_healthy(service, created)
        })?;
        let Some(gate) = gate else { return Ok(started) };
        // It gets no requests yet: a container that exits soon after its start does so here.
        let seconds = self.stability.as_secs_f32();
        self.stage(&format!("{name}: lives on for {seconds} s"), || self.readiness().watch(&started, self.stability))?;
        self.stage(&format!("{name}: gets requests"), || {
            let ids = started.iter().map(|(_, container)| container.id.as_str());
            for (_, container) in &started {
                gate.let_in(container)?;
            }
            for container in &self.client.inspect(ids)? {
                gate.wait_until_in_rotation(container)?;
            }
            Ok(())
        })?;
        Ok(started)
    }

    /// Stops the old containers, which are kept for the case that something goes wrong, and starts new ones.
    fn replace_in_place<'c>(&self, change: &'c Change) -> anyhow::Result<Started<'c>> {
        let service = &change.service;
        let title = if change.old.is_empty() { "new container" } else { "replaced in place" };
        self.stage(&format!("{}: {title}", service.name), || {
            let created = self.create(change)?;
            for old in change.old.iter().filter(|old| old.is_up()) {
                self.stop_previous(old, self.drain_time(old))?;
            }
            for container in &created {
                self.start(container)?;
            }
            self.wait_until_healthy(service, created)
        })
    }

    /// Creates the new containers of a service through Compose, by the Compose file.
    fn create(&self, change: &Change) -> anyhow::Result<Vec<Container>> {
        let Change { service, old, .. } = change;
        let present = self.client.containers(self.stack.name())?;
        // Without its dependencies a container would have another hash, and be replaced by the next `docker compose up`.
        // They stay as many as they are.
        let dependencies = self.stack.dependencies(&service.name).into_iter().map(|name| {
            let count = present.iter().filter(|it| it.service == name).count();
            (name, count)
        });
        let dependencies: Vec<(String, usize)> = dependencies.collect();
        let doubled = dependencies.iter().filter(|(_, count)| *count > 1).map(|(name, _)| name);
        let doubled = doubled.chain(Some(&service.name).filter(|_| !old.is_empty())).map(String::as_str);
        let overlay = names::overlay(self.stack, doubled)?;
        let dependencies = dependencies.iter().map(|(name, count)| format!("{name}={count}"));
        let own = format!("{}={}", service.name, old.len() + service.scale);
        let scales: Vec<String> = dependencies.chain([own]).collect();
        let scales = scales.iter().flat_map(|scale| ["--scale", scale]);
        // The images are here, and those that were looked at: another pull could bring others.
        let how = ["--no-start", "--no-build", "--pull", "never", "--no-recreate"];
        let held = rotation::overlay(self.stack, &service.name)?;
        let more = [names::files(overlay.as_ref()), names::files(held.as_ref()), self.pins.clone()].concat();
        self.client.compose(&more, ["up"].into_iter().chain(how).chain(scales).chain([&*service.name]), QUICK)?;
        let mut containers = self.client.containers(self.stack.name())?;
        containers.retain(|it| it.service == service.name && !old.iter().any(|old| old.id == it.id));
        check_images(&containers, change)?;
        Ok(containers)
    }

    pub(super) fn start(&self, container: &Container) -> anyhow::Result<()> {
        self.client.docker(["start", &container.id], QUICK)?;
        Ok(())
    }

    fn wait_until_healthy<'c>(&self, service: &'c Service, containers: Vec<Container>) -> anyhow::Result<Started<'c>> {
        let readiness = self.readiness();
        containers.into_iter().map(|it| Ok((service, readiness.wait_until_healthy(service, &it.id)?))).collect()
    }

    /// Returns the time that a container of the previous release has to finish its requests or tasks. The setting is for
    /// those next to which the new one runs already: for others it would lengthen the outage.
    pub(super) fn drain_time(&self, container: &Container) -> Duration {
        let is_rolling = self.stack.service(&container.service).is_some_and(|service| service.role.is_rolling());
        let setting = self.drain_timeout.filter(|_| is_rolling);
        setting.unwrap_or(Duration::from_secs(container.stop_timeout))
    }

    /// Stops a container and waits until it has stopped, or is killed after `time`. An interrupted wait would leave a
    /// container that seems to run and stops a moment later.
    pub(super) fn stop(&self, container: &Container, time: Duration) -> anyhow::Result<()> {
        let seconds = time.as_secs().to_string();
        self.client.uninterrupted().docker(["stop", "-t", &seconds, &container.id], time + STOP)?;
        self.interrupt.check("docker stop")
    }

    /// Stops a container that has served, and reports it if it is killed: its requests and tasks are cut.
    pub(super) fn stop_previous(&self, container: &Container, time: Duration) -> anyhow::Result<()> {
        let stopped = self.stop(container, time);
        for container in self.client.uninterrupted().inspect([container.id.as_str()])? {
            if let Some((message, hint)) = cut_by_kill(&container, time) {
                self.cut.add(message, hint, &self.events);
            }
        }
        stopped
    }

    /// Gives the images of a release the names that the Compose file has for them.
    pub(super) fn tag_images(&self, release: &str) -> anyhow::Result<()> {
        for reference in self.stack.built_images() {
            self.client.docker(["tag", &tagged(self.stack, reference, release), reference], QUICK)?;
        }
        Ok(())
    }

    /// Returns the way to the rotation of a service; `None` for a service that has none.
    pub(super) fn gate<'c>(&self, service: &'c Service) -> anyhow::Result<Option<Gate<'c>>>
    where
        'a: 'c,
    {
        let (client, interrupt, timeout) = (self.client, self.interrupt, self.timeout);
        let front = match &service.role {
            Role::Web(Some(Rotation::Labels(front))) => front,
            Role::Web(Some(Rotation::HealthCheck(hold))) => {
                return Ok(Some(Gate::HealthCheck(HealthCheck { client, hold, timeout, interrupt })));
            }
            _ => return Ok(None),
        };
        // The one that runs decides: it may be another one than the Compose file has by now.
        let containers = client.containers(self.stack.name())?;
        let mut running = containers.into_iter().filter(Container::runs);
        let (name, state) = running.find_map(|it| Some((it.service, it.state_url?))).unzip();
        let name = name.unwrap_or_default();
        Ok(Some(Gate::Labels(Labels { client, front, name, state, interrupt })))
    }

    pub(super) fn readiness(&self) -> Readiness<'_> {
        Readiness {
            client: self.client,
            stack: self.stack,
            interrupt: self.interrupt,
            events: self.events,
            timeout: self.timeout,
        }
    }

    pub(super) fn stage<T>(&self, title: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.events.step(title, work)
    }
}

/// Returns whether two containers have addresses on the same network.
fn share_network(one: &Container, other: &Container) -> bool {
    one.addresses.iter().any(|(network, address)| !address.is_empty() && other.addresses.contains_key(network))
}

/// Returns the containers of the release that the deploy has not made: neither previous ones that still run, nor those of
/// services that the release does not have.
fn unchanged<'s>(
    stack: &'s Stack,
    changes: &[Change],
    started: &[(&Service, Container)],
    present: Vec<Container>,
) -> Vec<(&'s Service, Container)> {
    let is_new = |it: &Container| started.iter().any(|(_, new)| new.id == it.id);
    let is_previous = |it: &Container| changes.iter().flat_map(|change| &change.old).any(|old| old.id == it.id);
    let rest = present.into_iter().filter(|it| !is_new(it) && !is_previous(it));
    rest.filter_map(|it| Some((stack.service(&it.service)?, it))).collect()
}

/// The exit code of a program that was killed with KILL.
const KILLED: i64 = 137;

/// Returns the message about a container that has not ended in its time, and its hint.
fn cut_by_kill(container: &Container, time: Duration) -> Option<(String, String)> {
    let seconds = time.as_secs();
    let message = format!(
        "{container} has not ended within {seconds} s and was killed: requests or tasks that it had begun were cut"
    );
    (container.exit_code == KILLED && !container.is_out_of_memory).then(|| (message, longer_time(&container.service)))
}

/// Returns the hint for a service that has too little time to finish its requests or tasks.
pub(super) fn longer_time(service: &str) -> String {
    format!(
        "set a longer `stop_grace_period` for `{service}` in the Compose file, or `drain-timeout`: see docs/other-projects.md"
    )
}

/// Checks that new containers have the image of the release: another process can give its name to another image between
/// the build and here.
fn check_images(created: &[Container], change: &Change) -> anyhow::Result<()> {
    let Some(image) = &change.image else { return Ok(()) };
    let Some(other) = created.iter().find(|container| container.image != *image) else { return Ok(()) };
    let message = format!(
        "{other} was created from the image {}, and the release has {image}: another process has changed `{}` meanwhile",
        other.image, change.service.image
    );
    Err(Failure::new(Exit::Failed, Problem::new(message)).into())
}

/// Returns the snapshot of the target for the record; `moved` has the ids that references had before they were pulled.
pub(super) fn snapshot(
    client: &Client<'_>,
    stack: &Stack,
    changes: &[Change],
    moved: Option<&BTreeMap<String, String>>,
) -> anyhow::Result<Snapshot> {
    let moved = moved.into_iter().flatten();
    let mut images: BTreeMap<_, _> = moved.map(|(reference, id)| (reference.clone(), Some(id.clone()))).collect();
    for reference in stack.built_images() {
        let running = running_image(changes, reference);
        let image = if running.is_some() { running } else { client.image(reference)? };
        images.insert(reference.to_owned(), image);
    }
    let replaced = |change: &Change| ServiceSnapshot {
        service: change.service.name.clone(),
        containers: change
            .old
            .iter()
            .map(|it| PreviousContainer { id: it.id.clone(), was_running: it.runs() })
            .collect(),
    };
    let services = changes.iter().map(replaced).collect();
    Ok(Snapshot { images, services, ..Snapshot::default() })
}

/// Returns the image of a running container that was created with this reference. It comes before the one that the
/// reference has now: there may have been a build since.
fn running_image(changes: &[Change], reference: &str) -> Option<String> {
    let mut running = changes.iter().flat_map(|change| &change.old).filter(|it| it.runs());
    running.find(|it| spelled_out(&it.reference) == reference).map(|it| it.image.clone())
}

#[cfg(test)]
mod tests {
    use project::Settings;

    use super::*;
    use crate::compose::changes::Cause;
    use crate::compose::fixture::{self, container};

    #[test]
    fn a_container_that_was_killed_is_reported() {
        let cut = |exit_code| cut_by_kill(&Container { exit_code, ..container() }, Duration::from_secs(10));
        assert!(cut(0).is_none() && cut(143).is_none());
        let (message, _) = cut(137).expect("killed");
        assert!(message.contains("has not ended within 10 s and was killed"), "{message}");
    }

    #[test]
    fn services_that_the_deploy_leaves_alone_are_watched_too() {
        let config = r#"{"services": {"web": {"build": {}}, "redis": {"image": "redis"}}}"#;
        let stack = Stack::of(serde_json::from_str(config).expect("JSON"), &Settings::default()).expect("a stack");
        let of = |service: &str, id: &str| Container { service: service.into(), id: id.into(), ..container() };
        let web = stack.service("web").expect("web");
        let old = vec![of("web", "old")];
        let changes = [Change { service: web.clone(), cause: Cause::Image, old: old.clone(), image: None }];
        let present = [old, vec![of("web", "new"), of("redis", "redis"), of("gone", "orphan")]].concat();
        let rest = unchanged(&stack, &changes, &[(web, of("web", "new"))], present);
        let rest: Vec<_> = rest.iter().map(|(service, it)| (service.name.as_str(), it.id.as_str())).collect();
        assert_eq!(rest, [("redis", "redis")]);
    }

    #[test]
    fn a_name_that_has_changed_is_not_given_to_the_previous_image() {
        let service = fixture::service(Role::Other, "shop-app:2");
        let old = vec![Container { reference: "shop-app".into(), ..container() }];
        let changes = [Change { service, cause: Cause::Image, old, image: None }];
        assert_eq!(running_image(&changes, "shop-app:latest").as_deref(), Some("sha256:1"));
        assert_eq!(running_image(&changes, "shop-app:2"), None);
    }

    #[test]
    fn a_container_of_another_image_is_refused() {
        let service = fixture::service(Role::Other, "shop-app");
        let check = |image: Option<&str>| {
            let (service, image) = (service.clone(), image.map(str::to_owned));
            let change = Change { service, cause: Cause::Image, old: Vec::new(), image };
            check_images(&[container()], &change).map_err(|error| error.to_string())
        };
        assert_eq!(check(Some("sha256:1")), Ok(()));
        assert_eq!(check(None), Ok(()));
        let error = check(Some("sha256:2")).expect_err("another image");
        assert!(error.contains("created from the image sha256:1, and the release has sha256:2"), "{error}");
    }
}
