//! A container, as the engine describes it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use detect::{DJANGO_ENV, Environment};
use serde::Deserialize;

use super::stack::{Role, STATE};

/// A container of a Compose service.
#[derive(Debug, Clone)]
pub(super) struct Container {
    pub(super) id: String,
    /// Its name, such as `shop-web-1`.
    pub(super) name: String,
    /// The Compose project that it belongs to, and the service; empty for one that Compose has not made.
    pub(super) project: String,
    pub(super) service: String,
    /// The project folder that Compose was called with; empty if it has not made it.
    pub(super) folder: String,
    /// The environment that it was deployed for, where its variables say so.
    pub(super) environment: Option<Environment>,
    /// Whether Compose has made it for its service; not so that of a `docker compose run`, or of a plain `docker run` of
    /// an image that Compose has built, which has the labels of the image.
    pub(super) is_of_service: bool,
    /// The id of its image.
    pub(super) image: String,
    /// Docker's word: `created`, `running`, `restarting`, `exited`, `paused`, `dead`.
    pub(super) state: String,
    pub(super) health: Health,
    pub(super) exit_code: i64,
    pub(super) is_out_of_memory: bool,
    pub(super) restarts: u64,
    pub(super) started_at: String,
    /// How long it has to end after its stop signal, in seconds.
    pub(super) stop_timeout: u64,
    /// Its addresses, by the names that the engine gives to the networks.
    pub(super) addresses: BTreeMap<String, String>,
    /// Where it tells who is in rotation, if it is a proxy that does.
    pub(super) state_url: Option<String>,
    /// Whether the engine leaves it alone when it has ended.
    pub(super) ends_for_good: bool,
    /// Where something is mounted in it.
    pub(super) mounts: Vec<PathBuf>,
    /// Where it keeps data that no other container would find.
    pub(super) anonymous_volumes: Vec<String>,
    /// The ports of the engine's host that it has.
    pub(super) host_ports: Vec<u16>,
}

/// What a container's health check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Health {
    /// There is none.
    Unchecked,
    Starting,
    Healthy,
    /// With what the check has printed.
    Unhealthy(String),
}

impl Container {
    pub(super) fn runs(&self) -> bool {
        self.state == "running"
    }

    /// Whether it runs, or is about to run again.
    pub(super) fn is_up(&self) -> bool {
        self.runs() || self.state == "restarting"
    }

    /// Whether its health check has not said yet how it is.
    pub(super) fn is_unproven(&self) -> bool {
        self.runs() && self.health == Health::Starting
    }

    /// Whether it has done what it was to do, and is over. Who answers requests or takes tasks never is.
    pub(super) fn is_done(&self, role: &Role) -> bool {
        let may_end = match role {
            Role::Job => true,
            Role::Backing | Role::Other => self.ends_for_good,
            Role::Web(_) | Role::Worker | Role::Proxy => false,
        };
        may_end && self.state == "exited" && self.exit_code == 0
    }

    /// What is wrong with it by what the engine knows, if something is: it should be running, since its first start.
    pub(super) fn ailment(&self) -> Option<String> {
        let exit_code = self.exit_code;
        let memory = if self.is_out_of_memory { ", out of memory" } else { "" };
        match (self.state.as_str(), &self.health) {
            ("restarting", _) => Some(format!("restarts again and again: exit code {exit_code}{memory}")),
            ("running", _) if self.restarts > 0 => Some(format!("was restarted, {} so far", self.restarts)),
            ("running", Health::Unhealthy(output)) => {
                Some(format!("unhealthy: {}", output.lines().last().unwrap_or_default().trim()))
            }
            ("running", _) => None,
            ("exited" | "dead", _) => Some(format!("has ended: exit code {exit_code}{memory}")),
            (state, _) => Some(format!("is {state}")),
        }
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name)
    }
}

