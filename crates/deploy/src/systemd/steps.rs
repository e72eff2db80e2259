//! The commands that run as root, in phases. A deploy runs, and `--dry-run` lists, the same steps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::build;
use super::canary::{Role, canary_section};
use super::env_file::EnvPlan;
use super::layout::{Layout, RUNTIME, UNITS, canary_of};
use super::root::Step;
use crate::record::UnitSnapshot;
use ::systemd::UnitFile;

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
    /// The state of the machine before the step.
    pub(super) snapshot: UnitSnapshot,
    /// The services that are restarted, or started.
    pub(super) services: Vec<String>,
    /// The group that may read the system env file.
    pub(super) group: String,
    /// Who makes the folder.
    pub(super) owner: (u32, u32),
    /// The folders of releases that go when it stays.
    pub(super) pruned: Vec<PathBuf>,
}

impl ReleasePlan {
    /// The service that answers requests.
    pub(super) fn web(&self) -> Option<&UnitFile> {
        self.units.iter().find(|unit| Role::of(unit, &self.layout) == Role::Web)
    }

    pub(super) fn worker(&self) -> Option<&UnitFile> {
        self.units.iter().find(|unit| Role::of(unit, &self.layout) == Role::Worker)
    }

    /// Whether requests wait in a socket of systemd's while the service is restarted.
    pub(super) fn has_socket(&self) -> bool {
        let socket = format!("{}.socket", self.layout.name);
        self.units.iter().any(|unit| unit.name == socket)
    }

    /// Returns the canary units, with their contents.
    fn canaries(&self) -> Vec<(String, String)> {
        let ReleasePlan { layout, id, .. } = self;
        let name = &layout.name;
        let header = |what: &str, more: &str| format!("[Unit]\nDescription={what} of release {id} of {name}\n{more}\n");
        let mut canaries = Vec::new();
        if let Some(web) = self.web().filter(|_| self.has_socket()) {
            let socket = canary_of(&format!("{name}.socket"));
            let more = format!("Requires={socket}\nAfter={socket}\n");
            canaries.push((canary_of(&web.name), header("Trial", &more) + &self.canary_section(web)));
            let (path, uid) = (layout.canary_socket(), self.owner.0);
            let listen = format!(
                "[Socket]\nListenStream={}\nSocketUser={uid}\nSocketMode=0600\nRemoveOnStop=yes\n",
                path.display()
            );
            canaries.push((socket, header("Private socket for the canary", "") + &listen));
        }
        if let Some(worker) = self.worker() {
            canaries.push((canary_of(&worker.name), header("Trial of the worker", "") + &self.canary_section(worker)));
        }
        if let Some(web) = self.web().filter(|_| self.is_new) {
            let service = layout.service_of(&self.folder);
            let [migrate, collect] = build::migrations(&self.folder, layout, id);
            let run = format!(
                "Type=oneshot\nRemainAfterExit=yes\nWatchdogSec=0\nTimeoutStartSec=infinity\nExecStartPre=\nExecStartPost=\n\
                 ExecStart=\nExecStart={migrate}\nExecStart={collect}\nWorkingDirectory={}\nStandardOutput=file:{}\n\
                 StandardError=journal\n",
                service.display(),
                layout.migrate_results().display(),
            );
            canaries.push((layout.migrate_unit(), header("Migrations", "") + &self.canary_section(web) + &run));
        }
        canaries
    }

    fn canary_section(&self, unit: &UnitFile) -> String {
        let none = Vec::new();
        let drop_ins = self.drop_ins.get(&unit.name).unwrap_or(&none);
        canary_section(unit, drop_ins, &self.folder, &self.env_file(), &self.layout)
    }

    /// Returns the system env file that the canaries read.
    fn env_file(&self) -> PathBuf {
        let layout = &self.layout;
        if self.env.content.is_some() { layout.staged_env(&self.id) } else { layout.env_file.clone() }
    }

