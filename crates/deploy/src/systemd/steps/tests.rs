//! The commands of deploys, as `--dry-run` lists them.

use super::*;

/// A rollback to a release of a project with a web service alone.
fn rollback(layout: &Layout) -> ReleasePlan {
    ReleasePlan {
        layout: layout.clone(),
        id: "2".into(),
        folder: layout.release("1"),
        is_new: false,
        units: vec![UnitFile { name: "shop.service".into(), text: "[Service]\nExecStart=/opt/shop/run\n".into() }],
        drop_ins: BTreeMap::new(),
        env: EnvPlan::unchanged(None),
        snapshot: UnitSnapshot::default(),
        restarts: Restarts { services: vec!["shop.service".into()], ..Restarts::default() },
        schedulers: Vec::new(),
        user: "shop".into(),
        group: "shop".into(),
        state: State::default(),
        owner: (1000, 1000),
        pruned: vec![layout.release("0")],
        canary_limit: Duration::from_secs(900),
        handover_limit: Duration::from_secs(990),
        drain_timeout: None,
        stop_times: BTreeMap::new(),
    }
}

fn parsed(steps: &[Step]) -> Vec<String> {
    steps.iter().map(ToString::to_string).collect()
}

#[test]
fn the_worker_is_restarted_after_the_web_service() {
    let layout = Layout::of_a_shop();
    let mut plan = rollback(&layout);
    assert_eq!(parsed(&plan.restart_web()), ["systemctl restart --no-block shop.service"]);
    assert!(plan.restart_others().is_empty());
    plan.restarts.services.insert(0, "shop-worker.service".into());
    assert_eq!(parsed(&plan.restart_web()), ["systemctl restart --no-block shop.service"]);
    assert_eq!(parsed(&plan.restart_others()), ["systemctl restart --no-block shop-worker.service"]);
}

#[test]
fn timers_follow_the_services_and_a_moved_scheduler_stops_first() {
    let mut plan = rollback(&Layout::of_a_shop());
    assert!(plan.stop_schedulers().is_empty() && plan.restart_triggers().is_empty());
    plan.restarts.services.extend(["shop-beat.service", "job@a.service"].map(str::to_owned));
    plan.restarts.triggers = vec!["backup.timer".into()];
    plan.restarts.targets = vec!["all.target".into()];
    plan.schedulers = vec!["shop-worker.service".into()];
    let all: Vec<String> = parsed(&plan.all());
    let restarts: Vec<&str> = all.iter().map(String::as_str).filter(|step| step.starts_with("systemctl")).collect();
    let expected = [
        "systemctl restart --no-block shop.service",
        "systemctl stop --no-block shop-worker.service",
        "systemctl restart --no-block shop-beat.service 'job@a.service'",
        "systemctl restart backup.timer",
        "systemctl start --no-block all.target",
    ];
    assert!(restarts.windows(5).any(|steps| steps == expected), "{restarts:?}");
}

#[test]
fn a_rollback_without_canaries_prunes_old_releases() {
    let layout = Layout::of_a_shop();
    let mut plan = rollback(&layout);
    assert_eq!(parsed(&plan.finish()), ["rm -rf /opt/shop-releases/0"]);
    plan.snapshot.files.insert("shop.service".into(), true);
    assert_eq!(parsed(&plan.finish()), ["rm -rf /opt/shop-releases/2.before /opt/shop-releases/0"]);
    plan.pruned.clear();
    plan.snapshot.files.clear();
    assert!(plan.finish().is_empty());
}

#[test]
fn previous_processes_get_the_time_of_the_setting() {
    let layout = Layout::of_a_shop();
    let mut plan = rollback(&layout);
    // The web service has no socket: requests wait for nothing, and the setting would lengthen the outage.
    for service in ["shop.service", "shop-worker.service"] {
        plan.stop_times.insert(service.into(), Duration::from_secs(600));
    }
    // Without the setting, `TimeoutStopSec` applies as it is.
    assert!(plan.drain_drop_ins().is_empty());
    plan.drain_timeout = Some(Duration::from_secs(600));
    let drop_in = "/run/systemd/system/shop-worker.service.d/zz-drain-timeout.conf";
    assert_eq!(
        parsed(&plan.stage())[..2],
        [format!("install -D -m 644 /dev/stdin {drop_in}"), "systemctl daemon-reload".to_owned()]
    );
    assert!(plan.drain_drop_in().ends_with("[Service]\nTimeoutStopSec=600\n"));
    assert_eq!(
        parsed(&plan.finish())[..3],
        [
            format!("rm -f {drop_in}"),
            "rmdir --ignore-fail-on-non-empty /run/systemd/system/shop-worker.service.d".to_owned(),
            "systemctl daemon-reload".to_owned()
        ]
    );
}

