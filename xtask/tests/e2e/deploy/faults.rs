//! Two deploys at once, and deploys that do not come to their end.

use std::fs;
use std::time::Instant;

use duct::cmd;

use crate::checkout::contains_all;
use crate::deploy::stack::{QUICK, Stack, docker, finish, wait_for};
use crate::deploy::watch::{Deploy, Events};
use crate::load::Load;

const UNHEALTHY: &str = "\ndef healthz(request):\n    return HttpResponse(\"never\\n\", status=500)\n";

pub(crate) fn interrupted() {
    let stack = Stack::new("faults");
    stack.deployed(QUICK);
    let containers = stack.containers();
    let tasks = stack.tasks();
    let load = Load::start(&stack.site);

    // A release that never turns good, so that its deploy is under way for certain.
    let views = stack.checkout.read("service/monitoring/views.py");
    stack.checkout.write("service/monitoring/views.py", &format!("{views}{UNHEALTHY}"));
    let mut starts = Events::of(&stack, "web", "start");
    let deploy = Deploy::start(&stack, "--timeout 10m");
    starts.next();
    let (second, code) = stack.deploy("");
    assert_eq!(code, 6, "{second}");
    contains_all(&second, &[&format!("pid {}", deploy.pid())]);
    let begun = Instant::now();
    deploy.interrupt();
    let (output, code) = deploy.end();
    let verdict = begun.elapsed();
    assert_eq!(code, Some(130), "{output}");
    contains_all(&output, &["rolled back"]);
    assert_eq!(stack.containers(), containers, "{output}");
    let tally = load.stop();
    tally.nothing_failed("interrupted", verdict);
    assert_eq!(tally.bodies.into_keys().collect::<Vec<_>>(), ["release 1"]);
    stack.ends_with_tasks(tasks + tally.accepted);

    interrupted_program(&stack);
    killed(&stack);
}

/// The calls of Docker that Ctrl-C ends before the deployer hears of it: the words of the call, as a pattern.
const CALLS: [&str; 6] = ["^compose .* config", " build ", " run -T", " up --no-start", "^exec -i", "^network connect"];

/// A program that dies of the terminal's signal is an interruption, also where the deployer itself has not got one.
fn interrupted_program(stack: &Stack) {
    stack.checkout.edit("service/monitoring/views.py", UNHEALTHY, "");
    stack.code("never to be seen");
    let containers = stack.containers();
    let call = stack.checkout.root.join(".xtask/call");
    let shims = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shims/docker-interrupted");
    for pattern in CALLS {
        stack.checkout.write(".xtask/call", pattern);
        let deploy = stack.xtask_behind(shims, ["deploy-docker", "--stability", "1s"]);
        let (output, code) = finish(&deploy.env("INTERRUPTED_CALL", &call));
        assert_eq!(code, 130, "{pattern}: {output}");
        contains_all(&output, &["interrupted during `"]);
        assert!(!call.exists(), "{pattern}: {output}");
        assert_eq!(stack.containers(), containers, "{pattern}: {output}");
    }
    stack.code("release 1");
    stack.checkout.write(
        "service/monitoring/views.py",
        &format!("{}{UNHEALTHY}", stack.checkout.read("service/monitoring/views.py")),
    );
}

/// A deployer that is killed leaves two releases; the next run has to put it right.
fn killed(stack: &Stack) {
    let containers = stack.containers();
    let load = Load::start(&stack.site);
    let mut starts = Events::of(stack, "web", "start");
    let deploy = Deploy::start(stack, "--timeout 10m");
    starts.next();
    deploy.kill();
    assert_eq!(deploy.end().1, None);
    assert_eq!(stack.ids("web").len(), 2, "it was killed too late");
    assert_eq!(stack.serving(), "release 1");

    // The same release again is recovered like any other, and fails as expected.
    let (output, code) = stack.deploy("--timeout 15s");
    assert_eq!(code, 4, "{output}");
    contains_all(&output, &["an earlier deploy was not finished", "rolled back"]);
    assert_eq!(stack.containers(), containers, "{output}");

    let mut starts = Events::of(stack, "web", "start");
    let deploy = Deploy::start(stack, "--timeout 10m");
    starts.next();
    deploy.kill();
    deploy.end();
    stack.checkout.write(
        "service/monitoring/views.py",
        &stack.checkout.read("service/monitoring/views.py").replace(UNHEALTHY, ""),
    );
    stack.code("release 2");
    let begun = Instant::now();
    let output = stack.deployed(QUICK);
    let verdict = begun.elapsed();
    contains_all(&output, &["an earlier deploy was not finished"]);
    load.stop().nothing_failed("killed", verdict);
    assert_eq!(stack.serving(), "release 2");
    assert_eq!(stack.containers().len(), 4, "{:#?}", stack.containers());
    assert!(!stack.deployed("").contains("earlier deploy"));
    killed_while_migrating(stack);
}

const MIGRATIONS: [(&str, &str); 2] = [
    (
        "service/monitoring/migrations/0002_quick.py",
        "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    \
         dependencies = [('monitoring', '0001_initial')]\n    operations = []\n",
    ),
    (
        "service/monitoring/migrations/0003_slow.py",
        "import time\n\nfrom django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    \
         atomic = False\n    dependencies = [('monitoring', '0002_quick')]\n    \
         operations = [migrations.RunPython(lambda apps, editor: time.sleep(86400))]\n",
    ),
];

/// The deployer is killed between two migrations: the next run stops them, and records the one that was applied.
fn killed_while_migrating(stack: &Stack) {
    for (file, code) in MIGRATIONS {
        stack.checkout.write(file, code);
    }
    let deploy = Deploy::start(stack, "");
    let filter = format!("name={}-migrate-", stack.name);
    let migrating = || docker(&["ps", "--all", "--quiet", "--filter", &filter]);
    wait_for("the first migration", || {
        let id = migrating();
        // The engine may be about to remove the one of the deploy before.
        let logs = cmd!("docker", "logs", id.trim()).stderr_null().unchecked().read().unwrap_or_default();
        !id.is_empty() && logs.contains("0002_quick")
    });
    deploy.kill();
    deploy.end();

    let (slow, _) = MIGRATIONS[1];
    fs::remove_file(stack.checkout.root.join(slow)).expect("removed");
    let output = stack.deployed(QUICK);
    contains_all(
        &output,
        &["an earlier deploy was not finished", "; 1 migration stays applied; the database from before"],
    );
    assert_eq!(migrating(), "");
    let is_noted = |record: &&String| record.contains("\"migrations\":[\"monitoring.0002_quick\"]");
    let records = stack.records();
    let noted: Vec<&String> = records.iter().filter(is_noted).collect();
    assert_eq!(noted.len(), 1, "{records:#?}");
    contains_all(noted[0], &["\"result\":\"rolled-back\""]);
}
