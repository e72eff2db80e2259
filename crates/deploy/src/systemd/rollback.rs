//! The rollback: compares the snapshot of the record with the present state. It is the same code after a failure,
//! Ctrl-C or a kill, and can be repeated.

use std::fs;
use std::path::Path;

use subprocess::Address;

use super::data;
use super::layout::{Layout, UNITS};
use super::manager::Manager;
use super::readiness::Readiness;
use super::root::Step;
use super::steps::{left_canaries, link, remove_canaries, replace};
use crate::record::{Record, UnitSnapshot};
use ::systemd::Unit;

/// Restores the state before a release, and removes the release.
pub(super) fn roll_back(
    record: &Record,
    layout: &Layout,
    readiness: &Readiness<'_>,
    address: impl Fn() -> anyhow::Result<Option<Address>>,
) -> anyhow::Result<()> {
    let manager = readiness.manager;
    let nothing = UnitSnapshot::default();
    let snapshot = record.snapshot.units.as_ref().unwrap_or(&nothing);
    // Migrations that go on would do so on a database that others rely on.
    stop_migrations(layout, &manager)?;
    if snapshot.is_cut_over {
        put_back(record, snapshot, layout, &manager)?;
        restart(snapshot, layout, readiness, address)?;
    }
    clean_up(record, layout, &manager)
}

fn stop_migrations(layout: &Layout, manager: &Manager<'_>) -> anyhow::Result<()> {
    let unit = layout.migrate_unit();
    if manager.one(&unit)?.get("LoadState") == "loaded" {
        manager.root.run(&Step::new("systemctl stop", [unit]))?;
    }
    Ok(())
}

/// The environment, the unit files and the link.
fn put_back(record: &Record, snapshot: &UnitSnapshot, layout: &Layout, manager: &Manager<'_>) -> anyhow::Result<()> {
    let root = manager.root;
    let before = layout.before(&record.id);
    for (name, was_there) in &snapshot.files {
        let file = format!("{UNITS}/{name}");
        let copy = before.join(name);
        if *was_there {
            // Without a copy nothing has come so far that the file was replaced.
            if copy.exists() {
                root.run(&Step::new("cp -a", [copy.display().to_string(), file]))?;
            }
        } else if Path::new(&file).exists() {
            root.attempt(&Step::new("systemctl disable --now --quiet", [name]))?;
            root.run(&Step::new("rm -f", [file]))?;
            root.attempt(&Step::new("systemctl reset-failed", [name]))?;
        }
    }
    match snapshot.env_file {
        Some(true) if fs::exists(before.join("env")).unwrap_or(false) => {
            let staged = layout.staged_env(&record.id);
            root.run(&Step::new("cp -a", [before.join("env").display(), staged.display()]))?;
            root.run(&replace(&staged, &layout.env_file))?;
        }
        Some(false) => drop(root.run(&Step::new("rm -f", [layout.env_file.display()]))?),
        _ => {}
    }
    let now = fs::read_link(&layout.install_dir).ok();
    match &snapshot.link {
        Some(link_before) if now.as_ref() != Some(link_before) => {
            // The folder that was to be adopted may still be in its place.
            let is_folder = now.is_none() && layout.install_dir.is_dir();
            if !is_folder {
                root.run_all(&link(layout, link_before))?;
            }
        }
        None if now.is_some() => drop(root.run(&Step::new("rm -f", [layout.install_dir.display()]))?),
        _ => {}
    }
    root.run(&Step::new("systemctl daemon-reload", [""; 0])).map(drop)
}

