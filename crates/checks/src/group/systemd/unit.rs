//! `systemd.unit.<name>`: whether a unit runs, will do so after a reboot, and does not merely restart all the time.

use std::time::Duration;

use project::text::counted;
use systemd::{Unit, UnitKind};

use crate::CheckName;
use crate::outcome::Outcome;

/// A unit that was restarted and has lived for so long since has got over it.
const SETTLED: Duration = Duration::from_secs(60);

/// Judges a unit; `trigger` is the socket, timer or path that starts it, `now` the time since boot.
pub(super) fn outcome(unit: &Unit, trigger: Option<&Unit>, now: Duration) -> Outcome {
    let name = &unit.name;
    let err = |message: String| Outcome::err(CheckName::of_unit(name), message);
    let journal = format!("journalctl -u {name} -n 50");
    match unit.get("LoadState") {
        "" | "not-found" => return err("not installed".into()),
        "masked" => return err("masked: nothing can start it".into()).hint(format!("sudo systemctl unmask {name}")),
        "loaded" => {}
        state => return err(format!("cannot be loaded: `{state}`")).hint(format!("systemctl status {name}")),
    }
    let (active, sub) = (unit.get("ActiveState"), unit.get("SubState"));
    match active {
        "failed" => err(format!("failed: {}", unit.exit_reason())).hint(journal),
        "activating" if sub.starts_with("auto-restart") => {
            err(format!("restarting: {}, the last end was {}", restarts(unit), unit.exit_reason())).hint(journal)
        }
        "activating" if unit.number("NRestarts") > 0 => {
            err(format!("restarting: {}, and not up yet", restarts(unit))).hint(journal)
        }
        "activating" => Outcome::warn(CheckName::of_unit(name), format!("still starting (`{sub}`)")).hint(journal),
        _ if unit.is_active() => match since_restart(unit, now) {
            Some(since) => {
                let message = format!("restarting: {}, the last one {} s ago", restarts(unit), since.as_secs());
                err(message).hint(journal)
            }
            None => running(unit, trigger),
        },
        "inactive" => not_running(unit, trigger),
        _ => err(format!("{active} (`{sub}`)")).hint(format!("sudo systemctl start {name}")),
    }
}

/// Judges a unit that is active and stays so.
fn running(unit: &Unit, trigger: Option<&Unit>) -> Outcome {
    let (name, file) = (&unit.name, unit.get("UnitFileState"));
    let message = format!("{} (`{}`), {file}", unit.get("ActiveState"), unit.get("SubState"));
    if is_enabled_for_good(unit) {
        return Outcome::ok(CheckName::of_unit(name), message.trim_end_matches([',', ' ']));
    }
    match trigger.filter(|trigger| trigger.get("UnitFileState") == "enabled") {
        Some(trigger) => Outcome::ok(CheckName::of_unit(name), format!("{message}, and {}", started_by(trigger))),
        None => Outcome::warn(CheckName::of_unit(name), format!("{message}: would not come up after a reboot"))
            .hint(format!("sudo systemctl enable {name}")),
    }
}

/// Judges a unit that does not run, and has not failed.
fn not_running(unit: &Unit, trigger: Option<&Unit>) -> Outcome {
    let name = &unit.name;
    if let Some(trigger) = trigger.filter(|trigger| trigger.is_active()) {
        return Outcome::ok(CheckName::of_unit(name), started_by(trigger));
    }
    // For example the task of a timer.
    if unit.get("Type") == "oneshot" && unit.get("Result") == "success" {
        return Outcome::ok(CheckName::of_unit(name), "a `oneshot` that is not running now");
    }
    let command = if is_enabled_for_good(unit) { "start" } else { "enable --now" };
    Outcome::err(CheckName::of_unit(name), "inactive").hint(format!("sudo systemctl {command} {name}"))
}

/// Returns how a unit is started that another one starts.
fn started_by(trigger: &Unit) -> String {
    let when = if UnitKind::of(&trigger.name) == Some(UnitKind::Timer) { "at its times" } else { "on demand" };
    format!("started {when} by `{}`", trigger.name)
}

/// Whether the unit is not one that could be enabled, and is not, or is until the next reboot alone. (`static`,
/// `indirect`, `generated` and the like are others' business.)
fn is_enabled_for_good(unit: &Unit) -> bool {
    !matches!(unit.get("UnitFileState"), "disabled" | "enabled-runtime")
}

/// Returns the time since the unit was restarted, if it has not settled since.
fn since_restart(unit: &Unit, now: Duration) -> Option<Duration> {
    let since = now.saturating_sub(Duration::from_micros(unit.number("ActiveEnterTimestampMonotonic")));
    (unit.number("NRestarts") > 0 && since < SETTLED).then_some(since)
}

fn restarts(unit: &Unit) -> String {
    counted(unit.number("NRestarts"), "restart")
}

