//! The target of all checkouts that deploy one service to this machine: its lock and its release records. Both belong to
//! root: every user can read the records, and only a user with root's rights can hold the lock.

use std::fs;
use std::path::Path;
use std::process;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use project::{LockError, Project};
use subprocess::{Command, Deadline, Held, Start};

use super::Systemd;
use super::files::{flush, replace};
use super::layout::Layout;
use super::root::{Root, Step};
use crate::backend::Backend;
use crate::failure::{Exit, Failure, Problem};
use crate::interrupt::Interrupt;
use crate::record::storage::{HISTORY_FILE, Storage, Stored, file_name, read_folder, read_history_file};
use crate::record::{Records, Target};

/// The exit status of `flock` if another process has the lock.
const CONFLICT: i32 = 6;
const TIMEOUT: Duration = Duration::from_secs(30);

/// The records next to the releases.
pub(super) struct TargetFolder {
    pub(super) layout: Layout,
    /// `None` in a dry run, which writes nothing.
    pub(super) root: Option<Rc<Root>>,
}

impl TargetFolder {
    fn root(&self) -> anyhow::Result<&Root> {
        self.root.as_deref().ok_or_else(|| anyhow::anyhow!("the preflight has not asked for root's rights"))
    }
}

impl Storage for TargetFolder {
    fn list_command(&self) -> String {
        format!("ls {}", self.layout.records().display())
    }

    fn read(&self) -> anyhow::Result<Vec<Stored>> {
        read_folder(&self.layout.records(), &self.layout.records().display().to_string())
    }

    fn write(&self, id: &str, json: &str) -> anyhow::Result<()> {
        let is_new = !self.layout.records().is_dir();
        self.root()?.run_all(&write_record(&self.layout, id, json, is_new))
    }

    fn remove(&self, id: &str) -> anyhow::Result<()> {
        self.root()?.run(&Step::new("rm -f", [self.layout.records().join(file_name(id)).display()])).map(drop)
    }

    fn read_history(&self) -> anyhow::Result<Vec<String>> {
        read_history_file(&self.layout.records(), &self.layout.records().display().to_string())
    }

    fn add_history(&self, lines: &[String]) -> anyhow::Result<()> {
        let all = [self.read_history()?.as_slice(), lines].concat().join("\n") + "\n";
        self.root()?.run_all(&write_file(&self.layout.records(), HISTORY_FILE, &all))
    }
}

/// Returns the release records of a service on this machine; without `root` they can only be read.
pub(super) fn records(layout: &Layout, root: Option<Rc<Root>>, project: &Project) -> Records<'static> {
    let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default().trim().to_owned();
    let target = Target { command: Systemd::COMMAND.into(), engine: machine, project: layout.name.clone() };
    Records::at_target(TargetFolder { layout: layout.clone(), root }, project, target)
}

/// Returns the steps that write a record; `is_new`: there is no folder for it yet.
pub(super) fn write_record(layout: &Layout, id: &str, json: &str, is_new: bool) -> Vec<Step> {
    let (releases, dir) = (layout.releases(), layout.records());
    let mut steps = Vec::new();
    if is_new {
        let folders = [&releases, &dir];
        steps.push(Step::new("install -d -o root -g root -m 755", folders.map(|folder| folder.display())));
        steps.push(flush(dir.ancestors().skip(1).take(2)));
    }
    steps.extend(write_file(&dir, &file_name(id), json));
    steps
}

/// Returns the steps that write a file of the records' folder, as a whole or not at all.
fn write_file(dir: &Path, name: &str, text: &str) -> [Step; 4] {
    let path = dir.join(name);
    let partial = path.with_extension("partial");
    [
        Step::new("install -m 644 /dev/stdin", [partial.display()]).stdin(text),
        flush([partial.as_path()]),
        replace(&partial, &path),
        flush([dir]),
    ]
}

/// Returns the steps that take the lock. `tee` writes the holder into the file, and holds the lock until its input ends:
/// with the deploy, however that ends.
pub(super) fn lock_steps(layout: &Layout, holder: &str) -> [Step; 2] {
    let (dir, file) = (layout.lock_dir(), layout.lock_dir().join("lock"));
    let file = file.display().to_string();
    [
        // Another user who could open the file could hold its lock.
        Step::new("install -d -o root -g root -m 700", [dir.display()]),
        Step::new(&format!("flock --nonblock --conflict-exit-code {CONFLICT}"), [&file, "tee", &file]).stdin(holder),
    ]
}

/// Returns whether the programs that most steps consist of are there.
pub(super) fn can_run_steps(interrupt: &Interrupt) -> bool {
    let deadline = Deadline::unless(interrupt.flag(), TIMEOUT, TIMEOUT);
    Command::new("install", ["--version"]).run(&deadline).is_ok()
}

/// Takes the lock of the target; does not wait for another holder.
pub(super) fn lock(root: &Root, layout: &Layout, command: &str, user: &str) -> anyhow::Result<Box<Held>> {
    let since = humantime::format_rfc3339_seconds(SystemTime::now());
    let holder = format!("pid {}, {command} by {user}, since {since}\n", process::id());
    let [make_dir, take] = lock_steps(layout, &holder);
    root.run(&make_dir)?;
    match root.hold(&take)? {
        Start::Running(held) => Ok(held),
        Start::Ended(finished) if finished.code() == Some(CONFLICT) => {
            let holder = root.run(&Step::new("cat", [layout.lock_dir().join("lock").display()])).unwrap_or_default();
            Err(Failure::from(LockError::Held { holder: holder.trim().to_owned(), age: None }).into())
        }
        Start::Ended(finished) => {
            let message = format!("the lock of `{}` cannot be taken: {}", layout.name, finished.failure_reason());
            Err(Failure::new(Exit::NotMet, Problem::new(message)).into())
        }
    }
}