/// Restarts the units that ran before, unless they still run as the same invocation.
fn restart(
    snapshot: &UnitSnapshot,
    layout: &Layout,
    readiness: &Readiness<'_>,
    address: impl Fn() -> anyhow::Result<Option<Address>>,
) -> anyhow::Result<()> {
    let manager = readiness.manager;
    let names: Vec<String> = snapshot.invocations.keys().cloned().collect();
    if names.is_empty() {
        return Ok(());
    }
    let shown = manager.show(&names)?;
    let is_same = |unit: &&Unit| {
        unit.is_active() && snapshot.invocations.get(&unit.name).map(String::as_str) == Some(unit.get("InvocationID"))
    };
    let gone: Vec<&Unit> = shown.iter().filter(|unit| !is_same(unit)).collect();
    let (sockets, services): (Vec<&Unit>, Vec<&Unit>) =
        gone.into_iter().partition(|unit| unit.name.ends_with(".socket"));
    let changed = sockets.iter().filter(|socket| snapshot.files.contains_key(&socket.name));
    let closed: Vec<String> =
        changed.flat_map(|socket| [socket.name.replace(".socket", ".service"), socket.name.clone()]).collect();
    if !closed.is_empty() {
        manager.root.run(&Step::new("systemctl stop", closed))?;
    }
    if !sockets.is_empty() {
        manager.root.run(&Step::new("systemctl start", sockets.iter().map(|unit| &unit.name)))?;
    }
    if services.is_empty() {
        return Ok(());
    }
    // A unit that has failed too often is not started again otherwise.
    let names: Vec<&String> = services.iter().map(|unit| &unit.name).collect();
    manager.root.attempt(&Step::new("systemctl reset-failed", &names))?;
    manager.root.run(&Step::new("systemctl restart --no-block", &names))?;
    let address = address()?;
    for unit in services {
        let address = address.clone().filter(|_| unit.name == layout.main_unit());
        readiness.wait_until_healthy(&unit.name, unit.get("InvocationID"), address)?;
    }
    Ok(())
}

/// Removes the remains of a release that does not serve.
fn clean_up(record: &Record, layout: &Layout, manager: &Manager<'_>) -> anyhow::Result<()> {
    let root = manager.root;
    stop_left_canaries(layout, manager)?;
    let mut gone = vec![layout.before(&record.id), layout.staged_env(&record.id), layout.new_link()];
    // With a rollback, the folder is that of a good release.
    let own = record.folder.as_ref().filter(|_| record.rollback_to.is_none());
    let is_cut_over = record.snapshot.units.as_ref().is_some_and(|snapshot| snapshot.is_cut_over);
    // A release that has served may hold files that the service has written.
    let is_kept = |folder: &Path| is_cut_over && folder.is_dir() && !data::is_removable(folder, root).unwrap_or(false);
    if let Some(folder) = own.filter(|folder| is_kept(folder)) {
        let folder = folder.display();
        manager.events.note(format!("`{folder}` stays: the service has written into it while it served"));
    } else if let Some(folder) = own {
        // uv outlives a deploy that is killed, and would go on writing into the folder while it is removed.
        let tombstone = Layout::tombstone(folder);
        if folder.is_dir() && !tombstone.exists() {
            root.run(&replace(folder, &tombstone))?;
        }
        gone.extend([tombstone, folder.clone()]);
    }
    gone.retain(|path| path.symlink_metadata().is_ok());
    if !gone.is_empty() {
        root.run(&Step::new("rm -rf", gone.iter().map(|path| path.display())))?;
    }
    let made = record.snapshot.units.iter().flat_map(|snapshot| &snapshot.made);
    let folders: Vec<_> = made.filter(|folder| folder.is_dir()).map(|folder| folder.display()).collect();
    if !folders.is_empty() {
        root.attempt(&Step::new("rmdir --ignore-fail-on-non-empty", folders))?;
    }
    Ok(())
}

/// Removes the remains of committed deploys.
pub(super) fn clean_up_earlier(records: &[Record], layout: &Layout, manager: &Manager<'_>) -> anyhow::Result<()> {
    stop_left_canaries(layout, manager)?;
    let copies = records.iter().map(|record| layout.before(&record.id)).filter(|copy| copy.is_dir());
    let copies: Vec<String> = copies.map(|copy| copy.display().to_string()).collect();
    if !copies.is_empty() {
        manager.root.run(&Step::new("rm -rf", copies))?;
    }
    Ok(())
}

/// Stops and removes the canaries that are still there.
fn stop_left_canaries(layout: &Layout, manager: &Manager<'_>) -> anyhow::Result<()> {
    let left = left_canaries(layout);
    if left.is_empty() {
        return Ok(());
    }
    let root = manager.root;
    // Canaries that were never started cannot be stopped, which is no failure.
    root.attempt(&Step::new("systemctl stop", &left))?;
    root.attempt(&Step::new("systemctl reset-failed", &left))?;
    root.run_all(&remove_canaries(layout, &left))
}
