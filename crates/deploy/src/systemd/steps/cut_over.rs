//! The commands that restart the units of a release in the cut-over, in phases.

use super::super::restarts::Restarts;
use super::super::root::Step;
use super::ReleasePlan;
use crate::record::UnitSnapshot;

impl ReleasePlan {
    /// Starts the new release on the socket of the service, next to the one that serves.
    pub(in super::super) fn start_handover(&self) -> Vec<Step> {
        let start = Step::new("systemctl start --no-block", [self.layout.handover_unit()]);
        if self.has_handover() { vec![start] } else { Vec::new() }
    }

    /// Lets the restarted service alone on its socket; the handover finishes its requests.
    pub(in super::super) fn stop_handover(&self) -> Vec<Step> {
        let stop = Step::new("systemctl stop --no-block", [self.layout.handover_unit()]);
        if self.has_handover() { vec![stop] } else { Vec::new() }
    }

    /// The sockets first, then the web service that they hand requests to.
    pub(in super::super) fn restart_web(&self) -> Vec<Step> {
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
    pub(in super::super) fn restart_others(&self) -> Vec<Step> {
        self.restart_services(false).into_iter().collect()
    }

    /// Stops the schedulers of which another unit gets one.
    pub(in super::super) fn stop_schedulers(&self) -> Vec<Step> {
        let stop = |names: &Vec<String>| Step::new("systemctl stop --no-block", names);
        Some(&self.schedulers).filter(|names| !names.is_empty()).map(stop).into_iter().collect()
    }

    /// The timers and paths, which start the new release from here on; and the targets.
    pub(in super::super) fn restart_triggers(&self) -> Vec<Step> {
        let Restarts { triggers, targets, .. } = &self.restarts;
        let step = |words, names: &Vec<String>| (!names.is_empty()).then(|| Step::new(words, names));
        // Starting a unit twice, as a target may, starts it once.
        let steps = [step("systemctl restart", triggers), step("systemctl start --no-block", targets)];
        steps.into_iter().flatten().collect()
    }

    fn restart_services(&self, of_web: bool) -> Option<Step> {
        let main = self.layout.main_unit();
        let services: Vec<&String> =
            self.restarts.services.iter().filter(|service| (**service == main) == of_web).collect();
        (!services.is_empty()).then(|| Step::new("systemctl restart --no-block", services))
    }

    /// Returns the running units that must stop before the start: changed sockets, and their services.
    pub(in super::super) fn closed(&self) -> Vec<String> {
        let UnitSnapshot { files, invocations, .. } = &self.snapshot;
        let sockets = files.keys().filter(|name| name.ends_with(".socket"));
        let both = sockets.flat_map(|socket| [socket.replace(".socket", ".service"), socket.clone()]);
        both.filter(|name| invocations.contains_key(name)).collect()
    }
}
