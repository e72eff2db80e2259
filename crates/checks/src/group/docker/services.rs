//! The services that the Compose file declares, the containers that there are, and how they fit.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{COMPOSE, SERVICE};
use crate::Site;
use crate::command::{CommandError, Finished};
use crate::outcome::{Outcome, Status, counted};
use crate::secret::Secrets;

/// A service of the Compose file, its profiles considered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) name: String,
    /// How many containers it should have.
    pub(super) scale: u64,
    /// Whether another service waits for it to have ended well: a job, such as a migration.
    pub(super) is_job: bool,
}

/// What is used of `docker compose config --format json`. The rest holds secrets, and is dropped.
#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    services: BTreeMap<String, ConfigService>,
}

#[derive(Deserialize)]
struct ConfigService {
    scale: Option<u64>,
    deploy: Option<Deploy>,
    #[serde(default)]
    depends_on: BTreeMap<String, Dependency>,
}

#[derive(Deserialize)]
struct Deploy {
    replicas: Option<u64>,
}

#[derive(Deserialize)]
struct Dependency {
    condition: Option<String>,
}

/// The services that the Compose file declares; or what is wrong with it, as the outcome of `docker.compose`.
pub(super) fn declared(config: Result<Finished, CommandError>, site: &Site) -> Result<Vec<Service>, Box<Outcome>> {
    let wrong = match config {
        Ok(finished) if finished.is_success() => match parse_config(finished.stdout()) {
            Ok(services) => return Ok(services),
            Err(error) => Outcome::err(COMPOSE, format!("`docker compose config` is not understood: {error}")),
        },
        Ok(finished) => {
            let output = site.secrets.cover(finished.stderr());
            Outcome::err(COMPOSE, "the Compose file is not valid").output(&output)
        }
        Err(error) => Outcome::err(COMPOSE, error.to_string()),
    };
    Err(wrong.into())
}

fn parse_config(text: &str) -> Result<Vec<Service>, serde_json::Error> {
    let config: Config = serde_json::from_str(text)?;
    let is_job = |name: &str| {
        let mut dependencies = config.services.values().filter_map(|service| service.depends_on.get(name));
        dependencies.any(|it| it.condition.as_deref() == Some("service_completed_successfully"))
    };
    let service = |(name, service): (&String, &ConfigService)| Service {
        name: name.clone(),
        scale: service.scale.or(service.deploy.as_ref().and_then(|deploy| deploy.replicas)).unwrap_or(1),
        is_job: is_job(name),
    };
    Ok(config.services.iter().map(service).collect())
}

/// A container, as `docker compose ps --format json` tells of it, and then the engine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Container {
    #[serde(rename = "ID")]
    pub(super) id: String,
    pub(super) service: String,
    /// Docker's word: `running`, `restarting`, `exited`, …
    pub(super) state: String,
    #[serde(default)]
    health: String,
    /// In words, such as `Up 5 seconds (healthy)`.
    #[serde(default)]
    status: String,
    #[serde(default, deserialize_with = "or_none")]
    pub(super) publishers: Vec<Publisher>,
    #[serde(skip)]
    detail: Detail,
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Publisher {
    #[serde(rename = "URL", default)]
    pub(super) address: String,
    #[serde(rename = "PublishedPort", default)]
    pub(super) port: u16,
    #[serde(rename = "Protocol", default)]
    pub(super) protocol: String,
}

/// Compose writes `null` for a list without items.
fn or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Publisher>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// What Compose does not tell of a container, a line each: `docker inspect --format`.
pub(super) const DETAIL: &str = r#"{"id":{{json .Id}},"restarts":{{json .RestartCount}},"state":{{json .State}}}"#;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Detail {
    restarts: u64,
    exit_code: i64,
    /// What the last health check has printed.
    health_log: String,
}

