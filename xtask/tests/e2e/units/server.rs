//! A machine with systemd, Redis and a checkout of this workspace, whose owner has sudo and is not root.

use std::fs::{self, Permissions};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use duct::cmd;

use crate::checkout::{Checkout, without_times};
use crate::client::Site;
pub(crate) use crate::deploy::stack::QUICK;
use crate::deploy::stack::{KEY, TOKEN, finish, wait_for};
use crate::deploy::watch::Deploy;
use crate::engine::image;
use crate::load::{Load, Tally};
use crate::machine::Machine;

/// The packages that uv has fetched once stay for all cases and later runs, in a volume.
const CACHE: [&str; 4] = ["-v", "xtask-e2e-uv:/srv/uv-cache", "-e", "UV_CACHE_DIR=/srv/uv-cache"];

const OWNER: &str = "useradd --create-home --uid 1000 --shell /bin/bash dev
echo 'dev ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/dev
useradd --create-home --uid 1001 guest
chmod 1777 /srv/uv-cache
chown -R dev:dev /srv/app
";

/// Beside the unit's own address, which only the machine itself reaches.
const REACHABLE: &str = "mkdir -p /etc/systemd/system/server-monitoring.socket.d
printf '[Socket]\\nListenStream=0.0.0.0:8080\\n' >/etc/systemd/system/server-monitoring.socket.d/test.conf
";

const GIT: &str = "cd /srv/app && git init --quiet && git add --all && \
                   git -c user.name=dev -c user.email=dev@here commit --quiet --message first";

pub(crate) const RELEASES: &str = "/opt/server-monitoring-releases";

pub(crate) struct Server {
    pub(crate) machine: Machine,
    pub(crate) checkout: Checkout,
    pub(crate) site: Site,
}

impl Server {
    /// A clean system, and this workspace for prod.
    pub(crate) fn new() -> Self {
        let checkout = Checkout::of_this_workspace();
        checkout.prepare_for_load();
        checkout.code("release 1");
        Server::of(checkout)
    }

    pub(crate) fn of(checkout: Checkout) -> Self {
        image();
        let env = format!(
            "DJANGO_ENV=prod\nDJANGO_DEBUG=0\nDJANGO_SECRET_KEY={KEY}\nDJANGO_ALLOWED_HOSTS=example.org\n\
             MONITORING_TOKEN={TOKEN}\nCELERY_TASK_ALWAYS_EAGER=0\nCELERY_BROKER_URL=redis://localhost:6379/0\n"
        );
        checkout.write(".env", &env);
        // As in any checkout whose state is not tracked.
        if !checkout.root.join(".gitignore").exists() {
            checkout.write(".gitignore", ".env\n.venv\n");
        }
        fs::set_permissions(checkout.root.join(".env"), Permissions::from_mode(0o600)).expect("the owner may");
        let machine = Machine::boot_with(&checkout, &CACHE);
        machine.script(&[OWNER, REACHABLE].concat());
        let site = Site { ip: address(&machine), port: 8080, host: "example.org".to_owned(), token: TOKEN.to_owned() };
        let server = Server { machine, checkout, site };
        server.dev(GIT);
        server
    }

    /// As a power cut would. It comes back at another address.
    pub(crate) fn reboot(&mut self) {
        self.machine.reboot();
        self.site.ip = address(&self.machine);
    }

    /// Runs the lines of a script as the owner of the checkout.
    #[track_caller]
    pub(crate) fn dev(&self, script: &str) -> String {
        self.machine.script(&format!("runuser -u dev -- bash -ec '{}'", script.replace('\'', r"'\''")))
    }

    fn xtask(&self, user: &str, args: &str) -> duct::Expression {
        let exec = ["exec", "--user", user, "--workdir", "/srv/app", &self.machine.name, "xtask"];
        cmd("docker", exec.into_iter().chain(args.split_whitespace())).stdin_null()
    }

    /// Both outputs of a call of the binary, and its exit code.
    pub(crate) fn run_as(&self, user: &str, args: &str) -> (String, i32) {
        finish(&self.xtask(user, args))
    }

    pub(crate) fn deploy(&self, args: &str) -> (String, i32) {
        self.run_as("dev", &format!("deploy-systemd {args}"))
    }

    /// Deploys, and expects it to work.
    #[track_caller]
    pub(crate) fn deployed(&self, args: &str) -> String {
        let (output, code) = self.deploy(args);
        assert_eq!(code, 0, "{output}");
        output
    }

