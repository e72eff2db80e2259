//! The backend for systemd: a release is a folder with a virtual environment, and a link leads to the one that serves.

mod build;
mod canary;
mod data;
mod dry_run;
mod env_file;
mod layout;
mod manager;
mod options;
mod planning;
mod preflight;
mod readiness;
mod rollback;
mod root;
mod steps;
mod verify;

use std::collections::BTreeMap;

use project::matrix::DJANGO_ALLOWED_HOSTS;
use project::web;
use subprocess::Address;

use ::systemd::{Unit, address};

pub use self::options::Options;

use self::layout::canary_of;
use self::manager::Manager;
use self::preflight::Preflight;
use self::readiness::{Readiness, Watched};
use self::root::Root;
use self::steps::ReleasePlan;
use crate::backend::{Backend, Cause};
use crate::context::Context;
use crate::failure::{Exit, Failure, Problem};
use crate::interrupt::Interrupt;
use crate::migrations::Migrations;
use crate::record::{Record, Records, Status, previous};

/// The backend, after its preflight.
pub struct Systemd<'a> {
    options: &'a Options,
    context: &'a Context<'a>,
    preflight: Preflight,
}

impl<'a> Backend<'a> for Systemd<'a> {
    type Options = Options;
    type Plan = ReleasePlan;

    const COMMAND: &'static str = "deploy-systemd";

    fn preflight(options: &'a Options, context: &'a Context<'a>) -> anyhow::Result<Self> {
        Ok(Systemd { options, context, preflight: preflight::check(options, context)? })
    }

    fn dry_run(&self) -> anyhow::Result<()> {
        dry_run::emit(self)
    }

    fn accept_target(&self) -> anyhow::Result<()> {
        preflight::settle_method(&self.preflight.method, self.context)
    }

    fn versions(&self) -> String {
        let tools = &self.preflight.tools;
        format!("{}, {} is {}", tools.uv.version, tools.python.program, tools.python.version)
    }

    fn records(&self) -> &Records {
        &self.preflight.records
    }

    fn is_rollback(&self) -> bool {
        self.options.rollback
    }

    fn accept_recovery(&self, _unfinished: &Record) -> anyhow::Result<()> {
        // A folder with data is kept: see the clean-up of a rollback.
        Ok(())
    }

    fn clean_up_earlier(&self, records: &[Record]) -> anyhow::Result<()> {
        rollback::clean_up_earlier(records, &self.preflight.layout, &self.manager(self.context.interrupt)?)
    }

    fn refresh(self) -> anyhow::Result<Self> {
        Self::preflight(self.options, self.context)
    }

    fn plan(&self) -> anyhow::Result<(Record, Option<ReleasePlan>)> {
        let (preflight, events) = (&self.preflight, &self.context.events);
        let records = preflight.records.all()?;
        let target = self.rollback_target(&records)?;
        let (record, mut plan) = self.begin(target)?;
        let changes = planning::changes(&plan, preflight, &records, &record.contents);
        if target.is_none() && changes.is_empty() {
            return Ok((record, None));
        }
        match target {
            Some(target) => events.note(format!("back to release {} of {}", target.id, target.started)),
            None => changes.into_iter().for_each(|change| events.note(change)),
        }
        dry_run::warn(&plan, preflight, events);
        plan.pruned = planning::pruned(&preflight.records, &record, self.root()?)?;
        Ok((record, Some(plan)))
    }

    fn accept_changes(&self, plan: &ReleasePlan) -> anyhow::Result<()> {
        let Preflight { data, layout, .. } = &self.preflight;
        data::accept(data.as_ref(), self.options, layout, self.context)?;
        self.accept_adoption(plan)
    }

    fn discard(&self) -> anyhow::Result<()> {
        // A plan changes nothing.
        Ok(())
    }

    fn apply(&self, plan: &ReleasePlan, record: &mut Record) -> anyhow::Result<()> {
        let Systemd { context, preflight, .. } = self;
        let (root, events, interrupt) = (self.root()?, &context.events, context.interrupt);
        let readiness = self.readiness(interrupt)?;
        if plan.is_new {
            root.run_all(&plan.make_folder())?;
            build::fill(&plan.folder, preflight, events, interrupt)?;
            events.step("ownership of the release", || root.run_all(&plan.own()))?;
        }
        interrupt.check(Self::COMMAND)?;
        root.run_all(&plan.stage())?;

        let mut canaries = Vec::new();
        if let Some(web) = plan.web().filter(|_| plan.has_socket()) {
            canaries.push(events.step("canary on a private socket", || {
                root.run_all(&plan.start_web_canary())?;
                let socket = Address::Unix(preflight.layout.canary_socket());
                readiness.wait_until_healthy(&canary_of(&web.name), "", Some(socket))
            })?);
        }
        if plan.is_new {
            self.migrate(record, plan, &readiness)?;
        } else {
            events.note("the database stays as it is: a rollback undoes no migrations");
        }
        if let Some(worker) = plan.worker() {
            canaries.push(events.step("canary of the worker", || {
                root.run_all(&plan.start_worker_canary())?;
                readiness.wait_until_healthy(&canary_of(&worker.name), "", None)
            })?);
        }
        if !canaries.is_empty() {
            events.step("watching the canaries", || readiness.watch(&canaries))?;
        }
        interrupt.check(Self::COMMAND)?;

        root.run_all(&plan.back_up())?;
        if let Some(units) = &mut record.snapshot.units {
            units.is_cut_over = true;
        }
        preflight.records.write(record)?;
        let watched = events.step("cut-over", || self.cut_over(plan, &readiness))?;
        events.step("watching the release", || readiness.watch(&watched))?;
        interrupt.check(Self::COMMAND)?;
        self.record_adopted(record)
    }

    fn roll_back(&self, record: &Record, _cause: Cause) -> anyhow::Result<()> {
        let never = Interrupt::never();
        rollback::roll_back(record, &self.preflight.layout, &self.readiness(&never)?, || self.address())
    }

    fn clean_up_rolled_back(&self) -> anyhow::Result<()> {
        Ok(())
    }

    fn is_first(&self, record: &Record) -> bool {
        record.snapshot.units.as_ref().is_none_or(|units| units.link.is_none())
    }

    fn clean_up(&self, plan: &ReleasePlan, _record: &Record) -> anyhow::Result<()> {
        self.context.events.step("removing the canaries", || self.root()?.run_all(&plan.finish()))
    }

    fn addresses(&self) -> anyhow::Result<Vec<String>> {
        Ok(self.address()?.iter().map(|address| format!("answers on {address}")).collect())
    }

    fn command(&self, rollback: bool) -> String {
        Options { rollback, ..self.options.times() }.command_line(false)
    }

    fn log_command(&self) -> Option<String> {
        Some(format!("journalctl -fu {}", self.preflight.layout.name))
    }
}

