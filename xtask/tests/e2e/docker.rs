//! Containers of a real Compose project.

use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use duct::cmd;

use crate::checkout::Checkout;
use crate::engine::{IMAGE, image};

/// A Compose project that is taken down again, however the case ends.
struct Up<'a>(&'a Checkout);

impl Up<'_> {
    fn compose<'b>(&self, args: impl IntoIterator<Item = &'b str>) -> duct::Expression {
        cmd("docker", ["compose", "-f", "deploy/docker/compose.yaml"].into_iter().chain(args))
            .dir(&self.0.root)
            .stdout_null()
            .stderr_null()
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        let _ = self.compose(["down", "--timeout", "0", "--volumes"]).unchecked().run();
    }
}

pub(crate) fn detected() {
    image();
    let checkout = Checkout::empty();
    let name = format!("xtask-e2e-{}", std::process::id());
    checkout.write("manage.py", "");
    checkout.write(
        "deploy/docker/compose.yaml",
        &format!(
            "name: {name}\nservices:\n  web:\n    image: {IMAGE}\n    command: [sleep, infinity]\n    init: true\n"
        ),
    );
    assert_eq!(checkout.run(["detect", "method"]), ("bare\n".into(), 0));

    let up = Up(&checkout);
    up.compose(["up", "-d"]).run().expect("the stack comes up");
    assert_eq!(checkout.run(["detect", "method"]), ("docker\n".into(), 0));
    let (all, _) = checkout.run(["detect"]);
    assert!(all.contains(&format!("running containers: {name}-web-1")), "{all}");

    // The file goes before what runs.
    checkout.write(".env", "DEPLOY_METHOD=bare\n");
    assert_eq!(checkout.run(["detect", "method"]), ("bare\n".into(), 0));
    // Another project's containers are not ours.
    let other = Checkout::empty();
    other.write("manage.py", "");
    other.write("compose.yaml", "services: {}\n");
    assert_eq!(other.run(["detect", "method"]), ("bare\n".into(), 0));

    drop(up);
    checkout.write(".env", "");
    assert_eq!(checkout.run(["detect", "method"]), ("bare\n".into(), 0));
}

/// A stack in which everything goes wrong that can, and one service that is well.
const SERVICES: &str = r#"
services:
  web:
    <<: *base
    command: [python3, -m, http.server, "8000"]
    ports: ["127.0.0.1::8000"]
    healthcheck: {test: [CMD, "true"], interval: 1s}
    depends_on: {job: {condition: service_completed_successfully}}
  job: {<<: *base, command: ["true"]}
  sick:
    <<: *base
    command: [sleep, infinity]
    environment: {A_TOKEN: hunter2}
    healthcheck: {test: [CMD-SHELL, "echo no way with $$A_TOKEN; exit 1"], interval: 1s, retries: 1}
  loop: {<<: *base, command: [sh, -c, exit 3], restart: always}
  gone: {<<: *base, command: [sh, -c, exit 7]}
  never: {<<: *base, scale: 0}
"#;

pub(crate) fn healthy_or_not() {
    image();
    let checkout = Checkout::empty();
    checkout.write("manage.py", "");
    checkout.write(".env", "DJANGO_ENV=dev\nDEPLOY_METHOD=docker\nCELERY_TASK_ALWAYS_EAGER=0\nA_TOKEN=hunter2\n");
    let name = format!("xtask-e2e-{}-health", std::process::id());
    let compose_file = format!("name: {name}\nx-base: &base {{image: \"{IMAGE}\", init: true}}\n{SERVICES}");
    checkout.write("deploy/docker/compose.yaml", &compose_file);
    let health = |args: &str| checkout.run(["health"].into_iter().chain(args.split_whitespace()));

    let (output, code) = health("--only docker");
    assert_eq!(code, 1, "{output}");
    for line in [
        "ok   docker.daemon         Docker ",
        "ok   docker.compose        Compose ",
        "err   docker.service.web    there is no container",
        "hint: docker compose -f deploy/docker/compose.yaml up -d web",
        "err   docker.http           `web` does not run",
    ] {
        assert!(output.contains(line), "{line:?} is not in: {output}");
    }

    let up = Up(&checkout);
    up.compose(["up", "-d"]).run().expect("the stack comes up");
    // Docker takes its time to call one healthy and another unhealthy.
    let (output, code) = health("--only docker.service.web,docker.http --wait 60s");
    assert_eq!(code, 0, "{output}");
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut output = health("--only docker").0;
    while !output.contains("unhealthy") {
        assert!(Instant::now() < deadline, "never unhealthy: {output}");
        output = health("--only docker").0;
    }
    for line in [
        "err   docker.service.gone   has exited with code 7",
        "ok   docker.service.job    has ended well",
        "err   docker.service.loop   restarting: ",
        "skip   docker.service.never  scaled to 0",
        "err   docker.service.sick   unhealthy\n       | no way with ********\n",
        "ok   docker.service.web    healthy",
        "ok   docker.http           `/` answers 200 (127.0.0.1:",
    ] {
        assert!(output.contains(line), "{line:?} is not in: {output}");
    }
    assert_eq!(health("--only docker --skip docker.service.gone,docker.service.loop,docker.service.sick").1, 0);

    up.compose(["stop", "--timeout", "0", "web"]).run().expect("it stops");
    let (output, _) = health("--only docker");
    assert!(output.contains("err   docker.service.web    has exited with code "), "{output}");
    assert!(output.contains("err   docker.http           `web` does not run"), "{output}");

    // A socket that takes connections and never answers.
    let socket = checkout.root.join("dead.sock");
    let _dead = UnixListener::bind(&socket).expect("bound");
    let command = checkout.xtask(["health", "--only", "docker", "--timeout", "1s"]);
    let command = command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let output = command.stdout_capture().stderr_capture().unchecked().run().expect("it starts");
    let output = String::from_utf8_lossy(&output.stdout);
    assert!(output.contains("err   docker.daemon   no answer in 1 s from `docker`"), "{output}");
    assert!(output.contains("skip   docker.http     "), "{output}");

    checkout.write("deploy/docker/compose.yaml", "services:\n  web: {imag: x}\n");
    let (output, code) = health("--only docker");
    assert_eq!(code, 1, "{output}");
    assert!(output.contains("err   docker.compose  the Compose file is not valid\n       | "), "{output}");
    // To be taken down by.
    checkout.write("deploy/docker/compose.yaml", &compose_file);
}
