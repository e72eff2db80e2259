//! The environment of the units: hostile values, the operator's own file, and missing variables.

use crate::checkout::contains_all;
use crate::units::server::{QUICK, Server};

/// Each value with the one that Django gets.
const HOSTILE: &str = r#"
H_SUBSTITUTION='$(touch /tmp/executed)'
H_BACKTICKS='`touch /tmp/executed`'
H_QUOTES="it's \"quoted\""
H_BOTH="it's $(touch /tmp/executed) \"and\" \\ `touch /tmp/executed`"
H_LINES='first
second'
H_REFERENCE="${H_QUOTES}"
H_HASH='a # b'
H_BACKSLASH='C:\dir\file'
export H_EXPORTED=exported
"#;

const ENV: &str = "/etc/server-monitoring/env";

/// Compares the values that python-dotenv reads from `.env` with those that the service gets.
const COMPARE: &str = r#"
import dotenv, sys
pid = sys.argv[1]
have = dict(item.split(b"=", 1) for item in open(f"/proc/{pid}/environ", "rb").read().split(b"\0") if b"=" in item)
want = dotenv.dotenv_values("/srv/app/.env")
want.pop("DEPLOY_METHOD")
wrong = [key for key, value in want.items() if have.get(key.encode()) != (value or "").encode()]
assert len(want) > 15, want
sys.exit(f"differ: {wrong}" if wrong else 0)
"#;

pub(crate) fn exact() {
    let server = Server::new();
    nothing_there(&server);
    let env = server.checkout.read(".env");
    server.checkout.write(".env", &format!("{env}{HOSTILE}H_LONG={}\n", "x".repeat(100_000)));
    let output = server.deployed(QUICK);
    let exact = |server: &Server| {
        server.checkout.write("compare.py", COMPARE);
        let python = "/opt/server-monitoring/service/.venv/bin/python /srv/app/compare.py";
        for unit in ["server-monitoring", "server-monitoring-celery"] {
            server.machine.script(&format!("{python} $(systemctl show -p MainPID --value {unit})"));
        }
        std::fs::remove_file(server.checkout.root.join("compare.py")).expect("removed");
    };
    exact(&server);
    assert_eq!(server.machine.script("ls /tmp | grep executed || true"), "", "{output}");
    the_operators_file(&server);
    exact(&server);
}

/// All missing variables are reported at once, and nothing is changed.
fn nothing_there(server: &Server) {
    server.machine.script("systemctl stop redis-server");
    let before = server.state();
    let env = server.checkout.read(".env");
    server.checkout.write(".env", &env.replace("DJANGO_ALLOWED_HOSTS=example.org", "DJANGO_ALLOWED_HOSTS="));
    let (output, code) = server.deploy("");
    assert_eq!(code, 3, "{output}");
    contains_all(
        &output,
        &[
            "connection refused by `localhost:6379`",
            "sudo systemctl start redis-server",
            "`.env`: `DJANGO_ALLOWED_HOSTS` is required, and has no value",
        ],
    );
    server.checkout.write(".env", &env);
    server.machine.script("systemctl start redis-server && chmod 644 /srv/app/.env && chmod -R o+w /srv/app/.xtask");
    let (output, code) = server.run_as("guest", "deploy-systemd");
    assert_eq!(code, 3, "{output}");
    contains_all(&output, &["`sudo` wants a password, or this user may not use it"]);
    server.machine.script("chmod 600 /srv/app/.env");
    assert_eq!(server.state(), before);
}

/// It is kept, completed and, if that is wanted, brought in line; an edit of it counts as news.
fn the_operators_file(server: &Server) {
    let edit =
        format!("sed -i 's/^MONITORING_TOKEN=.*/MONITORING_TOKEN=the-operators-own-token-0123/; /^H_HASH=/d' {ENV}");
    server.machine.script(&format!("{edit}; echo '# mine' >>{ENV}; sha256sum {ENV} >/srv/sum"));
    let output = server.deployed(QUICK);
    contains_all(
        &output,
        &[
            "`MONITORING_TOKEN` is another one than in `.env`: kept",
            "gets `H_HASH`",
            "hint: xtask deploy-systemd --sync-env",
        ],
    );
    assert!(!output.contains("the-operators-own-token"), "{output}");
    assert_eq!(server.machine.script(&format!("grep -c 'the-operators-own-token\\|^# mine' {ENV}")), "2\n");
    assert_eq!(server.machine.script(&format!("stat -c '%a %U:%G' {ENV}")), "640 root:www-data\n");
    contains_all(&server.deployed(""), &["nothing has changed"]);

    let output = server.deployed(&format!("--sync-env {QUICK}"));
    contains_all(&output, &["gets `MONITORING_TOKEN`"]);
    assert_eq!(server.machine.script(&format!("grep -c 'the-operators-own-token' {ENV} || true")), "0\n");
}
