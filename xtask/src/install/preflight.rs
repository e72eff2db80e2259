//! The preflight of an install: everything that must be there before anything is changed; all problems at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use checks::group::core::install_python;
use detect::{DeployMethod, Environment};
use docker::EngineError;
use envfile::EnvFile;
use project::{
    InGit, Pyproject, Python, Uv, UvError, UvSettings, WantedPython, find_any_python, find_python, find_uv, in_git,
    may_download_python,
};
use subprocess::{Command, Deadline};

use super::axes::Axes;
use crate::cli;
use crate::context::Context;
use crate::exit::{Exit, Failure, Problem};
use crate::prompt::Dialogue;
use crate::typed;

/// The timeout of a program that prints its version.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The uv that is installed where there is none: a version known to work with this tool.
pub(super) const UV_VERSION: &str = "0.13.9";

/// The results of the preflight.
pub(super) struct Found {
    /// None with `docker`.
    pub(super) tools: Option<Tools>,
    /// Whether `.env` stays out of Git.
    pub(super) is_private: bool,
}

/// The tools of the steps on this machine.
pub(super) struct Tools {
    /// The Python that the service asks for.
    pub(super) wanted: WantedPython,
    /// An interpreter of that kind; `None` if uv is to download one.
    python: Option<Python>,
    /// The uv of this machine, if it can be used.
    pub(super) uv: Result<Uv, NoUv>,
    pub(super) pyproject: Pyproject,
}

/// A uv is to be installed into the project's tool folder.
pub(super) struct NoUv {
    /// The reason why that of this machine is not used.
    reason: UvError,
    /// The interpreter that installs it.
    pub(super) installer: String,
}

/// The time for one answer; `stop` is set where a signal has ended a program.
fn soon(stop: &Arc<AtomicBool>) -> Deadline {
    Deadline::unless(Arc::clone(stop), TIMEOUT, TIMEOUT)
}

/// Looks for everything that this combination needs. With `docker` there are no tools: everything is done in
/// containers.
pub(super) fn run(axes: Axes, args: &cli::Install, env_file: &EnvFile, context: &Context<'_>) -> anyhow::Result<Found> {
    let mut problems = Vec::new();
    let stop = Arc::default();
    let uv_settings = context.host.facts.uv.with(env_file);
    let tools = match axes.method {
        DeployMethod::Bare => tools(axes.environment, &uv_settings, context, &stop, &mut problems),
        DeployMethod::Docker => None,
    };
    let is_private = is_private(axes.environment, context, &stop, &mut problems);
    let deployer_problems = match (axes.method, axes.environment) {
        (DeployMethod::Docker, _) => docker(&stop, &without_deploying(axes, args, context)),
        // Only the offer to deploy needs it, and that can be declined.
        (DeployMethod::Bare, Environment::Prod) if !context.host.facts.has_systemd => {
            context.ui.warning(&Problem::new("systemd does not run here: `deploy-systemd` will need it"));
            Vec::new()
        }
        (DeployMethod::Bare, _) => Vec::new(),
    };
    if stop.load(Ordering::Relaxed) {
        return Err(Failure::interrupted("interrupted: nothing was changed").into());
    }
    if args.no_deploy {
        // The hint would be the flag that was given.
        for problem in deployer_problems {
            context.ui.warning(&Problem::new(problem.message));
        }
    } else {
        problems.extend(deployer_problems);
    }
    if !problems.is_empty() {
        return Err(Failure { exit: Exit::NotMet, problems }.into());
    }
    if let Some(Tools { wanted, python, uv, .. }) = &tools {
        let shown_python = match python {
            Some(python) => format!("{} is {}", python.program, python.version),
            None => format!("uv is to download Python {wanted}"),
        };
        let shown_uv = match uv {
            Ok(uv) => uv.version.clone(),
            Err(NoUv { reason, .. }) => format!("uv {UV_VERSION} is to be installed ({reason})"),
        };
        context.ui.done("preflight", format_args!("{shown_python}, {shown_uv}"));
    }
    Ok(Found { tools, is_private })
}

/// Asks whether a missing uv may be installed. A dry run installs nothing that would need consent.
pub(super) fn consent(found: &Found, context: &Context<'_>, dialogue: &Dialogue) -> anyhow::Result<()> {
    match &found.tools {
        Some(Tools { uv: Err(NoUv { reason, .. }), .. }) if !context.common.dry_run => {
            consent_to_uv(reason, context, dialogue)
        }
        _ => Ok(()),
    }
}

/// Checks that Git ignores `.env`; emits a warning, and in prod returns a problem if Git tracks it.
fn is_private(
    environment: Environment,
    context: &Context<'_>,
    stop: &Arc<AtomicBool>,
    problems: &mut Vec<Problem>,
) -> bool {
    let in_git = match in_git(&context.project, &soon(stop)) {
        Ok(in_git) => in_git,
        // Without Git the file is in no repository.
        Err(error) => return error.is_not_found(),
    };
    let is_tracked = in_git.state == InGit::Tracked;
    match (in_git.problem(), &in_git.state) {
        (Some((message, hint)), _) => {
            let problem = Problem::new(message).hint(hint);
            if is_tracked && environment == Environment::Prod {
                problems.push(problem);
            } else {
                context.ui.warning(&problem);
            }
            false
        }
        (None, InGit::Unknown(reason)) => {
            let is_repository = context.project.root.ancestors().any(|dir| dir.join(".git").exists());
            if is_repository {
                context.ui.warning(&Problem::new(format!("whether Git takes `.env` is not known: {reason}")));
            }
            !is_repository
        }
        (None, _) => true,
    }
}

