//! The containers of the services: those that Compose lists, with the engine's description.

use std::path::Path;

use docker::{Container, Health, is_started_from};
use project::secret::Secrets;
use serde::Deserialize;

/// A container as `docker compose ps --format json` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    /// The id, shortened by Compose.
    #[serde(rename = "ID")]
    pub(super) id: String,
    /// In words, such as `Up 5 seconds (healthy)`.
    #[serde(default)]
    status: String,
}

/// A container of a service.
#[derive(Debug, Clone)]
pub(super) struct ServiceContainer {
    pub(super) container: Container,
    /// Its state in Docker's words, such as `Up 5 seconds (healthy)`.
    pub(super) status: String,
    /// The Compose file that it was started from, if that is another one: two checkouts whose Compose projects have
    /// the same name share their containers.
    pub(super) elsewhere: Option<String>,
}

/// Returns the containers that Compose lists: a JSON object a line, or, before 2.21, one array.
pub(super) fn listed(text: &str) -> Result<Vec<Listed>, serde_json::Error> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text);
    }
    text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect()
}

/// Returns the containers of the services. Containers of `docker compose run`, which Compose lists among the others, are
/// left out, and so are those that are gone.
pub(super) fn of_services(
    listed: Vec<Listed>,
    containers: &[Container],
    compose_file: &Path,
    secrets: &Secrets,
) -> Vec<ServiceContainer> {
    let described = |Listed { id, status }: Listed| {
        let container = containers.iter().find(|container| container.is_of_service && container.id.starts_with(&id))?;
        let mut container = container.clone();
        if let Health::Unhealthy(output) = &mut container.health {
            *output = secrets.redact(output);
        }
        let elsewhere = (!container.files.is_empty()
            && !is_started_from(compose_file, &container.folder, &container.files))
        .then(|| container.files.clone());
        Some(ServiceContainer { container, status, elsewhere })
    };
    listed.into_iter().filter_map(described).collect()
}

/// Returns containers for tests: their ids, and whether they are those of a `docker compose run`.
#[cfg(test)]
pub(super) fn fixture(id: &str, is_one_off: bool) -> Container {
    let inspected = format!(
        r#"[{{"Id": "{id}", "Name": "/shop-web-1", "Image": "sha256:1", "RestartCount": 0,
              "State": {{"Status": "running", "ExitCode": 0, "StartedAt": "2026-11-23T04:48:46Z"}},
              "Config": {{"Labels": {{"com.docker.compose.project": "shop", "com.docker.compose.service": "web",
                                      "com.docker.compose.oneoff": "{}",
                                      "com.docker.compose.project.working_dir": "/srv/app",
                                      "com.docker.compose.project.config_files": "/srv/app/compose.yaml"}}}},
              "NetworkSettings": {{}}}}]"#,
        if is_one_off { "True" } else { "False" }
    );
    docker::containers(&inspected).expect("as Docker writes it").remove(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Compose 2.26 lists them, the rest left out.
    const LOOP: &str = r#"{"ExitCode":0,"Health":"","ID":"67510f5d1c55","Publishers":null,"Service":"loop","State":"restarting","Status":"Restarting (3) 18 seconds ago"}"#;
    const WEB: &str = r#"{"ExitCode":0,"Health":"healthy","ID":"b168947102a4","Publishers":[],"Service":"web","State":"running","Status":"Up 16 seconds (healthy)"}"#;

    #[test]
    fn containers_are_listed_by_line_or_as_an_array() {
        let lines = listed(&format!("{LOOP}\n{WEB}\n")).expect("valid");
        assert_eq!((lines.len(), lines[1].id.as_str()), (2, "b168947102a4"));
        assert_eq!(listed(&format!("[{LOOP},{WEB}]")).expect("valid"), lines);
        assert_eq!(listed("\n").expect("valid"), []);
        assert_eq!(listed("[]").expect("valid"), []);
        assert!(listed("no configuration file provided").is_err());
    }

    /// Returns Compose's containers as they are found in `/srv/app/<compose_file>`.
    fn found(line: &str, compose_file: &str) -> Vec<ServiceContainer> {
        let web = fixture("b168947102a44310b04c", false);
        let web = Container { health: Health::Unhealthy("no way, hunter2\n".to_owned()), ..web };
        let containers = [fixture("67510f5d1c558ab79316", false), web, fixture("8c65b9c228ad548bb29f", true)];
        let secrets = Secrets::default().and(["hunter2".to_owned()]);
        of_services(listed(line).expect("valid"), &containers, &Path::new("/srv/app").join(compose_file), &secrets)
    }

    #[test]
    fn the_engine_describes_the_containers_of_services() {
        let found_loop = found(LOOP, "compose.yaml");
        assert_eq!(found_loop[0].status, "Restarting (3) 18 seconds ago");
        assert_eq!(found_loop[0].elsewhere, None);
        assert_eq!(found(LOOP, "other.yaml")[0].elsewhere.as_deref(), Some("/srv/app/compose.yaml"));
        let redacted = Health::Unhealthy("no way, ********\n".to_owned());
        assert_eq!(found(WEB, "compose.yaml")[0].container.health, redacted);
        assert!(found(r#"{"ID":"8c65b9c228ad","Status":"Exited (0)"}"#, "compose.yaml").is_empty(), "of a `run`");
        assert!(found(r#"{"ID":"aaaaaaaaaaaa","Status":"Removal"}"#, "compose.yaml").is_empty(), "gone");
    }
}
