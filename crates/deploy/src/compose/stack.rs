//! The Compose file's services, and the part that each has in a deploy.

use std::collections::BTreeSet;

use docker::Container;
use docker::compose::{Config, Service as Declared, repository};
use docker::roles::{self, Assigned, Roles, roles};
use project::Settings;

use super::rotation::{Rotation, rotation};
use crate::failure::Problem;

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
    /// Its role as the plan shows it, with the source.
    pub(super) assigned: Assigned,
    pub(super) scale: usize,
    /// The image that it runs, as the Compose file or else Compose names it.
    pub(super) image: String,
    pub(super) is_built: bool,
    /// Whether it is replaced before the migrations, which may need it.
    pub(super) is_early: bool,
}

/// The part that a service has in a deploy. The order is that of replacing, where `depends_on` leaves a choice.
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

impl Service {
    /// Returns whether it runs a program of others, which stays as it is if its data would be lost.
    pub(super) fn is_third_party(&self) -> bool {
        self.role == Role::Backing || (self.role == Role::Proxy && !self.is_built)
    }
}

impl Stack {
    /// The stack of a Compose file, or why it cannot be deployed.
    pub(super) fn of(config: Config, settings: &Settings) -> Result<Self, Problem> {
        let roles = roles(&config, settings);
        if let Some(problem) = &roles.problem {
            return Err(Problem::new(problem).hint(
                "name the service that handles requests with the setting `web-service`: see docs/other-projects.md",
            ));
        }
        let built = config.services.iter().filter(|(_, service)| service.build.is_some());
        if let Some(image) = built.map(|(name, _)| config.image(name)).find(|image| image.contains('@')) {
            return Err(Problem::new(format!("the image `{image}` is built, and cannot have a digest as its name")));
        }
        let present = config.services.iter().filter(|(_, declared)| declared.scale() > 0);
        let services: Vec<Service> = present.map(|(name, declared)| service(&config, &roles, name, declared)).collect();
        let services = in_order(services, &config);
        Ok(Stack { config, services })
    }

    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    /// The web service.
    pub(super) fn web(&self) -> Option<&Service> {
        self.services.iter().find(|service| matches!(service.role, Role::Web(_)))
    }

    /// The proxy; of several, the one that is asked about its rotation.
    pub(super) fn proxy(&self) -> Option<&Service> {
        let proxies = || self.services.iter().filter(|service| service.role == Role::Proxy);
        let has_state = |service: &&Service| self.declared(service).labels.contains_key(docker::STATE_LABEL);
        proxies().find(has_state).or_else(|| proxies().next())
    }

    pub(super) fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// Returns the services that a service depends on, directly or not.
    pub(super) fn dependencies(&self, service: &str) -> BTreeSet<String> {
        let mut found = dependencies(&self.config, service);
        found.retain(|name| self.config.services.contains_key(name));
        found
    }

    pub(super) fn declared(&self, service: &Service) -> &Declared {
        &self.config.services[&service.name]
    }

    /// Returns whether the Compose file names a port on which a service listens.
    pub(super) fn has_port(&self, service: &Service) -> bool {
        self.declared_port(service).is_some()
    }

    /// Where a service listens in its container.
    pub(super) fn port(&self, service: &Service) -> u16 {
        self.declared_port(service).unwrap_or(PORT)
    }

    fn declared_port(&self, service: &Service) -> Option<u16> {
        let declared = self.declared(service);
        let exposed = declared.expose.iter().filter_map(|port| match port {
            serde_json::Value::String(text) => text.split('/').next()?.parse().ok(),
            port => port.as_u64().and_then(|port| port.try_into().ok()),
        });
        let published = declared.ports.iter().filter(|port| port.is_tcp()).filter_map(|port| port.target);
        published.chain(exposed).next()
    }

    /// The images of all services, each once.
    pub(super) fn images(&self) -> Vec<&str> {
        distinct(self.services.iter())
    }

    /// The images that a release is made of, and that a rollback brings back, each once. A backing service with data keeps
    /// its image: an earlier version may not be able to read what a later one has written.
    pub(super) fn release_images(&self) -> Vec<&str> {
        let built = self.built_images();
        let has_data = |service: &Service| {
            service.role == Role::Backing
                && !built.contains(&service.image.as_str())
                && self.declared(service).volumes.iter().any(|mount| matches!(&*mount.kind, "volume" | "bind"))
        };
        distinct(self.services.iter().filter(|service| !has_data(service)))
    }

