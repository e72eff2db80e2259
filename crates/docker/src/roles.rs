//! The role of each service of a Compose file, with the fact that it follows from. One table for the checks and the
//! deploys.

use std::collections::BTreeMap;
use std::fmt;

use project::Settings;
use project::text::listed;

use crate::STATE_LABEL;
use crate::compose::{Config, Port, Service, repository};

/// Label of the web service: the network on which the proxy, and only the proxy, reaches it.
pub const FRONT_LABEL: &str = "xtask.front";

/// The part that a service has in the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A service that others depend on, such as a broker or a database.
    Backing,
    /// Runs once, and is over.
    Job,
    /// Runs Django and answers requests. A stack has one.
    Web,
    /// Does tasks.
    Worker,
    /// Starts tasks by the clock: there must never be two.
    Scheduler,
    /// Anything else that runs the project's code.
    Other,
    /// Receives the requests of users and hands them on.
    Proxy,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Backing => "backing service",
            Role::Job => "job",
            Role::Web => "web service",
            Role::Worker => "worker",
            Role::Scheduler => "scheduler",
            Role::Other => "service of the project",
            Role::Proxy => "proxy",
        })
    }
}

/// The fact that a role follows from; the first that applies counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleSource {
    /// One of the settings `web-service`, `worker-services` and `proxy-service`.
    Setting,
    /// A label of this tool.
    Label,
    /// Another service waits for it to have ended.
    Dependents,
    /// The name of its image, or whether that is built here.
    Image,
    /// The command that the Compose file gives it.
    Command,
    /// Its own name.
    Name,
    /// The port that it alone publishes.
    Port,
}

impl fmt::Display for RoleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RoleSource::Setting => "setting",
            RoleSource::Label => "label",
            RoleSource::Dependents => "dependents",
            RoleSource::Image => "image",
            RoleSource::Command => "command",
            RoleSource::Name => "name",
            RoleSource::Port => "published port",
        })
    }
}

/// A role with its source, shown as `web service by its label`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// The role.
    pub role: Role,
    /// The fact that it follows from.
    pub source: RoleSource,
}

impl fmt::Display for Assigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by its {}", self.role, self.source)
    }
}

/// The roles of all services.
#[derive(Debug, Clone)]
pub struct Roles {
    services: BTreeMap<String, Assigned>,
    /// The reason why there is no web service, or a setting that names no service: a sentence without full stop.
    pub problem: Option<String>,
}

/// Programs that hand requests on, by words in the names of images and services.
const PROXIES: [&str; 5] = ["caddy", "haproxy", "httpd", "nginx", "traefik"];
/// Other names of proxies.
const PROXY: [&str; 3] = ["proxy", "reverse-proxy", "reverse_proxy"];
/// Programs that others depend on, by the first word in the name of their image.
#[rustfmt::skip]
const BACKING: [&str; 21] = [
    "clickhouse", "elasticsearch", "influxdb", "kafka", "keydb", "mariadb", "memcached", "minio", "mongo", "mongodb",
    "mysql", "nats", "opensearch", "pgbouncer", "pgvector", "postgis", "postgres", "postgresql", "rabbitmq", "redis",
    "valkey",
];
/// The names of services that run Django, the most common first.
const WEB: [&str; 10] = ["web", "django", "app", "backend", "gunicorn", "wsgi", "asgi", "uvicorn", "daphne", "api"];
const WORKERS: [&str; 5] = ["celery", "worker", "celery-worker", "celery_worker", "celeryworker"];
const SCHEDULERS: [&str; 5] = ["beat", "celery-beat", "celery_beat", "celerybeat", "scheduler"];
/// Programs that serve a Python application.
const SERVERS: [&str; 8] =
    ["daphne", "granian", "gunicorn", "hypercorn", "runserver", "uvicorn", "uwsgi", "waitress-serve"];

