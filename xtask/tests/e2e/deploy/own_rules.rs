//! A stack that Compose's own rules define: several files that `.env` names, a profile, a proxy that is named `web`, and an
//! image whose entrypoint sets the environment.

use crate::checkout::contains_all;
use crate::deploy::foreign::checkout;
use crate::deploy::stack::{Stack, docker};
use crate::engine::IMAGE;

const BASE: &str = r#"
services:
  django:
    build: ..
    container_name: ${COMPOSE_PROJECT_NAME}-one
    init: true
    env_file: ../.env
    depends_on: [cache]
  web:
    build: ..
    image: ${COMPOSE_PROJECT_NAME}-nginx
    init: true
    command: [python3, -u, proxy.py]
    depends_on: [django]
    ports: ["${WEB_PORT}:8000"]
  cache:
    build: ..
    init: true
    command: [redis-server, --protected-mode, "no", --save, ""]
"#;

const LIVE: &str = r#"
services:
  django:
    environment: {FROM: live}
    volumes: [media:/srv/media]
  tools:
    image: IMAGE
    init: true
    profiles: [tools]
    command: [sleep, infinity]
volumes:
  media: {}
"#;

/// Answers with what only the entrypoint and the second file set, once the cache answers, too.
const SERVER: &str = r#"
import http.server
import os
import pathlib
import socket

ANSWER = pathlib.Path("/srv/answer").read_text() + f" from {os.environ['FROM']} with {os.environ['SETTING']}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        socket.create_connection(("cache", 6379)).close()
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER.encode())


http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"#;

/// Like nginx: does not start unless it can resolve the service behind it.
const PROXY: &str = r#"
import http.server
import socket
import urllib.request

socket.gethostbyname("django")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        request = urllib.request.Request("http://django:8000" + self.path, headers={"Host": self.headers["Host"]})
        body = urllib.request.urlopen(request).read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"#;

const ENTRYPOINT: &str =
    "#!/bin/sh\nexport SETTING=7\n[ ! -d /srv/media ] || echo \"$*\" >> /srv/media/started\nexec \"$@\"\n";

pub(crate) fn faithful() {
    let checkout = checkout("", SERVER);
    checkout.write("ops/base.yml", BASE);
    checkout.write("ops/live.yml", &LIVE.replace("IMAGE", IMAGE));
    checkout.write("proxy.py", PROXY);
    checkout.write("entry.sh", ENTRYPOINT);
    let dockerfile = format!(
        "FROM {IMAGE}\nWORKDIR /srv\nCOPY server.py proxy.py entry.sh answer ./\nENTRYPOINT [\"sh\", \"entry.sh\"]\n\
         CMD [\"python3\", \"-u\", \"server.py\"]\n"
    );
    checkout.write("Dockerfile", &dockerfile);
    let stack = Stack::of(checkout, "own-rules");
    let env = stack.checkout.read(".env");
    stack.checkout.write(".env", &format!("{env}COMPOSE_FILE=ops/base.yml:ops/live.yml\nCOMPOSE_REMOVE_ORPHANS=1\n"));
    stack.checkout.write("answer", "release 1");
    let answer = || stack.site.get("/").1;

    let (plan, code) = stack.deploy("--dry-run");
    assert_eq!(code, 0, "{plan}");
    let lines =
        ["cache (service of the project by its image)", "django (web service by its name)", "web (proxy by its image)"];
    contains_all(&plan, &lines);
    let places: Vec<_> = lines.iter().map(|line| plan.find(line)).collect();
    assert!(places.is_sorted(), "dependencies come first: {plan}");

    let output = stack.deployed("--stability 2s");
    contains_all(&output, &["responds through the proxy"]);
    assert!(!output.contains("not verified"), "{output}");
    assert_eq!(answer(), "release 1 from live with 7");
    let started = docker(&["exec", &stack.id("django"), "cat", "/srv/media/started"]);
    assert!(started.starts_with("python3 - "), "the migrations, through the entrypoint: {started}");
    contains_all(&stack.health("--only docker", 0), &["`ops/base.yml` and `ops/live.yml`", "ok   docker.http"]);

    // Compose itself finds the same stack. A service of another profile is no orphan, for neither.
    let first = stack.id("django");
    stack.compose(&["--profile", "tools", "up", "--detach"]);
    assert_eq!(stack.id("django"), first);
    stack.checkout.write("answer", "release 2");
    let output = stack.deployed("--stability 2s");
    assert!(!output.contains("not in the Compose file"), "{output}");
    stack.id("tools");
    assert_eq!(answer(), "release 2 from live with 7");
    assert!(stack.deployed("").contains("nothing has changed"));

    // The new container has the name of the old one, and a rollback leaves it to that.
    let named = || docker(&["inspect", "--format", "{{.Id}}", &format!("{}-one", stack.name)]).trim().to_owned();
    let second = stack.id("django");
    assert_eq!(named(), second);
    // An image whose health check comes too late.
    stack.checkout.write("Dockerfile", &format!("{dockerfile}HEALTHCHECK --interval=90s CMD true\n"));
    let (output, code) = stack.deploy("");
    assert_eq!(code, 3, "{output}");
    contains_all(&output, &["`django`", "comes 90 s after the start, and `--timeout` is 60 s", "--timeout 2m"]);
    assert_eq!((named(), stack.id("django")), (second.clone(), second.clone()), "{output}");
    stack.checkout.write("Dockerfile", &dockerfile);

    stack.checkout.write("server.py", "raise RuntimeError('no way')\n");
    let (output, code) = stack.deploy("--stability 2s --timeout 10s");
    assert_eq!(code, 4, "{output}");
    assert_eq!((named(), stack.id("django")), (second.clone(), second), "{output}");
    assert_eq!(answer(), "release 2 from live with 7");
}
