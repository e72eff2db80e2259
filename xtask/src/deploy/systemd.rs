//! `cargo xtask deploy-systemd`: one transaction, at whose end the new release serves, or the one from before.

mod build;
mod data;
mod draft;
mod env_file;
mod layout;
mod manager;
mod plan;
mod preflight;
mod prove;
mod root;
mod steps;
mod undo;
mod unit;
mod verify;

use std::collections::BTreeMap;
use std::time::Instant;

use checks::report::BOLD;
use project::matrix::DJANGO_ALLOWED_HOSTS;
use project::web;
use subprocess::Address;
use systemd::address;

use self::layout::proof_of;
use self::manager::Manager;
use self::preflight::Ground;
use self::prove::{Proof, Watched};
use self::root::Root;
use self::steps::Draft;
use super::migrated::Migrated;
use super::record::{Outcome, Record, previous, serving};
use super::way_back;
use crate::cli;
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;
use crate::lock::Lock;
use crate::prompt;
use crate::typed;
use crate::ui::seconds;
use crate::world::World;

pub(crate) fn run(args: &cli::DeploySystemd, world: &World<'_>) -> anyhow::Result<Exit> {
    if world.common.dry_run {
        let deferred = Deferred::begin()?;
        let ground = preflight::check(args, world, &deferred)?;
        plan::print(args, &ground, world)?;
        return Ok(Exit::Done);
    }
    let _lock = Lock::take(&world.project, "deploy-systemd")?;
    let deferred = Deferred::begin()?;
    let mut ground = preflight::check(args, world, &deferred)?;
    preflight::settle_method(&ground.method, world)?;
    let tools = &ground.tools;
    world
        .ui
        .done("pre-flight", format_args!("{}, {} is {}", tools.uv.version, tools.python.program, tools.python.version));
    if recover(args, &ground, world, &deferred)? {
        if args.rollback {
            world.ui.result("what served before serves again; to go back further, run this again");
            return Ok(Exit::Done);
        }
        // What was found is not what is there now.
        ground = preflight::check(args, world, &deferred)?;
    }
    Deploy { args, world, ground: &ground, root: root_of(&ground)?, deferred: &deferred }.run()
}

fn root_of(ground: &Ground) -> anyhow::Result<&Root> {
    ground.root.as_ref().ok_or_else(|| anyhow::anyhow!("nobody was asked for root's rights"))
}

/// Puts right what runs that did not come to their end have left behind; whether a release had to be undone.
fn recover(args: &cli::DeploySystemd, ground: &Ground, world: &World<'_>, deferred: &Deferred) -> anyhow::Result<bool> {
    let deploy = Deploy { args, world, ground, root: root_of(ground)?, deferred };
    let records = ground.records.all()?;
    let broken: Vec<_> = records.iter().filter(|record| record.result == Outcome::UnderWay).collect();
    for record in broken.iter().rev() {
        way_back::put_right(record, world.ui, || deploy.undo(record))?;
    }
    if broken.is_empty() {
        // The last release is there to stay, and whoever was to clean up after it may not have come to that.
        undo::end_leftovers(&records, &ground.layout, &deploy.manager(deferred))?;
    }
    Ok(!broken.is_empty())
}

/// What a deploy works with.
struct Deploy<'a> {
    args: &'a cli::DeploySystemd,
    world: &'a World<'a>,
    ground: &'a Ground,
    root: &'a Root,
    deferred: &'a Deferred,
}

