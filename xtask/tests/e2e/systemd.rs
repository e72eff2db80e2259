//! A real systemd as PID 1, in a container.

use std::time::Instant;

use duct::cmd;

use crate::checkout::Checkout;
use crate::engine::image;
use crate::machine::{BOOT, Machine};

impl Machine {
    /// Returns the outcomes of the group, a line for each check, after checking the exit code; `options` are those of
    /// `docker exec`.
    #[track_caller]
    fn health_with(&self, options: &[&str], args: &str, code: i32) -> Vec<String> {
        let health = "xtask health --project /srv/app --format json --only systemd".split(' ');
        let command = [self.name.as_str()].into_iter().chain(health).chain(args.split_whitespace());
        let output = cmd("docker", ["exec"].into_iter().chain(options.iter().copied()).chain(command));
        let output = output.stdout_capture().stderr_capture().unchecked().run().expect("docker starts");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{stdout}{stderr}");
        assert!(!stdout.contains("hunter2") && !stderr.contains("hunter2"), "a password is shown: {stdout}{stderr}");
        let report: serde_json::Value = serde_json::from_str(&stdout).expect("a report");
        let messages = report["checks"].as_array().expect("checks").iter().map(|check| {
            let text = |key: &str| check[key].as_str().unwrap_or_default();
            let hint = if check["hint"].is_null() { String::new() } else { format!(" | {}", text("hint")) };
            format!("{} {}: {}{hint}", text("status"), text("check"), text("message"))
        });
        messages.collect()
    }

    #[track_caller]
    fn health(&self, args: &str, code: i32) -> Vec<String> {
        self.health_with(&[], args, code)
    }

    fn detect(&self, question: &str) -> String {
        self.run(&["xtask", "detect", question, "--project", "/srv/app"])
    }
}

pub(crate) fn detected() {
    image();
    let checkout = Checkout::empty();
    checkout.write("manage.py", "");
    checkout.write(".env", "DJANGO_ENV=prod\nDEPLOY_METHOD=bare\n");
    checkout.write("Cargo.toml", "[workspace.metadata.service]\nname = 'shop'\n");
    let machine = Machine::boot(&checkout);
    assert_eq!(machine.detect("mode"), "prod\n");

    let unit = "[Service]\\nExecStart=/bin/sleep infinity\\n";
    machine.run(&[
        "bash",
        "-c",
        &format!("printf '{unit}' >/etc/systemd/system/shop.service && systemctl daemon-reload"),
    ]);
    assert_eq!(machine.detect("mode"), "systemd\n");
    // The axes do not change with it.
    assert_eq!(machine.detect("env"), "prod\n");
    assert_eq!(machine.detect("method"), "bare\n");

    checkout.write(".env", "DJANGO_ENV=prod\nDEPLOY_METHOD=docker\n");
    assert_eq!(machine.detect("mode"), "docker\n");
}

/// A machine with a shop on it: a web server behind a socket, a worker, and Redis.
fn shop(checkout: &Checkout) -> Machine {
    image();
    checkout.write("manage.py", "");
    checkout.write("Cargo.toml", "[workspace.metadata.service]\nname = 'shop'\nhealth-path = '/up'\n");
    checkout.write(".env", "DJANGO_ENV=prod\nDEPLOY_METHOD=bare\nDJANGO_ALLOWED_HOSTS=other.example\n");
    checkout.write("web.py", WEB);
    checkout.write("deploy/systemd/shop.service", SERVICE);
    checkout.write("deploy/systemd/shop.socket", SOCKET);
    checkout.write("deploy/systemd/shop-worker.service", WORKER);
    checkout.write("deploy/systemd/shop-job@.service", WORKER);
    let machine = Machine::boot(checkout);
    machine.script(
        "mkdir -p /etc/shop\n\
         echo DJANGO_ALLOWED_HOSTS=.shop.example >/etc/shop/env\n\
         chmod 600 /etc/shop/env",
    );
    machine.script(INSTALL);
    machine.script("systemctl enable --now shop.socket shop-worker.service && systemctl enable shop.service");
    machine
}

/// A server on the socket that it inherits, which knows its host and its proxy.
const WEB: &str = r#"
import http.server, socket


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        is_https = self.headers["X-Forwarded-Proto"] == "https"
        is_known = self.headers["Host"] == "shop.example"
        self.send_response(400 if not is_known else 301 if not is_https else 200 if self.path == "/up" else 404)
        self.end_headers()

    def address_string(self):
        return "-"


