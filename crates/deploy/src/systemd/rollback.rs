//! The rollback: compares the snapshot of the record with the present state. It is the same code after a failure,
//! Ctrl-C or a kill, and can be repeated.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::canary::{left_temporary_units, remove_temporary_units};
use super::data;
use super::files::{self, LiveFile, Treatment, replace};
use super::layout::Layout;
use super::manager::Manager;
use super::root::{Root, Step};
use super::scheduler::is_scheduler;
use super::steps::link;
use super::temporary_units::{left_drop_ins, remove_drop_ins};
use crate::failure::Problem;
use crate::record::{Record, UnitSnapshot};
use ::systemd::Unit;

/// The time that the temporary units of a release get to finish their requests when it is rolled back.
const DRAIN: Duration = Duration::from_secs(60);

/// Restores the state before a release, and removes the release.
pub(super) fn roll_back(
    record: &Record,
    layout: &Layout,
    manager: &Manager<'_>,
    timeout: Duration,
) -> anyhow::Result<()> {
    let nothing = UnitSnapshot::default();
    let snapshot = record.snapshot.units.as_ref().unwrap_or(&nothing);
    // Migrations that go on would do so on a database that others rely on.
    stop_migrations(layout, manager)?;
    // The handover runs the release that is rolled back.
    if snapshot.is_cut_over && left_temporary_units(layout).contains(&layout.handover_unit()) {
        manager.root.attempt(&Step::new("systemctl stop --no-block", [layout.handover_unit()]))?;
    }
    let mut keeps_copies = false;
    if let Some(other) = other_release(record, snapshot, layout) {
        manager.events.note(format!(
            "`{}` leads to `{}`, which another deploy has put there since: it stays, and so do its files",
            layout.install_dir.display(),
            other.display()
        ));
    } else if snapshot.is_cut_over {
        stop_added(snapshot, layout, manager.root)?;
        let kept = put_back(record, snapshot, layout, manager.root)?;
        // A failed process that does not stop must not delay the previous release for the time of the setting.
        manager.root.run_all(&remove_drop_ins(&left_drop_ins(layout)))?;
        manager.root.run(&Step::new("systemctl daemon-reload", [""; 0]))?;
        if !snapshot.started.is_empty() {
            manager.root.attempt(&Step::new("systemctl stop --no-block", &snapshot.started))?;
        }
        keeps_copies = !kept.is_empty();
        for file in &kept {
            manager.events.warning(kept_problem(file));
        }
        restart(snapshot, layout, manager, timeout)?;
    }
    clean_up(record, layout, manager, keeps_copies)
}

/// Returns the release that the install folder leads to, if it is neither this one nor the one before it: a deploy that
/// came after an interrupted one is not undone.
fn other_release(record: &Record, snapshot: &UnitSnapshot, layout: &Layout) -> Option<PathBuf> {
    let now = fs::read_link(&layout.install_dir).ok()?;
    let is_known = [&snapshot.link, &record.folder].into_iter().flatten().any(|folder| *folder == now);
    (!is_known).then_some(now)
}

/// Returns the warning about a file that the operator has changed since the deploy.
fn kept_problem(file: &LiveFile) -> Problem {
    let path = file.path.display();
    let message = format!("`{path}` was changed after the deploy had written it: it stays as it is");
    if !file.was_there {
        return Problem::new(format!("{message}; there was no such file before"));
    }
    let copy = file.copy.display();
    Problem::new(format!("{message}; `{copy}` is the file from before")).hint(format!("sudo diff {copy} {path}"))
}

pub(super) fn stop_migrations(layout: &Layout, manager: &Manager<'_>) -> anyhow::Result<()> {
    let unit = layout.migrate_unit();
    if manager.one(&unit)?.get("LoadState") == "loaded" {
        manager.root.run(&Step::new("systemctl stop", [unit]))?;
    }
    Ok(())
}

