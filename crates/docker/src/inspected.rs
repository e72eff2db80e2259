//! The output of `docker inspect`, and the containers in it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use detect::DJANGO_ENV;
use serde::Deserialize;

use crate::container::{Container, HOLD_FILE, HOLD_MARK, Health, PublishedPort, STATE_LABEL};

/// The fields of `docker inspect` that a [`Container`] is made of.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
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
    #[serde(default)]
    image: String,
    labels: Option<BTreeMap<String, String>>,
    stop_timeout: Option<u64>,
    env: Option<Vec<String>>,
    healthcheck: Option<HealthCheckConfig>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HealthCheckConfig {
    test: Option<Vec<String>>,
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
    #[serde(default)]
    host_ip: String,
    host_port: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    networks: Option<BTreeMap<String, Endpoint>>,
    ports: Option<BTreeMap<String, Option<Vec<Binding>>>>,
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
            Some(health) => {
                let last = health.log.unwrap_or_default().pop().map(|log| log.output).unwrap_or_default();
                match health.status.as_str() {
                    "none" => Health::Unchecked,
                    status if last.trim_end() == HOLD_MARK => Health::Held { is_out: status != "healthy" },
                    "healthy" => Health::Healthy,
                    "unhealthy" => Health::Unhealthy(last),
                    _ => Health::Starting,
                }
            }
        };
        let health_check = config.healthcheck.unwrap_or_default();
        let is_holdable = health_check.test.iter().flatten().any(|word| word.contains(HOLD_FILE));
        // The engine itself names a volume that has no name: 64 digits.
        let is_anonymous = |mount: &Mount| {
            mount.kind == "volume" && mount.name.len() == 64 && mount.name.bytes().all(|b| b.is_ascii_hexdigit())
        };
        let mounts = mounts.unwrap_or_default();
        let published = network_settings.ports.unwrap_or_default().into_iter().flat_map(|(port, bindings)| {
            // As in `8000/tcp`.
            let protocol = port.rsplit_once('/').map_or("tcp", |(_, protocol)| protocol).to_owned();
            bindings.into_iter().flatten().filter_map(move |Binding { host_ip, host_port }| {
                Some(PublishedPort { address: host_ip, port: host_port.parse().ok()?, protocol: protocol.clone() })
            })
        });
        let bindings = host_config.port_bindings.unwrap_or_default().into_values().flatten().flatten();
        Container {
            id,
            name: name.trim_start_matches('/').to_owned(),
            project: label("com.docker.compose.project"),
            service: label("com.docker.compose.service"),
            folder: label("com.docker.compose.project.working_dir"),
            files: label("com.docker.compose.project.config_files"),
            environment: config.env.iter().flatten().find_map(|variable| {
                let (name, word) = variable.split_once('=')?;
                word.parse().ok().filter(|_| name == DJANGO_ENV)
            }),
            is_of_service: label("com.docker.compose.oneoff") == "False",
            image,
            reference: config.image,
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
            is_holdable,
            is_never_restarted: matches!(host_config.restart_policy.name.as_str(), "" | "no" | "on-failure"),
            mounts: mounts.iter().map(|mount| PathBuf::from(&mount.destination)).collect(),
            anonymous_volumes: mounts.into_iter().filter(is_anonymous).map(|mount| mount.destination).collect(),
            host_ports: bindings.filter_map(|binding| binding.host_port.parse().ok()).collect(),
            published: published.collect(),
        }
    }
}

/// Returns the containers in the output of `docker inspect --type container`.
///
/// # Errors
/// If it is not such an output.
pub fn containers(inspected: &str) -> Result<Vec<Container>, serde_json::Error> {
    let inspected: Vec<Inspected> = serde_json::from_str(inspected)?;
    Ok(inspected.into_iter().map(Container::from).collect())
}