/// What is used of `docker inspect`. The rest, and with it the secrets in the environment, is dropped.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Inspected {
    id: String,
    name: String,
    image: String,
    restart_count: u64,
    state: State,
    config: Config,
    #[serde(default)]
    host_config: HostConfig,
    network_settings: NetworkSettings,
    mounts: Option<Vec<Mount>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    exit_code: i64,
    #[serde(rename = "OOMKilled", default)]
    oom_killed: bool,
    started_at: String,
    health: Option<HealthState>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HealthState {
    status: String,
    log: Option<Vec<HealthLog>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HealthLog {
    output: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    labels: Option<BTreeMap<String, String>>,
    stop_timeout: Option<u64>,
    env: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    restart_policy: RestartPolicy,
    port_bindings: Option<BTreeMap<String, Option<Vec<Binding>>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RestartPolicy {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Binding {
    host_port: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    networks: Option<BTreeMap<String, Endpoint>>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(rename = "IPAddress", default)]
    address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mount {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(default)]
    name: String,
    destination: String,
}

/// How long Docker waits where nothing is said, in seconds.
const STOP_TIMEOUT: u64 = 10;

impl From<Inspected> for Container {
    fn from(inspected: Inspected) -> Self {
        let Inspected { id, name, image, restart_count, state, config, host_config, network_settings, mounts } =
            inspected;
        let labels = config.labels.unwrap_or_default();
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        let health = match state.health {
            None => Health::Unchecked,
            Some(health) => match health.status.as_str() {
                "healthy" => Health::Healthy,
                "unhealthy" => {
                    let last = health.log.unwrap_or_default().pop();
                    Health::Unhealthy(last.map(|log| log.output).unwrap_or_default())
                }
                "none" => Health::Unchecked,
                _ => Health::Starting,
            },
        };
        // The engine itself names a volume that has no name: 64 digits.
        let is_anonymous = |mount: &Mount| {
            mount.kind == "volume" && mount.name.len() == 64 && mount.name.bytes().all(|b| b.is_ascii_hexdigit())
        };
        let mounts = mounts.unwrap_or_default();
        let bindings = host_config.port_bindings.unwrap_or_default().into_values().flatten().flatten();
        Container {
            id,
            name: name.trim_start_matches('/').to_owned(),
            project: label("com.docker.compose.project"),
            service: label("com.docker.compose.service"),
            folder: label("com.docker.compose.project.working_dir"),
            environment: config.env.iter().flatten().find_map(|variable| {
                let (name, word) = variable.split_once('=')?;
                word.parse().ok().filter(|_| name == DJANGO_ENV)
            }),
            is_of_service: label("com.docker.compose.oneoff") == "False",
            image,
            state: state.status,
            health,
            exit_code: state.exit_code,
            is_out_of_memory: state.oom_killed,
            restarts: restart_count,
            started_at: state.started_at,
            stop_timeout: config.stop_timeout.unwrap_or(STOP_TIMEOUT),
            addresses: network_settings
                .networks
                .unwrap_or_default()
                .into_iter()
                .map(|(name, endpoint)| (name, endpoint.address))
                .collect(),
            state_url: labels.get(STATE).cloned(),
            ends_for_good: matches!(host_config.restart_policy.name.as_str(), "" | "no"),
            mounts: mounts.iter().map(|mount| PathBuf::from(&mount.destination)).collect(),
            anonymous_volumes: mounts.into_iter().filter(is_anonymous).map(|mount| mount.destination).collect(),
            host_ports: bindings.filter_map(|binding| binding.host_port.parse().ok()).collect(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// As Docker 20.10 tells of a container that Compose 2.26 has made, most of it left out.
    const TOLD: &str = r#"{"Id": "e9c2", "Name": "/shop-web-1", "Image": "sha256:1", "RestartCount": 2,
        "State": {"Status": "running", "ExitCode": 0, "OOMKilled": false, "StartedAt": "2026-11-23T04:48:46Z",
                  "Health": {"Status": "unhealthy", "Log": [{"Output": "old"}, {"Output": "no\nway\n"}]}},
        "Config": {"StopTimeout": 40, "Env": ["A_TOKEN=hunter2", "DJANGO_ENV=prod"],
                   "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "web",
                              "com.docker.compose.oneoff": "False",
                              "com.docker.compose.project.working_dir": "/srv/shop"}},
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8000"}], "81/tcp": null}},
        "NetworkSettings": {"Networks": {"shop_front": {"IPAddress": "172.21.0.4"}}},
        "Mounts": [{"Type": "volume", "Name": "shop_data", "Destination": "/data"},
                   {"Type": "bind", "Source": "/x", "Destination": "/x"},
                   {"Type": "volume", "Destination": "/media",
                    "Name": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}]}"#;

    pub(in crate::deploy::docker) fn container() -> Container {
        serde_json::from_str::<Inspected>(TOLD).expect("as Docker writes it").into()
    }

    #[test]
    fn what_docker_tells() {
        let container = container();
        assert_eq!((container.to_string().as_str(), container.service.as_str()), ("`shop-web-1`", "web"));
        assert_eq!((container.stop_timeout, container.is_of_service), (40, true));
        assert_eq!((container.folder.as_str(), container.environment), ("/srv/shop", Some(Environment::Prod)));
        assert_eq!(container.addresses["shop_front"], "172.21.0.4");
        assert_eq!((container.anonymous_volumes.join(" ").as_str(), container.host_ports), ("/media", vec![8000]));
        assert_eq!(container.health, Health::Unhealthy("no\nway\n".to_owned()));
    }

    #[test]
    fn what_ails_a_container() {
        let unhealthy = Health::Unhealthy("no\nway\n".to_owned());
        for (state, restarts, exit_code, health, expected) in [
            ("running", 0, 0, Health::Healthy, None),
            ("running", 0, 0, Health::Starting, None),
            ("running", 1, 0, Health::Healthy, Some("was restarted, 1 so far")),
            ("running", 0, 0, unhealthy, Some("unhealthy: way")),
            ("restarting", 3, 3, Health::Unchecked, Some("restarts again and again: exit code 3")),
            ("exited", 0, 7, Health::Unchecked, Some("has ended: exit code 7")),
            ("exited", 0, 0, Health::Unchecked, Some("has ended: exit code 0")),
            ("paused", 0, 0, Health::Unchecked, Some("is paused")),
            ("created", 0, 0, Health::Unchecked, Some("is created")),
        ] {
            let container = Container { state: state.to_owned(), restarts, exit_code, health, ..container() };
            assert_eq!(container.ailment().as_deref(), expected, "{state}");
        }
    }
}
