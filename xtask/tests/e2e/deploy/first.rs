//! The first deploy of a checkout, and the health checks after it.

use std::fs;
use std::path::Path;

use duct::cmd;

use crate::checkout::{answer, contains_all};
use crate::deploy::stack::{QUICK, Stack, docker, finish};
use crate::deploy::tls;
use crate::deploy::watch::Events;

pub(crate) fn from_nothing() {
    let stack = Stack::new("first");
    let env_file = stack.checkout.read(".env") + tls::TRUSTED_PROXIES;
    stack.checkout.write(".env", &env_file);
    stack.deployed("--dry-run");
    assert_eq!(stack.containers(), [""; 0]);
    assert_eq!(stack.images(), [""; 0]);
    assert_eq!(stack.checkout.read(".env"), env_file);
    assert_eq!(stack.records(), [""; 0]);

    let output = stack.deployed(&format!("{QUICK} --format json"));
    contains_all(&output, &["DEPLOY_METHOD"]);
    for line in output.lines() {
        assert!(line.starts_with("{\"event\":\"") && line.ends_with('}'), "not a JSON object: {line}");
    }
    let verdict = output.lines().last().unwrap_or_default();
    contains_all(
        verdict,
        &["\"event\":\"verdict\"", "\"exit_code\":0", "\"outcome\":\"deployed\"", "published on port"],
    );
    contains_all(&output, &["{\"event\":\"step-finished\",\"title\":\"build\",\"is_ok\":true,"]);
    assert_eq!(stack.checkout.value("DEPLOY_METHOD").as_deref(), Some("docker"));
    assert_eq!(stack.serving(), "release 1");
    let (status, ready) = stack.site.get("/readyz");
    assert_eq!(status, 200, "{ready}");
    assert_eq!(stack.site.ask("POST", "/samples").expect("an answer").status, 202);
    stack.ends_with_tasks(1);
    let host = stack.python("from monitoring.models import Sample; print(Sample.objects.get().host.split()[1])");
    // The worker has made the row, and has the name of the machine.
    assert_eq!(host, format!("celery@{}", docker(&["info", "--format", "{{.Name}}"]).trim()));
    assert_eq!(stack.python("from django.conf import settings; print('celery@' + settings.HOST_NAME)"), host);
    tls::logins(&stack);
    manages(&stack);
    operates(&stack);
    backs_up(&stack);

    // A container that was run from the image by hand has its labels, and is no part of the stack.
    let image = format!("{}-app", stack.name);
    docker(&["run", "--detach", "--init", "--name", &format!("{}-mine", stack.name), &image, "sleep", "infinity"]);
    let containers = stack.containers();
    let records = stack.records();
    assert_eq!(records.len(), 1);
    contains_all(&stack.deployed(""), &["nothing has changed"]);
    stack.code("release 2");
    stack.edit(".env", tls::TRUSTED_PROXIES, "TRUSTED_PROXIES=192.0.2.1\n");
    contains_all(&stack.deployed("--dry-run"), &["`proxy` is replaced in place"]);
    assert_eq!(stack.containers(), containers);
    assert_eq!(stack.records(), records);
    stack.edit(".env", "TRUSTED_PROXIES=192.0.2.1\n", "TRUSTED_PROXIES=proxy\n");
    let (output, code) = stack.deploy("");
    assert_eq!(code, 4, "{output}");
    contains_all(&output, &["`TRUSTED_PROXIES`: `proxy` is neither an IP address nor a network"]);
    assert_eq!(stack.containers(), containers);
    assert_eq!(stack.serving(), "release 1");
    stack.edit(".env", "TRUSTED_PROXIES=proxy\n", tls::TRUSTED_PROXIES);
    health(&stack);
    stack.compose(&["stop", "web"]);
    let code =
        "import os; from monitoring.models import Sample; print(Sample.objects.count(), flush=True); os._exit(7)";
    // The first sample, and the one after the restore.
    assert_eq!(answer(&stack.manage(["shell", "-v0", "-c", code]), ""), ("2\n".to_owned(), 7));
    assert_eq!(finish(&stack.xtask(["run"])).1, 1);
    updates(&stack);
    uninstalled(&stack);
}