/// Returns the roles of the services, by the settings and the Compose file.
#[must_use]
pub fn roles(config: &Config, settings: &Settings) -> Roles {
    let fixed: BTreeMap<&str, Assigned> = config
        .services
        .iter()
        .filter_map(|(name, service)| Some((name.as_str(), fixed(config, name, service, settings)?)))
        .collect();
    let (web, mut problem) = match web(config, &fixed) {
        Ok(web) => (Some(web), None),
        Err(problem) => (None, Some(problem)),
    };
    if let Some(missing) = named(settings).find(|(_, name)| !config.services.contains_key(*name)) {
        problem = Some(format!("the setting `{}` names `{}`, which is no service of the stack", missing.0, missing.1));
    }
    // Another tag of the same repository is another image of the project.
    let web_image = web.map(|(name, _)| config.image(name));
    let is_of_web = |image: &str| web_image.as_ref().is_some_and(|web| repository(web) == repository(image));
    let is_ours = |name: &str| config.is_built(name) || is_of_web(&config.image(name));
    let assigned = |name: &str| match (fixed.get(name), web) {
        (_, Some((web, source))) if name == web => Assigned { role: Role::Web, source },
        (Some(assigned), _) if assigned.role != Role::Web => *assigned,
        // Another service that answers requests is none of the roles that are known here.
        _ => Assigned { role: if is_ours(name) { Role::Other } else { Role::Backing }, source: RoleSource::Image },
    };
    let services = config.services.keys().map(|name| (name.clone(), assigned(name))).collect();
    Roles { services, problem }
}

impl Roles {
    /// Returns the role of a service with its source.
    #[must_use]
    pub fn of(&self, service: &str) -> Assigned {
        let unknown = Assigned { role: Role::Backing, source: RoleSource::Image };
        self.services.get(service).copied().unwrap_or(unknown)
    }

    /// Returns the web service, with the source of its role.
    #[must_use]
    pub fn web(&self) -> Option<(&str, RoleSource)> {
        let web = self.services.iter().find(|(_, assigned)| assigned.role == Role::Web);
        web.map(|(name, assigned)| (name.as_str(), assigned.source))
    }
}

/// Returns the services that settings name, with the settings.
fn named(settings: &Settings) -> impl Iterator<Item = (&'static str, &String)> {
    let web = settings.web_service.iter().map(|name| ("web-service", name));
    let proxy = settings.proxy_service.iter().map(|name| ("proxy-service", name));
    web.chain(proxy).chain(settings.worker_services.iter().map(|name| ("worker-services", name)))
}

/// Returns the role of a service as far as it follows from the service itself. Of several web services, one is chosen.
fn fixed(config: &Config, name: &str, service: &Service, settings: &Settings) -> Option<Assigned> {
    let words = command_words(service);
    let setting = named(settings).find(|(_, named)| *named == name).map(|(setting, _)| setting);
    let has_label = |label| service.labels.contains_key(label);
    let is_named = |names: &[&str]| names.contains(&name);
    let image = image_words(config, service);
    let is_proxy = |words: &[&str]| words.iter().any(|word| PROXIES.contains(word));
    let name_words: Vec<&str> = name.split(['-', '_']).collect();
    let celery = celery(&words);
    [
        (setting == Some("web-service"), Role::Web, RoleSource::Setting),
        (setting == Some("proxy-service"), Role::Proxy, RoleSource::Setting),
        // Two of them would start each task twice, whatever the setting is.
        (setting.is_some() && celery == Some(Role::Scheduler), Role::Scheduler, RoleSource::Command),
        (setting == Some("worker-services"), Role::Worker, RoleSource::Setting),
        (has_label(STATE_LABEL), Role::Proxy, RoleSource::Label),
        (has_label(FRONT_LABEL), Role::Web, RoleSource::Label),
        (config.is_job(name), Role::Job, RoleSource::Dependents),
        (is_proxy(&image), Role::Proxy, RoleSource::Image),
        (
            service.build.is_none() && image.first().is_some_and(|first| BACKING.contains(first)),
            Role::Backing,
            RoleSource::Image,
        ),
        (celery.is_some(), celery.unwrap_or(Role::Other), RoleSource::Command),
        (is_named(&WEB), Role::Web, RoleSource::Name),
        (is_named(&WORKERS) && service.ports.is_empty(), Role::Worker, RoleSource::Name),
        (is_named(&SCHEDULERS), Role::Scheduler, RoleSource::Name),
        (is_named(&PROXY) || is_proxy(&name_words), Role::Proxy, RoleSource::Name),
        (words.iter().any(|word| SERVERS.contains(word)), Role::Web, RoleSource::Command),
    ]
    .into_iter()
    .find_map(|(applies, role, source)| applies.then_some(Assigned { role, source }))
}

