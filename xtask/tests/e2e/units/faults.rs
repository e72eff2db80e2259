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
    server.checkout.code("release 2");
    server.under_load("systemd_put_right", || {
        contains_all(&server.deployed(QUICK), &["an earlier deploy was not finished"]);
    });
    assert_eq!(server.serving(), "release 2");
    assert_ne!(server.machine.script("readlink /opt/server-monitoring"), before);
    assert_eq!(server.releases().len(), 2, "{:?}", server.releases());
    assert_eq!(server.machine.script("ls /run/systemd/system"), "");
    assert!(!server.deployed("").contains("earlier deploy"));
}

/// A second run names the first; Ctrl-C ends that one with everything as it was.
fn at_once(server: &Server) {
    let before = server.state();
    server.checkout.code("never to be seen");
    let deploy = server.begin("--stability 10m");
    let is_up = "systemctl is-active --quiet server-monitoring-canary.service";
    server.machine.script(&format!("timeout 60 bash -c 'until {is_up}; do sleep 0.05; done'"));
    let (second, code) = server.deploy("");
    assert_eq!(code, 6, "{second}");
    contains_all(&second, &["another run holds the lock: pid ", "deploy-systemd"]);
    assert!(server.signal_when("INT", is_up));
    let (output, code) = deploy.end();
    assert_eq!(code, Some(130), "{output}");
    contains_all(&output, &["rolled back: the previous release serves again"]);
    assert_eq!(server.state(), before);
}

/// The calls of `systemctl` that Ctrl-C ends before the deployer hears of it.
const CALLS: [&str; 4] = [
    "show --property*server-monitoring-migrate.service",
    "start --no-block server-monitoring-celery-canary.service",
    "daemon-reload",
    "restart --no-block*",
];

/// A program that dies of the terminal's signal is an interruption, also where the deployer itself has not got one.
fn interrupted_program(server: &Server) {
    for call in CALLS {
        server.systemctl(&format!(
            "[ -e $once ] && case \"$*\" in {}) rm $once; kill -INT $$;; esac",
            call.replace(' ', "\\ ")
        ));
        let (output, code) = server.deploy("--stability 1s");
        assert_eq!(code, 130, "{call}: {output}");
        contains_all(&output, &["interrupted during `", "rolled back: the previous release serves again"]);
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
        "mkdir /opt/aside && cp -a {RELEASES}/. /opt/aside && mount -t tmpfs -o size=3g,nr_inodes=900 tmpfs {RELEASES} && \
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