#[derive(Deserialize)]
struct Inspected {
    id: String,
    restarts: u64,
    state: State,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    exit_code: i64,
    health: Option<Health>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Health {
    log: Option<Vec<HealthLog>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HealthLog {
    output: String,
}

/// The containers that Compose lists: a JSON object a line, or, before 2.21, one array.
pub(super) fn containers(listed: &str) -> Result<Vec<Container>, serde_json::Error> {
    if listed.trim_start().starts_with('[') {
        return serde_json::from_str(listed);
    }
    listed.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect()
}

/// Adds to the containers what the engine has told of them in the form of [`DETAIL`].
pub(super) fn complete(containers: &mut [Container], inspected: &str, secrets: &Secrets) {
    for Inspected { id, restarts, state } in inspected.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        let last = state.health.and_then(|health| health.log?.pop());
        let health_log = last.map(|log| secrets.cover(&log.output)).unwrap_or_default();
        // Compose shortens the ids.
        for container in containers.iter_mut().filter(|container| id.starts_with(&container.id)) {
            container.detail = Detail { restarts, exit_code: state.exit_code, health_log: health_log.clone() };
        }
    }
}

/// How a service is: as its worst container.
pub(super) fn outcome<'a>(service: &Service, containers: &'a [Container], compose_file: &str) -> Outcome {
    let name = format!("{SERVICE}.{}", service.name);
    let its: Vec<&'a Container> = containers.iter().filter(|container| container.service == service.name).collect();
    let up = format!("docker compose -f {compose_file} up -d {}", service.name);
    let judged = |container: &&'a Container| (*container, judge(container, service));
    let rank = |status| [Status::Ok, Status::Warn, Status::Err].iter().position(|known| *known == status);
    let worst = its.iter().map(judged).max_by_key(|(_, (status, _))| rank(*status));
    let Some((container, (status, message))) = worst else {
        return match service.scale {
            0 => Outcome::skip(name, "scaled to 0"),
            _ => Outcome::err(name, "there is no container").hint(up),
        };
    };
    let others = if its.len() > 1 { format!("{} containers; ", its.len()) } else { String::new() };
    let outcome = Outcome::new(name, status, format!("{others}{message}"));
    match status {
        Status::Err if container.health == "unhealthy" => outcome.output(&container.detail.health_log),
        Status::Err => outcome.hint(format!("docker compose -f {compose_file} logs --tail 50 {}", service.name)),
        _ => outcome,
    }
}

