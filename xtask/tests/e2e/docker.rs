//! Containers of a real Compose project.

use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use duct::cmd;

use crate::checkout::{Checkout, contains_all};
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
        let _ = self.compose(["down", "--timeout", "0", "--volumes", "--remove-orphans"]).unchecked().run();
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

    // The file comes before the running containers.
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
    environment: {CELERY_TASK_ALWAYS_EAGER: "0"}
    healthcheck: {test: [CMD, "true"], interval: 1s}
    depends_on: {job: {condition: service_completed_successfully}}
  job: {<<: *base, command: ["true"]}
  sick:
    <<: *base
    command: [sleep, infinity]
    environment: {A_TOKEN: hunter2}
    healthcheck: {test: [CMD-SHELL, "echo no way with $$A_TOKEN; exit 1"], interval: 1s, retries: 1}
  leak:
    <<: *base
    command: [sleep, infinity]
    environment: {POSTGRES_PASSWORD: hunter3}
    healthcheck: {test: [CMD-SHELL, "echo no way with $$POSTGRES_PASSWORD; exit 1"], interval: 1s, retries: 1}
  pair: {<<: *base, command: [sleep, infinity], scale: 2}
  held: {<<: *base, command: [sleep, infinity]}
  loop: {<<: *base, command: [sh, -c, exit 3], restart: always}
  gone: {<<: *base, command: [sh, -c, exit 7]}
  never: {<<: *base, scale: 0}
"#;

/// A checkout with this Compose file, deployed with Docker.
fn deployed(compose_file: &str) -> Checkout {
    let checkout = Checkout::empty();
    checkout.write("manage.py", "");
    checkout.write(".env", "DJANGO_ENV=dev\nDEPLOY_METHOD=docker\nCELERY_TASK_ALWAYS_EAGER=0\nA_TOKEN=hunter2\n");
    checkout.write("deploy/docker/compose.yaml", compose_file);
    checkout
}

pub(crate) fn healthy_or_not() {
    image();
    let name = format!("xtask-e2e-{}-health", std::process::id());
    let checkout = deployed(&format!("name: {name}\nx-base: &base {{image: \"{IMAGE}\", init: true}}\n{SERVICES}"));
    let missing = [
        "ok   docker.daemon         Docker ",
        "ok   docker.compose        Compose ",
        "ok   docker.environment    1 variable of `.env` in `web`",
        "err   docker.service.web    there is no container",
        "   (docker.service.gone, docker.service.held and 6 more)",
        "err   docker.http           `web` does not run",
    ];
    contains_all(&checkout.health("--only docker", 1), &missing);

    let up = Up(&checkout);
    up.compose(["up", "-d"]).run().expect("the stack comes up");
    up.compose(["pause", "held"]).run().expect("it is paused");
    // A container that was run by hand, and its exit code, are not the service's.
    let _ = up.compose(["run", "pair", "sh", "-c", "exit 9"]).unchecked().run();
    // Docker takes its time to call one healthy and others unhealthy.
    checkout.health("--only docker.service.web,docker.http --strict --wait 10m", 0);
    let deadline = Instant::now() + Duration::from_secs(600);
    let mut output = checkout.health("--only docker", 1);
    while output.matches("unhealthy").count() < 2 {
        assert!(Instant::now() < deadline, "never unhealthy: {output}");
        output = checkout.health("--only docker", 1);
    }
    contains_all(
        &output,
        &[
            "err   docker.service.gone   has exited with code 7",
            "err   docker.service.held   is paused\n",
            ". docker compose -f deploy/docker/compose.yaml --env-file .env unpause held   (docker.service.held)",
            "ok   docker.service.job    has completed",
            "err   docker.service.leak   unhealthy\n       | no way with ********\n",
            "err   docker.service.loop   restarting: ",
            "skip   docker.service.never  scaled to 0",
            "ok   docker.service.pair   runs (2 of 2 containers run)",
            "err   docker.service.sick   unhealthy\n       | no way with ********\n",
            "ok   docker.service.web    healthy",
            "ok   docker.http           `/` answers 200 (127.0.0.1:",
        ],
    );
    let ill = ["gone", "held", "leak", "loop", "sick"].map(|name| format!("docker.service.{name}")).join(",");
    checkout.health(&format!("--only docker --skip {ill}"), 0);

    up.compose(["up", "-d", "--no-recreate", "--scale", "pair=1", "pair"]).run().expect("it is scaled");
    let one = checkout.health("--only docker.service.pair", 0);
    contains_all(&one, &["warn   docker.service.pair  runs (1 of 2 containers run)"]);
    up.compose(["stop", "--timeout", "0", "web"]).run().expect("it stops");
    let stopped =
        ["err   docker.service.web    has exited with code ", "err   docker.http           `web` does not run"];
    contains_all(&checkout.health("--only docker", 1), &stopped);
    up.compose(["down", "--timeout", "0", "--remove-orphans"]).run().expect("it is taken down");
    contains_all(&checkout.health("--only docker", 1), &missing);
}

const ONE_SERVICE: &str = "services: {web: {image: web, ports: [8000]}}\n";

/// A run whose checks get no response fails, and takes one deadline.
pub(crate) fn without_an_answer() {
    let checkout = deployed(ONE_SERVICE);
    let ask = |args: &str, docker_host: &str| {
        let args = ["health", "-v"].into_iter().chain(args.split_whitespace());
        let command = checkout.xtask(args).env("DOCKER_HOST", docker_host).stdout_capture().stderr_capture();
        let output = command.unchecked().run().expect("it starts");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    // A socket that takes connections and never answers.
    let socket = checkout.root.join("silent.sock");
    let _silent = UnixListener::bind(&socket).expect("bound");
    let silent = format!("unix://{}", socket.display());
    let missing = "unix:///no/such.sock";
    for (docker_host, reason) in
        [(silent.as_str(), "no response in 1 s from `docker`"), (missing, "Cannot connect to ")]
    {
        let docker = ask("--only docker --timeout 1s", docker_host);
        contains_all(
            &docker,
            &[
                &format!("err   docker.daemon       {reason}"),
                "ok   docker.compose      Compose ",
                "warn   docker.environment  1 variable of `.env` without effect in `web`",
                "skip   docker.service.web  the Docker engine does not answer",
                "skip   docker.http         the Docker engine does not answer",
            ],
        );
        let one = ask("--only docker.service.web --timeout 1s", docker_host);
        contains_all(&one, &[&format!("err   docker.service.web  the containers are not known: {reason}")]);
    }

    let checkout = deployed("services:\n  web: {imag: x}\n");
    let invalid = "the Compose file is not valid\n       | ";
    contains_all(
        &checkout.health("--only docker", 1),
        &[
            "ok   docker.daemon       Docker ",
            &format!("err   docker.compose      {invalid}"),
            "skip   docker.service      Compose does not know the services",
            "skip   docker.http         Compose does not know the services",
        ],
    );
    contains_all(&checkout.health("--only docker.service.web", 1), &[&format!("err   docker.service  {invalid}")]);
}
