//! The first deploy on a clean system, and everything that it leaves unchanged.

use crate::checkout::contains_all;
use crate::deploy::stack::wait_for;
use crate::units::server::{QUICK, Server};

pub(crate) fn from_nothing() {
    let mut server = Server::new();
    let (plan, code) = server.deploy("--dry-run");
    assert_eq!(code, 0, "{plan}");
    assert_eq!(server.machine.script("ls /opt"), "uv\n", "a dry run changes nothing");
    server.machine.script("journalctl --rotate && journalctl --vacuum-time=1s 2>/dev/null");

    server.machine.script("chmod 600 /srv/app/ARCHITECTURE.md");
    let output = server.deployed("");
    contains_all(&output, &["is deployed", "answers on 127.0.0.1:8000", "19 applied, from "]);
    assert_eq!(server.serving(), "release 1");
    assert_eq!(server.site.ask("POST", "/samples").expect("an answer").status, 202);
    server.ends_with_tasks(1);
    only_planned_commands_ran(&server, &plan);
    owners(&server);
    exposure(&server);

    manages(&server);
    operates(&server);
    backs_up(&server);

    let before = server.state();
    let output = server.deployed("");
    contains_all(&output, &["nothing has changed since release"]);
    assert_eq!(server.state(), before);
    contains_all(&server.health("", 0), &["ok   systemd.http", "ok   systemd.drift", "0 err"]);

    server.reboot();
    wait_for("the service", || server.site.ask("GET", "/healthz").is_ok_and(|answer| answer.status == 200));
    assert_eq!(server.site.ask("POST", "/samples").expect("an answer").status, 202);
    server.ends_with_tasks(2);
    server.health("", 0);
    states(&server);
    updates(&server);
    uninstalled(&server);
}

/// Everything is removed except for the data and the operator's files.
fn uninstalled(server: &Server) {
    let (plan, code) = server.run_as("dev", "uninstall --dry-run");
    assert_eq!(code, 0, "{plan}");
    contains_all(&plan, &["unit `server-monitoring.service`", "link `/opt/server-monitoring`", "with its secrets"]);
    contains_all(&plan, &["--remove-data /var/lib/server-monitoring", "server-monitoring.socket.d`, the drop-ins"]);
    assert_eq!(server.serving(), "release 3");
    let (output, code) = server.run_as("dev", "uninstall --yes");
    assert_eq!(code, 0, "{output}");
    assert!(server.site.ask("GET", "/healthz").is_err());
    let left = "ls -d /opt/server-monitoring* /etc/server-monitoring /etc/systemd/system/*server-monitoring* \
                /etc/systemd/system/*.wants/server-monitoring* /run/server-monitoring* /var/lib/server-monitoring/* 2>/dev/null || true";
    assert_eq!(
        server.machine.script(left).lines().filter(|line| !line.contains(".before-")).collect::<Vec<_>>(),
        ["/etc/systemd/system/server-monitoring.socket.d", "/var/lib/server-monitoring/db.sqlite3"]
    );
}

/// An update deploys what another developer has pushed; one that fails leaves the checkout at its commit.
fn updates(server: &Server) {
    let push = |from: &str, to: &str| {
        server.dev(&format!(
            "cd /srv/app/../other && sed -i 's#{from}#{to}#' service/monitoring/views.py
             git -c user.name=dev -c user.email=dev@here commit --quiet --all --message '{to}' && git push --quiet"
        ));
    };
    server.machine.script("install -d -o dev -g dev /srv/origin /srv/other");
    server.dev(
        "cd /srv/app && git -c user.name=dev -c user.email=dev@here commit --quiet --all --message second
         git clone --quiet --bare . /srv/origin && git remote add origin /srv/origin && git fetch --quiet origin
         git branch --quiet --set-upstream-to=origin/$(git branch --show-current)
         git clone --quiet /srv/origin /srv/other",
    );
    let (output, code) = server.run_as("dev", "update");
    assert_eq!(code, 0, "{output}");
    contains_all(&output, &["up to date with `origin/"]);
    push("release 2", "release 3");
    assert_eq!(server.run_as("dev", "update --check").1, 1);
    assert_eq!(server.serving(), "release 2");
    let (output, code) = server.run_as("dev", "update --yes");
    assert_eq!(code, 0, "{output}");
    assert_eq!(server.serving(), "release 3");

    push("^import logging$", "import no_such_module");
    let (output, code) = server.run_as("dev", "update --yes");
    assert_eq!(code, 4, "{output}");
    contains_all(&output, &["no_such_module", "the checkout is back at ", "\"release 3\""]);
    assert_eq!(server.serving(), "release 3");
    contains_all(&server.run_as("dev", "status").0, &["at the same commit", "rolled back"]);
}

