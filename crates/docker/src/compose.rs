//! Docker Compose: its versions, and a Compose file as Compose itself parses it.

use std::collections::BTreeMap;

use project::secret::in_variable;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::HealthCheck;

/// Returns whether a version (`2.26.1`, `v2.26.1-3`) is at least this major and minor version.
#[must_use]
pub fn is_at_least(version: &str, least: (u32, u32)) -> bool {
    let mut numbers = version.trim().trim_start_matches('v').split('.').map_while(|number| number.parse().ok());
    let major = numbers.next().unwrap_or_default();
    (major, numbers.next().unwrap_or_default()) >= least
}

/// Returns a reference of an image with its tag or digest: `shop` and `shop:latest` are the same one.
#[must_use]
pub fn spelled_out(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) { reference.to_owned() } else { format!("{reference}:latest") }
}

/// Returns a reference of an image without its tag and digest.
#[must_use]
pub fn repository(reference: &str) -> &str {
    let last = reference.rfind('/').map_or(0, |slash| slash + 1);
    reference[last..].find([':', '@']).map_or(reference, |end| &reference[..last + end])
}

/// The fields of `docker compose config --format json` that are used here. No `Debug`: they have secrets.
#[derive(Clone, Deserialize)]
pub struct Config {
    /// The name of the Compose project.
    #[serde(default)]
    pub name: String,
    /// Its services, with their profiles considered.
    #[serde(default, deserialize_with = "or_default")]
    pub services: BTreeMap<String, Service>,
    /// Its networks, by the names that the file gives them.
    #[serde(default, deserialize_with = "or_default")]
    pub networks: BTreeMap<String, Network>,
}

impl Config {
    /// Returns the secrets in the environments of the services. Programs may print secrets that are not in `.env`.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let variables = self.services.values().flat_map(|service| &service.environment);
        let variables = variables.filter_map(|(name, value)| Some((name, value.as_str()?)));
        variables.flat_map(|(name, value)| in_variable(name, value)).collect()
    }

    /// Returns the reference of a service's image, [spelled out](spelled_out). Compose names an image that the file does
    /// not name.
    #[must_use]
    pub fn image(&self, service: &str) -> String {
        let image = self.services.get(service).and_then(|service| service.image.clone());
        spelled_out(&image.unwrap_or_else(|| format!("{}-{service}", self.name)))
    }

    /// Returns whether the image of a service is built here, by this service or by another one.
    #[must_use]
    pub fn is_built(&self, service: &str) -> bool {
        let image = self.image(service);
        let mut built = self.services.iter().filter(|(_, service)| service.build.is_some());
        built.any(|(name, _)| self.image(name) == image)
    }

    /// Whether another service waits for this one to have ended well: a job, such as a migration.
    #[must_use]
    pub fn is_job(&self, service: &str) -> bool {
        let mut dependencies = self.services.values().filter_map(|other| other.depends_on.get(service));
        dependencies.any(|it| it.condition.as_deref() == Some("service_completed_successfully"))
    }
}

/// A service of a Compose file, with its defaults applied by Compose.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Service {
    /// The image that it runs; one that is built may be named by Compose itself.
    pub image: Option<String>,
    /// The build section, for an image that is built.
    pub build: Option<Value>,
    /// When Compose pulls the image, such as `always`; `None` stands for `missing`.
    pub pull_policy: Option<String>,
    /// Whether its containers cannot write to their own file system.
    pub read_only: bool,
    /// A name that only one container can have.
    pub container_name: Option<String>,
    scale: Option<usize>,
    deploy: Option<Deploy>,
    /// The time that its containers have to stop; Docker's default is 10 s.
    pub stop_grace_period: Option<String>,
    entrypoint: Option<Vec<String>>,
    command: Option<Vec<String>>,
    /// The services that are to be there before it.
    #[serde(deserialize_with = "or_default")]
    pub depends_on: BTreeMap<String, Dependency>,
    /// Its environment, with its files read.
    #[serde(deserialize_with = "or_default")]
    pub environment: BTreeMap<String, Value>,
    /// The ports that it publishes.
    #[serde(deserialize_with = "or_default")]
    pub ports: Vec<Port>,
    /// The ports that it listens on.
    #[serde(deserialize_with = "or_default")]
    pub expose: Vec<Value>,
    /// The labels of its containers, by their names.
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    /// The mounts of its containers.
    #[serde(deserialize_with = "or_default")]
    pub volumes: Vec<Mount>,
    /// The health check that the Compose file gives it, instead of the one of the image.
    pub healthcheck: Option<HealthCheck>,
    /// The networks that it is on.
    #[serde(deserialize_with = "or_default")]
    pub networks: BTreeMap<String, Option<Membership>>,
}

