//! A project in a temporary folder, and the real binary in an emptied environment with a PATH of shims.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use snapbox::cmd::{Command, OutputAssert};
use snapbox::{Assert, IntoData, Redactions};
use tempfile::TempDir;

/// Where the committed stand-ins for other programs are, a folder a set.
const SHIMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shims");

/// Every command of ours that is printed names the project of the run that has printed it; a usage line is no command.
#[track_caller]
pub(crate) fn names_project(printed: &str) {
    for line in printed.lines().filter(|line| !line.contains("Usage: ")) {
        for command in line.split("cargo xtask ").skip(1) {
            let options = command.trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '-');
            assert!(options.starts_with(" --project "), "a command without its project: {line}");
        }
    }
}

pub(crate) struct Sandbox {
    dir: TempDir,
    shims: Vec<&'static str>,
    /// A folder with the real Git alone, where there is to be one.
    git: Option<TempDir>,
}

impl Sandbox {
    /// An empty folder, and the shims of uv and Python.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::Builder::new().prefix("xtask test é ").tempdir().expect("a temporary folder");
        Sandbox { dir, shims: vec!["uv", "python"], git: None }
    }

    /// The smallest project that can be installed, with a sample like ours.
    pub(crate) fn project() -> Self {
        Sandbox::empty()
            .file("manage.py", "")
            .file("pyproject.toml", "[project]\nname = 'x'\nrequires-python = '>=3.11'\n")
            .file("uv.lock", "")
            .file("compose.yaml", "services: {}\n")
            .file(".env.sample", include_str!("../../../.env.sample"))
            .link(".venv", "venv")
    }

    /// A link in the project to a set of shims.
    pub(crate) fn link(self, name: &str, shims: &str) -> Self {
        symlink(Path::new(SHIMS).join(shims), self.root().join(name)).expect("linked");
        self
    }

    /// Replaces a link to a shim.
    pub(crate) fn relink(self, name: &str, shims: &str) -> Self {
        fs::remove_file(self.root().join(name)).expect("a link");
        self.link(name, shims)
    }

    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(name, content);
        self
    }

    /// The sets of shims that are on PATH, instead of uv and Python.
    pub(crate) fn shims(mut self, shims: &[&'static str]) -> Self {
        self.shims = shims.to_vec();
        self
    }

    /// Makes it a Git checkout, with the real Git on PATH, in which everything there is so far is committed.
    #[expect(clippy::disallowed_methods, reason = "the tests choose the environment of what they start")]
    pub(crate) fn git(mut self) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let real = std::env::split_paths(&path).map(|dir| dir.join("git")).find(|git| git.is_file()).expect("Git");
        symlink(real, dir.path().join("git")).expect("linked");
        self.git = Some(dir);
        let user = ["-c", "user.name=me", "-c", "user.email=me@here"];
        for args in
            [&["init", "--quiet"][..], &["add", "--all"], &[&user[..], &["commit", "--quiet", "-m", "1"]].concat()]
        {
            duct::cmd("git", args).dir(self.root()).run().expect("Git answers");
        }
        self
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().expect("inside the sandbox")).expect("a folder");
        fs::write(path, content).expect("written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.root().join(name).exists()
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self) -> String {
        let shims = self.shims.iter().map(|shims| Path::new(SHIMS).join(shims));
        let dirs: Vec<PathBuf> = shims.chain(self.git.iter().map(|dir| dir.path().to_owned())).collect();
        dirs.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(":")
    }

    /// A call of the binary from the project's folder, without a terminal.
    pub(crate) fn xtask(&self, args: &str) -> Command {
        let command = Command::new(env!("CARGO_BIN_EXE_xtask")).args(args.split_whitespace());
        self.sandboxed(command.arg("--project").arg(self.root()))
    }

    /// A call as a user types it in the project's folder.
    pub(crate) fn here(&self, args: &str) -> Command {
        self.sandboxed(Command::new(env!("CARGO_BIN_EXE_xtask")).args(args.split_whitespace()))
    }

    /// The same with `--project` before the other arguments, for a command that passes them on.
    pub(crate) fn before(&self, args: &str) -> Command {
        let command = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("--project").arg(self.root());
        self.sandboxed(command.args(args.split_whitespace()))
    }

    fn sandboxed(&self, command: Command) -> Command {
        command
            .current_dir(self.root())
            .env_clear()
            .env("PATH", self.path())
            // By this a test finds the processes that the command has started.
            .env("SANDBOX", self.root())
            .with_assert(self.assert())
    }

    /// Runs it and compares exit code, standard output and standard error, whole.
    #[track_caller]
    pub(crate) fn check(&self, args: &str, code: i32, stdout: impl IntoData, stderr: impl IntoData) -> OutputAssert {
        let assert = self.xtask(args).assert();
        let output = assert.get_output();
        for printed in [&output.stdout, &output.stderr] {
            names_project(&String::from_utf8_lossy(printed));
        }
        assert.code(code).stdout_eq(stdout).stderr_eq(stderr)
    }

    fn assert(&self) -> Assert {
        let mut redactions = Redactions::new();
        let root = self.root().canonicalize().expect("the sandbox");
        redactions.insert("[ROOT]", root.display().to_string()).expect("a placeholder");
        for (placeholder, pattern) in [
            ("[TIME]", r" in (?<redacted>\d+\.\d\d s)"),
            ("[SHORT]", r"(?m)  (?<redacted>\d+\.\d s)$"),
            ("[FREE]", r"(?<redacted>\d+\.\d GB) free"),
            ("[MS]", r#""elapsed_ms":(?<redacted>\d+)"#),
            ("[HOLDER]", r"holds the lock: (?<redacted>pid \d+.*), for"),
            ("[AGE]", r"holds the lock: .*, for (?<redacted>\d+ (?:s|min))"),
            ("[LEFT]", r"retrying for (?<redacted>\d+ s)"),
            ("[DURATION]", r#""duration":(?<redacted>[\d.]+)\}"#),
            ("[SECONDS]", r#" time="(?<redacted>\d+\.\d+)""#),
        ] {
            let pattern = regex::Regex::new(pattern).expect("a pattern");
            redactions.insert(placeholder, pattern).expect("a placeholder");
        }
        Assert::new().action_env(snapbox::assert::DEFAULT_ACTION_ENV).redact_with(redactions)
    }
}
