//! The units that a deploy makes for itself: canaries, the migrations and the handover.

use std::path::Path;

use super::build;
use super::canary::{Canary, MARKER};
use super::layout::canary_of;
use super::steps::ReleasePlan;
use ::systemd::UnitFile;

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
            let service = layout.service_of(&self.folder);
            let [migrate, collect] = build::migrations(&self.folder, layout, id);
            let run = format!(
                "Type=oneshot\nRemainAfterExit=yes\nWatchdogSec=0\nTimeoutStartSec=infinity\nRuntimeMaxSec=infinity\n\
                 ExecStart=\nExecStart={migrate}\nExecStart={collect}\nWorkingDirectory={}\nStandardOutput=file:{}\n\
                 StandardError=journal\n",
                service.display(),
                layout.migrate_results().display(),
            );
            canaries.push((layout.migrate_unit(), header("Migrations", "") + &self.canary_section(web, None) + &run));
        }
        canaries
    }

    fn canary_section(&self, unit: &UnitFile, command: Option<&str>) -> String {
        self.canary(&self.env_file()).section(unit, self.drop_ins_of(unit), command)
    }

    fn canary<'a>(&'a self, env_file: &'a Path) -> Canary<'a> {
        Canary { layout: &self.layout, release: &self.folder, env_file, limit: self.canary_limit }
    }
}
