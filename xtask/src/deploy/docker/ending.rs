//! The end of containers: of the old ones after a release, of the new ones where it failed; and the old ones put back.

use std::time::Duration;

use docker::Container;

use super::engine::SOON;
use super::release::Release;
use super::stack::{Role, Service};
use crate::deploy::record::{Record, Replaced};
use crate::exit::{Exit, Failure, Problem};

/// What to do with a container that the proxy does not let go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Insistence {
    /// Leaves it: nothing is urgent.
    Ask,
    /// Ends it all the same, with its volumes that have no name: this run has made them.
    ForceAll,
    /// Ends it all the same: whatever ails it must not keep the rest from being put right.
    Force,
}

/// What is known of the run whose release is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// It is this one.
    Failed,
    /// It was killed, and may have left a program that is just stopping something.
    Killed,
}

/// Who has made the containers that there are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Deploys,
    /// Those of before are gone: somebody has put things right in another way.
    SomebodyElse,
}

/// One service that is put back: its containers as they are now.
struct PutBack<'a> {
    service: Option<&'a Service>,
    origin: Origin,
    /// Those that are to run again.
    old: Vec<Container>,
    new: Vec<Container>,
}

impl<'a> Release<'a> {
    /// Ends the containers of before: they get no more requests, finish what they have begun, and go.
    pub(super) fn retire(&self, before: &[Replaced]) -> anyhow::Result<()> {
        for replaced in before {
            let containers = self.engine.inspect(replaced.containers.iter().map(|old| old.id.as_str()))?;
            if containers.is_empty() {
                continue;
            }
            self.stage(&format!("{}: the old container has finished, and is gone", replaced.service), || {
                containers.iter().try_for_each(|container| self.end(container, Insistence::Ask))
            })?;
        }
        Ok(())
    }

    /// Takes a container out of the rotation, stops and removes it.
    fn end(&self, container: &Container, insistence: Insistence) -> anyhow::Result<()> {
        let proxy = match self.stack.service(&container.service) {
            Some(service) => self.proxy(service)?,
            None => None,
        };
        if let Some(proxy) = proxy
            && container.runs()
            && container.addresses.contains_key(&proxy.gate.network)
        {
            match proxy.take_out(container, Duration::from_secs(container.stop_timeout)) {
                Ok(0) => {}
                Ok(left) => self.ui.note(format_args!("     {container} is stopped with {left} requests on it")),
                Err(error) if insistence == Insistence::Ask => return Err(error),
                Err(error) => self.ui.note(format_args!("     {}", self.engine.secrets.cover(&error.to_string()))),
            }
        }
        if container.is_up() {
            self.stop(container)?;
        }
        // Volumes without a name go with a container that has failed in this run. Of what served before, or since a run
        // that was killed, nothing is thrown away.
        let volumes: &[&str] = if insistence == Insistence::ForceAll { &["--volumes"] } else { &[] };
        self.engine
            .docker(["rm", "--force"].into_iter().chain(volumes.iter().copied()).chain([&*container.id]), SOON)?;
        Ok(())
    }

    /// Puts back what was there before a release, by what its record says and what the engine shows. Can be done again
    /// at any time. What fails keeps nothing else from being put back.
    pub(super) fn undo(&self, record: &Record, run: Run) -> anyhow::Result<()> {
        let mut failed = Vec::new();
        let insistence = if run == Run::Failed { Insistence::ForceAll } else { Insistence::Force };
        let services = self.services_to_put_back(record)?;
        // What somebody has brought up in another way has its images by the names that they have now.
        let are_ours = services.iter().all(|service| service.origin == Origin::Deploys);
        for (reference, image) in record.before.images.iter().filter(|_| are_ours) {
            failed.extend(self.name_image_again(reference, image.as_deref()).err());
        }
        for service in &services {
            failed.extend(self.start_again(service, run).err());
        }
        for service in &services {
            // As long as the old ones do not answer, the new ones are better than nothing.
            let put_back = self
                .wait_until_back(service)
                .and_then(|()| service.new.iter().try_for_each(|container| self.end(container, insistence)));
            failed.extend(put_back.err());
        }
        failed.extend(self.are_back(&services).err());
        if failed.is_empty() {
            return Ok(());
        }
        let problems = failed.iter().map(|error| Problem::new(format!("{error:#}"))).collect();
        Err(Failure { exit: Exit::RollbackFailed, problems }.into())
    }

