//! The services that the Compose file declares, as Compose parses it.

use docker::compose::{self, Config, Port};
use docker::roles::{Role, Roles, roles};
use project::secret::Secrets;
use subprocess::{CommandError, Finished};

use super::{COMPOSE, environment};
use crate::Target;
use crate::outcome::Outcome;

/// A service of the Compose file, its profiles considered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) name: String,
    /// The number of containers that it should have.
    pub(super) scale: usize,
    /// Whether another service waits for it to have ended well: a job, such as a migration.
    pub(super) is_job: bool,
    /// Whether a TCP port of it is published.
    pub(super) is_published: bool,
    pub(super) role: Role,
}

/// The declared services. No `Debug`: they have secrets.
pub(super) struct Declared {
    /// The name of the Compose project.
    pub(super) project: String,
    pub(super) services: Vec<Service>,
    /// Those of the project, and those that only the Compose file knows.
    pub(super) secrets: Secrets,
    /// Whether the variables of `.env` reach the web service.
    pub(super) environment: Outcome,
}

/// Returns the declared services; for a file that Compose rejects, the outcome of `docker.compose`.
pub(super) fn declared(config: Result<Finished, CommandError>, target: &Target) -> Result<Declared, Box<Outcome>> {
    let wrong = match config {
        Ok(finished) if finished.is_success() => match serde_json::from_str::<Config>(finished.stdout()) {
            Ok(config) => {
                let secrets = target.secrets.clone().and(config.secrets());
                let roles = roles(&config, &target.project.settings);
                let environment = environment::outcome(&config, &roles, target);
                let services = services(&config, &roles);
                return Ok(Declared { project: config.name, services, secrets, environment });
            }
            // The position of the error, without the text around it: that can hold secrets.
            Err(error) => {
                let place = format!("line {}, {:?}", error.line(), error.classify());
                Outcome::err(COMPOSE, format!("`docker compose config` is not understood: {place}"))
            }
        },
        Ok(finished) => {
            let output = target.secrets.redact(finished.stderr());
            Outcome::err(COMPOSE, "the Compose file is not valid").output(&output)
        }
        Err(error) => Outcome::err(COMPOSE, error.to_string()),
    };
    Err(wrong.into())
}

fn services(config: &Config, roles: &Roles) -> Vec<Service> {
    let service = |(name, service): (&String, &compose::Service)| Service {
        name: name.clone(),
        scale: service.scale(),
        is_job: config.is_job(name),
        is_published: service.ports.iter().any(Port::is_tcp),
        role: roles.of(name).role,
    };
    config.services.iter().map(service).collect()
}

#[cfg(test)]
mod tests {
    use project::Settings;

    use super::*;

    /// As Compose 2.26 writes it, the rest left out.
    const CONFIG: &str = r#"{"name": "shop", "networks": {}, "services": {
        "dns": {"ports": [{"mode": "ingress", "target": 53, "published": "53", "protocol": "udp"}]},
        "job": {"command": ["true"], "image": "x"},
        "never": {"scale": 0},
        "none": {"deploy": {"replicas": 0, "resources": {}, "placement": {}}},
        "pair": {"deploy": {"replicas": 2, "resources": {}, "placement": {}}},
        "web": {"depends_on": {"job": {"condition": "service_completed_successfully", "required": true},
                               "pair": {"condition": "service_started", "required": true}},
                "environment": {"DB": "postgres://u:hunter3@db/x", "DEBUG": "plain", "EMPTY_KEY": null,
                                "POSTGRES_PASSWORD": "hunter2"},
                "ports": [{"mode": "ingress", "host_ip": "127.0.0.1", "target": 8000, "protocol": "tcp"}]}}}"#;

    #[track_caller]
    fn parsed(text: &str) -> Config {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn services_that_are_declared() {
        let service = |name: &str, scale, role, is_published| Service {
            name: name.to_owned(),
            scale,
            is_job: role == Role::Job,
            is_published,
            role,
        };
        let services = |config: &Config| services(config, &roles(config, &Settings::default()));
        assert_eq!(
            services(&parsed(CONFIG)),
            [
                service("dns", 1, Role::Backing, false),
                service("job", 1, Role::Job, false),
                service("never", 0, Role::Backing, false),
                service("none", 0, Role::Backing, false),
                service("pair", 2, Role::Backing, false),
                service("web", 1, Role::Web, true),
            ]
        );
        assert_eq!(services(&parsed("{}")), []);
        assert!(serde_json::from_str::<Config>("services: {}").is_err());
    }
}
