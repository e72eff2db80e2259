//! The state of units, and their logs. The state is readable for every user; the logs need root.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use project::secret::Secrets;
use subprocess::Deadline;

use super::root::{Root, Step};
use crate::event::Events;
use crate::excerpt;
use crate::failure::{self, Exit, Problem};
use crate::interrupt::Interrupt;
use ::systemd::{ShowError, Unit, journal};

/// The timeout of a question to systemd.
const QUICK: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// The time that a unit gets to stop for which systemd sets no limit.
const FOREVER: Duration = Duration::from_secs(60 * 60);
/// The end of the line with which a Celery worker reports that it takes tasks.
const READY: &str = " ready.";

/// Reads the states of units and their logs, and waits for units.
#[derive(Clone, Copy)]
pub(super) struct Manager<'a> {
    pub(super) root: &'a Root,
    pub(super) events: Events<'a>,
    pub(super) secrets: &'a Secrets,
    pub(super) interrupt: &'a Interrupt,
}

/// Returns the state of these units, in their order.
pub(super) fn show(names: &[String], secrets: &Secrets) -> anyhow::Result<Vec<Unit>> {
    systemd::show(names, secrets, &Deadline::within(QUICK)).map_err(failed_show)
}

/// Returns the instances of templates that are up, starting, or have failed.
pub(super) fn instances<'a>(
    templates: impl IntoIterator<Item = &'a str>,
    secrets: &Secrets,
) -> anyhow::Result<Vec<String>> {
    systemd::instances(templates, secrets, &Deadline::within(QUICK)).map_err(failed_show)
}

fn failed_show(error: ShowError) -> anyhow::Error {
    match error {
        ShowError::NoAnswer(error) => failure::Failure::unfinished("systemctl", &error).into(),
        ShowError::Failed(message) => failure::Failure::new(Exit::Failed, Problem::new(message)).into(),
    }
}

