//! The steps of a deploy: release, migrations, canaries, cut-over, handover, watch.

use std::time::{Duration, Instant};

use subprocess::Address;

use super::layout::canary_of;
use super::readiness::{self, Readiness, Watched};
use super::root::Step;
use super::steps::ReleasePlan;
use super::{Systemd, build, rollback};
use crate::backend::Backend;
use crate::failure::Exit;
use crate::interrupt::Interrupt;
use crate::migrations::Migrations;
use crate::record::Record;
use ::systemd::journal;

/// The time that a worker may take longer to start than twice the time of its canary.
const WORKER_START: Duration = Duration::from_secs(2);

/// The times that the canaries took to start.
#[derive(Default)]
struct Starts {
    web: Duration,
    /// Until it logged that it was ready, if it did.
    worker: Option<Duration>,
}

impl Systemd<'_> {
    /// Applies a plan, from the folder of the release to the watch over it.
    pub(super) fn apply_plan(&self, plan: &ReleasePlan, record: &mut Record) -> anyhow::Result<()> {
        let Systemd { context, preflight, .. } = self;
        let (root, events, interrupt) = (self.root()?, &context.events, context.interrupt);
        let readiness = self.readiness(interrupt)?;
        if plan.is_new {
            root.run_all(&plan.make_folder())?;
            let state = build::fill(&plan.folder, preflight, events, interrupt)?;
            events.step("ownership of the release", || root.run_all(&plan.own()))?;
            root.run_all(&plan.make_places(&state))?;
        }
        interrupt.check(Self::COMMAND)?;
        root.run_all(&plan.stage())?;

        if plan.is_new {
            self.migrate(record, plan, &readiness)?;
        } else {
            events.note("the database stays as it is: a rollback undoes no migrations");
        }
        // After the migrations: a release may need a table or a column of its own to answer at all.
        let (mut canaries, mut starts) = (Vec::new(), Starts::default());
        if let Some(web) = plan.web().filter(|_| plan.has_socket()) {
            canaries.push(events.step("canary on a private socket", || {
                let started = Instant::now();
                root.run_all(&plan.start_web_canary())?;
                let socket = Address::Unix(preflight.layout.canary_socket());
                let watched = readiness.wait_until_healthy(&canary_of(&web.name), "", Some(socket), false)?;
                starts.web = started.elapsed();
                readiness.manager.check_code(&watched.unit, &plan.folder)?;
                Ok(watched)
            })?);
        }
        if let Some(((worker, _), read_log)) = plan.worker().zip(plan.read_worker_log(true)) {
            canaries.push(events.step("canary of the worker", || {
                root.run_all(&plan.start_worker_canary())?;
                let watched = readiness.wait_until_healthy(&canary_of(&worker.name), "", None, false)?;
                readiness.manager.check_code(&watched.unit, &plan.folder)?;
                starts.worker = readiness.wait_until_ready(&watched.unit, &read_log, readiness.timeout)?;
                if starts.worker.is_none() {
                    events.warning(readiness::not_ready(&watched.unit.name, readiness.timeout));
                }
                Ok(watched)
            })?);
        }
        if !canaries.is_empty() {
            events.step("watching the canaries", || readiness.watch(&canaries))?;
        }
        interrupt.check(Self::COMMAND)?;

        root.run_all(&plan.back_up())?;
        let hashes = plan.hash().map(|step| root.run(&step)).transpose()?;
        if let Some(units) = &mut record.snapshot.units {
            units.hashes = plan.hashes(hashes.as_deref().unwrap_or_default());
            units.is_cut_over = true;
        }
        preflight.records.write(record)?;
        let watched = events.step("cut-over", || self.cut_over(plan, &readiness, &starts))?;
        events.step("watching the release", || readiness.watch(&watched))?;
        interrupt.check(Self::COMMAND)?;
        self.record_adopted(record)
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
        if unit.is_err() {
            // Until then they may apply more. The rollback stops them as well, and reports it if that fails.
            let _ = rollback::stop_migrations(layout, &self.manager(&Interrupt::never())?);
        }
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
    fn cut_over(&self, plan: &ReleasePlan, readiness: &Readiness<'_>, starts: &Starts) -> anyhow::Result<Vec<Watched>> {
        let root = self.root()?;
        root.run_all(&plan.cut_over())?;
        if plan.has_handover() {
            self.context.events.step("handover on the same socket", || {
                root.run_all(&plan.start_handover())?;
                let unit =
                    readiness.manager.wait_until_up(&self.preflight.layout.handover_unit(), "", readiness.timeout)?;
                // A unit that does not notify systemd is up before it can take requests.
                if unit.get("Type") != "notify" {
                    readiness.manager.interrupt.pause(starts.web);
                }
                // The previous release and the handover respond in turn.
                readiness.check_shared(&unit, self.address()?.as_ref())
            })?;
        }
        root.run_all(&plan.restart_web())?;
        let (address, main) = (self.address()?, self.preflight.layout.main_unit());
        let shown = &self.preflight.shown;
        let wait = |service: &String| {
            let before = shown.iter().find(|unit| unit.name == *service).map_or("", |unit| unit.get("InvocationID"));
            readiness.wait_until_healthy(service, before, address.clone().filter(|_| *service == main), true)
        };
        let (web, others): (Vec<&String>, Vec<&String>) =
            plan.restarts.services.iter().partition(|service| **service == main);
        let serve = || {
            let watched = web.into_iter().map(wait).collect::<anyhow::Result<Vec<_>>>()?;
            // What has responded up to here can have been the handover.
            root.run_all(&plan.stop_handover())?;
            if plan.has_handover() {
                watched.iter().try_for_each(|watched| readiness.check_response(watched))?;
            }
            Ok(watched)
        };
        let mut watched = serve().inspect_err(|_: &anyhow::Error| {
            // Requests wait in the socket instead of getting wrong responses. The next one starts the service again, which
            // takes longer than putting the previous files back.
            if plan.has_socket() {
                let handover = plan.has_handover().then(|| self.preflight.layout.handover_unit());
                let units = [main.clone()].into_iter().chain(handover);
                let _ = root.attempt(&Step::new("systemctl stop --no-block", units));
            }
        })?;
        root.run_all(&plan.stop_schedulers())?;
        plan.schedulers.iter().try_for_each(|unit| readiness.manager.wait_until_ended(unit))?;
        root.run_all(&plan.restart_others())?;
        for service in others {
            watched.push(wait(service)?);
        }
        let worker = plan.worker().and_then(|(worker, _)| watched.iter().find(|it| it.unit.name == worker.name));
        // It may log less than its canary, and then starts about as fast.
        if let (Some(worker), Some(read_log), Some(start)) = (worker, plan.read_worker_log(false), starts.worker) {
            readiness.wait_until_ready(&worker.unit, &read_log, 2 * start + WORKER_START)?;
        }
        root.run_all(&plan.restart_triggers())?;
        self.report_cut(plan);
        Ok(watched)
    }

    /// Warns about previous processes that systemd has killed since they did not end in time. A journal that cannot be read
    /// reveals none.
    fn report_cut(&self, plan: &ReleasePlan) {
        let has_timed_out = |step| {
            let ended = self.root().and_then(|root| root.run(step));
            ended.is_ok_and(|ended| journal::has_timed_out(&journal::parse(&ended)))
        };
        for (service, _) in plan.read_ends().iter().filter(|(_, step)| has_timed_out(step)) {
            let time = plan.stop_times.get(*service).map(|time| format!(" within {} s", time.as_secs()));
            let message = format!(
                "the previous process of `{service}` did not end{} and was killed: requests or tasks that it had begun \
                 were cut",
                time.unwrap_or_default()
            );
            let hint =
                format!("set a longer `TimeoutStopSec` in `{service}`, or `drain-timeout`: see docs/other-projects.md");
            self.cut.add(message, hint, &self.context.events);
        }
    }
}
