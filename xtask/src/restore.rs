//! `cargo xtask restore`: the data of a backup instead of the present data, which is kept in a backup of its own.

use std::fs::File;
use std::io::Seek;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use deploy::backup::{Mode, Report};
use deploy::{compose, systemd};
use detect::DeployMethod;
use project::Lock;
use project::text::{counted, listed};
use subprocess::quoted;

use crate::backup::{ask, contents, default_name, make, print_plan, ui_step, verify};
use crate::cli::{self, Format};
use crate::context::Context;
use crate::deploy::on_terminal;
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;
use crate::manage_py;
use crate::prompt;
use crate::service::{Runner, Service};

/// The time that the service has to respond again.
const TIMEOUT: std::time::Duration = deploy::DEFAULT_TIMEOUT;

pub(crate) fn run(args: &cli::Restore, context: &Context<'_>) -> anyhow::Result<Exit> {
    let ui = context.ui;
    let env_file = context.env_file()?.unwrap_or_default();
    let (_, method) = manage_py::axes(&env_file, context)?;
    let runner = Runner::of(method, context)?;
    let file = open(&args.file)?;
    let deferred = Deferred::begin()?;
    let report = ui_step("verified", context, || verify(&file, &deferred.flag(), context))?;
    deferred.check("restore")?;
    ui.result(format_args!("`{}` of {}: {}", args.file.display(), report.created, contents(&report)));
    let own = &context.project.settings.name;
    if report.service != *own {
        let message = format!("the backup is one of `{}`, and this service is `{own}`", report.service);
        return Err(Failure::new(Exit::NotMet, Problem::new(message)).into());
    }
    let present = ask(Mode::Plan, None, &deferred.flag(), context)?;
    print_plan(&present, "replaces", context);
    if context.common.dry_run {
        return Ok(Exit::Done);
    }
    drop(deferred);
    consent(args, context)?;

    let _lock = Lock::take(&context.project).map_err(Failure::from)?;
    let deferred = Deferred::begin()?;
    // Beside the backup: where the operator keeps them.
    let undo = args.file.with_file_name(default_name(&format!("{own}-before-restore")));
    make(&undo, &deferred.flag(), context)?;
    let way_back = format!("cargo xtask restore {}", quoted(&undo.to_string_lossy()));
    let restore = Restore { context, runner, method };
    match restore.run(&file, &deferred) {
        Ok(report) => {
            let (file, undo) = (args.file.display(), undo.display());
            ui.result(format_args!("restored `{file}`; the data from before is in `{undo}`"));
            ui.commands(&[(&way_back, "undo this")]);
            warn_about_migrations(&report, context);
            Ok(Exit::Done)
        }
        Err(error) => {
            drop(deferred);
            Err(restore.put_back(&error, &undo, &way_back))
        }
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).map_err(|error| Failure::usage(format!("cannot read `{}`: {error}", path.display())).into())
}

fn consent(args: &cli::Restore, context: &Context<'_>) -> anyhow::Result<()> {
    let again = || format!("cargo xtask restore {} --replace-data", quoted(&args.file.to_string_lossy()));
    let message = match (args.replace_data, context.is_interactive()) {
        (true, _) => return Ok(()),
        (false, true) if prompt::confirm_danger("Stop the service, and replace its data?")? => return Ok(()),
        (false, true) => "declined: nothing was changed".to_owned(),
        (false, false) => format!("a restore replaces data, {}: nothing was changed", context.why_not_asked()),
    };
    Err(Failure::new(Exit::NotMet, Problem::new(message).hint(again())).into())
}

/// A restore from the moment when something is about to change.
struct Restore<'a> {
    context: &'a Context<'a>,
    runner: Option<Runner>,
    method: DeployMethod,
}

impl Restore<'_> {
    fn run(&self, file: &File, deferred: &Deferred) -> anyhow::Result<Report> {
        self.stop(deferred)?;
        let report = self.replace(file)?;
        deferred.check("restore")?;
        self.start(deferred)?;
        Ok(report)
    }

    /// Replaces the data. A signal does not end the script: it would go on where the service runs, beside the one that puts the
    /// data back.
    fn replace(&self, file: &File) -> anyhow::Result<Report> {
        ui_step("data replaced", self.context, || {
            let mut input = file.try_clone()?;
            input.rewind()?;
            ask(Mode::Restore, Some(input), &AtomicBool::new(false), self.context)
        })
    }

    fn stop(&self, deferred: &Deferred) -> anyhow::Result<()> {
        match self.runner {
            None => {
                self.context
                    .ui
                    .note("nothing is deployed here: a development server that runs should be restarted after it");
                Ok(())
            }
            Some(runner) => on_terminal(self.context, Format::Human, deferred, |context| match runner {
                Runner::Compose => compose::operate::stop(context).map(drop),
                Runner::Systemd => systemd::operate::stop(context).map(drop),
            }),
        }
    }

    fn start(&self, deferred: &Deferred) -> anyhow::Result<()> {
        let Some(runner) = self.runner else { return Ok(()) };
        on_terminal(self.context, Format::Human, deferred, |context| match runner {
            Runner::Compose => compose::operate::start(context).map(drop),
            Runner::Systemd => systemd::operate::start(context).map(drop),
        })?;
        let service = Service::wait(self.method, TIMEOUT, deferred, self.context)?;
        if service.is_serving() {
            return Ok(());
        }
        service.print(self.context);
        Err(Failure::new(Exit::Failed, Problem::new("the service does not respond with the data of the backup")).into())
    }

    /// Puts the data from before back after a failure, and returns the error.
    fn put_back(&self, error: &anyhow::Error, undo: &Path, way_back: &str) -> anyhow::Error {
        let is_interrupted = Exit::of(error) == Exit::Interrupted;
        let put_back = || -> anyhow::Result<()> {
            let deferred = Deferred::begin()?;
            self.stop(&deferred)?;
            self.replace(&open(undo)?)?;
            self.start(&deferred)
        };
        match put_back() {
            Ok(()) => {
                let exit = if is_interrupted { Exit::Interrupted } else { Exit::RolledBack };
                let message =
                    format!("{error:#}\n  the data from before is back; its copy stays in `{}`", undo.display());
                Failure::new(exit, Problem::new(message)).into()
            }
            Err(failed) => {
                let message = format!("{error:#}\n  the data from before could not be put back: {failed:#}");
                Failure::new(Exit::RollbackFailed, Problem::new(message).hint(way_back)).into()
            }
        }
    }
}

/// Warns if code and data are of different versions.
fn warn_about_migrations(report: &Report, context: &Context<'_>) {
    if !report.pending.is_empty() {
        let (count, names) = (counted(report.pending.len(), "migration"), listed(&report.pending));
        let problem = Problem::new(format!("the backup is older than the code by {count}: {names}"));
        context.ui.warning(&problem.hint("cargo xtask manage migrate"));
    }
    if !report.unknown.is_empty() {
        let names = listed(&report.unknown);
        let message = format!("the backup is newer than the code, which does not know {names}");
        context.ui.warning(&Problem::new(message));
    }
}
