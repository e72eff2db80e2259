//! `cargo xtask manage`: a command of `manage.py` in the place where the service runs.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use checks::group::core::interpreter;
use deploy::{Invocation, ManageCall, compose, systemd};
use detect::{DeployMethod, Detected, Environment, Probes, deploy_method, environment};
use envfile::EnvFile;
use project::secret::Secrets;
use project::variables;
use subprocess::{is_interruption, quoted};

use crate::cli;
use crate::context::Context;
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;

pub(crate) fn run(args: &cli::Manage, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    start(&invocation(&args.command, context.host.has_terminal, context)?, context)
}

/// Returns a command of `manage.py` in the place where the service runs.
pub(crate) fn invocation(args: &[OsString], has_terminal: bool, context: &Context<'_>) -> anyhow::Result<Invocation> {
    let file = context.env_file()?.unwrap_or_default();
    let axes = axes(&file, context)?;
    let secrets = Secrets::of([&file]).and(context.host.facts.secrets.iter().cloned());
    let (project, host) = (&context.project, context.host);
    let call = ManageCall { project, secrets: &secrets, args, has_terminal, can_ask: host.can_ask, uid: host.uid };
    match axes {
        (_, DeployMethod::Docker) => compose::manage(&call),
        (Environment::Prod, DeployMethod::Bare) if is_unit_installed(context)? => systemd::manage(&call),
        (_, DeployMethod::Bare) => in_checkout(args, &file, context),
    }
}

/// Returns both axes. A command may change data, and does not run in a place that `.env` does not name.
pub(crate) fn axes(file: &EnvFile, context: &Context<'_>) -> anyhow::Result<(Environment, DeployMethod)> {
    fn known<T: Copy>(detected: &Detected<T>, context: &Context<'_>) -> anyhow::Result<T> {
        if let Some(rejected) = &detected.rejected {
            let problem = Problem::new(rejected.to_string()).hint("cargo xtask install");
            return Err(Failure::new(Exit::Usage, problem).into());
        }
        if let Some(unanswered) = &detected.unanswered {
            context.ui.warning(&Problem::new(unanswered.to_string()));
        }
        Ok(detected.value)
    }
    let environment = known(&environment(file), context)?;
    Ok((environment, known(&deploy_method(file, &context.probes()), context)?))
}

fn is_unit_installed(context: &Context<'_>) -> anyhow::Result<bool> {
    let unit = context.probes().installed_unit();
    let unit = unit.map_err(|unanswered| Failure::new(Exit::NotMet, Problem::new(unanswered.to_string())))?;
    Ok(unit.is_some())
}

/// Returns a command of `manage.py` in the checkout, with the interpreter of its virtual environment and the variables of
/// `.env`, as `install` runs Django.
pub(crate) fn in_checkout(args: &[OsString], file: &EnvFile, context: &Context<'_>) -> anyhow::Result<Invocation> {
    let python = interpreter(&context.venv(file));
    if !python.exists() {
        let message = format!("no virtual environment: `{}` does not exist", python.display());
        return Err(Failure::new(Exit::NotMet, Problem::new(message).hint("cargo xtask install")).into());
    }
    let words = [python.into(), "manage.py".into()].into_iter().chain(args.iter().cloned());
    let dir = Some(context.project.manage_dir().to_owned());
    Ok(Invocation { dir, variables: variables(file), ..Invocation::new(words) })
}

/// Runs a command on the terminal of the caller, and returns its exit code; with `--dry-run`, prints it.
pub(crate) fn start(invocation: &Invocation, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    if context.common.dry_run {
        let dir = invocation.dir.iter().map(|dir| format!("cd {} && ", quoted(&dir.to_string_lossy())));
        context.ui.result(dir.chain([invocation.to_string()]).collect::<String>());
        return Ok(ExitCode::SUCCESS);
    }
    let command = invocation.command();
    let Some(stop) = &invocation.stop else {
        // The command gets every signal in the place of this process.
        let error = command.exec();
        return Err(Failure::new(Exit::NotMet, Problem::new(error.to_string())).into());
    };
    let deferred = Deferred::begin()?;
    match command.attached(&deferred.flag()) {
        Ok(status) if !is_interruption(status) => Ok(code(status)),
        Err(error) if !error.is_interrupted() => {
            Err(Failure::new(Exit::NotMet, Problem::new(error.to_string())).into())
        }
        _ => {
            drop(deferred);
            // One that has ended in the meantime is unknown.
            let _ = stop.run(&subprocess::Deadline::within(STOP_TIMEOUT));
            Ok(Exit::Interrupted.into())
        }
    }
}

/// The time that a command has to stop: more than systemd gives it.
pub(crate) const STOP_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(120);

/// Returns the exit code of a shell for a status: that of the program, or 128 and the number of the signal.
pub(crate) fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_of_a_command_is_passed_on() {
        // As `wait` encodes them: the exit code in the second byte, the signal in the first.
        for (status, expected) in [(0, 0), (7 << 8, 7), (255 << 8, 255), (9, 137), (15, 143)] {
            assert_eq!(code(ExitStatus::from_raw(status)), ExitCode::from(expected), "{status}");
        }
    }
}
