//! Releases that cannot serve, each of another kind, deployed while users ask: all that they see is the old release.

use std::fs;
use std::time::Instant;

use crate::checkout::contains_all;
use crate::deploy::stack::wait_for;
use crate::load::Load;
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
        messages: &["`server-monitoring-migrate.service` failed", "/no/such/folder"],
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
    responds_with_500_as_it_serves(&server, "systemd_500_after_the_cut_over", "[\"canary\", \"handover\"]");
    responds_with_500_as_it_serves(&server, "systemd_500_of_the_handover", "[\"canary\"]");
    // Any number of failed deploys does not prevent a successful one.
    server.checkout.code("release 2");
    server.deployed(QUICK);
    assert_eq!(server.serving(), "release 2");
    assert_eq!(server.releases().len(), 2, "{:?}", server.releases());
    destructive_migration(&server);
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
    let code = "import os\nimport pathlib\n\n_unit = pathlib.Path(\"/proc/self/cgroup\").read_text()\n\
                if \"canary\" not in _unit and \"handover\" not in _unit:\n    \
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

/// Healthy as a canary, or as a handover as well, and then a wrong response to every request: two of them are a verdict.
fn responds_with_500_as_it_serves(server: &Server, case: &str, healthy: &str) {
    let file = "service/config/wsgi.py";
    let original = server.checkout.read(file);
    let code = "\nimport pathlib\n\n_unit = pathlib.Path(\"/proc/self/cgroup\").read_text()\n\
                if not any(name in _unit for name in HEALTHY):\n    \
                def application(environ, start_response):\n        \
                start_response(\"500 Internal Server Error\", [])\n        return [b\"wrong\"]\n";
    server.checkout.write(file, &format!("{original}{}", code.replace("HEALTHY", healthy)));
    let load = Load::start(&server.site);
    let begun = Instant::now();
    let (output, actual) = server.deploy("--stability 1s --timeout 10m");
    let verdict = begun.elapsed();
    load.stop().publish(case, verdict);
    assert_eq!(actual, 4, "{output}");
    contains_all(&output, &["answers 500 on `/healthz` as example.org", "the previous release serves again"]);
    assert_eq!(server.serving(), "release 1");
    server.checkout.write(file, &original);
}

/// A migration that the previous release cannot live with, and a worker that fails: the code is rolled back, and the
/// hint brings the database back.
fn destructive_migration(server: &Server) {
    let (views, celery) = ("service/monitoring/views.py", "service/config/celery.py");
    let healthz = "    return HttpResponse(\"";
    server.checkout.edit(views, healthz, &format!("    Sample.objects.count()\n{healthz}"));
    server.checkout.code("release 3");
    server.deployed(QUICK);
    let original = server.checkout.read(celery);
    server.checkout.write(celery, &format!("{original}\nimport sys\n\nif \"worker\" in sys.argv:\n    os._exit(9)\n"));
    server.checkout.edit(views, "    Sample.objects.count()\n", "");
    server.checkout.write(
        "service/monitoring/migrations/0002_gone.py",
        "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    \
         dependencies = [(\"monitoring\", \"0001_initial\")]\n    \
         operations = [migrations.RunSQL(\"ALTER TABLE monitoring_sample RENAME TO gone\")]\n",
    );
    server.dev("cd /srv/app && git add --all");
    let (output, code) = server.deploy("--stability 1s --timeout 30s");
    assert_eq!(code, 5, "{output}");
    let messages = ["is unhealthy: `server-monitoring` answers 500", "`monitoring.0002_gone`", "without later changes"];
    contains_all(&output, &messages);
    let hint = output.lines().find_map(|line| line.split_once("hint: ").filter(|(_, hint)| hint.contains("cp -p")));
    let (_, restore) = hint.unwrap_or_else(|| panic!("no command to restore the database: {output}"));
    server.dev(restore);
    wait_for("the service", || server.site.ask("GET", "/healthz").is_ok_and(|answer| answer.status == 200));
    assert_eq!(server.serving(), "release 3");
}
