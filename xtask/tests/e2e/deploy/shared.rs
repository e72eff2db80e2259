//! Two checkouts that deploy the same service: the engine has one lock and one history for both.

use std::fs;

use crate::checkout::contains_all;
use crate::deploy::foreign::{COMPOSE, SERVER, checkout, foreign};
use crate::deploy::stack::{Stack, docker};
use crate::deploy::watch::{Deploy, Events};

pub(crate) fn one_target() {
    let first = foreign("shared", COMPOSE, SERVER);
    first.checkout.write("answer", "release 1");
    first.deployed("--stability 1s");
    imported(&first);

    let second = Stack { site: first.site.clone(), name: first.name.clone(), checkout: checkout(COMPOSE, SERVER) };
    second.checkout.write(".env", &first.checkout.read(".env"));
    second.checkout.write("answer", "release 2");
    let replaces = |other: &Stack, args: &str| {
        let folder = other.checkout.root.display().to_string();
        let args = args.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        ["deploy-docker", "--replace", &folder, "--stability", "1s"]
            .map(str::to_owned)
            .into_iter()
            .chain(args)
            .collect()
    };
    let run =
        |stack: &Stack, args: Vec<String>| crate::deploy::stack::finish(&stack.xtask(args.iter().map(String::as_str)));

    // The deploy of the first checkout comes to no end.
    first.checkout.write("server.py", "import time\ntime.sleep(86400)\n");
    let mut starts = Events::of(&first, "web", "start");
    let deploy = Deploy::start(&first, "--timeout 1h");
    starts.next();
    let containers = first.containers();
    let (output, code) = run(&second, replaces(&first, ""));
    assert_eq!(code, 6, "{output}");
    contains_all(&output, &["another run holds the lock: pid", &deploy.pid(), "deploy-docker by "]);
    assert_eq!(first.containers(), containers, "{output}");

    // Once it is killed, its lock is free, and the other checkout rolls it back.
    deploy.kill();
    assert_eq!(deploy.end().1, None);
    let (output, code) = run(&second, replaces(&first, ""));
    assert_eq!(code, 0, "{output}");
    contains_all(&output, &["an earlier deploy was not finished"]);
    assert_eq!(first.site.get("/").1, "release 2");

    // The history is complete in both, also after `git clean` in one of them.
    fs::remove_dir_all(first.checkout.root.join(".xtask")).expect("removed");
    assert_eq!(first.records().len(), 3, "{:#?}", first.records());
    let (output, code) = run(&first, replaces(&second, "--rollback"));
    assert_eq!(code, 0, "{output}");
    assert_eq!(first.site.get("/").1, "release 1");
    let locks = docker(&["volume", "ls", "--quiet", "--filter", &format!("label=xtask.lock={}", first.name)]);
    assert_eq!(locks, "");
}

/// A record of an earlier version, which has kept it in the checkout, is moved to the engine.
fn imported(stack: &Stack) {
    let records = stack.records();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    let filter = format!("label=xtask.release={}", stack.name);
    let volumes = docker(&["volume", "ls", "--quiet", "--filter", &filter]);
    for volume in volumes.lines() {
        docker(&["volume", "rm", volume]);
    }
    let id = volumes.split('.').nth(2).expect("the name has the id");
    stack.checkout.write(&format!(".xtask/releases/{id}.json"), record);
    contains_all(&stack.deployed(""), &["nothing has changed"]);
    // The numbers of a checkout count for nothing elsewhere.
    assert_eq!(stack.records(), [record.replace("\"number\":1", "\"number\":0")]);
    let left = fs::read_dir(stack.checkout.root.join(".xtask/releases")).expect("the folder").count();
    assert_eq!(left, 0);
}
