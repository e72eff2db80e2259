//! `cargo xtask health`: asks whether everything is well, tells it, and mends what loses nothing.

mod fix;
mod list;

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use checks::catalogue::Selection;
use checks::report::{self, Ink};
use checks::{Event, Limits, Report, Site, Status, plan, run_again};
use detect::ENV_FILE;

use crate::cli::{self, ReportFormat};
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;
use crate::ui::Spinner;
use crate::world::World;

/// The pause before the first further attempt; each one after is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &cli::Health, world: &World<'_>) -> anyhow::Result<Exit> {
    let selection = Selection { only: args.only.clone(), skip: args.skip.clone() };
    if args.list {
        list::print(&selection, world);
        return Ok(Exit::Done);
    }
    if let Some(path) = &args.output {
        is_writable(path)?;
    }
    let deferred = Deferred::begin()?;
    let doctor = Doctor { args, world, selection: &selection, deferred: &deferred };
    let report = if args.fix { fix::run(&doctor)? } else { doctor.examine()? };
    drop(deferred);
    let is_well = report.count(Status::Err) == 0 && !(args.strict && report.count(Status::Warn) > 0);
    publish(&report, args, world)?;
    Ok(if is_well { Exit::Done } else { Exit::Failed })
}

/// What an examination takes.
struct Doctor<'a> {
    args: &'a cli::Health,
    world: &'a World<'a>,
    selection: &'a Selection,
    deferred: &'a Deferred,
}

impl Doctor<'_> {
    /// Asks everything, and with `--wait` again what is not well.
    fn examine(&self) -> anyhow::Result<Report> {
        let Doctor { args, deferred, .. } = self;
        let started = Instant::now();
        let mut report = self.attempt(None, args.deadline, started)?;
        let Some(end) = args.wait.map(|wait| started + wait) else { return Ok(report) };
        let mut pause = FIRST_PAUSE;
        let mut told = String::new();
        while report.count(Status::Err) > 0 {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let names = names_of_err(&report);
            if names != told {
                self.world.ui.note(format_args!("not well yet: {names}; trying again for {} s", left.as_secs()));
                told = names;
            }
            deferred.pause(pause.min(left));
            pause = (pause * 2).min(LONGEST_PAUSE);
            let left = end.saturating_duration_since(Instant::now());
            // The last attempt gets the time to be an attempt at all.
            report = self.attempt(Some(report), args.deadline.min(left.max(args.timeout)), started)?;
        }
        Ok(report)
    }

    /// Asks what is not known to be well, in the world as it is now.
    fn attempt(&self, previous: Option<Report>, deadline: Duration, started: Instant) -> anyhow::Result<Report> {
        let Doctor { args, world, deferred, .. } = self;
        let site = Arc::new(self.survey());
        let probes = plan(&site);
        let limits = Limits { timeout: args.timeout, deadline };
        let spinner = world.ui.spinner("health");
        let previous = previous.map(|report| report.outcomes).unwrap_or_default();
        let mut waiting = Waiting { spinner: &spinner, checks: Vec::new() };
        let outcomes = run_again(probes, previous, limits, &deferred.flag(), &mut |event| waiting.note(&event));
        drop(spinner);
        deferred.check("health")?;
        if outcomes.is_empty() {
            let names: Vec<_> = self.selection.only.iter().map(|selector| format!("`{selector}`")).collect();
            let message = match names.as_slice() {
                [] => "`--skip` leaves nothing to check".to_owned(),
                names => format!("{} names nothing that can be checked here", names.join(", ")),
            };
            let problem = Problem::new(message).hint("cargo xtask health --list");
            return Err(Failure::new(Exit::Usage, problem).into());
        }
        Ok(Report {
            environment: site.environment.clone(),
            deploy_method: site.deploy_method.clone(),
            mode: site.mode.clone(),
            outcomes,
            elapsed: started.elapsed(),
        })
    }

    fn survey(&self) -> Site {
        Site::survey(self.world.project.clone(), &self.world.host.machine, self.selection.clone())
    }
}

fn names_of_err(report: &Report) -> String {
    let names = report.outcomes.iter().filter(|outcome| outcome.status == Status::Err);
    names.map(|outcome| &*outcome.name).collect::<Vec<_>>().join(", ")
}

/// The checks that are being waited for, as a spinner shows them.
struct Waiting<'a> {
    spinner: &'a Spinner,
    checks: Vec<&'static str>,
}

impl Waiting<'_> {
    fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Asked(checks) => self.checks.extend(*checks),
            Event::Answered(checks) => self.checks.retain(|check| !checks.contains(check)),
        }
        self.spinner.tell(self.checks.join(", "));
    }
}

/// Finds out before anything is asked. What stands in the file stays until there is a report.
fn is_writable(path: &Path) -> anyhow::Result<()> {
    let opened = File::options().append(true).create(true).open(path);
    opened.map(drop).map_err(|error| Failure::usage(format!("cannot write `{}`: {error}", path.display())).into())
}

fn publish(report: &Report, args: &cli::Health, world: &World<'_>) -> anyhow::Result<()> {
    let ui = world.ui;
    let ink = if args.output.is_some() { Ink { has_color: false } } else { ui.out() };
    let text = match args.format {
        ReportFormat::Human => report::human(report, ink, ui.is_verbose()),
        ReportFormat::Json => report::json(report)?,
        ReportFormat::Junit => report::junit(report, args.strict)?,
        ReportFormat::Github => report::github(report, &shown_env_file(world), args.strict),
    };
    let Some(path) = &args.output else {
        ui.results(&text);
        return Ok(());
    };
    fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    ui.note(format_args!("{}: `{}`", report::verdict(report, ui.err()), path.display()));
    Ok(())
}

/// `.env` as GitHub finds it: from the folder that the workflow runs in.
fn shown_env_file(world: &World<'_>) -> String {
    let path = world.project.env_file();
    let here = world.host.current_dir.as_ref().ok();
    let relative = here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(ENV_FILE.as_ref());
    relative.display().to_string()
}
