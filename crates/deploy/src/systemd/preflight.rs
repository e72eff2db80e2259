//! The preflight: everything that must hold before the deploy changes anything; all problems at once.

use std::fs;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use checks::catalogue::Selection;
use checks::group::core::interpreter;
use checks::group::systemd::redis;
use checks::{Limits, Status, plan, run};
use detect::{DEPLOY_METHOD, DJANGO_ENV, DeployMethod, Detected, ENV_FILE, Environment, Source as Known};
use envfile::EnvFile;
use project::matrix::{self, Row};
use project::secret::Secrets;
use project::{Project, SharedPath, Variable};
use subprocess::{Command, Deadline};

use super::Options;
use super::data::{self, Data};
use super::env_file::EnvPlan;
use super::layout::Layout;
use super::manager;
use super::places;
use super::refusals;
use super::root::{Root, Step};
use super::scheduler;
use super::shared;
use super::state::{self, Code, Release, State};
use super::target;
use super::tools::{self, Tools};
use super::verify;
use crate::context::Context;
use crate::failure::{Exit, Failure, Problem};
use crate::interrupt::Interrupt;
use crate::record::Records;
use crate::source::Source;
use ::systemd::{Unit, UnitFile};

/// The health checks that must not fail.
const REQUIRED_CHECKS: [&str; 5] = ["env.axes", "env.file", "env.mode", "env.ignored", "env.sample"];
/// The hint of a failed check that has none of its own.
const HEALTH: &str = "cargo xtask health";
const TIMEOUT: Duration = Duration::from_secs(10);

/// The results of the preflight.
pub(super) struct Preflight {
    pub(super) layout: Layout,
    /// `None` only in a dry run of a user without root's rights.
    pub(super) root: Option<Rc<Root>>,
    pub(super) tools: Tools,
    /// The files to deploy; unused by `--rollback`.
    pub(super) source: Source,
    pub(super) records: Records<'static>,
    /// The unit files of the checkout.
    pub(super) units: Vec<UnitFile>,
    /// The present state of these units, and of Redis.
    pub(super) shown: Vec<Unit>,
    pub(super) env: EnvPlan,
    /// The steps that have read files of root.
    pub(super) read: Vec<Step>,
    /// The files in the live folder that no release has.
    pub(super) data: Option<Data>,
    /// The settings `shared-paths` and `user`.
    pub(super) declared: Vec<SharedPath>,
    pub(super) user: String,
    /// What is shared by the settings of the checkout, if it has a virtual environment to load them with.
    pub(super) state: State,
    pub(super) secrets: Secrets,
    /// The group that may read the system env file.
    pub(super) group: String,
    /// The value of `DEPLOY_METHOD`, with its source.
    pub(super) method: Detected<DeployMethod>,
}

/// The time for one answer; a signal ends the wait.
pub(super) fn probe_deadline(interrupt: &Interrupt) -> Deadline {
    Deadline::unless(interrupt.flag(), TIMEOUT, TIMEOUT)
}

