//! `cargo xtask health`: runs the checks, reports them, and fixes problems with `--fix`.

mod fix;
mod list;

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use checks::catalogue::Selection;
use checks::report::{self, Colors};
use checks::{CheckName, Event, Limits, Outcome, Report, Target, plan, run_again};
use detect::ENV_FILE;

use crate::cli::{self, ReportFormat};
use crate::context::Context;
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;
use crate::spinner::Spinner;

/// The pause before the first further attempt; each one after is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &cli::Health, context: &Context<'_>) -> anyhow::Result<Exit> {
    let selection = Selection { only: args.only.clone(), skip: args.skip.clone() };
    let deferred = Deferred::begin()?;
    let health_run = HealthRun { args, context, selection: &selection, deferred: &deferred };
    if args.list {
        let target = health_run.survey();
        deferred.check("health --list")?;
        list::print(&target, context);
        return Ok(Exit::Done);
    }
    let output = args.output.as_deref().filter(|path| *path != Path::new("-"));
    if let Some(path) = output {
        is_writable(path)?;
    }
    let mut report = if args.fix { fix::run(&health_run)? } else { health_run.examine(None)? };
    let is_healthy = health_run.is_healthy(&report);
    drop(deferred);
    report.outcomes = report.outcomes.into_iter().map(|outcome| context.ui.typed_outcome(outcome)).collect();
    publish(&report, output, args, context)?;
    Ok(if is_healthy { Exit::Done } else { Exit::Failed })
}

/// The parts of a health run.
struct HealthRun<'a> {
    args: &'a cli::Health,
    context: &'a Context<'a>,
    selection: &'a Selection,
    deferred: &'a Deferred,
}

impl HealthRun<'_> {
    /// Runs all checks except those that succeeded in a previous report; with `--wait` retries the failed ones.
    fn examine(&self, previous: Option<Report>) -> anyhow::Result<Report> {
        let HealthRun { args, deferred, .. } = self;
        let started = Instant::now();
        let mut report = self.attempt(previous, args.deadline, started)?;
        let Some(end) = args.wait.map(|wait| started + wait) else { return Ok(report) };
        let mut pause = FIRST_PAUSE;
        let mut shown = String::new();
        while !self.is_healthy(&report) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let names = self.failures(&report);
            if names != shown {
                self.context.ui.note(format_args!("not healthy yet: {names}; retrying for {} s", left.as_secs()));
                shown = names;
            }
            deferred.pause(pause.min(left));
            pause = (pause * 2).min(LONGEST_PAUSE);
            let left = end.saturating_duration_since(Instant::now());
            // The last attempt gets the time to be an attempt at all.
            report = self.attempt(Some(report), args.deadline.min(left.max(args.timeout)), started)?;
        }
        Ok(report)
    }

    /// Runs the checks without a success so far, in the present state of the project.
    fn attempt(&self, previous: Option<Report>, deadline: Duration, started: Instant) -> anyhow::Result<Report> {
        let HealthRun { args, context, deferred, .. } = self;
        let spinner = context.ui.spinner("health");
        let target = Arc::new(self.survey());
        let probes = plan(&target);
        let limits = Limits { timeout: args.timeout, deadline };
        let previous = previous.map(|report| report.outcomes).unwrap_or_default();
        let mut waiting = Waiting { spinner: &spinner, checks: Vec::new() };
        let outcomes =
            run_again(probes, previous, args.strict, limits, &deferred.flag(), &mut |event| waiting.note(&event));
        drop(spinner);
        deferred.check("health")?;
        self.is_answered(&outcomes)?;
        Ok(Report {
            environment: target.environment.clone(),
            deploy_method: target.deploy_method.clone(),
            mode: target.mode.clone(),
            outcomes,
            elapsed: started.elapsed(),
        })
    }

    /// Returns an error for selected checks without an outcome: a run without results must not look healthy.
    fn is_answered(&self, outcomes: &[Outcome]) -> anyhow::Result<()> {
        let unanswered: Vec<_> = self.selection.unanswered(outcomes).map(|name| format!("`{name}`")).collect();
        let message = match unanswered.as_slice() {
            [] if outcomes.is_empty() => "`--only` and `--skip` leave nothing to check".to_owned(),
            [] => return Ok(()),
            names => format!("there is no service or unit of this name here: {}", names.join(", ")),
        };
        Err(Failure::new(Exit::Usage, Problem::new(message).hint("cargo xtask health --list")).into())
    }

    /// Whether nothing makes the run fail.
    fn is_healthy(&self, report: &Report) -> bool {
        report.outcomes.iter().all(|outcome| !outcome.status.is_failure(self.args.strict))
    }

    /// Returns the names of the failed checks.
    fn failures(&self, report: &Report) -> String {
        let failures = report.outcomes.iter().filter(|outcome| outcome.status.is_failure(self.args.strict));
        failures.map(|outcome| &*outcome.name).collect::<Vec<_>>().join(", ")
    }

    fn survey(&self) -> Target {
        let HealthRun { args, context, selection, deferred } = self;
        let (project, host_facts) = (context.project.clone(), &context.host.facts);
        Target::survey(project, host_facts, (*selection).clone(), args.timeout.min(args.deadline), deferred.flag())
    }
}

