//! The units that a cut-over restarts or starts: services, timers and paths, targets. Jobs are left alone: they end by
//! themselves, and the next one runs the new release.

use super::canary::{Role, is_yes};
use super::layout::Layout;
use crate::record::UnitSnapshot;
use ::systemd::{Unit, UnitFile, UnitKind};

/// The units that a cut-over restarts or starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Restarts {
    /// The services, and the instances of templates.
    pub(super) services: Vec<String>,
    /// Changed and new timers and paths: restarted, since systemd reads a schedule when it starts them.
    pub(super) triggers: Vec<String>,
    /// Changed and new targets: started, which starts the units that they want. A restart would stop those that are up.
    pub(super) targets: Vec<String>,
}

impl Restarts {
    /// Returns the units that run or should run. A unit that the operator has stopped stays so.
    pub(super) fn of(units: &[UnitFile], shown: &[Unit], layout: &Layout, snapshot: &UnitSnapshot) -> Self {
        let mut restarts = Restarts::default();
        for file in units {
            for (name, unit) in made_of(file, units, shown) {
                let get = |property| unit.map_or("", |unit| unit.get(property));
                let is_up = !matches!(get("ActiveState"), "inactive" | "");
                let (is_new, is_changed) = match snapshot.files.get(&file.name) {
                    Some(was_there) => (!was_there, *was_there),
                    None => (false, false),
                };
                let is_added = is_new && file.can_be_enabled();
                let is_replaced = is_up && (is_changed || get("ActiveState") == "failed");
                let (list, is_wanted) = match UnitKind::of(&file.name) {
                    _ if get("LoadState") == "masked" => continue,
                    Some(UnitKind::Service) if is_job(file, units) => continue,
                    Some(UnitKind::Service) => {
                        let is_kept_up = is_up && (!is_new || file.is_template());
                        let is_web = Role::of(file, layout) == Role::Web;
                        (&mut restarts.services, is_web || is_added || is_kept_up)
                    }
                    Some(UnitKind::Timer | UnitKind::Path) => (&mut restarts.triggers, is_added || is_replaced),
                    Some(UnitKind::Target) => (&mut restarts.targets, is_added || is_replaced),
                    // Sockets have steps of their own, and slices live with the units in them.
                    Some(UnitKind::Socket | UnitKind::Slice) | None => continue,
                };
                if is_wanted {
                    list.push(name);
                }
            }
        }
        restarts
    }
}

/// Returns the units that are made of a file, with their states: the unit itself, or the instances of a template, except for
/// those that have a file of their own.
fn made_of<'u>(file: &UnitFile, units: &[UnitFile], shown: &'u [Unit]) -> Vec<(String, Option<&'u Unit>)> {
    if !file.is_template() {
        return vec![(file.name.clone(), shown.iter().find(|unit| unit.name == file.name))];
    }
    let is_own = |unit: &&Unit| file_of(units, &unit.name).is_some_and(|of_unit| of_unit.name == file.name);
    shown.iter().filter(is_own).map(|unit| (unit.name.clone(), Some(unit))).collect()
}

/// Returns the file that a unit is made of.
pub(super) fn file_of<'u>(units: &'u [UnitFile], name: &str) -> Option<&'u UnitFile> {
    let own = units.iter().find(|file| file.name == name);
    own.or_else(|| units.iter().find(|file| file.defines(name)))
}

