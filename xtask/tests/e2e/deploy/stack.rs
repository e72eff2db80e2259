//! This workspace as a stack of its own: a checkout, a Compose project, a port.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use duct::{Expression, cmd};

use crate::checkout::{Checkout, without_times};
use crate::client::Site;
use crate::engine::{IMAGE, image};
use crate::port;

/// How long something that is bound to happen may take.
const TIMEOUT: Duration = Duration::from_secs(600);

/// For a deploy that is not the subject of a case: a short watch.
pub(crate) const QUICK: &str = "--stability 1s";

pub(crate) const KEY: &str = "a-key-for-the-tests-0123456789-abcdefghijklmnopqrstuvwxyz";
pub(crate) const TOKEN: &str = "a-token-for-the-tests-0123456789";

/// Taken away with all that belongs to it when dropped, however the case ends.
pub(crate) struct Stack {
    pub(crate) checkout: Checkout,
    /// Of the Compose project.
    pub(crate) name: String,
    pub(crate) site: Site,
}

impl Stack {
    /// The stack of this workspace for prod, not deployed yet.
    pub(crate) fn new(case: &str) -> Self {
        let stack = Stack::of(Checkout::of_this_workspace(), case);
        stack.checkout.prepare_for_load();
        stack.code("release 1");
        stack
    }

    /// A checkout with a `.env` for prod.
    pub(crate) fn of(checkout: Checkout, case: &str) -> Self {
        image();
        let name = format!("xtask-e2e-{}-{case}", std::process::id());
        let port = port::unused();
        let site =
            Site { ip: Ipv4Addr::LOCALHOST.into(), port, host: "example.org".to_owned(), token: TOKEN.to_owned() };
        let stack = Stack { checkout, name, site };
        stack.checkout.write(
            ".env",
            &format!(
                "DJANGO_ENV=prod\nDJANGO_SECRET_KEY={KEY}\nDJANGO_ALLOWED_HOSTS=example.org\nMONITORING_TOKEN={TOKEN}\n\
                 CELERY_TASK_ALWAYS_EAGER=0\n"
            ),
        );
        let owner_only = Permissions::from_mode(0o600);
        fs::set_permissions(stack.checkout.root.join(".env"), owner_only).expect("the owner may");
        // The remains of an earlier run with the same process id.
        stack.remove();
        stack
    }

    fn with_variables(&self, command: Expression) -> Expression {
        ["PYTHON_IMAGE", "REDIS_IMAGE", "PROXY_IMAGE"]
            .into_iter()
            .fold(command, |command, name| command.env(name, IMAGE))
            .env("WEB_PORT", self.site.port.to_string())
            .env("COMPOSE_PROJECT_NAME", &self.name)
    }

    /// A call of the binary on this stack.
    pub(crate) fn xtask<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Expression {
        self.with_variables(self.checkout.xtask(args)).stdin_null()
    }

