//! What `bare` does on this machine: uv, the virtual environment, the database, the checks.

use std::ffi::OsString;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context;
use checks::group::{core, django};
use checks::secret::Secrets;
use checks::{Outcome, Project, Status, Uv, find_uv};
use detect::Environment;
use envfile::EnvFile;
use xshell::Shell;

use super::preflight::{Tools, UV_VERSION};
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;
use crate::ui::{Ui, quoted};

/// How long Django has to start and answer.
const DJANGO_TIMEOUT: Duration = Duration::from_secs(60);
/// How long uv has to compare the virtual environment with the lock file.
const UV_TIMEOUT: Duration = Duration::from_secs(30);

/// What the steps work with.
pub(super) struct Bench<'a> {
    pub(super) project: &'a Project,
    pub(super) ui: &'a Ui,
    pub(super) environment: Environment,
    pub(super) tools: &'a Tools,
    /// The `.env` as it is now: the environment that Django runs in.
    pub(super) env_file: &'a EnvFile,
    pub(super) secrets: Secrets,
}

/// What the steps found and did.
pub(super) struct Done {
    /// Whether anything had to be done.
    pub(super) is_changed: bool,
    /// How uv is started.
    pub(super) uv: Uv,
    /// Whether the service finds `.env` by itself.
    pub(super) reads_env_file: bool,
}

/// The commands, as they would be typed in the service folder; what is already so is left out when they are run.
pub(super) fn plan(tools: &Tools, project: &Project, environment: Environment) -> Vec<String> {
    let mut lines = Vec::new();
    if tools.uv.is_none() {
        for command in uv_commands(tools, project) {
            let words: Vec<_> = command.iter().map(|word| quoted(&word.to_string_lossy())).collect();
            lines.push(words.join(" "));
        }
    }
    let uv = |args: &[&str]| format!("uv {}", args.join(" "));
    lines.push(uv(&[&["sync"], sync_args(tools, environment).as_slice()].concat()));
    lines.push(uv(&MIGRATE));
    lines.push(uv(&[&CHECK[..], deploy_flag(environment)].concat()));
    if environment == Environment::Prod {
        lines.push(format!("{}   (where STATIC_ROOT is set)", uv(&COLLECTSTATIC)));
    }
    lines
}

const MIGRATE: [&str; 5] = ["run", "--no-sync", "manage.py", "migrate", "--noinput"];
const CHECK: [&str; 4] = ["run", "--no-sync", "manage.py", "check"];
const COLLECTSTATIC: [&str; 5] = ["run", "--no-sync", "manage.py", "collectstatic", "--noinput"];

fn deploy_flag(environment: Environment) -> &'static [&'static str] {
    match environment {
        Environment::Dev => &[],
        Environment::Prod => &["--deploy"],
    }
}

fn sync_args(tools: &Tools, environment: Environment) -> Vec<&'static str> {
    match environment {
        Environment::Dev => vec!["--all-extras", "--dev"],
        Environment::Prod if tools.pyproject.has_extra("prod") => vec!["--frozen", "--no-dev", "--extra", "prod"],
        Environment::Prod => vec!["--frozen", "--no-dev"],
    }
}

/// The commands that install uv into the project's tool folder.
fn uv_commands(tools: &Tools, project: &Project) -> [Vec<OsString>; 2] {
    let dir = project.uv_dir();
    let python = dir.join("bin/python");
    let package = format!("uv=={UV_VERSION}");
    let venv = ["-m", "venv", "--clear"].map(OsString::from);
    let pip = ["-m", "pip", "install", "--disable-pip-version-check", &package].map(OsString::from);
    [
        [OsString::from(&tools.python.program)].into_iter().chain(venv).chain([dir.into()]).collect(),
        [python.into()].into_iter().chain(pip).collect(),
    ]
}

