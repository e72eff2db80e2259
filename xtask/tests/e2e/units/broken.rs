//! Releases that cannot serve, each of another kind, deployed while users ask: all that they see is the old release.

use std::fs;

use crate::checkout::contains_all;
use crate::units::server::{QUICK, Server};

/// A release that is broken in one file.
struct Broken {
    case: &'static str,
    file: &'static str,
    /// The code that is added to the file; a new file has nothing else.
    code: &'static str,
    /// Texts in the output.
    messages: &'static [&'static str],
}

const KINDS: [Broken; 7] = [
    Broken {
        case: "systemd_broken_import",
        file: "service/config/wsgi.py",
        code: "raise ImportError('no way with ' + os.environ['DJANGO_SECRET_KEY'])\n",
        messages: &["ImportError: no way with ********", "`server-monitoring-canary.service` failed"],
    },
    Broken {
        case: "systemd_broken_after_2_s",
        file: "service/gunicorn.conf.py",
        code: "
def when_ready(server):
    import os
    import threading

    threading.Timer(2, lambda: os._exit(7)).start()
",
        messages: &["exit status 7"],
    },
    Broken {
        case: "systemd_never_ready",
        file: "service/config/wsgi.py",
        code: "import time\n\ntime.sleep(600)\n",
        messages: &["is not up, after 15 s"],
    },
    Broken {
        case: "systemd_broken_migration",
        file: "service/monitoring/migrations/9999_broken.py",
        code: "import os\nraise RuntimeError('no way with ' + os.environ['DJANGO_SECRET_KEY'])\n",
        messages: &["RuntimeError: no way with ********", "the migrations failed"],
    },
    Broken {
        case: "systemd_invalid_unit",
        file: "deploy/systemd/server-monitoring.service",
        code: "[Service]\nBindReadOnlyPaths=/no/such/folder\n",
        messages: &["`server-monitoring-canary.service` failed", "/no/such/folder"],
    },
    Broken {
        case: "systemd_missing_dependency",
        file: "service/monitoring/views.py",
        code: "import requests\n",
        messages: &["No module named 'requests'"],
    },
    Broken {
        case: "systemd_broken_worker",
        file: "service/config/celery.py",
        code: "\nimport sys\n\nif \"worker\" in sys.argv:\n    os._exit(9)\n",
        messages: &["`server-monitoring-celery-canary.service` failed", "exit status 9"],
    },
];

pub(crate) fn rolled_back() {
    let server = Server::new();
    server.deployed(QUICK);
    for (number, broken) in KINDS.iter().enumerate() {
        server.checkout.code(&format!("broken release {number}"));
        deploy(&server, broken);
    }
    unknown_key(&server);
    breaks_as_it_serves(&server);
    // Any number of failed deploys does not prevent a successful one.
    server.checkout.code("release 2");
    server.deployed(QUICK);
    assert_eq!(server.serving(), "release 2");
    assert_eq!(server.releases().len(), 2, "{:?}", server.releases());
}

fn deploy(server: &Server, broken: &Broken) {
    let Broken { case, file, code, messages } = broken;
    let path = server.checkout.root.join(file);
    let original = fs::read_to_string(&path).ok();
    server.checkout.write(file, &format!("{}{code}", original.as_deref().unwrap_or_default()));
    server.dev("cd /srv/app && git add --all");
    let before = server.state();
    let tally = server.under_load(case, || {
        let (output, actual) = server.deploy("--stability 3s --timeout 15s");
        assert_eq!(actual, 4, "{case}: {output}");
        contains_all(&output, messages);
        contains_all(&output, &["rolled back: the previous release serves again"]);
    });
    assert_eq!(tally.bodies.into_keys().collect::<Vec<_>>(), ["release 1"], "{case}");
    // The very same processes, and nothing beside them.
    assert_eq!(server.state(), before, "{case}");
    match original {
        Some(original) => server.checkout.write(file, &original),
        None => fs::remove_file(&path).expect("removed"),
    }
    server.dev("cd /srv/app && git add --all");
}

/// systemd ignores it, and so do its exit codes.
fn unknown_key(server: &Server) {
    let file = "deploy/systemd/server-monitoring-celery.service";
    let original = server.checkout.read(file);
    server.checkout.write(file, &original.replace("Restart=on-failure", "Restrat=on-failure"));
    let before = server.state();
    let (output, code) = server.deploy(QUICK);
    assert_eq!(code, 3, "{output}");
    contains_all(&output, &["deploy/systemd/server-monitoring-celery.service:", "'Restrat' in section"]);
    assert_eq!(server.state(), before);
    server.checkout.write(file, &original);
}

/// Healthy as a canary, and not after the cut-over: units and link are restored, and requests wait meanwhile.
fn breaks_as_it_serves(server: &Server) {
    let (conf, unit) = ("service/gunicorn.conf.py", "deploy/systemd/server-monitoring.service");
    let originals = [conf, unit].map(|file| server.checkout.read(file));
    server.checkout.write(unit, &originals[1].replace("[Service]\n", "[Service]\nEnvironment=UNIT=%n\n"));
    let code = "import os\nimport pathlib\n\nif \"canary\" not in pathlib.Path(\"/proc/self/cgroup\").read_text():\n    \
                raise RuntimeError(\"not for real\")\n";
    server.checkout.write(conf, &format!("{}{code}", originals[0]));
    // The poll comes late: by then the unit has failed twice, and is on its way up once more.
    server.systemctl(
        "show() { $real show --property $1 --value server-monitoring.service; }
         [ -e $once ] && case \"$*\" in *' -- server-monitoring.service') rm $once
         until [ $(show NRestarts) -ge 2 ] && [ $(show SubState) = start ]; do :; done;; esac",
    );
    let units = "sha256sum /etc/systemd/system/server-monitoring*.service; readlink /opt/server-monitoring";
    let before = server.machine.script(units);
    server.under_load("systemd_broken_for_real", || {
        let (output, actual) = server.deploy("--stability 1s --timeout 30s");
        assert_eq!(actual, 4, "{output}");
        let messages = ["`server-monitoring.service` failed: `exit-code`, exit status 1", "RuntimeError: not for real"];
        contains_all(&output, &messages);
        contains_all(&output, &["rolled back: the previous release serves again"]);
    });
    server.machine.script("rm /usr/local/bin/systemctl && ! ls /run/once/*");
    assert_eq!(server.serving(), "release 1");
    assert_eq!(server.machine.script(units), before);
    assert_eq!(server.machine.script("ls /run/systemd/system"), "");
    server.checkout.write(conf, &originals[0]);
    server.checkout.write(unit, &originals[1]);
}
