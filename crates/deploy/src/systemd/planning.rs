//! The plan of a release: its units, environment and folder, compared with the target.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;

use super::data;
use super::files;
use super::layout::Layout;
use super::manager;
use super::preflight::Preflight;
use super::restarts::{Restarts, file_of, is_job};
use super::root::Root;
use super::scheduler;
use super::steps::ReleasePlan;
use super::temporary_units::DRAIN;
use crate::context::Context;
use crate::record::{Record, Records, UnitSnapshot, serving};
use ::systemd::{Unit, UnitFile, UnitKind, uptime};

/// The release of the checkout, or with `to` the one that is gone back to.
pub(super) fn plan_release(
    preflight: &Preflight,
    context: &Context<'_>,
    record: &Record,
    to: Option<&Record>,
    canary_limit: Duration,
) -> anyhow::Result<ReleasePlan> {
    let layout = &preflight.layout;
    let own = layout.release(&record.id);
    let folder = to.and_then(|to| to.folder.clone()).unwrap_or(own);
    let units = match to {
        None => preflight.units.clone(),
        // A folder that was adopted may have none: those that are installed stay.
        Some(_) if !folder.join(&layout.unit_dir).is_dir() => installed(&preflight.units, layout)?,
        Some(_) => UnitFile::all(&folder.join(&layout.unit_dir))?,
    };
    let mut snapshot = snapshot(&units, preflight, record)?;
    let restarts = Restarts::of(&units, &preflight.shown, layout, &snapshot);
    // New ones are removed by a rollback.
    let is_started =
        |name: &&String| !snapshot.invocations.contains_key(*name) && snapshot.files.get(*name) != Some(&false);
    let Restarts { services, triggers, targets } = &restarts;
    snapshot.started = [services, triggers, targets].into_iter().flatten().filter(is_started).cloned().collect();
    let env = preflight.env.clone();
    let (group, owner) = (preflight.group.clone(), (context.uid, context.gid));
    let drop_ins = drop_ins(&preflight.shown, preflight.root.as_deref(), context)?;
    let is_new = to.is_none();
    let id = record.id.clone();
    let drain_timeout = context.project.settings.drain_timeout;
    let started = restarts.services.iter().filter_map(|name| {
        let drop_ins = drop_ins.get(name).map(Vec::as_slice).unwrap_or_default();
        Some((name.as_str(), file_of(&units, name)?, drop_ins))
    });
    let schedulers = scheduler::to_stop(&preflight.shown, started);
    let mut plan = ReleasePlan {
        layout: layout.clone(),
        id,
        folder,
        is_new,
        units,
        drop_ins,
        env,
        snapshot,
        restarts,
        schedulers,
        user: preflight.user.clone(),
        group,
        state: preflight.state.clone(),
        owner,
        pruned: Vec::new(),
        canary_limit,
        handover_limit: canary_limit,
        drain_timeout,
        stop_times: BTreeMap::new(),
    };
    plan.stop_times = stop_times(&plan, &preflight.shown);
    plan.handover_limit += plan.stop_times.get(&layout.main_unit()).copied().unwrap_or_default();
    Ok(plan)
}

/// Returns the time that each service which is restarted has to stop, if it is up.
fn stop_times(plan: &ReleasePlan, shown: &[Unit]) -> BTreeMap<String, Duration> {
    let is_restarted = |unit: &&Unit| unit.is_active() && plan.restarts.services.contains(&unit.name);
    let setting = |unit: &Unit| plan.drain_timeout.filter(|_| plan.drains(&unit.name));
    let time = |unit: &Unit| setting(unit).unwrap_or_else(|| manager::stop_time(unit.get("TimeoutStopUSec")));
    shown.iter().filter(is_restarted).map(|unit| (unit.name.clone(), time(unit))).collect()
}

/// The units of these names as they are installed.
fn installed(units: &[UnitFile], layout: &Layout) -> anyhow::Result<Vec<UnitFile>> {
    let there = units.iter().filter(|unit| layout.unit_file(&unit.name).exists());
    there
        .map(|unit| {
            let path = layout.unit_file(&unit.name);
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            Ok(UnitFile { name: unit.name.clone(), text })
        })
        .collect()
}

