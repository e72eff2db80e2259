//! Operating the units of a service between its deploys: its releases, its log, and stopping and starting it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::time::Duration;

use ::systemd::{Unit, UnitFile, UnitKind};
use envfile::EnvFile;
use project::secret::Secrets;
use project::text::listed;

use super::Systemd;
use super::layout::Layout;
use super::manager::{self, Manager};
use super::restarts::{file_of, is_job};
use super::root::{Root, Step};
use super::target;
use crate::backend::Backend;
use crate::context::Context;
use crate::failure::{Exit, Failure, Problem};
use crate::manage::Invocation;
use crate::operate::{Log, LogRequest, Started, Stopped};
use crate::record::Releases;

/// The time that systemd has to kill a unit that did not stop.
const SLACK: Duration = Duration::from_secs(30);

/// Returns the releases that were deployed to this machine.
///
/// # Errors
/// If a record cannot be read.
pub fn releases(context: &Context<'_>) -> anyhow::Result<Releases> {
    target::records(&Layout::of(context.project), None, context.project).releases()
}

/// Returns the command that prints the journal of the service's units, with the secrets that are redacted in it. Both are
/// for root alone: `sudo` may ask for a password.
///
/// # Errors
/// If no unit is installed, a unit is unknown, or `sudo` is not granted.
pub fn log(request: &LogRequest, own_env_file: &EnvFile, context: &Context<'_>) -> anyhow::Result<Log> {
    let layout = Layout::of(context.project);
    let units = Units::find(context, &layout, &Secrets::of([own_env_file]))?;
    let installed: Vec<&str> = units.shown.iter().map(|unit| unit.name.as_str()).collect();
    let mut wanted = Vec::new();
    for name in &request.services {
        let short =
            |unit: &&&str| ["", "-"].iter().any(|dash| **unit == format!("{}{dash}{name}.service", layout.name));
        let unit = installed.iter().find(|unit| **unit == name || unit.rsplit_once('.').is_some_and(|it| it.0 == name));
        let Some(unit) = unit.or_else(|| installed.iter().find(short)) else {
            let known = listed(&installed);
            return Err(Failure::usage(format!("there is no unit `{name}`: the service has {known}")).into());
        };
        wanted.push(*unit);
    }
    let root = ask_root(context)?;
    let path = &layout.env_file;
    let env_file = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(_) => root.run(&Step::new("cat", [path.display()]))?.into_bytes(),
    };
    let secrets = Secrets::of([own_env_file, &EnvFile::parse(&env_file)]);
    let mut words = vec!["journalctl".to_owned(), "--no-pager".to_owned(), "--output=short-iso".to_owned()];
    words.extend(request.is_followed.then(|| "--follow".to_owned()));
    words.extend(request.lines.map(|lines| format!("--lines={lines}")));
    words.extend(request.since.map(|since| format!("--since=@{}", since.as_secs())));
    let wanted = if wanted.is_empty() { installed } else { wanted };
    words.extend(wanted.iter().map(|unit| format!("--unit={unit}")));
    let sudo: &[&str] = if context.uid == 0 { &[] } else { &["sudo", "-n", "--"] };
    let words = sudo.iter().map(|word| (*word).to_owned()).chain(words).map(OsString::from);
    let secrets = secrets.and(context.host_facts.secrets.iter().cloned());
    Ok(Log { invocation: Invocation::new(words), removed: Vec::new(), secrets })
}

/// Stops the units of the service, each within its `TimeoutStopSec`: sockets, timers and paths with the services, so that
/// nothing starts one again. A job that runs is left to its end. What was stopped is noted until the next start of the
/// machine, which starts the enabled units.
///
/// # Errors
/// If no unit is installed, another run holds the lock, `sudo` is not granted, or a unit does not stop.
pub fn stop(context: &Context<'_>) -> anyhow::Result<Stopped> {
    let (layout, secrets) = (Layout::of(context.project), Secrets::default());
    let _lock = take_lock(context)?;
    let units = Units::find(context, &layout, &secrets)?;
    let is_up = |unit: &&Unit| unit.is_active() || unit.get("ActiveState") == "activating";
    let is_lasting = |unit: &&Unit| file_of(&units.files, &unit.name).is_none_or(|file| !is_job(file, &units.files));
    let running = units.shown.iter().filter(is_up).filter(is_lasting);
    let names: Vec<String> = running.map(|unit| unit.name.clone()).collect();
    if names.is_empty() || context.is_dry_run {
        return Ok(Stopped { names });
    }
    let root = ask_root(context)?;
    let mut noted = noted(&layout);
    noted.extend(names.iter().filter(|name| !noted.contains(name)).cloned().collect::<Vec<_>>());
    let note = Step::new("install -m 644 /dev/stdin", [layout.stopped_file().display()]).stdin(noted.join("\n"));
    root.run(&note)?;
    stop_units(&names, &units, &root, context)?;
    Ok(Stopped { names })
}

