//! `cargo xtask deploy-docker`: one transaction, at whose end the new release serves, or the one from before.

mod changes;
mod data;
mod ending;
mod engine;
#[cfg(test)]
mod fixture;
mod foreign;
mod images;
mod migrate;
mod plan;
mod preflight;
mod prove;
mod proxy;
mod release;
mod stack;

use std::collections::BTreeMap;
use std::time::Instant;

use checks::report::BOLD;

use self::changes::Change;
use self::ending::Run;
use self::engine::Engine;
use self::images::Overlay;
use self::preflight::Ground;
use self::release::Release;
use self::stack::{Role, Stack};
use super::record::{Outcome, Record, Records, previous, serving};
use super::{source, way_back};
use crate::cli;
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;
use crate::lock::Lock;
use crate::typed;
use crate::ui::seconds;
use crate::world::World;

pub(crate) fn run(args: &cli::DeployDocker, world: &World<'_>) -> anyhow::Result<Exit> {
    if world.common.dry_run {
        let deferred = Deferred::begin()?;
        let ground = preflight::check(args, world, &deferred)?;
        plan::print(args, &ground, world)?;
        return Ok(Exit::Done);
    }
    let _lock = Lock::take(&world.project, "deploy-docker")?;
    let deferred = Deferred::begin()?;
    let ground = preflight::check(args, world, &deferred)?;
    foreign::consent(&ground.foreign, args, &ground.engine, world)?;
    preflight::settle_method(&ground.method, args, world)?;
    world.ui.done("pre-flight", &ground.versions);
    let Ground { engine, stack, records, .. } = ground;
    let deploy = Deploy { args, world, engine: &engine, stack: &stack, records: &records, deferred: &deferred };
    let is_undone = deploy.recover()?;
    if args.rollback && is_undone {
        world.ui.result("what served before serves again; to go back further, run this again");
        return Ok(Exit::Done);
    }
    deploy.run()
}

/// What a deploy works with.
struct Deploy<'a> {
    args: &'a cli::DeployDocker,
    world: &'a World<'a>,
    engine: &'a Engine<'a>,
    stack: &'a Stack,
    records: &'a Records,
    deferred: &'a Deferred,
}