/// A container's status and state in words.
fn judge(container: &Container, service: &Service) -> (Status, String) {
    let Detail { restarts, exit_code, .. } = container.detail;
    // "Up 5 seconds", "Up Less than a second": Docker's own words for less than a minute.
    let is_new = container.status.contains("second");
    match (container.state.as_str(), container.health.as_str()) {
        ("running", _) if restarts > 0 && is_new => {
            (Status::Err, format!("restarting: {}, {}", counted(restarts, "restart"), container.status.to_lowercase()))
        }
        ("running", "unhealthy") => (Status::Err, "unhealthy".to_owned()),
        ("running", "starting") => (Status::Warn, "runs, and is not healthy yet".to_owned()),
        ("running", "healthy") => (Status::Ok, "healthy".to_owned()),
        ("running", _) => (Status::Ok, "runs".to_owned()),
        ("restarting", _) => {
            (Status::Err, format!("restarting: exit code {exit_code}, {}", counted(restarts, "restart")))
        }
        ("exited", _) if exit_code == 0 && service.is_job => (Status::Ok, "has ended well".to_owned()),
        ("exited", _) => (Status::Err, format!("has exited with code {exit_code}")),
        (state, _) => (Status::Err, format!("is {state}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Compose 2.26 writes it, the rest left out.
    const CONFIG: &str = r#"{"name": "shop", "networks": {}, "services": {
        "job": {"command": ["true"], "image": "x"},
        "never": {"scale": 0},
        "pair": {"deploy": {"replicas": 2, "resources": {}, "placement": {}}},
        "web": {"depends_on": {"job": {"condition": "service_completed_successfully", "required": true},
                               "pair": {"condition": "service_started", "required": true}}}}}"#;

    #[test]
    fn services_that_are_declared() {
        let service = |name: &str, scale, is_job| Service { name: name.to_owned(), scale, is_job };
        assert_eq!(
            parse_config(CONFIG).expect("valid"),
            [service("job", 1, true), service("never", 0, false), service("pair", 2, false), service("web", 1, false)]
        );
        assert_eq!(parse_config("{}").expect("valid"), []);
        assert!(parse_config("services: {}").is_err());
    }

    /// A container as Compose lists it.
    fn listed(service: &str, state: &str, health: &str, status: &str) -> String {
        format!(
            r#"{{"Command":"x","ExitCode":0,"Health":"{health}","ID":"e9c2f311b453","Publishers":null,"Service":"{service}","State":"{state}","Status":"{status}"}}"#
        )
    }

    #[test]
    fn containers_are_listed_by_line_or_as_an_array() {
        let (one, two) = (listed("web", "running", "", "Up 2 hours"), listed("db", "exited", "", "Exited (1)"));
        let lines = containers(&format!("{one}\n{two}\n")).expect("valid");
        assert_eq!(lines.len(), 2);
        assert_eq!(containers(&format!("[{one},{two}]")).expect("valid"), lines);
        assert_eq!(containers("\n").expect("valid"), []);
        assert_eq!(containers("[]").expect("valid"), []);
        assert!(containers("no configuration file provided").is_err());
        let published = r#"{"ID":"1","Service":"web","State":"running","Publishers":[{"URL":"127.0.0.1","TargetPort":8000,"PublishedPort":32768,"Protocol":"tcp"}]}"#;
        assert_eq!(containers(published).expect("valid")[0].publishers[0].port, 32768);
    }

    /// What is told of a service with one container.
    #[track_caller]
    fn check(listed: &str, restarts: u64, state: &str, expected: &str) {
        let mut containers = containers(listed).expect("valid");
        let inspected = format!(r#"{{"id":"e9c2f311b4530000","restarts":{restarts},"state":{state}}}"#);
        complete(&mut containers, &inspected, &Secrets::default());
        let service = Service { name: "web".into(), scale: 1, is_job: false };
        assert_eq!(told(&outcome(&service, &containers, "compose.yaml")), expected);
    }

    fn told(outcome: &Outcome) -> String {
        let Outcome { status, message, output, hint, .. } = outcome;
        format!("{status} {message} | {} | {}", output.join(" "), hint.as_deref().unwrap_or_default())
    }

    const WELL: &str = r#"{"ExitCode":0}"#;
    const LOGS: &str = "docker compose -f compose.yaml logs --tail 50 web";

    #[test]
    fn every_state_of_a_container() {
        check(&listed("web", "running", "", "Up 2 hours"), 0, WELL, "ok runs |  | ");
        check(&listed("web", "running", "", "Up 5 seconds"), 0, WELL, "ok runs |  | ");
        check(&listed("web", "running", "", "Up 2 hours"), 7, WELL, "ok runs |  | ");
        check(&listed("web", "running", "healthy", "Up 2 hours (healthy)"), 0, WELL, "ok healthy |  | ");
        check(&listed("web", "running", "starting", "Up 1 second"), 0, WELL, "warn runs, and is not healthy yet |  | ");
        let sick = r#"{"ExitCode":0,"Health":{"Status":"unhealthy","Log":[{"Output":"fine"},{"Output":"no\nway\n"}]}}"#;
        check(&listed("web", "running", "unhealthy", "Up 1 hour (unhealthy)"), 0, sick, "err unhealthy | no way | ");
        let loops = format!("err restarting: 6 restarts, up less than a second |  | {LOGS}");
        check(&listed("web", "running", "", "Up Less than a second"), 6, WELL, &loops);
        let loops = format!("err restarting: exit code 3, 1 restart |  | {LOGS}");
        check(&listed("web", "restarting", "", "Restarting (3) 1 second ago"), 1, r#"{"ExitCode":3}"#, &loops);
        let gone = format!("err has exited with code 7 |  | {LOGS}");
        check(&listed("web", "exited", "", "Exited (7) 5 seconds ago"), 0, r#"{"ExitCode":7}"#, &gone);
        check(&listed("web", "paused", "", "Up 5 hours (Paused)"), 0, WELL, &format!("err is paused |  | {LOGS}"));
        check("", 0, WELL, "err there is no container |  | docker compose -f compose.yaml up -d web");
    }

    #[test]
    fn jobs_end_and_nobody_misses_what_is_scaled_to_0() {
        let service = |scale, is_job| Service { name: "job".into(), scale, is_job };
        let ended = containers(&listed("job", "exited", "", "Exited (0) 5 seconds ago")).expect("valid");
        assert_eq!(told(&outcome(&service(1, true), &ended, "c")), "ok has ended well |  | ");
        let hint = "docker compose -f c logs --tail 50 job";
        assert_eq!(told(&outcome(&service(1, false), &ended, "c")), format!("err has exited with code 0 |  | {hint}"));
        assert_eq!(told(&outcome(&service(0, false), &[], "c")), "skip scaled to 0 |  | ");
    }

    #[test]
    fn of_several_containers_the_worst_counts() {
        let well = listed("web", "running", "", "Up 2 hours");
        let service = Service { name: "web".into(), scale: 2, is_job: false };
        let both = containers(&format!("{well}\n{well}\n")).expect("valid");
        assert_eq!(told(&outcome(&service, &both, "c")), "ok 2 containers; runs |  | ");
        let one = containers(&format!("{}\n{well}\n", listed("web", "dead", "", ""))).expect("valid");
        assert_eq!(outcome(&service, &one, "c").message, "2 containers; is dead");
    }
}
