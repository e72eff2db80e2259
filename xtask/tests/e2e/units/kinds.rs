//! Units of every kind: a timer with its task, a template with an instance, and a scheduler that moves to another unit.

use crate::checkout::{Checkout, contains_all};
use crate::units::foreign::{MANAGE, PYPROJECT, SETTINGS, UNIT, WEB};
use crate::units::server::{QUICK, Server};

/// A stand-in for Celery: a scheduler fails while another one runs, and each takes its time to stop.
const CELERY: &str = r#"
case "$*" in *beat*|*-B*)
    exec 9>/run/shop-beat.lock
    flock --nonblock 9 || { echo "there are two schedulers"; exit 3; };;
esac
trap 'sleep 1; exit 0' TERM
echo "celery@shop ready."
while :; do sleep 0.1; done
"#;

const INSTALL: &str = "[Install]\nWantedBy=multi-user.target\n";

fn celery(command: &str) -> String {
    format!("[Service]\nExecStart=/bin/sh /opt/shop/bin/celery -A shop {command}\n{INSTALL}")
}

fn timer(hour: u32) -> String {
    format!("[Timer]\nOnCalendar=*-*-* 0{hour}:00:00\n[Install]\nWantedBy=timers.target\n")
}

impl Server {
    /// Returns a property of a unit.
    #[track_caller]
    fn property(&self, unit: &str, property: &str) -> String {
        self.machine.script(&format!("systemctl show --value --property {property} {unit}")).trim().to_owned()
    }

    /// Returns the folder that the main process of a unit runs in.
    #[track_caller]
    fn folder(&self, unit: &str) -> String {
        self.machine.script(&format!("readlink /proc/{}/cwd", self.property(unit, "MainPID"))).trim().to_owned()
    }

    fn write_unit(&self, name: &str, text: &str) {
        self.checkout.write(&format!("deploy/systemd/{name}"), text);
        // A new folder is root's, and Git could not remove the files in it.
        self.machine.script("chown --recursive dev: /srv/app/deploy");
        self.dev("cd /srv/app && git add --all");
    }
}

pub(crate) fn of_every_kind() {
    let checkout = Checkout::empty();
    checkout.write("Cargo.toml", "[workspace.metadata.service]\nname = 'shop'\nuser = 'shop'\n");
    let job = "[Service]\nWorkingDirectory=/opt/shop\nExecStart=/bin/sleep infinity\n";
    for (file, text) in [
        ("manage.py", MANAGE),
        ("shop_settings.py", SETTINGS),
        ("web.py", WEB),
        ("pyproject.toml", PYPROJECT),
        ("bin/celery", CELERY),
        ("deploy/systemd/README.md", "# The units\n"),
        ("deploy/systemd/shop.service", UNIT),
        ("deploy/systemd/shop-worker.service", &celery("worker -B")),
        ("deploy/systemd/shop-job@.service", job),
        ("deploy/systemd/shop-tick.service", job),
        ("deploy/systemd/shop-tick.timer", &timer(3)),
        (".gitignore", ".env\n.venv\n"),
    ] {
        checkout.write(file, text);
    }
    let server = Server::of(checkout);
    server.machine.script("useradd --system --user-group shop");
    server.dev("cd /srv/app && uv lock --quiet && git add --all");
    let output = server.deployed(QUICK);
    contains_all(
        &output,
        &["`shop-job@.service` is a new template", "sudo systemctl enable --now shop-job@NAME.service"],
    );
    assert_eq!(server.property("shop-tick.timer", "ActiveState"), "active");
    server.machine.script("systemctl start shop-job@a.service shop-tick.service");

    let task = server.property("shop-tick.service", "InvocationID");
    server.write_unit("shop-tick.timer", &timer(4));
    server.write_unit("shop-worker.service", &celery("worker"));
    server.write_unit("shop-beat.service", &celery("beat"));
    server.edit_web("release 1", "release 2");
    let output = server.deployed(QUICK);
    contains_all(&output, &["`shop-tick.timer` has changed", "`shop-beat.service` is new", "is deployed"]);
    let release = server.machine.script("readlink /opt/shop").trim().to_owned();
    assert_eq!(server.folder("shop-job@a.service"), release);
    assert!(server.property("shop-tick.timer", "TimersCalendar").contains("04:00:00"));
    assert_eq!(server.property("shop-beat.service", "ActiveState"), "active");
    assert_eq!(server.property("shop-tick.service", "InvocationID"), task, "a task is left alone");
    server.machine.script("systemctl stop shop-tick.service");
    let healthy = server.health("", 0);
    contains_all(&healthy, &["ok   systemd.unit.shop-tick.service", "started at its times by `shop-tick.timer`"]);
    contains_all(&healthy, &["systemd.unit.shop-job@a.service", "ok   systemd.drift"]);

    // The scheduler moves to another unit, and back since a unit of the release fails.
    server.write_unit("shop-worker.service", &celery("worker -B"));
    server.write_unit("shop-beat.service", &celery("worker"));
    server.write_unit("shop-extra.service", &format!("[Service]\nExecStart=/bin/false\n{INSTALL}"));
    let (output, code) = server.deploy(QUICK);
    assert_eq!(code, 4, "{output}");
    contains_all(&output, &["`shop-extra.service`", "rolled back: the previous release serves again"]);
    let states = "systemctl show --property Id,ActiveState,NRestarts shop-worker.service shop-beat.service";
    assert_eq!(server.machine.script(states).matches("ActiveState=active").count(), 2);
    let log = server.machine.script("journalctl --no-pager --output cat --unit 'shop-*'");
    assert!(!log.contains("there are two schedulers"), "{log}");
    server.write_unit("shop-worker.service", &celery("worker"));
    server.write_unit("shop-beat.service", &celery("beat"));
    server.dev("cd /srv/app && git rm --quiet --force deploy/systemd/shop-extra.service");

    // A release that cannot serve.
    server.write_unit("shop-tick.timer", &timer(5));
    server.edit_web("http.server.Threading", "raise SystemExit(5)\nhttp.server.Threading");
    let (output, code) = server.deploy(QUICK);
    assert_eq!(code, 4, "{output}");
    assert_eq!(server.folder("shop-job@a.service"), release);
    assert!(server.property("shop-tick.timer", "TimersCalendar").contains("04:00:00"));
    server.edit_web("raise SystemExit(5)\n", "");

    // A health check of the deployed checkout misses no virtual environment.
    let (output, _) = server.run_as("dev", "health -v --only core,django");
    contains_all(&output, &["skip   core.venv", "skip   django.check", "`/opt/shop` serves a release"]);

    refused(&server);
}