    /// Creates the empty folder of the release, owned by the user who deploys.
    pub(super) fn make_folder(&self) -> Vec<Step> {
        if !self.is_new {
            return Vec::new();
        }
        let ((uid, gid), releases) = (self.owner, self.layout.releases());
        let mut steps = Vec::new();
        if !releases.is_dir() {
            steps.push(Step::new("install -d -o root -g root -m 755", [releases.display()]));
        }
        let words = format!("install -d -o {uid} -g {gid} -m 755");
        steps.push(Step::new(&words, [self.folder.display()]));
        steps
    }

    /// Hands the folder of the release to root; every user can read it.
    pub(super) fn own(&self) -> Vec<Step> {
        if !self.is_new {
            return Vec::new();
        }
        let folder = self.folder.display();
        vec![Step::new("chown -R -h root:root", [&folder]), Step::new("chmod -R u=rwX,go=rX", [&folder])]
    }

    /// Writes the new environment and the canary units.
    pub(super) fn stage(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(content) = &self.env.content {
            if let Some(dir) = self.layout.env_file.parent().filter(|dir| !dir.is_dir()) {
                steps.push(Step::new("install -d -o root -g root -m 755", [dir.display()]));
            }
            let words = format!("install -o root -g {} -m 640 /dev/stdin", self.group);
            steps.push(Step::new(&words, [self.env_file().display()]).stdin(content.clone()));
        }
        for (name, text) in self.canaries() {
            steps.push(Step::new("install -m 644 /dev/stdin", [format!("{RUNTIME}/{name}")]).stdin(text));
        }
        steps.push(Step::new("systemctl daemon-reload", [""; 0]));
        steps
    }

    pub(super) fn start_web_canary(&self) -> Vec<Step> {
        let web = self.web().filter(|_| self.has_socket());
        let socket = canary_of(&format!("{}.socket", self.layout.name));
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
        self.worker().map(start).into_iter().collect()
    }

    /// Copies of all that is about to be replaced.
    pub(super) fn back_up(&self) -> Vec<Step> {
        let (layout, snapshot) = (&self.layout, &self.snapshot);
        let before = layout.before(&self.id);
        let replaced = snapshot.files.iter().filter(|(_, was_there)| **was_there);
        let mut copied: Vec<String> = replaced.map(|(name, _)| format!("{UNITS}/{name}")).collect();
        let env_copy = (snapshot.env_file == Some(true)).then(|| before.join("env"));
        if copied.is_empty() && env_copy.is_none() {
            return Vec::new();
        }
        let mut steps = vec![Step::new("install -d -o root -g root -m 755", [before.display()])];
        if let Some(copy) = env_copy {
            steps.push(Step::new("cp -a", [layout.env_file.display(), copy.display()]));
        }
        if !copied.is_empty() {
            copied.push(before.display().to_string());
            steps.push(Step::new("cp -a", copied));
        }
        steps
    }

    /// The new environment, the new units and the new link take the place of the old ones.
    pub(super) fn cut_over(&self) -> Vec<Step> {
        let (layout, snapshot) = (&self.layout, &self.snapshot);
        let mut steps = Vec::new();
        if self.env.content.is_some() {
            steps.push(replace(&self.env_file(), &layout.env_file));
        }
        let unit_dir = self.folder.join(&layout.unit_dir);
        let changed: Vec<String> =
            snapshot.files.keys().map(|name| unit_dir.join(name).display().to_string()).collect();
        if !changed.is_empty() {
            steps.push(Step::new("install -m 644 -t", [UNITS.to_owned()].into_iter().chain(changed)));
        }
        if let Some(adopted) = &snapshot.adopted {
            steps.push(replace(&layout.install_dir, adopted));
        }
        if snapshot.link.as_ref() != Some(&self.folder) {
            steps.extend(link(layout, &self.folder));
        }
        if !snapshot.files.is_empty() {
            steps.push(Step::new("systemctl daemon-reload", [""; 0]));
        }
        let enabled = self.new_units().filter(|unit| unit.can_be_enabled()).map(|unit| unit.name.clone());
        let enabled: Vec<String> = enabled.collect();
        if !enabled.is_empty() {
            steps.push(Step::new("systemctl enable --quiet", enabled));
        }
        steps
    }

