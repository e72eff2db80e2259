//! The backend for Docker Compose: new containers start beside the old ones, and the proxy moves requests over.

mod changes;
mod client;
mod data;
mod dry_run;
#[cfg(test)]
mod fixture;
mod foreign;
mod health_checks;
mod holder;
mod images;
mod lock;
mod manage;
mod migrations;
mod mounts;
mod names;
pub mod operate;
mod options;
mod preflight;
mod proxy;
mod pulls;
mod readiness;
mod removal;
mod rollout;
mod rotation;
mod stack;
mod start_up;
mod uninstall;
mod volumes;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::Duration;

pub use self::manage::manage;
pub use self::options::Options;
pub use self::uninstall::uninstall;

use self::changes::Change;
use self::client::{Client, QUICK};
use self::foreign::Foreign;
use self::images::Overlay;
use self::lock::Lock;
use self::rollout::Rollout;
use self::stack::{Role, Stack};
use crate::backend::{Backend, Cause};
use crate::context::Context;
use crate::drain::{self, CutWork};
use crate::failure::{Exit, Failure, Problem};
use crate::interrupt::Interrupt;
use crate::record::{Record, Records, Status, no_previous_release, previous};
use crate::source;
use project::{Variable, value};
use subprocess::{Deadline, quoted};

/// The backend, after its preflight.
pub struct Compose<'a> {
    options: &'a Options,
    context: &'a Context<'a>,
    client: Client<'a>,
    stack: Stack,
    records: Records<'a>,
    /// The containers that another checkout has deployed under the same name.
    foreign: Vec<Foreign>,
    /// The value of `DEPLOY_METHOD`, with its source.
    method: detect::Detected<detect::DeployMethod>,
    /// The versions of Docker and Compose, for the report.
    versions: String,
    /// The Compose file that names the images of the release; written by the plan.
    overlay: OnceCell<Overlay>,
    /// The ids that references had before the plan pulled their images.
    moved: OnceCell<BTreeMap<String, String>>,
    cut: CutWork,
}

/// The services that a release replaces.
pub struct Plan {
    changes: Vec<Change>,
    /// For a rollback, the Compose file that names the images whose references stand for other ones by now.
    pins: Option<Overlay>,
}