    /// The images that are built, each once.
    pub(super) fn built_images(&self) -> Vec<&str> {
        distinct(self.services.iter().filter(|service| service.is_built))
    }
}

/// Returns the images of services in their order, each once.
fn distinct<'s>(services: impl Iterator<Item = &'s Service>) -> Vec<&'s str> {
    let images: BTreeSet<&str> = services.map(|service| service.image.as_str()).collect();
    images.into_iter().collect()
}

fn service(config: &Config, roles: &Roles, name: &str, declared: &Declared) -> Service {
    let assigned = roles.of(name);
    let role = match assigned.role {
        roles::Role::Backing => Role::Backing,
        roles::Role::Job => Role::Job,
        roles::Role::Web => Role::Web(rotation(config, name)),
        roles::Role::Worker => Role::Worker,
        roles::Role::Scheduler | roles::Role::Other => Role::Other,
        roles::Role::Proxy => Role::Proxy,
    };
    let (image, is_built) = (config.image(name), declared.build.is_some());
    Service { name: name.to_owned(), role, assigned, scale: declared.scale(), image, is_built, is_early: false }
}

/// Returns the services with dependencies first, and apart from that in the order of their roles and names.
fn in_order(mut left: Vec<Service>, config: &Config) -> Vec<Service> {
    left.sort_by(|a, b| (&a.role, &a.name).cmp(&(&b.role, &b.name)));
    let web = left.iter().find(|service| matches!(service.role, Role::Web(_))).cloned();
    let needed = web.as_ref().map(|web| dependencies(config, &web.name)).unwrap_or_default();
    // Code of the release runs after its migrations.
    let may_be_early = |service: &Service| match service.role {
        Role::Backing => true,
        Role::Other | Role::Proxy => {
            needed.contains(&service.name)
                && web.as_ref().is_none_or(|web| repository(&web.image) != repository(&service.image))
        }
        Role::Job | Role::Web(_) | Role::Worker => false,
    };
    let mut ordered: Vec<Service> = Vec::new();
    while !left.is_empty() {
        let waits = |service: &Service| left.iter().any(|other| depends_on(config, &service.name, &other.name));
        // Compose accepts no circle.
        let mut next = left.remove(left.iter().position(|service| !waits(service)).unwrap_or_default());
        let mut below = ordered.iter().filter(|other| depends_on(config, &next.name, &other.name));
        next.is_early = below.all(|other| other.is_early) && may_be_early(&next);
        ordered.push(next);
    }
    ordered
}

fn depends_on(config: &Config, service: &str, other: &str) -> bool {
    config.services.get(service).is_some_and(|service| service.depends_on.contains_key(other))
}

