//! `docker.http`: the published web service answers.

use project::{matrix, web};
use subprocess::{Address, Deadline, http};

use super::HTTP;
use super::containers::{Container, Publisher};
use super::declared::Service;
use crate::Target;
use crate::outcome::Outcome;

/// The services that are tried first: a proxy comes before the service behind it.
const PREFERRED: [&str; 2] = ["proxy", "web"];

pub(super) fn outcome(
    services: &[Service],
    containers: &[Container],
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
    let host = web::request_host(target.value(matrix::DJANGO_ALLOWED_HOSTS).as_deref());
    // The proxy knows whether a request came over HTTPS.
    let answer = http::get(address, web::health_path(health_path), &host, false, deadline);
    crate::web::judge(HTTP, address, health_path, &host, &answer)
}

/// Returns the service that users reach. The Compose file decides: another running service is no replacement for one
/// that is down.
fn published(services: &[Service]) -> Result<&Service, String> {
    let published: Vec<_> = services.iter().filter(|service| service.is_published && service.scale > 0).collect();
    if let Some(found) = PREFERRED.iter().find_map(|name| published.iter().find(|service| service.name == *name)) {
        return Ok(found);
    }
    match published.as_slice() {
        [] => Err("no service publishes a port".to_owned()),
        [service] => Ok(service),
        several => {
            let names: Vec<_> = several.iter().map(|service| service.name.as_str()).collect();
            Err(format!("`{}` publish ports, and none of them is `proxy` or `web`", names.join("`, `")))
        }
    }
}

/// Where a service is published. Which port that is may have been left to the engine.
fn publisher<'a>(service: &Service, containers: &'a [Container]) -> Result<&'a Publisher, String> {
    let is_tcp = |port: &&Publisher| port.port != 0 && matches!(port.protocol.as_str(), "tcp" | "");
    let name = &service.name;
    let mut running = containers.iter().filter(|it| it.service == *name && it.runs()).peekable();
    if running.peek().is_none() {
        return Err(format!("`{name}` does not run"));
    }
    let port = running.find_map(|container| container.publishers.iter().find(is_tcp));
    port.ok_or_else(|| format!("`{name}` runs, and publishes no port"))
}

/// Where a published port is: on the engine's host, whichever of its addresses it was bound to.
fn host(port: &Publisher, engine_host: Option<&str>) -> String {
    match (engine_host, port.address.as_str()) {
        (Some(host), _) => host.to_owned(),
        (None, "" | "0.0.0.0" | "::") => "127.0.0.1".to_owned(),
        (None, address) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::containers::listed;
    use super::*;

    /// Services with whether they declare a published port, their states and the ports; and which port is asked.
    #[track_caller]
    fn check(found: &[(&str, bool, &str, u16)], expected: Result<u16, &str>) {
        let service = |(name, is_published, ..): &(&str, bool, &str, u16)| Service {
            name: (*name).to_owned(),
            scale: 1,
            is_job: false,
            is_published: *is_published,
        };
        let services: Vec<_> = found.iter().map(service).collect();
        let container = |(name, _, state, port): &(&str, bool, &str, u16)| {
            let publishers = format!(r#"[{{"URL":"0.0.0.0","PublishedPort":{port},"Protocol":"tcp"}}]"#);
            format!(r#"{{"ID":"1","Service":"{name}","State":"{state}","Publishers":{publishers}}}"#)
        };
        let lines: Vec<_> = found.iter().map(container).collect();
        let containers = listed(&lines.join("\n")).expect("valid");
        let port = published(&services).and_then(|service| publisher(service, &containers)).map(|port| port.port);
        assert_eq!(port, expected.map_err(str::to_owned), "{found:?}");
    }

    #[test]
    fn which_port_is_asked() {
        let db = ("db", true, "running", 5432);
        check(&[db, ("proxy", true, "running", 80), ("web", true, "running", 8000)], Ok(80));
        check(&[db, ("web", true, "running", 8000)], Ok(8000));
        check(&[("app", true, "running", 3000), ("db", false, "running", 0)], Ok(3000));
        check(&[("proxy", true, "exited", 0), ("web", true, "running", 8000)], Err("`proxy` does not run"));
        // A proxy on the host's own network publishes nothing.
        check(&[("proxy", false, "running", 0), ("web", true, "running", 8000)], Ok(8000));
        check(&[("web", true, "restarting", 0)], Err("`web` does not run"));
        check(&[("app", true, "exited", 0)], Err("`app` does not run"));
        check(&[("app", true, "running", 0)], Err("`app` runs, and publishes no port"));
        check(&[("app", false, "running", 0)], Err("no service publishes a port"));
        check(
            &[("a", true, "running", 1), ("b", true, "running", 2)],
            Err("`a`, `b` publish ports, and none of them is `proxy` or `web`"),
        );
        check(&[], Err("no service publishes a port"));
    }

    #[test]
    fn on_which_host() {
        let port = |address: &str| Publisher { address: address.to_owned(), port: 80, protocol: "tcp".into() };
        assert_eq!(host(&port("0.0.0.0"), None), "127.0.0.1");
        assert_eq!(host(&port("::"), None), "127.0.0.1");
        assert_eq!(host(&port("10.0.0.7"), None), "10.0.0.7");
        assert_eq!(host(&port("0.0.0.0"), Some("db.example.org")), "db.example.org");
    }
}
