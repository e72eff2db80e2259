//! Containers, by the description of the engine.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use detect::{DJANGO_ENV, Environment};
use serde::Deserialize;

/// A container, by `docker inspect`. The rest of its output, and with it the secrets in the environment, is dropped.
#[derive(Debug, Clone)]
pub struct Container {
    /// The full id.
    pub id: String,
    /// The name, such as `shop-web-1`.
    pub name: String,
    /// The Compose project that it belongs to; empty for a container that Compose has not created.
    pub project: String,
    /// The Compose service; empty like the project.
    pub service: String,
    /// The project folder that Compose was called with; empty like the project.
    pub folder: String,
    /// The environment that it was deployed for, where its variables set `DJANGO_ENV`.
    pub environment: Option<Environment>,
    /// Whether Compose created it for its service. Containers of `docker compose run`, and those of a plain `docker run` of
    /// an image that Compose has built, have the labels of the service and are none of its containers.
    pub is_of_service: bool,
    /// The id of its image.
    pub image: String,
    /// Docker's state: `created`, `running`, `restarting`, `exited`, `paused`, `dead`.
    pub state: String,
    /// The result of its health check.
    pub health: Health,
    /// The exit code of its last process; 0 while that runs.
    pub exit_code: i64,
    /// Whether the kernel killed it for its use of memory.
    pub is_out_of_memory: bool,
    /// How often the engine has restarted it.
    pub restarts: u64,
    /// The time of its last start, as the engine writes it.
    pub started_at: String,
    /// The time that it has to exit after its stop signal, in seconds.
    pub stop_timeout: u64,
    /// Its addresses, by the names that the engine gives to the networks.
    pub addresses: BTreeMap<String, String>,
    /// The URL of the rotation state, if it is a proxy with such a label.
    pub state_url: Option<String>,
    /// Whether the engine does not restart it after it has exited.
    pub is_never_restarted: bool,
    /// The mount points in it.
    pub mounts: Vec<PathBuf>,
    /// The mount points of its anonymous volumes: data that no other container would find.
    pub anonymous_volumes: Vec<String>,
    /// The ports of the engine's host that it publishes.
    pub host_ports: Vec<u16>,
}

/// The result of a container's health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// There is no health check.
    Unchecked,
    /// The health check has not succeeded yet, nor failed often enough.
    Starting,
    /// The last health check succeeded.
    Healthy,
    /// The health check fails; the output of the last one is given.
    Unhealthy(String),
}

impl Container {
    /// Returns whether it runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.state == "running"
    }

    /// Returns whether it runs, or is about to run again.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.runs() || self.state == "restarting"
    }

    /// Returns whether it runs and its health check has no result yet.
    #[must_use]
    pub fn is_starting(&self) -> bool {
        self.runs() && self.health == Health::Starting
    }

    /// Returns whether it has exited with exit code 0 and stays so.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.state == "exited" && self.exit_code == 0
    }

    /// Returns the failure of a container that should run, without a restart since its creation: a clause for a message,
    /// unredacted.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let exit_code = self.exit_code;
        let memory = if self.is_out_of_memory { ", out of memory" } else { "" };
        match (self.state.as_str(), &self.health) {
            ("restarting", _) => Some(format!("keeps restarting: exit code {exit_code}{memory}")),
            ("running", _) if self.restarts > 0 => Some(format!("was restarted {}", times(self.restarts))),
            ("running", Health::Unhealthy(output)) => {
                Some(format!("is unhealthy: {}", output.lines().last().unwrap_or_default().trim()))
            }
            ("running", _) => None,
            ("exited" | "dead", _) => Some(format!("has exited with exit code {exit_code}{memory}")),
            (state, _) => Some(format!("is {state}")),
        }
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name)
    }
}

/// The fields of `docker inspect` that a [`Container`] is made of.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Inspected {
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

/// The label of a proxy with the URL of its rotation state.
pub const STATE_LABEL: &str = "xtask.state";

/// The time that Docker gives a container to exit where none is configured, in seconds.
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
            state_url: labels.get(STATE_LABEL).cloned(),
            is_never_restarted: matches!(host_config.restart_policy.name.as_str(), "" | "no"),
            mounts: mounts.iter().map(|mount| PathBuf::from(&mount.destination)).collect(),
            anonymous_volumes: mounts.into_iter().filter(is_anonymous).map(|mount| mount.destination).collect(),
            host_ports: bindings.filter_map(|binding| binding.host_port.parse().ok()).collect(),
        }
    }
}

/// Returns whether a container with these labels was started from this Compose file. A project may be brought up with several
/// files, and docker-compose v1 noted them relative to the working folder.
#[must_use]
pub fn is_started_from(compose_file: &Path, working_dir: &str, files: &str) -> bool {
    let is_same = |path: &Path| path == compose_file || path.canonicalize().is_ok_and(|path| path == compose_file);
    files.split(',').any(|file| is_same(&Path::new(working_dir).join(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Docker 20.10 describes a container of Compose 2.26, most of it left out.
    const INSPECTED: &str = r#"{"Id": "e9c2", "Name": "/shop-web-1", "Image": "sha256:1", "RestartCount": 2,
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

    fn container() -> Container {
        serde_json::from_str::<Inspected>(INSPECTED).expect("as Docker writes it").into()
    }

    #[test]
    fn a_container_is_parsed() {
        let container = container();
        assert_eq!((container.to_string().as_str(), container.service.as_str()), ("`shop-web-1`", "web"));
        assert_eq!((container.stop_timeout, container.is_of_service), (40, true));
        assert_eq!((container.folder.as_str(), container.environment), ("/srv/shop", Some(Environment::Prod)));
        assert_eq!(container.addresses["shop_front"], "172.21.0.4");
        assert_eq!((container.anonymous_volumes.join(" ").as_str(), container.host_ports), ("/media", vec![8000]));
        assert_eq!(container.health, Health::Unhealthy("no\nway\n".to_owned()));
    }

    #[test]
    fn failures_of_containers() {
        let unhealthy = Health::Unhealthy("no\nway\n".to_owned());
        for (state, restarts, exit_code, health, expected) in [
            ("running", 0, 0, Health::Healthy, None),
            ("running", 0, 0, Health::Starting, None),
            ("running", 1, 0, Health::Healthy, Some("was restarted once")),
            ("running", 0, 0, unhealthy, Some("is unhealthy: way")),
            ("restarting", 3, 3, Health::Unchecked, Some("keeps restarting: exit code 3")),
            ("exited", 0, 7, Health::Unchecked, Some("has exited with exit code 7")),
            ("exited", 0, 0, Health::Unchecked, Some("has exited with exit code 0")),
            ("paused", 0, 0, Health::Unchecked, Some("is paused")),
            ("created", 0, 0, Health::Unchecked, Some("is created")),
        ] {
            let container = Container { state: state.to_owned(), restarts, exit_code, health, ..container() };
            assert_eq!(container.failure().as_deref(), expected, "{state}");
        }
    }
}