impl Manager<'_> {
    pub(super) fn show(&self, names: &[String]) -> anyhow::Result<Vec<Unit>> {
        show(names, self.secrets)
    }

    pub(super) fn one(&self, name: &str) -> anyhow::Result<Unit> {
        let name = name.to_owned();
        Ok(self.show(std::slice::from_ref(&name))?.pop().unwrap_or_default())
    }

    /// Waits until a started unit is up, by its own notification if it has `Type=notify`; `before` is the invocation
    /// that it replaces. A unit that exits or restarts fails at once.
    pub(super) fn wait_until_up(&self, name: &str, before: &str, timeout: Duration) -> anyhow::Result<Unit> {
        // The previous invocation may take its time to finish its work.
        let mut end = Instant::now() + timeout + self.time_to_stop(name)?;
        let mut is_starting = false;
        loop {
            self.interrupt.check("waiting for units to start")?;
            let unit = self.one(name)?;
            let is_new = unit.get("InvocationID") != before;
            if is_new && unit.is_active() {
                return Ok(unit);
            }
            if let Some(failure) = unit_failure(&unit, is_new) {
                return Err(self.failed(&unit, failure));
            }
            if is_new && !is_starting {
                is_starting = true;
                end = Instant::now() + timeout;
            }
            if Instant::now() >= end {
                let doing = if is_new { "is not up" } else { "has not ended" };
                return Err(self.unhealthy(&unit, &format!("{doing}, after {} s", timeout.as_secs_f32())));
            }
            self.interrupt.pause(POLL);
        }
    }

    /// Waits until a unit that ends by itself has done so.
    pub(super) fn wait_until_done(&self, name: &str) -> anyhow::Result<Unit> {
        loop {
            self.interrupt.check("waiting for a unit to end")?;
            let unit = self.one(name)?;
            if unit.is_active() {
                return Ok(unit);
            }
            if let Some(failure) = unit_failure(&unit, true) {
                return Err(self.failed(&unit, failure));
            }
            self.interrupt.pause(POLL);
        }
    }

    /// Waits until stopped units have finished their work. Returns whether they have within `timeout`.
    pub(super) fn have_ended(&self, names: &[String], timeout: Duration) -> anyhow::Result<bool> {
        let end = Instant::now() + timeout;
        let is_up = |unit: &Unit| matches!(unit.get("ActiveState"), "active" | "reloading" | "deactivating");
        while self.show(names)?.iter().any(is_up) {
            if Instant::now() >= end {
                return Ok(false);
            }
            self.interrupt.pause(POLL);
        }
        Ok(true)
    }

    /// Waits until a stopped unit has finished its work, for as long as systemd lets it.
    pub(super) fn wait_until_ended(&self, name: &str) -> anyhow::Result<()> {
        let timeout = self.time_to_stop(name)? + QUICK;
        self.have_ended(&[name.to_owned()], timeout).map(drop)
    }

    /// Whether the same process is still up that was before, without a restart.
    pub(super) fn check_same(&self, first: &Unit) -> anyhow::Result<()> {
        let now = self.one(&first.name)?;
        let is_same = |property| now.get(property) == first.get(property);
        // A unit that is not even remembered any more has none.
        if !is_same("InvocationID") && !now.get("InvocationID").is_empty() {
            return Err(self.ended(first.get("InvocationID"), &now));
        }
        if let Some(failure) = unit_failure(&now, true) {
            return Err(self.failed(&now, failure));
        }
        if !["NRestarts", "MainPID"].into_iter().all(is_same) {
            return Err(self.unhealthy(&now, "was restarted"));
        }
        Ok(())
    }

    /// Checks that the main process of a unit runs code of a release: its command or its working directory is there. A
    /// unit that starts from elsewhere would be verified with the code of another release.
    pub(super) fn check_code(&self, unit: &Unit, release: &Path) -> anyhow::Result<()> {
        let pid = unit.number("MainPID");
        if pid == 0 {
            return Ok(());
        }
        // The command is readable for every user on most machines, the working directory for root alone.
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if runs_from(release, "", &String::from_utf8_lossy(&command)) {
            return Ok(());
        }
        let dir = self.root.run(&Step::new("readlink", [format!("/proc/{pid}/cwd")]))?;
        let command = self.root.run(&Step::new("cat", [format!("/proc/{pid}/cmdline")]))?;
        let resolved = release.canonicalize().unwrap_or_else(|_| release.to_owned());
        if [release, &resolved].iter().any(|release| runs_from(release, dir.trim(), &command)) {
            return Ok(());
        }
        let release = release.display();
        // A program can replace its command by a title, which reveals nothing.
        if !command.starts_with('/') {
            let message =
                format!("`{}` hides its command: that it runs the release in `{release}` is not verified", unit.name);
            self.events.warning(Problem::new(message));
            return Ok(());
        }
        Err(self.unhealthy(
            unit,
            &format!("does not run the release in `{release}`: neither its command nor its working directory is there"),
        ))
    }

    /// Returns whether a unit has logged that its Celery worker is ready; `read_log` reads its log.
    pub(super) fn is_worker_ready(&self, unit: &Unit, read_log: &Step) -> bool {
        // Some formatters put the line into quotes, or into an object.
        let is_ready = |line: &str| line.trim_end().trim_end_matches(['"', '}']).ends_with(READY);
        // The journal of a machine without one cannot be read.
        self.root.run(read_log).is_ok_and(|log| journal::has_logged(&log, unit.get("InvocationID"), is_ready))
    }

    /// Returns the error of a unit that has failed, or runs again after a restart: the first failure is the cause.
    fn failed(&self, unit: &Unit, failure: UnitFailure) -> anyhow::Error {
        match failure {
            UnitFailure::Current(reason) => self.unhealthy(unit, &reason),
            UnitFailure::EarlierInvocation => match self.first_restarted(unit) {
                Some(invocation) => self.ended(&invocation, unit),
                None => self.unhealthy(unit, "was restarted"),
            },
        }
    }

    /// Returns the error of an invocation that has ended. The unit itself shows a later invocation.
    fn ended(&self, invocation: &str, unit: &Unit) -> anyhow::Error {
        let ids = [journal::PROCESS_EXITED, journal::UNIT_FAILED].map(|id| format!("MESSAGE_ID={id}"));
        let entries = self.entries([format!("INVOCATION_ID={invocation}")].into_iter().chain(ids));
        self.show_last_lines(&unit.name, invocation, &journal::exit_reason(&entries))
    }

    /// Returns the first invocation that systemd has restarted since the last start of the unit: it counts the restarts
    /// from then on, and logs each one.
    fn first_restarted(&self, unit: &Unit) -> Option<String> {
        let restarts = unit.number("NRestarts").to_string();
        let of_unit = [format!("UNIT={}", unit.name), format!("MESSAGE_ID={}", journal::RESTART_SCHEDULED)];
        let entries = self.entries(["--lines".to_owned(), restarts].into_iter().chain(of_unit));
        entries.into_iter().map(|entry| entry.invocation).find(|invocation| !invocation.is_empty())
    }

    /// Entries of systemd's own in the journal, the oldest first; none where it cannot be read.
    fn entries(&self, matches: impl IntoIterator<Item = String>) -> Vec<journal::Entry> {
        // Writes pending messages to the journal.
        let _ = self.root.attempt(&Step::new("journalctl --sync", [""; 0]));
        let parsed = self.root.run(&Step::new("journalctl --no-pager --output json", matches));
        parsed.map(|parsed| journal::parse(&parsed)).unwrap_or_default()
    }

    /// Returns the time that systemd gives a unit to stop.
    fn time_to_stop(&self, name: &str) -> anyhow::Result<Duration> {
        Ok(stop_time(self.one(name)?.get("TimeoutStopUSec")))
    }

    /// Emits a unit's last log lines, and returns an error with the reason of its failure.
    pub(super) fn unhealthy(&self, unit: &Unit, reason: &str) -> anyhow::Error {
        self.show_last_lines(&unit.name, unit.get("InvocationID"), reason)
    }

    fn show_last_lines(&self, name: &str, invocation: &str, reason: &str) -> anyhow::Error {
        let reason = self.secrets.redact(reason);
        if !invocation.is_empty() {
            self.events.note(format!("`{name}` {reason}; its last lines:"));
            // The lines of its processes, and those of systemd about it. The error is useful without them, too.
            let matches =
                [format!("_SYSTEMD_INVOCATION_ID={invocation}"), "+".into(), format!("INVOCATION_ID={invocation}")];
            let step = Step::new(
                "journalctl --no-pager --output cat --lines",
                [excerpt::READ.to_owned()].into_iter().chain(matches),
            );
            if let Ok(lines) = self.root.run(&step) {
                self.events.output(&excerpt::of_log(&self.secrets.redact(&lines)), true);
            }
        }
        failure::Failure::new(Exit::Failed, Problem::new(format!("`{name}` {reason}"))).into()
    }
}

