//! Somebody else's stack: no proxy, no labels; `web` has the port itself.

use crate::checkout::{Checkout, tells};
use crate::deploy::stack::Stack;
use crate::engine::IMAGE;

const COMPOSE: &str = r#"
services:
  web:
    build: .
    init: true
    ports: ["${WEB_PORT}:8000"]
"#;

const SERVER: &str = r#"
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

pub(crate) fn without_a_proxy() {
    let checkout = Checkout::empty();
    let dockerfile = format!(
        "FROM {IMAGE}\nWORKDIR /srv\nCOPY server.py answer ./\n\
         CMD [\"python3\", \"-u\", \"server.py\"]\n"
    );
    // In the checkout, and not in the image: nothing to migrate.
    for (name, content) in
        [("manage.py", ""), ("compose.yaml", COMPOSE), ("Dockerfile", &dockerfile), ("server.py", SERVER)]
    {
        checkout.write(name, content);
    }
    let stack = Stack::of(checkout, "foreign");
    let answer = || stack.site.get("/").1;
    stack.checkout.write("answer", "release 1");
    stack.deployed("--yes");
    assert_eq!(answer(), "release 1");
    let first = stack.id("web");

    stack.checkout.write("answer", "release 2");
    let output = stack.deployed("--yes --stability 2s");
    assert_eq!(answer(), "release 2");
    assert_ne!(stack.id("web"), first);
    // Beforehand, and why.
    let (warning, _) = output.split_once("web: replaced in place").expect("the step");
    tells(warning, &["costs an outage: it publishes the port itself"]);

    stack.checkout.write("server.py", "raise RuntimeError('no way')\n");
    stack.checkout.write("answer", "release 3");
    let (output, code) = stack.deploy("--yes --stability 2s --timeout 10s");
    assert_eq!(code, 4, "{output}");
    tells(&output, &["outage", "RuntimeError: no way", "exit code 1", "rolled back"]);
    assert_eq!(answer(), "release 2", "{output}");
    stack.id("web");

    stack.deployed("--yes --rollback --stability 2s");
    assert_eq!(answer(), "release 1");
}