/// A command of `manage.py` runs in the release that serves, as the user of the units and with their environment. A signal
/// ends it.
fn manages(server: &Server) {
    let script = r#"cd /srv/app
code="import os, pwd, sys; from django.conf import settings
print(pwd.getpwuid(os.getuid()).pw_name, os.getcwd(), '\$HOME', settings.DATABASES['default']['NAME'], sys.stdin.read())
sys.exit(7)"
echo input | xtask manage shell -v0 -c "$code" || echo exit code $?
xtask manage shell -v0 -c "import time; time.sleep(3600)" </dev/null &
timeout 600 bash -c "until systemctl is-active --quiet server-monitoring-manage-$!; do sleep 0.1; done"
kill $!
wait $! || echo exit code $?
systemctl is-active server-monitoring-manage-$! || true"#;
    let release = server.machine.script("readlink --canonicalize /opt/server-monitoring");
    let expected = format!(
        "www-data {}/service $HOME /var/lib/server-monitoring/db.sqlite3 input\n\nexit code 7\nexit code 130\ninactive\n",
        release.trim()
    );
    assert_eq!(server.dev(script), expected);
    let (output, code) = server.run_as("dev", "run");
    assert_eq!(code, 0, "{output}");
    contains_all(&output, &["ok   systemd.unit.server-monitoring.service", "ok   systemd.http"]);
}

/// The service has a status and a log, stops, and starts again: the units that ran, and no others.
fn operates(server: &Server) {
    let ask = |args: &str| server.run_as("dev", args);
    let (status, code) = ask("status");
    assert_eq!(code, 0, "{status}");
    contains_all(&status, &["\"first\"", "at the same commit", "ok   systemd.http", "Last deploys"]);
    let (log, code) = ask("logs celery --lines 1000");
    assert_eq!(code, 0, "{log}");
    contains_all(&log, &[" ready."]);
    assert!(!log.contains("gunicorn"), "{log}");
    assert_eq!(ask("logs nothing").1, 2);

    let units = "systemctl list-units --no-legend --plain --state=active 'server-monitoring*' | cut -d' ' -f1";
    let before = server.machine.script(units);
    contains_all(&ask("--dry-run stop").0, &["would stop `", "server-monitoring.socket"]);
    assert_eq!(server.machine.script(units), before);
    let (output, code) = ask("stop");
    assert_eq!(code, 0, "{output}");
    assert_eq!(server.machine.script(units), "");
    assert!(server.site.ask("GET", "/healthz").is_err());
    contains_all(&ask("stop").0, &["nothing runs"]);
    let (output, code) = ask("start");
    assert_eq!(code, 0, "{output}");
    assert_eq!(server.machine.script(units), before);
    assert_eq!(server.serving(), "release 1");
    contains_all(&ask("start").0, &["it ran already, and serves"]);
}

/// A backup of a running service is restored, with its owner and mode.
fn backs_up(server: &Server) {
    let ask = |args: &str| server.run_as("dev", args);
    let owner = || server.machine.script("stat -c '%a %U:%G' /var/lib/server-monitoring/db.sqlite3");
    let (tasks, before) = (server.tasks(), owner());
    let (output, code) = ask("backup /tmp/backup.tar.gz");
    assert_eq!(code, 0, "{output}");
    assert_eq!(server.machine.script("stat -c '%a %U' /tmp/backup.tar.gz"), "600 dev\n");
    assert_eq!(server.site.ask("POST", "/samples").expect("an answer").status, 202);
    server.ends_with_tasks(tasks + 1);
    let (output, code) = ask("restore --replace-data /tmp/backup.tar.gz");
    assert_eq!(code, 0, "{output}");
    assert_eq!((server.serving().as_str(), server.tasks(), owner()), ("release 1", tasks, before));
}