impl Deploy<'_> {
    /// Puts right what a run that did not come to its end has left behind; whether there was one.
    fn recover(&self) -> anyhow::Result<bool> {
        let ui = self.world.ui;
        let records = self.records.all()?;
        let mut is_undone = false;
        for record in records.iter().filter(|record| record.result == Outcome::UnderWay) {
            self.may_undo(record)?;
            way_back::put_right(record, ui, || self.undo(record, Run::Killed))?;
            is_undone = true;
        }
        // The last release is there to stay, and whoever was to end the one before it may not have come to that.
        if let Some(last) = serving(&records) {
            let left = last.before.services.iter().flat_map(|replaced| &replaced.containers);
            if !self.engine.inspect(left.map(|old| old.id.as_str()))?.is_empty() {
                ui.note(format_args!(
                    "     release {} serves, and the containers from before it are still to be ended",
                    last.id
                ));
            }
            self.release(self.engine, self.deferred).retire(&last.before.services)?;
        }
        Ok(is_undone)
    }

    /// A release that was left half-way may have served since: what it was given is not thrown away unasked.
    fn may_undo(&self, record: &Record) -> anyhow::Result<()> {
        let is_old = |id: &str| record.before.services.iter().flat_map(|it| &it.containers).any(|old| old.id == id);
        let is_replaced = |service: &str| record.before.services.iter().any(|it| it.service == service);
        let mut containers = self.engine.containers(self.stack.name())?;
        containers.retain(|it| is_replaced(&it.service) && !is_old(&it.id));
        let data = data::of_all(self.engine, self.stack, &containers)?;
        data::consent(&data, self.args, self.world)
    }

    fn run(&self) -> anyhow::Result<Exit> {
        let ui = self.world.ui;
        let started = Instant::now();
        let mut record = self.records.begin(self.world.host.user.clone(), self.commit()?);
        let overlay = Overlay::write(self.engine, self.stack, &record.id)?;
        let images = self.images(&mut record, &overlay)?;
        let changes = changes::find(self.engine, self.stack, Some(&images))?;
        let changes = self.without_what_must_stay(changes);
        if let Some(problem) = plan::left_over(self.engine, self.stack)? {
            ui.warning(&problem);
        }
        if changes.is_empty() {
            return self.unchanged(record, started);
        }
        self.tell(&changes);
        if let Err(error) =
            data::find(self.engine, self.stack, &changes).and_then(|data| data::consent(&data, self.args, self.world))
        {
            self.forget_images()?;
            return Err(error);
        }
        record.before = release::before(self.engine, self.stack, &changes)?;
        self.records.write(&record)?;

        let committed = self.transact(&mut record, &overlay, &changes).and_then(|()| {
            let record = record.clone().ended(Outcome::Deployed);
            self.records.write(&record)
        });
        if let Err(error) = committed {
            return Err(self.roll_back(&record, &error));
        }
        // From here on the new release is the one that serves, whatever becomes of the old containers.
        self.clean_up(&record).map_err(|error| {
            let message = format!("release {} serves, and cleaning up after it failed: {error:#}", record.id);
            let hint = format!("{}, which goes on with that", typed::deploy_docker(&self.args.again(), false));
            Failure::new(Exit::Failed, Problem::new(message).hint(hint))
        })?;
        let took = seconds(started.elapsed());
        let what = record.rollback_to.as_ref().map(|to| format!(", which is {to} again")).unwrap_or_default();
        ui.result(ui.out().style(BOLD, format_args!("release {}{what} is deployed, in {took}", record.id)));
        ui.result(format_args!("  {}", self.addresses()?));
        if let Some(copy) = &record.database_copy {
            ui.result(format_args!("  the database as it was before the migrations: `{copy}`"));
        }
        let back = cli::DeployDocker { rollback: true, ..self.args.again() };
        let back = typed::deploy_docker(&back, false);
        let mut commands = vec![("cargo xtask health", "whether all is well")];
        if previous(&self.records.all()?).is_some() {
            commands.push((&back, "back to the release before"));
        }
        ui.commands(&commands);
        Ok(Exit::Done)
    }

    /// Everything that can be undone, and has to be if a part of it fails.
    fn transact(&self, record: &mut Record, overlay: &Overlay, changes: &[Change<'_>]) -> anyhow::Result<()> {
        let ui = self.world.ui;
        let release = self.release(self.engine, self.deferred);
        release.backing(changes)?;
        if self.args.rollback {
            ui.note("     the database stays as it is: migrations are not taken back");
        } else if changes.iter().any(|change| change.service.role != Role::Backing) {
            let migrated = ui.stage("migrations", || migrate::run(self.engine, self.stack, overlay, &record.id, ui))?;
            if let Some(dir) = &migrated.no_manage_py {
                ui.warning(&Problem::new(format!(
                    "nothing was migrated: there is no manage.py in `{dir}` of the image"
                )));
            }
            migrated.note(record, ui);
            self.records.write(record)?;
        }
        release.name_images(&record.id)?;
        let fresh = release.services(changes)?;
        release.prove_through_proxy(&fresh)?;
        self.deferred.check("deploy-docker")
    }

    /// The commit that is deployed, if the checkout is one of Git's.
    fn commit(&self) -> anyhow::Result<Option<String>> {
        let commit = source::commit(&self.world.project.root, &self.deferred.flag());
        self.deferred.check("git rev-parse")?;
        Ok(commit)
    }

    /// Builds the images, or finds those that are wanted; gives their ids, by reference.
    fn images(&self, record: &mut Record, overlay: &Overlay) -> anyhow::Result<BTreeMap<String, String>> {
        let ui = self.world.ui;
        if self.args.rollback {
            let all = self.records.all()?;
            let target = previous(&all).ok_or_else(|| plan::nothing_to_go_back_to(&all))?;
            ui.note(format_args!("     back to release {} of {}", target.id, target.started));
            images::adopt(self.engine, self.stack, &record.id, Some(target))?;
            record.rollback_to = Some(target.id.clone());
            record.commit.clone_from(&target.commit);
        } else if self.args.no_build {
            images::adopt(self.engine, self.stack, &record.id, None)?;
        } else if !self.stack.built_images().is_empty() {
            let built = ui.stage("build", || images::build(self.engine, self.stack, overlay, ui));
            if let Err(error) = built {
                self.forget_images()?;
                return Err(error);
            }
        }
        let images = images::ids(self.engine, self.stack, &record.id, ui)?;
        let built = self.stack.built_images();
        record.contents =
            images.clone().into_iter().filter(|(reference, _)| built.contains(&reference.as_str())).collect();
        Ok(images)
    }

    /// A service that others rest on, and that cannot be replaced without losing something, is left as it is.
    fn without_what_must_stay<'b>(&self, changes: Vec<Change<'b>>) -> Vec<Change<'b>> {
        let reason = |change: &Change<'_>| {
            if change.old.iter().any(|it| !it.anonymous_volumes.is_empty()) {
                return Some("it keeps data in a volume without a name");
            }
            let has_name = self.stack.declared(change.service).container_name.is_some();
            (has_name && !change.old.is_empty()).then_some("its `container_name` admits no second one")
        };
        let (kept, left): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| reason(change).is_none());
        for change in &left {
            let Change { service, cause, .. } = change;
            let name = &service.name;
            let reason = reason(change).unwrap_or_default();
            let message = format!("`{name}` {cause}, and is left as it is: {reason}");
            let hint = format!("docker compose -f {} up -d --no-deps {name}", self.engine.file);
            self.world.ui.warning(&Problem::new(message).hint(hint));
        }
        kept
    }

    /// Nothing is to be done. A stack that was brought up otherwise gets its first record: something to go back to.
    fn unchanged(&self, record: Record, started: Instant) -> anyhow::Result<Exit> {
        let ui = self.world.ui;
        let records = self.records.all()?;
        let id = if let Some(last) = serving(&records).filter(|last| last.contents == record.contents) {
            self.forget_images()?;
            last.id.clone()
        } else {
            let record = record.ended(Outcome::Deployed);
            self.records.write(&record)?;
            record.id
        };
        let took = seconds(started.elapsed());
        ui.result(format_args!("nothing has changed since release {id}: it serves, and is left alone ({took})"));
        Ok(Exit::Done)
    }

    /// What is going to be replaced, and what that costs.
    fn tell(&self, changes: &[Change<'_>]) {
        let ui = self.world.ui;
        for Change { service, cause, .. } in changes {
            ui.note(format_args!("     {} {cause}", service.name));
        }
        for problem in plan::outages(self.stack, changes) {
            ui.warning(&problem);
        }
    }

    /// Goes back, and says how that went.
    fn roll_back(&self, record: &Record, error: &anyhow::Error) -> anyhow::Error {
        let is_first = record.before.services.iter().all(|replaced| replaced.containers.is_empty());
        way_back::roll_back(record, is_first, error, self.world.ui, || self.undo(record, Run::Failed))
    }

    /// Undoes a release and notes that it is undone. A signal that has come stops nothing here.
    fn undo(&self, record: &Record, run: Run) -> anyhow::Result<()> {
        let (engine, deaf) = (self.engine.undisturbed(), Deferred::deaf());
        migrate::clean_up(&engine, self.stack, &record.id)?;
        self.release(&engine, &deaf).undo(record, run)?;
        let noted = || {
            self.records.write(&record.clone().ended(Outcome::RolledBack))?;
            images::forget(&engine, self.stack, &self.good()?)?;
            self.records.prune().map(drop)
        };
        way_back::note(noted(), self.world.ui);
        Ok(())
    }

    /// Ends the containers of before, and forgets what is too old.
    fn clean_up(&self, record: &Record) -> anyhow::Result<()> {
        let (engine, deaf) = (self.engine.undisturbed(), Deferred::deaf());
        self.release(&engine, &deaf).retire(&record.before.services)?;
        images::forget(&engine, self.stack, &self.records.prune()?)
    }

    fn forget_images(&self) -> anyhow::Result<()> {
        images::forget(&self.engine.undisturbed(), self.stack, &self.good()?)
    }

    /// The releases that went well: those whose images are kept.
    fn good(&self) -> anyhow::Result<Vec<Record>> {
        let mut records = self.records.all()?;
        records.retain(|record| record.result == Outcome::Deployed);
        Ok(records)
    }

    fn release<'b>(&'b self, engine: &'b Engine<'b>, deferred: &'b Deferred) -> Release<'b> {
        let cli::DeployDocker { timeout, stability, .. } = *self.args;
        let (stack, ui) = (self.stack, self.world.ui);
        Release { engine, stack, deferred, ui, timeout, stability }
    }

    /// Where it can be reached.
    fn addresses(&self) -> anyhow::Result<String> {
        let ports: Vec<u16> =
            self.engine.containers(self.stack.name())?.into_iter().flat_map(|it| it.host_ports).collect();
        let ports: Vec<String> = ports.iter().filter(|port| **port != 0).map(ToString::to_string).collect();
        Ok(match ports.as_slice() {
            [] => "no port is published".to_owned(),
            ports => format!("published on port {}", ports.join(", ")),
        })
    }
}