/// Returns the services that a service depends on, directly or not.
fn dependencies(config: &Config, service: &str) -> BTreeSet<String> {
    let (mut found, mut open) = (BTreeSet::new(), vec![service.to_owned()]);
    while let Some(name) = open.pop() {
        for below in config.services.get(&name).into_iter().flat_map(|service| service.depends_on.keys()) {
            if found.insert(below.clone()) {
                open.push(below.clone());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn stack(text: &str) -> Result<Stack, String> {
        let config = serde_json::from_str(text).expect("a Compose file in JSON");
        Stack::of(config, &Settings::default()).map_err(|problem| problem.message)
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
        let Some(Role::Web(Some(Rotation::Labels(rotation)))) = stack.web().map(|web| web.role.clone()) else {
            panic!("there is a rotation")
        };
        assert_eq!((rotation.network.as_str(), rotation.aliases.join(" ").as_str()), ("shop_front", "web app"));
        assert_eq!(stack.port(stack.web().expect("web")), 9000);
        assert_eq!(stack.built_images(), ["shop-app:latest", "shop-proxy:latest"]);
        let outages: Vec<_> = stack.services.iter().filter(|it| it.role.costs_outage()).map(|it| &it.name).collect();
        assert_eq!(outages, ["db", "cache", "proxy"]);
    }

    #[test]
    fn traefik_has_a_rotation_where_the_health_check_can_be_held() {
        let check = |more: &str, expected: bool| {
            let mut service: serde_json::Value = serde_json::from_str(
                r#"{"build": {}, "labels": {"traefik.http.routers.web.rule": "Host(`x`)"},
                    "healthcheck": {"test": ["CMD", "true"]}}"#,
            )
            .expect("JSON");
            let more: serde_json::Map<_, _> = serde_json::from_str(more).expect("JSON");
            service.as_object_mut().expect("an object").extend(more.clone());
            let stack = stack(&format!(r#"{{"name": "shop", "services": {{"web": {service}}}}}"#)).expect("a stack");
            let role = &stack.web().expect("web").role;
            assert_eq!(matches!(role, Role::Web(Some(Rotation::HealthCheck(_)))), expected, "{more:?}");
        };
        check("{}", true);
        check(r#"{"ports": [{"target": 8000, "published": "8000-8001"}]}"#, true);
        check(r#"{"ports": [{"target": 8000, "published": "8000"}]}"#, false);
        check(r#"{"read_only": true}"#, false);
        check(r#"{"healthcheck": {"disable": true}}"#, false);
        check(r#"{"labels": {"traefik.enable": "false", "traefik.http.routers.web.rule": "x"}}"#, false);
        check(r#"{"labels": {"traefik.enable": "true"}}"#, false);
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
        let check = |text: &str, expected: &str| assert_eq!(stack(text).err().as_deref(), Some(expected));
        check(r#"{"services": {"a": {}}}"#, "no service of the stack is known as the web service");
        let two = r#"{"services": {"a": {"ports": [{"target": 1}]}, "b": {"ports": [{"target": 1}]}}}"#;
        check(two, "`a` and `b` could each be the web service");
    }

    /// Checks the order, with a bar before the services that come after the migrations.
    #[track_caller]
    fn check_order(services: &str, expected: &str) {
        let stack = stack(&format!(r#"{{"name": "shop", "services": {{{services}}}}}"#)).expect("a stack");
        let early = stack.services.iter().filter(|service| service.is_early).count();
        let mut names: Vec<&str> = stack.services.iter().map(|service| service.name.as_str()).collect();
        names.insert(early, "|");
        assert_eq!(names.join(" "), expected);
    }

    #[test]
    fn nothing_with_the_image_of_web_is_replaced_before_the_migrations() {
        let image = |tag: &str| format!(r#""image": "registry:5000/app:{tag}""#);
        let (one, cron) = (image("1"), image("cron"));
        let services = format!(
            r#""beat": {{{one}}}, "celery": {{{one}}}, "cron": {{{cron}}}, "redis": {{"image": "redis"}}, "web": {{{one}"#
        );
        check_order(&format!("{services}}}"), "redis | web celery beat cron");
        check_order(
            &format!(r#"{services}, "depends_on": {{"beat": {{}}, "cron": {{}}}}}}"#),
            "redis | celery beat cron web",
        );
    }

    #[test]
    fn dependencies_come_first_whatever_their_roles_are() {
        let web = r#""web": {"build": {}, "depends_on": {"db": {}, "migrate": {"condition": "service_completed_successfully"}}}"#;
        check_order(
            &format!(
                r#"{web}, "db": {{"build": {{}}}}, "migrate": {{"image": "shop-web", "depends_on": {{"db": {{}}}}}},
                   "stats": {{"image": "exporter", "depends_on": {{"web": {{}}}}}}, "cache": {{"image": "redis"}}"#
            ),
            "cache db | migrate web stats",
        );
        // The worker serves the web service, and the proxy needs it.
        check_order(
            r#""web": {"build": {}, "depends_on": {"celery": {}}}, "celery": {"image": "shop-web"},
               "a": {"image": "nginx", "depends_on": {"web": {}}}, "beat": {"image": "shop-web", "depends_on": {"a": {}}}"#,
            "| celery web a beat",
        );
        check_order(
            r#""web": {"build": {}, "depends_on": {"sql-proxy": {}, "init": {}}}, "init": {"image": "shop-web"},
               "sql-proxy": {"image": "envoy"}"#,
            "sql-proxy | init web",
        );
    }
}