/// Parses `TimeoutStopUSec`, such as `1min 30s` or `infinity`.
pub(super) fn stop_time(text: &str) -> Duration {
    if text == "infinity" { FOREVER } else { humantime::parse_duration(text).unwrap_or_default() }
}

/// Returns whether a process runs from a folder, by its working directory or by its command: the words between zero bytes.
fn runs_from(folder: &Path, dir: &str, command: &str) -> bool {
    let folder_text = folder.to_string_lossy();
    let is_in = |word: &str| word.rsplit('=').next().is_some_and(|path| Path::new(path).starts_with(&*folder_text));
    Path::new(dir).starts_with(folder) || command.split('\0').any(is_in)
}

/// The failure of a unit that should be starting, or be up.
#[derive(Debug, PartialEq, Eq)]
enum UnitFailure {
    /// The reason, of its present invocation.
    Current(String),
    /// An earlier invocation has failed, and systemd has started another one since.
    EarlierInvocation,
}

fn unit_failure(unit: &Unit, is_new: bool) -> Option<UnitFailure> {
    let is = |reason: String| Some(UnitFailure::Current(reason));
    let (active, sub) = (unit.get("ActiveState"), unit.get("SubState"));
    match unit.get("LoadState") {
        "loaded" => {}
        state => return is(format!("cannot be loaded: `{state}`")),
    }
    // A state from before this start is no result of it.
    if !is_new && unit.number("Job") != 0 {
        return None;
    }
    let is_failed = active == "failed" || (active == "activating" && sub.starts_with("auto-restart"));
    match active {
        _ if is_new && unit.number("NRestarts") > 0 => Some(UnitFailure::EarlierInvocation),
        _ if is_failed => is(format!("failed: {}", unit.exit_reason())),
        "inactive" if is_new => is(format!("has ended: {}", unit.exit_reason())),
        "inactive" => is("was not started: something that it requires is missing".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_times_of_units() {
        assert_eq!(stop_time("1min 30s"), Duration::from_secs(90));
        assert_eq!(stop_time("infinity"), FOREVER);
        assert_eq!(stop_time(""), Duration::ZERO);
    }

    #[test]
    fn a_process_runs_from_its_release_by_folder_or_command() {
        let runs = |dir: &str, command: &str| runs_from(Path::new("/opt/shop-releases/2"), dir, command);
        assert!(runs("/opt/shop-releases/2/app", "/usr/bin/python3\0-m\0gunicorn\0"));
        assert!(runs("/", "/opt/shop-releases/2/.venv/bin/python\0run\0"));
        assert!(runs("/", "/usr/bin/gunicorn\0--chdir=/opt/shop-releases/2/app\0"));
        assert!(!runs("/opt/shop", "/opt/shop/.venv/bin/python\0"));
        assert!(!runs("/opt/shop-releases/20", "/opt/shop-releases/1/.venv/bin/python\0"));
    }
}
