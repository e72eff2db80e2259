//! One release, from the first container to the last one of the release before.

use std::collections::BTreeMap;
use std::time::Duration;

use super::changes::Change;
use super::container::Container;
use super::engine::{BUILD, Engine, SOON};
use super::images::tagged;
use super::prove::Proof;
use super::proxy::Proxy;
use super::stack::{Role, Service, Stack};
use crate::deploy::record::{Old, Record, Replaced};
use crate::interrupt::Deferred;
use crate::ui::Ui;

/// On top of the time that a container has to end by itself.
const STOP: Duration = Duration::from_secs(30);

/// What bringing up a release takes.
pub(super) struct Release<'a> {
    pub(super) engine: &'a Engine<'a>,
    pub(super) stack: &'a Stack,
    pub(super) deferred: &'a Deferred,
    pub(super) ui: &'a Ui,
    pub(super) timeout: Duration,
    pub(super) stability: Duration,
}

/// New containers with their services.
pub(super) type Fresh<'a> = Vec<(&'a Service, Container)>;

impl<'a> Release<'a> {
    /// Replaces what rests below the service: it has to be there before the migrations.
    pub(super) fn backing(&self, changes: &[Change<'a>]) -> anyhow::Result<()> {
        for change in changes.iter().filter(|change| change.service.role == Role::Backing) {
            self.replace_in_place(change)?;
        }
        Ok(())
    }

    /// Replaces the rest, and watches it. The old containers of what runs beside are still there, and in rotation.
    pub(super) fn services(&self, changes: &[Change<'a>]) -> anyhow::Result<Fresh<'a>> {
        let mut fresh = Vec::new();
        for change in changes.iter().filter(|change| change.service.role != Role::Backing) {
            if change.service.role.is_beside() {
                fresh.extend(self.bring_up_beside(change)?);
            } else {
                fresh.extend(self.replace_in_place(change)?);
            }
        }
        let seconds = self.stability.as_secs_f32();
        self.stage(&format!("all of them are well, for {seconds} s"), || self.proof().watch(&fresh, self.stability))?;
        Ok(fresh)
    }

    /// Asks the way that users come, where a new web container or a new proxy could have closed it.
    pub(super) fn prove_through_proxy(&self, fresh: &[(&Service, Container)]) -> anyhow::Result<()> {
        let is_concerned = fresh.iter().any(|(it, _)| matches!(it.role, Role::Web(_) | Role::Proxy));
        let web = self.stack.web().filter(|web| is_concerned && web.role.is_beside());
        let proxy = self.stack.services.iter().find(|service| service.role == Role::Proxy);
        let (Some(web), Some(proxy)) = (web, proxy) else { return Ok(()) };
        let containers = self.engine.containers(self.stack.name())?;
        let Some(from) = containers.iter().rev().find(|it| it.service == web.name && it.runs()) else { return Ok(()) };
        self.stage("answers through the proxy", || self.proof().ask_through(proxy, web, from))
    }

    /// Starts new containers beside the old ones, proves them, and lets them have requests.
    fn bring_up_beside(&self, change: &Change<'a>) -> anyhow::Result<Fresh<'a>> {
        let service = change.service;
        let name = &service.name;
        let proxy = self.proxy(service);
        let beside = if change.old.is_empty() { "" } else { " beside the old one" };
        let fresh = self.stage(&format!("{name}: new container{beside}"), || {
            let created = self.create(change)?;
            for container in &created {
                if let Some(proxy) = &proxy {
                    proxy.keep_out(container)?;
                }
                self.start(container)?;
            }
            self.wait_until_well(service, created)
        })?;
        let Some(proxy) = proxy else { return Ok(fresh) };
        // Nobody has reached it yet: what ends soon after its start does so here.
        let seconds = self.stability.as_secs_f32();
        self.stage(&format!("{name}: lives on for {seconds} s"), || self.proof().watch(&fresh, self.stability))?;
        self.stage(&format!("{name}: gets requests"), || {
            let ids = fresh.iter().map(|(_, container)| container.id.as_str());
            let proxy_runs = self.has_proxy()?;
            for (_, container) in &fresh {
                proxy.connect(container)?;
            }
            for container in self.engine.inspect(ids)?.iter().filter(|_| proxy_runs) {
                proxy.wait_until_in(container)?;
            }
            Ok(())
        })?;
        Ok(fresh)
    }

    /// Stops the old containers, which are kept for the case that something goes wrong, and starts new ones.
    fn replace_in_place(&self, change: &Change<'a>) -> anyhow::Result<Fresh<'a>> {
        let service = change.service;
        let title = if change.old.is_empty() { "new container" } else { "replaced in place" };
        self.stage(&format!("{}: {title}", service.name), || {
            let created = self.create(change)?;
            for old in change.old.iter().filter(|old| old.is_up()) {
                self.stop(old)?;
            }
            for container in &created {
                self.start(container)?;
            }
            self.wait_until_well(service, created)
        })
    }

    /// Creates the new containers of a service, by Compose and as the Compose file says.
    fn create(&self, change: &Change<'_>) -> anyhow::Result<Vec<Container>> {
        let Change { service, old, .. } = change;
        let scale = format!("{}={}", service.name, old.len() + service.scale);
        let up = ["up", "--no-start", "--no-build", "--no-recreate", "--no-deps", "--scale", &scale, &service.name];
        self.engine.compose(&[], up, BUILD)?;
        let mut containers = self.engine.containers(self.stack.name())?;
        containers.retain(|it| it.service == service.name && !old.iter().any(|old| old.id == it.id));
        Ok(containers)
    }

    fn start(&self, container: &Container) -> anyhow::Result<()> {
        self.engine.docker(["start", &container.id], SOON)?;
        Ok(())
    }

    fn wait_until_well(&self, service: &'a Service, containers: Vec<Container>) -> anyhow::Result<Fresh<'a>> {
        let proof = self.proof();
        containers.into_iter().map(|it| Ok((service, proof.wait_until_well(service, &it.id)?))).collect()
    }

    /// Ends the containers of before: they get no more requests, finish what they have begun, and go.
    pub(super) fn retire(&self, before: &[Replaced]) -> anyhow::Result<()> {
        for replaced in before {
            let containers = self.engine.inspect(replaced.containers.iter().map(|old| old.id.as_str()))?;
            if containers.is_empty() {
                continue;
            }
            self.stage(&format!("{}: the old container has finished, and is gone", replaced.service), || {
                containers.iter().try_for_each(|container| self.end(container))
            })?;
        }
        Ok(())
    }

    /// Takes a container out of the rotation, stops and removes it.
    pub(super) fn end(&self, container: &Container) -> anyhow::Result<()> {
        let service = self.stack.service(&container.service);
        if let Some(proxy) = service.and_then(|service| self.proxy(service))
            && container.runs()
            && container.addresses.contains_key(&proxy.gate.network)
            && self.has_proxy()?
        {
            let left = proxy.take_out(container, Duration::from_secs(container.stop_timeout));
            match left {
                Ok(0) => {}
                Ok(left) => {
                    self.ui.note(format_args!("     {container} was stopped with {left} requests on it"));
                }
                // It goes all the same: whatever ails it must not keep the rest from being put right.
                Err(error) => self.ui.note(format_args!("     {error}")),
            }
        }
        if container.is_up() {
            self.stop(container)?;
        }
        self.engine.docker(["rm", "--force", &container.id], SOON)?;
        Ok(())
    }

    fn stop(&self, container: &Container) -> anyhow::Result<()> {
        self.engine.docker(["stop", &container.id], Duration::from_secs(container.stop_timeout) + STOP)?;
        Ok(())
    }

    /// Puts back what was there before a release, by what its record says and what the engine shows. Can be done again
    /// at any time.
    pub(super) fn undo(&self, record: &Record) -> anyhow::Result<()> {
        for (reference, image) in &record.before.images {
            match image {
                Some(image) => drop(self.engine.docker(["tag", image, reference], SOON)?),
                // There was none, and there may be none.
                None => drop(self.engine.ask(&["image", "rm", reference], b"", SOON)?),
            }
        }
        let containers = self.engine.containers(self.stack.name())?;
        for replaced in record.before.services.iter().rev() {
            let is_old = |container: &&Container| replaced.containers.iter().any(|old| old.id == container.id);
            let (old, new): (Vec<_>, Vec<_>) =
                containers.iter().filter(|it| it.service == replaced.service).partition(is_old);
            self.put_back(replaced, &old, &new)?;
        }
        Ok(())
    }

    /// The old containers of one service serve again, and the new ones are gone.
    fn put_back(&self, replaced: &Replaced, old: &[&Container], new: &[&Container]) -> anyhow::Result<()> {
        let ran = |it: &&&Container| replaced.containers.iter().any(|old| old.id == it.id && old.was_running);
        let service = self.stack.service(&replaced.service);
        let proxy = service.and_then(|service| self.proxy(service));
        let has_stopped = old.iter().filter(ran).any(|container| !container.runs());
        if has_stopped {
            // They may have to give up a port first.
            new.iter().try_for_each(|container| self.end(container))?;
        }
        for container in old.iter().filter(ran) {
            if !container.runs() {
                self.start(container)?;
            }
            if let Some(proxy) = &proxy {
                proxy.release(container)?;
            }
        }
        if let (Some(service), true) = (service, has_stopped) {
            let proof = self.proof();
            for container in old.iter().filter(ran) {
                proof.wait_until_answering(service, &container.id)?;
            }
        }
        if let Some(proxy) = proxy.filter(|_| !new.is_empty())
            && self.has_proxy()?
        {
            for container in old.iter().filter(ran) {
                proxy.wait_until_in(container)?;
            }
        }
        if !has_stopped {
            new.iter().try_for_each(|container| self.end(container))?;
        }
        Ok(())
    }

    /// Gives the images of a release the names that the Compose file has for them.
    pub(super) fn name_images(&self, release: &str) -> anyhow::Result<()> {
        for reference in self.stack.built_images() {
            self.engine.docker(["tag", &tagged(reference, release), reference], SOON)?;
        }
        Ok(())
    }

    fn has_proxy(&self) -> anyhow::Result<bool> {
        let Some(service) = self.stack.services.iter().find(|service| service.role == Role::Proxy) else {
            return Ok(false);
        };
        let containers = self.engine.containers(self.stack.name())?;
        Ok(containers.iter().any(|it| it.service == service.name && it.runs()))
    }

    fn proxy(&self, service: &'a Service) -> Option<Proxy<'a>> {
        match &service.role {
            Role::Web(Some(gate)) => Some(Proxy { engine: self.engine, gate, deferred: self.deferred }),
            _ => None,
        }
    }

    fn proof(&self) -> Proof<'_> {
        Proof { engine: self.engine, stack: self.stack, deferred: self.deferred, ui: self.ui, timeout: self.timeout }
    }

    fn stage<T>(&self, title: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.ui.stage(title, work)
    }
}

/// What there is before anything is changed, for the record.
pub(super) fn before(
    engine: &Engine<'_>,
    stack: &Stack,
    changes: &[Change<'_>],
) -> anyhow::Result<crate::deploy::record::Before> {
    let mut images = BTreeMap::new();
    for reference in stack.built_images() {
        // What runs goes before the name: somebody may have built since.
        let running = changes.iter().filter(|it| it.service.image == reference);
        let running = running.flat_map(|it| &it.old).find(|it| it.runs()).map(|it| it.image.clone());
        let image = if running.is_some() { running } else { engine.image(reference)? };
        images.insert(reference.to_owned(), image);
    }
    let replaced = |change: &Change<'_>| Replaced {
        service: change.service.name.clone(),
        containers: change.old.iter().map(|it| Old { id: it.id.clone(), was_running: it.runs() }).collect(),
    };
    Ok(crate::deploy::record::Before { images, services: changes.iter().map(replaced).collect() })
}
