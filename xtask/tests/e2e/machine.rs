//! A real systemd as PID 1, in a container.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use duct::cmd;

use crate::checkout::Checkout;
use crate::engine::IMAGE;

/// The time for anything that a machine certainly does.
pub(crate) const BOOT: Duration = Duration::from_secs(300);

/// A machine with systemd; removed when dropped.
pub(crate) struct Machine {
    pub(crate) name: String,
}

impl Machine {
    pub(crate) fn boot(checkout: &Checkout) -> Self {
        Machine::boot_with(checkout, &[])
    }

    /// With further options of `docker run`.
    pub(crate) fn boot_with(checkout: &Checkout, more: &[&str]) -> Self {
        // Cases run at the same time.
        static BOOTED: AtomicU32 = AtomicU32::new(0);
        let number = BOOTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("xtask-e2e-systemd-{}-{number}", std::process::id());
        let mounts = [
            format!("{}:/usr/local/bin/xtask:ro", env!("CARGO_BIN_EXE_xtask")),
            format!("{}:/srv/app", checkout.root.display()),
            "/sys/fs/cgroup:/sys/fs/cgroup:rw".to_owned(),
        ];
        // In the namespace of the host, each machine has a part of the control groups for itself. With `private`, all would
        // work in its root, and remove each other's groups of the same name.
        let options = "run -d --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
                       --cgroupns=host -e container=docker --tmpfs /run --tmpfs /run/lock --name";
        let args = options.split(' ').chain([name.as_str()]);
        let args = args.chain(mounts.iter().flat_map(|mount| ["-v", mount.as_str()])).chain(more.iter().copied());
        cmd("docker", args.chain([IMAGE, "/lib/systemd/systemd"])).stdout_null().run().expect("the machine starts");
        let machine = Machine { name };
        machine.wait_for_boot();
        machine
    }

    /// Turns it off and on again, as a power cut would.
    pub(crate) fn reboot(&self) {
        cmd!("docker", "restart", "--time", "0", &self.name).stdout_null().run().expect("the machine starts again");
        self.wait_for_boot();
    }

    fn wait_for_boot(&self) {
        let deadline = Instant::now() + BOOT;
        // `--wait` answers only once the boot is over; before there is a bus, it fails at once.
        while !matches!(self.run(&["systemctl", "is-system-running", "--wait"]).as_str(), "running\n" | "degraded\n") {
            assert!(Instant::now() < deadline, "systemd does not come up");
        }
    }

    pub(crate) fn run(&self, args: &[&str]) -> String {
        let args = ["exec", self.name.as_str()].into_iter().chain(args.iter().copied());
        let output = cmd("docker", args).stdout_capture().stderr_null().unchecked().run().expect("docker starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let command = cmd!("docker", "exec", "-i", &self.name, "sh", "-c", format!("cat >{path}"));
        command.stdin_bytes(content).run().expect("written");
    }

    /// Runs the lines of a script, each of which must work.
    #[track_caller]
    pub(crate) fn script(&self, script: &str) -> String {
        // Docker does not keep the order of the two streams.
        let one_stream = format!("exec 2>&1\n{script}");
        let output = cmd!("docker", "exec", &self.name, "bash", "-ec", one_stream).stderr_to_stdout().stdout_capture();
        let output = output.unchecked().run().expect("docker starts");
        let messages = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{script}: {messages}");
        messages
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = cmd!("docker", "rm", "-f", &self.name).stdout_null().stderr_null().unchecked().run();
    }
}
