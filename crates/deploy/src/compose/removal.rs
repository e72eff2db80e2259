//! The end of containers: of the old ones after a release, of the new ones where it failed; and the old ones put back.

use std::time::{Duration, Instant};

use docker::Container;
use project::text::{counted, listed};

use super::client::QUICK;
use super::rollout::{Rollout, longer_time};
use super::stack::{Role, Service};
use super::volumes::KeptLog;
use crate::backend::Cause;
use crate::failure::{Exit, Failure, Problem};
use crate::record::{Record, ServiceSnapshot};

/// The treatment of a container that the proxy does not release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Urgency {
    /// It is left running: the next deploy retries.
    Patient,
    /// It is removed with its anonymous volumes, which this deploy has created.
    FailedDeploy,
    /// It is removed, and its volumes stay: it may have served since an earlier deploy was killed.
    Recovery,
}

/// The number of lines of a removed container's log that are read, as an argument.
const KEPT_LOG: &str = "200";
/// The least time that a drained container has to exit.
const EXIT: Duration = Duration::from_secs(5);

/// Who has made the containers that there are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    ThisTool,
    /// The previous containers are gone, and another process has created these.
    AnotherProcess,
}

/// One service that is put back: its containers as they are now.
struct PutBack<'a> {
    service: Option<&'a Service>,
    origin: Origin,
    /// Those that are to run again.
    old: Vec<Container>,
    new: Vec<Container>,
}

impl<'a> Rollout<'a> {
    /// Removes the previous containers: they are drained, stopped and removed.
    pub(super) fn remove_previous(&self, before: &[ServiceSnapshot]) -> anyhow::Result<()> {
        let mut are_earlier_logs_kept = true;
        for replaced in before {
            let containers = self.client.inspect(replaced.containers.iter().map(|old| old.id.as_str()))?;
            if containers.is_empty() {
                continue;
            }
            if std::mem::take(&mut are_earlier_logs_kept) {
                self.client.volumes(self.stack.name()).remove_logs()?;
            }
            self.stage(&format!("{}: the previous container is stopped and removed", replaced.service), || {
                containers.iter().try_for_each(|container| self.end(container, Urgency::Patient))
            })?;
        }
        self.give_names()
    }

    /// Takes a container out of the rotation, stops and removes it.
    fn end(&self, container: &Container, urgency: Urgency) -> anyhow::Result<()> {
        let gate = match self.stack.service(&container.service) {
            Some(service) => self.gate(service)?,
            None => None,
        };
        // A release that has failed is given the time of its own container: it has little to finish.
        let time = match urgency {
            Urgency::Patient | Urgency::Recovery => self.drain_time(container),
            Urgency::FailedDeploy => Duration::from_secs(container.stop_timeout),
        };
        let (begun, mut time_to_stop) = (Instant::now(), time);
        if let Some(gate) = gate
            && container.runs()
            && gate.can_drain(container)
        {
            match gate.drain(container, time) {
                Ok(0) => {}
                Ok(left) => {
                    let (left, seconds) = (counted(left, "request"), time.as_secs());
                    let message = format!("{container} is stopped with {left} unfinished after {seconds} s");
                    self.cut.add(message, longer_time(&container.service), &self.events);
                }
                Err(error) if urgency == Urgency::Patient => return Err(error),
                Err(error) => self.events.note(self.client.secrets.redact(&error.to_string())),
            }
            // The rest of the time is for exiting, where the requests have been waited for.
            if gate.counts_requests() {
                time_to_stop = time.saturating_sub(begun.elapsed()).max(EXIT.min(time));
            }
        }
        if container.is_up() {
            match urgency {
                Urgency::Patient | Urgency::Recovery => self.stop_previous(container, time_to_stop)?,
                Urgency::FailedDeploy => self.stop(container, time_to_stop)?,
            }
        }
        if urgency == Urgency::Patient {
            self.keep_log(container);
        }
        // Anonymous volumes are removed with a container that failed in this deploy. A container that has served, or
        // may have, keeps its volumes.
        let volumes: &[&str] = if urgency == Urgency::FailedDeploy { &["--volumes"] } else { &[] };
        self.client
            .docker(["rm", "--force"].into_iter().chain(volumes.iter().copied()).chain([&*container.id]), QUICK)?;
        Ok(())
    }

    /// Keeps the end of the log of a container that is removed, for `logs`. It is no reason to fail.
    fn keep_log(&self, container: &Container) {
        let args = ["logs", "--timestamps", "--tail", KEPT_LOG, &container.id];
        let Ok(finished) = self.client.ask(&args, b"", QUICK) else { return };
        // The two outputs of the container, in the order of their times.
        let printed = [finished.stdout(), finished.stderr()].concat();
        let mut lines: Vec<&str> = printed.lines().collect();
        lines.sort_by_key(|line| line.split(' ').next());
        let log = self.client.secrets.redact(&lines.join("\n"));
        let kept = KeptLog::of(&container.service, &container.name, &log);
        if let Err(error) = self.client.volumes(self.stack.name()).keep_log(&kept) {
            self.events.note(format!("the log of {container} is not kept: {error:#}"));
        }
    }

