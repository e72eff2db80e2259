//! `cargo xtask stop` and `start`: the whole service, without a deploy.

use deploy::{compose, systemd};
use detect::DeployMethod;
use project::Lock;
use project::text::{counted, listed};

use crate::cli::{self, Format};
use crate::context::Context;
use crate::deploy::on_terminal;
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;
use crate::manage_py;
use crate::service::{Runner, Service};

/// Stops the service.
pub(crate) fn stop(context: &Context<'_>) -> anyhow::Result<Exit> {
    let Some((_, runner)) = runner(context)? else {
        context.ui.result("nothing is deployed here: Ctrl-C ends the development server in the terminal of `run`");
        return Ok(Exit::Done);
    };
    let deferred = Deferred::begin()?;
    let _lock = lock(context)?;
    let stopped = on_terminal(context, Format::Human, &deferred, |context| match runner {
        Runner::Compose => compose::operate::stop(context),
        Runner::Systemd => systemd::operate::stop(context),
    })?;
    if stopped.names.is_empty() {
        context.ui.result("nothing runs: the service is stopped already");
        return Ok(Exit::Done);
    }
    let would = if context.common.dry_run { "would stop" } else { "stopped" };
    context.ui.result(format_args!("{would} {}; data and configuration stay", named(&stopped.names)));
    context.ui.commands(&[("cargo xtask start", "start it again")]);
    Ok(Exit::Done)
}

/// Starts the service, and waits until it responds.
pub(crate) fn start(args: &cli::Start, context: &Context<'_>) -> anyhow::Result<Exit> {
    let Some((method, runner)) = runner(context)? else {
        let problem = Problem::new("nothing is deployed here: `run` starts the development server");
        return Err(Failure::new(Exit::NotMet, problem.hint("cargo xtask run")).into());
    };
    let deferred = Deferred::begin()?;
    let lock = lock(context)?;
    let started = on_terminal(context, Format::Human, &deferred, |context| match runner {
        Runner::Compose => compose::operate::start(context),
        Runner::Systemd => systemd::operate::start(context),
    })?;
    drop(lock);
    if context.common.dry_run {
        context.ui.result(format_args!("would start {}", named(&started.names)));
        return Ok(Exit::Done);
    }
    let service = Service::wait(method, args.timeout, &deferred, context)?;
    service.print(context);
    if !service.is_serving() {
        let message = "the service does not respond";
        return Err(Failure::new(Exit::Failed, Problem::new(message).hint("cargo xtask logs")).into());
    }
    context.ui.result(match started.names.as_slice() {
        [] => "it ran already, and serves".to_owned(),
        names => format!("started {}: it serves", named(names)),
    });
    Ok(Exit::Done)
}

fn runner(context: &Context<'_>) -> anyhow::Result<Option<(DeployMethod, Runner)>> {
    let file = context.env_file()?.unwrap_or_default();
    let (_, method) = manage_py::axes(&file, context)?;
    Ok(Runner::of(method, context)?.map(|runner| (method, runner)))
}

/// Takes the lock of the checkout; a dry run changes nothing, and needs none.
fn lock(context: &Context<'_>) -> anyhow::Result<Option<Lock>> {
    let take = || Lock::take(&context.project).map_err(Failure::from);
    Ok((!context.common.dry_run).then(take).transpose()?)
}

/// Returns a few names, or the number of many.
fn named(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        names if names.len() <= 6 => listed(names),
        names => counted(names.len(), "part"),
    }
}
