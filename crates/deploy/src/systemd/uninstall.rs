//! Removing a service from a machine: its units, its releases, the link and the system env file.

use std::fs;
use std::path::PathBuf;

use project::secret::Secrets;

use super::data;
use super::env_file::HEADER;
use super::layout::Layout;
use super::operate::{self, Units, ask_root, take_lock};
use super::root::{Root, Step};
use super::target;
use crate::context::Context;
use crate::uninstall::{Data, Options, Plan, Uninstalled};

/// The things of a service on this machine.
#[derive(Default)]
struct Found {
    /// The unit files that are as a deploy has written them.
    units: Vec<String>,
    /// The link to the release that serves.
    link: Option<PathBuf>,
    env_file: Option<PathBuf>,
    /// The folders of releases in which there is nothing else.
    releases: Vec<PathBuf>,
    has_records: bool,
}

/// Removes the service, after consent. A unit file or an env file that the operator has written or changed stays.
///
/// # Errors
/// If the operator declines, another run holds the lock, `sudo` is not granted, or a step fails.
pub fn uninstall(options: &Options, context: &Context<'_>) -> anyhow::Result<Uninstalled> {
    let layout = Layout::of(context.project);
    let units = Units::find(context, &layout, &Secrets::default())?;
    let root = ask_root(context)?;
    let _lock = take_lock(context)?;
    let (found, mut plan) = find(&units, &layout, &root, context)?;
    plan.add_checkout(options);
    if let Some(result) = plan.accept(options, context)? {
        return Ok(result);
    }
    let stopped: Vec<String> = units.shown.iter().map(|unit| unit.name.clone()).collect();
    let made_of_these =
        |name: &&String| units.files.iter().any(|file| found.units.contains(&file.name) && file.defines(name));
    let stopped: Vec<&String> = stopped.iter().filter(made_of_these).collect();
    if !stopped.is_empty() {
        operate::stop_units(&stopped.iter().map(|name| (*name).clone()).collect::<Vec<_>>(), &units, &root, context)?;
        // Others are started by these, and have no links.
        let is_enabled = |name: &&&String| {
            units.shown.iter().any(|it| it.name == ***name && it.get("UnitFileState").starts_with("enabled"))
        };
        let enabled: Vec<_> = stopped.iter().filter(is_enabled).collect();
        if !enabled.is_empty() {
            context
                .events
                .step("systemctl disable", || root.run(&Step::new("systemctl disable --quiet --", enabled)))?;
        }
    }
    context.events.step("units, releases and env file", || root.run_all(&steps(&found, &layout)))?;
    // A unit that has failed is remembered; one that has not is no error.
    root.attempt(&Step::new("systemctl reset-failed --", &stopped))?;
    for data in &options.data {
        root.run(&Step::new("rm -rf --one-file-system --", [data]))?;
    }
    // A run that begins now makes a new one: nothing is left that it could disturb.
    root.run(&Step::new("rm -rf --", [layout.lock_dir().display()]))?;
    Ok(Uninstalled::Removed)
}

fn find(units: &Units, layout: &Layout, root: &Root, context: &Context<'_>) -> anyhow::Result<(Found, Plan)> {
    let (mut found, mut plan) = (Found::default(), Plan::default());
    let live = fs::read_link(&layout.install_dir).ok().filter(|link| link.starts_with(layout.releases()));
    for file in &units.files {
        let path = layout.unit_file(&file.name);
        let Ok(installed) = fs::read_to_string(&path) else { continue };
        let deployed = live.as_ref().map(|live| fs::read_to_string(live.join(&layout.unit_dir).join(&file.name)));
        if deployed.is_some_and(|deployed| deployed.is_ok_and(|deployed| deployed == installed)) {
            plan.created.push(format!("unit `{}`", file.name));
            found.units.push(file.name.clone());
        } else {
            plan.left.push(format!("`{}`, which is not as a deploy has written it", path.display()));
        }
        let drop_ins = path.with_file_name(format!("{}.d", file.name));
        if drop_ins.is_dir() {
            plan.left.push(format!("`{}`, the drop-ins of the operator", drop_ins.display()));
        }
    }
    if let Some(live) = live {
        plan.created.push(format!("link `{}` to `{}`", layout.install_dir.display(), live.display()));
        found.link = Some(layout.install_dir.clone());
    }
    for record in target::records(layout, None, context.project).all()? {
        found.has_records = true;
        let Some(folder) = record.folder.clone().filter(|folder| folder.is_dir() && !found.releases.contains(folder))
        else {
            continue;
        };
        if record.is_adopted() {
            plan.left.push(format!("`{}`, the folder from before the first deploy", folder.display()));
        } else if data::is_removable(&folder, root)? {
            plan.created.push(format!("release `{}`", folder.display()));
            found.releases.push(folder);
        } else {
            plan.left.push(format!("`{}`, which has files that no release has", folder.display()));
        }
    }
    if found.has_records {
        plan.created.push(format!("the records of the deploys, in `{}`", layout.records().display()));
    }
    let env_file = &layout.env_file;
    if let Some(text) = read(env_file, root)? {
        if text.starts_with(HEADER) {
            plan.created.push(format!("`{}`, with its secrets", env_file.display()));
            found.env_file = Some(env_file.clone());
        } else {
            plan.left.push(format!("`{}`", env_file.display()));
        }
    }
    let state = layout.state_dir();
    if state.is_dir() {
        let contents = "the state of the service, such as its database, copies of that, and uploads";
        plan.data.push(Data { name: state.display().to_string(), contents });
    }
    Ok((found, plan))
}

/// Returns the text of a file of root; `None` if there is none.
fn read(path: &std::path::Path, root: &Root) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(_) => {
            let finished = root.attempt(&Step::new("cat", [path.display()]))?;
            Ok(finished.is_success().then(|| finished.stdout().to_owned()))
        }
    }
}

fn steps(found: &Found, layout: &Layout) -> Vec<Step> {
    let mut steps = Vec::new();
    let files = found.units.iter().map(|unit| layout.unit_file(unit)).chain(found.link.clone());
    let files: Vec<String> = files.chain(found.env_file.clone()).map(|path| path.display().to_string()).collect();
    if !files.is_empty() {
        steps.push(Step::new("rm -f --", files));
    }
    steps.push(Step::new("systemctl daemon-reload", [""; 0]));
    let folders = found.releases.iter().cloned().chain(found.has_records.then(|| layout.records()));
    let folders: Vec<String> = folders.map(|path| path.display().to_string()).collect();
    if !folders.is_empty() {
        steps.push(Step::new("rm -rf --one-file-system --", folders));
    }
    let parents = [Some(layout.releases()), found.env_file.as_ref().and_then(|file| file.parent()).map(Into::into)];
    let parents: Vec<PathBuf> = parents.into_iter().flatten().filter(|folder| folder.is_dir()).collect();
    if !parents.is_empty() {
        let words = "rmdir --ignore-fail-on-non-empty --";
        steps.push(Step::new(words, parents.iter().map(|path| path.display())));
    }
    let run = [layout.stopped_file(), layout.migrate_results()];
    steps.push(Step::new("rm -f --", run.iter().map(|path| path.display())));
    steps
}