/// Stops units, each within its `TimeoutStopSec`, and waits until they have ended.
pub(super) fn stop_units(names: &[String], units: &Units, root: &Root, context: &Context<'_>) -> anyhow::Result<()> {
    let secrets = Secrets::default();
    let running = units.shown.iter().filter(|unit| names.contains(&unit.name));
    let patience =
        running.map(|unit| manager::stop_time(unit.get("TimeoutStopUSec"))).max().unwrap_or_default() + SLACK;
    let manager = Manager { root, events: context.events, secrets: &secrets, interrupt: context.interrupt };
    context.events.step("systemctl stop", || {
        root.run(&Step::new("systemctl stop --no-block --", names))?;
        if manager.have_ended(names, patience)? {
            return Ok(());
        }
        context.interrupt.check("systemctl stop")?;
        let message = format!("{} did not stop in time", listed(names));
        Err(anyhow::Error::from(Failure::new(Exit::Failed, Problem::new(message).hint("systemctl list-jobs"))))
    })
}

/// Starts the units that [`stop`] has stopped; without such a note, the enabled ones that do not run.
///
/// # Errors
/// If no unit is installed, another run holds the lock, `sudo` is not granted, or a unit does not start.
pub fn start(context: &Context<'_>) -> anyhow::Result<Started> {
    let (layout, secrets) = (Layout::of(context.project), Secrets::default());
    let _lock = take_lock(context)?;
    let units = Units::find(context, &layout, &secrets)?;
    let noted = noted(&layout);
    let is_wanted = |unit: &&Unit| {
        if noted.is_empty() { unit.get("UnitFileState") == "enabled" } else { noted.contains(&unit.name) }
    };
    let stopped = units.shown.iter().filter(is_wanted).filter(|unit| !unit.is_active());
    let names: Vec<String> = stopped.map(|unit| unit.name.clone()).collect();
    if context.is_dry_run {
        return Ok(Started { names });
    }
    let root = ask_root(context)?;
    if !names.is_empty() {
        context.events.step("systemctl start", || root.run(&Step::new("systemctl start --", &names)))?;
    }
    root.run(&Step::new("rm -f", [layout.stopped_file().display()]))?;
    Ok(Started { names })
}

/// Returns the units that a stop has noted.
fn noted(layout: &Layout) -> Vec<String> {
    let text = fs::read_to_string(layout.stopped_file()).unwrap_or_default();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

pub(super) fn take_lock(context: &Context<'_>) -> anyhow::Result<Option<Box<subprocess::Held>>> {
    if context.is_dry_run { Ok(None) } else { Systemd::lock(context) }
}

pub(super) fn ask_root(context: &Context<'_>) -> anyhow::Result<Root> {
    Root::ask(context).map_err(|problem| Failure::new(Exit::NotMet, problem).into())
}

/// The units of a service that systemd can start and stop.
pub(super) struct Units {
    pub(super) files: Vec<UnitFile>,
    /// The state of those that are installed.
    pub(super) shown: Vec<Unit>,
}

impl Units {
    /// Finds the unit files of the checkout, and the units of the machine that are made of them.
    pub(super) fn find(context: &Context<'_>, layout: &Layout, secrets: &Secrets) -> anyhow::Result<Self> {
        let not_met =
            |message: String| Failure::new(Exit::NotMet, Problem::new(message).hint("cargo xtask deploy-systemd"));
        if !context.host_facts.has_systemd {
            return Err(not_met("systemd does not run here (it is not PID 1)".to_owned()).into());
        }
        let files = UnitFile::all(&context.project.unit_dir())?;
        let (templates, plain): (Vec<&UnitFile>, Vec<&UnitFile>) = files.iter().partition(|file| file.is_template());
        let mut names: Vec<String> = plain.iter().map(|file| file.name.clone()).collect();
        names.extend(manager::instances(templates.iter().map(|template| template.name.as_str()), secrets)?);
        names.push(layout.main_unit());
        names.retain(|name| UnitKind::of(name).is_some_and(UnitKind::is_started));
        names.sort();
        names.dedup();
        let mut shown = manager::show(&names, secrets)?;
        shown.retain(Unit::is_installed);
        if shown.is_empty() {
            return Err(not_met(format!("no unit of `{}` is installed", layout.name)).into());
        }
        Ok(Units { files, shown })
    }
}
