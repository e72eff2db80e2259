//! The commands of deploys, as `--dry-run` lists them.

use super::*;

fn layout() -> Layout {
    Layout {
        name: "shop".into(),
        install_dir: "/opt/shop".into(),
        env_file: "/etc/shop/env".into(),
        service_dir: PathBuf::new(),
        unit_dir: "units".into(),
    }
}

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
        services: vec!["shop.service".into()],
        group: "shop".into(),
        owner: (1000, 1000),
        pruned: vec![layout.release("0")],
    }
}

fn parsed(steps: &[Step]) -> Vec<String> {
    steps.iter().map(ToString::to_string).collect()
}

#[test]
fn the_worker_is_restarted_after_the_web_service() {
    let layout = layout();
    let mut plan = rollback(&layout);
    assert_eq!(parsed(&plan.restart_web()), ["systemctl restart --no-block shop.service"]);
    assert!(plan.restart_others().is_empty());
    plan.services.insert(0, "shop-worker.service".into());
    assert_eq!(parsed(&plan.restart_web()), ["systemctl restart --no-block shop.service"]);
    assert_eq!(parsed(&plan.restart_others()), ["systemctl restart --no-block shop-worker.service"]);
}

#[test]
fn a_rollback_without_canaries_prunes_old_releases() {
    let layout = layout();
    let mut plan = rollback(&layout);
    assert_eq!(parsed(&plan.finish()), ["rm -rf /opt/shop-releases/0"]);
    plan.snapshot.files.insert("shop.service".into(), true);
    assert_eq!(parsed(&plan.finish()), ["rm -rf /opt/shop-releases/2.before /opt/shop-releases/0"]);
    plan.pruned.clear();
    plan.snapshot.files.clear();
    assert!(plan.finish().is_empty());
}

/// The commands of a deploy that replaces a worker unit and the environment of a service with a socket.
const DEPLOY: &str = "\
install -d -o root -g root -m 755 /opt/shop-releases
install -d -o 1000 -g 1000 -m 755 /opt/shop-releases/2
chown -R -h 'root:root' /opt/shop-releases/2
chmod -R 'u=rwX,go=rX' /opt/shop-releases/2
install -d -o root -g root -m 755 /etc/shop
install -o root -g shop -m 640 /dev/stdin /etc/shop/env.2
install -m 644 /dev/stdin /run/systemd/system/shop-canary.service
install -m 644 /dev/stdin /run/systemd/system/shop-canary.socket
install -m 644 /dev/stdin /run/systemd/system/shop-worker-canary.service
install -m 644 /dev/stdin /run/systemd/system/shop-migrate.service
systemctl daemon-reload
systemctl start --no-block shop-canary.socket shop-canary.service
systemctl start --no-block shop-migrate.service
cat /run/shop-migrate.out
systemctl start --no-block shop-worker-canary.service
install -d -o root -g root -m 755 /opt/shop-releases/2.before
cp -a /etc/shop/env /opt/shop-releases/2.before/env
cp -a /etc/systemd/system/shop-worker.service /opt/shop-releases/2.before
mv -T /etc/shop/env.2 /etc/shop/env
install -m 644 -t /etc/systemd/system /opt/shop-releases/2/units/shop-worker.service
ln -sfT /opt/shop-releases/2 /opt/shop.new
mv -T /opt/shop.new /opt/shop
systemctl daemon-reload
systemctl restart --no-block shop.service
systemctl restart --no-block shop-worker.service
systemctl stop shop-canary.service shop-canary.socket shop-worker-canary.service shop-migrate.service
rm -f /run/systemd/system/shop-canary.service /run/systemd/system/shop-canary.socket /run/systemd/system/shop-worker-canary.service /run/systemd/system/shop-migrate.service /run/shop-migrate.out
systemctl daemon-reload
rm -rf /opt/shop-releases/2.before /opt/shop-releases/0";

#[test]
fn the_commands_of_a_deploy() {
    let mut plan = rollback(&layout());
    plan.is_new = true;
    plan.folder = plan.layout.release("2");
    let unit = |name: &str| UnitFile { name: name.into(), text: "[Service]\nExecStart=/opt/shop/run\n".into() };
    plan.units = ["shop.service", "shop.socket", "shop-worker.service"].map(unit).into();
    plan.services = vec!["shop.service".into(), "shop-worker.service".into()];
    plan.env.content = Some(b"A=1\n".to_vec());
    plan.snapshot.env_file = Some(true);
    plan.snapshot.link = Some(plan.layout.release("1"));
    plan.snapshot.files.insert("shop-worker.service".into(), true);
    let commands: Vec<String> = plan.all().iter().map(ToString::to_string).collect();
    assert_eq!(commands.join("\n"), DEPLOY);
}
