//! What systemd says of units, and what they have said themselves. To ask takes no right; their last lines do.

use std::time::{Duration, Instant};

use checks::Deadline;
use checks::group::systemd::show::{self, Unit};
use checks::group::systemd::unit::end;
use checks::secret::Secrets;

use super::root::{Root, Step};
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;
use crate::ui::Ui;

/// How long systemd has to answer.
const SOON: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);
/// How many of a unit's last lines are shown.
const LOG_LINES: &str = "30";

/// The way to systemd.
#[derive(Clone, Copy)]
pub(super) struct Manager<'a> {
    pub(super) root: &'a Root,
    pub(super) ui: &'a Ui,
    pub(super) secrets: &'a Secrets,
    pub(super) deferred: &'a Deferred,
}

/// What systemd knows of these units, in their order.
pub(super) fn show(names: &[String], secrets: &Secrets) -> anyhow::Result<Vec<Unit>> {
    show::ask(names, secrets, &Deadline::within(SOON))
        .map_err(|reason| Failure::new(Exit::Failed, Problem::new(reason)).into())
}

impl Manager<'_> {
    pub(super) fn show(&self, names: &[String]) -> anyhow::Result<Vec<Unit>> {
        show(names, self.secrets)
    }

    pub(super) fn one(&self, name: &str) -> anyhow::Result<Unit> {
        let name = name.to_owned();
        Ok(self.show(std::slice::from_ref(&name))?.pop().unwrap_or_default())
    }

    /// Waits until a unit that was told to start is up, by its own word where it gives one (`Type=notify`); `before` is
    /// the invocation that it takes the place of. One that ends or restarts is given up at once.
    pub(super) fn wait_until_up(&self, name: &str, before: &str, timeout: Duration) -> anyhow::Result<Unit> {
        // An old one may take its time to finish what it has begun.
        let mut end = Instant::now() + timeout + self.time_to_stop(name)?;
        let mut is_starting = false;
        loop {
            self.deferred.check("waiting for units to start")?;
            let unit = self.one(name)?;
            let is_new = unit.get("InvocationID") != before;
            if is_new && unit.is_active() {
                return Ok(unit);
            }
            if let Some(ailment) = ailment(&unit, is_new) {
                return Err(self.sick(&unit, &ailment));
            }
            if is_new && !is_starting {
                is_starting = true;
                end = Instant::now() + timeout;
            }
            if Instant::now() >= end {
                let doing = if is_new { "is not up" } else { "has not ended" };
                return Err(self.sick(&unit, &format!("{doing}, after {} s", timeout.as_secs_f32())));
            }
            self.deferred.pause(POLL);
        }
    }

    /// Waits until a unit that ends by itself has done so.
    pub(super) fn wait_until_done(&self, name: &str) -> anyhow::Result<Unit> {
        loop {
            self.deferred.check("waiting for a unit to end")?;
            let unit = self.one(name)?;
            if unit.is_active() {
                return Ok(unit);
            }
            if let Some(ailment) = ailment(&unit, true) {
                return Err(self.sick(&unit, &ailment));
            }
            self.deferred.pause(POLL);
        }
    }

    /// Whether the same process is still up that was before, without a restart.
    pub(super) fn check_same(&self, first: &Unit) -> anyhow::Result<()> {
        let now = self.one(&first.name)?;
        if let Some(ailment) = ailment(&now, true) {
            return Err(self.sick(&now, &ailment));
        }
        let is_same = |property| now.get(property) == first.get(property);
        if !["InvocationID", "NRestarts", "MainPID"].into_iter().all(is_same) {
            return Err(self.sick(&now, "was restarted"));
        }
        Ok(())
    }

    /// How long a unit may take to stop, which systemd sees to.
    fn time_to_stop(&self, name: &str) -> anyhow::Result<Duration> {
        let unit = self.one(name)?;
        Ok(humantime::parse_duration(unit.get("TimeoutStopUSec")).unwrap_or_default())
    }

    /// Shows a unit's last words, and makes an error of what is wrong with it.
    pub(super) fn sick(&self, unit: &Unit, ailment: &str) -> anyhow::Error {
        let (name, ailment) = (&unit.name, self.secrets.cover(ailment));
        let invocation = unit.get("InvocationID");
        if !invocation.is_empty() {
            self.ui.note(format_args!("     `{name}` {ailment}; its last lines:"));
            // Those of its processes, and those of systemd about it. Without them the error is told all the same.
            let matches =
                [format!("_SYSTEMD_INVOCATION_ID={invocation}"), "+".into(), format!("INVOCATION_ID={invocation}")];
            let step = Step::new(
                "journalctl --no-pager --output cat --lines",
                [LOG_LINES.to_owned()].into_iter().chain(matches),
            );
            if let Ok(lines) = self.root.run(&step) {
                self.ui.last_words(&self.secrets.cover(&lines));
            }
        }
        Failure::new(Exit::Failed, Problem::new(format!("`{name}` {ailment}"))).into()
    }
}

/// What is wrong with a unit that should be on its way up, or be there.
fn ailment(unit: &Unit, is_new: bool) -> Option<String> {
    let (active, sub) = (unit.get("ActiveState"), unit.get("SubState"));
    match unit.get("LoadState") {
        "loaded" => {}
        state => return Some(format!("cannot be loaded: `{state}`")),
    }
    // What has happened before this start, or is still to be done about it, is no news.
    if !is_new && unit.number("Job") != 0 {
        return None;
    }
    match active {
        "failed" => Some(format!("failed: {}", end(unit))),
        "activating" if sub.starts_with("auto-restart") => Some(format!("failed: {}", end(unit))),
        _ if is_new && unit.number("NRestarts") > 0 => Some(format!("was restarted: {}", end(unit))),
        "inactive" if is_new => Some(format!("has ended: {}", end(unit))),
        "inactive" => Some("was not started: something that it requires is missing".to_owned()),
        _ => None,
    }
}
