//! A container and a service for tests.

use docker::Container;
use docker::roles::{self, Assigned, RoleSource};

use super::stack::{Role, Service};

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

/// Returns the service `web` with another role and image.
pub(super) fn service(role: Role, image: &str) -> Service {
    let assigned = Assigned { role: roles::Role::Web, source: RoleSource::Name };
    Service { name: "web".into(), role, assigned, scale: 1, image: image.into(), is_built: true, is_early: false }
}
