//! The steps of `bare` on this machine: uv, the virtual environment, the database, the checks.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use checks::group::core::{self, interpreter};
use checks::group::django;
use checks::{Outcome, Repair, ServiceContext, Status};
use detect::{DeployMethod, Environment};
use envfile::EnvFile;
use project::secret::Secrets;
use project::{Project, Uv, find_uv, variables};
use subprocess::{Deadline, quoted};
use xshell::Shell;

use super::failed::PYPI_ADVICE;
use super::preflight::{NoUv, Tools, UV_VERSION};
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;
use crate::manage::{self, Downloads, MIGRATE, REINSTALL, SYNC};
use crate::ui::Ui;

/// How long Django has to start and answer.
const DJANGO_TIMEOUT: Duration = Duration::from_secs(60);
/// How long uv has to compare the virtual environment with the lock file.
const UV_TIMEOUT: Duration = Duration::from_secs(30);

/// The parts that the steps work with.
pub(super) struct InstallContext<'a> {
    pub(super) project: &'a Project,
    /// The virtual environment, as uv makes it.
    pub(super) venv: &'a Path,
    pub(super) ui: &'a Ui,
    pub(super) environment: Environment,
    pub(super) tools: &'a Tools,
    /// The `.env` as it is now: the environment that Django runs in.
    pub(super) env_file: &'a EnvFile,
    pub(super) secrets: &'a Secrets,
    pub(super) deferred: &'a Deferred,
}

/// The results of the steps.
pub(super) struct Done {
    /// Whether anything had to be done.
    pub(super) is_changed: bool,
}

/// Returns the commands as they would be typed in the service folder. A run leaves out those that are up to date, and
/// asks Django for the result of `check` together with the rest, in one start.
pub(super) fn plan(tools: &Tools, project: &Project, venv: &Path, environment: Environment) -> Vec<String> {
    let mut lines = Vec::new();
    if let Err(NoUv { installer, .. }) = &tools.uv {
        for command in uv_commands(installer, project) {
            let words: Vec<_> = command.iter().map(|word| quoted(&word.to_string_lossy())).collect();
            lines.push(words.join(" "));
        }
    }
    let uv = tools.uv.as_ref().map_or_else(|_| project.own_uv().into_os_string(), |uv| uv.program.clone());
    let service = project.service_dir();
    let python = interpreter(venv);
    let python = quoted(&python.strip_prefix(service).unwrap_or(&python).to_string_lossy());
    let manage_dir = project.manage_dir().strip_prefix(service).unwrap_or(project.manage_dir());
    let sync_args = core::sync_args(&tools.pyproject, &project.settings, environment);
    let sync = ["sync"].into_iter().chain(sync_args.iter().map(String::as_str)).collect::<Vec<_>>();
    lines.push(format!("{} {}", quoted(&uv.to_string_lossy()), sync.join(" ")));
    let python = |args: &[&str]| {
        let (manage, args) = args.split_first().unwrap_or((&"", &[]));
        let manage = quoted(&manage_dir.join(manage).to_string_lossy());
        format!("{python} {manage} {}", args.join(" "))
    };
    let is_deployed = project.is_deployed(environment, DeployMethod::Bare);
    if !is_deployed {
        lines.push(python(&MIGRATE));
    }
    lines.push(python(&[&CHECK[..], deploy_flag(environment)].concat()));
    if environment == Environment::Prod && !is_deployed {
        lines.push(format!("{}   (where STATIC_ROOT is set)", python(&COLLECTSTATIC)));
    }
    lines
}

const CHECK: [&str; 2] = ["manage.py", "check"];
const COLLECTSTATIC: [&str; 3] = ["manage.py", "collectstatic", "--noinput"];

fn deploy_flag(environment: Environment) -> &'static [&'static str] {
    match environment {
        Environment::Dev => &[],
        Environment::Prod => &["--deploy"],
    }
}

/// The commands that install uv into the project's tool folder.
fn uv_commands(installer: &str, project: &Project) -> [Vec<OsString>; 2] {
    let dir = project.uv_dir();
    let python = dir.join("bin/python");
    let package = format!("uv=={UV_VERSION}");
    let venv = ["-m", "venv", "--clear"].map(OsString::from);
    let pip = ["-m", "pip", "install", "--disable-pip-version-check", &package].map(OsString::from);
    [
        [OsString::from(installer)].into_iter().chain(venv).chain([dir.into()]).collect(),
        [python.into()].into_iter().chain(pip).collect(),
    ]
}

