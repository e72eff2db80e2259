//! Power cuts during a deploy and during its rollback, on a model of a disk: the commands of the deploy write to it, the
//! power is cut after every write, and the rollback runs on the files that are left.

mod disk;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use self::disk::{Disk, State};
use super::env_file::EnvPlan;
use super::layout::Layout;
use super::restarts::Restarts;
use super::rollback::put_back;
use super::root::{Root, Step};
use super::steps::ReleasePlan;
use super::target::write_record;
use crate::record::{Record, Status, Target, UnitSnapshot};
use ::systemd::UnitFile;

const UNIT: &str = "shop.service";
const OLD_ENV: &str = "A=1\n";
const NEW_ENV: &str = "A=2\nB=2\n";

/// A machine with release 1, and the plan of release 2.
struct Machine {
    dir: tempfile::TempDir,
    layout: Layout,
    is_first: bool,
}

impl Machine {
    /// `is_first`: nothing was deployed before.
    fn new(is_first: bool) -> Self {
        // The rollback flushes for real; that costs no time where the files are in memory.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let dir = dir.expect("a folder");
        let root = dir.path().join("machine");
        let layout = Layout {
            install_dir: root.join("opt/shop"),
            env_file: root.join("etc/shop/env"),
            system_units: root.join("etc/systemd/system"),
            runtime_units: root.join("run/systemd/system"),
            ..Layout::of_a_shop()
        };
        Machine { dir, layout, is_first }
    }

    fn record_file(&self) -> PathBuf {
        self.layout.records().join("2.json")
    }

    /// The unit file of release 1 or 2.
    fn unit(release: u8) -> String {
        format!("[Service]\nExecStart=/opt/shop/run-{release}\n")
    }

    /// The disk before the deploy, all of it flushed.
    fn before(&self) -> Disk {
        let layout = &self.layout;
        let mut disk = Disk::default();
        let folders =
            [layout.releases(), layout.system_units.clone(), layout.env_file.parent().expect("a folder").into()];
        for folder in folders.iter().chain([&self.record_file().parent().expect("a folder").to_owned()]) {
            disk.make_folder(folder);
        }
        if !self.is_first {
            disk.make_folder(&layout.records());
            disk.write(&layout.release("1").join("units").join(UNIT), Self::unit(1).as_bytes());
            disk.write(&layout.unit_file(UNIT), Self::unit(1).as_bytes());
            disk.write(&layout.env_file, OLD_ENV.as_bytes());
            disk.symlink(&layout.install_dir, &layout.release("1"));
        }
        disk.flush_all();
        disk
    }

    fn plan(&self) -> ReleasePlan {
        let (layout, was_there) = (&self.layout, !self.is_first);
        let mut env = EnvPlan::unchanged(None);
        env.content = Some(NEW_ENV.into());
        env.is_there = was_there;
        ReleasePlan {
            layout: layout.clone(),
            id: "2".into(),
            folder: layout.release("2"),
            is_new: true,
            units: vec![UnitFile { name: UNIT.into(), text: Self::unit(2) }],
            drop_ins: BTreeMap::new(),
            env,
            snapshot: UnitSnapshot {
                link: was_there.then(|| layout.release("1")),
                files: [(UNIT.to_owned(), was_there)].into(),
                env_file: Some(was_there),
                ..UnitSnapshot::default()
            },
            restarts: Restarts { services: vec![UNIT.into()], ..Restarts::default() },
            schedulers: Vec::new(),
            user: "root".into(),
            group: "root".into(),
            state: super::state::State::default(),
            owner: (0, 0),
            pruned: Vec::new(),
            canary_limit: std::time::Duration::ZERO,
            handover_limit: std::time::Duration::ZERO,
            drain_timeout: None,
            stop_times: BTreeMap::new(),
        }
    }

    /// Writes everything that a deploy writes, in its order.
    fn deploy(&self, disk: &mut Disk) {
        let plan = self.plan();
        let target = Target { command: "deploy-systemd".into(), engine: "machine".into(), project: "shop".into() };
        let mut record = Record::begin(target, "me@here".into(), None);
        record.id = "2".into();
        record.folder = Some(plan.folder.clone());
        record.snapshot.units = Some(plan.snapshot.clone());
        self.write_record(disk, &record);
        disk.run_all(&plan.make_folder());
        disk.write(&plan.folder.join("units").join(UNIT), Self::unit(2).as_bytes());
        disk.write(&plan.folder.join("run-2"), b"the code");
        disk.run_all(&plan.own());
        disk.run_all(&plan.stage());
        disk.run_all(&plan.back_up());
        let units = record.snapshot.units.as_mut().expect("set above");
        units.hashes = plan.hashes(&disk.hashes(&plan.hash().expect("files are replaced")));
        assert_eq!(units.hashes.len(), 2);
        units.is_cut_over = true;
        self.write_record(disk, &record);
        disk.run_all(&plan.cut_over());
        self.write_record(disk, &record.clone().ended(Status::Deployed));
        disk.run_all(&plan.finish());
    }

