//! Operating a stack between its deploys: its releases, its log, and stopping and starting it.

use std::ffi::OsString;
use std::time::{Duration, UNIX_EPOCH};

use envfile::EnvFile;
use project::secret::Secrets;
use project::text::listed;

use super::Compose;
use super::client::{Client, ENVIRONMENT};
use super::volumes::KeptLog;
use super::{lock, preflight};
use crate::backend::Backend;
use crate::context::Context;
use crate::failure::{Exit, Failure, Problem};
use crate::manage::Invocation;
use crate::operate::{Log, LogRequest, Started, Stopped};
use crate::record::Releases;

/// The time that all containers together have to stop, or to start with what they depend on.
pub(super) const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// Returns the releases that were deployed to this Compose project.
///
/// # Errors
/// If there is no Compose file, or Docker does not respond.
pub fn releases(context: &Context<'_>) -> anyhow::Result<Releases> {
    let client = client(context)?;
    let name = client.config()?.name;
    preflight::records(&client, &name)?.releases()
}

/// Returns the command that prints the log of the stack's containers, with the secrets that are redacted in it.
///
/// # Errors
/// If there is no Compose file, Docker does not respond, or a service is unknown.
pub fn log(request: &LogRequest, own_env_file: &EnvFile, context: &Context<'_>) -> anyhow::Result<Log> {
    let client = client(context)?;
    let config = client.config()?;
    let known: Vec<&str> = config.services.keys().map(String::as_str).collect();
    if let Some(unknown) = request.services.iter().find(|name| !known.contains(&name.as_str())) {
        let known = listed(known);
        let message = format!("there is no service `{unknown}`: the Compose file has {known}");
        return Err(Failure::usage(message).into());
    }
    let mut words = vec!["logs".to_owned(), "--no-color".to_owned()];
    words.extend(request.is_followed.then(|| "--follow".to_owned()));
    words.extend(request.lines.map(|lines| format!("--tail={lines}")));
    // A time of Docker: seconds since 1970.
    words.extend(request.since.map(|since| format!("--since={}", since.as_secs())));
    words.extend(request.services.iter().cloned());
    let args = client.compose_args(&[], words.iter().map(String::as_str));
    let words = ["docker".to_owned()].into_iter().chain(args).map(OsString::from);
    let variables = ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let invocation = Invocation { dir: Some(context.project.root.clone()), variables, ..Invocation::new(words) };
    let secrets = Secrets::of([own_env_file]).and(config.secrets());
    let removed = removed(request, &client.volumes(&config.name).kept_logs()?, &config.name);
    Ok(Log { invocation, removed, secrets: secrets.and(context.host_facts.secrets.iter().cloned()) })
}

/// Returns the lines of removed containers, as Compose prints those of the others.
fn removed(request: &LogRequest, logs: &[KeptLog], compose_project: &str) -> Vec<String> {
    let since = request.since.map(|since| humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string());
    let is_wanted = |log: &&KeptLog| request.services.is_empty() || request.services.contains(&log.service);
    let mut lines = Vec::new();
    for log in logs.iter().filter(is_wanted) {
        let name = log.container.strip_prefix(&format!("{compose_project}-")).unwrap_or(&log.container);
        let recent = log.lines.iter().filter(|line| since.as_ref().is_none_or(|since| line.as_str() >= since.as_str()));
        let recent: Vec<_> = recent.collect();
        let first = request.lines.map_or(0, |lines| recent.len().saturating_sub(lines as usize));
        lines.extend(recent[first..].iter().map(|line| {
            let text = line.split_once(' ').map_or("", |(_, text)| text);
            format!("{name} (removed)  | {text}")
        }));
    }
    lines
}

/// Stops the containers of the stack, each within its grace period. They stay, with their data.
///
/// # Errors
/// If another run holds the lock, or Docker does not respond.
pub fn stop(context: &Context<'_>) -> anyhow::Result<Stopped> {
    let client = client(context)?;
    let _lock = take_lock(context)?;
    let running = running(&client)?;
    if running.is_empty() {
        return Ok(Stopped { names: running });
    }
    if !context.is_dry_run {
        context.events.step("docker compose stop", || client.compose(&[], ["stop"], PATIENCE))?;
    }
    Ok(Stopped { names: running })
}

/// Starts the containers of the stack that were stopped, in the order of their dependencies.
///
/// # Errors
/// If there is no container to start, another run holds the lock, or Docker does not respond.
pub fn start(context: &Context<'_>) -> anyhow::Result<Started> {
    let client = client(context)?;
    let _lock = take_lock(context)?;
    let name = client.config()?.name;
    let containers = client.containers(&name)?;
    if containers.is_empty() {
        let problem = Problem::new(format!("the Compose project `{name}` has no containers to start"));
        return Err(Failure::new(Exit::NotMet, problem.hint("cargo xtask deploy-docker")).into());
    }
    let is_stopped = |it: &docker::Container| !(it.is_up() || it.is_never_restarted && it.is_completed());
    let stopped: Vec<String> = containers.into_iter().filter(is_stopped).map(|it| it.name).collect();
    if !stopped.is_empty() && !context.is_dry_run {
        context.events.step("docker compose start", || client.compose(&[], ["start"], PATIENCE))?;
    }
    Ok(Started { names: stopped })
}

pub(super) fn take_lock<'a>(context: &Context<'a>) -> anyhow::Result<Option<lock::Lock<'a>>> {
    if context.is_dry_run { Ok(None) } else { Compose::lock(context) }
}

fn running(client: &Client<'_>) -> anyhow::Result<Vec<String>> {
    let containers = client.containers(&client.config()?.name)?;
    Ok(containers.into_iter().filter(docker::Container::is_up).map(|it| it.name).collect())
}

pub(super) fn client<'a>(context: &Context<'a>) -> anyhow::Result<Client<'a>> {
    if context.project.compose_files().is_none() {
        let setting = context.project.settings_file();
        let problem = Problem::new(format!("there is no Compose file: name it with `compose-file` in {setting}"));
        return Err(Failure::new(Exit::NotMet, problem).into());
    }
    Ok(Client::of(context, Secrets::default()))
}
