//! The process that holds a lock on an engine, described so that other processes can find out whether it has ended.

use std::fs;
use std::process;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// A process, and the person who has started it. Empty texts stand for facts that this system does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    command: String,
    by: String,
    since: String,
    /// The machine: its `/etc/machine-id` and its name, since copies of a virtual machine often share the id.
    machine: String,
    /// The boot of the machine. Containers have that of their host.
    boot: String,
    /// The namespace of the process id: a container has its own.
    pid_namespace: String,
    pid: u32,
    /// The start of the process, in clock ticks since the boot: process ids are used again.
    started: String,
}

impl Holder {
    /// Returns this process.
    pub(super) fn of_this_process(command: &str, by: &str) -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let machine_id = text("/etc/machine-id");
        let machine = match machine_id.as_str() {
            "" => String::new(),
            id => format!("{id} {}", text("/proc/sys/kernel/hostname")),
        };
        Holder {
            command: command.to_owned(),
            by: by.to_owned(),
            since: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            machine,
            boot: text("/proc/sys/kernel/random/boot_id"),
            pid_namespace: namespace.to_string_lossy().into_owned(),
            pid: process::id(),
            started: match find(process::id()) {
                Found::Process { started } => started,
                Found::Nothing | Found::Hidden => String::new(),
            },
        }
    }

    /// Returns whether the process has ended for certain. `here` is this process, and `find` is [`find`].
    pub(super) fn has_ended(&self, here: &Holder, find: impl Fn(u32) -> Found) -> bool {
        if self.boot != here.boot {
            return !self.machine.is_empty() && self.machine == here.machine;
        }
        self.is_visible_from(here)
            && match find(self.pid) {
                Found::Process { started } => started != self.started,
                Found::Nothing => true,
                Found::Hidden => false,
            }
    }

    /// Returns whether the process runs for certain.
    pub(super) fn runs_for_certain(&self, here: &Holder, find: impl Fn(u32) -> Found) -> bool {
        self.is_visible_from(here) && matches!(find(self.pid), Found::Process { started } if started == self.started)
    }

    /// Returns whether the other process can find out whether this one still runs.
    fn is_visible_from(&self, here: &Holder) -> bool {
        let is_same = |a: &str, b: &str| !a.is_empty() && a == b;
        is_same(&self.boot, &here.boot) && is_same(&self.pid_namespace, &here.pid_namespace) && !self.started.is_empty()
    }

    /// Returns the holder as a message shows it.
    pub(super) fn shown(&self) -> String {
        let Holder { command, by, since, pid, .. } = self;
        format!("pid {pid}, {command} by {by}, since {since}")
    }
}

/// The result of looking for a process by its id.
pub(super) enum Found {
    /// There is one, with this start.
    Process { started: String },
    /// No process has this id.
    Nothing,
    /// The processes of other users are hidden (`hidepid` of proc(5)): there may be one.
    Hidden,
}

/// Looks for a process of this machine.
pub(super) fn find(pid: u32) -> Found {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        // The first process belongs to root.
        return if fs::read("/proc/1/stat").is_ok() { Found::Nothing } else { Found::Hidden };
    };
    // The second field is the name, which can contain anything; the start is field 22 (see proc(5)).
    let ticks = stat.rsplit_once(')').and_then(|(_, fields)| fields.split_whitespace().nth(22 - 3));
    ticks.map_or(Found::Hidden, |started| Found::Process { started: started.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(machine: &str, boot: &str, pid_namespace: &str) -> Holder {
        let [machine, boot, pid_namespace] = [machine, boot, pid_namespace].map(str::to_owned);
        let (command, by, since) = ("deploy-docker".into(), "me@here".into(), "now".into());
        Holder { command, by, since, machine, boot, pid_namespace, pid: 7, started: "100".into() }
    }

    #[test]
    fn a_holder_has_ended_only_for_certain() {
        let here = holder("m", "b", "n");
        let runs = |_| Found::Process { started: "100".to_owned() };
        let other_process = |_| Found::Process { started: "200".to_owned() };
        let (none, hidden) = (|_| Found::Nothing, |_| Found::Hidden);
        assert!(!holder("m", "b", "n").has_ended(&here, runs));
        assert!(holder("m", "b", "n").has_ended(&here, none));
        assert!(holder("m", "b", "n").has_ended(&here, other_process));
        assert!(!holder("m", "b", "n").has_ended(&here, hidden));
        let certain = |holder: Holder| holder.runs_for_certain(&here, runs);
        assert!(certain(holder("m", "b", "n")) && !certain(holder("m", "b", "of a container")));
        assert!(!holder("m", "b", "n").runs_for_certain(&here, hidden));
        // Before a reboot.
        assert!(holder("m", "a", "n").has_ended(&here, runs));
        // On another machine, or in a container on this one.
        assert!(!holder("other", "a", "n").has_ended(&here, none));
        assert!(!holder("", "b", "of a container").has_ended(&here, none));
        assert!(!holder("", "a", "n").has_ended(&holder("", "b", "n"), none));
        // On a system without `/proc`.
        assert!(!holder("", "", "").has_ended(&holder("", "", ""), none));
        assert!(!Holder { started: String::new(), ..holder("m", "b", "n") }.has_ended(&here, none));
    }

    #[test]
    fn this_process_runs() {
        let here = Holder::of_this_process("deploy-docker", "me@here");
        assert!(!here.has_ended(&here, find));
        assert!(Holder { started: "1".into(), ..here.clone() }.has_ended(&here, find));
    }
}
