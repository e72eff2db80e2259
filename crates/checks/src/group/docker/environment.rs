//! `docker.environment`: the variables of `.env` reach the container of the web service.

use docker::compose::{Config, Service};
use docker::roles::{RoleSource, Roles};
use project::matrix::{self, Policy, Row, rows};
use project::text::counted;
use serde_json::Value;

use super::ENVIRONMENT;
use crate::Target;
use crate::group::django::without_effect;
use crate::outcome::{Finding, Outcome};

/// Compares the environment of the web service, as Compose parses it, with `.env`. Variables that the Compose file
/// provides are not compared.
pub(super) fn outcome(config: &Config, roles: &Roles, target: &Target) -> Outcome {
    let Some((name, service)) = web(config, roles) else {
        let reason = "no service is known to run Django: set `web-service`";
        return Outcome::skip(ENVIRONMENT, roles.problem.as_deref().unwrap_or(reason));
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

/// Returns the web service. One that is only known by its port may be any program, unless it is built.
fn web<'c>(config: &'c Config, roles: &Roles) -> Option<(&'c String, &'c Service)> {
    let (web, source) = roles.web()?;
    config.services.get_key_value(web).filter(|(name, _)| source != RoleSource::Port || config.is_built(name))
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
    use docker::roles::roles;
    use project::Settings;

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
            web(&config, &roles(&config, &Settings::default())).map(|(name, _)| name.clone())
        };
        let ports = r#""ports": [{"target": 80}]"#;
        let proxy = format!(r#""nginx": {{"image": "nginx", {ports}}}"#);
        assert_eq!(name(&format!(r#"{{"services": {{{proxy}, "web": {{}}}}}}"#)).as_deref(), Some("web"));
        let built = format!(r#"{{"build": {{}}, {ports}}}"#);
        assert_eq!(name(&format!(r#"{{"services": {{"shop": {built}, {proxy}}}}}"#)).as_deref(), Some("shop"));
        assert_eq!(name(&format!(r#"{{"services": {{{proxy}}}}}"#)), None);
        assert_eq!(name(&format!(r#"{{"services": {{"other": {{"image": "x", {ports}}}}}}}"#)), None);
        assert_eq!(name("{}"), None);
    }
}
