//! A container for tests.

use docker::Container;

/// The fields of `docker inspect` that must be there, and the labels of Compose.
const INSPECTED: &str = r#"[{"Id": "e9c2", "Name": "/shop-web-1", "Image": "sha256:1", "RestartCount": 0,
    "State": {"Status": "running", "ExitCode": 0, "StartedAt": "2026-11-23T04:48:46Z"},
    "Config": {"Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "web",
                          "com.docker.compose.oneoff": "False",
                          "com.docker.compose.project.working_dir": "/srv/shop"}},
    "NetworkSettings": {"Networks": {"shop_front": {"IPAddress": "172.21.0.4"}}}}]"#;

/// Returns the container `shop-web-1` of the service `web`, which runs.
pub(super) fn container() -> Container {
    docker::containers(INSPECTED).expect("as Docker writes it").remove(0)
}