/// Looks at everything.
pub(super) fn check(options: &Options, context: &Context<'_>) -> anyhow::Result<Preflight> {
    let interrupt = context.interrupt;
    let layout = Layout::of(context.project);
    let mut problems = Vec::new();
    // First of all, since it may ask.
    let root = match Root::ask(context) {
        Ok(root) => Some(Rc::new(root)),
        Err(problem) if !context.is_dry_run => {
            problems.push(problem);
            None
        }
        Err(_) => None,
    };
    context.events.waiting("preflight", || ());
    let (target_of_checks, ours) = env_checks(context, interrupt, &mut problems);
    let method = target_of_checks.deploy_method.clone();
    let env = environment(options, &layout, ours, root.as_deref(), context, &mut problems);
    if let Ok((env, _)) = &env {
        check_production_environment(env, &layout, context, &mut problems);
    }
    let group = group_of(context.project, interrupt, &mut problems);
    let tools = tools::find(&target_of_checks.uv, context, interrupt, &mut problems);
    let source = keep(Source::of(context.project, &interrupt.flag()), &mut problems)?;
    let units = units(&layout, context, &mut problems)?;
    let names = &context.project.names;
    let broker = env.as_ref().ok().and_then(|(env, _)| env.value(names.name(Variable::BrokerUrl)?));
    let shown = if context.host_facts.has_systemd {
        let shown = keep(shown(&units, &layout, &target_of_checks.secrets), &mut problems)?.unwrap_or_default();
        problems.extend(verify::units(
            &units,
            source.as_ref(),
            &layout,
            &context.project.root,
            &probe_deadline(interrupt),
        ));
        problems.extend(verify::addresses(&units, &shown, &layout));
        let taken = keep(verify::name_conflicts(&units, &layout, &target_of_checks.secrets), &mut problems)?;
        problems.extend(taken.unwrap_or_default());
        if !options.rollback {
            let left = scheduler::left_running(&units, &layout, &target_of_checks.secrets);
            let left = keep(left, &mut problems)?;
            problems.extend(left.unwrap_or_default());
        }
        let outcome = redis::outcome(broker, &shown, &probe_deadline(interrupt));
        problems.extend((outcome.status == Status::Err).then(|| Problem::of_check(&outcome, HEALTH)));
        shown
    } else {
        let problem = Problem::new("systemd does not run here (it is not PID 1)");
        problems.push(problem.hint("deploy on a machine that systemd has booted, or with cargo xtask deploy-docker"));
        Vec::new()
    };
    let mut state = State::default();
    if let (false, Ok((env, _)), Some(source)) = (options.rollback, &env, &source) {
        let (python, root) = (interpreter(&target_of_checks.venv), &context.project.root);
        let code = Code { python: &python, manage_dir: context.project.manage_dir(), root, env };
        let (declared, user) = (&context.project.settings.shared_paths, &context.project.settings.user);
        let release = Release { units: &units, shown: &shown, source, declared, user, layout: &layout };
        state = state::find(&code, &release, &Deadline::unless(interrupt.flag(), state::LOAD, state::LOAD));
        problems.append(&mut state.problems);
    }
    let owner = (context.project.settings.user.as_str(), group.as_deref().unwrap_or_default());
    let places = group.as_ref().map(|_| shared::check_places(&state, owner, &layout, root.as_deref()));
    let (closed, problem) = places.map(|places| keep(places, &mut problems)).transpose()?.flatten().unwrap_or_default();
    problems.extend(problem);
    problems.extend(refusals::check(&units, source.as_ref(), &layout));
    problems.extend(verify::links(&units, &layout));
    problems.extend(places::check(&layout));
    problems.extend(source.iter().flat_map(verify::tracked_secrets));
    let find_data = |source| data::find(&layout, source, &state.shared, root.as_deref(), interrupt);
    let data = source.as_ref().map(find_data);
    let data = data.map(|data| keep(data, &mut problems)).transpose()?.flatten();
    interrupt.check("preflight")?;
    match (env, group, tools, source) {
        (Ok((env, read)), Some(group), Some(tools), Some(source)) if problems.is_empty() => {
            let records = target::records(&layout, root.clone().filter(|_| !context.is_dry_run), context.project);
            let secrets = target_of_checks.secrets.clone().and(env.secrets());
            let (data, listed) = data.unwrap_or_default();
            let read = read.into_iter().chain(closed).chain(listed).collect();
            Ok(Preflight {
                layout,
                root,
                tools,
                source,
                records,
                units,
                shown,
                env,
                read,
                data,
                declared: context.project.settings.shared_paths.clone(),
                user: context.project.settings.user.clone(),
                state,
                secrets,
                group,
                method,
            })
        }
        _ => Err(Failure { exit: Exit::NotMet, problems }.into()),
    }
}

/// Returns the value, or adds the problems of the error.
///
/// # Errors
/// If a signal has ended the program that was to find it: that is no problem of the target.
fn keep<T>(result: anyhow::Result<T>, problems: &mut Vec<Problem>) -> anyhow::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if Exit::of(&error) == Exit::Interrupted => Err(error),
        Err(error) => {
            problems.extend(Failure::of(&error).problems);
            Ok(None)
        }
    }
}

