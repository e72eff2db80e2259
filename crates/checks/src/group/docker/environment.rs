//! `docker.environment`: the variables of `.env` reach the container of the web service.

use docker::compose::{Config, Service};
use project::matrix::{self, Policy, Row, rows};
use project::text::{counted, listed};
use serde_json::Value;

use super::ENVIRONMENT;
use crate::Target;
use crate::group::django::without_effect;
use crate::outcome::{Finding, Outcome};

/// The names of services that run Django, the most common first.
const NAMES: [&str; 4] = ["web", "django", "app", "backend"];
/// Parts of the names of images of proxies.
const PROXIES: [&str; 5] = ["caddy", "haproxy", "httpd", "nginx", "traefik"];

/// Compares the environment of the web service, as Compose parses it, with `.env`. Variables that the Compose file
/// provides are not compared.
pub(super) fn outcome(config: &Config, target: &Target) -> Outcome {
    let Some((name, service)) = web(config) else {
        return Outcome::skip(
            ENVIRONMENT,
            format!(
                "no service has one of the names {}, and not just one is built and publishes a port",
                listed(NAMES)
            ),
        );
    };
    let (environment, method) = (target.environment.value, target.deploy_method.value);
    let (status, mut count, mut is_missing) = (without_effect(environment), 0, false);
    let mut findings = Vec::new();
    let names = &target.project.names;
    for Row { variable, name: key, policy } in rows(names, environment, method) {
        if policy == Policy::Skip {
            continue;
        }
        let Some(value) = target.value(variable) else { continue };
        count += 1;
        let state = match names.value(variable, |key| value_in(service, key)) {
            Some(found) if matrix::is_same(variable, &found, &value) => continue,
            Some(_) => "has another value in",
            None => {
                is_missing = true;
                "does not reach"
            }
        };
        let line = target.env().and_then(|file| Some(file.get(key)?.line));
        let message = format!("`{key}` of `.env` {state} the service `{name}`");
        findings.push(Finding { status, line, message, hint: None });
    }
    match findings.len() {
        0 if count == 0 => Outcome::skip(ENVIRONMENT, "no variable to compare"),
        0 => Outcome::ok(ENVIRONMENT, format!("{} of `.env` in `{name}`", counted(count, "variable"))),
        lost => {
            let message = format!("{} of `.env` without effect in `{name}`", counted(lost, "variable"));
            let hint = if is_missing {
                format!("add `env_file: .env`, by its path from the Compose file, to the service `{name}`")
            } else {
                format!("take the variables out of `environment` of the service `{name}`, which overrides `env_file`")
            };
            Outcome::new(ENVIRONMENT, status, message).findings(findings).hint(hint)
        }
    }
}

/// Returns the service that runs Django: by its name, or the only one that is built and publishes a port. A proxy needs no
/// variable, and must get no secret.
fn web(config: &Config) -> Option<(&String, &Service)> {
    let is_proxy = |service: &Service| {
        let image = service.image.as_deref().unwrap_or_default();
        service.build.is_none() && PROXIES.iter().any(|proxy| image.contains(proxy))
    };
    let mut named = NAMES.iter().filter_map(|name| config.services.get_key_value(*name));
    if let Some(web) = named.find(|(_, service)| !is_proxy(service)) {
        return Some(web);
    }
    let is_candidate = |service: &Service| service.build.is_some() && !service.ports.is_empty();
    let mut published = config.services.iter().filter(|(_, service)| is_candidate(service));
    published.next().filter(|_| published.next().is_none())
}

/// Returns the value of a variable in a container. Compose writes `$` as `$$`, so that its output can be read again.
fn value_in(service: &Service, variable: &str) -> Option<String> {
    match service.environment.get(variable)? {
        Value::Null => None,
        Value::String(text) => Some(text.replace("$$", "$")),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(environment: &str) -> Service {
        serde_json::from_str(&format!(r#"{{"environment": {environment}}}"#)).expect("a service")
    }

    #[test]
    fn values_as_compose_writes_them() {
        let service = service(r#"{"A": "x$$y", "B": 1, "C": null, "D": true}"#);
        let found = ["A", "B", "C", "D", "E"].map(|variable| value_in(&service, variable));
        assert_eq!(found, [Some("x$y".into()), Some("1".into()), None, Some("true".into()), None]);
    }

    #[test]
    fn the_service_that_runs_django() {
        let name = |text: &str| {
            let config: Config = serde_json::from_str(text).expect("a Compose file");
            web(&config).map(|(name, _)| name.clone())
        };
        let ports = r#"{"ports": [{"target": 80}]}"#;
        assert_eq!(name(&format!(r#"{{"services": {{"nginx": {ports}, "web": {{}}}}}}"#)).as_deref(), Some("web"));
        let built = r#"{"build": {}, "ports": [{"target": 80}]}"#;
        assert_eq!(
            name(&format!(r#"{{"services": {{"traefik": {ports}, "django": {{}}}}}}"#)).as_deref(),
            Some("django")
        );
        assert_eq!(name(&format!(r#"{{"services": {{"shop": {built}, "nginx": {ports}}}}}"#)).as_deref(), Some("shop"));
        assert_eq!(name(&format!(r#"{{"services": {{"nginx": {ports}}}}}"#)), None);
        let proxy = r#"{"image": "nginx:alpine"}"#;
        assert_eq!(name(&format!(r#"{{"services": {{"web": {proxy}, "app": {{}}}}}}"#)).as_deref(), Some("app"));
        assert_eq!(name(&format!(r#"{{"services": {{"shop": {built}, "api": {built}}}}}"#)), None);
        assert_eq!(name("{}"), None);
    }
}