#[cfg(test)]
mod tests {
    use super::super::recorded::unit;
    use super::*;

    /// When the units were recorded.
    const RECORDED: Duration = Duration::from_millis(3_549_970);

    #[track_caller]
    fn check_with(unit: &Unit, socket: Option<&Unit>, expected: &str, hint: Option<&str>) {
        let outcome = outcome(unit, socket, RECORDED);
        assert_eq!(*outcome.name, format!("systemd.unit.{}", unit.name));
        assert_eq!(format!("{}: {}", outcome.status, outcome.message), expected);
        assert_eq!(outcome.hint.as_deref(), hint);
    }

    #[track_caller]
    fn check(unit: &Unit, expected: &str, hint: Option<&str>) {
        check_with(unit, None, expected, hint);
    }

    #[test]
    fn units_as_they_were_recorded() {
        let journal = |name| format!("journalctl -u {name} -n 50");
        let check = |name, expected, hint: Option<&str>| check(&unit(name), expected, hint);
        check("redis-server.service", "ok: active (`running`), enabled", None);
        check("shop.socket", "ok: active (`listening`), enabled", None);
        check(
            "loop.service",
            "err: restarting: 1 restart, the last end was `exit-code`, exit status 1",
            Some(&journal("loop.service")),
        );
        check("loop2.service", "err: restarting: 1 restart, the last one 0 s ago", Some(&journal("loop2.service")));
        check("fails.service", "err: failed: `exit-code`, exit status 7", Some(&journal("fails.service")));
        check("killed.service", "err: failed: `signal` 9", Some(&journal("killed.service")));
        check(
            "disabled.service",
            "warn: active (`running`), disabled: would not come up after a reboot",
            Some("sudo systemctl enable disabled.service"),
        );
        check("masked.service", "err: masked: nothing can start it", Some("sudo systemctl unmask masked.service"));
        check("task.service", "ok: a `oneshot` that is not running now", None);
        check("gone.service", "err: not installed", None);
        check("lines.service", "err: inactive", Some("sudo systemctl start lines.service"));
    }

    #[test]
    fn a_socket_starts_its_service() {
        let (service, socket) = (unit("shop.service"), unit("shop.socket"));
        let started = "ok: started on demand by `shop.socket`";
        check_with(&service, Some(&socket), started, None);
        let off = socket.clone().with("ActiveState", "inactive").with("UnitFileState", "disabled");
        check_with(&service, Some(&off), "err: inactive", Some("sudo systemctl start shop.service"));

        let disabled = unit("disabled.service");
        let on_demand = "ok: active (`running`), disabled, and started on demand by `shop.socket`";
        check_with(&disabled, Some(&socket), on_demand, None);
        let not_enabled = "warn: active (`running`), disabled: would not come up after a reboot";
        check_with(&disabled, Some(&off), not_enabled, Some("sudo systemctl enable disabled.service"));
    }

    #[test]
    fn a_timer_starts_its_service() {
        let mut timer = unit("shop.socket");
        timer.name = "backup.timer".into();
        check_with(&unit("lines.service"), Some(&timer), "ok: started at its times by `backup.timer`", None);
    }

    #[test]
    fn other_states() {
        let journal = Some("journalctl -u loop2.service -n 50");
        let changed = |property, value| unit("loop2.service").with(property, value);
        // More than a minute before the recording.
        let settled = changed("ActiveEnterTimestampMonotonic", "3489000000");
        check(&settled, "ok: active (`running`), static", None);
        check(&settled.clone().with("ActiveState", "reloading"), "ok: reloading (`running`), static", None);
        check(&settled.clone().with("UnitFileState", ""), "ok: active (`running`)", None);
        let starting = changed("ActiveState", "activating").with("SubState", "start");
        check(&starting, "err: restarting: 1 restart, and not up yet", journal);
        check(&starting.clone().with("NRestarts", "0"), "warn: still starting (`start`)", journal);
        let queued = starting.clone().with("SubState", "auto-restart-queued").with("NRestarts", "12");
        check(&queued, "err: restarting: 12 restarts, the last end was `success`", journal);
        let stopping = changed("ActiveState", "deactivating").with("SubState", "stop-sigterm");
        check(&stopping, "err: deactivating (`stop-sigterm`)", Some("sudo systemctl start loop2.service"));
        let bad = changed("LoadState", "bad-setting");
        check(&bad, "err: cannot be loaded: `bad-setting`", Some("systemctl status loop2.service"));
        let off = changed("ActiveState", "inactive").with("UnitFileState", "disabled");
        check(&off, "err: inactive", Some("sudo systemctl enable --now loop2.service"));
        let limit = changed("ActiveState", "failed").with("Result", "start-limit-hit");
        check(&limit, "err: failed: `start-limit-hit`", journal);
    }
}