server = http.server.HTTPServer(("", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=3)
server.serve_forever()
"#;

const SERVICE: &str = "[Service]\nExecStart=/usr/bin/python3 /srv/app/web.py\n[Install]\nWantedBy=multi-user.target\n";
const SOCKET: &str = "[Socket]\nListenStream=/run/shop.sock\nSocketMode=0660\n[Install]\nWantedBy=sockets.target\n";
const WORKER: &str = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";
const CRASHING: &str = "[Unit]\nStartLimitIntervalSec=0\n\
                        [Service]\nExecStart=/bin/sh -c 'sleep 0.2; exit 1'\nRestart=always\nRestartSec=0.2\n\
                        [Install]\nWantedBy=multi-user.target\n";
const INSTALL: &str = "install -m 644 /srv/app/deploy/systemd/* /etc/systemd/system/ && systemctl daemon-reload";

#[track_caller]
fn has(messages: &[String], expected: &[&str]) {
    for line in expected {
        assert!(messages.iter().any(|messages| messages == line), "{line:?} is not in: {messages:#?}");
    }
}

pub(crate) fn health() {
    let checkout = Checkout::empty();
    let machine = shop(&checkout);
    let healthy = [
        "ok unit.shop-worker.service: active (`running`), enabled",
        "ok unit.shop.service: started on demand by `shop.socket`",
        "ok unit.shop.socket: active (`listening`), enabled",
        "ok redis: `redis-server.service` is active, and `localhost:6379` answers",
        "ok http: `/up` answers 200 (/run/shop.sock, as shop.example)",
        "ok drift: the installed units are those of `deploy/systemd`",
    ];
    assert_eq!(machine.health("", 0), healthy);
    has(&machine.health("", 0), &["ok unit.shop.service: active (`running`), enabled"]);

    // Only the selected checks run: the request would start the service.
    machine.script("systemctl stop shop.service 2>&1");
    assert_eq!(machine.health("--skip systemd.http --skip systemd.redis --skip systemd.unit", 0), [healthy[5]]);
    has(&machine.health("--skip systemd.http", 0), &[healthy[1]]);

    machine.script("systemctl disable shop.service shop.socket shop-worker.service && systemctl start shop.service");
    let not_enabled = |unit: &str, state: &str| {
        format!(
            "warn unit.{unit}: active (`{state}`), disabled: would not come up after a reboot | sudo systemctl enable {unit}"
        )
    };
    let (service, worker) = (not_enabled("shop.service", "running"), not_enabled("shop-worker.service", "running"));
    has(&machine.health("", 0), &[&service, &worker, &not_enabled("shop.socket", "running")]);
    machine.script("systemctl enable shop.socket");
    let messages = machine.health("", 0);
    has(
        &messages,
        &["ok unit.shop.service: active (`running`), disabled, and started on demand by `shop.socket`", &worker],
    );

    machine.script("systemctl stop shop-worker.service && systemctl enable shop-worker.service");
    has(&machine.health("", 1), &["err unit.shop-worker.service: inactive | sudo systemctl start shop-worker.service"]);
    machine.script("systemctl mask shop-worker.service --runtime && systemctl daemon-reload");
    machine.health("", 1);
    machine.script("systemctl unmask shop-worker.service --runtime && systemctl start shop-worker.service");

    checkout.write("deploy/systemd/shop-worker.service", CRASHING);
    checkout.write("deploy/systemd/shop-new.socket", "[Socket]\nListenStream=/run/new.sock\n");
    let reload = "&& sudo systemctl daemon-reload";
    let units = "deploy/systemd/shop-new.socket deploy/systemd/shop-worker.service";
    let drift = format!(
        "warn drift: not as in `deploy/systemd`: `shop-worker.service`; not installed: `shop-new.socket` | \
         cd /srv/app && sudo install -m 644 {units} /etc/systemd/system/ {reload}"
    );
    has(&machine.health("", 1), &["err unit.shop-new.socket: not installed", &drift]);
    machine.script("install -m 644 /srv/app/deploy/systemd/shop-worker.service /etc/systemd/system/");
    std::fs::remove_file(checkout.root.join("deploy/systemd/shop-new.socket")).expect("removed");
    let stale =
        "warn drift: changed on disk since systemd has read them: `shop-worker.service` | sudo systemctl daemon-reload";
    has(&machine.health("", 0), &[stale]);

    machine.script("systemctl daemon-reload && systemctl restart shop-worker.service");
    let deadline = Instant::now() + BOOT;
    while machine.run(&["systemctl", "show", "-p", "NRestarts", "--value", "shop-worker.service"]) == "0\n" {
        assert!(Instant::now() < deadline, "the worker does not restart");
    }
    for _ in 0..5 {
        let messages = machine.health("--skip systemd.http", 1);
        let is_reported = |line: &String| line.starts_with("err unit.shop-worker.service: restarting: ");
        assert!(messages.iter().any(is_reported), "{messages:#?}");
    }

    // A `systemctl` that hangs, before the real one.
    checkout.write("hanging/systemctl", "#!/bin/sh\nexec sleep 60\n");
    machine.script("chmod +x /srv/app/hanging/systemctl");
    let silent = machine.health_with(&["-e", "PATH=/srv/app/hanging:/usr/local/bin:/usr/bin:/bin"], "--timeout 1s", 1);
    let slower =
        "err unit.shop.service: no response in 1 s from `systemctl` | xtask health --project /srv/app --timeout 3s";
    has(&silent, &[slower, "skip http: systemd does not show its units"]);
}

pub(crate) fn answers() {
    let checkout = Checkout::empty();
    let machine = shop(&checkout);

    machine.script("systemctl stop redis-server");
    let stopped = "err redis: `redis-server.service` is inactive, and connection refused by `localhost:6379` | \
                   sudo systemctl start redis-server";
    has(&machine.health("", 1), &[stopped]);
    machine.script("redis-server --port 6379 --daemonize yes >/run/redis.log && timeout 600 bash -c 'until redis-cli ping; do :; done'");
    let otherwise = "ok redis: `redis-server.service` is inactive, but `localhost:6379` answers: it is run otherwise";
    has(&machine.health("", 0), &[otherwise]);
    machine
        .script("redis-cli shutdown nosave; systemctl start redis-server && redis-cli config set requirepass hunter2");
    let locked = "err redis: `redis-server.service` is active, and `localhost:6379` wants a password, and \
                  the broker URL has none";
    has(&machine.health("", 1), &[locked]);
    machine.script("echo CELERY_BROKER_URL=redis://:hunter22@localhost >>/etc/shop/env");
    let refused = "err redis: `redis-server.service` is active, and `localhost:6379` refuses the password of \
                   the broker URL";
    has(&machine.health("", 1), &[refused]);
    machine.script("echo CELERY_BROKER_URL=redis://:hunter%32@localhost >>/etc/shop/env");
    has(&machine.health("", 0), &["ok redis: `redis-server.service` is active, and `localhost:6379` answers"]);
    machine.script("systemctl kill --kill-whom=main -s STOP redis-server shop.service");
    let messages = machine.health("--timeout 1s", 1);
    let silent = [
        "err redis: `redis-server.service` is active, and no response in 1 s from `localhost:6379` | \
         journalctl -u redis-server.service -n 50",
        "err http: no response in 1 s from `/run/shop.sock` | xtask health --project /srv/app --timeout 3s",
    ];
    has(&messages, &silent);
    machine.script("systemctl kill --kill-whom=main -s CONT redis-server shop.service");

    // A user who can read neither the units' environment nor their socket gets no failures.
    let messages = machine.health_with(&["--user", "65534"], "", 0);
    let locked = "skip redis: `redis-server.service` is active, and `localhost:6379` wants a password, and \
                  the broker URL has none; cannot read `/etc/shop/env`: Permission denied (os error 13)";
    has(&messages, &["skip http: this user may not connect to `/run/shop.sock`", locked]);

    machine.script("echo DJANGO_ALLOWED_HOSTS=other.example >>/etc/shop/env");
    let unknown = "err http: `/up` answers 400 (/run/shop.sock, as other.example) | \
                   `other.example` may not be in `DJANGO_ALLOWED_HOSTS`";
    has(&machine.health("", 1), &[unknown]);
    machine.script("systemctl stop shop.socket shop.service");
    let messages = machine.health("", 1);
    has(
        &messages,
        &[
            "err http: connection refused by `/run/shop.sock`",
            "err unit.shop.socket: inactive | sudo systemctl start shop.socket",
        ],
    );
}