impl Deploy<'_> {
    fn run(&self) -> anyhow::Result<Exit> {
        let Deploy { args, ground, .. } = self;
        let (ui, records) = (self.world.ui, &ground.records);
        let started = Instant::now();
        let all = records.all()?;
        let to = plan::target(args, &all)?;
        let (mut record, mut draft) = begin(args, ground, self.world, to)?;
        let news = draft::news(&draft, ground, &all, &record.contents);
        if to.is_none() && news.is_empty() {
            let id = serving(&all).map_or("", |last| last.id.as_str());
            let took = seconds(started.elapsed());
            ui.result(format_args!("nothing has changed since release {id}: it serves, and is left alone ({took})"));
            return Ok(Exit::Done);
        }
        match to {
            Some(to) => ui.note(format_args!("     back to release {} of {}", to.id, to.started)),
            None => news.iter().for_each(|news| ui.note(format_args!("     {news}"))),
        }
        plan::tell(&draft, ground, ui);
        data::consent(ground.data.as_ref(), args, &ground.layout, self.world)?;
        self.may_adopt(&draft)?;
        draft.dropped = draft::dropped(records, &record, self.root)?;
        records.write(&record)?;

        let committed = self.transact(&mut record, &draft).and_then(|()| {
            self.note_adopted(&record)?;
            records.write(&record.clone().ended(Outcome::Deployed))
        });
        if let Err(error) = committed {
            let is_first = draft.standing.link.is_none();
            return Err(way_back::roll_back(&record, is_first, &error, ui, || self.undo(&record)));
        }
        // From here on the new release is the one that serves, whatever becomes of the rest.
        let cleaned = ui.stage("ending the trial", || {
            self.root.run_all(&draft.finish())?;
            records.prune().map(drop)
        });
        cleaned.map_err(|error| {
            let message = format!("release {} serves, and cleaning up after it failed: {error:#}", record.id);
            let hint = format!("{}, which goes on with that", typed::deploy_systemd(&self.args.again(), false));
            Failure::new(Exit::Failed, Problem::new(message).hint(hint))
        })?;
        self.summarise(&record, started)?;
        Ok(Exit::Done)
    }

    /// What has come of it, and how to go on.
    fn summarise(&self, record: &Record, started: Instant) -> anyhow::Result<()> {
        let (ui, layout) = (self.world.ui, &self.ground.layout);
        let took = seconds(started.elapsed());
        let what = record.rollback_to.as_ref().map(|to| format!(", which is {to} again")).unwrap_or_default();
        ui.result(ui.out().style(BOLD, format_args!("release {}{what} is deployed, in {took}", record.id)));
        if let Some(address) = self.address()? {
            ui.result(format_args!("  answers on {address}"));
        }
        if let Some(copy) = &record.database_copy {
            ui.result(format_args!("  the database as it was before the migrations: `{copy}`"));
        }
        let journal = format!("journalctl -fu {}", layout.name);
        let back = cli::DeploySystemd { rollback: true, ..self.args.again() };
        let back = typed::deploy_systemd(&back, false);
        let mut commands = vec![(journal.as_str(), "what it says"), ("cargo xtask health", "whether all is well")];
        if previous(&self.ground.records.all()?).is_some() {
            commands.push((&back, "back to the release before"));
        }
        ui.commands(&commands);
        Ok(())
    }

    /// Everything that can be undone, and has to be if a part of it fails.
    fn transact(&self, record: &mut Record, draft: &Draft<'_>) -> anyhow::Result<()> {
        let Deploy { ground, root, deferred, .. } = self;
        let ui = self.world.ui;
        let proof = self.proof(deferred);
        if draft.is_new {
            root.run_all(&draft.make_folder())?;
            build::fill(&draft.folder, ground, ui, deferred)?;
            ui.stage("release for everybody to read, and root's", || root.run_all(&draft.own()))?;
        }
        deferred.check("deploy-systemd")?;
        root.run_all(&draft.stage())?;

        let mut trials = Vec::new();
        if let Some(web) = draft.web().filter(|_| draft.has_socket()) {
            trials.push(ui.stage("trial on a private socket", || {
                root.run_all(&draft.start_web_trial())?;
                proof.wait_until_well(&proof_of(&web.name), "", Some(Address::Unix(ground.layout.proof_socket())))
            })?);
        }
        if draft.is_new {
            self.migrate(record, draft, &proof)?;
        } else {
            ui.note("     the database stays as it is: migrations are not taken back");
        }
        if let Some(worker) = draft.worker() {
            trials.push(ui.stage("trial of the worker", || {
                root.run_all(&draft.start_worker_trial())?;
                proof.wait_until_well(&proof_of(&worker.name), "", None)
            })?);
        }
        if !trials.is_empty() {
            ui.stage("watching both", || proof.watch(&trials))?;
        }
        deferred.check("deploy-systemd")?;

        root.run_all(&draft.back_up())?;
        if let Some(standing) = &mut record.before.standing {
            standing.is_switched = true;
        }
        ground.records.write(record)?;
        let watched = ui.stage("switch", || self.switch(draft, &proof))?;
        ui.stage("watching it serve", || proof.watch(&watched))?;
        deferred.check("deploy-systemd")
    }

    /// Copies the database and applies what is pending, in a unit of its own.
    fn migrate(&self, record: &mut Record, draft: &Draft<'_>, proof: &Proof<'_>) -> anyhow::Result<()> {
        let (ui, layout) = (self.world.ui, &self.ground.layout);
        if draft.web().is_none() {
            return Ok(());
        }
        let migrated = ui.stage("migrations", || {
            self.root.run_all(&draft.start_migrations())?;
            proof.manager.wait_until_done(&layout.migrate_unit())
        });
        let read = || draft.read_answers().iter().map(|step| self.root.run(step)).collect::<anyhow::Result<String>>();
        // What was applied has to be known, whatever signal comes. Where nothing was told, nothing was done.
        let (answers, interrupted) = match read() {
            Err(error) if Exit::of(&error) == Exit::Interrupted => (read(), Err(error)),
            answers => (answers, Ok(())),
        };
        let told = Migrated::told(&answers.unwrap_or_default());
        let copy = told.copy_told();
        // What was applied stays, however this ends.
        told.note(record, ui);
        self.ground.records.write(record)?;
        match migrated {
            Ok(_) => interrupted,
            Err(error) if Exit::of(&error) == Exit::Interrupted => Err(error),
            Err(error) => Err(prove::failed(format!("the migrations failed: {error}{copy}"))),
        }
    }

    /// The new release takes the place of the old one, the web service before the rest; gives what serves then.
    fn switch(&self, draft: &Draft<'_>, proof: &Proof<'_>) -> anyhow::Result<Vec<Watched>> {
        self.root.run_all(&draft.switch())?;
        self.root.run_all(&draft.restart_web())?;
        let (address, main) = (self.address()?, self.ground.layout.main_unit());
        let shown = &self.ground.shown;
        let wait = |service: &String| {
            let before = shown.iter().find(|unit| unit.name == *service).map_or("", |unit| unit.get("InvocationID"));
            proof.wait_until_well(service, before, address.clone().filter(|_| *service == main))
        };
        let (web, others): (Vec<&String>, Vec<&String>) = draft.services.iter().partition(|service| **service == main);
        let mut watched = web.into_iter().map(wait).collect::<anyhow::Result<Vec<_>>>()?;
        self.root.run_all(&draft.restart_others())?;
        for service in others {
            watched.push(wait(service)?);
        }
        Ok(watched)
    }

    /// Where the service answers.
    fn address(&self) -> anyhow::Result<Option<Address>> {
        let names: Vec<String> = self.ground.shown.iter().map(|unit| unit.name.clone()).collect();
        let shown = manager::show(&names, &self.ground.secrets)?;
        Ok(address::of_service(&shown, &self.ground.layout.main_unit()))
    }

    /// Undoes a release and notes that it is undone. A signal that has come stops nothing here.
    fn undo(&self, record: &Record) -> anyhow::Result<()> {
        let deaf = Deferred::deaf();
        undo::undo(record, &self.ground.layout, &self.proof(&deaf), || self.address())?;
        let records = &self.ground.records;
        let noted = || {
            records.write(&record.clone().ended(Outcome::RolledBack))?;
            records.prune().map(drop)
        };
        way_back::note(noted(), self.world.ui);
        Ok(())
    }

    /// A folder where the link is to be is somebody's: it is moved only by consent.
    fn may_adopt(&self, draft: &Draft<'_>) -> anyhow::Result<()> {
        let Some(adopted) = &draft.standing.adopted else { return Ok(()) };
        let install_dir = self.ground.layout.install_dir.display();
        let what = format!("`{install_dir}` is a folder: it becomes the first release, as `{}`", adopted.display());
        self.world.ui.note(format_args!("     {what}"));
        if self.world.common.yes
            || (self.world.is_interactive() && prompt::confirm("Move it there, and put a link in its place?")?)
        {
            return Ok(());
        }
        let why = if self.world.is_interactive() { "declined" } else { self.world.why_not_asked() };
        let problem = Problem::new(format!("{what}: {why}: nothing was changed"));
        Err(Failure::new(Exit::NotMet, problem.hint(typed::deploy_systemd(self.args, true) + ", or move it away"))
            .into())
    }

    /// The folder that was adopted is a release that can be gone back to.
    fn note_adopted(&self, record: &Record) -> anyhow::Result<()> {
        let Some(folder) = record.before.standing.as_ref().and_then(|standing| standing.adopted.clone()) else {
            return Ok(());
        };
        let mut adopted = self.ground.records.begin(self.world.host.user.clone(), None);
        adopted.id = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        adopted.contents = BTreeMap::from([("tree".to_owned(), adopted.id.clone())]);
        adopted.folder = Some(folder);
        adopted.is_adopted = true;
        self.ground.records.write(&adopted.ended(Outcome::Deployed))
    }

    fn manager<'b>(&'b self, deferred: &'b Deferred) -> Manager<'b> {
        Manager { root: self.root, ui: self.world.ui, secrets: &self.ground.secrets, deferred }
    }

    fn proof<'b>(&'b self, deferred: &'b Deferred) -> Proof<'b> {
        let cli::DeploySystemd { timeout, stability, .. } = *self.args;
        let health_path = self.world.project.settings.health_path.as_deref();
        let host = web::host_of(self.ground.env.value(DJANGO_ALLOWED_HOSTS));
        Proof { manager: self.manager(deferred), timeout, stability, health_path, host }
    }
}

/// The release as it is going to be, and its record.
fn begin<'a>(
    args: &cli::DeploySystemd,
    ground: &'a Ground,
    world: &World<'_>,
    to: Option<&Record>,
) -> anyhow::Result<(Record, Draft<'a>)> {
    let (source, host) = (&ground.source, &world.host);
    let mut record = ground.records.begin(host.user.clone(), Some(source.commit.clone()));
    record.id = match to {
        Some(to) => format!("{}-{}", record.id, to.id.split_once('-').map_or("", |(_, tag)| tag)),
        None => format!("{}-{}", record.id, source.tag()),
    };
    record.contents = BTreeMap::from([("tree".to_owned(), source.hash.clone())]);
    if let Some(to) = to.filter(|_| args.rollback) {
        record.rollback_to = Some(to.id.clone());
        record.commit.clone_from(&to.commit);
        record.contents.clone_from(&to.contents);
    }
    let draft = draft::draft(ground, world, &record, to)?;
    record.folder = Some(draft.folder.clone());
    record.before.standing = Some(draft.standing.clone());
    Ok((record, draft))
}
