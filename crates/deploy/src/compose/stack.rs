//! The Compose file's services, and the part that each has in a deploy.

use docker::Container;
use docker::compose::{Config, Service as Declared};

use crate::failure::Problem;

/// Label of the web service: the network on which the proxy, and only the proxy, reaches it.
const FRONT: &str = "xtask.front";
/// On the web service: as long as this file is there, the proxy hands it no request.
const HOLD_FILE: &str = "xtask.hold-file";

const WEB: &str = "web";
const PROXY: &str = "proxy";
const WORKERS: [&str; 2] = ["celery", "worker"];
/// The port of gunicorn where the Compose file names none.
const PORT: u16 = 8000;

/// The services in the order in which they are replaced.
pub(super) struct Stack {
    pub(super) config: Config,
    pub(super) services: Vec<Service>,
}

/// A service.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) scale: usize,
    /// The image that it runs, as the Compose file or else Compose names it.
    pub(super) image: String,
    pub(super) is_built: bool,
}

/// The part that a service has in a deploy. The order is that of replacing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// A service that others depend on, such as a broker or a database. Replaced in place.
    Backing,
    /// Runs once, and is over.
    Job,
    /// Answers requests; next to the old one where a proxy has a rotation, else in place.
    Web(Option<Rotation>),
    /// Does tasks; next to the old one.
    Worker,
    /// Anything else that is made from the project: a scheduler, of which there must not be two. In place.
    Other,
    /// Owns the port. In place.
    Proxy,
}

/// The way in which requests reach a web container, and stop reaching it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rotation {
    /// The network, by the name that the engine has for it.
    pub(super) network: String,
    /// The names by which the service is known there.
    pub(super) aliases: Vec<String>,
    pub(super) hold_file: String,
}

impl Role {
    /// Returns whether a container of this role has done its work and exited; a service that handles requests or tasks
    /// never has.
    pub(super) fn is_done(&self, container: &Container) -> bool {
        let may_end = match self {
            Role::Job => true,
            Role::Backing | Role::Other => container.is_never_restarted,
            Role::Web(_) | Role::Worker | Role::Proxy => false,
        };
        may_end && container.is_completed()
    }

    /// Whether a new container runs next to the old one before that is stopped.
    pub(super) fn is_rolling(&self) -> bool {
        matches!(self, Role::Web(Some(_)) | Role::Worker)
    }

    /// Whether requests are lost while it is replaced.
    pub(super) fn costs_outage(&self) -> bool {
        matches!(self, Role::Web(None) | Role::Proxy | Role::Backing)
    }
}

impl Stack {
    /// The stack of a Compose file, or why it cannot be deployed.
    pub(super) fn of(config: Config) -> Result<Self, Problem> {
        let web = web(&config)?.to_owned();
        let built: Vec<String> = config
            .services
            .iter()
            .filter(|(_, service)| service.build.is_some())
            .map(|(name, service)| image(&config, name, service))
            .collect();
        if let Some(image) = built.iter().find(|image| image.contains('@')) {
            return Err(Problem::new(format!("the image `{image}` is built, and cannot have a digest as its name")));
        }
        let mut services: Vec<Service> = config
            .services
            .iter()
            .filter(|(_, declared)| declared.scale() > 0)
            .map(|(name, declared)| {
                let image = image(&config, name, declared);
                let is_ours = built.contains(&image);
                let role = match name.as_str() {
                    name if name == web => Role::Web(rotation(&config, name)),
                    PROXY => Role::Proxy,
                    name if WORKERS.contains(&name) && declared.ports.is_empty() => Role::Worker,
                    name if config.is_job(name) => Role::Job,
                    _ if is_ours => Role::Other,
                    _ => Role::Backing,
                };
                Service { name: name.clone(), role, scale: declared.scale(), image, is_built: declared.build.is_some() }
            })
            .collect();
        let depth = |name: &str| depth(&config, name, config.services.len());
        services.sort_by(|a, b| (&a.role, depth(&a.name), &a.name).cmp(&(&b.role, depth(&b.name), &b.name)));
        Ok(Stack { config, services })
    }

    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    /// The web service.
    pub(super) fn web(&self) -> Option<&Service> {
        self.services.iter().find(|service| matches!(service.role, Role::Web(_)))
    }

    /// The proxy.
    pub(super) fn proxy(&self) -> Option<&Service> {
        self.services.iter().find(|service| service.role == Role::Proxy)
    }

    pub(super) fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    pub(super) fn declared(&self, service: &Service) -> &Declared {
        &self.config.services[&service.name]
    }

    /// Where a service listens in its container.
    pub(super) fn port(&self, service: &Service) -> u16 {
        let declared = self.declared(service);
        let exposed = declared.expose.iter().filter_map(|port| match port {
            serde_json::Value::String(text) => text.split('/').next()?.parse().ok(),
            port => port.as_u64().and_then(|port| port.try_into().ok()),
        });
        let published = declared.ports.iter().filter(|port| port.is_tcp()).filter_map(|port| port.target);
        published.chain(exposed).next().unwrap_or(PORT)
    }