fn snapshot(units: &[UnitFile], preflight: &Preflight, record: &Record) -> anyhow::Result<UnitSnapshot> {
    let layout = &preflight.layout;
    let mut files = BTreeMap::new();
    for unit in units {
        let path = layout.unit_file(&unit.name);
        // A unit that the operator has masked stays so.
        if fs::read_link(&path).is_ok_and(|to| to == Path::new("/dev/null")) {
            continue;
        }
        match fs::read(&path) {
            Ok(there) if there == unit.text.as_bytes() => {}
            Ok(_) => drop(files.insert(unit.name.clone(), true)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => drop(files.insert(unit.name.clone(), false)),
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        }
    }
    let (link, adopted) = link_of(layout)?;
    // A job has ended when a rollback compares, and is not to be repeated; a slice lives with the units in it.
    let is_lasting = |file: &UnitFile| !is_job(file, units) && !file.is(UnitKind::Slice);
    let is_ours = |unit: &&Unit| unit.is_active() && file_of(units, &unit.name).is_some_and(is_lasting);
    let up = preflight.shown.iter().filter(is_ours);
    Ok(UnitSnapshot {
        link: link.or_else(|| adopted.clone()),
        adopted,
        files,
        env_file: preflight.env.content.is_some().then_some(preflight.env.is_there),
        invocations: up.map(|unit| (unit.name.clone(), unit.get("InvocationID").to_owned())).collect(),
        made: [Some(layout.releases()), layout.env_file.parent().map(Path::to_owned)]
            .into_iter()
            .flatten()
            .filter(|folder| !folder.is_dir())
            .collect(),
        // Both are set when the cut-over begins.
        hashes: BTreeMap::new(),
        started: Vec::new(),
        is_cut_over: record.snapshot.units.as_ref().is_some_and(|units| units.is_cut_over),
    })
}

/// Returns the target of the install folder's link; for a folder in its place, the path that it is moved to.
fn link_of(layout: &Layout) -> anyhow::Result<(Option<PathBuf>, Option<PathBuf>)> {
    let install_dir = &layout.install_dir;
    if let Ok(link) = fs::read_link(install_dir) {
        return Ok((Some(link), None));
    }
    if !install_dir.is_dir() {
        return Ok((None, None));
    }
    Ok((None, Some(layout.release(&adopted_id(install_dir)?))))
}

/// The id of a folder that is adopted: when it was last changed, which is before now.
pub(super) fn adopted_id(folder: &Path) -> anyhow::Result<String> {
    let changed = folder.metadata().and_then(|metadata| metadata.modified());
    let changed = changed.with_context(|| format!("cannot read `{}`", folder.display()))?;
    let changed = changed.min(SystemTime::now() - Duration::from_secs(1));
    let stamp = humantime::format_rfc3339_seconds(changed).to_string();
    Ok(format!("{}-adopted", stamp.chars().filter(char::is_ascii_alphanumeric).collect::<String>()))
}

/// Returns the drop-ins of the installed units, which their canaries have as well.
fn drop_ins(
    shown: &[Unit],
    root: Option<&Root>,
    context: &Context<'_>,
) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let read = |path: &Path| {
        let text = files::read(path, root)?;
        if text.is_none() {
            let path = path.display();
            context.events.note(format!("`{path}` cannot be read by this user: its lines are not in this plan"));
        }
        Ok(text)
    };
    let mut drop_ins = BTreeMap::new();
    for unit in shown {
        let own = format!("{}.d", unit.name);
        // Drop-ins for all services apply to canaries without a copy.
        let paths = unit.get("DropInPaths").split_whitespace().map(Path::new);
        // One that an earlier deploy has left is removed before this one starts.
        let paths = paths.filter(|path| !path.ends_with(DRAIN));
        let paths = paths.filter(|path| path.parent().is_some_and(|dir| dir.ends_with(&own)));
        let texts = paths.map(read).collect::<anyhow::Result<Vec<_>>>()?;
        drop_ins.insert(unit.name.clone(), texts.into_iter().flatten().collect());
    }
    Ok(drop_ins)
}

