//! `docker`: the containers of the Compose file. The engine is wherever Docker itself would look for it.

mod engine;
mod services;
mod web;

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crate::command::{Command, CommandError, Finished};
use crate::outcome::{Outcome, counted};
use crate::run::Probe;
use crate::{Deadline, Site};
use services::Container;

const DAEMON: &str = "docker.daemon";
const COMPOSE: &str = "docker.compose";
const SERVICE: &str = "docker.service";
const HTTP: &str = "docker.http";

pub(super) fn probes(site: &Arc<Site>) -> Vec<Probe> {
    let for_daemon = Arc::clone(site);
    let for_compose = Arc::clone(site);
    vec![
        Probe::new([DAEMON], move |deadline| vec![engine::daemon(&for_daemon, deadline)]),
        Probe::new([COMPOSE, "docker.service.<name>", HTTP], move |deadline| compose(&for_compose, deadline)),
    ]
}

/// What Compose says of all services at once. Which there should be and which containers there are is asked at the
/// same time, by one call each.
fn compose(site: &Site, deadline: &Deadline) -> Vec<Outcome> {
    let Some(file) = site.project.compose_file() else {
        let hint = "name it in Cargo.toml: [workspace.metadata.service] compose-file = \"…\"";
        let unknown = |name| Outcome::skip(name, "there is no Compose file");
        return vec![Outcome::err(COMPOSE, "there is no Compose file").hint(hint), unknown(SERVICE), unknown(HTTP)];
    };
    let shown = site.project.relative(&file).display().to_string();
    let ask = |args: &[&str]| {
        let args = [&["compose", "-f", &shown], args].concat();
        Command::new("docker", args).dir(&site.project.root).run(deadline)
    };
    let wants_services = site.selection.wants("docker.service.<name>") || site.selection.wants(HTTP);
    let (version, config, containers, host) = thread::scope(|scope| {
        let version = scope.spawn(|| engine::compose_version(deadline));
        let config = scope.spawn(|| ask(&["config", "--format", "json"]));
        let containers = scope
            .spawn(|| wants_services.then(|| containers(ask(&["ps", "--all", "--format", "json"]), site, deadline)));
        let host = scope.spawn(|| site.selection.wants(HTTP).then(|| engine::host(deadline)).flatten());
        (joined(version), joined(config), joined(containers).flatten(), joined(host).flatten())
    });
    let declared = config.map(|config| services::declared(config, site));
    let (compose, declared) = match (version, declared) {
        (Some(Ok(version)), Some(Ok(declared))) => (
            Outcome::ok(COMPOSE, format!("Compose {version}, {} in `{shown}`", counted(declared.len(), "service"))),
            declared,
        ),
        (Some(Err(outcome)), _) | (_, Some(Err(outcome))) => {
            let unknown = |name| Outcome::skip(name, "Compose does not tell the services");
            return vec![*outcome, unknown(SERVICE), unknown(HTTP)];
        }
        (None, _) | (_, None) => return Vec::new(),
    };
    let mut outcomes = vec![compose];
    match containers {
        None => {}
        Some(Err(reason)) => {
            let names = declared.iter().map(|service| format!("{SERVICE}.{}", service.name));
            outcomes.extend(names.map(|name| Outcome::skip(name, &reason)));
            outcomes.push(Outcome::skip(HTTP, reason));
        }
        Some(Ok(containers)) => {
            outcomes.extend(declared.iter().map(|service| services::outcome(service, &containers, &shown)));
            if site.selection.wants(HTTP) {
                let started = Instant::now();
                let answer = web::check(&declared, &containers, host.as_deref(), site, &deadline.again());
                outcomes.push(Outcome { elapsed: started.elapsed(), ..answer });
            }
        }
    }
    outcomes
}

/// A thread of ours panics only by mistake, which the runner tells.
fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> Option<T> {
    thread.join().ok()
}

/// The containers, from Compose, and what only the engine knows of them; or why that is not known.
fn containers(
    listed: Result<Finished, CommandError>,
    site: &Site,
    deadline: &Deadline,
) -> Result<Vec<Container>, String> {
    let unanswered = |complaint: &str| format!("the containers are not known: {}", site.secrets.cover(complaint));
    let listed = match listed {
        Ok(finished) if finished.is_success() => finished,
        Ok(finished) => return Err(unanswered(&finished.complaint())),
        Err(error) => return Err(unanswered(&error.to_string())),
    };
    let mut containers =
        services::containers(listed.stdout()).map_err(|error| unanswered(&format!("Compose's answer: {error}")))?;
    if containers.is_empty() {
        return Ok(containers);
    }
    let ids = containers.iter().map(|container| container.id.as_str());
    let args = ["inspect", "--type", "container", "--format", services::DETAIL].into_iter().chain(ids);
    // One that is gone since makes this fail, and the others are told all the same.
    match Command::new("docker", args).run(deadline) {
        Ok(finished) => services::complete(&mut containers, finished.stdout(), &site.secrets),
        Err(error) => return Err(unanswered(&error.to_string())),
    }
    Ok(containers)
}