/// The commands of a deploy that replaces a worker unit and the environment of a service with a socket.
const DEPLOY: &str = "\
install -d -o root -g root -m 755 /opt/shop-releases /opt/shop-releases/.records
sync /opt/shop-releases /opt
install -m 644 /dev/stdin /opt/shop-releases/.records/2.partial
sync /opt/shop-releases/.records/2.partial
mv -T /opt/shop-releases/.records/2.partial /opt/shop-releases/.records/2.json
sync /opt/shop-releases/.records
install -d -o 1000 -g 1000 -m 755 /opt/shop-releases/2
chown -R -h 'root:shop' /opt/shop-releases/2
chmod -R 'u=rwX,g=rX,o-w' /opt/shop-releases/2
sync -f /opt/shop-releases/2
install -d -o root -g root -m 755 /etc/shop
install -o root -g shop -m 640 /dev/stdin /etc/shop/env.2
sync /etc/shop/env.2 /etc/shop /etc
install -m 644 /dev/stdin /run/systemd/system/shop-canary.service
install -m 644 /dev/stdin /run/systemd/system/shop-canary.socket
install -m 644 /dev/stdin /run/systemd/system/shop-worker-canary.service
install -m 644 /dev/stdin /run/systemd/system/shop-migrate.service
systemctl daemon-reload
systemctl start --no-block shop-migrate.service
cat /run/shop-migrate.out
install -m 644 /dev/stdin /opt/shop-releases/.records/2.partial
sync /opt/shop-releases/.records/2.partial
mv -T /opt/shop-releases/.records/2.partial /opt/shop-releases/.records/2.json
sync /opt/shop-releases/.records
systemctl start --no-block shop-canary.socket shop-canary.service
systemctl start --no-block shop-worker-canary.service
journalctl --no-pager --output json --lines 200 --unit shop-worker-canary.service
install -d -o root -g root -m 755 /opt/shop-releases/2.before
cp -a /etc/shop/env /opt/shop-releases/2.before/env
cp -a /etc/systemd/system/shop-worker.service /opt/shop-releases/2.before/shop-worker.service
sync /opt/shop-releases/2.before/env /opt/shop-releases/2.before/shop-worker.service /opt/shop-releases/2.before /opt/shop-releases
sha256sum -- /opt/shop-releases/2.before/env /opt/shop-releases/2.before/shop-worker.service /etc/shop/env.2 /opt/shop-releases/2/units/shop-worker.service
install -m 644 /dev/stdin /opt/shop-releases/.records/2.partial
sync /opt/shop-releases/.records/2.partial
mv -T /opt/shop-releases/.records/2.partial /opt/shop-releases/.records/2.json
sync /opt/shop-releases/.records
install -m 644 -T /opt/shop-releases/2/units/shop-worker.service /etc/systemd/system/shop-worker.service.2
sync /etc/systemd/system/shop-worker.service.2
mv -T /etc/shop/env.2 /etc/shop/env
mv -T /etc/systemd/system/shop-worker.service.2 /etc/systemd/system/shop-worker.service
ln -sfT /opt/shop-releases/2 /opt/shop.new
mv -T /opt/shop.new /opt/shop
sync /etc/shop /etc/systemd/system /opt
systemctl daemon-reload
systemctl restart --no-block shop.service
systemctl restart --no-block shop-worker.service
journalctl --no-pager --output json --lines 200 --unit shop-worker.service
install -m 644 /dev/stdin /opt/shop-releases/.records/2.partial
sync /opt/shop-releases/.records/2.partial
mv -T /opt/shop-releases/.records/2.partial /opt/shop-releases/.records/2.json
sync /opt/shop-releases/.records
systemctl stop shop-canary.service shop-canary.socket shop-worker-canary.service shop-migrate.service
rm -f /run/systemd/system/shop-canary.service /run/systemd/system/shop-canary.socket /run/systemd/system/shop-worker-canary.service /run/systemd/system/shop-migrate.service /run/shop-migrate.out
systemctl daemon-reload
rm -rf /opt/shop-releases/2.before /opt/shop-releases/0";