impl Systemd<'_> {
    fn root(&self) -> anyhow::Result<&Root> {
        self.preflight.root.as_ref().ok_or_else(|| anyhow::anyhow!("the preflight has not asked for root's rights"))
    }

    /// Returns the release that `--rollback` rolls back to; `None` for a deploy of the checkout.
    fn rollback_target<'r>(&self, records: &'r [Record]) -> anyhow::Result<Option<&'r Record>> {
        if !self.options.rollback {
            return Ok(None);
        }
        let is_there = |record: &&Record| record.folder.as_ref().is_some_and(|folder| folder.is_dir());
        let target =
            previous(records).filter(is_there).ok_or_else(|| crate::record::no_previous_release(records, "files"))?;
        Ok(Some(target))
    }

    /// Begins the record of a release and plans it: one of the checkout, or the one to roll back to.
    fn begin(&self, target: Option<&Record>) -> anyhow::Result<(Record, ReleasePlan)> {
        let source = &self.preflight.source;
        let mut record = self.preflight.records.begin(self.context.user.to_owned(), Some(source.commit.clone()));
        record.id = match target {
            Some(target) => format!("{}-{}", record.id, target.id.split_once('-').map_or("", |(_, tag)| tag)),
            None => format!("{}-{}", record.id, source.tag()),
        };
        record.contents = BTreeMap::from([("tree".to_owned(), source.hash.clone())]);
        if let Some(target) = target {
            record.rollback_to = Some(target.id.clone());
            record.commit.clone_from(&target.commit);
            record.contents.clone_from(&target.contents);
        }
        let plan = planning::plan_release(&self.preflight, self.context, &record, target)?;
        record.folder = Some(plan.folder.clone());
        record.snapshot.units = Some(plan.snapshot.clone());
        Ok((record, plan))
    }

    /// Copies the database and applies pending migrations, in a unit of their own.
    fn migrate(&self, record: &mut Record, plan: &ReleasePlan, readiness: &Readiness<'_>) -> anyhow::Result<()> {
        let (root, events, layout) = (self.root()?, &self.context.events, &self.preflight.layout);
        if plan.web().is_none() {
            return Ok(());
        }
        let unit = events.step("migrations", || {
            root.run_all(&plan.start_migrations())?;
            readiness.manager.wait_until_done(&layout.migrate_unit())
        });
        let read = || plan.read_results().iter().map(|step| root.run(step)).collect::<anyhow::Result<String>>();
        // The record must have the applied migrations, also after a signal. Unreadable results mean that none was
        // applied.
        let (results, interrupted) = match read() {
            Err(error) if Exit::of(&error) == Exit::Interrupted => (read(), Err(error)),
            results => (results, Ok(())),
        };
        let migrations = Migrations::parse(&results.unwrap_or_default());
        let copy = migrations.copy_note();
        migrations.note(record, events);
        self.preflight.records.write(record)?;
        match unit {
            Ok(_) => interrupted,
            Err(error) if Exit::of(&error) == Exit::Interrupted => Err(error),
            Err(error) => Err(readiness::failed(format!("the migrations failed: {error}{copy}"))),
        }
    }

    /// Puts the new release in the place of the old one and restarts the units, the web service before the others.
    fn cut_over(&self, plan: &ReleasePlan, readiness: &Readiness<'_>) -> anyhow::Result<Vec<Watched>> {
        let root = self.root()?;
        root.run_all(&plan.cut_over())?;
        root.run_all(&plan.restart_web())?;
        let (address, main) = (self.address()?, self.preflight.layout.main_unit());
        let shown = &self.preflight.shown;
        let wait = |service: &String| {
            let before = shown.iter().find(|unit| unit.name == *service).map_or("", |unit| unit.get("InvocationID"));
            readiness.wait_until_healthy(service, before, address.clone().filter(|_| *service == main))
        };
        let (web, others): (Vec<&String>, Vec<&String>) = plan.services.iter().partition(|service| **service == main);
        let mut watched = web.into_iter().map(wait).collect::<anyhow::Result<Vec<_>>>()?;
        root.run_all(&plan.restart_others())?;
        for service in others {
            watched.push(wait(service)?);
        }
        Ok(watched)
    }

    /// Returns the address of the service.
    fn address(&self) -> anyhow::Result<Option<Address>> {
        let names: Vec<String> = self.preflight.shown.iter().map(|unit| unit.name.clone()).collect();
        let shown: Vec<Unit> = manager::show(&names, &self.preflight.secrets)?;
        Ok(address::of_service(&shown, &self.preflight.layout.main_unit()))
    }

    /// Asks before a folder in the place of the link is moved: it is the operator's.
    fn accept_adoption(&self, plan: &ReleasePlan) -> anyhow::Result<()> {
        let Some(adopted) = &plan.snapshot.adopted else { return Ok(()) };
        let install_dir = self.preflight.layout.install_dir.display();
        let move_ = format!("`{install_dir}` is a folder: it becomes the first release, as `{}`", adopted.display());
        self.context.events.note(&move_);
        let is_accepted = self.context.is_yes
            || (self.context.is_interactive()
                && self.context.confirm("Move it there, and put a link in its place?")?);
        if is_accepted {
            return Ok(());
        }
        let why = if self.context.is_interactive() { "declined" } else { self.context.why_not_asked() };
        let problem = Problem::new(format!("{move_}: {why}: nothing was changed"));
        let hint = self.options.command_line(true) + ", or move it away";
        Err(Failure::new(Exit::NotMet, problem.hint(hint)).into())
    }

    /// Records the adopted folder as a release that a rollback can go back to.
    fn record_adopted(&self, record: &Record) -> anyhow::Result<()> {
        let Some(folder) = record.snapshot.units.as_ref().and_then(|units| units.adopted.clone()) else {
            return Ok(());
        };
        let mut adopted = self.preflight.records.begin(self.context.user.to_owned(), None);
        adopted.id = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        adopted.contents = BTreeMap::from([("tree".to_owned(), adopted.id.clone())]);
        adopted.folder = Some(folder);
        adopted.is_adopted = true;
        self.preflight.records.write(&adopted.ended(Status::Deployed))
    }

    fn manager<'b>(&'b self, interrupt: &'b Interrupt) -> anyhow::Result<Manager<'b>> {
        let (events, secrets) = (self.context.events, &self.preflight.secrets);
        Ok(Manager { root: self.root()?, events, secrets, interrupt })
    }

    fn readiness<'b>(&'b self, interrupt: &'b Interrupt) -> anyhow::Result<Readiness<'b>> {
        let Options { timeout, stability, .. } = *self.options;
        let health_path = self.context.project.settings.health_path.as_deref();
        let host = web::request_host(self.preflight.env.value(DJANGO_ALLOWED_HOSTS));
        Ok(Readiness { manager: self.manager(interrupt)?, timeout, stability, health_path, host })
    }
}
