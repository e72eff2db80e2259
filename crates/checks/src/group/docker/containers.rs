//! The containers that there are, as Compose lists them and the engine describes them.

use std::path::Path;

use docker::compose::or_default;
use docker::is_started_from;
use project::secret::Secrets;
use serde::Deserialize;

/// A container, from `docker compose ps --format json` and then from the engine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Container {
    #[serde(rename = "ID")]
    pub(super) id: String,
    pub(super) service: String,
    /// Docker's word: `running`, `restarting`, `exited`, …
    pub(super) state: String,
    #[serde(default)]
    pub(super) health: String,
    /// In words, such as `Up 5 seconds (healthy)`.
    #[serde(default)]
    pub(super) status: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) publishers: Vec<Publisher>,
    #[serde(skip)]
    pub(super) detail: Detail,
}

impl Container {
    pub(super) fn runs(&self) -> bool {
        self.state == "running"
    }
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Publisher {
    #[serde(rename = "URL", default)]
    pub(super) address: String,
    #[serde(rename = "PublishedPort", default)]
    pub(super) port: u16,
    #[serde(rename = "Protocol", default)]
    pub(super) protocol: String,
}

/// The details that only the engine knows. Compose reports an exit code as well, but that of a restarting container is
/// 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Detail {
    pub(super) restarts: u64,
    pub(super) exit_code: i64,
    /// The output of the last health check.
    pub(super) health_log: String,
    /// The Compose file that it was started from, if that is another one: two checkouts whose Compose projects have
    /// the same name share their containers.
    pub(super) elsewhere: Option<String>,
}

/// The format of `docker inspect`, a line for each container. `{{.State.Health}}` would be an error for a container
/// without a health check (Docker 20.10).
pub(super) const DETAIL: &str = r#"{"id":{{json .Id}},"oneoff":{{json (index .Config.Labels "com.docker.compose.oneoff")}},"dir":{{json (index .Config.Labels "com.docker.compose.project.working_dir")}},"files":{{json (index .Config.Labels "com.docker.compose.project.config_files")}},"restarts":{{json .RestartCount}},"state":{{json .State}}}"#;

#[derive(Deserialize)]
struct Inspected {
    id: String,
    /// `True` for that of a `docker compose run`, which `ps --all` lists among the others.
    oneoff: Option<String>,
    dir: Option<String>,
    files: Option<String>,
    restarts: u64,
    state: State,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    exit_code: i64,
    health: Option<Health>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Health {
    log: Option<Vec<HealthLog>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HealthLog {
    output: String,
}

/// The containers that Compose lists: a JSON object a line, or, before 2.21, one array.
pub(super) fn listed(text: &str) -> Result<Vec<Container>, serde_json::Error> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text);
    }
    text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect()
}

/// Returns the containers of the services, with the engine's description in the form of [`DETAIL`]. Containers of
/// `docker compose run` are left out, and so are those that are gone.
pub(super) fn of_services(
    listed: Vec<Container>,
    inspected: &str,
    compose_file: &Path,
    secrets: &Secrets,
) -> Vec<Container> {
    let lines = inspected.lines().filter_map(|line| serde_json::from_str::<Inspected>(line).ok());
    let inspected: Vec<_> = lines.filter(|it| it.oneoff.as_deref() != Some("True")).collect();
    let detailed = |container: Container| {
        // Compose shortens the ids.
        let Inspected { restarts, state, dir, files, .. } =
            inspected.iter().find(|it| it.id.starts_with(&container.id))?;
        let dir = dir.as_deref().unwrap_or_default();
        let elsewhere = files.clone().filter(|files| !is_started_from(compose_file, dir, files));
        let last = state.health.as_ref().and_then(|health| health.log.as_ref()?.last());
        let health_log = last.map(|log| secrets.redact(&log.output)).unwrap_or_default();
        let detail = Detail { restarts: *restarts, exit_code: state.exit_code, health_log, elsewhere };
        Some(Container { detail, ..container })
    };
    listed.into_iter().filter_map(detailed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Compose 2.26 lists them, the rest left out.
    const LOOP: &str = r#"{"ExitCode":0,"Health":"","ID":"67510f5d1c55","Publishers":null,"Service":"loop","State":"restarting","Status":"Restarting (3) 18 seconds ago"}"#;
    const WEB: &str = r#"{"ExitCode":0,"Health":"healthy","ID":"b168947102a4","Publishers":[{"URL":"0.0.0.0","TargetPort":8000,"PublishedPort":32768,"Protocol":"tcp"},{"URL":"::","TargetPort":8000,"PublishedPort":32768,"Protocol":"tcp"}],"Service":"web","State":"running","Status":"Up 16 seconds (healthy)"}"#;

    #[test]
    fn containers_are_listed_by_line_or_as_an_array() {
        let lines = listed(&format!("{LOOP}\n{WEB}\n")).expect("valid");
        assert_eq!((lines.len(), lines[1].publishers[0].port), (2, 32768));
        assert_eq!(listed(&format!("[{LOOP},{WEB}]")).expect("valid"), lines);
        assert_eq!(listed("\n").expect("valid"), []);
        assert_eq!(listed("[]").expect("valid"), []);
        assert!(listed("no configuration file provided").is_err());
    }

    /// As Docker 20.10 describes them, the rest left out.
    const INSPECTED: &str = r#"
{"id":"67510f5d1c558ab79316","restarts":11,"oneoff":"False","dir":"/srv/app","files":"/srv/app/compose.yaml","state":{"ExitCode":3,"Restarting":true,"Status":"restarting"}}
{"id":"b168947102a44310b04c","restarts":0,"oneoff":"False","state":{"ExitCode":0,"Health":{"FailingStreak":2,"Log":[{"ExitCode":0,"Output":""},{"ExitCode":1,"Output":"no way, hunter2\n"}],"Status":"unhealthy"}}}
{"id":"8c65b9c228ad548bb29f","restarts":0,"oneoff":"True","state":{"ExitCode":9,"Status":"exited"}}
"#;

    #[track_caller]
    fn check(line: &str, expected: &[(u64, i64, &str)]) {
        let secrets = Secrets::default().and(["hunter2".to_owned()]);
        let found = of_services(listed(line).expect("valid"), INSPECTED, Path::new("/srv/app/compose.yaml"), &secrets);
        let found: Vec<_> =
            found.iter().map(|it| (it.detail.restarts, it.detail.exit_code, &*it.detail.health_log)).collect();
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn the_engine_adds_details_and_removes_one_off_containers() {
        check(LOOP, &[(11, 3, "")]);
        check(WEB, &[(0, 0, "no way, ********\n")]);
        check(r#"{"ID":"8c65b9c228ad","Service":"web","State":"exited"}"#, &[]);
        let found = |name: &str| {
            let compose_file = Path::new("/srv/app").join(name);
            let found = of_services(listed(LOOP).expect("valid"), INSPECTED, &compose_file, &Secrets::default());
            found[0].detail.elsewhere.clone()
        };
        assert_eq!(found("compose.yaml"), None);
        assert_eq!(found("other.yaml").as_deref(), Some("/srv/app/compose.yaml"));
        check(r#"{"ID":"aaaaaaaaaaaa","Service":"web","State":"removing"}"#, &[]);
    }
}
