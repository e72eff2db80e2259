//! `systemd.drift`: whether the installed units are those of the checkout, and those that systemd has read.

use std::fs;
use std::path::{Path, PathBuf};

use systemd::Unit;
use systemd::unit_kind::{is_template, template_of};

use super::DRIFT as NAME;
use crate::outcome::Outcome;

const INSTALL_DIR: &str = "/etc/systemd/system/";
const RELOAD: &str = "sudo systemctl daemon-reload";

/// The difference between an installed unit and that of the checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Drift {
    Same,
    Differs,
    NotInstalled,
    Unreadable(String),
}

/// Compares the unit files of the checkout with the installed ones.
pub(super) fn outcome(root: &Path, unit_dir: &Path, files: &[String], units: &[Unit]) -> Outcome {
    // systemd shows a template by its instances alone.
    let named = |name: &str| {
        let is_it = |unit: &&Unit| unit.name == name || template_of(&unit.name).as_deref() == Some(name);
        units.iter().find(is_it)
    };
    let compared = |name: &String| match named(name).filter(|unit| unit.is_installed()) {
        Some(unit) if !is_template(name) => Some(PathBuf::from(unit.get("FragmentPath"))),
        None if !is_template(name) => None,
        _ => Some(Path::new(INSTALL_DIR).join(name)).filter(|path| path.exists()),
    };
    let drifts: Vec<_> = files
        .iter()
        .map(|name| (name.as_str(), compare(&root.join(unit_dir).join(name), compared(name).as_deref())))
        .collect();
    let stale = |name: &&str| named(name).is_some_and(|unit| unit.get("NeedDaemonReload") == "yes");
    judge(unit_dir, &drifts, &files.iter().map(String::as_str).filter(stale).collect::<Vec<_>>())
}

fn compare(file: &Path, installed: Option<&Path>) -> Drift {
    let Some(installed) = installed else { return Drift::NotInstalled };
    let read = |path: &Path| fs::read(path).map_err(|error| format!("`{}`: {error}", path.display()));
    match (read(file), read(installed)) {
        (Ok(ours), Ok(theirs)) if ours == theirs => Drift::Same,
        (Ok(_), Ok(_)) => Drift::Differs,
        (Err(reason), _) | (_, Err(reason)) => Drift::Unreadable(reason),
    }
}

/// Returns the outcome for the comparison of the unit files; `stale` are the units that were changed since systemd has
/// loaded them.
fn judge(unit_dir: &Path, drifts: &[(&str, Drift)], stale: &[&str]) -> Outcome {
    let dir = unit_dir.display();
    let those = |wanted: Drift| drifts.iter().filter(move |(_, drift)| *drift == wanted).map(|(name, _)| *name);
    let differing: Vec<_> = those(Drift::Differs).collect();
    let missing: Vec<_> = those(Drift::NotInstalled).collect();
    let mut found = Vec::new();
    if !differing.is_empty() {
        found.push(format!("not as in `{dir}`: {}", list(&differing)));
    }
    if !missing.is_empty() {
        found.push(format!("not installed: {}", list(&missing)));
    }
    if !stale.is_empty() {
        found.push(format!("changed on disk since systemd has read them: {}", list(stale)));
    }
    found.extend(drifts.iter().filter_map(|(_, drift)| match drift {
        Drift::Unreadable(reason) => Some(reason.clone()),
        _ => None,
    }));
    if found.is_empty() {
        return Outcome::ok(NAME, format!("the installed units are those of `{dir}`"));
    }
    let outcome = Outcome::warn(NAME, found.join("; "));
    let install: Vec<_> = drifts
        .iter()
        .filter(|(_, drift)| matches!(drift, Drift::Differs | Drift::NotInstalled))
        .map(|(name, _)| format!("{}", unit_dir.join(name).display()))
        .collect();
    match (install.is_empty(), stale.is_empty()) {
        (false, _) => outcome.hint(format!("sudo install -m 644 {} {INSTALL_DIR} && {RELOAD}", install.join(" "))),
        (true, false) => outcome.hint(RELOAD),
        (true, true) => outcome,
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::recorded::unit;
    use super::*;

    #[track_caller]
    fn check(drifts: &[(&str, Drift)], stale: &[&str], expected: &str, hint: Option<&str>) {
        let outcome = judge(Path::new("deploy/systemd"), drifts, stale);
        assert_eq!(format!("{}: {}", outcome.status, outcome.message), expected);
        assert_eq!(outcome.hint.as_deref(), hint);
    }

    #[test]
    fn drift_of_units_is_reported() {
        let same = ("shop.service", Drift::Same);
        check(std::slice::from_ref(&same), &[], "ok: the installed units are those of `deploy/systemd`", None);
        check(
            &[same.clone(), ("a.service", Drift::Differs), ("b.socket", Drift::NotInstalled)],
            &["a.service"],
            "warn: not as in `deploy/systemd`: `a.service`; not installed: `b.socket`; \
             changed on disk since systemd has read them: `a.service`",
            Some(
                "sudo install -m 644 deploy/systemd/a.service deploy/systemd/b.socket /etc/systemd/system/ && \
                 sudo systemctl daemon-reload",
            ),
        );
        check(
            &[same],
            &["shop.service"],
            "warn: changed on disk since systemd has read them: `shop.service`",
            Some("sudo systemctl daemon-reload"),
        );
        let unreadable = Drift::Unreadable("`/etc/x`: Permission denied (os error 13)".into());
        check(&[("x.service", unreadable)], &[], "warn: `/etc/x`: Permission denied (os error 13)", None);
    }

    #[test]
    fn files_are_compared_byte_by_byte() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = |name: &str| dir.path().join(name);
        for (name, text) in [("ours", "[Unit]\n"), ("same", "[Unit]\n"), ("other", "[Unit] \n")] {
            fs::write(path(name), text).expect("written");
        }
        assert_eq!(compare(&path("ours"), Some(&path("same"))), Drift::Same);
        assert_eq!(compare(&path("ours"), Some(&path("other"))), Drift::Differs);
        assert!(matches!(compare(&path("ours"), Some(&path("none"))), Drift::Unreadable(_)));
        assert_eq!(compare(&path("ours"), None), Drift::NotInstalled);
    }

    #[test]
    fn units_that_systemd_has_not_read_again_are_named() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("shop.service"), "").expect("written");
        let installed = dir.path().join("shop.service");
        // As recorded, its `NeedDaemonReload` is `yes`.
        let shop = unit("shop.service").with("FragmentPath", installed.to_str().expect("UTF-8"));
        let outcome = outcome(dir.path(), Path::new("."), &["shop.service".to_owned()], &[shop]);
        assert_eq!(outcome.message, "changed on disk since systemd has read them: `shop.service`");
    }
}