impl<'a> Backend<'a> for Compose<'a> {
    type Options = Options;
    type Plan = Plan;
    type Lock = Lock<'a>;

    const COMMAND: &'static str = "deploy-docker";

    fn lock(context: &Context<'a>) -> anyhow::Result<Option<Lock<'a>>> {
        lock::take(context)
    }

    fn preflight(options: &'a Options, context: &'a Context<'a>) -> anyhow::Result<Self> {
        preflight::check(options, context)
    }

    fn dry_run(&self) -> anyhow::Result<()> {
        dry_run::emit(self)
    }

    fn accept_target(&self) -> anyhow::Result<()> {
        foreign::accept(&self.foreign, self.options, &self.client, self.context)?;
        preflight::settle_method(&self.method, self.options, self.context)?;
        self.records.import()
    }

    fn versions(&self) -> String {
        self.versions.clone()
    }

    fn records(&self) -> &Records<'a> {
        &self.records
    }

    fn is_rollback(&self) -> bool {
        self.options.rollback
    }

    /// A release that was left half-way may have served since: the data in its containers is not removed unasked.
    fn accept_recovery(&self, unfinished: &Record) -> anyhow::Result<()> {
        let replaced = &unfinished.snapshot.services;
        let is_old = |id: &str| replaced.iter().flat_map(|it| &it.containers).any(|old| old.id == id);
        let is_replaced = |service: &str| replaced.iter().any(|it| it.service == service);
        let mut containers = self.client.containers(self.stack.name())?;
        containers.retain(|it| is_replaced(&it.service) && !is_old(&it.id));
        let data = data::of_all(&self.client, &self.stack, &containers)?;
        data::accept(&data, self.options, self.context)
    }

    fn clean_up_earlier(&self, records: &[Record]) -> anyhow::Result<()> {
        let Some(last) = crate::record::serving(records) else { return Ok(()) };
        let left = last.snapshot.services.iter().flat_map(|replaced| &replaced.containers);
        if !self.client.inspect(left.map(|old| old.id.as_str()))?.is_empty() {
            self.context
                .events
                .note(format!("release {} serves, and the containers from before it are still to be removed", last.id));
        }
        self.rollout(&self.client, self.context.interrupt).remove_previous(&last.snapshot.services)
    }

    fn refresh(self) -> anyhow::Result<Self> {
        // Everything that a recovery changes is examined again by the plan.
        Ok(self)
    }

    fn plan(&self) -> anyhow::Result<(Record, Option<Plan>)> {
        self.make_plan().inspect_err(|_| {
            // The reason is the error of the plan. Tags that stay are removed by the next deploy.
            let _ = self.discard();
        })
    }

    fn accept_changes(&self, plan: &Plan) -> anyhow::Result<()> {
        let data = data::find(&self.client, &self.stack, &plan.changes)?;
        data::accept(&data, self.options, self.context)
    }

    fn discard(&self) -> anyhow::Result<()> {
        pulls::restore(&self.client, self.moved.get());
        images::remove_tags(&self.client.uninterrupted(), &self.stack, &self.deployed()?)
    }

    fn serving_failure(&self, is_patient: bool) -> anyhow::Result<Option<String>> {
        let Some(web) = self.stack.web() else { return Ok(None) };
        let (client, never) = (self.client.uninterrupted(), Interrupt::never());
        let mut rollout = self.rollout(&client, &never);
        rollout.timeout = if is_patient { rollout.timeout } else { Duration::ZERO };
        let mut containers = client.containers(self.stack.name())?;
        containers.retain(|it| it.service == web.name && it.runs());
        if containers.is_empty() {
            return Ok(Some(format!("no container of `{}` runs", web.name)));
        }
        for container in &containers {
            if let Some(failure) = rollout.readiness().lasting_failure(web, container)? {
                return Ok(Some(client.secrets.redact(&format!("{container} {}", failure.reason))));
            }
        }
        Ok(None)
    }

    fn apply(&self, plan: &Plan, record: &mut Record) -> anyhow::Result<()> {
        let (events, changes) = (&self.context.events, &plan.changes);
        let mut rollout = self.rollout(&self.client, self.context.interrupt);
        rollout.pins = plan.pins.as_ref().map(Overlay::files).unwrap_or_default();
        rollout.tag_images(&record.id)?;
        let early = rollout.early_services(changes)?;
        if self.options.rollback {
            events.note("the database stays as it is: a rollback undoes no migrations");
        } else if let Some(overlay) = self.overlay.get().filter(|_| replaces_own_code(changes)) {
            let migrated =
                events.step("migrations", || migrations::run(&self.client, &self.stack, overlay, record, events));
            self.records.write(record)?;
            migrated?;
            migrations::clean_up(&self.client.uninterrupted(), &self.stack, &record.id)?;
        }
        let started = rollout.services(changes, early)?;
        rollout.check_through_proxy(&started)
    }

    fn add_migrations(&self, unfinished: &mut Record) {
        if unfinished.migrations.is_empty() {
            let results = migrations::results(&self.client.uninterrupted(), &self.stack, &unfinished.id);
            results.note(unfinished, &self.context.events);
        }
    }

    fn roll_back(&self, record: &Record, cause: Cause) -> anyhow::Result<()> {
        let (client, never) = (self.client.uninterrupted(), Interrupt::never());
        migrations::clean_up(&client, &self.stack, &record.id)?;
        self.rollout(&client, &never).roll_back(record, cause)
    }

    fn clean_up_rolled_back(&self) -> anyhow::Result<()> {
        self.discard()
    }

    fn is_first(&self, record: &Record) -> bool {
        record.snapshot.services.iter().all(|replaced| replaced.containers.is_empty())
    }

    fn clean_up(&self, _plan: &Plan, record: &Record) -> anyhow::Result<()> {
        let (client, never) = (self.client.uninterrupted(), Interrupt::never());
        self.rollout(&client, &never).remove_previous(&record.snapshot.services)?;
        images::remove_tags(&client, &self.stack, &self.records.kept()?)
    }

    fn take_cut_work(&self) -> Vec<String> {
        self.cut.take()
    }

    fn addresses(&self) -> anyhow::Result<Vec<String>> {
        let containers = self.client.containers(self.stack.name())?;
        let ports = containers.into_iter().flat_map(|it| it.host_ports).filter(|port| *port != 0);
        let ports: Vec<String> = ports.map(|port| port.to_string()).collect();
        let environment = self.stack.web().map(|web| &self.stack.declared(web).environment);
        let value = |name: &str| Some(environment?.get(name)?.as_str()?.to_owned());
        let hosts = self.context.project.names.value(Variable::AllowedHosts, value).unwrap_or_default();
        Ok(match (ports.as_slice(), value::local_name(&hosts)) {
            ([], _) => vec!["no port is published".to_owned()],
            // On another machine it is that one's.
            (ports, Some(name)) if docker::host(&Deadline::within(QUICK)).is_none() => {
                ports.iter().map(|port| format!("http://{name}:{port}/")).collect()
            }
            (ports, _) => vec![format!("published on port {}", ports.join(", "))],
        })
    }

    fn command(&self, rollback: bool) -> String {
        Options { rollback, ..self.options.times() }.command_line(false)
    }

    fn restore_command(&self, _record: &Record, copy: &str, database: &str) -> String {
        let web = self.stack.web().map_or("web", |web| web.name.as_str());
        let compose = self.client.files.command();
        let run = format!("{compose} run --rm --no-deps --entrypoint");
        let journals = crate::migrations::journals(database);
        let (copy, database) = (quoted(copy), quoted(database));
        format!(
            "{compose} stop && {run} rm {web} -f {journals} && {run} cp {web} -p {copy} {database} && {compose} start"
        )
    }
}