    fn write_record(&self, disk: &mut Disk, record: &Record) {
        let content = serde_json::to_string(record).expect("JSON");
        disk.run_all(&write_record(&self.layout, "2", &content, record.result == Status::UnderWay && self.is_first));
    }

    /// Puts the files that a power cut has left in their places, and returns the record, if there is one.
    fn boot(&self, state: &State) -> Option<Record> {
        let root = self.dir.path().join("machine");
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).expect("a folder");
        state.materialize(&root);
        let text = fs::read(self.record_file()).ok()?;
        Some(serde_json::from_slice(&text).expect("a record that is there is complete"))
    }

    /// Returns the damage of the live files: none if all of them are of release 1, or with `is_new` of release 2.
    fn damage(&self, is_new: bool) -> Option<String> {
        let layout = &self.layout;
        let expected = |old: &str, new: &str| match (is_new, self.is_first) {
            (true, _) => Some(new.to_owned()),
            (false, first) => (!first).then(|| old.to_owned()),
        };
        let check = |path: PathBuf, expected: Option<String>| {
            let found = fs::read_to_string(&path).ok();
            (found != expected).then(|| format!("`{}` is {found:?}, not {expected:?}", path.display()))
        };
        let link = fs::read_link(&layout.install_dir).ok();
        let release = expected("1", "2").map(|id| layout.release(&id));
        let (old, new) = (Self::unit(1), Self::unit(2));
        check(layout.unit_file(UNIT), expected(&old, &new))
            .or_else(|| check(layout.env_file.clone(), expected(OLD_ENV, NEW_ENV)))
            .or_else(|| (link != release).then(|| format!("the link leads to {link:?}, not to {release:?}")))
            .or_else(|| check(layout.install_dir.join("units").join(UNIT), expected(&old, &new)))
            .or_else(|| is_new.then(|| check(layout.install_dir.join("run-2"), Some("the code".into()))).flatten())
    }

    /// Recovers as the next run does, and returns the damage. With a rollback, returns its steps, too.
    fn recover(&self, state: &State) -> (Option<String>, Vec<Step>) {
        let Some(record) = self.boot(state) else { return (self.damage(false), Vec::new()) };
        match record.result {
            Status::Deployed => (self.damage(true), Vec::new()),
            Status::RolledBack => (self.damage(false), Vec::new()),
            Status::UnderWay => {
                let units = record.snapshot.units.as_ref().expect("a snapshot");
                let root = Root::none();
                if units.is_cut_over
                    && let Err(error) = put_back(&record, units, &self.layout, &root)
                {
                    return (Some(format!("{error:#}")), Vec::new());
                }
                (self.damage(false), root.log.take())
            }
        }
    }
}

/// Cuts the power after every write of a deploy, and again after every write of the rollback that follows. Returns the
/// number of power cuts, of different states of the disk, and of damaged ones.
fn replay(machine: &Machine, write: impl Fn(&mut Disk)) -> (usize, usize, Vec<String>) {
    let mut disk = machine.before();
    let start = disk.len();
    write(&mut disk);
    let (mut states, mut damaged) = (BTreeSet::new(), Vec::new());
    let mut cuts = 0;
    for cut in start..=disk.len() {
        cuts += 1;
        for state in disk.after_power_cut(cut) {
            if !states.insert(state.clone()) {
                continue;
            }
            let (damage, steps) = machine.recover(&state);
            damaged.extend(damage);
            // The power is cut again during the rollback.
            let mut again = Disk::of(&state);
            let start = again.len();
            again.run_all(&steps);
            for cut in start..again.len() {
                cuts += 1;
                for state in again.after_power_cut(cut) {
                    if states.insert(state.clone()) {
                        damaged.extend(machine.recover(&state).0);
                    }
                }
            }
        }
    }
    (cuts, states.len(), damaged)
}

#[test]
fn a_power_cut_at_any_write_damages_nothing() {
    for is_first in [false, true] {
        let machine = Machine::new(is_first);
        let (cuts, states, damaged) = replay(&machine, |disk| machine.deploy(disk));
        assert_eq!(damaged, [""; 0], "first: {is_first}");
        assert!(cuts > 100 && states > 100, "{cuts} power cuts, {states} states");
    }
}

#[test]
fn a_file_that_is_written_in_place_is_damaged_by_a_power_cut() {
    // The model finds damage where there is some: a copy over the live file, and a rename that nothing has flushed.
    let machine = Machine::new(false);
    let new = machine.dir.path().join("machine/opt/env");
    for last in [
        Step::new("cp -a", [&new, &machine.layout.env_file].map(|path| path.display())),
        super::files::replace(&new, &machine.layout.env_file),
    ] {
        let (_, _, damaged) = replay(&machine, |disk| {
            disk.write(&new, NEW_ENV.as_bytes());
            disk.run_all(std::slice::from_ref(&last));
        });
        assert!(damaged.iter().any(|damage| damage.contains("is Some(\"\")")), "{last}: {damaged:?}");
    }
}
