//! Containers, by the description of the engine.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use detect::Environment;

/// A container, by `docker inspect`. The rest of its output, and with it the secrets in the environment, is dropped.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "facts, each of its own")]
pub struct Container {
    /// The full id: 64 hexadecimal digits.
    pub id: String,
    /// The name, such as `shop-web-1`.
    pub name: String,
    /// The Compose project that it belongs to; empty for a container that Compose has not created.
    pub project: String,
    /// The Compose service; empty like the project.
    pub service: String,
    /// The project folder that Compose was called with; empty like the project.
    pub folder: String,
    /// The Compose files that it was created from, separated by commas; empty like the project.
    pub files: String,
    /// The environment that it was deployed for, where its variables set `DJANGO_ENV`.
    pub environment: Option<Environment>,
    /// Whether Compose created it for its service. Containers of `docker compose run`, and those of a plain `docker
    /// run` of an image that Compose has built, have the labels of the service and are none of its containers.
    pub is_of_service: bool,
    /// The id of its image.
    pub image: String,
    /// The reference of its image that it was created with, such as `shop-app`; it may name another image by now.
    pub reference: String,
    /// Docker's state: `created`, `running`, `restarting`, `exited`, `paused`, `dead`.
    pub state: String,
    /// The result of its health check.
    pub health: Health,
    /// The exit code of its last process; 0 while that runs.
    pub exit_code: i64,
    /// Whether the kernel killed it for its use of memory.
    pub is_out_of_memory: bool,
    /// How often the engine has restarted it.
    pub restarts: u64,
    /// The time of its last start, as the engine writes it.
    pub started_at: String,
    /// The time that it has to exit after its stop signal, in seconds.
    pub stop_timeout: u64,
    /// Its addresses, by the names that the engine gives to the networks.
    pub addresses: BTreeMap<String, String>,
    /// The URL of the rotation state, if it is a proxy with such a label.
    pub state_url: Option<String>,
    /// Whether its health check fails while [`HOLD_FILE`] is there.
    pub is_holdable: bool,
    /// Whether the engine does not restart it after it has exited with 0.
    pub is_never_restarted: bool,
    /// The mount points in it.
    pub mounts: Vec<PathBuf>,
    /// The mount points of its anonymous volumes: data that no other container would find.
    pub anonymous_volumes: Vec<String>,
    /// The ports of the engine's host that its configuration publishes, running or not.
    pub host_ports: Vec<u16>,
    /// The ports that it publishes now; none unless it runs.
    pub published: Vec<PublishedPort>,
}

/// A port of a running container that the engine's host forwards to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedPort {
    /// The address of the host that it is bound to, such as `0.0.0.0`.
    pub address: String,
    /// The port of the host.
    pub port: u16,
    /// The protocol: `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

/// The result of a container's health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// There is no health check.
    Unchecked,
    /// The health check has not succeeded yet, nor failed often enough.
    Starting,
    /// The last health check succeeded.
    Healthy,
    /// The health check fails; the output of the last one is given.
    Unhealthy(String),
    /// The health check fails because a deploy holds the container out of the rotation of its proxy.
    Held {
        /// Whether the engine calls it unhealthy by now, so that the proxy leaves it out.
        is_out: bool,
    },
}

/// While this file is in a container, the health check that [`HealthCheck::held_test`](crate::HealthCheck::held_test) has made fails.
pub const HOLD_FILE: &str = "/.xtask-hold";
/// The output of the health check then.
pub(crate) const HOLD_MARK: &str = "xtask: held out of the rotation";