/// Returns whether the changes replace a service that runs the project's code, for which migrations can be pending.
fn replaces_own_code(changes: &[Change]) -> bool {
    changes.iter().any(|change| change.service.role != Role::Backing)
}

impl Compose<'_> {
    /// Returns the commit that is deployed, if the checkout is one of Git's.
    fn commit(&self) -> anyhow::Result<Option<String>> {
        let commit = source::commit(&self.context.project.root, &self.context.interrupt.flag());
        self.context.interrupt.check("git rev-parse")?;
        Ok(commit)
    }

    /// Makes the plan, and what it needs on the engine: the images of the release, under its tags.
    fn make_plan(&self) -> anyhow::Result<(Record, Option<Plan>)> {
        let events = &self.context.events;
        let mut record = self.records.begin(self.context.user.to_owned(), self.commit()?)?;
        record.subject = source::subject(&self.context.project.root, &self.context.interrupt.flag());
        let overlay = Overlay::write(&self.stack, &record.id, &self.stack.release_images())?;
        let images = self.images(&mut record, &overlay)?;
        // A plan is made once.
        let _ = self.overlay.set(overlay);
        self.check_health_checks(&images)?;
        let changes = self.without_irreplaceable(changes::find(&self.client, &self.stack, &images)?)?;
        if let Some(problem) = dry_run::orphans(&self.client, &self.stack)? {
            events.warning(problem);
        }
        if changes.is_empty() {
            return Ok((record, None));
        }
        for Change { service, cause, .. } in &changes {
            events.note(format!("{} {cause}", service.name));
        }
        let running = changes.iter().flat_map(|change| &change.old).filter(|container| container.runs());
        let rollout = self.rollout(&self.client, self.context.interrupt);
        let times: BTreeMap<&str, Duration> =
            running.map(|container| (container.service.as_str(), rollout.drain_time(container))).collect();
        if let Some(note) = drain::announcement(times) {
            events.note(note);
        }
        for problem in dry_run::known_in_advance(&self.client, &self.stack, &changes, self.drain_timeout()) {
            events.warning(problem);
        }
        record.snapshot = rollout::snapshot(&self.client, &self.stack, &changes, self.moved.get())?;
        let pins = self.pins(&record.id, &images)?;
        Ok((record, Some(Plan { changes, pins })))
    }

    /// Builds and pulls the images of the release, or takes existing ones; tags them for it, and records them.
    /// Returns their ids, by reference.
    fn images(&self, record: &mut Record, overlay: &Overlay) -> anyhow::Result<BTreeMap<String, String>> {
        let (client, stack, events) = (&self.client, &self.stack, &self.context.events);
        let all = self.records.all()?;
        let target = previous(&all).filter(|_| self.options.rollback);
        if let Some(target) = target {
            events.note(format!("back to release {} of {}", target.id, target.started));
            record.roll_back_to(target);
        } else if self.options.rollback {
            return Err(no_previous_release(&all, "images", self.records.list_command()).into());
        }
        let is_built = self.options.builds() && !stack.built_images().is_empty();
        if is_built {
            events.step("build", || images::build(client, stack, overlay, events))?;
        }
        let _ = self.moved.set(pulls::pull(client, stack, self.options, events)?);
        let ids = images::tag(client, stack, &record.id, target, is_built)?;
        images::record(stack, &ids, record);
        Ok(ids)
    }

    /// Returns the overlay of a rollback: an image that is not built here has another one's name by now, and a registry's
    /// name is not given to an older image.
    fn pins(&self, release: &str, ids: &BTreeMap<String, String>) -> anyhow::Result<Option<Overlay>> {
        let built = self.stack.built_images();
        let mut pinned = Vec::new();
        for (reference, id) in ids.iter().filter(|(reference, _)| !built.contains(&reference.as_str())) {
            if self.client.image(reference)?.as_ref() != Some(id) {
                pinned.push(reference.as_str());
            }
        }
        let overlay = || Overlay::write(&self.stack, release, &pinned);
        (!pinned.is_empty()).then(overlay).transpose()
    }

    /// Refuses images whose health check comes too late.
    fn check_health_checks(&self, ids: &BTreeMap<String, String>) -> anyhow::Result<()> {
        let (client, is_yes) = (&self.client, self.context.is_yes);
        let (images, engine) = (health_checks::of_images(client, ids)?, health_checks::engine_version(client)?);
        let problem = health_checks::late(&self.stack, &images, &engine, self.options, is_yes);
        problem.map_or(Ok(()), |problem| Err(Failure::new(Exit::NotMet, problem).into()))
    }

    /// Leaves out the services whose replacement would lose data, with a warning for each. One that is unhealthy would let
    /// the deploy fail at its end.
    fn without_irreplaceable(&self, changes: Vec<Change>) -> Result<Vec<Change>, Failure> {
        let is_replaceable = |change: &Change| change.old.iter().all(|it| it.anonymous_volumes.is_empty());
        let (kept, left): (Vec<_>, Vec<_>) = changes.into_iter().partition(is_replaceable);
        let mut unhealthy = Vec::new();
        for change in &left {
            let Change { service, cause, .. } = change;
            let name = &service.name;
            let message = format!("`{name}` {cause}, and is left as it is: it keeps data in an anonymous volume");
            let hint = format!("{} up -d --no-deps {name}", self.client.files.command());
            let problem = Problem::new(message).hint(hint);
            match cause {
                changes::Cause::Unhealthy => unhealthy.push(problem),
                _ => self.context.events.warning(problem),
            }
        }
        if unhealthy.is_empty() { Ok(kept) } else { Err(Failure { exit: Exit::NotMet, problems: unhealthy }) }
    }

    /// Returns the releases that were deployed successfully: their images are kept.
    fn deployed(&self) -> anyhow::Result<Vec<Record>> {
        let mut records = self.records.all()?;
        records.retain(|record| record.result == Status::Deployed);
        Ok(records)
    }

    fn rollout<'b>(&'b self, client: &'b Client<'b>, interrupt: &'b Interrupt) -> Rollout<'b> {
        let Options { timeout, stability, .. } = *self.options;
        let (events, drain_timeout) = (self.context.events, self.drain_timeout());
        let (stack, cut, pins) = (&self.stack, &self.cut, Vec::new());
        Rollout { client, stack, interrupt, events, timeout, stability, drain_timeout, cut, pins }
    }

    fn drain_timeout(&self) -> Option<Duration> {
        self.context.project.settings.drain_timeout
    }
}