/// Checks `.env` for prod+bare, whatever its axes are, and returns it.
fn env_checks(
    context: &Context<'_>,
    interrupt: &Interrupt,
    problems: &mut Vec<Problem>,
) -> (checks::Target, Option<EnvFile>) {
    let only = REQUIRED_CHECKS.iter().filter_map(|name| name.parse().ok()).collect();
    let selection = Selection { only, skip: Vec::new() };
    let survey = || {
        let (project, host_facts) = (context.project.clone(), &context.host_facts);
        checks::Target::survey(project, host_facts, selection.clone(), TIMEOUT, interrupt.flag())
    };
    let (target_of_checks, mut asked) = (survey(), survey());
    asked.environment.value = Environment::Prod;
    asked.deploy_method.value = DeployMethod::Bare;
    let limits = Limits { timeout: TIMEOUT, deadline: 2 * TIMEOUT };
    let outcomes = run(plan(&Arc::new(asked)), limits, &interrupt.flag(), &mut |_| {});
    for outcome in outcomes.iter().filter(|it| it.status == Status::Err) {
        // Who can read the file makes no deploy fail, and is a thing to know.
        if outcome.name == "env.mode" {
            context.events.warning(Problem::of_check(outcome, HEALTH));
        } else {
            problems.push(Problem::of_check(outcome, HEALTH));
        }
    }
    let ours = target_of_checks.env().cloned();
    (target_of_checks, ours)
}