impl Container {
    /// Returns whether its main process runs, healthy or not.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.state == "running"
    }

    /// Returns whether it runs, or is about to run again.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.runs() || self.state == "restarting"
    }

    /// Returns whether it runs and its health check has no result yet.
    #[must_use]
    pub fn is_starting(&self) -> bool {
        self.runs() && self.health == Health::Starting
    }

    /// Returns whether it has exited with exit code 0 and stays so.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.state == "exited" && self.exit_code == 0
    }

    /// Returns the failure of a container that should run, without a restart since its creation: a clause for a
    /// message, unredacted.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let exit_code = self.exit_code;
        let memory = if self.is_out_of_memory { ", out of memory" } else { "" };
        match (self.state.as_str(), &self.health) {
            ("restarting", _) => Some(format!("keeps restarting: exit code {exit_code}{memory}")),
            ("running", _) if self.restarts > 0 => Some(format!("was restarted {}", times(self.restarts))),
            ("running", Health::Unhealthy(output)) => {
                Some(format!("is unhealthy: {}", output.lines().last().unwrap_or_default().trim()))
            }
            ("running", _) => None,
            ("exited" | "dead", _) => Some(format!("has exited with exit code {exit_code}{memory}")),
            (state, _) => Some(format!("is {state}")),
        }
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name)
    }
}

/// The label of a proxy with the URL of its rotation state.
pub const STATE_LABEL: &str = "xtask.state";

/// Returns the output of `docker inspect` for containers, without those that do not exist any more. `docker` runs
/// Docker with these arguments, and returns its output.
///
/// # Errors
/// Those of `docker`.
pub fn inspect<E>(ids: &[&str], docker: impl Fn(&[&str]) -> Result<String, E>) -> Result<String, E> {
    let inspect = |ids: &[&str]| match ids {
        [] => Ok("[]".to_owned()),
        ids => docker(&[&["inspect", "--type", "container"], ids].concat()),
    };
    inspect(ids).or_else(|error| {
        // Docker's exit status does not distinguish a container that is gone from other failures; its list does.
        let existing = docker(&["ps", "--all", "--quiet", "--no-trunc"])?;
        let is_there = |id: &&str| existing.lines().any(|line| line.starts_with(*id));
        let rest: Vec<&str> = ids.iter().copied().filter(is_there).collect();
        if rest.len() == ids.len() { Err(error) } else { inspect(&rest) }
    })
}