/// Why there is something to do; nothing if the release of the checkout is the one that serves.
pub(super) fn changes(
    plan: &ReleasePlan,
    preflight: &Preflight,
    records: &[Record],
    contents: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut changes = Vec::new();
    let serving = serving(records);
    match serving {
        Some(last) if last.contents == *contents => {
            if plan.snapshot.link != last.folder {
                changes.push(format!(
                    "`{}` does not lead to release {}",
                    preflight.layout.install_dir.display(),
                    last.id
                ));
            }
        }
        Some(last) => changes.push(format!("the files are others than those of release {}", last.id)),
        None => changes.push("nothing was deployed from here yet".to_owned()),
    }
    if plan.env.content.is_some() {
        let names: Vec<String> =
            plan.env.added.iter().chain(&plan.env.taken_over).map(|name| format!("`{name}`")).collect();
        let what = if plan.env.is_there { format!("gets {}", names.join(", ")) } else { "is new".to_owned() };
        changes.push(format!("`{}` {what}", preflight.layout.env_file.display()));
    }
    for (name, was_there) in &plan.snapshot.files {
        changes.push(format!("`{name}` {}", if *was_there { "has changed" } else { "is new" }));
    }
    let Restarts { services, triggers, targets } = &plan.restarts;
    for service in [services, triggers, targets].into_iter().flatten() {
        let unit = preflight.shown.iter().find(|unit| unit.name == *service);
        if plan.snapshot.files.get(service) == Some(&false) {
            continue;
        }
        match unit {
            Some(unit) if !unit.is_active() => changes.push(format!("`{service}` is {}", unit.get("ActiveState"))),
            Some(unit) if is_older_than(unit, &preflight.layout.env_file) => {
                changes.push(format!(
                    "`{}` was changed since `{service}` was started",
                    preflight.layout.env_file.display()
                ));
            }
            _ => {}
        }
    }
    changes
}

/// Whether a file was changed after a unit was started.
fn is_older_than(unit: &Unit, file: &Path) -> bool {
    let since = uptime().saturating_sub(Duration::from_micros(unit.number("ActiveEnterTimestampMonotonic")));
    let changed = file.metadata().and_then(|metadata| metadata.modified());
    changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age < since))
}

/// The folders that go with the records that are going to go: those that a deploy has made, and that hold nothing else.
pub(super) fn pruned(records: &Records<'_>, record: &Record, root: &Root) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = candidates(records, record)?;
    let mut removable = Vec::new();
    for folder in folders.drain(..) {
        if data::is_removable(&folder, root)? {
            removable.push(folder);
        }
    }
    Ok(removable)
}

/// The folders of releases whose records are too old, and that nothing refers to any more. One that was adopted is never
/// among them: it is the operator's.
pub(super) fn candidates(records: &Records<'_>, record: &Record) -> anyhow::Result<Vec<PathBuf>> {
    let (left, pruned) = records.kept_with(record)?;
    let is_used = |folder: &PathBuf| left.iter().any(|record| record.folder.as_ref() == Some(folder));
    let folders = pruned.into_iter().filter(|record| !record.is_adopted()).filter_map(|record| record.folder);
    let mut folders: Vec<PathBuf> = folders.filter(|folder| !is_used(folder) && folder.is_dir()).collect();
    folders.dedup();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(install_dir: PathBuf) -> Layout {
        Layout { install_dir, ..Layout::of_a_shop() }
    }

    #[test]
    fn the_install_folder_is_a_link_or_adopted_or_missing() {
        let dir = tempfile::tempdir().expect("a folder");
        let layout = layout(dir.path().join("shop"));
        assert_eq!(link_of(&layout).expect("readable"), (None, None));
        std::os::unix::fs::symlink("/srv/release", &layout.install_dir).expect("linked");
        assert_eq!(link_of(&layout).expect("readable"), (Some("/srv/release".into()), None));
        fs::remove_file(&layout.install_dir).expect("removed");
        fs::create_dir(&layout.install_dir).expect("a folder");
        let (link, adopted) = link_of(&layout).expect("readable");
        let adopted = adopted.expect("a place for the folder");
        assert!(link.is_none() && adopted.starts_with(layout.releases()), "{}", adopted.display());
        assert!(adopted.to_string_lossy().ends_with("-adopted"), "{}", adopted.display());
    }
}
