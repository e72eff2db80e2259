//! Redeploys that go well, while users ask: none of them may notice.

use crate::checkout::contains_all;
use crate::units::server::{QUICK, Server};

/// A task that waits for a file, and keeps a row at its beginning and at its end.
const WAITING_TASK: &str = r#"

@app.task(soft_time_limit=300, time_limit=300)
def wait():
    import pathlib
    import time

    from monitoring.models import Sample

    def keep(what):
        Sample.objects.create(host=what, cpu_percent=0, memory_percent=0, disk_percent=0)

    keep("begun")
    while not pathlib.Path("/var/lib/server-monitoring/go-on").exists():
        time.sleep(0.1)
    keep("ended")
"#;

const BEGIN: &str = "cd /opt/server-monitoring/service && systemd-run --quiet --wait --pipe --uid=www-data \
                     -p EnvironmentFile=/etc/server-monitoring/env -p WorkingDirectory=/opt/server-monitoring/service \
                     -E STATE_DIRECTORY=/var/lib/server-monitoring .venv/bin/python -c \
                     'import config.celery; from monitoring.tasks import wait; wait.delay()'";

pub(crate) fn without_loss() {
    let server = Server::new();
    let tasks = server.checkout.read("service/monitoring/tasks.py");
    server.checkout.write("service/monitoring/tasks.py", &format!("{tasks}{WAITING_TASK}"));
    // The worker has too little time for its task, were it not for the setting.
    server.checkout.edit("deploy/systemd/server-monitoring-celery.service", "TimeoutStopSec=45", "TimeoutStopSec=1");
    server.checkout.edit(
        "Cargo.toml",
        "[workspace.metadata.service]\n",
        "[workspace.metadata.service]\ndrain-timeout = \"5m\"\n",
    );
    server.deployed(QUICK);
    let first = server.machine.script("readlink /opt/server-monitoring");

    server.checkout.code("release 2");
    let tally = server.under_load("systemd_redeploy", || drop(server.deployed("")));
    let seen: Vec<&str> = tally.bodies.keys().map(String::as_str).collect();
    assert_eq!(seen, ["release 1", "release 2"]);

    server.under_load("systemd_rollback", || drop(server.deployed("--rollback")));
    assert_eq!(server.serving(), "release 1");
    assert_eq!(server.machine.script("readlink /opt/server-monitoring"), first);
    let (output, code) = server.deploy("--rollback");
    assert_eq!(code, 3, "{output}");
    task_in_flight(&server);
}

/// The old worker gets its stop signal during a task, and finishes the task first.
fn task_in_flight(server: &Server) {
    let keeps = |what: &str| server.sql(&format!("select count(*) from monitoring_sample where host = '{what}'"));
    server.machine.script(BEGIN);
    crate::deploy::stack::wait_for("the task to begin", || keeps("begun") == "1");
    server.checkout.code("release 3");
    let deploy = server.begin(QUICK);
    let is_reported = "systemctl show -p SubState server-monitoring-celery.service | grep -q stop-sigterm";
    server.machine.script(&format!(
        "timeout 600 bash -c 'until {is_reported}; do sleep 0.05; done' && sleep 3 && \
         touch /var/lib/server-monitoring/go-on"
    ));
    let (output, code) = deploy.end();
    assert_eq!(code, Some(0), "{output}");
    contains_all(&output, &["at most `server-monitoring-celery.service` 300 s, `server-monitoring.service` 300 s"]);
    assert!(!output.contains("was killed"), "{output}");
    assert_eq!((keeps("begun"), keeps("ended")), ("1".to_owned(), "1".to_owned()), "neither lost nor begun again");
    assert_eq!(server.serving(), "release 3");
    // The setting ends with the deploy.
    let stop_time = server.machine.script("systemctl show --value -p TimeoutStopUSec server-monitoring-celery.service");
    assert_eq!(stop_time.trim(), "1s");
}
