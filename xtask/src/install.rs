//! `cargo xtask install`: from a fresh checkout to a running service.

mod answers;
mod axes;
mod env_file;
mod failed;
mod key;
mod preflight;
mod settle;
mod steps;
mod summary;

use std::fmt;

use checks::report::{BOLD, DIM};
use detect::{DeployMethod, ENV_FILE, Environment};
use envfile::{EnvFile, Saved, Undo};
use project::Lock;
use project::secret::Secrets;

use crate::cli;
use crate::context::Context;
use crate::deploy;
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;
use crate::prompt::{self, Dialogue};
use ::deploy::{compose, systemd};
use axes::Axes;
use env_file::Preview;
use preflight::{Found, Tools};
use settle::Files;
use steps::InstallContext;
use summary::Summary;

pub(crate) fn run(args: &cli::Install, context: &Context<'_>) -> anyhow::Result<Exit> {
    let Context { ui, project, .. } = context;
    let existing = context.env_file()?;
    let sample = envfile::read(project.sample_file())?.unwrap_or_default();
    let known = existing.iter().chain([&sample]).flat_map(EnvFile::keys);
    let given = answers::collect(args, &project.names, &known.collect::<Vec<_>>())?;

    let files = |axes| Files {
        existing: existing.as_ref(),
        sample: &sample,
        sample_name: project.sample_name(),
        names: &project.names,
        previous: existing.as_ref().map(|file| axes::of(file, context)).filter(|previous| *previous != axes),
    };
    let dialogue = Dialogue::default();
    if context.is_interactive() {
        env_file::check_writable(&given, existing.as_ref().unwrap_or(&sample), &sample)?;
        // No answer is lost to a run that was there before.
        if !context.common.dry_run && project.state_dir().is_dir() {
            drop(Lock::take(project).map_err(Failure::from)?);
        }
        let keys = "Up: the question before. Ctrl-C: leave, nothing is changed.";
        ui.note(ui.err().style(DIM, keys));
    }
    let mut found: Option<(Axes, Found)> = None;
    let (axes, settings, preview) = dialogue.run(|| {
        let axes = axes::ask(args, &given, existing.as_ref(), context, &dialogue)?;
        let files = files(axes);
        let found_now = match found.take() {
            // One step back is no reason to look for the tools again.
            Some((for_axes, found)) if for_axes == axes => found,
            _ => preflight::run(axes, args, existing.as_ref().unwrap_or(&sample), context)?,
        };
        let (_, found) = found.insert((axes, found_now));
        preflight::consent(found, context, &dialogue)?;
        let settings = settle::run(axes, args, &given, &files, context, &dialogue)?;
        let preview = Preview::of(&settings, &files, found.is_private)?;
        if !context.common.dry_run {
            review(&preview, &files, context, &dialogue)?;
        }
        Ok((axes, settings, preview))
    })?;
    let files = files(axes);
    let tools = found.and_then(|(_, found)| found.tools);
    if context.common.dry_run {
        print_plan(axes, tools.as_ref(), &preview, &files, args.no_deploy, context);
        return Ok(Exit::Done);
    }
    let lock = Lock::take(project).map_err(Failure::from)?;
    if context.env_file()? != existing {
        let problem =
            Problem::new(format!("`{ENV_FILE}` was changed by another process meanwhile: nothing was changed"));
        return Err(Failure::new(Exit::Failed, problem.hint("cargo xtask install")).into());
    }
    // From here on there are programs to wait for, and then something to undo.
    let deferred = Deferred::begin()?;
    // Before the steps, so that answers survive one that fails.
    let saved = env_file::write(project, &settings, &files)?;
    let secrets = Secrets::of([&preview.after]).and(context.host.facts.secrets.iter().cloned());
    let work = || {
        deferred.check("install")?;
        let Some(tools) = &tools else { return Ok(None) };
        let (environment, env_file) = (axes.environment, &preview.after);
        let (venv, secrets, deferred) = (&context.venv(env_file), &secrets, &deferred);
        let install_context = InstallContext { project, venv, ui, environment, tools, env_file, secrets, deferred };
        steps::run(&install_context).map(Some)
    };
    let done = match work() {
        Ok(done) => done,
        Err(error) if Exit::of(&error) == Exit::Interrupted => return Err(undo(saved, &error)),
        Err(error) => return Err(failed::with_next_step(&error, args, context)),
    };
    drop(deferred);
    // A deployer takes it anew.
    drop(lock);

    ui.blank_line();
    let is_deployed_next = match deployer(axes, args.no_deploy) {
        Some(Deployer::Docker) => true,
        Some(Deployer::Systemd) => !context.is_interactive(),
        None => false,
    };
    let (settings, preview, done) = (&settings, &preview, done.as_ref());
    summary::print(&Summary { axes, settings, preview, done, is_deployed_next }, context);
    hand_over(axes, args.no_deploy, context)
}

