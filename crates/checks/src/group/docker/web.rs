//! `docker.http`: the published web service answers.

use docker::PublishedPort;
use docker::roles::Role;
use project::text::listed;
use project::{Variable, web};
use subprocess::{Address, Deadline, http};

use super::HTTP;
use super::containers::ServiceContainer;
use super::declared::Service;
use crate::Target;
use crate::outcome::Outcome;

/// The roles that are tried first: a proxy comes before the service behind it.
const PREFERRED: [Role; 2] = [Role::Proxy, Role::Web];

pub(super) fn outcome(
    services: &[Service],
    containers: &[ServiceContainer],
    engine_host: Option<&str>,
    target: &Target,
    deadline: &Deadline,
) -> Outcome {
    let service = match published(services) {
        Ok(service) => service,
        Err(reason) => return Outcome::skip(HTTP, reason),
    };
    match publisher(service, containers) {
        Ok(port) => ask(&Address::Tcp(host(port, engine_host), port.port), target, deadline),
        Err(reason) => Outcome::err(HTTP, reason),
    }
}

fn ask(address: &Address, target: &Target, deadline: &Deadline) -> Outcome {
    let health_path = target.project.settings.health_path.as_deref();
    let host = web::request_host(target.value(Variable::AllowedHosts).as_deref());
    // The proxy knows whether a request came over HTTPS.
    let answer = http::get(address, web::health_path(health_path), &host, false, deadline);
    crate::web::judge(HTTP, address, &target.project, &host, &answer)
}

/// Returns the service that users reach. The Compose file decides: another running service is no replacement for one
/// that is down.
fn published(services: &[Service]) -> Result<&Service, String> {
    let published: Vec<_> = services.iter().filter(|service| service.is_published && service.scale > 0).collect();
    if let Some(found) = PREFERRED.iter().find_map(|role| published.iter().find(|service| service.role == *role)) {
        return Ok(found);
    }
    match published.as_slice() {
        [] => Err("no service publishes a port".to_owned()),
        [service] => Ok(service),
        several => {
            let names = listed(several.iter().map(|service| service.name.as_str()));
            Err(format!("{names} publish ports, and none of them is known as the web service: set `web-service`"))
        }
    }
}

/// Where a service is published. Which port that is may have been left to the engine.
fn publisher<'a>(service: &Service, containers: &'a [ServiceContainer]) -> Result<&'a PublishedPort, String> {
    let is_tcp = |port: &&PublishedPort| port.protocol == "tcp";
    let name = &service.name;
    let containers = containers.iter().map(|it| &it.container);
    let mut running = containers.filter(|it| it.service == *name && it.runs()).peekable();
    if running.peek().is_none() {
        return Err(format!("`{name}` does not run"));
    }
    let port = running.find_map(|container| container.published.iter().find(is_tcp));
    port.ok_or_else(|| format!("`{name}` runs, and publishes no port"))
}

/// Where a published port is: on the engine's host, whichever of its addresses it was bound to.
fn host(port: &PublishedPort, engine_host: Option<&str>) -> String {
    match (engine_host, port.address.as_str()) {
        (Some(host), _) => host.to_owned(),
        (None, "" | "0.0.0.0" | "::") => "127.0.0.1".to_owned(),
        (None, address) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use docker::Container;

    use super::super::containers::fixture;
    use super::*;

    /// Services with whether they declare a published port, their states and the ports; and which port is asked.
    #[track_caller]
    fn check(found: &[(&str, bool, &str, Option<u16>)], expected: Result<u16, &str>) {
        let service = |(name, is_published, ..): &(&str, bool, &str, Option<u16>)| Service {
            name: (*name).to_owned(),
            scale: 1,
            is_job: false,
            is_published: *is_published,
            role: match *name {
                "proxy" => Role::Proxy,
                "web" => Role::Web,
                _ => Role::Other,
            },
        };
        let services: Vec<_> = found.iter().map(service).collect();
        let container = |(name, _, state, port): &(&str, bool, &str, Option<u16>)| {
            let published = |port| PublishedPort { address: "0.0.0.0".to_owned(), port, protocol: "tcp".to_owned() };
            ServiceContainer {
                container: Container {
                    service: (*name).to_owned(),
                    state: (*state).to_owned(),
                    published: port.map(published).into_iter().collect(),
                    ..fixture("1", false)
                },
                status: String::new(),
                elsewhere: None,
            }
        };
        let containers: Vec<_> = found.iter().map(container).collect();
        let port = published(&services).and_then(|service| publisher(service, &containers)).map(|port| port.port);
        assert_eq!(port, expected.map_err(str::to_owned), "{found:?}");
    }

    #[test]
    fn which_port_is_asked() {
        let db = ("db", true, "running", Some(5432));
        check(&[db, ("proxy", true, "running", Some(80)), ("web", true, "running", Some(8000))], Ok(80));
        check(&[db, ("web", true, "running", Some(8000))], Ok(8000));
        check(&[("app", true, "running", Some(3000)), ("db", false, "running", None)], Ok(3000));
        check(&[("proxy", true, "exited", None), ("web", true, "running", Some(8000))], Err("`proxy` does not run"));
        // A proxy on the host's own network publishes nothing.
        check(&[("proxy", false, "running", None), ("web", true, "running", Some(8000))], Ok(8000));
        check(&[("web", true, "restarting", None)], Err("`web` does not run"));
        check(&[("app", true, "exited", None)], Err("`app` does not run"));
        check(&[("app", true, "running", None)], Err("`app` runs, and publishes no port"));
        check(&[("app", false, "running", None)], Err("no service publishes a port"));
        check(
            &[("a", true, "running", Some(1)), ("b", true, "running", Some(2))],
            Err("`a` and `b` publish ports, and none of them is known as the web service: set `web-service`"),
        );
        check(&[], Err("no service publishes a port"));
    }

    #[test]
    fn on_which_host() {
        let port = |address: &str| PublishedPort { address: address.to_owned(), port: 80, protocol: "tcp".into() };
        assert_eq!(host(&port("0.0.0.0"), None), "127.0.0.1");
        assert_eq!(host(&port("::"), None), "127.0.0.1");
        assert_eq!(host(&port("10.0.0.7"), None), "10.0.0.7");
        assert_eq!(host(&port("0.0.0.0"), Some("db.example.org")), "db.example.org");
    }
}
