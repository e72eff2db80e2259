//! The stack of another project: no proxy, no labels; `web` publishes the port itself.

use crate::checkout::{Checkout, contains_all};
use crate::deploy::stack::Stack;
use crate::deploy::watch::{Deploy, Events};
use crate::engine::IMAGE;

pub(super) const COMPOSE: &str = r#"
services:
  web:
    build: .
    init: true
    ports: ["${WEB_PORT}:8000"]
"#;

pub(super) const SERVER: &str = r#"
import http.server
import pathlib

ANSWER = pathlib.Path("/srv/answer").read_bytes()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)


Handler.protocol_version = "HTTP/1.1"
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"#;

/// The stack with this Compose file and this server, not deployed yet.
pub(super) fn foreign(case: &str, compose: &str, server: &str) -> Stack {
    Stack::of(checkout(compose, server), case)
}

pub(super) fn checkout(compose: &str, server: &str) -> Checkout {
    let checkout = Checkout::empty();
    let dockerfile = format!(
        "FROM {IMAGE}\nWORKDIR /srv\nCOPY server.py answer ./\n\
         CMD [\"python3\", \"-u\", \"server.py\"]\n"
    );
    // In the checkout, and not in the image: nothing to migrate.
    for (name, content) in
        [("manage.py", ""), ("compose.yaml", compose), ("Dockerfile", &dockerfile), ("server.py", server)]
    {
        checkout.write(name, content);
    }
    checkout
}

/// A worker that takes its time to exit, and has too little.
const WORKER: &str = r#"  celery:
    build: .
    init: true
    command: [python3, -u, worker.py]
    stop_grace_period: 1s
"#;

/// A worker with too little time to finish is killed, which is reported and recorded; a setting gives it more.
fn drained(stack: &Stack) {
    let compose = stack.checkout.read("compose.yaml");
    stack.checkout.write("compose.yaml", &format!("{compose}{WORKER}"));
    // The image itself starts with a script that could migrate the database.
    let dockerfile = stack.checkout.read("Dockerfile");
    stack.checkout.write("Dockerfile", &format!("{dockerfile}ENTRYPOINT [\"sh\", \"entry.sh\"]\n"));
    stack.checkout.write("entry.sh", "#!/bin/sh\nif false; then python3 manage.py migrate; fi\nexec \"$@\"\n");
    stack.checkout.write("server.py", SERVER);
    stack.checkout.write("worker.py", &format!("{SLOW_END}while True:\n    signal.pause()\n"));
    stack.deployed("--stability 1s");
    stack.checkout.write("answer", "release 5");
    let output = stack.deployed("--stability 1s");
    contains_all(
        &output,
        &[
            "at most `celery` 1 s, `web` 10 s",
            "has not ended within 1 s and was killed",
            "`drain-timeout`",
            "`web` has `migrate` in a command or script that it starts with",
        ],
    );
    let is_cut = |record: &String| record.contains("\"cut\":[\"`") && record.contains("within 1 s and was killed");
    assert_eq!(stack.records().iter().filter(|record| is_cut(record)).count(), 1, "{:#?}", stack.records());

    stack.checkout.write("Cargo.toml", "[workspace.metadata.service]\ndrain-timeout = '1m'\n");
    stack.checkout.write("answer", "release 6");
    let output = stack.deployed("--stability 1s");
    contains_all(&output, &["at most `celery` 60 s, `web` 10 s"]);
    assert!(!output.contains("was killed"), "{output}");
}

pub(crate) fn without_a_proxy() {
    let stack = foreign("foreign", COMPOSE, SERVER);
    let answer = || stack.site.get("/").1;
    // The whole checkout is the build context.
    let dockerfile = stack.checkout.read("Dockerfile").replace("COPY server.py answer ./", "COPY . .");
    stack.checkout.write("Dockerfile", &dockerfile);
    stack.checkout.write(".dockerignore", "manage.py\n");
    stack.checkout.write("answer", "release 1");
    stack.deployed("--yes");
    assert_eq!(answer(), "release 1");
    let first = stack.id("web");
    let output = stack.deployed("--yes");
    assert_eq!(stack.id("web"), first, "{output}");
    contains_all(&output, &["nothing has changed"]);

    stack.checkout.write("answer", "release 2");
    let output = stack.deployed("--yes --stability 2s");
    assert_eq!(answer(), "release 2");
    assert_ne!(stack.id("web"), first);
    // Beforehand, and why.
    let (warning, _) = output.split_once("web: replaced in place").expect("the step");
    contains_all(warning, &["costs an outage: it publishes the port itself"]);

    stack.checkout.write("server.py", "raise RuntimeError('no way')\n");
    stack.checkout.write("answer", "release 3");
    let (output, code) = stack.deploy("--yes --stability 2s --timeout 10s");
    assert_eq!(code, 4, "{output}");
    contains_all(&output, &["outage", "RuntimeError: no way", "exit code 1", "rolled back"]);
    assert_eq!(answer(), "release 2", "{output}");
    stack.id("web");

    stack.deployed("--yes --rollback --stability 2s");
    assert_eq!(answer(), "release 1");
    drained(&stack);
}

