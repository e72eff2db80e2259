//! Releases that cannot serve, each of another kind, deployed while users ask: all that they see is the old release.

use std::fs;
use std::time::Instant;

use crate::checkout::contains_all;
use crate::deploy::stack::{QUICK, Stack};
use crate::load::Load;

/// A release that is broken in one file.
struct Broken {
    case: &'static str,
    file: &'static str,
    /// The code that is added to the file; a new file has nothing else.
    code: &'static str,
    exit_code: i32,
    /// Texts in the output.
    messages: &'static [&'static str],
}

const WORKER: &str = "service/config/celery.py";

const KINDS: [Broken; 6] = [
    Broken {
        case: "broken_import",
        file: "service/config/wsgi.py",
        code: "raise ImportError('no way with ' + os.environ['DJANGO_SECRET_KEY'])\n",
        exit_code: 4,
        messages: &["ImportError: no way with ********", "exit code 1"],
    },
    Broken {
        case: "broken_after_2_s",
        file: "service/gunicorn.conf.py",
        code: r#"
def when_ready(server):
    import os
    import threading

    def crash():
        print("no way with", os.environ["MONITORING_TOKEN"], flush=True)
        os._exit(7)

    threading.Timer(2, crash).start()
"#,
        exit_code: 4,
        messages: &["no way with ********", "exit code 7"],
    },
    Broken {
        case: "broken_health_path",
        file: "service/monitoring/views.py",
        code: r#"
def healthz(request):
    import os

    raise RuntimeError("no way with " + os.environ["DJANGO_SECRET_KEY"])
"#,
        exit_code: 4,
        messages: &["RuntimeError: no way with ********", "500"],
    },
    Broken {
        case: "broken_migration",
        file: "service/monitoring/migrations/9999_broken.py",
        code: "import os\nraise RuntimeError('no way with ' + os.environ['DJANGO_SECRET_KEY'])\n",
        exit_code: 4,
        messages: &["RuntimeError: no way with ********", "the migrations failed"],
    },
    Broken {
        case: "broken_worker",
        file: WORKER,
        code: r#"
import sys

if "worker" in sys.argv:
    print("no way with", os.environ["DJANGO_SECRET_KEY"], flush=True)
    os._exit(9)
"#,
        exit_code: 4,
        messages: &["no way with ********", "exit code 9"],
    },
    Broken {
        case: "broken_build",
        file: "service/config/settings.py",
        code: "raise RuntimeError('no way')\n",
        exit_code: 1,
        messages: &["RuntimeError: no way"],
    },
];

pub(crate) fn rolled_back() {
    let stack = Stack::new("broken");
    stack.deployed(QUICK);
    for (number, broken) in KINDS.iter().enumerate() {
        stack.code(&format!("broken release {number}"));
        deploy(&stack, broken);
    }
    // Any number of failed deploys does not prevent a successful one.
    stack.code("release 2");
    stack.deployed(QUICK);
    assert_eq!(stack.serving(), "release 2");
    // Those of the newest five, and of the good release that can still be gone back to.
    assert_eq!(stack.records().len(), 6);
}

fn deploy(stack: &Stack, broken: &Broken) {
    let Broken { case, file, code, exit_code, messages } = broken;
    let path = stack.checkout.root.join(file);
    let original = fs::read_to_string(&path).ok();
    stack.checkout.write(file, &format!("{}{code}", original.as_deref().unwrap_or_default()));
    let (containers, tasks) = (stack.containers(), stack.tasks());

    let load = Load::start(&stack.site);
    let begun = Instant::now();
    let (output, actual) = stack.deploy("--stability 3s --timeout 15s");
    let verdict = begun.elapsed();
    let tally = load.stop();

    assert_eq!(actual, *exit_code, "{case}: {output}");
    contains_all(&output, messages);
    if *exit_code == 4 {
        contains_all(&output, &["rolled back"]);
    }
    tally.nothing_failed(case, verdict);
    assert_eq!(stack.serving(), "release 1", "{case}: {output}");
    let seen: Vec<&str> = tally.bodies.keys().map(String::as_str).collect();
    // The worker's turn comes when the new `web`, which is well, has requests already.
    if *file != WORKER {
        assert_eq!(seen, ["release 1"], "{case}: {output}");
    }
    // The very same containers, and none beside them.
    assert_eq!(stack.containers(), containers, "{case}: {output}");
    stack.ends_with_tasks(tasks + tally.accepted);

    match original {
        Some(original) => stack.checkout.write(file, &original),
        None => fs::remove_file(&path).expect("removed"),
    }
}
