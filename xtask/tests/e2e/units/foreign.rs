//! Another project: its own unit files, no socket, a folder in the place of the link.

use crate::checkout::{Checkout, contains_all};
use crate::units::server::{QUICK, Server};

pub(super) const UNIT: &str = "[Unit]\nDescription=shop\n[Service]\nUser=shop\nEnvironmentFile=/etc/shop/env\nWorkingDirectory=/opt/shop\n\
                    ExecStart=/opt/shop/.venv/bin/python web.py --bind 0.0.0.0:8080\nRestart=always\nRestartSec=1\n\
                    [Install]\nWantedBy=multi-user.target\n";

/// Settings in one file, and a server of the standard library.
pub(super) const MANAGE: &str = r#"
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop_settings")
if __name__ == "__main__":
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"#;

pub(super) const SETTINGS: &str = r#"
SECRET_KEY = "x" * 50
INSTALLED_APPS = []
STATIC_ROOT = None
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/tmp/shop.sqlite3"}}
"#;

pub(super) const WEB: &str = r#"
import http.server


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"release 1\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"#;

pub(super) const PYPROJECT: &str = "[project]\nname = 'shop'\nversion = '1'\nrequires-python = '>=3.11'\ndependencies = ['django~=5.2']\n\
                         [tool.uv]\npackage = false\n";

pub(crate) fn in_place() {
    let checkout = Checkout::empty();
    checkout.write("Cargo.toml", "[workspace.metadata.service]\nname = 'shop'\nuser = 'shop'\n");
    for (file, text) in [
        ("manage.py", MANAGE),
        ("shop_settings.py", SETTINGS),
        ("web.py", WEB),
        ("pyproject.toml", PYPROJECT),
        ("deploy/systemd/shop.service", UNIT),
        (".gitignore", ".env\n.venv\nuv.lock.new\n"),
    ] {
        checkout.write(file, text);
    }
    let server = Server::of(checkout);
    server.dev("cd /srv/app && uv lock --quiet && git add --all");
    server.machine.script(
        "useradd --system --user-group shop && mkdir /opt/shop && cp /srv/app/web.py /opt/shop && \
         python3 -m venv /opt/shop/.venv && mkdir /etc/shop && cp /srv/app/.env /etc/shop/env && \
         cp /srv/app/deploy/systemd/shop.service /etc/systemd/system && systemctl daemon-reload && \
         systemctl enable --now --quiet shop.service && \
         install -d -o shop -m 700 /opt/shop/media /opt/shop/media/2026 && echo upload >/opt/shop/media/2026/a.png && \
         echo rows >/opt/shop/db.sqlite3 && mkdir /opt/shop/__pycache__ && echo x >/opt/shop/__pycache__/web.pyc",
    );
    for args in [QUICK.to_owned(), format!("--yes {QUICK}"), "--dry-run".to_owned()] {
        let (output, code) = server.deploy(&args);
        assert_eq!(code, if args == "--dry-run" { 0 } else { 3 }, "{output}");
        contains_all(&output, &["`/opt/shop` holds files that the new release does not have", "--abandon-data"]);
        contains_all(&output, &["`media/` (1 file: uploads or other data): belongs in `/var/lib/shop/media`"]);
        contains_all(&output, &["`db.sqlite3` (a database): belongs in `/var/lib/shop`"]);
        assert!(!output.contains("web.py"), "{output}");
        assert_eq!(server.machine.script("ls /opt"), "shop\nuv\n");
    }
    let (output, code) = server.deploy(&format!("--abandon-data {QUICK}"));
    assert_eq!(code, 3, "{output}");
    contains_all(&output, &["`/opt/shop` is a folder: it becomes the first release", "nothing was changed"]);
    assert_eq!(server.machine.script("ls /opt"), "shop\nuv\n");

    server.edit_web("release 1", "release 2");
    let output = server.deployed(&format!("--yes --abandon-data {QUICK}"));
    contains_all(&output, &["`shop.service` has no socket unit: restarting it costs a moment", "is deployed"]);
    assert_eq!(server.site.get("/").1, "release 2\n");

    server.edit_web("http.server.Threading", "raise SystemExit(5)\nhttp.server.Threading");
    let link = server.machine.script("readlink /opt/shop");
    let (output, code) = server.deploy(QUICK);
    assert_eq!(code, 4, "{output}");
    contains_all(
        &output,
        &["`shop.service` failed", "exit status 5", "rolled back: the previous release serves again"],
    );
    assert_eq!(server.machine.script("readlink /opt/shop"), link);
    assert_eq!(server.site.get("/").1, "release 2\n");

    let output = server.deployed(&format!("--rollback {QUICK}"));
    contains_all(&output, &["-adopted again"]);
    assert_eq!(server.site.get("/").1, "release 1\n");
    // The folder with the uploads serves again: the question is the same.
    let (output, code) = server.deploy(QUICK);
    assert_eq!(code, 3, "{output}");
    contains_all(&output, &["`/opt/shop` holds files that the new release does not have"]);

    // After any number of releases, a folder that no deploy has made is not removed.
    server.edit_web("raise SystemExit(5)\n", "");
    server.deployed(&format!("--abandon-data {QUICK}"));
    for number in 3..8 {
        server.edit_web(&format!("release {}", number - 1), &format!("release {number}"));
        server.deployed(QUICK);
    }
    let adopted = server
        .machine
        .script("cat /opt/shop-releases/*-adopted/media/2026/a.png /opt/shop-releases/*-adopted/db.sqlite3");
    assert_eq!(adopted, "upload\nrows\n");
    // The release that serves holds something by now: it is not left unasked, nor removed when it is old.
    server.machine.script("echo more >/opt/shop/written.json");
    server.edit_web("release 7", "release 8");
    let (output, code) = server.deploy(QUICK);
    assert_eq!(code, 3, "{output}");
    contains_all(&output, &["`written.json` (uploads or other data)"]);
    assert_eq!(server.site.get("/").1, "release 7\n");
}

impl Server {
    pub(super) fn edit_web(&self, from: &str, to: &str) {
        self.checkout.edit("web.py", from, to);
    }
}
