//! The engines that the cases run on, and whether this machine has them.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use duct::cmd;

/// Something real that a case needs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Engine {
    Git,
    /// With `venv`, and PyPI in reach.
    Python,
    Redis,
    Docker,
    Compose,
    /// Makes the image that containers are started from: there is no registry to count on.
    Debootstrap,
    /// A registry of the case's own.
    Registry,
    /// With its driver, for tests.
    Chromium,
}

impl Engine {
    /// Returns the reason why the engine cannot be used.
    pub(crate) fn missing(self) -> Option<String> {
        let (command, what) = match self {
            Engine::Git => (cmd!("git", "--version"), "git is not installed"),
            Engine::Python => (cmd!("python3", "-c", "import ensurepip, venv"), "python3 with venv is not installed"),
            Engine::Redis => (cmd!("redis-server", "--version"), "redis-server is not installed"),
            Engine::Docker => (cmd!("docker", "info"), "no Docker engine answers"),
            Engine::Compose => (cmd!("docker", "compose", "version"), "Compose v2 is not installed"),
            Engine::Debootstrap => {
                (cmd!("debootstrap", "--version"), "debootstrap is not installed, and root is needed for it")
            }
            Engine::Chromium => (cmd!("chromedriver", "--version"), "chromium and chromium-driver are not installed"),
            Engine::Registry => (cmd!("docker-registry", "--version"), "docker-registry is not installed"),
        };
        let output = command.stdout_null().stderr_null().unchecked().run();
        let works = output.is_ok_and(|output| output.status.success());
        (!works).then(|| what.to_owned())
    }
}

/// Whether a missing engine is a failure.
#[expect(clippy::disallowed_methods, reason = "the switch of the end-to-end tests")]
pub(crate) fn is_required() -> bool {
    std::env::var_os("E2E").is_some_and(|value| value == "require")
}

/// One image for all cases, made once on a machine and kept there: systemd, Python, Redis, `HAProxy`, sudo, Git and uv.
pub(crate) const IMAGE: &str = "xtask-e2e-base:bookworm-2";

const PACKAGES: &str =
    "--include=systemd,dbus,python3,python3-venv,redis-server,haproxy,ca-certificates,sudo,git,iproute2";

/// On top of the packages; the version that `install` takes.
const UV: &str = "RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet uv==0.13.9 && \
                  ln -s /opt/uv/bin/uv /usr/local/bin/uv";

/// The same without uv.
const BASE: &str = "xtask-e2e-base:bookworm-2-debian";

/// Debian's unit of Redis needs features that a container does not have.
const IN_A_CONTAINER: &str = "[Service]\nPrivateUsers=no\nPrivateDevices=no\nLimitNOFILE=1024\n";

/// The machine's own certificates: it may be in a network with a CA of its own.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Makes [`IMAGE`] if it is not there.
pub(crate) fn image() {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        let inspect = cmd!("docker", "image", "inspect", IMAGE).stdout_null().stderr_null().unchecked();
        if inspect.run().is_ok_and(|output| output.status.success()) {
            return;
        }
        let dir = tempfile::tempdir().expect("a temporary folder");
        let root = dir.path().join("root");
        let args = ["--variant=minbase", PACKAGES, "bookworm"].map(Path::new);
        cmd("debootstrap", args.into_iter().chain([root.as_path()]))
            .stdout_null()
            .run()
            .expect("debootstrap makes a system");
        let drop_in = root.join("etc/systemd/system/redis-server.service.d");
        fs::create_dir_all(&drop_in).expect("a folder");
        fs::write(drop_in.join("container.conf"), IN_A_CONTAINER).expect("written");
        fs::remove_file(root.join("etc/systemd/system/multi-user.target.wants/haproxy.service")).expect("disabled");
        if Path::new(CERTIFICATES).exists() {
            fs::copy(CERTIFICATES, root.join(CERTIFICATES.trim_start_matches('/'))).expect("copied");
        }
        let certificates = format!("ENV SSL_CERT_FILE={CERTIFICATES} PIP_CERT={CERTIFICATES}");
        cmd!("tar", "-C", &root, "-c", ".")
            .pipe(cmd!("docker", "import", "--change", certificates, "-", BASE).stdout_null())
            .run()
            .expect("the system becomes an image");
        let dockerfile = format!("FROM {BASE}\n{UV}\n");
        let build = cmd!("docker", "build", "--quiet", "--tag", IMAGE, "-").stdin_bytes(dockerfile).stdout_null();
        build.run().expect("uv is installed");
    });
}
