//! A real systemd as PID 1, in a container.

use std::time::{Duration, Instant};

use duct::cmd;

use crate::checkout::Checkout;
use crate::engine::{IMAGE, image};

const BOOT: Duration = Duration::from_secs(60);

/// A machine with systemd; removed when dropped.
struct Machine {
    name: String,
}

impl Machine {
    fn boot(checkout: &Checkout) -> Self {
        let name = format!("xtask-e2e-systemd-{}", std::process::id());
        let mounts = [
            format!("{}:/usr/local/bin/xtask:ro", env!("CARGO_BIN_EXE_xtask")),
            format!("{}:/srv/app", checkout.root.display()),
            "/sys/fs/cgroup:/sys/fs/cgroup:rw".to_owned(),
        ];
        let options = "run -d --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
                       --cgroupns=private -e container=docker --tmpfs /run --tmpfs /run/lock --name";
        let args = options.split(' ').chain([name.as_str()]);
        let args = args.chain(mounts.iter().flat_map(|mount| ["-v", mount.as_str()]));
        cmd("docker", args.chain([IMAGE, "/lib/systemd/systemd"])).stdout_null().run().expect("the machine starts");
        let machine = Machine { name };
        let deadline = Instant::now() + BOOT;
        // `--wait` answers only once the boot is over; before there is a bus, it fails at once.
        while !matches!(machine.run(&["systemctl", "is-system-running", "--wait"]).as_str(), "running\n" | "degraded\n")
        {
            assert!(Instant::now() < deadline, "systemd does not come up");
        }
        machine
    }

    fn run(&self, args: &[&str]) -> String {
        let args = ["exec", self.name.as_str()].into_iter().chain(args.iter().copied());
        let output = cmd("docker", args).stdout_capture().stderr_null().unchecked().run().expect("docker starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn detect(&self, question: &str) -> String {
        self.run(&["xtask", "detect", question, "--project", "/srv/app"])
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = cmd!("docker", "rm", "-f", &self.name).stdout_null().stderr_null().unchecked().run();
    }
}

pub(crate) fn detected() {
    image();
    let checkout = Checkout::empty();
    checkout.write("manage.py", "");
    checkout.write(".env", "DJANGO_ENV=prod\nDEPLOY_METHOD=bare\n");
    checkout.write("Cargo.toml", "[workspace.metadata.service]\nname = 'shop'\n");
    let machine = Machine::boot(&checkout);
    assert_eq!(machine.detect("mode"), "prod\n");

    let unit = "[Service]\\nExecStart=/bin/sleep infinity\\n";
    machine.run(&[
        "bash",
        "-c",
        &format!("printf '{unit}' >/etc/systemd/system/shop.service && systemctl daemon-reload"),
    ]);
    assert_eq!(machine.detect("mode"), "systemd\n");
    // The axes do not change with it.
    assert_eq!(machine.detect("env"), "prod\n");
    assert_eq!(machine.detect("method"), "bare\n");

    checkout.write(".env", "DJANGO_ENV=prod\nDEPLOY_METHOD=docker\n");
    assert_eq!(machine.detect("mode"), "docker\n");
}