    /// The same, with a folder of shims before the real programs.
    pub(crate) fn xtask_behind<'a>(&self, shims: &str, args: impl IntoIterator<Item = &'a str>) -> Expression {
        self.with_variables(self.checkout.xtask_behind(Some(shims), args)).stdin_null()
    }

    /// A call of the binary for a command of `manage.py`.
    pub(crate) fn manage<'a>(&'a self, args: impl IntoIterator<Item = &'a str>) -> Expression {
        self.with_variables(self.checkout.manage(args))
    }

    /// Runs Compose by hand.
    #[track_caller]
    pub(crate) fn compose(&self, args: &[&str]) {
        let command = cmd("docker", [&["compose"], args].concat()).dir(&self.checkout.root);
        let output = self.with_variables(command).stderr_to_stdout().stdout_capture().unchecked().run();
        let output = output.expect("docker starts");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    }

    /// Both outputs of a deploy, and the exit code.
    pub(crate) fn deploy(&self, args: &str) -> (String, i32) {
        finish(&self.xtask(["deploy-docker"].into_iter().chain(args.split_whitespace())))
    }

    /// Deploys, and expects it to work.
    #[track_caller]
    pub(crate) fn deployed(&self, args: &str) -> String {
        let (output, code) = self.deploy(args);
        assert_eq!(code, 0, "{output}");
        output
    }

    #[track_caller]
    pub(crate) fn health(&self, args: &str, code: i32) -> String {
        let (output, actual) = finish(&self.xtask(["health", "-v"].into_iter().chain(args.split_whitespace())));
        assert_eq!(actual, code, "{output}");
        without_times(&output)
    }

    #[track_caller]
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        self.checkout.edit(file, from, to);
    }

    pub(crate) fn code(&self, release: &str) {
        self.checkout.code(release);
    }

    /// Returns the response of `/healthz`.
    #[track_caller]
    pub(crate) fn serving(&self) -> String {
        let (status, body) = self.site.get("/healthz");
        assert_eq!(status, 200, "{body}");
        body.trim().to_owned()
    }

    fn ps(&self, format: &str, filters: &[String]) -> Vec<String> {
        let project = format!("label=com.docker.compose.project={}", self.name);
        let filters = std::slice::from_ref(&project).iter().chain(filters).flat_map(|filter| ["--filter", filter]);
        let args = ["ps", "--all", "--no-trunc", "--format", format].into_iter().chain(filters);
        // Without a panic, since it is also asked while a case fails.
        let lines = cmd("docker", args).unchecked().read().unwrap_or_default();
        let mut lines: Vec<String> = lines.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// The ids of the containers of one service, as Compose counts them.
    pub(crate) fn ids(&self, service: &str) -> Vec<String> {
        let service = format!("label=com.docker.compose.service={service}");
        self.ps("{{.ID}}", &[service, "label=com.docker.compose.oneoff=False".to_owned()])
    }

    /// The id of the only container of a service.
    #[track_caller]
    pub(crate) fn id(&self, service: &str) -> String {
        let ids = self.ids(service);
        assert_eq!(ids.len(), 1, "containers of {service}: {ids:?}");
        ids.into_iter().next().unwrap_or_default()
    }

    /// Returns every container of the project, with the fields that change when it is touched.
    pub(crate) fn containers(&self) -> Vec<String> {
        let ids = self.ps("{{.ID}}", &[]);
        let format =
            "{{.Name}} {{.Id}} {{.State.Status}} since {{.State.StartedAt}}, restarted {{.RestartCount}} times";
        let ids = ids.iter().map(String::as_str).collect::<Vec<_>>();
        if ids.is_empty() {
            return Vec::new();
        }
        docker(&[&["inspect", "--format", format], ids.as_slice()].concat()).lines().map(str::to_owned).collect()
    }

    /// Runs Python in the running `web`, with Django set up.
    #[track_caller]
    pub(crate) fn python(&self, code: &str) -> String {
        docker(&["exec", &self.id("web"), "python", "manage.py", "shell", "-v0", "-c", code]).trim().to_owned()
    }

    /// Counts the tasks that have been run, each once.
    #[track_caller]
    pub(crate) fn tasks(&self) -> usize {
        let ids = "{host[:36] for host in Sample.objects.values_list('host', flat=True)}";
        let tasks = self.python(&format!("from monitoring.models import Sample; print(len({ids}))"));
        tasks.parse().unwrap_or_else(|_| panic!("no number: {tasks}"))
    }

    /// Waits until the workers have nothing left to do, and exactly so many tasks have been run.
    #[track_caller]
    pub(crate) fn ends_with_tasks(&self, expected: usize) {
        let redis = self.id("redis");
        let left = || {
            let [queued, begun] = [["llen", "celery"], ["hlen", "unacked"]]
                .map(|[ask, key]| docker(&["exec", &redis, "redis-cli", ask, key]).trim().to_owned());
            queued != "0" || begun != "0"
        };
        wait_for("the workers to finish", || !left());
        assert_eq!(self.tasks(), expected, "tasks that were run, against those that were accepted");
    }

    /// The ids of the images that were built for the project, also of those that have lost their name.
    pub(crate) fn images(&self) -> Vec<String> {
        let project = format!("label=com.docker.compose.project={}", self.name);
        let images = cmd!("docker", "images", "--quiet", "--no-trunc", "--filter", project).unchecked().read();
        let mut images: Vec<String> = images.unwrap_or_default().lines().map(str::to_owned).collect();
        images.sort();
        images.dedup();
        images
    }

    /// The release records in their last states, as texts without a secret.
    pub(crate) fn records(&self) -> Vec<String> {
        let filter = format!("label=xtask.release={}", self.name);
        let format = "{{.Name}} {{.Label \"xtask.record\"}}";
        let volumes = docker(&["volume", "ls", "--filter", &filter, "--format", format]);
        hides_secrets(&volumes);
        let mut records = BTreeMap::new();
        for line in volumes.lines() {
            let (name, record) = line.split_once(' ').expect("a name and a record");
            let (id, revision) = name.rsplit_once('.').expect("a revision");
            let revision: u64 = revision.parse().expect("a number");
            let newest = records.entry(id.to_owned()).or_insert((revision, record.to_owned()));
            if revision > newest.0 {
                *newest = (revision, record.to_owned());
            }
        }
        records.into_values().map(|(_, record)| record).collect()
    }

    fn remove(&self) {
        // Not in the checkout, whose Compose file a case may have broken: the labels identify the containers of the
        // project.
        let down = ["compose", "--project-name", &self.name, "down", "--volumes", "--timeout", "0", "--remove-orphans"];
        let _ = cmd("docker", down).dir("/").stdout_null().stderr_null().unchecked().run();
        let ids = self.ps("{{.ID}}", &[]);
        if !ids.is_empty() {
            let args = ["rm", "--force", "--volumes"].into_iter().chain(ids.iter().map(String::as_str));
            let _ = cmd("docker", args).stdout_null().stderr_null().unchecked().run();
        }
        for label in ["xtask.release", "xtask.lock"] {
            let filter = format!("label={label}={}", self.name);
            let volumes = cmd!("docker", "volume", "ls", "--quiet", "--filter", filter).unchecked().read();
            for volume in volumes.unwrap_or_default().lines() {
                let _ = cmd!("docker", "volume", "rm", volume).stdout_null().stderr_null().unchecked().run();
            }
        }
        // Of an image that was not built for the project, only the tags of its releases.
        let tags = cmd!("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}").unchecked().read();
        let tags = tags.unwrap_or_default();
        let tags = tags.lines().filter(|tag| tag.contains(&format!(":xtask-{}-", self.name)));
        let images: Vec<String> = tags.map(str::to_owned).chain(self.images()).collect();
        if !images.is_empty() {
            let args = ["rmi", "--force"].into_iter().chain(images.iter().map(String::as_str));
            let _ = cmd("docker", args).stdout_null().stderr_null().unchecked().run();
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Runs `docker`, which must succeed, and returns its output.
#[track_caller]
pub(crate) fn docker(args: &[&str]) -> String {
    let output = cmd("docker", args).stdout_capture().stderr_capture().unchecked().run().expect("docker starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "docker {args:?}: {stdout}{stderr}");
    stdout.into_owned()
}

/// Runs a call of the binary to its end: both outputs, and the exit code. No secret may be in them.
#[track_caller]
pub(crate) fn finish(command: &Expression) -> (String, i32) {
    let output = command.stderr_to_stdout().stdout_capture().unchecked().run().expect("the binary starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    hides_secrets(&text);
    (text, output.status.code().expect("an exit code"))
}

#[track_caller]
pub(crate) fn hides_secrets(output: &str) {
    assert!(!output.contains(KEY) && !output.contains(TOKEN), "a secret is shown: {output}");
}

/// Polls until the condition holds. The condition takes its time, so that there is no pause.
#[track_caller]
pub(crate) fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
    }
}