    fn name_image_again(&self, reference: &str, image: Option<&str>) -> anyhow::Result<()> {
        match image {
            Some(image) if self.engine.image(image)?.is_some() => {
                self.engine.docker(["tag", image, reference], SOON).map(drop)
            }
            Some(_) => {
                self.ui.note(format_args!("     the image that `{reference}` was is not there any more"));
                Ok(())
            }
            // There was none, and there may be none.
            None => self.engine.ask(&["image", "rm", reference], b"", SOON).map(drop),
        }
    }

    /// The services of a record, with their containers as they are.
    fn services_to_put_back(&self, record: &Record) -> anyhow::Result<Vec<PutBack<'a>>> {
        let containers = self.engine.containers(self.stack.name())?;
        let put_back = |replaced: &Replaced| {
            let (mut old, mut new): (Vec<_>, Vec<_>) = containers
                .iter()
                .filter(|it| it.service == replaced.service)
                .cloned()
                .partition(|it| replaced.containers.iter().any(|old| old.id == it.id));
            old.retain(|it| replaced.containers.iter().any(|old| old.id == it.id && old.was_running));
            let is_gone = old.is_empty() && replaced.containers.iter().any(|old| old.was_running);
            let origin = if is_gone && !new.is_empty() { Origin::SomebodyElse } else { Origin::Deploys };
            if origin == Origin::SomebodyElse {
                // It is all that serves.
                let names: Vec<_> = new.iter().map(ToString::to_string).collect();
                self.ui.note(format_args!("     {} stays: what was there before is gone", names.join(", ")));
                new.clear();
            }
            PutBack { service: self.stack.service(&replaced.service), origin, old, new }
        };
        Ok(record.before.services.iter().map(put_back).collect())
    }

    /// Starts the old containers of a service that do not run. None of them is ever held back before its successor is
    /// committed, so that whoever runs gets requests.
    fn start_again(&self, back: &PutBack<'a>, run: Run) -> anyhow::Result<()> {
        let PutBack { service, old, new, .. } = back;
        let is_beside = service.is_some_and(|service| service.role.is_beside());
        if !is_beside && !new.is_empty() {
            // There can be only one: of a port, or of a volume.
            new.iter().filter(|it| it.is_up()).try_for_each(|container| self.stop(container))?;
            if run == Run::Killed {
                old.iter().filter(|it| it.is_up()).try_for_each(|container| self.stop(container))?;
            }
        }
        for container in &self.engine.inspect(old.iter().map(|it| it.id.as_str()))? {
            if !container.is_up() {
                self.start(container)?;
            }
        }
        Ok(())
    }

    /// Waits until the old containers of a service answer, and get requests where a proxy hands them out. Those that
    /// ran all the time do.
    fn wait_until_back(&self, back: &PutBack<'a>) -> anyhow::Result<()> {
        let Some(service) = back.service.filter(|service| matches!(service.role, Role::Web(_))) else { return Ok(()) };
        if back.new.is_empty() && back.old.iter().all(Container::runs) {
            return Ok(());
        }
        let now = self.engine.inspect(back.old.iter().map(|it| it.id.as_str()))?;
        for container in &now {
            self.proof().wait_until_answering(service, &container.id)?;
        }
        if let Some(proxy) = self.proxy(service)? {
            for container in now.iter().filter(|it| it.addresses.contains_key(&proxy.gate.network)) {
                // They answer; a proxy that cannot be asked must not keep the rest from being put back.
                if let Err(error) = proxy.wait_until_in(container) {
                    self.ui.note(format_args!("     {}", self.engine.secrets.cover(&error.to_string())));
                }
            }
        }
        Ok(())
    }

    /// Whether everything runs that ran before.
    fn are_back(&self, services: &[PutBack<'_>]) -> anyhow::Result<()> {
        let old = services.iter().flat_map(|service| &service.old);
        let now = self.engine.inspect(old.map(|it| it.id.as_str()))?;
        let down: Vec<String> = now.iter().filter(|it| !it.is_up()).map(ToString::to_string).collect();
        if down.is_empty() {
            return Ok(());
        }
        let problem = Problem::new(format!("{} ran before, and does not run now", down.join(", ")));
        Err(Failure::new(Exit::RollbackFailed, problem).into())
    }
}
