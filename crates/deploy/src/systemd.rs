//! The backend for systemd: a release is a folder with a virtual environment, and a link leads to the one that serves.

mod adoption;
mod apply;
mod build;
mod canary;
mod data;
mod dry_run;
mod env_file;
mod files;
mod layout;
mod manage;
mod manager;
pub mod operate;
mod options;
mod places;
mod planning;
#[cfg(test)]
mod power_cut;
mod preflight;
mod readiness;
mod refusals;
mod restarts;
mod rollback;
mod root;
mod scheduler;
mod shared;
mod state;
mod steps;
mod target;
mod temporary_units;
mod tools;
mod uninstall;
mod verify;

use std::collections::BTreeMap;
use std::time::Duration;

use project::Variable;
use project::web;
use subprocess::{Address, Held, quoted};

use ::systemd::{Unit, address};

pub use self::manage::manage;
pub use self::options::Options;
pub use self::uninstall::uninstall;

use self::layout::Layout;
use self::manager::Manager;
use self::preflight::Preflight;
use self::readiness::Readiness;
use self::root::{Root, Step};
use self::steps::ReleasePlan;
use crate::backend::{Backend, Cause};
use crate::context::Context;
use crate::drain::CutWork;
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::migrations::{self, Migrations};
use crate::record::{Record, Records, Status, previous};

/// The time that a canary may run longer than a deploy can need it.
const SPARE: Duration = Duration::from_secs(10 * 60);

/// The backend, after its preflight.
pub struct Systemd<'a> {
    options: &'a Options,
    context: &'a Context<'a>,
    preflight: Preflight,
    cut: CutWork,
}

impl<'a> Backend<'a> for Systemd<'a> {
    type Options = Options;
    type Plan = ReleasePlan;
    type Lock = Box<Held>;

    const COMMAND: &'static str = "deploy-systemd";

    fn lock(context: &Context<'a>) -> anyhow::Result<Option<Box<Held>>> {
        // Without systemd, root's rights or the programs of the steps there is nothing to protect: the preflight reports
        // that, with all other problems.
        if !context.host_facts.has_systemd || !target::can_run_steps(context.interrupt) {
            return Ok(None);
        }
        let root = match Root::ask(context) {
            Ok(root) => root,
            // The operator was asked, and is not asked again.
            Err(problem) if context.can_ask => return Err(Failure::new(Exit::NotMet, problem).into()),
            Err(_) => return Ok(None),
        };
        target::lock(&root, &Layout::of(context.project), Self::COMMAND, context.user).map(Some)
    }

    fn preflight(options: &'a Options, context: &'a Context<'a>) -> anyhow::Result<Self> {
        Ok(Systemd { options, context, preflight: preflight::check(options, context)?, cut: CutWork::default() })
    }

    fn dry_run(&self) -> anyhow::Result<()> {
        dry_run::emit(self)
    }

    fn accept_target(&self) -> anyhow::Result<()> {
        self.preflight.records.import()?;
        preflight::settle_method(&self.preflight.method, self.context)
    }

    fn versions(&self) -> String {
        let tools = &self.preflight.tools;
        format!("{}, {} is {}", tools.uv.version, tools.python.program, tools.python.version)
    }

    fn records(&self) -> &Records<'a> {
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
        let deployed = records.iter().filter(|record| record.result == Status::Deployed);
        rollback::clean_up_earlier(deployed, &self.preflight.layout, &self.manager(self.context.interrupt)?)
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

    fn serving_failure(&self, is_patient: bool) -> anyhow::Result<Option<String>> {
        let never = Interrupt::never();
        let Some(address) = self.address()? else { return Ok(None) };
        let main = self.preflight.layout.main_unit();
        // A request would start it.
        if !is_patient && !self.preflight.shown.iter().any(|unit| unit.name == main && unit.is_active()) {
            return Ok(Some(format!("`{main}` is not running")));
        }
        let mut readiness = self.readiness(if is_patient { &never } else { self.context.interrupt })?;
        readiness.timeout = if is_patient { readiness.timeout } else { Duration::ZERO };
        let failure = readiness.lasting_failure(&address)?;
        Ok(failure.map(|failure| format!("`{}` {}", self.preflight.layout.name, failure.reason)))
    }

    fn apply(&self, plan: &ReleasePlan, record: &mut Record) -> anyhow::Result<()> {
        self.apply_plan(plan, record)
    }

    fn add_migrations(&self, unfinished: &mut Record) {
        // Those that go on would apply more. The rollback stops them as well, and reports it if that fails.
        let never = Interrupt::never();
        let _ = self.manager(&never).and_then(|manager| rollback::stop_migrations(&self.preflight.layout, &manager));
        // After a reboot there are no results any more.
        let results = Step::new("cat", [self.preflight.layout.migrate_results().display()]);
        if unfinished.migrations.is_empty()
            && let Ok(results) = self.root().and_then(|root| root.run(&results))
        {
            Migrations::parse(&results).note(unfinished, &self.context.events);
        }
    }

    fn roll_back(&self, record: &Record, _cause: Cause) -> anyhow::Result<()> {
        let never = Interrupt::never();
        rollback::roll_back(record, &self.preflight.layout, &self.manager(&never)?, self.options.timeout)
    }

    fn clean_up_rolled_back(&self) -> anyhow::Result<()> {
        Ok(())
    }

    fn is_first(&self, record: &Record) -> bool {
        record.snapshot.units.as_ref().is_none_or(|units| units.link.is_none())
    }

    fn clean_up(&self, plan: &ReleasePlan, _record: &Record) -> anyhow::Result<()> {
        self.context.events.step("removing the temporary units", || {
            if plan.has_handover() {
                self.readiness(&Interrupt::never())?
                    .manager
                    .wait_until_ended(&self.preflight.layout.handover_unit())?;
            }
            self.root()?.run_all(&plan.finish())
        })
    }

    fn take_cut_work(&self) -> Vec<String> {
        self.cut.take()
    }

    fn addresses(&self) -> anyhow::Result<Vec<String>> {
        let readiness = self.readiness(self.context.interrupt)?;
        let line = |address: &Address| {
            if readiness.can_reach(address) {
                format!("answers on {address}")
            } else {
                format!("listens on {address}; not verified, since this user may not connect to it")
            }
        };
        Ok(self.address()?.iter().map(line).collect())
    }

    fn command(&self, rollback: bool) -> String {
        Options { rollback, ..self.options.times() }.command_line(false)
    }

    fn restore_command(&self, record: &Record, copy: &str, database: &str) -> String {
        // Those that ran before the deploy: others were stopped by the operator.
        let running = record.snapshot.units.iter().flat_map(|units| units.invocations.keys());
        let units: Vec<&str> = running.map(String::as_str).collect();
        let (sudo, units) = (Root::prefix(self.context), units.join(" "));
        let journals = migrations::journals(database);
        let (copy, database) = (quoted(copy), quoted(database));
        format!(
            "{sudo}systemctl stop {units} && {sudo}rm -f {journals} && {sudo}cp -p {copy} {database} && \
             {sudo}systemctl start {units}"
        )
    }
}

