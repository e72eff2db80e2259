//! The proxy of the Compose stack alone, in front of a server that responds with the headers that it gets.

use std::path::Path;

use duct::cmd;

use crate::checkout::contains_all;
use crate::deploy::stack::{docker, wait_for};
use crate::engine::{IMAGE, image};

/// Responds to every request with its scheme and its client, as a proxy has passed them on.
const ECHO: &str = r#"
import http.server


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        names = ["X-Forwarded-Proto", "X-Forwarded-For"]
        body = " from ".join(",".join(self.headers.get_all(name, [])) for name in names)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())


http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"#;

/// `python3 -c CLIENT HOST [HEADER VALUE]…`: prints the response.
const CLIENT: &str = r#"
import http.client
import sys

connection = http.client.HTTPConnection(sys.argv[1], 8000, timeout=60)
connection.putrequest("GET", "/")
for name, value in zip(sys.argv[2::2], sys.argv[3::2]):
    connection.putheader(name, value)
connection.endheaders()
print(connection.getresponse().read().decode())
"#;

/// A network with its containers and the image of the proxy, which all have its name, removed however the case ends.
struct Network(String);

impl Network {
    fn new() -> Self {
        image();
        let network = Network(format!("xtask-e2e-{}-trusted", std::process::id()));
        network.remove();
        docker(&["network", "create", &network.0]);
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let context = workspace.join("deploy/docker/proxy");
        let context = context.to_str().expect("UTF-8");
        let base = format!("PROXY_IMAGE={IMAGE}");
        docker(&["build", "--quiet", "--tag", &network.0, "--build-arg", &base, context]);
        network
    }

    fn container(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.0)
    }

    fn address(&self, suffix: &str) -> String {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        docker(&["inspect", "--format", format, &self.container(suffix)]).trim().to_owned()
    }

    /// Starts a container that the others reach by its suffix.
    fn start(&self, suffix: &str, options: &[&str], command: &[&str]) {
        let name = self.container(suffix);
        let run = ["run", "--detach", "--init", "--name", &name, "--network", &self.0, "--network-alias", suffix];
        docker(&[&run, options, command].concat());
    }

    /// Returns the response that a client in one container gets from the proxy in another.
    fn ask(&self, from: &str, proxy: &str, headers: &[&str]) -> String {
        let request = ["exec", &self.container(from), "python3", "-c", CLIENT, proxy];
        docker(&[&request, headers].concat()).trim().to_owned()
    }

    fn remove(&self) {
        for suffix in ["web", "trusting", "default", "wrong"] {
            let _ = quietly(&["rm", "--force", &self.container(suffix)]);
        }
        let _ = quietly(&["network", "rm", &self.0]);
        let _ = quietly(&["rmi", "--force", &self.0]);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.remove();
    }
}

fn quietly(args: &[&str]) -> Option<std::process::Output> {
    cmd("docker", args).stdout_null().stderr_null().unchecked().run().ok()
}

pub(crate) fn alone_count() {
    let network = Network::new();
    network.start("web", &[], &[IMAGE, "python3", "-c", ECHO]);
    let web = network.address("web");
    let trusted = format!("TRUSTED_PROXIES=192.0.2.0/24, {web},fd00::/8");
    network.start("trusting", &["--env", &trusted], &[&network.0]);
    network.start("default", &[], &[&network.0]);
    for proxy in ["trusting", "default"] {
        wait_for("the proxy to find `web`", || {
            let request = ["exec", &network.container("web"), "python3", "-c", CLIENT, proxy];
            let response = cmd("docker", request).stderr_null().unchecked().read();
            response.is_ok_and(|response| response.starts_with("http from "))
        });
    }
    let (scheme, client) = ("X-Forwarded-Proto", "X-Forwarded-For");
    let cases: &[(&[&str], &str, &str)] = &[
        (&[], "http", ""),
        (&[scheme, "https"], "https", ""),
        (&[scheme, "http"], "http", ""),
        (&[scheme, "HTTPS"], "http", ""),
        (&[scheme, "wss"], "http", ""),
        (&[scheme, ""], "http", ""),
        (&[scheme, "https,http"], "http", ""),
        (&[scheme, "https", scheme, "https"], "http", ""),
        (&[scheme, "https", client, "203.0.113.7"], "https", "203.0.113.7,"),
        (&[client, "203.0.113.7, 203.0.113.8"], "http", "203.0.113.7, 203.0.113.8,"),
    ];
    for (headers, scheme, clients) in cases {
        assert_eq!(network.ask("web", "trusting", headers), format!("{scheme} from {clients}{web}"), "{headers:?}");
        // From an address that is not in the list, and from any to a proxy without a list.
        assert_eq!(network.ask("trusting", "127.0.0.1", headers), "http from 127.0.0.1", "{headers:?}");
        assert_eq!(network.ask("web", "default", headers), format!("http from {web}"), "{headers:?}");
    }

    for wrong in ["*", "localhost", "10.0.0.300", "-m found", "10.0.0.0/33"] {
        let variable = format!("TRUSTED_PROXIES={wrong}");
        // One that starts would run on.
        let run = ["900", "docker", "run", "--name", &network.container("wrong"), "--env", &variable, &network.0];
        let output = cmd("timeout", run).stderr_to_stdout().stdout_capture().unchecked().run().expect("docker starts");
        let log = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{wrong}: {log}");
        contains_all(&log, &["is not a valid IPv4 or IPv6 address at line 1 of file '/tmp/trusted-proxies'"]);
        docker(&["rm", &network.container("wrong")]);
    }
}
