//! A backend in memory: a target with releases, one of which serves, and faults at chosen steps.

use std::cell::{Cell, Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;

use checks::HostFacts;
use project::Project;

use super::super::*;
use crate::context::{Operator, Question};
use crate::event::Event;
use crate::interrupt::Interrupt;
use crate::record::{PreviousContainer, Records, ServiceSnapshot, Target as RecordTarget};

/// The state of the target, which survives a kill.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The release that gets requests.
    pub(super) serving: Option<String>,
    /// The releases that are installed.
    pub(super) installed: BTreeSet<String>,
    /// Whether a canary runs.
    pub(super) has_canary: bool,
    /// The migrations that were applied.
    pub(super) migrations: Vec<String>,
    /// Every release that has ever served.
    pub(super) history: Vec<String>,
    /// The release that is unhealthy.
    pub(super) unhealthy: Option<String>,
}

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The step of this number fails.
    Fail(usize),
    /// A signal comes during the step of this number.
    Interrupt(usize),
    /// The process is killed after the step of this number.
    Kill(usize),
    /// The previous release is stopped with a request unfinished.
    CutWork,
    /// The operator declines the changes.
    Decline,
    /// The migrations break the release that serves.
    DestructiveMigration,
    /// The release that serves is unhealthy before the deploy.
    UnhealthyBefore,
    /// The rollback after a failure fails half-way.
    FailRollback,
    /// The process is killed half-way through the rollback after a failure.
    KillRollback,
    /// The process is killed half-way through the recovery.
    KillRecovery,
}

/// The panic that stands for a kill: nothing of the process survives it.
struct Killed;

fn kill() -> ! {
    resume_unwind(Box::new(Killed))
}

/// A machine with a project and a target.
pub(super) struct Machine {
    project: Project,
    target: RefCell<Target>,
    /// The names of the steps of the last deploy.
    steps: RefCell<Vec<&'static str>>,
    /// The events of the last deploy.
    events: RefCell<Vec<Event>>,
    /// The number of deploys: two in the same second need different ids.
    deploys: Cell<usize>,
    _dir: tempfile::TempDir,
}

/// The options of one deploy.
pub(super) struct Options<'a> {
    machine: &'a Machine,
    version: &'a str,
    faults: &'a [Fault],
    rollback: bool,
}

/// An operator who consents to nothing.
struct Absent;

impl Operator for Absent {
    fn confirm(&self, _question: &Question) -> anyhow::Result<bool> {
        Ok(false)
    }

    fn authenticate_sudo(&self) -> anyhow::Result<()> {
        anyhow::bail!("there is no sudo in memory")
    }
}

impl Machine {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let project = Project::open(dir.path()).expect("a project");
        let (target, steps, events) = (RefCell::default(), RefCell::default(), RefCell::default());
        Machine { project, target, steps, events, deploys: Cell::new(0), _dir: dir }
    }

    pub(super) fn project(&self) -> &Project {
        &self.project
    }

    pub(super) fn target(&self) -> Ref<'_, Target> {
        self.target.borrow()
    }

    /// Returns the number of steps of the last deploy.
    pub(super) fn steps(&self) -> usize {
        self.steps.borrow().len()
    }

    /// Returns the number of a step of the last deploy.
    #[track_caller]
    pub(super) fn step_named(&self, name: &str) -> usize {
        self.steps.borrow().iter().position(|step| *step == name).expect("such a step")
    }

    /// Returns the output of programs during the last deploy, and the warnings.
    pub(super) fn printed(&self) -> String {
        let text = |event: &Event| match event {
            Event::Output { text, .. } => text.clone(),
            Event::Warning { problem } => problem.message.clone(),
            _ => String::new(),
        };
        self.events.borrow().iter().map(text).collect()
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.store().all().expect("readable records")
    }

    fn store(&self) -> Records<'static> {
        let target = RecordTarget { command: Memory::COMMAND.into(), engine: "memory".into(), project: "shop".into() };
        Records::of(&self.project, target)
    }

    pub(super) fn deploy(&self, version: &str, faults: &[Fault]) -> Verdict {
        self.run(&Options { machine: self, version, faults, rollback: false }, false)
    }

    pub(super) fn roll_back(&self, faults: &[Fault]) -> Verdict {
        self.run(&Options { machine: self, version: "", faults, rollback: true }, false)
    }

    pub(super) fn dry_run(&self, version: &str) -> Verdict {
        self.run(&Options { machine: self, version, faults: &[], rollback: false }, true)
    }

    /// Deploys, and returns the verdict unless a fault has killed the process.
    pub(super) fn survives(&self, version: &str, faults: &[Fault]) -> Option<Verdict> {
        match catch_unwind(AssertUnwindSafe(|| self.deploy(version, faults))) {
            Ok(verdict) => Some(verdict),
            Err(panic) if panic.is::<Killed>() => None,
            Err(panic) => resume_unwind(panic),
        }
    }

    fn run(&self, options: &Options<'_>, is_dry_run: bool) -> Verdict {
        self.steps.borrow_mut().clear();
        self.deploys.set(self.deploys.get() + 1);
        self.events.borrow_mut().clear();
        let receive = |event: Event| self.events.borrow_mut().push(event);
        let facts = HostFacts { has_systemd: false, uv: project::UvSettings::default(), secrets: Vec::new() };
        let interrupt = Interrupt::default();
        let context = Context {
            project: &self.project,
            host_facts: &facts,
            user: "me@here",
            uid: 1000,
            gid: 1000,
            is_yes: true,
            is_dry_run,
            can_ask: false,
            operator: &Absent,
            events: Events::new(&receive),
            interrupt: &interrupt,
        };
        super::super::run::<Memory<'_>>(options, &context)
    }
}

