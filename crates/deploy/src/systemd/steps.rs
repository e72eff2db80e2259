//! The commands that run as root, in phases. A deploy runs, and `--dry-run` lists, the same steps.

mod cut_over;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::canary::{self, Role, remove_temporary_units};
use super::env_file::EnvPlan;
use super::files::{self, LiveFile, flush, replace};
use super::layout::{Layout, canary_of};
use super::restarts::{Restarts, file_of, is_job};
use super::root::Step;
use super::shared;
use super::state::State;
use super::target::write_record;
use super::temporary_units::remove_drop_ins;
use crate::record::{FileHashes, UnitSnapshot};
use ::systemd::{UnitFile, UnitKind, journal};

/// A release, with all that it changes.
pub struct ReleasePlan {
    pub(super) layout: Layout,
    pub(super) id: String,
    /// Where its files are, or are going to be.
    pub(super) folder: PathBuf,
    /// Whether the folder is still to be made.
    pub(super) is_new: bool,
    pub(super) units: Vec<UnitFile>,
    /// The drop-ins of the units that are installed.
    pub(super) drop_ins: BTreeMap<String, Vec<String>>,
    pub(super) env: EnvPlan,
    /// The state of the machine before the deploy.
    pub(super) snapshot: UnitSnapshot,
    /// The units that are restarted, or started.
    pub(super) restarts: Restarts,
    /// The schedulers that stop before the new ones start.
    pub(super) schedulers: Vec<String>,
    /// The user that the units run as.
    pub(super) user: String,
    /// The group that may read the system env file.
    pub(super) group: String,
    /// What the preflight knows about the state of the service.
    pub(super) state: State,
    /// The user id and the group id of the user who deploys.
    pub(super) owner: (u32, u32),
    /// The folders of releases that are removed after the commit.
    pub(super) pruned: Vec<PathBuf>,
    /// The time after which systemd stops a canary by itself.
    pub(super) canary_limit: Duration,
    /// The same for the handover, which waits for the previous process to stop.
    pub(super) handover_limit: Duration,
    /// The setting `drain-timeout`.
    pub(super) drain_timeout: Option<Duration>,
    /// The time that the services which are restarted have to stop.
    pub(super) stop_times: BTreeMap<String, Duration>,
}

impl ReleasePlan {
    /// The service that answers requests.
    pub(super) fn web(&self) -> Option<&UnitFile> {
        self.units.iter().find(|unit| Role::of(unit, &self.layout) == Role::Web)
    }

    /// Returns the worker that has a canary, and the command of the canary. One that the operator has stopped has none.
    pub(super) fn worker(&self) -> Option<(&UnitFile, String)> {
        let worker = self.units.iter().find(|unit| Role::of(unit, &self.layout) == Role::Worker)?;
        let command = self.command_without_tasks(worker).ok()?;
        self.restarts.services.contains(&worker.name).then_some((worker, command))
    }

