//! `docker`: the containers of the Compose file. The engine is wherever Docker itself would look for it.
//!
//! Everything is asked at the same time, and once for all services. Who carries an error is decided afterwards.

mod containers;
mod declared;
mod drift;
mod engine;
mod environment;
mod services;
mod web;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ::docker::Container;
use project::ComposeFiles;
use project::text::counted;
use subprocess::{Command, CommandError, Deadline, Finished};

use crate::outcome::{Outcome, Status};
use crate::run::Probe;
use crate::{CheckName, Target};
use containers::Listed;
use declared::Declared;

const DAEMON: CheckName = CheckName::known("docker.daemon");
const COMPOSE: CheckName = CheckName::known("docker.compose");
const ENVIRONMENT: CheckName = CheckName::known("docker.environment");
const SERVICES: CheckName = CheckName::known("docker.service.<name>");
const HTTP: CheckName = CheckName::known("docker.http");
const DRIFT: CheckName = CheckName::known("docker.drift");

/// An engine that refuses at once. For Compose's reading of a file it makes no difference, except that Docker would
/// wait for one that does not answer (3 s, Docker 20.10).
const NO_ENGINE: (&str, &str) = ("DOCKER_HOST", "unix:///dev/null");

pub(super) fn probes(target: &Arc<Target>) -> Vec<Probe> {
    let target = Arc::clone(target);
    let probe =
        Probe::new([DAEMON, COMPOSE, ENVIRONMENT, SERVICES, HTTP, DRIFT], move |deadline| outcomes(&target, deadline));
    // The services, then the web service among them.
    vec![probe.in_turn(2)]
}

fn outcomes(target: &Target, deadline: &Deadline) -> Vec<Outcome> {
    let (mut daemon, mut compose) = (None, None);
    thread::scope(|scope| {
        if target.selection.wants(&DAEMON) {
            scope.spawn(|| daemon = Some(Outcome::timed(|| engine::daemon(target, deadline))));
        }
        if [COMPOSE, ENVIRONMENT, SERVICES, HTTP, DRIFT].iter().any(|name| target.selection.wants(name)) {
            compose = Some(Answers::ask(target, deadline));
        }
    });
    let is_engine_well = daemon.as_ref().is_some_and(|daemon| daemon.status == Status::Ok);
    let others = compose.map(|answers| answers.judged(target, is_engine_well, deadline));
    daemon.into_iter().chain(others.into_iter().flatten()).collect()
}

/// The containers as Compose lists them, and as the engine describes them.
type Containers = (Vec<Listed>, Vec<Container>);

/// The results of Compose, or its errors. The commands are those that a person would run in the root folder.
struct Answers {
    files: ComposeFiles,
    compose: Result<(String, Declared), Box<Outcome>>,
    /// `None` if no check needs them.
    containers: Option<Result<Containers, String>>,
    /// The host of the engine, if it is not this machine.
    host: Option<String>,
    elapsed: Duration,
}

impl Answers {
    fn ask(target: &Target, deadline: &Deadline) -> Self {
        let started = Instant::now();
        let Some(files) = target.project.compose_files() else {
            let hint = "name it in Cargo.toml: [workspace.metadata.service] compose-file = \"…\"";
            let outcome = Outcome::err(COMPOSE, "there is no Compose file").hint(hint);
            let (files, elapsed) = (ComposeFiles::default(), started.elapsed());
            return Answers { files, compose: Err(outcome.into()), containers: None, host: None, elapsed };
        };
        let options = files.options();
        let wants_services = [SERVICES, HTTP].iter().any(|name| target.selection.wants(name));
        let compose = |args: &[&str]| {
            let options = options.iter().map(String::as_str);
            let words = ["compose"].into_iter().chain(options).chain(args.iter().copied());
            Command::new("docker", words).dir(&target.project.root)
        };
        let list = compose(&["ps", "--all", "--format", "json"]);
        let (mut containers, mut host) = (None, None);
        let (version, config) = thread::scope(|scope| {
            if wants_services {
                scope.spawn(|| containers = Some(described(list.run(deadline), target, deadline)));
            }
            if target.selection.wants(&HTTP) {
                scope.spawn(|| host = ::docker::host(deadline));
            }
            let version = scope.spawn(|| engine::compose_version(deadline));
            let config = compose(&["config", "--format", "json"]).envs([NO_ENGINE]).run(deadline);
            (version.join().unwrap_or_else(|panic| resume_unwind(panic)), config)
        });
        // Without Compose itself nothing else is worth telling.
        let compose = version.and_then(|version| Ok((version, declared::declared(config, target)?)));
        Answers { files, compose, containers, host, elapsed: started.elapsed() }
    }