impl Service {
    /// Returns the words of the command that its containers start with, as far as the Compose file sets them.
    pub fn start_command(&self) -> impl Iterator<Item = &str> {
        self.entrypoint.iter().chain(&self.command).flatten().map(String::as_str)
    }

    /// Returns the entrypoint that the Compose file sets, instead of the one of the image and its command.
    #[must_use]
    pub fn entrypoint(&self) -> Option<&[String]> {
        self.entrypoint.as_deref()
    }

    /// Returns whether the Compose file sets its command, instead of the one of the image.
    #[must_use]
    pub fn sets_command(&self) -> bool {
        self.command.is_some()
    }

    /// Returns the number of containers that it should have.
    #[must_use]
    pub fn scale(&self) -> usize {
        self.scale.or(self.deploy.as_ref().and_then(|deploy| deploy.replicas)).unwrap_or(1)
    }
}

#[derive(Clone, Deserialize)]
struct Deploy {
    replicas: Option<usize>,
}

/// An entry of `depends_on`.
#[derive(Clone, Deserialize)]
pub struct Dependency {
    /// The condition that the dependency must meet, such as `service_healthy`.
    pub condition: Option<String>,
}

/// A mount of a container: a volume, or a folder or file of the engine's host.
#[derive(Clone, Deserialize)]
pub struct Mount {
    /// `bind`, `volume`, `tmpfs` and others.
    #[serde(rename = "type")]
    pub kind: String,
    /// The volume, or the absolute path on the host.
    pub source: Option<String>,
    /// The place in the container.
    pub target: String,
}

/// A port of the containers that the host of the engine publishes.
#[derive(Clone, Deserialize)]
pub struct Port {
    /// The protocol; `None` stands for `tcp`.
    pub protocol: Option<String>,
    /// The port in the container.
    pub target: Option<u16>,
    /// The port outside, or a range of them; none leaves it to the engine.
    pub published: Option<String>,
    /// The address that it is bound to; none is all of them.
    pub host_ip: Option<String>,
}

impl Port {
    /// Whether it is one of TCP.
    #[must_use]
    pub fn is_tcp(&self) -> bool {
        matches!(self.protocol.as_deref(), None | Some("tcp"))
    }
}

/// How a service is known on a network.
#[derive(Clone, Default, Deserialize)]
pub struct Membership {
    /// The names that it can be resolved by, besides that of the service.
    #[serde(default, deserialize_with = "or_default")]
    pub aliases: Vec<String>,
}

/// A network of a Compose file.
#[derive(Clone, Deserialize)]
pub struct Network {
    /// Its name in the engine.
    #[serde(default)]
    pub name: String,
}

/// Deserializes a list or map that Compose writes as `null` where it has no items.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use project::secret::Secrets;

    use super::*;

    #[test]
    fn versions_of_compose() {
        for (version, is_enough) in
            [("2.20.0", true), ("v2.26.1-4\n", true), ("3.0", true), ("2.19.9", false), ("", false), ("dev", false)]
        {
            assert_eq!(is_at_least(version, (2, 20)), is_enough, "{version}");
        }
    }

    /// As Compose 2.26 writes it, the rest left out.
    const CONFIG: &str = r#"{"name": "shop", "networks": {"front": {"name": "shop_front", "internal": true}}, "services": {
        "job": {"command": ["true"], "image": "x", "networks": {"default": null}},
        "pair": {"deploy": {"replicas": 2, "resources": {}, "placement": {}}, "ports": null},
        "web": {"build": {"context": "."},
                "depends_on": {"job": {"condition": "service_completed_successfully", "required": true},
                               "pair": {"condition": "service_started", "required": true}},
                "environment": {"DB": "postgres://u:hunter3@db/x", "DEBUG": "plain", "EMPTY_KEY": null,
                                "POSTGRES_PASSWORD": "hunter2"},
                "networks": {"front": {"aliases": ["app"]}},
                "ports": [{"mode": "ingress", "host_ip": "127.0.0.1", "target": 8000, "protocol": "tcp"}]}}}"#;

    #[test]
    fn a_compose_config_is_parsed() {
        let config: Config = serde_json::from_str(CONFIG).expect("as Compose writes it");
        assert_eq!(config.name, "shop");
        assert_eq!(config.networks["front"].name, "shop_front");
        assert!(config.is_job("job") && !config.is_job("pair"));
        assert_eq!((config.services["pair"].scale(), config.services["web"].scale()), (2, 1));
        let web = &config.services["web"];
        assert!(web.build.is_some() && web.ports[0].is_tcp() && web.ports[0].published.is_none());
        assert_eq!(web.networks["front"].as_ref().map(|front| front.aliases.as_slice()), Some(&["app".to_owned()][..]));
        let secrets = Secrets::default().and(config.secrets());
        assert_eq!(secrets.redact("hunter2, hunter3, plain"), "********, ********, plain");
    }
}