/// Installs uv into the project's tool folder. An attempt that was cut short is begun anew the next time.
fn install_uv(installer: &str, project: &Project, ui: &Ui, deferred: &Deferred) -> anyhow::Result<Uv> {
    let sh = Shell::new()?;
    let dir = project.uv_dir();
    fs::create_dir_all(&dir).with_context(|| format!("cannot make the tool folder `{}`", dir.display()))?;
    let titles = ["Python environment for uv", "uv from PyPI"];
    for (title, command) in titles.iter().zip(uv_commands(installer, project)) {
        let [program, args @ ..] = command.as_slice() else { continue };
        let done = ui.step(title, sh.cmd(program).args(args), &Secrets::default(), deferred);
        done.map_err(|error| with_advice(&error))?;
    }
    find_uv(project, &Deadline::within(UV_TIMEOUT)).with_context(|| {
        format!("`{}` was installed and does not answer", project.relative(&project.own_uv()).display())
    })
}

/// Adds what can be set to reach PyPI from here.
fn with_advice(error: &anyhow::Error) -> anyhow::Error {
    let mut failure = Failure::of(error);
    if failure.exit != Exit::Interrupted {
        for problem in &mut failure.problems {
            problem.message = format!("{}; {PYPI_ADVICE}", problem.message);
        }
    }
    failure.into()
}

/// Brings the virtual environment, the database and the static files to where they should be, and verifies it.
pub(super) fn run(install_context: &InstallContext<'_>) -> anyhow::Result<Done> {
    let InstallContext { project, ui, environment, tools, secrets, deferred, .. } = *install_context;
    let uv = match &tools.uv {
        Ok(uv) => uv.clone(),
        Err(NoUv { installer, .. }) => install_uv(installer, project, ui, deferred)?,
    };
    let variables = variables(install_context.env_file);
    let ground = ServiceContext { project, venv: install_context.venv, variables: &variables, secrets };
    let sync_args = core::sync_args(&tools.pyproject, &project.settings, environment);
    let within = |timeout| Deadline::unless(deferred.flag(), timeout, timeout);
    let lock = || ui.while_waiting("uv sync --check", || core::lock(&ground, &uv, &sync_args, &within(UV_TIMEOUT)));
    let ask = || ui.while_waiting("manage.py check", || django::ask(&ground, environment, &within(DJANGO_TIMEOUT)));
    let django_step = |title: &str, args: &[&str]| manage::django_step(ui, &ground, title, args, deferred);
    let mut is_changed = false;

    let mut locked = lock();
    deferred.check("uv sync --check")?;
    let venv = core::venv(&ground, &tools.wanted, &within(DJANGO_TIMEOUT));
    deferred.check("uv sync --check")?;
    // uv reports neither a moved environment nor one of another Python.
    if [&locked, &venv].iter().any(|outcome| outcome.status != Status::Ok) {
        is_changed = true;
        let command = if venv.repair == Some(Repair::Reinstall) { REINSTALL } else { SYNC };
        manage::sync(ui, &ground, &uv, command, &sync_args, Downloads::AsConfigured, deferred)?;
        locked = lock();
    }

    let mut answer = ask();
    deferred.check("manage.py check")?;
    // The units read no file of the checkout.
    let is_deployed = project.is_deployed(environment, DeployMethod::Bare);
    if is_deployed {
        ui.note(
            "no `migrate` and no `collectstatic` here: `deploy-systemd` does both in the release that the units run",
        );
    }
    if !is_deployed && answer.migrations.as_ref().is_some_and(|migrations| !migrations.pending.is_empty()) {
        is_changed = true;
        django_step("manage.py migrate", &MIGRATE)?;
        answer = ask();
    }
    let has_static_root = answer.settings.as_ref().is_some_and(|settings| settings.static_root.is_some());
    if environment == Environment::Prod && has_static_root && !is_deployed {
        let printed = django_step("manage.py collectstatic", &COLLECTSTATIC)?;
        is_changed |= !printed.lines().any(|line| line.starts_with("0 static files copied"));
    }
    deferred.check("manage.py check")?;

    if let Some(failure) = &answer.failure {
        ui.last_lines(&failure.output);
    }
    let of_django = django::outcomes(&answer, environment);
    let of_django = if is_deployed { django::deployed(of_django, &answer, project) } else { of_django };
    let outcomes: Vec<Outcome> = [locked].into_iter().chain(of_django).collect();
    for outcome in &outcomes {
        ui.outcome(outcome);
    }
    let failed = outcomes.iter().filter(|outcome| outcome.status == Status::Err).count();
    match answer.settings {
        Some(_) if failed == 0 => Ok(Done { is_changed }),
        _ => {
            let problem = Problem::new(format!("the installation is not healthy: {failed} failed, see above"))
                .hint("fix it, and run this again: finished steps are skipped");
            Err(Failure::new(Exit::Failed, problem).into())
        }
    }
}