/// The backend.
pub(super) struct Memory<'a> {
    options: &'a Options<'a>,
    context: &'a Context<'a>,
    records: Records<'static>,
}

impl Memory<'_> {
    /// Performs a step, unless a fault is planned for it. A step that fails does nothing; a kill or a signal comes when it is
    /// done and nothing has noted that yet.
    fn step(&self, name: &'static str, change: impl FnOnce(&mut Target)) -> anyhow::Result<()> {
        let machine = self.options.machine;
        let number = machine.steps();
        machine.steps.borrow_mut().push(name);
        if self.has(Fault::Fail(number)) {
            return Err(Failure::new(Exit::Failed, Problem::new(format!("`{name}` failed")).hint("try again")).into());
        }
        change(&mut machine.target.borrow_mut());
        if self.has(Fault::Kill(number)) {
            kill();
        }
        if self.has(Fault::Interrupt(number)) {
            self.context.interrupt.flag().store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn has(&self, fault: Fault) -> bool {
        self.options.faults.contains(&fault)
    }

    fn version(record: &Record) -> String {
        record.contents["app"].clone()
    }

    /// Returns the version that served before a release, by its snapshot.
    fn previous_version(record: &Record) -> Option<String> {
        record.snapshot.services.first()?.containers.first().map(|old| old.id.clone())
    }
}

impl<'a> Backend<'a> for Memory<'a> {
    type Options = Options<'a>;
    type Plan = String;
    type Lock = ();

    const COMMAND: &'static str = "deploy-memory";

    fn lock(_context: &Context<'a>) -> anyhow::Result<Option<()>> {
        Ok(Some(()))
    }

    fn preflight(options: &'a Options<'a>, context: &'a Context<'a>) -> anyhow::Result<Self> {
        Ok(Memory { options, context, records: options.machine.store() })
    }

    fn dry_run(&self) -> anyhow::Result<()> {
        Ok(())
    }

    fn accept_target(&self) -> anyhow::Result<()> {
        Ok(())
    }

    fn versions(&self) -> String {
        "memory".to_owned()
    }

    fn records(&self) -> &Records<'a> {
        &self.records
    }

    fn is_rollback(&self) -> bool {
        self.options.rollback
    }

    fn accept_recovery(&self, _unfinished: &Record) -> anyhow::Result<()> {
        Ok(())
    }

    fn clean_up_earlier(&self, _records: &[Record]) -> anyhow::Result<()> {
        let mut target = self.options.machine.target.borrow_mut();
        let serving = target.serving.clone();
        target.installed.retain(|version| Some(version) == serving.as_ref());
        target.has_canary = false;
        Ok(())
    }

    fn refresh(self) -> anyhow::Result<Self> {
        Self::preflight(self.options, self.context)
    }

    fn plan(&self) -> anyhow::Result<(Record, Option<String>)> {
        let all = self.records.all()?;
        let mut record = self.records.begin(self.context.user.to_owned(), None)?;
        record.id = format!("{:04}", self.options.machine.deploys.get());
        let version = if self.options.rollback {
            let to = previous(&all)
                .ok_or_else(|| crate::record::no_previous_release(&all, "versions", self.records.list_command()))?;
            record.rollback_to = Some(to.id.clone());
            Self::version(to)
        } else {
            self.options.version.to_owned()
        };
        record.contents = BTreeMap::from([("app".to_owned(), version.clone())]);
        self.step("build", |_| {})?;
        let serving = self.options.machine.target().serving.clone();
        if serving.as_ref() == Some(&version) {
            return Ok((record, None));
        }
        let containers = serving.into_iter().map(|id| PreviousContainer { id, was_running: true }).collect();
        record.snapshot.services = vec![ServiceSnapshot { service: "web".into(), containers }];
        Ok((record, Some(version)))
    }

    fn accept_changes(&self, _plan: &String) -> anyhow::Result<()> {
        if self.has(Fault::Decline) {
            return Err(Failure::new(Exit::NotMet, Problem::new("declined")).into());
        }
        Ok(())
    }

    fn discard(&self) -> anyhow::Result<()> {
        Ok(())
    }

    fn serving_failure(&self, _is_patient: bool) -> anyhow::Result<Option<String>> {
        let target = self.options.machine.target();
        let is_unhealthy = target.unhealthy.is_some() && target.unhealthy == target.serving;
        Ok((is_unhealthy || self.has(Fault::UnhealthyBefore)).then(|| "answers 500".to_owned()))
    }

    fn apply(&self, plan: &String, record: &mut Record) -> anyhow::Result<()> {
        let check = || self.context.interrupt.check("apply");
        self.step("install", |target| {
            target.installed.insert(plan.clone());
        })?;
        check()?;
        self.step("start the canary", |target| target.has_canary = true)?;
        check()?;
        if !self.options.rollback {
            let migration = format!("{plan}.0001");
            self.step("migrate", |target| {
                target.migrations.push(migration.clone());
                if self.has(Fault::DestructiveMigration) {
                    target.unhealthy.clone_from(&target.serving);
                }
            })?;
            record.migrations = vec![migration];
            record.database_copy = Some(format!("db.before-{}", record.id));
            self.records.write(record)?;
            check()?;
        }
        self.step("cut over", |target| {
            target.serving = Some(plan.clone());
            target.history.push(plan.clone());
        })?;
        check()?;
        self.step("watch", |_| {})?;
        check()
    }

    fn roll_back(&self, record: &Record, cause: Cause) -> anyhow::Result<()> {
        let (version, previous) = (Self::version(record), Self::previous_version(record));
        self.options.machine.target.borrow_mut().serving.clone_from(&previous);
        match cause {
            Cause::Failure if self.has(Fault::FailRollback) => anyhow::bail!("no route to the target"),
            Cause::Failure if self.has(Fault::KillRollback) => kill(),
            Cause::Recovery if self.has(Fault::KillRecovery) => kill(),
            _ => {}
        }
        let mut target = self.options.machine.target.borrow_mut();
        target.has_canary = false;
        if previous.as_ref() != Some(&version) {
            target.installed.remove(&version);
        }
        Ok(())
    }

    fn clean_up_rolled_back(&self) -> anyhow::Result<()> {
        Ok(())
    }

    fn is_first(&self, record: &Record) -> bool {
        Self::previous_version(record).is_none()
    }

    fn clean_up(&self, plan: &String, _record: &Record) -> anyhow::Result<()> {
        self.step("remove the canary", |target| target.has_canary = false)?;
        self.step("remove the previous release", |target| target.installed.retain(|version| version == plan))
    }

    fn take_cut_work(&self) -> Vec<String> {
        self.has(Fault::CutWork).then(|| "1 request unfinished".to_owned()).into_iter().collect()
    }

    fn addresses(&self) -> anyhow::Result<Vec<String>> {
        Ok(vec!["answers in memory".to_owned()])
    }

    fn command(&self, rollback: bool) -> String {
        format!("cargo xtask {}{}", Self::COMMAND, if rollback { " --rollback" } else { "" })
    }

    fn restore_command(&self, _record: &Record, copy: &str, database: &str) -> String {
        format!("restore {copy} as {database}")
    }
}