    /// A deploy that runs beside the case.
    pub(crate) fn begin(&self, args: &str) -> Deploy {
        let deploy = Deploy::run(&self.xtask("dev", &format!("deploy-systemd {args}")));
        self.machine.script("timeout 600 bash -c 'until pidof -s xtask >/dev/null; do sleep 0.02; done'");
        deploy
    }

    /// Sends a signal to the deployer as soon as a condition of the shell holds; whether it was still there.
    pub(crate) fn signal_when(&self, signal: &str, condition: &str) -> bool {
        let wait = format!(
            "timeout 600 bash -c 'until {{ {condition}; }}; do pidof -s xtask >/dev/null || exit 1; sleep 0.02; done'"
        );
        let script = format!("{wait} && kill -{signal} $(pidof -s xtask)");
        cmd!("docker", "exec", &self.machine.name, "bash", "-c", script).stderr_null().run().is_ok()
    }

    /// Puts a script before the real `systemctl`: it gets the arguments of a call, and `$once`, a file that exists
    /// until it is removed; the call itself follows.
    pub(crate) fn systemctl(&self, script: &str) {
        let script = format!("#!/bin/sh\nonce=/run/once/it real=/usr/bin/systemctl\n{script}\nexec $real \"$@\"\n");
        self.machine.write("/usr/local/bin/systemctl", &script);
        self.machine.script("install -d -m 777 /run/once && touch /run/once/it && chmod 755 /usr/local/bin/systemctl");
    }

    /// Runs a deploy under load, with the figures of a case of which no request may fail.
    #[track_caller]
    pub(crate) fn under_load(&self, case: &str, deploy: impl FnOnce()) -> Tally {
        let tasks = self.tasks();
        let load = Load::start(&self.site);
        let begun = Instant::now();
        deploy();
        let verdict = begun.elapsed();
        let tally = load.stop();
        tally.nothing_failed(case, verdict);
        self.ends_with_tasks(tasks + tally.accepted);
        tally
    }

    /// Returns the response of `/healthz`.
    #[track_caller]
    pub(crate) fn serving(&self) -> String {
        let (status, body) = self.site.get("/healthz");
        assert_eq!(status, 200, "{body}");
        body.trim().to_owned()
    }

    /// The answer to a statement about the database.
    #[track_caller]
    pub(crate) fn sql(&self, statement: &str) -> String {
        let script = format!(
            "import sqlite3; print(*[row[0] for row in sqlite3.connect('/var/lib/server-monitoring/db.sqlite3')\
             .execute(\\\"{statement}\\\")], sep=',')"
        );
        self.machine.script(&format!("python3 -c \"{script}\"")).trim().to_owned()
    }

    /// Counts the tasks that have been run, each once.
    #[track_caller]
    pub(crate) fn tasks(&self) -> usize {
        let tasks = self.sql("select count(distinct substr(host, 1, 36)) from monitoring_sample");
        tasks.parse().unwrap_or_else(|_| panic!("no number: {tasks}"))
    }

    /// Waits until the worker has nothing left to do, and exactly so many tasks have been run.
    #[track_caller]
    pub(crate) fn ends_with_tasks(&self, expected: usize) {
        let ask = "redis-cli llen celery; redis-cli hlen unacked";
        wait_for("the worker to finish", || self.machine.script(ask) == "0\n0\n");
        assert_eq!(self.tasks(), expected, "tasks that were run, against those that were accepted");
    }

    /// Returns everything that changes when something is touched: the processes, the link, the releases, the units, the
    /// environment.
    #[track_caller]
    pub(crate) fn state(&self) -> String {
        self.machine.script(
            "set +e; systemctl show -p Id,ActiveState,InvocationID,MainPID,NRestarts 'server-monitoring*'
             readlink /opt/server-monitoring; ls /opt /opt/server-monitoring-releases /run/systemd/system
             ls /etc/server-monitoring; cd /etc/systemd/system; sha256sum server-monitoring* /etc/server-monitoring/env 2>/dev/null; ls *.wants; true",
        )
    }

    /// Returns the folders of the releases, by the ends of their names.
    pub(crate) fn releases(&self) -> Vec<String> {
        self.machine.script(&format!("ls {RELEASES}")).lines().map(str::to_owned).collect()
    }

    #[track_caller]
    pub(crate) fn health(&self, args: &str, code: i32) -> String {
        let (output, actual) = self.run_as("dev", &format!("health -v --only systemd {args}"));
        assert_eq!(actual, code, "{output}");
        without_times(&output)
    }
}

fn address(machine: &Machine) -> IpAddr {
    let address = cmd!("docker", "inspect", "--format", "{{.NetworkSettings.IPAddress}}", &machine.name).read();
    address.expect("docker starts").parse().expect("the machine has an address")
}