/// Everything that a deploy would leave out, or run twice.
fn refused(server: &Server) {
    server.write_unit("srv-media.mount", "[Mount]\nWhat=/dev/null\nWhere=/srv/media\n");
    server.write_unit("shop.service.d/more.conf", "[Service]\nNice=5\n");
    server.write_unit("shop-worker.service", &celery("worker -B"));
    server.write_unit("shop-multi.service", &celery("multi start w1"));
    server.dev("cd /srv/app && git rm --quiet --force deploy/systemd/shop-beat.service");
    server.checkout.edit("shop_settings.py", "/tmp/shop.sqlite3", "shop.sqlite3");
    let before = server.machine.script("readlink /opt/shop; systemctl show -p Id,InvocationID 'shop*'");
    let (output, code) = server.deploy(QUICK);
    assert_eq!(code, 3, "{output}");
    contains_all(&output, &["`deploy/systemd/srv-media.mount` is a unit of a type that a deploy does not install"]);
    contains_all(
        &output,
        &["`deploy/systemd/shop.service.d` is a folder of drop-ins", "put its lines into `shop.service`"],
    );
    contains_all(&output, &["`shop-beat.service` runs a scheduler of periodic tasks and is no longer in this release"]);
    contains_all(&output, &["`shop-multi.service` starts Celery with `multi`", "Type=exec"]);
    assert_eq!(server.machine.script("readlink /opt/shop; systemctl show -p Id,InvocationID 'shop*'"), before);

    // Without a virtual environment in the checkout, the settings are asked in the release.
    server.machine.script("systemctl disable --now --quiet shop-beat.service");
    server.dev("cd /srv/app && git rm --quiet --force -r deploy/systemd/srv-media.mount deploy/systemd/shop.service.d deploy/systemd/shop-multi.service");
    server.checkout.edit("shop_settings.py", "\"shop.sqlite3", "\"web.py");
    let (output, code) = server.deploy(QUICK);
    assert_eq!(code, 4, "{output}");
    contains_all(&output, &["`DATABASES[\"default\"][\"NAME\"]` is `./web.py` in the project: Git tracks it"]);
    contains_all(&output, &["hint: in the settings: \"NAME\": Path("]);
    assert_eq!(server.site.get("/").1, "release 2\n");
    shared(server);
}

/// Databases, logs and declared folders below the project are those of all releases.
fn shared(server: &Server) {
    server.checkout.edit("shop_settings.py", "\"web.py", "\"shop.sqlite3");
    server.checkout.edit("shop_settings.py", "APPS = []", "APPS = [\"django.contrib.contenttypes\"]");
    let settings = server.checkout.read("shop_settings.py");
    let log = r#"LOGGING = {"version": 1, "root": {"handlers": ["file"]}, "handlers": {"file": {
        "class": "logging.handlers.RotatingFileHandler", "filename": "logs/shop.log"}}}"#;
    server.checkout.write("shop_settings.py", &format!("{settings}{log}\n"));
    server.checkout.write("logs/.gitkeep", "");
    server
        .checkout
        .write("Cargo.toml", "[workspace.metadata.service]\nname = 'shop'\nuser = 'shop'\nshared-paths = ['hits/']\n");
    server.edit_web("release 2", "release 3");
    let hit = "    def do_GET(self):\n        open('hits/all', 'a').write('hit\\n')\n";
    server.edit_web("    def do_GET(self):\n", hit);
    server.dev("cd /srv/app && git add --all");
    let output = server.deployed(QUICK);
    contains_all(&output, &["`hits/`, `logs/` and `shop.sqlite3` in `/var/lib/shop`, for all releases"]);
    assert_eq!(server.site.get("/").1, "release 3\n");

    // The next release has what this one has written, and copies the database before a migration.
    server.checkout.edit("shop_settings.py", "contenttypes\"", "contenttypes\", \"django.contrib.auth\"");
    server.edit_web("release 3", "release 4");
    let output = server.deployed(QUICK);
    assert!(!output.contains("holds files that the new release does not have"), "{output}");
    assert_eq!(server.site.get("/").1, "release 4\n");
    let there = server
        .machine
        .script("ls -L /opt/shop/hits /opt/shop/logs; stat --format %U:%a /var/lib/shop; ls /var/lib/shop");
    contains_all(&there, &["all", "shop.log", "shop:750", "shop.sqlite3\n", "shop.sqlite3.before-2"]);
    let hits = server.machine.script("cat /var/lib/shop/hits/all");
    assert!(hits.matches("hit").count() >= 2, "{hits}");

    server.deployed(&format!("--rollback {QUICK}"));
    assert_eq!(server.site.get("/").1, "release 3\n");
    assert!(server.machine.script("cat /opt/shop/hits/all").len() > hits.len());
}