fn tools(
    environment: Environment,
    uv_settings: &UvSettings,
    context: &Context<'_>,
    stop: &Arc<AtomicBool>,
    problems: &mut Vec<Problem>,
) -> Option<Tools> {
    let lock_file = context.project.lock_file();
    if environment == Environment::Prod && !lock_file.is_file() {
        let message = format!("`{}` is not there, and prod installs nothing else", lock_file.display());
        problems.push(Problem::new(message).hint(context.project.lock_command()));
    }
    let uv = find_uv(&context.project, &soon(stop));
    let pyproject = match Pyproject::read(context.project.service_dir()) {
        Ok(pyproject) => pyproject,
        Err(error) => {
            let problem = Problem::new(error.to_string());
            problems.push(error.remedy().into_iter().fold(problem, Problem::hint));
            return None;
        }
    };
    let wanted = WantedPython::of(&context.project, &pyproject.requires_python, uv_settings);
    let python = match find_python(&context.project, &wanted, uv.as_ref().ok(), &soon(stop)) {
        Ok(python) => Some(python),
        Err(_) if may_download_python(&context.project, uv_settings) => None,
        Err(error) => {
            let hint = install_python(&wanted, uv.as_ref().ok());
            problems.push(Problem::new(error.to_string()).hint(hint));
            return None;
        }
    };
    let uv = match uv {
        Ok(uv) => Ok(uv),
        Err(reason) => Err(no_uv(reason, python.as_ref(), stop, problems)?),
    };
    Some(Tools { wanted, python, uv, pyproject })
}

/// Returns the interpreter that installs uv, or adds the problem that none can.
fn no_uv(
    reason: UvError,
    python: Option<&Python>,
    stop: &Arc<AtomicBool>,
    problems: &mut Vec<Problem>,
) -> Option<NoUv> {
    let installer = match python {
        Some(python) => Ok(python.program.clone()),
        None => find_any_python(&soon(stop)).map(|python| python.program),
    };
    let problem = match installer {
        Ok(installer) if can_make_environments(&installer, stop) => return Some(NoUv { reason, installer }),
        Ok(installer) => Problem::new(format!("{reason}, and `{installer}` cannot install it: no `venv`"))
            .hint("apt install python3-venv (Debian, Ubuntu), or install uv"),
        Err(error) => Problem::new(format!("{reason}, and nothing can install it: {error}"))
            .hint("install uv, which downloads the Python"),
    };
    problems.push(problem);
    None
}

/// Returns whether this Python has the modules that install uv. Debian has them in a package of its own.
fn can_make_environments(python: &str, stop: &Arc<AtomicBool>) -> bool {
    let ask = Command::new(python, ["-c", "import ensurepip, venv"]).run(&soon(stop));
    ask.is_ok_and(|finished| finished.is_success())
}

fn consent_to_uv(reason: &UvError, context: &Context<'_>, dialogue: &Dialogue) -> anyhow::Result<()> {
    if !context.is_interactive() {
        return Ok(());
    }
    let dir = context.project.uv_dir();
    let dir = context.project.relative(&dir).display().to_string();
    if dialogue.confirm(&format!("{reason}. Install uv {UV_VERSION} from PyPI into {dir}?"), true)? {
        return Ok(());
    }
    let problem = Problem::new(reason.to_string()).hint("cargo xtask install --yes, which installs it here");
    Err(Failure::new(Exit::NotMet, problem).into())
}

/// This run again, but for the deploy.
fn without_deploying(axes: Axes, args: &cli::Install, context: &Context<'_>) -> String {
    let args = cli::Install { no_deploy: true, ..args.clone() };
    typed::install(&args, context.common.yes, Some(axes.environment.as_str()), Some(axes.method.as_str()))
}

/// Returns the problems of Docker, of both the engine and Compose; `otherwise` is the command that needs neither.
fn docker(stop: &Arc<AtomicBool>, otherwise: &str) -> Vec<Problem> {
    let engine = docker::version(&soon(stop)).err().map(|error| match error {
        EngineError::Engine { .. } => Problem::new(format!("the Docker engine does not respond: {error}"))
            .hint(format!("start the engine, or go on without deploying: {otherwise}")),
        _ => Problem::new(error.to_string()).hint(format!("install Docker, or go on without deploying: {otherwise}")),
    });
    let compose = docker::compose_version(&soon(stop)).err().filter(|error| !error.is_not_installed());
    let compose = compose.map(|error| Problem::new(error.to_string()).hint("install the Compose plugin of Docker"));
    engine.into_iter().chain(compose).collect()
}