#[test]
fn the_commands_of_a_deploy() {
    let mut plan = rollback(&Layout::of_a_shop());
    plan.is_new = true;
    plan.folder = plan.layout.release("2");
    let unit = |name: &str| UnitFile {
        name: name.into(),
        text: "[Service]\nExecStart=/opt/shop/.venv/bin/celery -A shop worker\n".into(),
    };
    plan.units = ["shop.service", "shop.socket", "shop-worker.service"].map(unit).into();
    plan.restarts.services = vec!["shop.service".into(), "shop-worker.service".into()];
    plan.env.content = Some(b"A=1\n".to_vec());
    plan.snapshot.env_file = Some(true);
    plan.snapshot.link = Some(plan.layout.release("1"));
    plan.snapshot.files.insert("shop-worker.service".into(), true);
    let commands: Vec<String> = plan.all().iter().map(ToString::to_string).collect();
    assert_eq!(commands.join("\n"), DEPLOY);
}

#[test]
fn services_without_a_canary_are_listed_with_the_reason() {
    let mut plan = rollback(&Layout::of_a_shop());
    let unit = |(name, command): (&str, &str)| UnitFile {
        name: name.into(),
        text: format!("[Service]\nExecStart={command}\n"),
    };
    let celery = "/opt/shop/.venv/bin/celery -A shop worker";
    plan.units = [("shop.service", "/opt/shop/run"), ("shop-worker.service", celery), ("shop-beat.service", celery)]
        .map(unit)
        .into();
    plan.restarts.services = plan.units.iter().map(|unit| unit.name.clone()).collect();
    assert_eq!(
        plan.without_canary(),
        [("shop.service", "it has no socket unit"), ("shop-beat.service", "a second instance may do harm")]
    );
    plan.restarts.services.push("job@a.service".into());
    plan.units.push(unit(("job@.service", "/opt/shop/run")));
    assert_eq!(plan.without_canary()[2], ("job@a.service", "a second instance may do harm"));
    plan.restarts.services.pop();
    let alone: Vec<&str> = plan.left_alone().collect();
    assert!(alone.is_empty(), "a template is no unit: {alone:?}");
    // A worker that the operator has stopped is not started as a canary either.
    plan.restarts.services.retain(|name| name != "shop-worker.service");
    assert!(plan.worker().is_none());
    assert!(!plan.temporary_units().iter().any(|(name, _)| name.contains("worker")));
}

#[test]
fn a_handover_needs_a_running_service_and_an_unchanged_socket() {
    let mut plan = rollback(&Layout::of_a_shop());
    let socket = UnitFile { name: "shop.socket".into(), text: "[Socket]\nListenStream=8000\n".into() };
    plan.units.push(socket);
    plan.snapshot.invocations = ["shop.service", "shop.socket"].map(|name| (name.to_owned(), "1".to_owned())).into();
    let unit = |plan: &ReleasePlan| {
        plan.temporary_units().into_iter().find(|(name, _)| name == "shop-handover.service").map(|(_, text)| text)
    };
    let text = unit(&plan).expect("both are up");
    assert!(text.ends_with("Sockets=shop.socket\n") && text.contains("ExecStart=/opt/shop-releases/1/run\n"), "{text}");
    assert_eq!(parsed(&plan.start_handover()), ["systemctl start --no-block shop-handover.service"]);
    plan.snapshot.files.insert("shop.socket".into(), true);
    assert!(unit(&plan).is_none() && plan.start_handover().is_empty());
    plan.snapshot.files.clear();
    plan.snapshot.invocations.remove("shop.service");
    assert!(unit(&plan).is_none() && plan.stop_handover().is_empty());
}
