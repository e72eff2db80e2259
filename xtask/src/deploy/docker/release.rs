//! The new containers of a release: brought up, proven, and let in.

use std::collections::BTreeMap;
use std::time::Duration;

use docker::Container;

use super::changes::Change;
use super::engine::{Engine, SOON};
use super::images::tagged;
use super::prove::Proof;
use super::proxy::Proxy;
use super::stack::{Role, Service, Stack};
use crate::deploy::record::{Before, Old, Replaced};
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
        let proxy = self.stack.proxy();
        let (Some(web), Some(proxy)) = (web, proxy) else { return Ok(()) };
        let containers = self.engine.containers(self.stack.name())?;
        let Some(from) = containers.iter().rev().find(|it| it.service == web.name && it.runs()) else { return Ok(()) };
        self.stage("answers through the proxy", || self.proof().ask_through(proxy, web, from))
    }

    /// Starts new containers beside the old ones, proves them, and lets them have requests.
    fn bring_up_beside(&self, change: &Change<'a>) -> anyhow::Result<Fresh<'a>> {
        let service = change.service;
        let name = &service.name;
        let proxy = self.proxy(service)?;
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
            for (_, container) in &fresh {
                proxy.connect(container)?;
            }
            for container in &self.engine.inspect(ids)? {
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
        // The images are here, and those that were looked at: another pull could bring others.
        let how = ["--no-start", "--no-build", "--pull", "never", "--no-recreate", "--no-deps"];
        self.engine.compose(&[], ["up"].into_iter().chain(how).chain(["--scale", &scale, &service.name]), SOON)?;
        let mut containers = self.engine.containers(self.stack.name())?;
        containers.retain(|it| it.service == service.name && !old.iter().any(|old| old.id == it.id));
        Ok(containers)
    }

    pub(super) fn start(&self, container: &Container) -> anyhow::Result<()> {
        self.engine.docker(["start", &container.id], SOON)?;
        Ok(())
    }

    fn wait_until_well(&self, service: &'a Service, containers: Vec<Container>) -> anyhow::Result<Fresh<'a>> {
        let proof = self.proof();
        containers.into_iter().map(|it| Ok((service, proof.wait_until_well(service, &it.id)?))).collect()
    }

    /// Stops a container, and is there when it has stopped. Whoever gave up halfway, at a signal, would leave one that
    /// seems to run, and ends a moment later.
    pub(super) fn stop(&self, container: &Container) -> anyhow::Result<()> {
        let allowed = Duration::from_secs(container.stop_timeout) + STOP;
        self.engine.undisturbed().docker(["stop", &container.id], allowed)?;
        self.deferred.check("docker stop")
    }

    /// Gives the images of a release the names that the Compose file has for them.
    pub(super) fn name_images(&self, release: &str) -> anyhow::Result<()> {
        for reference in self.stack.built_images() {
            self.engine.docker(["tag", &tagged(reference, release), reference], SOON)?;
        }
        Ok(())
    }

    /// The way to a service's gate; none for a service that has none.
    pub(super) fn proxy(&self, service: &'a Service) -> anyhow::Result<Option<Proxy<'a>>> {
        let Role::Web(Some(gate)) = &service.role else { return Ok(None) };
        // The one that runs decides: it may be another one than the Compose file has by now.
        let containers = self.engine.containers(self.stack.name())?;
        let state = containers.into_iter().filter(Container::runs).find_map(|it| it.state_url);
        Ok(Some(Proxy { engine: self.engine, gate, state, deferred: self.deferred }))
    }

    pub(super) fn proof(&self) -> Proof<'_> {
        Proof { engine: self.engine, stack: self.stack, deferred: self.deferred, ui: self.ui, timeout: self.timeout }
    }

    pub(super) fn stage<T>(&self, title: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.ui.stage(title, work)
    }
}

/// What there is before anything is changed, for the record.
pub(super) fn before(engine: &Engine<'_>, stack: &Stack, changes: &[Change<'_>]) -> anyhow::Result<Before> {
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
    Ok(Before { images, services: changes.iter().map(replaced).collect(), standing: None })
}