    fn judged(self, target: &Target, is_engine_well: bool, deadline: &Deadline) -> Vec<Outcome> {
        let Answers { files, compose, containers, host, elapsed } = self;
        let (version, Declared { project, services, secrets, environment }) = match compose {
            Ok(answer) => answer,
            Err(cause) => {
                let reason = "Compose does not know the services";
                let others = [ENVIRONMENT, CheckName::of_service(None), HTTP, DRIFT]
                    .map(|name| Outcome::blocked(name, reason, &cause));
                return [*cause].into_iter().chain(others).map(|outcome| Outcome { elapsed, ..outcome }).collect();
            }
        };
        let count = counted(services.len(), "service");
        let mut outcomes =
            vec![Outcome::ok(COMPOSE, format!("Compose {version}, {count} in {}", files.shown())), environment];
        let (path, command) = (files.first_path(), files.command());
        let containers = containers.map(|answer| {
            answer.map(|(listed, containers)| containers::of_services(listed, &containers, &path, &secrets))
        });
        match &containers {
            None => {}
            Some(Ok(containers)) => {
                outcomes.extend(services.iter().map(|service| services::outcome(service, containers, &command)));
            }
            Some(Err(reason)) => {
                let names = services.iter().map(|service| CheckName::of_service(Some(&service.name)));
                let names = names.chain([HTTP]);
                let cause = Outcome::err(DAEMON, reason);
                outcomes.extend(names.map(|name| {
                    if is_engine_well {
                        Outcome::err(name, reason)
                    } else {
                        Outcome::blocked(name, "the Docker engine does not answer", &cause)
                    }
                }));
            }
        }
        for outcome in &mut outcomes {
            outcome.elapsed = elapsed;
        }
        if let (true, Some(Ok(containers))) = (target.selection.wants(&HTTP), &containers) {
            let ask = || web::outcome(&services, containers, host.as_deref(), target, &deadline.again());
            outcomes.push(Outcome::timed(ask));
        }
        if target.selection.wants(&DRIFT) {
            outcomes.push(Outcome::timed(|| drift::outcome(&project, target, &deadline.again())));
        }
        outcomes
    }
}

/// Returns the containers that Compose has listed, with the engine's description; or the reason why they are unknown.
fn described(
    listed: Result<Finished, CommandError>,
    target: &Target,
    deadline: &Deadline,
) -> Result<Containers, String> {
    let unknown =
        |failure_reason: &str| format!("the containers are not known: {}", target.secrets.redact(failure_reason));
    let listed = match listed {
        Ok(finished) if finished.is_success() => finished,
        Ok(finished) => return Err(unknown(&finished.failure_reason())),
        Err(error) => return Err(unknown(&error.to_string())),
    };
    let listed = containers::listed(listed.stdout()).map_err(|error| unknown(&format!("Compose's answer: {error}")))?;
    let docker = |args: &[&str]| match Command::new("docker", args).run(deadline) {
        Ok(finished) if finished.is_success() => Ok(finished.stdout().to_owned()),
        Ok(finished) => Err(unknown(&finished.failure_reason())),
        Err(error) => Err(unknown(&error.to_string())),
    };
    let ids: Vec<&str> = listed.iter().map(|container| container.id.as_str()).collect();
    let inspected = ::docker::inspect(&ids, docker)?;
    let containers = ::docker::containers(&inspected).map_err(|error| unknown(&format!("Docker's answer: {error}")))?;
    Ok((listed, containers))
}