/// Returns whether a container with these labels was started from this Compose file. A project may be brought up with
/// several files, and docker-compose v1 noted them relative to the working folder.
#[must_use]
pub fn is_started_from(compose_file: &Path, working_dir: &str, files: &str) -> bool {
    let is_same = |path: &Path| path == compose_file || path.canonicalize().is_ok_and(|path| path == compose_file);
    files.split(',').any(|file| is_same(&Path::new(working_dir).join(file)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers;

    /// As Docker 20.10 describes a container of Compose 2.26, most of it left out.
    const INSPECTED: &str = r#"{"Id": "e9c2", "Name": "/shop-web-1", "Image": "sha256:1", "RestartCount": 2,
        "State": {"Status": "running", "ExitCode": 0, "OOMKilled": false, "StartedAt": "2026-11-23T04:48:46Z",
                  "Health": {"Status": "unhealthy", "Log": [{"Output": "old"}, {"Output": "no\nway\n"}]}},
        "Config": {"StopTimeout": 40, "Image": "shop-app", "Env": ["A_TOKEN=hunter2", "DJANGO_ENV=prod"],
                   "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "web",
                              "com.docker.compose.oneoff": "False",
                              "com.docker.compose.project.working_dir": "/srv/shop",
                              "com.docker.compose.project.config_files": "/srv/shop/compose.yaml,/srv/shop/b.yaml"}},
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8000"}], "81/tcp": null}},
        "NetworkSettings": {"Networks": {"shop_front": {"IPAddress": "172.21.0.4"}},
                            "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8000"}], "81/tcp": null,
                                      "53/udp": [{"HostIp": "::", "HostPort": "53"}]}},
        "Mounts": [{"Type": "volume", "Name": "shop_data", "Destination": "/data"},
                   {"Type": "bind", "Source": "/x", "Destination": "/x"},
                   {"Type": "volume", "Destination": "/media",
                    "Name": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}]}"#;

    fn container() -> Container {
        containers(&format!("[{INSPECTED}]")).expect("as Docker writes it").remove(0)
    }

    #[test]
    fn a_container_is_parsed() {
        let container = container();
        assert_eq!((container.to_string().as_str(), container.service.as_str()), ("`shop-web-1`", "web"));
        assert_eq!((container.stop_timeout, container.is_of_service), (40, true));
        assert_eq!((container.image.as_str(), container.reference.as_str()), ("sha256:1", "shop-app"));
        assert_eq!((container.folder.as_str(), container.environment), ("/srv/shop", Some(Environment::Prod)));
        assert_eq!(container.addresses["shop_front"], "172.21.0.4");
        assert_eq!((container.anonymous_volumes.join(" ").as_str(), container.host_ports), ("/media", vec![8000]));
        assert_eq!(container.health, Health::Unhealthy("no\nway\n".to_owned()));
        let published: Vec<_> =
            container.published.iter().map(|it| format!("{} {} {}", it.address, it.port, it.protocol)).collect();
        assert_eq!(published, [":: 53 udp", "0.0.0.0 8000 tcp"]);
    }

    #[test]
    fn restarts_after_success() {
        for (policy, is_never) in [("", true), ("no", true), ("on-failure", true), ("always", false)] {
            let policy = format!(r#""HostConfig": {{"RestartPolicy": {{"Name": "{policy}"}}, "#);
            let inspected = format!("[{}]", INSPECTED.replace(r#""HostConfig": {"#, &policy));
            let container = containers(&inspected).expect("as Docker writes it").remove(0);
            assert_eq!(container.is_never_restarted, is_never, "{policy}");
        }
    }

    #[test]
    fn the_compose_file_of_a_container() {
        let Container { folder, files, .. } = container();
        let is_from = |file: &str| is_started_from(Path::new(file), &folder, &files);
        assert!(is_from("/srv/shop/compose.yaml") && is_from("/srv/shop/b.yaml") && !is_from("/srv/shop/c.yaml"));
    }

    /// The calls of Docker for the containers `a` and `b`, with the ids that exist, and the result.
    #[track_caller]
    fn check_inspect(existing: &[&str], is_engine_well: bool, expected: &[&str]) {
        let calls = std::cell::RefCell::new(Vec::new());
        let docker = |args: &[&str]| {
            calls.borrow_mut().push(args.join(" "));
            let ids = args.iter().filter(|word| word.len() == 1);
            match args[0] {
                _ if !is_engine_well => Err("no engine"),
                "ps" => Ok(existing.join("\n")),
                _ if ids.clone().all(|id| existing.contains(id)) => Ok(ids.copied().collect()),
                _ => Err("no such container"),
            }
        };
        let result = inspect(&["a", "b"], docker).unwrap_or_else(|error| format!("error: {error}"));
        let calls = calls.into_inner().into_iter().chain([result]).collect::<Vec<_>>();
        assert_eq!(calls, expected);
    }

    #[test]
    fn containers_that_are_gone_are_left_out() {
        let (all, list) = ("inspect --type container a b", "ps --all --quiet --no-trunc");
        check_inspect(&["a", "b"], true, &[all, "ab"]);
        check_inspect(&["b"], true, &[all, list, "inspect --type container b", "b"]);
        check_inspect(&[], true, &[all, list, "[]"]);
        check_inspect(&[], false, &[all, list, "error: no engine"]);
    }

    #[test]
    fn failures_of_containers() {
        let unhealthy = Health::Unhealthy("no\nway\n".to_owned());
        for (state, restarts, exit_code, health, expected) in [
            ("running", 0, 0, Health::Healthy, None),
            ("running", 0, 0, Health::Starting, None),
            ("running", 1, 0, Health::Healthy, Some("was restarted once")),
            ("running", 0, 0, unhealthy, Some("is unhealthy: way")),
            ("restarting", 3, 3, Health::Unchecked, Some("keeps restarting: exit code 3")),
            ("exited", 0, 7, Health::Unchecked, Some("has exited with exit code 7")),
            ("exited", 0, 0, Health::Unchecked, Some("has exited with exit code 0")),
            ("paused", 0, 0, Health::Unchecked, Some("is paused")),
            ("created", 0, 0, Health::Unchecked, Some("is created")),
        ] {
            let container = Container { state: state.to_owned(), restarts, exit_code, health, ..container() };
            assert_eq!(container.failure().as_deref(), expected, "{state}");
        }
    }
}