    /// Restores the previous containers, by comparing the snapshot of the record with the present containers. Can be
    /// repeated at any time. A failure of one service does not keep the others from being restored.
    pub(super) fn roll_back(&self, record: &Record, cause: Cause) -> anyhow::Result<()> {
        let mut failed = Vec::new();
        let urgency = if cause == Cause::Failure { Urgency::FailedDeploy } else { Urgency::Recovery };
        let services = self.services_to_put_back(record)?;
        // A stack that another process has created has its images under their present names.
        let are_ours = services.iter().all(|service| service.origin == Origin::ThisTool);
        for (reference, image) in record.snapshot.images.iter().filter(|_| are_ours) {
            failed.extend(self.restore_tag(reference, image.as_deref()).err());
        }
        for service in &services {
            failed.extend(self.start_again(service, cause).err());
        }
        for service in &services {
            // As long as the old ones do not answer, the new ones are better than nothing.
            let put_back = self
                .wait_until_back(service)
                .and_then(|()| service.new.iter().try_for_each(|container| self.end(container, urgency)));
            failed.extend(put_back.err());
        }
        failed.extend(self.are_back(&services).err());
        match (gone(&record.snapshot.services, &services), cause) {
            (Some(problem), Cause::Failure) => failed.push(Failure::new(Exit::RollbackFailed, problem).into()),
            // The operator may have removed them long ago: the next deploy goes on with what there is.
            (Some(problem), Cause::Recovery) => self.events.warning(problem),
            (None, _) => {}
        }
        if failed.is_empty() {
            return Ok(());
        }
        let problems = failed.iter().map(|error| Problem::new(format!("{error:#}"))).collect();
        Err(Failure { exit: Exit::RollbackFailed, problems }.into())
    }

    fn restore_tag(&self, reference: &str, image: Option<&str>) -> anyhow::Result<()> {
        match image {
            Some(image) if self.client.image(image)?.is_some() => {
                self.client.docker(["tag", image, reference], QUICK).map(drop)
            }
            Some(_) => {
                self.events.note(format!("the previous image of `{reference}` does not exist any more"));
                Ok(())
            }
            // There was none, and there may be none.
            None => self.client.ask(&["image", "rm", reference], b"", QUICK).map(drop),
        }
    }