/// Returns whether a service ends by itself: a task, one that a timer starts, or one that a socket starts for each
/// connection.
pub(super) fn is_job(file: &UnitFile, units: &[UnitFile]) -> bool {
    let is_started_by = |unit: &UnitFile| {
        let Some((stem, _)) = unit.name.rsplit_once('.') else { return false };
        match UnitKind::of(&unit.name) {
            Some(UnitKind::Timer) => {
                let started = unit.values("Timer", "Unit").pop().unwrap_or_else(|| format!("{stem}.service"));
                started == file.name || file.defines(&started)
            }
            Some(UnitKind::Socket) => {
                let is_per_connection = unit.values("Socket", "Accept").last().is_some_and(|value| is_yes(value));
                is_per_connection && file.name == format!("{stem}@.service")
            }
            _ => false,
        }
    };
    file.is_task() || units.iter().any(is_started_by)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTALL: &str = "[Install]\nWantedBy=multi-user.target\n";

    fn shown(name: &str, state: &str) -> Unit {
        let mut unit = Unit::default().with("ActiveState", state);
        unit.name = name.into();
        unit
    }

    /// Checks the restarts of the units, given by name, text and whether a file was there and differs.
    #[track_caller]
    fn check(units: &[(&str, &str, Option<bool>)], shown: &[Unit], expected: [&[&str]; 3]) {
        let files: Vec<UnitFile> =
            units.iter().map(|(name, text, _)| UnitFile { name: (*name).into(), text: (*text).into() }).collect();
        let changed = units.iter().filter_map(|(name, _, was_there)| Some(((*name).to_owned(), (*was_there)?)));
        let snapshot = UnitSnapshot { files: changed.collect(), ..UnitSnapshot::default() };
        let Restarts { services, triggers, targets } = Restarts::of(&files, shown, &Layout::of_a_shop(), &snapshot);
        assert_eq!(
            [services, triggers, targets],
            expected.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>())
        );
    }

    #[test]
    fn services_that_run_or_should_run_are_restarted() {
        let units = [
            ("shop.service", "", None),
            ("shop.socket", INSTALL, None),
            ("shop-worker.service", "", None),
            ("shop-beat.service", "", None),
            ("shop-new.service", INSTALL, Some(false)),
            ("shop-manual.service", "", Some(false)),
            ("shop-task.service", "[Service]\nType=oneshot\n", None),
            ("shop-masked.service", INSTALL, None),
        ];
        let shown = [
            shown("shop.service", "inactive"),
            shown("shop-worker.service", "failed"),
            shown("shop-beat.service", "inactive"),
            shown("shop-task.service", "active"),
            shown("shop-masked.service", "failed").with("LoadState", "masked"),
        ];
        // The web service always; a failed one; a new one that starts at boot. Not one that the operator has stopped.
        check(&units, &shown, [&["shop.service", "shop-worker.service", "shop-new.service"], &[], &[]]);
    }

    #[test]
    fn a_changed_schedule_counts_and_its_task_is_left_alone() {
        let units = [
            ("backup.service", "", Some(true)),
            ("backup.timer", INSTALL, Some(true)),
            ("clean.service", "", None),
            ("nightly.timer", "[Timer]\nUnit=clean.service\n", None),
            ("new.timer", INSTALL, Some(false)),
            ("manual.timer", "", Some(false)),
            ("stopped.timer", INSTALL, Some(true)),
            ("spool.path", "", Some(true)),
            ("spool.service", "", None),
            ("failed.path", "", None),
            ("all.target", INSTALL, Some(true)),
            ("same.target", INSTALL, None),
            ("shop.slice", "", Some(true)),
        ];
        let mut up: Vec<Unit> = units.iter().map(|(name, ..)| shown(name, "active")).collect();
        for (name, state) in
            [("stopped.timer", "inactive"), ("failed.path", "failed"), ("new.timer", ""), ("manual.timer", "")]
        {
            up.retain(|unit| unit.name != name);
            up.push(shown(name, state));
        }
        let triggers = ["backup.timer", "new.timer", "spool.path", "failed.path"];
        // A service that a path starts may be one that stays.
        check(&units, &up, [&["spool.service"], &triggers, &["all.target"]]);
    }

    #[test]
    fn instances_of_templates_are_restarted() {
        let units = [
            ("job@.service", "", None),
            ("job@own.service", "", None),
            ("new@.service", INSTALL, Some(false)),
            ("once@.service", "[Service]\nType=oneshot\n", None),
            ("every@.service", "", None),
            ("every@.timer", "", Some(true)),
            ("talk.socket", "[Socket]\nAccept=yes\n", None),
            ("talk@.service", "", None),
        ];
        let names = [
            "job@a.service",
            "job@own.service",
            "once@a.service",
            "every@a.service",
            "every@a.timer",
            "talk@1.service",
        ];
        let mut up: Vec<Unit> = names.iter().map(|name| shown(name, "active")).collect();
        up.push(shown("job@b.service", "failed"));
        let services = ["job@a.service", "job@b.service", "job@own.service"];
        check(&units, &up, [&services, &["every@a.timer"], &[]]);
    }
}
