//! The units that a deploy makes for itself: canaries, the migrations and the handover; and drop-ins with the setting
//! `drain-timeout`.

use std::fs;
use std::path::{Path, PathBuf};

use super::build;
use super::canary::{Canary, MARKER};
use super::layout::{Layout, canary_of};
use super::root::Step;
use super::steps::ReleasePlan;
use ::systemd::UnitFile;

/// The name of a drop-in; drop-ins take effect in the order of their names.
pub(super) const DRAIN: &str = "zz-drain-timeout.conf";

impl ReleasePlan {
    /// Returns the temporary units, with their contents.
    pub(super) fn temporary_units(&self) -> Vec<(String, String)> {
        let ReleasePlan { layout, id, .. } = self;
        let name = &layout.name;
        let header = |what: &str, more: &str| {
            format!("{MARKER}\n[Unit]\nDescription={what} of release {id} of {name}\n{more}\n")
        };
        let mut canaries = Vec::new();
        if let Some(web) = self.web().filter(|_| self.has_socket()) {
            let socket = canary_of(&layout.socket_unit());
            let more = format!("Requires={socket}\nAfter={socket}\n");
            canaries.push((canary_of(&web.name), header("Canary", &more) + &self.canary_section(web, None)));
            let (path, uid) = (layout.canary_socket(), self.owner.0);
            let listen = format!(
                "[Socket]\nListenStream={}\nSocketUser={uid}\nSocketMode=0600\nRemoveOnStop=yes\n",
                path.display()
            );
            canaries.push((socket, header("Private socket for the canary", "") + &listen));
        }
        if let Some(web) = self.web().filter(|_| self.has_handover()) {
            // It starts when the new environment is in its place.
            let (socket, env_file) = (layout.socket_unit(), layout.env_file.as_path());
            let handover = Canary { limit: self.handover_limit, ..self.canary(env_file) };
            let section = handover.section(web, self.drop_ins_of(web), None);
            let more = format!("Requires={socket}\nAfter={socket}\n");
            // Its requests have the same time to finish as those of the process that it stands in for.
            let drain = self.drain_timeout.map(|time| format!("TimeoutStopSec={}\n", time.as_secs()));
            let section = section + &drain.unwrap_or_default();
            canaries
                .push((layout.handover_unit(), header("Handover", &more) + &section + &format!("Sockets={socket}\n")));
        }
        if let Some((worker, command)) = self.worker() {
            // The deploy waits for a line in the log.
            let section =
                self.canary_section(worker, Some(&command)) + "StandardOutput=journal\nStandardError=journal\n";
            canaries.push((canary_of(&worker.name), header("Canary of the worker", "") + &section));
        }
        if let Some(web) = self.web().filter(|_| self.is_new) {
            let manage_dir = layout.manage_of(&self.folder);
            let [migrate, collect] = build::migrations(&self.folder, layout, id);
            let run = format!(
                "Type=oneshot\nRemainAfterExit=yes\nWatchdogSec=0\nTimeoutStartSec=infinity\nRuntimeMaxSec=infinity\n\
                 ExecStart=\nExecStart={migrate}\nExecStart={collect}\nWorkingDirectory={}\nStandardOutput=file:{}\n\
                 StandardError=journal\n",
                manage_dir.display(),
                layout.migrate_results().display(),
            );
            canaries.push((layout.migrate_unit(), header("Migrations", "") + &self.canary_section(web, None) + &run));
        }
        canaries
    }

    /// Returns whether the setting `drain-timeout` is for a service: a web service that the handover stands in for, or one
    /// that takes no requests. For others it would lengthen the outage.
    pub(super) fn drains(&self, service: &String) -> bool {
        !self.closed().contains(service) && (*service != self.layout.main_unit() || self.has_handover())
    }

    /// Returns the drop-ins that give the previous processes the time of the setting.
    pub(super) fn drain_drop_ins(&self) -> Vec<PathBuf> {
        let services = self.stop_times.keys().filter(|service| self.drain_timeout.is_some() && self.drains(service));
        services.map(|service| self.layout.runtime_units.join(format!("{service}.d")).join(DRAIN)).collect()
    }

    /// Returns the content of these drop-ins.
    pub(super) fn drain_drop_in(&self) -> String {
        let seconds = self.drain_timeout.unwrap_or_default().as_secs();
        format!("{MARKER}\n# For a deploy of {}\n[Service]\nTimeoutStopSec={seconds}\n", self.layout.name)
    }

    fn canary_section(&self, unit: &UnitFile, command: Option<&str>) -> String {
        self.canary(&self.env_file()).section(unit, self.drop_ins_of(unit), command)
    }

    fn canary<'a>(&'a self, env_file: &'a Path) -> Canary<'a> {
        Canary { layout: &self.layout, release: &self.folder, env_file, limit: self.canary_limit }
    }
}

/// Returns the drop-ins that an earlier deploy of the service has left.
pub(super) fn left_drop_ins(layout: &Layout) -> Vec<PathBuf> {
    let folders = fs::read_dir(&layout.runtime_units).into_iter().flatten().flatten();
    let is_ours = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.starts_with(MARKER) && text.contains(&format!(" of {}\n", layout.name))
    };
    folders.map(|folder| folder.path().join(DRAIN)).filter(is_ours).collect()
}

/// Returns the steps that remove drop-ins, and their folders if nothing else is in them.
pub(super) fn remove_drop_ins(paths: &[PathBuf]) -> Vec<Step> {
    if paths.is_empty() {
        return Vec::new();
    }
    let folders = paths.iter().filter_map(|path| path.parent());
    vec![
        Step::new("rm -f", paths.iter().map(|path| path.display())),
        Step::new("rmdir --ignore-fail-on-non-empty", folders.map(Path::display)),
        Step::new("systemctl daemon-reload", [""; 0]),
    ]
}
