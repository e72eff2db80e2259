//! What the units of a release say about its state directory.

use std::path::Path;

use super::super::canary::{is_yes, with_name};
use super::Release;
use ::systemd::{Unit, UnitFile, UnitKind};

/// Returns the services of the release that have no state directory of its name.
pub(super) fn without_state_directory<'u>(release: &Release<'u>) -> Vec<&'u UnitFile> {
    let Release { units, shown, layout, .. } = *release;
    let install_dir = layout.install_dir.to_string_lossy();
    let starts_release = |unit: &&UnitFile| {
        let mut lines = ["ExecStart", "WorkingDirectory"].into_iter().flat_map(|key| unit.values("Service", key));
        lines.any(|line| line.contains(&*install_dir))
    };
    let own = layout.state_dir();
    let has_it = |unit: &UnitFile| {
        state_directory(unit, shown).is_some_and(|value| value.split(':').any(|folder| Path::new(folder) == own))
    };
    let services = units.iter().filter(|unit| unit.is(UnitKind::Service)).filter(starts_release);
    services.filter(|unit| !has_it(unit)).collect()
}

/// Returns whether systemd makes the user of a unit.
pub(super) fn is_dynamic(unit: &UnitFile) -> bool {
    unit.values("Service", "DynamicUser").last().is_some_and(|value| is_yes(value))
}

/// Returns whether the sandbox of a unit keeps it from writing to a folder that its user owns.
pub(super) fn is_confined(unit: &UnitFile, folder: &Path) -> bool {
    let last = |key| unit.values("Service", key).pop().unwrap_or_default();
    let has = |key| {
        let values = unit.values("Service", key);
        let mut paths = values.iter().flat_map(|value| value.split_whitespace());
        paths.any(|path| folder.starts_with(path.trim_start_matches(['-', '+'])))
    };
    let is_read_only = last("ProtectSystem") == "strict" || has("ReadOnlyPaths");
    is_dynamic(unit) || is_read_only && !has("ReadWritePaths") || has("InaccessiblePaths")
}

/// Returns the value of `STATE_DIRECTORY` as systemd sets it for a unit, by its file or by its installed drop-ins.
pub(super) fn state_directory(unit: &UnitFile, shown: &[Unit]) -> Option<String> {
    let installed =
        shown.iter().filter(|shown| shown.name == unit.name).map(|shown| shown.get("StateDirectory").to_owned());
    let values: Vec<String> = unit.values("Service", "StateDirectory").into_iter().chain(installed).collect();
    let mut folders: Vec<String> = Vec::new();
    for name in values.iter().flat_map(|value| value.split_whitespace()) {
        // What follows a colon is a link to it.
        let name = with_name(name.split(':').next().unwrap_or(name), &unit.name);
        let folder = format!("/var/lib/{name}");
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    (!folders.is_empty()).then(|| folders.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_directory_of_another_name_has_several_folders() {
        let unit = UnitFile { name: "shop.service".into(), text: "[Service]\nStateDirectory=a b:link\n".into() };
        let mut shown = Unit::default().with("StateDirectory", "a shop");
        shown.name = "shop.service".into();
        assert_eq!(state_directory(&unit, &[shown]).as_deref(), Some("/var/lib/a:/var/lib/b:/var/lib/shop"));
        assert_eq!(state_directory(&unit, &[]).as_deref(), Some("/var/lib/a:/var/lib/b"));
    }
}