    fn command_without_tasks(&self, worker: &UnitFile) -> Result<String, &'static str> {
        let lines = canary::service_lines(worker, self.drop_ins_of(worker));
        canary::without_tasks(&canary::commands(&lines), &self.layout.name)
    }

    /// Returns the services that get the new release without a canary before, each with the reason.
    pub(super) fn without_canary(&self) -> Vec<(&str, &'static str)> {
        let worker = self.worker().map(|(worker, _)| worker.name.clone());
        let reason = |unit: &UnitFile| match Role::of(unit, &self.layout) {
            Role::Web => (!self.has_socket()).then_some("it has no socket unit"),
            Role::Worker if Some(&unit.name) == worker.as_ref() => None,
            Role::Worker => Some(self.command_without_tasks(unit).err().unwrap_or("another worker has one")),
            _ => Some("a second instance may do harm"),
        };
        let services = self.restarts.services.iter();
        services.filter_map(|name| Some((name.as_str(), reason(file_of(&self.units, name)?)?))).collect()
    }

    /// Returns the units that are not running, and that are not started.
    pub(super) fn left_alone(&self) -> impl Iterator<Item = &str> {
        let Restarts { services, triggers, targets } = &self.restarts;
        let is_left = move |unit: &&UnitFile| match UnitKind::of(&unit.name) {
            _ if unit.is_template() => false,
            Some(UnitKind::Service) => !is_job(unit, &self.units),
            Some(UnitKind::Timer | UnitKind::Path | UnitKind::Target) => {
                !self.snapshot.invocations.contains_key(&unit.name)
            }
            _ => false,
        };
        let is_started =
            move |name: &&str| [services, triggers, targets].into_iter().flatten().any(|unit| unit == name);
        self.units.iter().filter(is_left).map(|unit| unit.name.as_str()).filter(move |name| !is_started(name))
    }

    /// Whether requests wait in a socket of systemd's while the service is restarted.
    pub(super) fn has_socket(&self) -> bool {
        let socket = self.layout.socket_unit();
        self.units.iter().any(|unit| unit.name == socket)
    }

    /// Returns whether another process can take requests from the socket while the service is restarted: both must be up,
    /// and the socket must stay as it is.
    pub(super) fn has_handover(&self) -> bool {
        let (socket, UnitSnapshot { files, invocations, .. }) = (self.layout.socket_unit(), &self.snapshot);
        let is_up = |unit: &String| invocations.contains_key(unit);
        self.has_socket() && is_up(&socket) && is_up(&self.layout.main_unit()) && !files.contains_key(&socket)
    }

    pub(super) fn drop_ins_of(&self, unit: &UnitFile) -> &[String] {
        self.drop_ins.get(&unit.name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the system env file that the canaries read.
    pub(super) fn env_file(&self) -> PathBuf {
        let layout = &self.layout;
        if self.env.content.is_some() { layout.staged_env(&self.id) } else { layout.env_file.clone() }
    }

    /// Creates the empty folder of the release, owned by the user who deploys.
    pub(super) fn make_folder(&self) -> Vec<Step> {
        if !self.is_new {
            return Vec::new();
        }
        let (uid, gid) = self.owner;
        vec![Step::new(&format!("install -d -o {uid} -g {gid} -m 755"), [self.folder.display()])]
    }

    /// Hands the folder of the release to root. The service reads by its group; a file that other users cannot read stays
    /// so.
    pub(super) fn own(&self) -> Vec<Step> {
        if !self.is_new {
            return Vec::new();
        }
        let folder = self.folder.display();
        vec![
            Step::new(&format!("chown -R -h root:{}", self.group), [&folder]),
            Step::new("chmod -R u=rwX,g=rX,o-w", [&folder]),
            // All of it is on the disk before a record or the link refers to it.
            Step::new("sync -f", [&folder]),
        ]
    }

    /// Creates the state directory and the folders in it that a new release needs.
    pub(super) fn make_places(&self, state: &State) -> Vec<Step> {
        let is_needed = self.is_new && !state.is_dynamic && (state.needs_directory || !state.shared.is_empty());
        if is_needed { shared::make_places(&state.folders, &self.user, &self.group, &self.layout) } else { Vec::new() }
    }

    /// Writes the new environment and the canary units.
    pub(super) fn stage(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(content) = &self.env.content {
            if let Some(dir) = self.layout.env_file.parent().filter(|dir| !dir.is_dir()) {
                steps.push(Step::new("install -d -o root -g root -m 755", [dir.display()]));
            }
            let (words, staged) = (format!("install -o root -g {} -m 640 /dev/stdin", self.group), self.env_file());
            steps.push(Step::new(&words, [staged.display()]).stdin(content.clone()));
            // With the entries of the folder, and of the one that holds it.
            steps.push(flush(staged.ancestors().take(3)));
        }
        for (name, text) in self.temporary_units() {
            let path = self.layout.runtime_units.join(name);
            steps.push(Step::new("install -m 644 /dev/stdin", [path.display()]).stdin(text));
        }
        for path in self.drain_drop_ins() {
            // With its folder.
            steps.push(Step::new("install -D -m 644 /dev/stdin", [path.display()]).stdin(self.drain_drop_in()));
        }
        steps.push(Step::new("systemctl daemon-reload", [""; 0]));
        steps
    }

    pub(super) fn start_web_canary(&self) -> Vec<Step> {
        let web = self.web().filter(|_| self.has_socket());
        let socket = canary_of(&self.layout.socket_unit());
        let start = |web: &UnitFile| Step::new("systemctl start --no-block", [socket.clone(), canary_of(&web.name)]);
        web.map(start).into_iter().collect()
    }

    pub(super) fn start_migrations(&self) -> Vec<Step> {
        let unit = (self.is_new && self.web().is_some()).then(|| self.layout.migrate_unit());
        unit.map(|unit| Step::new("systemctl start --no-block", [unit])).into_iter().collect()
    }

    /// Reads the results of the migrations; the umask of the unit may keep other users from it.
    pub(super) fn read_results(&self) -> Vec<Step> {
        let read = |_: Step| Step::new("cat", [self.layout.migrate_results().display()]);
        self.start_migrations().into_iter().map(read).collect()
    }

    pub(super) fn start_worker_canary(&self) -> Vec<Step> {
        let start = |worker: &UnitFile| Step::new("systemctl start --no-block", [canary_of(&worker.name)]);
        self.worker().map(|(worker, _)| start(worker)).into_iter().collect()
    }

    /// Reads the log of the worker, or of its canary; repeated until that one is ready.
    pub(super) fn read_worker_log(&self, of_canary: bool) -> Option<Step> {
        let (worker, _) = self.worker()?;
        let unit = if of_canary { canary_of(&worker.name) } else { worker.name.clone() };
        Some(Step::new("journalctl --no-pager --output json --lines 200 --unit", [unit]))
    }

    /// Reads how the previous processes of the restarted services have ended.
    pub(super) fn read_ends(&self) -> Vec<(&String, Step)> {
        let invocation = |service| Some((service, self.snapshot.invocations.get(service)?));
        let read = |(service, id): (_, &String)| {
            let matches = [format!("INVOCATION_ID={id}"), format!("MESSAGE_ID={}", journal::UNIT_FAILED)];
            (service, Step::new("journalctl --no-pager --output json", matches))
        };
        self.restarts.services.iter().filter_map(invocation).map(read).collect()
    }

    /// Returns the files that the release replaces.
    fn files(&self) -> Vec<LiveFile> {
        files::of_release(&self.id, &self.snapshot, &self.layout)
    }

    /// Copies of all that is about to be replaced.
    pub(super) fn back_up(&self) -> Vec<Step> {
        files::back_up(&self.id, &self.files(), &self.layout)
    }

    /// Computes the hashes of the copies and of the new files.
    pub(super) fn hash(&self) -> Option<Step> {
        let files = self.files();
        let copies = files.iter().filter(|file| file.was_there).map(|file| file.copy.clone());
        let paths: Vec<PathBuf> = copies.chain(files.iter().map(|file| self.new_content(file))).collect();
        (!paths.is_empty()).then(|| files::hash(paths.iter().map(PathBuf::as_path)))
    }

    /// Returns the contents of the replaced files for the record, by the output of [`hash`](Self::hash).
    pub(super) fn hashes(&self, output: &str) -> BTreeMap<PathBuf, FileHashes> {
        let hashes = files::parse_hashes(output);
        let of = |path: &Path| hashes.get(path).cloned();
        let both = |file: LiveFile| {
            let before = of(&file.copy).filter(|_| file.was_there);
            Some((file.path.clone(), FileHashes { before, after: of(&self.new_content(&file))? }))
        };
        self.files().into_iter().filter_map(both).collect()
    }

    /// Returns the file that has the new content before the cut-over.
    fn new_content(&self, file: &LiveFile) -> PathBuf {
        match &file.unit {
            Some(name) => self.folder.join(&self.layout.unit_dir).join(name),
            None => file.staged.clone(),
        }
    }

    /// The new environment, the new units and the new link take the place of the old ones, and are flushed.
    pub(super) fn cut_over(&self) -> Vec<Step> {
        let (layout, snapshot, files) = (&self.layout, &self.snapshot, self.files());
        let units: Vec<&LiveFile> = files.iter().filter(|file| file.unit.is_some()).collect();
        let stage =
            |file: &LiveFile| Step::new("install -m 644 -T", [self.new_content(file).display(), file.staged.display()]);
        let mut steps: Vec<Step> = units.iter().map(|file| stage(file)).collect();
        if !units.is_empty() {
            steps.push(flush(units.iter().map(|file| file.staged.as_path())));
        }
        steps.extend(files.iter().map(|file| replace(&file.staged, &file.path)));
        let mut changed = files::parents(files.iter().map(|file| file.path.as_path()));
        if let Some(adopted) = &snapshot.adopted {
            steps.push(replace(&layout.install_dir, adopted));
        }
        if snapshot.link.as_ref() != Some(&self.folder) {
            steps.extend(link(layout, &self.folder));
            changed.extend(files::parents([layout.install_dir.as_path()]));
        }
        if !changed.is_empty() {
            steps.push(flush(changed.iter().map(PathBuf::as_path)));
        }
        if !snapshot.files.is_empty() {
            steps.push(Step::new("systemctl daemon-reload", [""; 0]));
        }
        let enabled = self.new_units().filter(|unit| unit.can_be_enabled()).map(|unit| unit.name.clone());
        let enabled: Vec<String> = enabled.collect();
        if !enabled.is_empty() {
            steps.push(Step::new("systemctl enable --quiet", enabled));
            // With the links that it has made.
            steps.push(Step::new("sync -f", [layout.system_units.display()]));
        }
        steps
    }

    /// The units that were not installed before.
    fn new_units(&self) -> impl Iterator<Item = &UnitFile> {
        self.units.iter().filter(|unit| self.snapshot.files.get(&unit.name) == Some(&false))
    }

    /// Removes everything that a committed release does not need.
    pub(super) fn finish(&self) -> Vec<Step> {
        let names: Vec<String> = self.temporary_units().into_iter().map(|(name, _)| name).collect();
        let mut steps = Vec::new();
        // A rollback of a project with neither socket unit nor worker has none, and releases to remove all the same.
        if !names.is_empty() {
            steps.push(Step::new("systemctl stop", &names));
            steps.extend(remove_temporary_units(&self.layout, &names));
        }
        steps.extend(remove_drop_ins(&self.drain_drop_ins()));
        let before = Some(self.layout.before(&self.id)).filter(|_| !self.back_up().is_empty());
        let gone: Vec<String> = before.iter().chain(&self.pruned).map(|folder| folder.display().to_string()).collect();
        if !gone.is_empty() {
            steps.push(Step::new("rm -rf", gone));
        }
        steps
    }

    /// Every step of a deploy that succeeds, in order.
    pub(super) fn all(&self) -> Vec<Step> {
        // Without the folder of the records there is none for the releases either.
        let record = |is_new| write_record(&self.layout, &self.id, "", is_new);
        let after_migrations = if self.start_migrations().is_empty() { Vec::new() } else { record(false) };
        [
            record(!self.layout.records().is_dir()),
            self.make_folder(),
            self.own(),
            self.make_places(&self.state),
            self.stage(),
            self.start_migrations(),
            self.read_results(),
            after_migrations,
            self.start_web_canary(),
            self.start_worker_canary(),
            self.read_worker_log(true).into_iter().collect(),
            self.back_up(),
            self.hash().into_iter().collect(),
            record(false),
            self.cut_over(),
            self.start_handover(),
            self.restart_web(),
            self.stop_handover(),
            self.stop_schedulers(),
            self.restart_others(),
            self.read_worker_log(false).into_iter().collect(),
            self.restart_triggers(),
            self.read_ends().into_iter().map(|(_, step)| step).collect(),
            record(false),
            self.finish(),
        ]
        .concat()
    }
}

/// Lets the install folder lead elsewhere, in one go.
pub(super) fn link(layout: &Layout, to: &Path) -> [Step; 2] {
    let new = layout.new_link();
    [Step::new("ln -sfT", [to.display(), new.display()]), replace(&new, &layout.install_dir)]
}

#[cfg(test)]
mod tests;