    /// The sockets first, then the web service that they hand requests to.
    pub(super) fn restart_web(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        // systemd opens no socket of a service that is up.
        let closed = self.closed();
        if !closed.is_empty() {
            steps.push(Step::new("systemctl stop", closed));
        }
        let sockets: Vec<&String> = self.snapshot.files.keys().filter(|name| name.ends_with(".socket")).collect();
        if !sockets.is_empty() {
            steps.push(Step::new("systemctl start", sockets));
        }
        steps.extend(self.restart_services(true));
        steps
    }

    /// The worker and the rest, once the web service is healthy: where that fails in its place, they are never
    /// touched, and no task is interrupted twice within seconds.
    pub(super) fn restart_others(&self) -> Vec<Step> {
        self.restart_services(false).into_iter().collect()
    }

    fn restart_services(&self, of_web: bool) -> Option<Step> {
        let main = self.layout.main_unit();
        let services: Vec<&String> = self.services.iter().filter(|service| (**service == main) == of_web).collect();
        (!services.is_empty()).then(|| Step::new("systemctl restart --no-block", services))
    }

    /// Returns the running units that must stop before the start: changed sockets, and their services.
    pub(super) fn closed(&self) -> Vec<String> {
        let UnitSnapshot { files, invocations, .. } = &self.snapshot;
        let sockets = files.keys().filter(|name| name.ends_with(".socket"));
        let both = sockets.flat_map(|socket| [socket.replace(".socket", ".service"), socket.clone()]);
        both.filter(|name| invocations.contains_key(name)).collect()
    }

    /// The units that were not installed before.
    fn new_units(&self) -> impl Iterator<Item = &UnitFile> {
        self.units.iter().filter(|unit| self.snapshot.files.get(&unit.name) == Some(&false))
    }

    /// Removes everything that a committed release does not need.
    pub(super) fn finish(&self) -> Vec<Step> {
        let names: Vec<String> = self.canaries().into_iter().map(|(name, _)| name).collect();
        let mut steps = Vec::new();
        // A rollback of a project with neither socket unit nor worker has none, and releases to remove all the same.
        if !names.is_empty() {
            steps.push(Step::new("systemctl stop", &names));
            steps.extend(remove_canaries(&self.layout, &names));
        }
        let before = Some(self.layout.before(&self.id)).filter(|_| !self.back_up().is_empty());
        let gone: Vec<String> = before.iter().chain(&self.pruned).map(|folder| folder.display().to_string()).collect();
        if !gone.is_empty() {
            steps.push(Step::new("rm -rf", gone));
        }
        steps
    }

    /// Every step of a deploy that goes well, in order.
    pub(super) fn all(&self) -> Vec<Step> {
        [
            self.make_folder(),
            self.own(),
            self.stage(),
            self.start_web_canary(),
            self.start_migrations(),
            self.read_results(),
            self.start_worker_canary(),
            self.back_up(),
            self.cut_over(),
            self.restart_web(),
            self.restart_others(),
            self.finish(),
        ]
        .concat()
    }
}

/// Puts a file or folder in the place of another one, in one go.
pub(super) fn replace(from: &Path, to: &Path) -> Step {
    Step::new("mv -T", [from.display(), to.display()])
}

/// Lets the install folder lead elsewhere, in one go.
pub(super) fn link(layout: &Layout, to: &Path) -> [Step; 2] {
    let new = layout.new_link();
    [Step::new("ln -sfT", [to.display(), new.display()]), replace(&new, &layout.install_dir)]
}

/// Takes the units away that have proved a release.
pub(super) fn remove_canaries(layout: &Layout, names: &[String]) -> [Step; 2] {
    let files = names.iter().map(|name| format!("{RUNTIME}/{name}"));
    let files = files.chain([layout.migrate_results().display().to_string()]);
    [Step::new("rm -f", files), Step::new("systemctl daemon-reload", [""; 0])]
}

/// Returns the canaries that exist, of any release.
pub(super) fn left_canaries(layout: &Layout) -> Vec<String> {
    let name = &layout.name;
    let units = [".service", ".socket", "-celery.service", "-worker.service"].map(|kind| format!("{name}{kind}"));
    let canaries = units.iter().map(|unit| canary_of(unit)).chain([layout.migrate_unit()]);
    canaries.filter(|canary| Path::new(RUNTIME).join(canary).exists()).collect()
}

#[cfg(test)]
mod tests;