/// The log of sudo has the commands of the plan, and no others.
fn only_planned_commands_ran(server: &Server, plan: &str) {
    let log = server.machine.script("journalctl --no-pager --output cat --identifier sudo");
    let is_command = |line: &&str| line.contains("USER=root") && line.contains("COMMAND=/");
    let mut done: Vec<String> = log.lines().filter(is_command).map(|line| without_id(&command(line))).collect();
    // The log of the worker's canary is read until the worker is ready.
    done.dedup();
    // sudo does not log the quotes of a shell.
    let planned = plan.lines().filter_map(|line| line.trim().strip_prefix("sudo "));
    let planned: Vec<String> = planned.map(|line| without_id(&line.replace('\'', ""))).collect();
    assert!(planned.len() > 20, "{plan}");
    assert_eq!(done, planned);
}

/// The command of a line of sudo's log, without the folder of the program.
fn command(line: &str) -> String {
    let (_, command) = line.split_once("COMMAND=").unwrap_or_default();
    let (program, args) = command.split_once(' ').unwrap_or((command, ""));
    let program = program.rsplit('/').next().unwrap_or_default();
    format!("{program} {args}").trim().to_owned()
}

/// Two runs have two ids.
fn without_id(text: &str) -> String {
    let id = regex::Regex::new(r"\d{8}T\d{6}Z-[0-9a-f]{12}(-dirty)?").expect("a pattern");
    id.replace_all(text, "ID").into_owned()
}

fn owners(server: &Server) {
    let ask = |script: &str| server.machine.script(script);
    assert_eq!(ask("find /srv/app -user root | head"), "");
    assert_eq!(ask("find /opt/server-monitoring/ ! -user root | head"), "");
    assert_eq!(
        ask("runuser -u www-data -- find -L /opt/server-monitoring/ -writable | grep -v ^/dev/ | head || true"),
        ""
    );
    assert_eq!(ask("stat -c '%a %U:%G' /etc/server-monitoring/env"), "640 root:www-data\n");
    // A tracked file that is private in the checkout is so in the release: the service alone can read it.
    assert_eq!(
        ask("cd /opt/server-monitoring && stat -c '%a %U:%G' ARCHITECTURE.md README.md"),
        "640 root:www-data\n644 root:www-data\n"
    );
    assert_eq!(ask("ls /run/systemd/system"), "");
    // Built by the user who deploys, with bytecode: the service could not write it.
    assert_ne!(ask("find -L /opt/server-monitoring/service/.venv/lib -name '*.pyc' | head -1"), "");
}

fn exposure(server: &Server) {
    for unit in ["server-monitoring.service", "server-monitoring-celery.service"] {
        let messages = server.machine.script(&format!("cd / && systemd-analyze security --no-pager {unit}"));
        let score =
            messages.split("exposure level for ").last().and_then(|it| it.split(": ").nth(1)?.split(' ').next());
        let score: f32 = score.and_then(|score| score.parse().ok()).unwrap_or_else(|| panic!("no score: {messages}"));
        assert!(score <= 2.5, "{unit}: {score}");
    }
}

/// The health checks report units in other states.
fn states(server: &Server) {
    server.machine.script("systemctl stop server-monitoring-celery");
    contains_all(&server.health("", 1), &["err   systemd.unit.server-monitoring-celery.service  inactive"]);
    // A unit that the operator has stopped stays so; the others are started.
    server.checkout.code("release 2");
    server.machine.script("systemctl stop server-monitoring.service server-monitoring.socket");
    contains_all(&server.health("", 1), &["connection refused"]);
    let output = server.deployed(QUICK);
    contains_all(&output, &["`server-monitoring-celery.service` is not running, and is left alone", "-dirty"]);
    assert_eq!(server.serving(), "release 2");
}