/// The checks that are being waited for, as a spinner shows them.
struct Waiting<'a> {
    spinner: &'a Spinner,
    checks: Vec<CheckName>,
}

impl Waiting<'_> {
    fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Asked(checks) => self.checks.extend_from_slice(checks),
            Event::Answered(checks) => self.checks.retain(|check| !checks.contains(check)),
        }
        self.spinner.set_title(self.checks.iter().map(|check| &**check).collect::<Vec<_>>().join(", "));
    }
}

/// Checks the output file before the checks run. Its content stays until there is a report, and a new file is not left
/// behind without one.
fn is_writable(path: &Path) -> anyhow::Result<()> {
    let is_new = !path.exists();
    let opened = File::options().append(true).create(true).open(path);
    opened.map_err(|error| Failure::usage(format!("cannot write `{}`: {error}", path.display())))?;
    if is_new {
        fs::remove_file(path).with_context(|| format!("cannot remove `{}`", path.display()))?;
    }
    Ok(())
}

fn publish(report: &Report, output: Option<&Path>, args: &cli::Health, context: &Context<'_>) -> anyhow::Result<()> {
    let ui = context.ui;
    let colors = if output.is_some() { Colors { has_color: false } } else { ui.out() };
    let text = match args.format {
        ReportFormat::Human => elsewhere(context) + &report::human(report, colors, ui.is_verbose()),
        ReportFormat::Json => report::json(report)?,
        ReportFormat::Junit => report::junit(report, args.strict)?,
        ReportFormat::Markdown => report::markdown(report),
        ReportFormat::Prometheus => report::prometheus(report, &context.project.settings.name, SystemTime::now()),
        ReportFormat::Github => report::github(report, &shown_env_file(context), args.strict),
    };
    let Some(path) = output else {
        return ui.results(&text).context("cannot write the report");
    };
    write_whole(path, &text).with_context(|| format!("cannot write `{}`", path.display()))?;
    ui.note(format_args!("{}: `{}`", report::verdict(report, ui.err()), path.display()));
    Ok(())
}

/// Writes a file as a whole or not at all: another program may read it at any moment, such as `node_exporter`. A device or a
/// pipe is written as it is.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let is_file = fs::symlink_metadata(path).map_or(true, |metadata| metadata.is_file());
    let Some(name) = path.file_name().filter(|_| is_file) else { return fs::write(path, text) };
    let partial = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), process::id()));
    fs::write(&partial, text)?;
    if let Ok(metadata) = fs::metadata(path) {
        fs::set_permissions(&partial, metadata.permissions())?;
    }
    fs::rename(&partial, path)
}

/// Where the commands of the report are to be typed, if that is not here.
fn elsewhere(context: &Context<'_>) -> String {
    let root = &context.project.root;
    let is_here = context.host.current_dir.as_ref().is_ok_and(|dir| dir.canonicalize().is_ok_and(|dir| dir == *root));
    if is_here { String::new() } else { format!("project        {}\n", root.display()) }
}

/// `.env` as GitHub finds it: from the root of the repository, where that is known, else from here.
fn shown_env_file(context: &Context<'_>) -> String {
    let path = context.project.env_file();
    let from = context.host.github_workspace.as_ref().or(context.host.current_dir.as_ref().ok());
    let relative = from.and_then(|from| path.strip_prefix(from).ok()).unwrap_or(ENV_FILE.as_ref());
    relative.display().to_string()
}