/// Restores the environment, the unit files and the link. Returns the files that the operator has changed since, which
/// stay as they are.
pub(super) fn put_back(
    record: &Record,
    snapshot: &UnitSnapshot,
    layout: &Layout,
    root: &Root,
) -> anyhow::Result<Vec<LiveFile>> {
    let mut kept = Vec::new();
    let files = files::of_release(&record.id, snapshot, layout);
    for file in &files {
        if files::restore(file, snapshot.hashes.get(&file.path), root)? == Treatment::Kept {
            kept.push(file.clone());
        }
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
    // The record of the rollback must not be on the disk before all of this is.
    let changed = files.iter().map(|file| file.path.as_path()).chain([layout.install_dir.as_path()]);
    let folders = files::parents(changed).into_iter().filter(|folder| folder.is_dir()).collect::<Vec<_>>();
    root.run(&files::flush(folders.iter().map(PathBuf::as_path)))?;
    Ok(kept)
}

/// Stops the units that the release has added, while their files are still there.
fn stop_added(snapshot: &UnitSnapshot, layout: &Layout, root: &Root) -> anyhow::Result<()> {
    let added = snapshot.files.iter().filter(|(_, was_there)| !**was_there).map(|(name, _)| name);
    for name in added.filter(|name| layout.unit_file(name).exists()) {
        root.attempt(&Step::new("systemctl disable --now --quiet", [name]))?;
        root.attempt(&Step::new("systemctl reset-failed", [name]))?;
    }
    Ok(())
}

/// Restarts the units that ran before, unless they still run as the same invocation.
fn restart(snapshot: &UnitSnapshot, layout: &Layout, manager: &Manager<'_>, timeout: Duration) -> anyhow::Result<()> {
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
    // The scheduler of the failed release may be in another unit than that of the previous one. The web service waits for
    // neither.
    let main = layout.main_unit();
    let (web, others): (Vec<&String>, Vec<&String>) = names.iter().partition(|name| ***name == main);
    let has_scheduler = services.iter().any(|unit| is_scheduler(unit.get("ExecStart")));
    if has_scheduler && others.len() > 1 {
        if !web.is_empty() {
            manager.root.run(&Step::new("systemctl restart --no-block", &web))?;
        }
        manager.root.run(&Step::new("systemctl stop --no-block", &others))?;
        others.iter().try_for_each(|name| manager.wait_until_ended(name))?;
        manager.root.run(&Step::new("systemctl start --no-block", &others))?;
    } else {
        manager.root.run(&Step::new("systemctl restart --no-block", &names))?;
    }
    // Whether they respond as well as before is checked once the rollback is recorded: a release that was unhealthy before
    // the deploy is restored, too.
    for unit in services {
        manager.wait_until_up(&unit.name, unit.get("InvocationID"), timeout)?;
    }
    Ok(())
}

/// Removes the remains of a release that does not serve.
fn clean_up(record: &Record, layout: &Layout, manager: &Manager<'_>, keeps_copies: bool) -> anyhow::Result<()> {
    let root = manager.root;
    stop_left_temporary_units(layout, manager)?;
    let snapshot = record.snapshot.units.clone().unwrap_or_default();
    let mut gone: Vec<PathBuf> =
        files::of_release(&record.id, &snapshot, layout).into_iter().map(|file| file.staged).collect();
    gone.push(layout.new_link());
    if !keeps_copies {
        gone.push(layout.before(&record.id));
    }
    // With a rollback, the folder is that of a good release.
    let own = record.folder.as_ref().filter(|_| record.rollback_to.is_none());
    // A release that has served may hold files that the service has written.
    let is_kept =
        |folder: &Path| snapshot.is_cut_over && folder.is_dir() && !data::is_removable(folder, root).unwrap_or(false);
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
    let folders: Vec<_> =
        snapshot.made.iter().filter(|folder| folder.is_dir()).map(|folder| folder.display()).collect();
    if !folders.is_empty() {
        root.attempt(&Step::new("rmdir --ignore-fail-on-non-empty", folders))?;
    }
    Ok(())
}

/// Removes the remains of committed deploys.
pub(super) fn clean_up_earlier<'r>(
    deployed: impl Iterator<Item = &'r Record>,
    layout: &Layout,
    manager: &Manager<'_>,
) -> anyhow::Result<()> {
    stop_left_temporary_units(layout, manager)?;
    let copies = deployed.map(|record| layout.before(&record.id)).filter(|copy| copy.is_dir());
    let copies: Vec<String> = copies.map(|copy| copy.display().to_string()).collect();
    if !copies.is_empty() {
        manager.root.run(&Step::new("rm -rf", copies))?;
    }
    Ok(())
}

/// Stops and removes the canaries that are still there.
fn stop_left_temporary_units(layout: &Layout, manager: &Manager<'_>) -> anyhow::Result<()> {
    let root = manager.root;
    root.run_all(&remove_drop_ins(&left_drop_ins(layout)))?;
    let left = left_temporary_units(layout);
    if left.is_empty() {
        return Ok(());
    }
    // Units that were never started cannot be stopped, which is no failure.
    root.attempt(&Step::new("systemctl stop --no-block", &left))?;
    if !manager.have_ended(&left, DRAIN)? {
        root.attempt(&Step::new("systemctl kill --signal KILL", &left))?;
        manager.have_ended(&left, DRAIN)?;
    }
    root.attempt(&Step::new("systemctl reset-failed", &left))?;
    root.run_all(&remove_temporary_units(layout, &left))
}