/// Installs uv into the project's tool folder. An attempt that was cut short is begun anew the next time.
pub(super) fn install_uv(tools: &Tools, project: &Project, ui: &Ui) -> anyhow::Result<Uv> {
    let sh = Shell::new()?;
    let state_dir = project.state_dir();
    fs::create_dir_all(project.uv_dir())
        .and_then(|()| fs::write(state_dir.join(".gitignore"), "*\n"))
        .with_context(|| format!("cannot make the tool folder in `{}`", state_dir.display()))?;
    let titles = ["Python environment for uv", "uv from PyPI"];
    for (title, command) in titles.iter().zip(uv_commands(tools, project)) {
        let [program, args @ ..] = command.as_slice() else { continue };
        ui.step(title, sh.cmd(program).args(args), &Secrets::default(), None)?;
    }
    find_uv(project, UV_TIMEOUT).with_context(|| {
        format!("`{}` was installed and does not answer", project.relative(&project.own_uv()).display())
    })
}

/// Brings the virtual environment, the database and the static files to where they should be, and verifies it.
pub(super) fn run(bench: &Bench<'_>, uv: Uv, deferred: &Deferred) -> anyhow::Result<Done> {
    let Bench { project, ui, environment, tools, .. } = bench;
    let sync_args = sync_args(tools, *environment);
    let mut is_changed = false;

    let lock = core::lock(project, &uv, &sync_args, UV_TIMEOUT);
    if lock.status != Status::Ok {
        is_changed = true;
        step(bench, &uv, "uv sync", [&["sync"], sync_args.as_slice()].concat(), deferred)?;
    }

    let (mut answer, mut elapsed) = ask_django(bench, &uv, deferred)?;
    if answer.as_ref().is_ok_and(|answer| !answer.pending.is_empty()) {
        is_changed = true;
        step(bench, &uv, "manage.py migrate", MIGRATE, deferred)?;
        (answer, elapsed) = ask_django(bench, &uv, deferred)?;
    }
    let static_root = answer.as_ref().ok().and_then(|answer| answer.static_root.as_ref());
    if *environment == Environment::Prod && static_root.is_some() {
        step(bench, &uv, "manage.py collectstatic", COLLECTSTATIC, deferred)?;
    }

    let lock = if is_changed { core::lock(project, &uv, &sync_args, UV_TIMEOUT) } else { lock };
    if let Err(error) = &answer {
        ui.last_words(&error.output);
    }
    let outcomes: Vec<Outcome> = [lock].into_iter().chain(django::outcomes(&answer, elapsed)).collect();
    for outcome in &outcomes {
        ui.outcome(outcome);
    }
    let failed = outcomes.iter().filter(|outcome| outcome.status == Status::Err).count();
    match answer {
        Ok(answer) if failed == 0 => Ok(Done { is_changed, uv, reads_env_file: answer.reads_env_file }),
        _ => {
            let problem = Problem::new(format!("what was installed is not well: {failed} failed, see above"))
                .hint("mend it, and run this again: what is done already is left alone");
            Err(Failure::new(Exit::Failed, problem).into())
        }
    }
}

/// Runs uv in the service folder, in the environment that `.env` describes.
fn step(
    bench: &Bench<'_>,
    uv: &Uv,
    title: &str,
    args: impl IntoIterator<Item = &'static str>,
    deferred: &Deferred,
) -> anyhow::Result<()> {
    let sh = Shell::new()?;
    sh.change_dir(bench.project.service_dir());
    let cmd = sh.cmd(&uv.program).args(args).envs(variables(bench.env_file)).env_remove("VIRTUAL_ENV");
    bench.ui.step(title, cmd, &bench.secrets, Some(deferred))
}

/// What Django tells, or why it does not start; and how long that took.
type Asked = (Result<django::Answer, django::NotStarted>, Duration);

fn ask_django(bench: &Bench<'_>, uv: &Uv, deferred: &Deferred) -> anyhow::Result<Asked> {
    const TITLE: &str = "manage.py check";
    let started = Instant::now();
    let Bench { project, environment, secrets, .. } = bench;
    let answer = bench.ui.while_waiting(TITLE, || {
        django::ask(project, uv, *environment, variables(bench.env_file), secrets, DJANGO_TIMEOUT)
    });
    deferred.check(TITLE)?;
    Ok((answer, started.elapsed()))
}

/// The variables of `.env` as Django reads them.
fn variables(env_file: &EnvFile) -> Vec<(String, String)> {
    env_file.keys().filter_map(|key| Some((key.to_owned(), env_file.get(key)?.value))).collect()
}