/// Everything is removed except for the data, and that if it is named.
fn uninstalled(stack: &Stack) {
    let ask = |args: &str| finish(&stack.xtask(args.split_whitespace()));
    let name = &stack.name;
    assert_eq!(ask("uninstall").1, 3);
    let (plan, _) = ask("uninstall --dry-run");
    contains_all(&plan, &[&format!("container `{name}-web-"), &format!("network `{name}_front`"), "image `"]);
    contains_all(&plan, &[&format!("`{name}_data`: a volume with data   (--remove-data {name}_data)")]);
    docker(&["rm", "--force", &format!("{name}-mine")]);
    let volumes = || docker(&["volume", "ls", "--format", "{{.Name}}", "--filter", &format!("name={name}")]);
    let (output, code) = ask(&format!("uninstall --yes --remove-data {name}_redis"));
    assert_eq!(code, 0, "{output}");
    assert_eq!((stack.containers(), stack.images()), (vec![], vec![]));
    assert_eq!(volumes(), format!("{name}_data\n"));
    let networks = docker(&["network", "ls", "--format", "{{.Name}}", "--filter", &format!("name={name}")]);
    assert_eq!(networks, "");
    contains_all(&ask("uninstall --yes").0, &["nothing is installed here"]);
}

/// An update deploys what another developer has pushed.
fn updates(stack: &Stack) {
    let other = tempfile::tempdir().expect("a folder");
    let (root, origin, clone) = (&stack.checkout.root, other.path().join("origin"), other.path().join("clone"));
    let git = |dir: &Path, args: &str| {
        let user = ["-c", "user.name=dev", "-c", "user.email=dev@here"];
        cmd("git", user.into_iter().chain(args.split_whitespace())).dir(dir).stderr_null().run().expect("Git works");
    };
    // The file that was broken in it would be data that no volume has.
    docker(&["rm", "--force", &stack.id("celery")]);
    stack.code("release 3");
    for args in ["init --quiet --initial-branch=main", "add --all", "commit --quiet --message first"] {
        git(root, args);
    }
    git(root, &format!("clone --quiet --bare . {}", origin.display()));
    git(root, &format!("remote add origin {}", origin.display()));
    git(root, "fetch --quiet origin");
    git(root, "branch --quiet --set-upstream-to=origin/main");
    git(other.path(), "clone --quiet origin clone");
    let views = clone.join("service/monitoring/views.py");
    let code = fs::read_to_string(&views).expect("readable");
    fs::write(&views, code.replace("release 3", "release 4")).expect("written");
    git(&clone, "commit --quiet --all --message pushed");
    git(&clone, "push --quiet");

    let (output, code) = finish(&stack.xtask(["update", "--yes"]));
    assert_eq!(code, 0, "{output}");
    contains_all(&output, &["1 new commit in `origin/main`", "deploying commit "]);
    assert_eq!(stack.serving(), "release 4");
    // The log of the container from before the update is kept.
    contains_all(&finish(&stack.xtask(["logs", "web"])).0, &["(removed)  | "]);
    contains_all(&finish(&stack.xtask(["status"])).0, &["\"pushed\"", "at the same commit"]);
    let drift = |status: &str| contains_all(&stack.health("--only docker.drift", 0), &[status]);
    drift("ok   docker.drift  release ");
    git(root, "commit --quiet --allow-empty --message nothing");
    drift("warn   docker.drift  release ");
    // The release has all that is deployed of the commit, and its record says so.
    contains_all(&stack.deployed(""), &["nothing has changed"]);
    drift("ok   docker.drift  release ");
}

/// A command of `manage.py` runs in the container of the web service.
fn manages(stack: &Stack) {
    docker(&["exec", &stack.id("web"), "sh", "-c", "echo here >/tmp/marker"]);
    let code = "import os, sys; print(open('/tmp/marker').read().strip(), *sys.stdin, flush=True); os._exit(7)";
    assert_eq!(answer(&stack.manage(["shell", "-v0", "-c", code]), "input"), ("here input\n".to_owned(), 7));
    let (output, code) = finish(&stack.xtask(["run"]));
    assert_eq!(code, 0, "{output}");
    contains_all(&output, &["ok   docker.service.web", "ok   docker.http"]);
}