/// Takes its time to exit, and depends on a service that must not be replaced.
const SLOW: &str = r#"
services:
  web:
    build: .
    ports: ["${WEB_PORT}:8000"]
    restart: unless-stopped
    stop_grace_period: 30s
    depends_on: {db: {condition: service_healthy}}
  db:
    image: IMAGE
    command: [redis-server, --protected-mode, "no"]
    restart: always
    volumes: [/data]
    healthcheck: {test: [CMD, redis-cli, ping], interval: 1s}
"#;
const SLOW_END: &str = "import signal, sys, time\n\n\ndef end(*_):\n    time.sleep(4)\n    sys.exit(0)\n\n\n\
                        signal.signal(signal.SIGTERM, end)\n";

/// Ends the database again and again.
const HOSTILE: &str = r#"
import socket
import threading
import time


def end_database():
    while True:
        try:
            socket.create_connection(("db", 6379)).sendall(b"SHUTDOWN NOSAVE\r\n")
        except OSError:
            pass
        time.sleep(0.5)


threading.Thread(target=end_database, daemon=True).start()
"#;

pub(crate) fn put_right() {
    let compose = SLOW.replace("IMAGE", IMAGE);
    let stack = foreign("put-right", &compose, &format!("{SLOW_END}{SERVER}"));
    let answer = || stack.site.get("/").1;
    stack.checkout.write("answer", "release 1");
    stack.deployed("--stability 1s");
    let first = stack.id("web");

    // A change of a backing service is none of `web`, and its data would be lost.
    stack.checkout.write("compose.yaml", &compose.replace("\"no\"]", "\"no\", --save, \"\"]"));
    let output = stack.deployed("");
    contains_all(&output, &["`db` has another configuration, and is left as it is", "nothing has changed"]);
    assert_eq!(stack.id("web"), first);
    stack.checkout.write("compose.yaml", &compose);

    // A signal while the old container is ending does not leave it to its end.
    stack.checkout.write("answer", "release 2");
    let mut ends = Events::of(&stack, "web", "kill");
    let deploy = Deploy::start(&stack, "");
    ends.next();
    deploy.interrupt();
    let (output, code) = deploy.end();
    assert_eq!(code, Some(130), "{output}");
    contains_all(&output, &["rolling back first", "rolled back"]);
    assert_eq!((answer().as_str(), stack.id("web")), ("release 1", first.clone()), "{output}");

    // Nor does the end of the deployer, once there is another run. A rollback goes no further than that.
    let mut ends = Events::of(&stack, "web", "kill");
    let deploy = Deploy::start(&stack, "");
    ends.next();
    deploy.kill();
    deploy.end();
    let output = stack.deployed("--rollback");
    contains_all(&output, &["was not finished", "to go back further, run this again"]);
    assert_eq!((answer().as_str(), stack.id("web")), ("release 1", first), "{output}");

    // A container that was started by hand meanwhile stays, and serves.
    let mut ends = Events::of(&stack, "web", "kill");
    let deploy = Deploy::start(&stack, "");
    ends.next();
    deploy.kill();
    deploy.end();
    stack.compose(&["up", "--detach", "--force-recreate", "--no-deps", "web"]);
    let by_hand = stack.ids("web");
    let output = stack.deployed("--no-build");
    contains_all(&output, &["was not finished", "stays: the previous containers are gone"]);
    assert_eq!(answer(), "release 2");
    assert!(by_hand.contains(&stack.id("web")), "{output}");

    // A backing service that has not changed is watched, too.
    stack.checkout.write("server.py", &format!("{HOSTILE}{SLOW_END}{SERVER}"));
    let (output, code) = stack.deploy("--stability 5s");
    assert_eq!(code, 4, "{output}");
    contains_all(&output, &[&format!("`{}-db-1` ", stack.name), "restart", "rolled back"]);
    assert_eq!(answer(), "release 2");
}
