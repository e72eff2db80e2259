//! Redeploys that go well, while users ask: none of them may notice.

use std::thread;
use std::time::Instant;

use crate::client::Site;
use crate::deploy::stack::{QUICK, Stack, docker, wait_for};
use crate::deploy::watch::Events;
use crate::load::{Load, Tally};

/// A task that waits for a file, and keeps a row at its beginning and at its end.
const WAITING_TASK: &str = r#"

@app.task(soft_time_limit=300, time_limit=300)
def wait():
    import pathlib
    import re
    import time

    from monitoring.models import Sample

    # The id of the container, whose host name is that of the machine.
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()
    container = re.search("/containers/([0-9a-f]{12})", mounts)[1]

    def keep(what):
        name = f"{what} {container}"
        Sample.objects.create(host=name, cpu_percent=0, memory_percent=0, disk_percent=0)

    keep("begun")
    while not pathlib.Path("/data/go-on").exists():
        time.sleep(0.1)
    keep("ended")
"#;

/// Deploys under load, prints the figures, and expects that no request failed and no task was lost.
#[track_caller]
pub(crate) fn redeploy(stack: &Stack, case: &str, args: &str) -> (String, Tally) {
    let tasks = stack.tasks();
    let load = Load::start(&stack.site);
    let begun = Instant::now();
    let output = stack.deployed(args);
    let verdict = begun.elapsed();
    let tally = load.stop();
    tally.nothing_failed(case, verdict);
    stack.ends_with_tasks(tasks + tally.accepted);
    (output, tally)
}

pub(crate) fn without_loss() {
    let stack = Stack::new("redeploy");
    let tasks = stack.checkout.read("service/monitoring/tasks.py");
    stack.checkout.write("service/monitoring/tasks.py", &format!("{tasks}{WAITING_TASK}"));
    stack.deployed(QUICK);
    code_change(&stack);
    env_change(&stack);
    task_in_flight(&stack);
    roll_back(&stack);
}

fn code_change(stack: &Stack) {
    let old = ["web", "celery", "redis", "proxy"].map(|service| stack.id(service));
    stack.code("release 2");
    let (_, tally) = redeploy(stack, "redeploy_code_change", "");
    assert_eq!(stack.serving(), "release 2");
    // Each response came from the old release or from the new one.
    let seen: Vec<&str> = tally.bodies.keys().map(String::as_str).collect();
    assert_eq!(seen, ["release 1", "release 2"]);
    let new = ["web", "celery", "redis", "proxy"].map(|service| stack.id(service));
    assert!(new[0] != old[0] && new[1] != old[1], "not replaced: {new:?}");
    assert_eq!(new[2..], old[2..]);
    assert_eq!(stack.containers().len(), 4, "{:#?}", stack.containers());
}

/// Back to the code before, with the `.env` of now.
fn roll_back(stack: &Stack) {
    redeploy(stack, "rollback", "--rollback");
    assert_eq!(stack.serving(), "release 2");
    assert_eq!(stack.containers().len(), 4, "{:#?}", stack.containers());
}

fn env_change(stack: &Stack) {
    let other = Site { host: "other.example".to_owned(), ..stack.site.clone() };
    assert_eq!(other.get("/healthz").0, 400);
    stack.edit(".env", "example.org", "example.org,other.example");
    redeploy(stack, "redeploy_env_change", "");
    assert_eq!(other.get("/healthz").0, 200);
    assert_eq!(stack.serving(), "release 2");
}

/// The old worker gets its stop signal during a task, and finishes the task first.
fn task_in_flight(stack: &Stack) {
    stack.python("from monitoring.tasks import wait; wait.delay()");
    let worker = stack.id("celery");
    let name = &worker[..12];
    let keeps = |what: &str| {
        let rows = format!("Sample.objects.filter(host__startswith='{what} ').values_list('host', flat=True)");
        stack.python(&format!("from monitoring.models import Sample; print(*{rows}, sep=',')"))
    };
    wait_for("the task to begin", || keeps("begun") == format!("begun {name}"));

    stack.code("release 3");
    let mut signals = Events::of(stack, "celery", "kill");
    thread::scope(|scope| {
        let messages = scope.spawn(|| {
            let messages = signals.next();
            docker(&["exec", &worker, "touch", "/data/go-on"]);
            messages
        });
        stack.deployed(QUICK);
        assert_eq!(messages.join().expect("the worker is told to end").trim(), worker);
    });
    assert_eq!(stack.serving(), "release 3");
    assert_ne!(stack.id("celery"), worker);
    // Neither lost, nor begun again by the new one.
    assert_eq!((keeps("begun"), keeps("ended")), (format!("begun {name}"), format!("ended {name}")));
}
