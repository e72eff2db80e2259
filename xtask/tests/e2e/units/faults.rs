//! Two deploys at once, deploys that do not come to their end, a disk that is full.

use crate::checkout::contains_all;
use crate::units::server::{QUICK, RELEASES, Server};

/// The moments at which a deployer is killed, as conditions of the shell.
const MOMENTS: [&str; 3] = [
    "ls /opt/server-monitoring-releases/*/uv.lock /opt/server-monitoring-releases/*/service/.venv/bin/gunicorn 2>/dev/null | grep -qv $(readlink /opt/server-monitoring)",
    "systemctl is-active --quiet server-monitoring-canary.service",
    "! readlink /opt/server-monitoring | grep -q $(cat /srv/first)",
];

pub(crate) fn put_right() {
    let server = Server::new();
    server.deployed(QUICK);
    server.machine.script("basename $(readlink /opt/server-monitoring) >/srv/first");
    at_once(&server);
    interrupted_program(&server);
    full_disk(&server);
    let before = server.machine.script("readlink /opt/server-monitoring");
    server.under_load("systemd_killed", || {
        for (number, moment) in MOMENTS.iter().enumerate() {
            server.checkout.code(&format!("killed release {number}"));
            let deploy = server.begin("--stability 2s");
            let is_killed = server.signal_when("KILL", moment);
            let (output, code) = deploy.end();
            assert!(is_killed && code != Some(0), "{moment}: killed too late: {output}");
        }
    });
    let edited = killed_and_edited(&server);
    server.checkout.code("release 2");
    // Another checkout of the service finds what this one has left half-way.
    server.machine.script("rm -rf /srv/other && cp -a /srv/app /srv/other");
    server.under_load("systemd_put_right", || {
        let output = server.deployed(&format!("{QUICK} --project /srv/other"));
        contains_all(&output, &["an earlier deploy was not finished", &edited]);
    });
    assert_eq!(server.serving(), "release 2");
    assert_ne!(server.machine.script("readlink /opt/server-monitoring"), before);
    // With the folder that has the previous content of the edited file.
    let (copies, releases): (Vec<_>, Vec<_>) =
        server.releases().into_iter().partition(|name| name.ends_with(".before"));
    assert_eq!((copies.len(), releases.len()), (1, 2), "{copies:?} {releases:?}");
    assert_eq!(server.machine.script("ls /run/systemd/system"), "");
    assert!(!server.deployed("").contains("earlier deploy"));
}

/// A deploy is killed after the cut-over, and the operator edits a file that it has written. Returns the message about it.
fn killed_and_edited(server: &Server) -> String {
    let unit = "server-monitoring-celery.service";
    server.checkout.edit(&format!("deploy/systemd/{unit}"), "[Service]\n", "[Service]\n# killed\n");
    server.checkout.code("killed release");
    let deploy = server.begin("--stability 2s");
    let path = format!("/etc/systemd/system/{unit}");
    // Later than the recovery of the deploy that was killed before.
    assert!(server.signal_when("KILL", &format!("grep -q killed {path}")));
    deploy.end();
    server.machine.script(&format!("grep -q killed {path} && echo '# mine' >>{path}"));
    format!("`{path}` was changed after the deploy had written it: it stays as it is")
}

/// A second run names the first; Ctrl-C ends that one with everything as it was.
fn at_once(server: &Server) {
    let before = server.state();
    server.checkout.code("never to be seen");
    let deploy = server.begin("--stability 10m");
    let is_up = "systemctl is-active --quiet server-monitoring-canary.service";
    server.machine.script(&format!("timeout 600 bash -c 'until {is_up}; do sleep 0.05; done'"));
    // From the same checkout, and from another one.
    server.machine.script("rm -rf /srv/other && cp -a /srv/app /srv/other");
    for args in ["", "--project /srv/other"] {
        let (second, code) = server.deploy(args);
        assert_eq!(code, 6, "{second}");
        contains_all(&second, &["another run holds the lock: pid ", "deploy-systemd"]);
    }
    server.machine.script("! runuser -u guest -- flock --nonblock /run/server-monitoring-deploy/lock true");
    assert!(server.signal_when("INT", is_up));
    let (output, code) = deploy.end();
    assert_eq!(code, Some(130), "{output}");
    contains_all(&output, &["rolled back: the previous release serves again"]);
    assert_eq!(server.state(), before);
}

/// The calls of `systemctl` that Ctrl-C ends before the deployer hears of it.
const CALLS: [&str; 4] = [
    "show --property*-- server-monitoring-migrate.service",
    "start --no-block server-monitoring-celery-canary.service",
    "daemon-reload",
    "restart --no-block*",
];

/// A program that dies of the terminal's signal is an interruption, also where the deployer itself has not got one.
fn interrupted_program(server: &Server) {
    let interrupted = |call: &str| {
        server.systemctl(&format!(
            "[ -e $once ] && case \"$*\" in {}) rm $once; kill -INT $$;; esac",
            call.replace(' ', "\\ ")
        ));
        let (output, code) = server.deploy("--stability 1s");
        assert_eq!(code, 130, "{call}: {output}");
        contains_all(&output, &["interrupted during `"]);
        output
    };
    // During the preflight there is nothing to roll back.
    assert!(!interrupted("show --property*-- server-monitoring-canary.service*").contains("rolled back"));
    for call in CALLS {
        contains_all(&interrupted(call), &["rolled back: the previous release serves again"]);
        server.machine.script("rm /usr/local/bin/systemctl && ! ls /run/once/*");
        assert_eq!(server.serving(), "release 1", "{call}");
        assert_eq!(server.machine.script("ls /run/systemd/system"), "", "{call}");
    }
}

/// There is room for bytes, and none for so many files.
fn full_disk(server: &Server) {
    let before = server.state();
    // The one that serves stays reachable: its folder is elsewhere for the time.
    server.machine.script(&format!(
        "mkdir /opt/aside && cp -a {RELEASES}/. /opt/aside && mount -t tmpfs -o size=3g,nr_inodes=900,mode=755 tmpfs {RELEASES} && \
         for release in /opt/aside/*; do mkdir {RELEASES}/$(basename $release) && \
         mount --bind $release {RELEASES}/$(basename $release); done"
    ));
    let (output, code) = server.deploy(QUICK);
    assert_eq!(code, 4, "{output}");
    contains_all(&output, &["No space left on device", "rolled back: the previous release serves again"]);
    server.machine.script(&format!(
        "for release in {RELEASES}/*; do umount $release; done; umount {RELEASES} && rm -rf /opt/aside"
    ));
    assert_eq!(server.state(), before);
    assert_eq!(server.serving(), "release 1");
}