/// Returns the service that runs Django: that of the best source, and of several names the most common one, preferably
/// with an image that is built here.
fn web<'c>(config: &'c Config, fixed: &BTreeMap<&'c str, Assigned>) -> Result<(&'c str, RoleSource), String> {
    let of_source = |source| {
        let is_web = move |assigned: &&Assigned| assigned.role == Role::Web && assigned.source == source;
        fixed.iter().filter(move |(_, assigned)| is_web(assigned)).map(|(name, _)| *name)
    };
    for source in [RoleSource::Setting, RoleSource::Label, RoleSource::Name] {
        let rank = |name: &&str| (!config.is_built(name), WEB.iter().position(|known| known == name));
        if let Some(name) = of_source(source).min_by_key(rank) {
            return Ok((name, source));
        }
    }
    let is_published = |name: &&str| config.services[*name].ports.iter().any(Port::is_tcp);
    let is_free = |name: &&str| !fixed.contains_key(name);
    let published: Vec<&str> =
        config.services.keys().map(String::as_str).filter(|name| is_free(name) && is_published(name)).collect();
    let built = |names: &[&'c str]| names.iter().copied().filter(|name| config.is_built(name)).collect::<Vec<_>>();
    let servers: Vec<&str> = of_source(RoleSource::Command).collect();
    for (names, source) in [(&servers, RoleSource::Command), (&published, RoleSource::Port)] {
        let published: Vec<&str> = names.iter().copied().filter(is_published).collect();
        for narrowed in [names.clone(), built(names), published.clone(), built(&published)] {
            if let [name] = narrowed.as_slice() {
                return Ok((name, source));
            }
        }
        if names.len() > 1 {
            return Err(format!("{} could each be the web service", listed(names)));
        }
    }
    Err("no service of the stack is known as the web service".to_owned())
}

/// Returns the role of a program of Celery, or of a script that is named after its scheduler.
fn celery(words: &[&str]) -> Option<Role> {
    let is_scheduler =
        |word: &&str| ["celerybeat", "celery-beat", "celery_beat"].iter().any(|name| word.contains(name));
    if words.first().is_some_and(is_scheduler) {
        return Some(Role::Scheduler);
    }
    words.iter().position(|word| *word == "celery" || word.ends_with("/celery")).and_then(|program| {
        let rest = &words[program + 1..];
        let has = |word: &str| rest.contains(&word);
        match () {
            () if has("beat") || (has("worker") && (has("-B") || has("--beat"))) => Some(Role::Scheduler),
            () if has("worker") => Some(Role::Worker),
            () if has("flower") => Some(Role::Other),
            () => None,
        }
    })
}

/// Returns the words of the command in the Compose file, those of a shell's script too.
fn command_words(service: &Service) -> Vec<&str> {
    let is_separator = |c: char| c.is_whitespace() || "\"'`;&|()".contains(c);
    service.start_command().flat_map(|part| part.split(is_separator)).filter(|word| !word.is_empty()).collect()
}

/// Returns the words in the name of an image, without its registry, owner, tag and digest.
fn image_words<'s>(config: &Config, service: &'s Service) -> Vec<&'s str> {
    let image = service.image.as_deref().unwrap_or_default();
    let last = image.rsplit('/').next().unwrap_or_default();
    let name = last.split([':', '@']).next().unwrap_or_default();
    // That of the Compose project reveals nothing about the program: a project can be named after its proxy.
    let name = name.strip_prefix(&*config.name).filter(|rest| rest.starts_with(['-', '_'])).unwrap_or(name);
    name.split(['-', '_', '.']).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests;