/// The service has a status and a log, stops, and starts again.
fn operates(stack: &Stack) {
    let ask = |args: &str| finish(&stack.xtask(args.split_whitespace()));
    let (status, code) = ask("status");
    assert_eq!(code, 0, "{status}");
    contains_all(&status, &["deployed 20", "ok   docker.service.web", "ok   docker.http", "Last deploys"]);
    let (json, _) = ask("status --format json");
    let json: serde_json::Value = serde_json::from_str(&json).expect("an object");
    assert_eq!((&json["serves"], &json["deploys"][0]["result"]), (&true.into(), &"deployed".into()));

    docker(&["exec", &stack.id("web"), "sh", "-c", "echo the token is $MONITORING_TOKEN >/proc/1/fd/1"]);
    contains_all(&ask("logs web").0, &["web-1  | the token is ********"]);
    let (log, code) = ask("logs celery --lines 1");
    assert_eq!((log.lines().count(), code), (1, 0), "{log}");
    assert_eq!(ask("logs nothing").1, 2);
    // A line for each request in the log of each server, and no query.
    assert_eq!(stack.site.get("/admin/%0a/?code=hunter2").0, 404);
    for service in ["web", "proxy"] {
        let (log, _) = ask(&format!("logs {service}"));
        contains_all(&log, &["\"POST /samples\" 202 ", "\"GET /admin/%0"]);
        assert!(!log.contains("hunter2") && (service == "proxy" || !log.contains("/healthz")), "{log}");
    }

    assert_eq!(ask("--dry-run stop").1, 0);
    assert_eq!(stack.serving(), "release 1");
    let before = stack.containers();
    let (output, code) = ask("stop");
    assert_eq!(code, 0, "{output}");
    contains_all(&output, &["stopped `", "cargo xtask start"]);
    assert!(stack.containers().iter().all(|container| container.contains(" exited ")), "{:#?}", stack.containers());
    assert!(stack.site.ask("GET", "/healthz").is_err());
    contains_all(&ask("stop").0, &["nothing runs"]);
    contains_all(&ask("status").0, &["err   docker.http"]);
    contains_all(&stack.health("", 1), &["  1. cargo xtask start"]);
    let (output, code) = ask("start");
    assert_eq!(code, 0, "{output}");
    assert_eq!((stack.serving().as_str(), stack.containers().len()), ("release 1", before.len()));
    contains_all(&ask("start").0, &["it ran already, and serves"]);
}

/// A backup of a running service is restored.
fn backs_up(stack: &Stack) {
    let folder = tempfile::tempdir().expect("a folder");
    let backup = folder.path().join("backup.tar.gz").display().to_string();
    let before = stack.tasks();
    let (output, code) = finish(&stack.xtask(["backup", &backup]));
    assert_eq!(code, 0, "{output}");
    assert_eq!(stack.site.ask("POST", "/samples").expect("an answer").status, 202);
    stack.ends_with_tasks(before + 1);
    let (output, code) = finish(&stack.xtask(["restore", "--replace-data", &backup]));
    assert_eq!(code, 0, "{output}");
    assert_eq!((stack.serving().as_str(), stack.tasks()), ("release 1", before));
    assert_eq!(stack.site.ask("POST", "/samples").expect("an answer").status, 202);
    stack.ends_with_tasks(before + 1);
}

/// The health of a worker that runs, one that does not, and one that cannot.
fn health(stack: &Stack) {
    contains_all(&stack.health("", 0), &["ok   docker.service.celery  healthy", "ok   docker.http "]);

    let worker = stack.id("celery");
    docker(&["stop", "--time", "0", &worker]);
    contains_all(&stack.health("", 1), &["err   docker.service.celery  has exited with code 137"]);

    docker(&["cp", "/dev/null", &format!("{worker}:/app/config/celery.py")]);
    let mut deaths = Events::of(stack, "celery", "die");
    docker(&["start", &worker]);
    for _ in 0..2 {
        deaths.next();
        contains_all(&stack.health("", 1), &["err   docker.service.celery  restarting"]);
    }
}