impl Systemd<'_> {
    fn root(&self) -> anyhow::Result<&Root> {
        self.preflight.root.as_deref().ok_or_else(|| anyhow::anyhow!("the preflight has not asked for root's rights"))
    }

    /// Returns the release that `--rollback` rolls back to; `None` for a deploy of the checkout.
    fn rollback_target<'r>(&self, records: &'r [Record]) -> anyhow::Result<Option<&'r Record>> {
        if !self.options.rollback {
            return Ok(None);
        }
        let is_there = |record: &&Record| record.folder.as_ref().is_some_and(|folder| folder.is_dir());
        let target = previous(records).filter(is_there).ok_or_else(|| {
            crate::record::no_previous_release(records, "files", self.preflight.records.list_command())
        })?;
        Ok(Some(target))
    }

    /// Begins the record of a release and plans it: one of the checkout, or the one to roll back to.
    fn begin(&self, target: Option<&Record>) -> anyhow::Result<(Record, ReleasePlan)> {
        let source = &self.preflight.source;
        let mut record = self.preflight.records.begin(self.context.user.to_owned(), Some(source.commit.clone()))?;
        record.subject = crate::source::subject(source.root(), &self.context.interrupt.flag());
        record.id = match target {
            Some(target) => format!("{}-{}", record.id, target.id.split_once('-').map_or("", |(_, tag)| tag)),
            None => format!("{}-{}", record.id, source.tag()),
        };
        record.contents = BTreeMap::from([("tree".to_owned(), source.hash.clone())]);
        if let Some(target) = target {
            record.roll_back_to(target);
            record.contents.clone_from(&target.contents);
        }
        let Options { timeout, stability, .. } = *self.options;
        // Both canaries start and answer within the timeout each; the rest is for a slow machine.
        let limit = timeout * 4 + stability + SPARE;
        let plan = planning::plan_release(&self.preflight, self.context, &record, target, limit)?;
        record.folder = Some(plan.folder.clone());
        record.snapshot.units = Some(plan.snapshot.clone());
        Ok((record, plan))
    }

    /// Returns the address of the service.
    fn address(&self) -> anyhow::Result<Option<Address>> {
        let names: Vec<String> = self.preflight.shown.iter().map(|unit| unit.name.clone()).collect();
        let shown: Vec<Unit> = manager::show(&names, &self.preflight.secrets)?;
        Ok(address::of_service(&shown, &self.preflight.layout.main_unit()))
    }

    fn manager<'b>(&'b self, interrupt: &'b Interrupt) -> anyhow::Result<Manager<'b>> {
        let (events, secrets) = (self.context.events, &self.preflight.secrets);
        Ok(Manager { root: self.root()?, events, secrets, interrupt })
    }

    fn readiness<'b>(&'b self, interrupt: &'b Interrupt) -> anyhow::Result<Readiness<'b>> {
        let Options { timeout, stability, .. } = *self.options;
        let health_path = self.context.project.settings.health_path.as_deref();
        let names = &self.context.project.names;
        let hosts = names.value(Variable::AllowedHosts, |name| self.preflight.env.value(name).map(str::to_owned));
        let host = web::request_host(hosts.as_deref());
        Ok(Readiness { manager: self.manager(interrupt)?, timeout, stability, health_path, host, names })
    }
}