    /// The images that are built, each once, with those that run them.
    pub(super) fn built_images(&self) -> Vec<&str> {
        let mut images: Vec<&str> =
            self.services.iter().filter(|service| service.is_built).map(|service| service.image.as_str()).collect();
        images.sort_unstable();
        images.dedup();
        images
    }
}

/// The service that answers requests: `web`, or the only one that is published.
fn web(config: &Config) -> Result<&str, Problem> {
    if config.services.contains_key(WEB) {
        return Ok(WEB);
    }
    let published: Vec<&String> = config
        .services
        .iter()
        .filter(|(name, service)| *name != PROXY && service.ports.iter().any(docker::compose::Port::is_tcp))
        .map(|(name, _)| name)
        .collect();
    match published.as_slice() {
        [name] => Ok(name),
        _ => Err(Problem::new("the Compose file has no service `web`, and not just one that publishes a port")
            .hint("name the service that handles requests `web`")),
    }
}

/// The reference of a service's image, spelled out: `shop` and `shop:latest` are the same one.
fn image(config: &Config, name: &str, service: &Declared) -> String {
    let image = service.image.clone().unwrap_or_else(|| format!("{}-{name}", config.name));
    let last = image.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) { image } else { format!("{image}:latest") }
}

fn rotation(config: &Config, web: &str) -> Option<Rotation> {
    let declared = &config.services[web];
    config.services.get(PROXY)?.labels.get(docker::STATE_LABEL)?;
    let (front, hold_file) = (declared.labels.get(FRONT)?, declared.labels.get(HOLD_FILE)?);
    let membership = declared.networks.get(front)?;
    let more = membership.as_ref().map(|membership| membership.aliases.clone()).unwrap_or_default();
    Some(Rotation {
        network: config.networks.get(front)?.name.clone(),
        aliases: [web.to_owned()].into_iter().chain(more).collect(),
        hold_file: hold_file.clone(),
    })
}

/// Returns the depth of a service in the graph of `depends_on`.
fn depth(config: &Config, name: &str, most: usize) -> usize {
    let Some(service) = config.services.get(name).filter(|_| most > 0) else { return 0 };
    service.depends_on.keys().map(|below| depth(config, below, most - 1) + 1).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn stack(text: &str) -> Result<Stack, String> {
        Stack::of(serde_json::from_str(text).expect("a Compose file in JSON")).map_err(|problem| problem.message)
    }

    fn order(stack: &Stack) -> String {
        stack.services.iter().map(|service| service.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_stack_with_a_rotation() {
        let stack = stack(
            r#"{"name": "shop", "networks": {"front": {"name": "shop_front"}}, "services": {
                "beat": {"image": "shop-app"}, "celery": {"image": "shop-app:latest"},
                "db": {"image": "postgres"}, "cache": {"image": "redis", "depends_on": {"db": {}}},
                "proxy": {"build": {}, "labels": {"xtask.state": "http://proxy:1/s"}, "ports": [{"target": 80}]},
                "never": {"image": "x", "scale": 0},
                "web": {"image": "shop-app", "build": {}, "expose": ["9000"], "networks": {"front": {"aliases": ["app"]}},
                        "labels": {"xtask.front": "front", "xtask.hold-file": "/tmp/hold"}}}}"#,
        )
        .expect("a stack");
        assert_eq!(order(&stack), "db cache web celery beat proxy");
        let Some(Role::Web(Some(rotation))) = stack.web().map(|web| web.role.clone()) else {
            panic!("there is a rotation")
        };
        assert_eq!((rotation.network.as_str(), rotation.aliases.join(" ").as_str()), ("shop_front", "web app"));
        assert_eq!(stack.port(stack.web().expect("web")), 9000);
        assert_eq!(stack.built_images(), ["shop-app:latest", "shop-proxy:latest"]);
        let outages: Vec<_> = stack.services.iter().filter(|it| it.role.costs_outage()).map(|it| &it.name).collect();
        assert_eq!(outages, ["db", "cache", "proxy"]);
    }

    #[test]
    fn a_stack_without_one() {
        let stack = stack(r#"{"name": "shop", "services": {"app": {"build": {}, "ports": [{"target": 3000}]}}}"#)
            .expect("a stack");
        assert_eq!(
            stack.web().map(|web| (web.role.clone(), web.image.as_str())),
            Some((Role::Web(None), "shop-app:latest"))
        );
        assert_eq!(stack.port(stack.web().expect("web")), 3000);
        assert!(stack.web().expect("web").role.costs_outage());
    }

    #[test]
    fn no_web_service() {
        let none = "the Compose file has no service `web`, and not just one that publishes a port";
        assert_eq!(self::stack(r#"{"services": {"a": {}}}"#).err().as_deref(), Some(none));
        let two = r#"{"services": {"a": {"ports": [{"target": 1}]}, "b": {"ports": [{"target": 1}]}}}"#;
        assert_eq!(self::stack(two).err().as_deref(), Some(none));
    }
}
