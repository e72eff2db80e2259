//! `docker.http`: the published web service answers.

use super::HTTP;
use super::services::{Container, Publisher, Service};
use crate::http::{self, Address};
use crate::outcome::Outcome;
use crate::{Deadline, Site, matrix};

/// The services that are looked for first: a proxy before what it stands in front of.
const PREFERRED: [&str; 2] = ["proxy", "web"];

pub(super) fn check(
    services: &[Service],
    containers: &[Container],
    engine_host: Option<&str>,
    site: &Site,
    deadline: &Deadline,
) -> Outcome {
    let port = match published(services, containers) {
        Ok(port) => port,
        Err(outcome) => return *outcome,
    };
    let address = Address::Tcp(host(port, engine_host), port.port);
    let health_path = site.project.settings.health_path.as_deref();
    let host = http::host_of(site.value(matrix::DJANGO_ALLOWED_HOSTS).as_deref());
    // Whether a request came over HTTPS is the proxy's to say.
    let answer = http::get(&address, http::path_of(health_path), &host, false, deadline);
    http::judge(HTTP, &address, health_path, &host, &answer)
}

/// The published port of the web service.
fn published<'a>(services: &'a [Service], containers: &'a [Container]) -> Result<&'a Publisher, Box<Outcome>> {
    let is_tcp = |port: &&Publisher| port.port != 0 && matches!(port.protocol.as_str(), "tcp" | "");
    let published: Vec<_> = containers
        .iter()
        .filter(|container| container.state == "running")
        .filter_map(|container| Some((container.service.as_str(), container.publishers.iter().find(is_tcp)?)))
        .collect();
    for name in PREFERRED {
        if let Some(found) = published.iter().find(|(service, _)| *service == name) {
            return Ok(found.1);
        }
        // A proxy that is down is not made good by what stands behind it.
        let is_declared = services.iter().any(|service| service.name == name && service.scale > 0);
        let runs = containers.iter().any(|container| container.service == name && container.state == "running");
        if is_declared && !runs {
            return Err(Outcome::err(HTTP, format!("`{name}` does not run")).into());
        }
    }
    let mut names: Vec<_> = published.iter().map(|(service, _)| *service).collect();
    names.dedup();
    match (published.first(), names.as_slice()) {
        (Some((_, port)), [_]) => Ok(port),
        (None, _) => Err(Outcome::skip(HTTP, "no service publishes a port").into()),
        (Some(_), names) => {
            let message = format!("`{}` publish ports, and none of them is `proxy` or `web`", names.join("`, `"));
            Err(Outcome::skip(HTTP, message).into())
        }
    }
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
    use super::super::services::containers;
    use super::*;

    /// Services with their states and published ports, and which port is asked.
    #[track_caller]
    fn check(found: &[(&str, &str, u16)], expected: Result<u16, &str>) {
        let service = |(name, _, _): &(&str, &str, u16)| Service { name: (*name).to_owned(), scale: 1, is_job: false };
        let services: Vec<_> = found.iter().map(service).collect();
        let container = |(name, state, port): &(&str, &str, u16)| {
            let publishers = format!(r#"[{{"URL":"0.0.0.0","PublishedPort":{port},"Protocol":"tcp"}}]"#);
            format!(r#"{{"ID":"1","Service":"{name}","State":"{state}","Publishers":{publishers}}}"#)
        };
        let listed: Vec<_> = found.iter().map(container).collect();
        let containers = containers(&listed.join("\n")).expect("valid");
        let port = published(&services, &containers).map(|port| port.port).map_err(|outcome| outcome.message);
        assert_eq!(port, expected.map_err(str::to_owned), "{found:?}");
    }

    #[test]
    fn which_port_is_asked() {
        check(&[("db", "running", 5432), ("proxy", "running", 80), ("web", "running", 8000)], Ok(80));
        check(&[("db", "running", 5432), ("web", "running", 8000)], Ok(8000));
        check(&[("app", "running", 3000), ("db", "running", 0)], Ok(3000));
        check(&[("proxy", "exited", 80), ("web", "running", 8000)], Err("`proxy` does not run"));
        // A proxy on the host's own network publishes nothing.
        check(&[("proxy", "running", 0), ("web", "running", 8000)], Ok(8000));
        check(&[("web", "restarting", 8000)], Err("`web` does not run"));
        check(&[("app", "running", 0)], Err("no service publishes a port"));
        check(
            &[("a", "running", 1), ("b", "running", 2)],
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
