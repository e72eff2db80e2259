//! Checkouts in temporary folders, and the binary in an environment without uv.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use duct::{Expression, cmd};
use tempfile::TempDir;

/// A project in a temporary folder, whose path has a blank and a letter that is not ASCII.
pub(crate) struct Checkout {
    _dir: TempDir,
    pub(crate) root: PathBuf,
}

impl Checkout {
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let root = dir.path().join("fresh checkout é");
        fs::create_dir(&root).expect("a folder");
        Checkout { root: root.canonicalize().expect("the folder"), _dir: dir }
    }

    /// Copies the tracked files of this workspace, as they are in the working tree, into a repository of its own.
    pub(crate) fn of_this_workspace() -> Self {
        let checkout = Checkout::empty();
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let tracked = cmd!("git", "-C", workspace, "ls-files", "-z").read().expect("git lists the files");
        for name in tracked.split('\0').filter(|name| !name.is_empty()) {
            let (from, to) = (workspace.join(name), checkout.root.join(name));
            fs::create_dir_all(to.parent().expect("inside")).expect("a folder");
            let copied = match fs::read_link(&from) {
                Ok(target) => symlink(target, &to),
                Err(_) => fs::copy(&from, &to).map(drop),
            };
            match copied {
                Ok(()) => {}
                // Deleted in the working tree.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => panic!("{name}: {error}"),
            }
        }
        checkout
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().expect("inside")).expect("a folder");
        fs::write(path, content).expect("written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Replaces a text that the file has exactly once.
    #[track_caller]
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert_eq!(text.matches(from).count(), 1, "{from:?} in {file}: {text}");
        self.write(file, &text.replace(from, to));
    }

    /// Makes the code a release that `/healthz` identifies.
    pub(crate) fn code(&self, release: &str) {
        let views = self.read("service/monitoring/views.py");
        let healthz = views.find("HttpResponse(\"").expect("what `/healthz` answers") + "HttpResponse(\"".len();
        let end = healthz + views[healthz..].find("\\n\"").expect("its end");
        self.write("service/monitoring/views.py", &format!("{}{release}{}", &views[..healthz], &views[end..]));
    }

    /// Prepares the service for a load under which every task is counted, on a machine that may be busy.
    pub(crate) fn prepare_for_load(&self) {
        let tasks = "service/monitoring/tasks.py";
        // A worker that measures for 0.2 s cannot follow.
        self.edit(tasks, "CPU_INTERVAL = 0.2", "CPU_INTERVAL = 0.001");
        // Each sample begins with the id of its task, by which it is counted. Celery delivers a task
        // at least once: Celery 5.7 loses the result of one in some thousands when a worker stops, and runs it again.
        let host = "host=f\"{take_sample.request.id} {take_sample.request.hostname}\"";
        self.edit(tasks, "(\n        host=settings.HOST_NAME,", &format!("(\n        {host},"));
        // The only samples are those that a case asks for.
        let interval = "\"SAMPLE_INTERVAL\", default=";
        self.edit("service/config/settings.py", &format!("{interval}60"), &format!("{interval}0"));
        // A worker that stops waiting for a busy Redis reconnects, and a request fails.
        self.edit("service/config/settings.py", "BROKER_TIMEOUT = 2\n", "BROKER_TIMEOUT = 60\n");
    }

    /// A call of the binary on this checkout.
    pub(crate) fn xtask<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Expression {
        self.xtask_behind(None, args)
    }

    /// A call of the binary for a command of `manage.py`.
    pub(crate) fn manage<'a>(&'a self, args: impl IntoIterator<Item = &'a str>) -> Expression {
        let root = self.root.to_str().expect("UTF-8");
        let args: Vec<&str> = ["--project", root, "manage"].into_iter().chain(args).collect();
        without_uv(cmd(env!("CARGO_BIN_EXE_xtask"), args)).dir(&self.root)
    }

    /// The same, with a folder of shims before the real programs.
    pub(crate) fn xtask_behind<'a>(&self, shims: Option<&str>, args: impl IntoIterator<Item = &'a str>) -> Expression {
        let root = self.root.to_str().expect("UTF-8").to_owned();
        let args = args.into_iter().map(str::to_owned).chain(["--project".to_owned(), root]);
        with_shims(shims, cmd(env!("CARGO_BIN_EXE_xtask"), args)).dir(&self.root)
    }

    /// Runs the binary; both outputs, and the exit code.
    pub(crate) fn run<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> (String, i32) {
        let output = self.xtask(args).stderr_to_stdout().stdout_capture().stdin_null().unchecked().run();
        let output = output.expect("the binary starts");
        (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().expect("an exit code"))
    }

    /// Installs, and expects it to work.
    #[track_caller]
    pub(crate) fn install<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> String {
        let (output, code) = self.run(["install", "--yes"].into_iter().chain(args));
        assert_eq!(code, 0, "{output}");
        output
    }

    /// The report of `health`, after checking how it ended; `code` is the exit code.
    #[track_caller]
    pub(crate) fn health(&self, args: &str, code: i32) -> String {
        let (output, actual) = self.run(["health", "-v"].into_iter().chain(args.split_whitespace()));
        assert_eq!(actual, code, "{args}: {output}");
        without_times(&output)
    }

    /// The uv of the tool folder, run in the service folder with the `.env` alone.
    pub(crate) fn uv<'a>(&self, service_dir: &str, args: impl IntoIterator<Item = &'a str>) -> Expression {
        let uv = self.root.join(".xtask/tools/uv/bin/uv");
        without_uv(cmd(uv, args)).dir(self.root.join(service_dir))
    }

    /// The value in `.env`, as python-dotenv reads it.
    pub(crate) fn value(&self, variable: &str) -> Option<String> {
        let file = envfile::read(&self.root.join(".env")).expect("readable")?;
        file.get(variable).map(|entry| entry.value)
    }
}

/// Runs a command with an input; its standard output, and the exit code.
pub(crate) fn answer(command: &Expression, stdin: &str) -> (String, i32) {
    let output = command.stdin_bytes(stdin).stdout_capture().unchecked().run().expect("it starts");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().expect("an exit code"))
}

/// A report of `health -v` without the times of the checks.
pub(crate) fn without_times(report: &str) -> String {
    let time = regex::Regex::new(r"(?m)  \d+ ms$").expect("a pattern");
    time.replace_all(report, "").into_owned()
}

#[track_caller]
pub(crate) fn contains_all(output: &str, expected: &[&str]) {
    for text in expected {
        assert!(output.contains(text), "{text:?} is not in: {output}");
    }
}

/// A PATH without the folders that have a uv, and none of the variables that a test run of ours would leak.
pub(crate) fn without_uv(command: Expression) -> Expression {
    with_shims(None, command)
}

/// The same, with a folder before all others.
#[expect(clippy::disallowed_methods, reason = "the tests choose the environment of what they start")]
fn with_shims(shims: Option<&str>, command: Expression) -> Expression {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).filter(|dir| !dir.join("uv").exists());
    let path = std::env::join_paths(shims.map(PathBuf::from).into_iter().chain(dirs)).expect("they were a PATH before");
    ["DJANGO_ENV", "DEPLOY_METHOD", "DJANGO_SECRET_KEY", "CARGO_MANIFEST_DIR", "VIRTUAL_ENV"]
        .into_iter()
        .fold(command, |command, name| command.env_remove(name))
        .env("PATH", path)
}