/// The answers to the last question before anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Review {
    Write,
    Edit,
    Stop,
}

impl fmt::Display for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Review::Write => "write",
            Review::Edit => "edit",
            Review::Stop => "stop",
        })
    }
}

/// Shows the changes, and asks whether to make them.
fn review(preview: &Preview, files: &Files<'_>, context: &Context<'_>, dialogue: &Dialogue) -> anyhow::Result<()> {
    let ui = context.ui;
    ui.blank_line();
    if preview.is_unchanged() {
        ui.done(ENV_FILE, "as it should be");
        return Ok(());
    }
    for line in preview.diff(files, ui.err()) {
        ui.note(line);
    }
    ui.blank_line();
    if !context.is_interactive() {
        return Ok(());
    }
    let choices = [(Review::Write, "write"), (Review::Edit, "edit"), (Review::Stop, "stop")];
    match dialogue.choose("Write this, edit the answers, or stop?", &choices, Review::Write)? {
        Review::Write => {
            ui.blank_line();
            Ok(())
        }
        Review::Edit => dialogue.start_over(),
        Review::Stop => Err(Failure::interrupted("stopped: nothing was changed").into()),
    }
}

/// Prints the plan of a dry run: the file, the commands, and the deploy after them.
fn print_plan(
    axes: Axes,
    tools: Option<&Tools>,
    preview: &Preview,
    files: &Files<'_>,
    no_deploy: bool,
    context: &Context<'_>,
) {
    let Context { ui, project, .. } = context;
    ui.result(ui.out().style(BOLD, format_args!("Plan for {axes} in {}", project.root.display())));
    if preview.is_unchanged() {
        ui.result(format_args!("{ENV_FILE}: as it should be"));
    } else {
        for line in preview.diff(files, ui.out()) {
            ui.result(line);
        }
    }
    if let Some(tools) = tools {
        let dir = project.service_dir();
        let title = format!("Commands in {}; steps that are up to date are skipped", dir.display());
        ui.result(ui.out().style(BOLD, title));
        for line in steps::plan(tools, project, &context.venv(&preview.after), axes.environment) {
            ui.result(format_args!("  {line}"));
        }
    }
    match deployer(axes, no_deploy) {
        Some(Deployer::Docker) => {
            ui.result(
                ui.typed(
                    "Then deploy-docker; once `.env` is settled, its plan is: cargo xtask deploy-docker --dry-run",
                ),
            );
        }
        Some(Deployer::Systemd) => {
            ui.result(ui.typed(
                "Then deploy-systemd; once `.env` is settled, its plan is: cargo xtask deploy-systemd --dry-run",
            ));
        }
        None => {}
    }
}

/// Puts `.env` back after an interrupted step.
fn undo(saved: Saved, error: &anyhow::Error) -> anyhow::Error {
    let outcome = match saved.undo() {
        Ok(Undo::Restored | Undo::Nothing) => format!("`{ENV_FILE}` is as it was"),
        Ok(Undo::Removed) => format!("the new `{ENV_FILE}` is removed again"),
        Ok(Undo::ChangedSince) => format!("`{ENV_FILE}` was changed by another process meanwhile, and stays so"),
        Err(undo_error) => format!("`{ENV_FILE}` could not be put back: {undo_error}"),
    };
    Failure::interrupted(format!("{error}: {outcome}")).into()
}

/// The deploy that follows an install.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deployer {
    Docker,
    Systemd,
}

fn deployer(axes: Axes, no_deploy: bool) -> Option<Deployer> {
    match (axes.method, axes.environment) {
        _ if no_deploy => None,
        (DeployMethod::Docker, _) => Some(Deployer::Docker),
        (DeployMethod::Bare, Environment::Prod) => Some(Deployer::Systemd),
        (DeployMethod::Bare, Environment::Dev) => None,
    }
}

/// Goes on with the deploy. The one with systemd changes this very machine: it is offered if the operator can be asked.
fn hand_over(axes: Axes, no_deploy: bool, context: &Context<'_>) -> anyhow::Result<Exit> {
    match deployer(axes, no_deploy) {
        None => return Ok(Exit::Done),
        Some(Deployer::Docker) => return deploy::docker(&compose::Options::default(), cli::Format::Human, context),
        Some(Deployer::Systemd) => {}
    }
    if context.is_interactive() {
        context.ui.blank_line();
        match prompt::confirm("Go on with deploy-systemd?") {
            Ok(true) => {}
            Ok(false) => return Ok(Exit::Done),
            Err(error) if Exit::of(&error) == Exit::Interrupted => {
                return Err(Failure::interrupted("everything above is done, and nothing was deployed").into());
            }
            Err(error) => return Err(error),
        }
    }
    deploy::systemd(&systemd::Options::default(), cli::Format::Human, context)
}