/// Plans the change of the system env file, and returns the step that has read it.
fn environment(
    options: &Options,
    layout: &Layout,
    ours: Option<EnvFile>,
    root: Option<&Root>,
    context: &Context<'_>,
    problems: &mut Vec<Problem>,
) -> Result<(EnvPlan, Option<Step>), ()> {
    let path = layout.env_file.display().to_string();
    let mut read = None;
    let theirs = match fs::read(&layout.env_file) {
        Ok(bytes) => match envfile::parse(&layout.env_file, &bytes) {
            Ok(file) => Some(file),
            Err(error) => {
                let remedy = error.remedy().map(|remedy| format!("as root: {remedy}"));
                problems.push(remedy.into_iter().fold(Problem::new(error.to_string()), Problem::hint));
                return Err(());
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let step = Step::new("cat", [&path]);
            let text = root.map(|root| root.run(&step));
            read = Some(step);
            match text {
                // Bytes that are not UTF-8 come as this character.
                Some(Ok(text)) if text.contains('\u{fffd}') => {
                    problems
                        .push(Problem::new(format!("`{path}` is not in UTF-8, which all programs expect: convert it")));
                    return Err(());
                }
                Some(Ok(text)) => Some(EnvFile::parse(text.as_bytes())),
                Some(Err(error)) => {
                    problems.push(Problem::new(format!("cannot read `{path}`: {error:#}")));
                    return Err(());
                }
                None => {
                    context
                        .events
                        .note(format!("`{path}` cannot be read by this user: its values are not in this plan"));
                    ours.clone()
                }
            }
        }
        Err(error) => {
            problems.push(Problem::new(format!("cannot read `{path}`: {error}")));
            return Err(());
        }
    };
    let Some(ours) = ours.filter(|_| !options.rollback || theirs.is_none()) else {
        return Ok((EnvPlan::unchanged(theirs.as_ref()), read));
    };
    let plan = EnvPlan::of(&ours, theirs.as_ref(), &path, options.sync_env);
    plan.map(|plan| (plan, read)).map_err(|found| problems.extend(found))
}

/// Whether the environment of the units is one for production.
fn check_production_environment(env: &EnvPlan, layout: &Layout, context: &Context<'_>, problems: &mut Vec<Problem>) {
    let path = layout.env_file.display().to_string();
    let (file, hint) = if env.is_there {
        (path.as_str(), format!("sudoedit {path}, or cargo xtask deploy-systemd --sync-env"))
    } else {
        (ENV_FILE, "cargo xtask install --env prod --method bare".to_owned())
    };
    match env.value(DJANGO_ENV).map(str::parse::<Environment>) {
        Some(Ok(Environment::Prod)) => {}
        Some(Ok(Environment::Dev)) => problems.push(
            Problem::new(format!("`{file}`: `{DJANGO_ENV}` is `dev`, and systemd runs services in production"))
                .hint(&hint),
        ),
        // An unknown value in `.env` is reported by the check of the axes.
        Some(Err(_)) if !env.is_there => {}
        Some(Err(_)) => {
            problems
                .push(Problem::new(format!("`{file}`: unknown value for `{DJANGO_ENV}`, expected `prod`")).hint(&hint));
        }
        None => context.events.warning(
            Problem::new(format!("`{file}` does not set `{DJANGO_ENV}`: the service then uses `dev`")).hint(&hint),
        ),
    }
    let (environment, method) = (Environment::Prod, DeployMethod::Bare);
    let names = &context.project.names;
    for row in matrix::rows(names, environment, method) {
        let Row { variable, name, .. } = row;
        let value = names.value(variable, |name| env.value(name).map(str::to_owned));
        let value = value.as_deref().filter(|value| !matrix::is_empty(value));
        if let Some(problem) = matrix::problem(row, names, value, environment, method) {
            problems.push(Problem::new(format!("`{file}`: `{name}` {problem}")).hint(&hint));
        } else if let Some(reason) = value.and_then(|value| matrix::unsafe_reason(variable, value, Environment::Prod)) {
            context.events.warning(Problem::new(format!("`{file}`: `{name}` {reason}")));
        }
    }
}

/// The group of the user that the units run as.
fn group_of(project: &Project, interrupt: &Interrupt, problems: &mut Vec<Problem>) -> Option<String> {
    let user = &project.settings.user;
    match Command::new("id", ["-gn", user]).run(&probe_deadline(interrupt)) {
        Ok(finished) if finished.is_success() => Some(finished.stdout().trim().to_owned()),
        Ok(_) => {
            let hint = format!(
                "sudo useradd --system --user-group --no-create-home {user}, or set `user` in {}",
                project.settings_file()
            );
            problems.push(Problem::new(format!("there is no user `{user}`, as which the units run")).hint(hint));
            None
        }
        Err(error) => {
            problems.push(Problem::new(error.to_string()));
            None
        }
    }
}

/// The unit files of the checkout.
fn units(layout: &Layout, context: &Context<'_>, problems: &mut Vec<Problem>) -> anyhow::Result<Vec<UnitFile>> {
    let dir = context.project.unit_dir();
    let units = keep(UnitFile::all(&dir).map_err(anyhow::Error::new), problems)?.unwrap_or_default();
    let unsupported = keep(UnitFile::unsupported(&dir).map_err(anyhow::Error::new), &mut Vec::new())?;
    problems.extend(unsupported.iter().flatten().map(|name| verify::unsupported(name, layout)));
    let main = layout.main_unit();
    if !units.is_empty() && !units.iter().any(|unit| unit.name == main) {
        let message = format!("`{}` has no `{main}`", layout.unit_dir.display());
        problems.push(
            Problem::new(message).hint(format!("name it after the service, or set `name` in {}", layout.settings_file)),
        );
    }
    Ok(units)
}

fn shown(units: &[UnitFile], layout: &Layout, secrets: &Secrets) -> anyhow::Result<Vec<Unit>> {
    let (templates, units): (Vec<&UnitFile>, Vec<&UnitFile>) = units.iter().partition(|unit| unit.is_template());
    let mut names: Vec<String> = units.iter().map(|unit| unit.name.clone()).collect();
    let instances = manager::instances(templates.iter().map(|template| template.name.as_str()), secrets)?;
    names.extend(instances.into_iter().filter(|name| !units.iter().any(|unit| unit.name == *name)));
    let more = [layout.main_unit()].into_iter().chain(redis::UNITS.map(str::to_owned));
    names.extend(more.filter(|name| !units.iter().any(|unit| unit.name == *name)));
    manager::show(&names, secrets)
}

/// Writes the deployment method to `.env` if it has none, and warns if it has another one.
pub(super) fn settle_method(method: &Detected<DeployMethod>, context: &Context<'_>) -> anyhow::Result<()> {
    let (events, project) = (context.events, context.project);
    match (&method.source, method.value) {
        (Known::EnvFile { .. }, DeployMethod::Bare) => {}
        (Known::EnvFile { line }, DeployMethod::Docker) => events.warning(Problem::new(format!(
            "`{ENV_FILE}` line {line}: `{DEPLOY_METHOD}` is `docker`, and this deploys with systemd all the same"
        ))),
        _ if !project.env_file().is_file() => {}
        _ => {
            let bare = DeployMethod::Bare.as_str();
            let (change, _saved) = envfile::update(&project.env_file(), &EnvFile::default(), |file| {
                file.set(DEPLOY_METHOD, bare, None)
                    .map_err(|error| anyhow::Error::new(Failure::usage(format!("`{ENV_FILE}`: {error}"))))
            })?;
            if change.is_some() {
                events.done(ENV_FILE, format!("`{DEPLOY_METHOD}={bare}` written: it was not set"));
            }
        }
    }
    Ok(())
}
