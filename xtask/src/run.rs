//! `cargo xtask run`: starts the development server in dev+bare, and reports what serves elsewhere.

use std::process::ExitCode;

use detect::{DeployMethod, Environment};
use envfile::EnvFile;
use project::{Variable, value};

use crate::cli;
use crate::context::Context;
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;
use crate::manage_py;
use crate::service::{self, Service};

/// The default port of `runserver`.
const PORT: &str = "8000";

pub(crate) fn run(args: &cli::Run, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let file = context.env_file()?.unwrap_or_default();
    let axes = manage_py::axes(&file, context)?;
    if axes != (Environment::Dev, DeployMethod::Bare) {
        return report(axes.1, context).map(ExitCode::from);
    }
    let address = address(args.address.as_deref(), &file, context);
    let mut invocation = manage_py::in_checkout(&["runserver".into(), address.into()], &file, context)?;
    // `runserver` prints its URL when it listens; without a terminal, Python would keep that back.
    invocation.variables.push(("PYTHONUNBUFFERED".to_owned(), "1".to_owned()));
    manage_py::start(&invocation, context)
}

/// Returns the address for `runserver`, which shows it as a URL: by a name that the settings admit, unless one was given.
fn address(given: Option<&str>, file: &EnvFile, context: &Context<'_>) -> String {
    match given {
        Some(address) if address.bytes().any(|byte| !byte.is_ascii_digit()) => address.to_owned(),
        port => {
            let get = |name: &str| file.get(name).map(|entry| entry.value);
            let hosts = context.project.names.value(Variable::AllowedHosts, get);
            let name = value::local_name(hosts.as_deref().unwrap_or_default()).unwrap_or(value::LOCAL_NAMES[0]);
            format!("{name}:{}", port.unwrap_or(PORT))
        }
    }
}

/// Prints which services run, and where they respond. Nothing is started.
fn report(method: DeployMethod, context: &Context<'_>) -> anyhow::Result<Exit> {
    let deferred = Deferred::begin()?;
    let service = Service::examine(method, &deferred, context)?;
    service.print(context);
    if service.is_serving() {
        context.ui.result("it serves, and is not started here; more:");
        context.ui.commands(&[("cargo xtask health", "check the health, and show how to fix problems")]);
        return Ok(Exit::Done);
    }
    let problem = Problem::new("the service does not respond, and `run` starts it only in dev+bare");
    Err(Failure::new(Exit::Failed, problem.hint(service::deploy_command(method))).into())
}