    /// The services of a record, with their containers as they are.
    fn services_to_put_back(&self, record: &Record) -> anyhow::Result<Vec<PutBack<'a>>> {
        let containers = self.client.containers(self.stack.name())?;
        let put_back = |replaced: &ServiceSnapshot| {
            let (origin, old, mut new) = classify(replaced, &containers);
            if origin == Origin::AnotherProcess {
                // These containers are all that serves.
                let names: Vec<_> = new.iter().map(ToString::to_string).collect();
                self.events.note(format!("{} stays: the previous containers are gone", names.join(", ")));
                new.clear();
            }
            PutBack { service: self.stack.service(&replaced.service), origin, old, new }
        };
        Ok(record.snapshot.services.iter().map(put_back).collect())
    }

    /// Starts the previous containers of a service that do not run. They stay in the rotation until the new release is
    /// committed, so that some container always gets requests.
    fn start_again(&self, back: &PutBack<'a>, cause: Cause) -> anyhow::Result<()> {
        let PutBack { service, old, new, .. } = back;
        let is_rolling = service.is_some_and(|service| service.role.is_rolling());
        if !is_rolling && !new.is_empty() {
            // There can be only one: of a port, or of a volume.
            let stop = |container: &Container| self.stop(container, Duration::from_secs(container.stop_timeout));
            new.iter().filter(|it| it.is_up()).try_for_each(stop)?;
            if cause == Cause::Recovery {
                old.iter().filter(|it| it.is_up()).try_for_each(stop)?;
            }
        }
        for container in &self.client.inspect(old.iter().map(|it| it.id.as_str()))? {
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
        let now = self.client.inspect(back.old.iter().map(|it| it.id.as_str()))?;
        for container in &now {
            self.readiness().wait_until_responding(service, &container.id)?;
        }
        if let Some(gate) = self.gate(service)? {
            for container in now.iter().filter(|it| gate.can_drain(it)) {
                // They answer; a proxy that cannot be asked must not keep the rest from being put back.
                if let Err(error) = gate.wait_until_in_rotation(container) {
                    self.events.note(self.client.secrets.redact(&error.to_string()));
                }
            }
        }
        Ok(())
    }

    /// Whether everything runs that ran before.
    fn are_back(&self, services: &[PutBack<'_>]) -> anyhow::Result<()> {
        let old = services.iter().flat_map(|service| &service.old);
        let now = self.client.inspect(old.map(|it| it.id.as_str()))?;
        let down: Vec<String> = now.iter().filter(|it| !it.is_up()).map(ToString::to_string).collect();
        if down.is_empty() {
            return Ok(());
        }
        let problem = Problem::new(format!("{} ran before, and does not run now", down.join(", ")));
        Err(Failure::new(Exit::RollbackFailed, problem).into())
    }
}

/// Returns the problem of previous containers that ran, and do not exist any more: no rollback can start them.
fn gone(before: &[ServiceSnapshot], now: &[PutBack<'_>]) -> Option<Problem> {
    let is_gone = |(before, now): &(&ServiceSnapshot, &PutBack<'_>)| {
        let mut ran = before.containers.iter().filter(|container| container.was_running);
        ran.any(|old| !now.old.iter().any(|container| container.id == old.id))
    };
    let services: Vec<&String> = before.iter().zip(now).filter(is_gone).map(|(before, _)| &before.service).collect();
    if services.is_empty() {
        return None;
    }
    Some(Problem::new(format!("the previous containers of {} do not exist any more", listed(services))))
}

/// Classifies the containers of a service by its snapshot: those that ran before, and new ones. If none of the former
/// is left, another process has created the latter.
fn classify(replaced: &ServiceSnapshot, containers: &[Container]) -> (Origin, Vec<Container>, Vec<Container>) {
    let (mut old, new): (Vec<_>, Vec<_>) = containers
        .iter()
        .filter(|container| container.service == replaced.service)
        .cloned()
        .partition(|container| replaced.containers.iter().any(|old| old.id == container.id));
    old.retain(|container| replaced.containers.iter().any(|old| old.id == container.id && old.was_running));
    let is_gone = old.is_empty() && replaced.containers.iter().any(|old| old.was_running);
    let origin = if is_gone && !new.is_empty() { Origin::AnotherProcess } else { Origin::ThisTool };
    (origin, old, new)
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::record::PreviousContainer;

    /// Classifies `present` by a snapshot of containers that ran (`a`) or did not (`a-`).
    #[track_caller]
    fn check(snapshot: &[&str], present: &[&str], origin: Origin, old: &[&str], new: &[&str]) {
        let containers = snapshot
            .iter()
            .map(|id| PreviousContainer { id: id.trim_end_matches('-').to_owned(), was_running: !id.ends_with('-') })
            .collect();
        let replaced = ServiceSnapshot { service: "web".into(), containers };
        let present: Vec<Container> =
            present.iter().map(|id| Container { id: (*id).to_owned(), ..fixture::container() }).collect();
        let other = Container { service: "celery".into(), id: "other".into(), ..fixture::container() };
        let present = [present, vec![other]].concat();
        let ids = |containers: &[Container]| containers.iter().map(|it| it.id.clone()).collect::<Vec<_>>();
        let found = classify(&replaced, &present);
        assert_eq!(
            (found.0, ids(&found.1), ids(&found.2)),
            (origin, old.iter().map(ToString::to_string).collect(), new.iter().map(ToString::to_string).collect())
        );
    }

    #[test]
    fn previous_containers_that_are_gone_do_not_serve() {
        let check = |snapshot: &[&str], old: &[&str], expected: Option<&str>| {
            let containers = snapshot.iter().map(|id| PreviousContainer {
                id: id.trim_end_matches('-').to_owned(),
                was_running: !id.ends_with('-'),
            });
            let before = ServiceSnapshot { service: "web".into(), containers: containers.collect() };
            let old = old.iter().map(|id| Container { id: (*id).to_owned(), ..fixture::container() }).collect();
            let now = PutBack { service: None, origin: Origin::ThisTool, old, new: Vec::new() };
            assert_eq!(gone(&[before], &[now]).map(|problem| problem.message).as_deref(), expected, "{snapshot:?}");
        };
        let message = Some("the previous containers of `web` do not exist any more");
        check(&["a"], &["a"], None);
        check(&["a"], &[], message);
        check(&["a", "b"], &["b"], message);
        check(&["a-"], &[], None);
    }

    #[test]
    fn containers_are_classified_by_the_snapshot() {
        check(&["a"], &["a", "b"], Origin::ThisTool, &["a"], &["b"]);
        check(&["a"], &["a"], Origin::ThisTool, &["a"], &[]);
        // A container that did not run before is not started, and is not new either.
        check(&["a-"], &["a", "b"], Origin::ThisTool, &[], &["b"]);
        check(&[], &["b"], Origin::ThisTool, &[], &["b"]);
        check(&["a"], &["b"], Origin::AnotherProcess, &[], &["b"]);
        check(&["a", "c"], &["c", "b"], Origin::ThisTool, &["c"], &["b"]);
        check(&["a"], &[], Origin::ThisTool, &[], &[]);
    }
}
