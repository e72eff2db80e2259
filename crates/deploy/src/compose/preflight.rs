//! The preflight: everything that must hold before the deploy changes anything; all problems at once.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use checks::catalogue::Selection;
use checks::group::core::disk_at;
use checks::{Limits, Outcome, Status, plan, run};
use detect::{DEPLOY_METHOD, DeployMethod, Detected, ENV_FILE, Source};
use docker::Container;
use docker::compose::{Port, is_at_least};
use project::ComposeFiles;
use subprocess::Deadline;

use super::client::{Client, QUICK};
use super::stack::Stack;
use super::{Compose, Options, foreign, health_checks, mounts, pulls};
use crate::backend::Backend;
use crate::context::Context;
use crate::drain::CutWork;
use crate::failure::{Exit, Failure, Problem};
use crate::record::{Records, Target};

/// The health checks that must not fail.
const ASKED: [&str; 3] = ["env", "docker.daemon", "docker.compose"];
/// The oldest version of Compose with everything that is used here.
const COMPOSE: (u32, u32) = (2, 20);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Examines everything that the deploy needs; reports all problems at once.
pub(super) fn check<'a>(options: &'a Options, context: &'a Context<'a>) -> anyhow::Result<Compose<'a>> {
    let mut problems = Vec::new();
    let (backend, warnings) = context.events.waiting("preflight", || examine(options, context, &mut problems))?;
    for problem in warnings {
        context.events.warning(problem);
    }
    match backend {
        Some(backend) if problems.is_empty() => Ok(backend),
        _ => Err(Failure { exit: Exit::NotMet, problems }.into()),
    }
}

/// Examines the project, the engine and its containers. Returns the backend if the target could be determined, and the
/// warnings.
fn examine<'a>(
    options: &'a Options,
    context: &'a Context<'a>,
    problems: &mut Vec<Problem>,
) -> anyhow::Result<(Option<Compose<'a>>, Vec<Problem>)> {
    let (target_of_checks, method) = survey(context);
    problems.extend(method.rejected.iter().map(|rejected| {
        Problem::new(rejected.to_string()).hint("cargo xtask install --method docker, or correct the line by hand")
    }));
    let (secrets, environment) = (target_of_checks.secrets.clone(), target_of_checks.environment.value);
    let is_here = docker::host(&Deadline::within(TIMEOUT)).is_none();
    let outcomes = outcomes(target_of_checks, context);
    context.interrupt.check("preflight")?;
    let has_docker = !docker::version(&Deadline::within(TIMEOUT)).is_err_and(|error| error.is_not_installed());
    // An unknown `DEPLOY_METHOD` is reported above, and a missing Docker by the check of the engine.
    let is_first_report = |outcome: &&Outcome| match &*outcome.name {
        "env.axes" => method.rejected.is_none(),
        "docker.compose" => has_docker,
        _ => true,
    };
    // The mode of the file makes no deploy fail, and is worth a warning.
    let failed = outcomes.iter().filter(|it| it.status == Status::Err).filter(is_first_report);
    let (warnings, errors): (Vec<_>, Vec<_>) = failed.partition(|it| it.name == "env.mode");
    let mut client = Client::of(context, secrets);
    problems.extend(errors.into_iter().map(|outcome| problem(outcome, &client.files)));
    let mut warnings: Vec<Problem> = warnings.into_iter().map(|outcome| problem(outcome, &client.files)).collect();

    let is_ok = |name: &str| outcomes.iter().any(|it| it.name == name && it.status == Status::Ok);
    if !is_ok("docker.compose") {
        return Ok((None, warnings));
    }
    let version = client.docker(["compose", "version", "--short"], QUICK)?;
    let mut versions = format!("Compose {}", version.trim());
    if !is_at_least(&version, COMPOSE) {
        let (major, minor) = COMPOSE;
        problems.push(
            Problem::new(format!(
                "Compose {major}.{minor} or later is required, the installed version is {}",
                version.trim()
            ))
            .hint("update the Compose plugin of Docker"),
        );
    }
    let config = client.config()?;
    client.secrets = client.secrets.clone().and(config.secrets());
    let stack = match Stack::of(config, &context.project.settings) {
        Ok(stack) if is_ok("docker.daemon") => stack,
        Ok(_) => return Ok((None, warnings)),
        Err(problem) => {
            problems.push(problem);
            return Ok((None, warnings));
        }
    };
    let engine_version = health_checks::engine_version(&client)?;
    versions = format!("Docker {engine_version}, {versions}");
    let (own, others): (Vec<_>, Vec<_>) =
        client.running_containers()?.into_iter().partition(|it| it.project == stack.name());
    problems.extend(ports(&stack, &own, &others, is_here));
    for pull in pulls::find(&client, &stack, options)? {
        problems.extend(pull.problem(&stack, options));
    }
    problems.extend(health_checks::late(&stack, &BTreeMap::new(), &engine_version, options, context.is_yes));
    let (errors, cautions) = mounts::problems(&stack, &client, environment);
    problems.extend(errors);
    warnings.extend(cautions);
    // Stopped containers have data as well.
    let own = client.containers(stack.name())?;
    let foreign = foreign::find(&own, &stack, &client, environment);
    // A hint names all the consents that the deploy needs.
    let consenting = Options {
        abandon_data: options.abandon_data || has_anonymous_volumes(&stack, &own),
        ..foreign::accepting(&foreign, options)
    };
    let again = consenting.command_line(context.is_yes);
    problems.extend(irreplaceable(&stack, &own, options, &again));
    problems.extend(foreign::problems(&foreign, options, &again, &client, context));
    if is_here {
        problems.extend(disk(&client)?);
    }
    let records = records(&client, stack.name())?;
    let (overlay, moved, cut) = (OnceCell::new(), OnceCell::new(), CutWork::default());
    let backend = Compose { options, context, client, stack, records, foreign, method, versions, overlay, moved, cut };
    Ok((Some(backend), warnings))
}

/// Returns the release records of a Compose project on the engine.
pub(super) fn records<'a>(client: &Client<'a>, compose_project: &str) -> anyhow::Result<Records<'a>> {
    let engine = client.docker(["info", "--format", "{{.ID}}"], QUICK)?.trim().to_owned();
    let target = Target { command: Compose::COMMAND.to_owned(), engine, project: compose_project.to_owned() };
    Ok(Records::at_target(client.volumes(compose_project), client.project, target))
}

/// Surveys the project as the deploy makes it: with `DEPLOY_METHOD=docker`. Returns the present value as well.
fn survey(context: &Context<'_>) -> (checks::Target, Detected<DeployMethod>) {
    let only = ASKED.iter().filter_map(|name| name.parse().ok()).collect();
    let selection = Selection { only, skip: Vec::new() };
    let (project, host_facts) = (context.project.clone(), context.host_facts);
    let mut target_of_checks =
        checks::Target::survey(project, host_facts, selection, TIMEOUT, context.interrupt.flag());
    let method = target_of_checks.deploy_method.clone();
    target_of_checks.deploy_method.value = DeployMethod::Docker;
    (target_of_checks, method)
}

fn outcomes(target_of_checks: checks::Target, context: &Context<'_>) -> Vec<Outcome> {
    let limits = Limits { timeout: TIMEOUT, deadline: 2 * TIMEOUT };
    run(plan(&Arc::new(target_of_checks)), limits, &context.interrupt.flag(), &mut |_| {})
}

fn problem(outcome: &Outcome, files: &ComposeFiles) -> Problem {
    match &*outcome.name {
        "docker.compose" if *files != ComposeFiles::default() => {
            Problem::of_check(outcome, &format!("{} config", files.command()))
        }
        _ => Problem::of_check(outcome, "cargo xtask health"),
    }
}

/// Whether there is room for images, where the engine keeps them. Behind a virtual machine that folder is not here.
fn disk(client: &Client<'_>) -> anyhow::Result<Option<Problem>> {
    let folder = client.docker(["info", "--format", "{{.DockerRootDir}}"], QUICK)?;
    let folder = Path::new(folder.trim());
    let outcome = folder.is_dir().then(|| disk_at(folder)).filter(|it| it.status == Status::Err);
    Ok(outcome.map(|outcome| {
        Problem::new(format!("`{}`: {}", folder.display(), outcome.message))
            .hint("docker system df; docker system prune")
    }))
}

/// Returns a problem for each published port that another program or container holds.
fn ports(stack: &Stack, ours: &[Container], others: &[Container], is_here: bool) -> Vec<Problem> {
    let fixed = |port: &Port| port.is_tcp().then(|| port.published.as_deref()?.parse::<u16>().ok()).flatten();
    let mut problems = Vec::new();
    for service in &stack.services {
        for (port, host_ip) in
            stack.declared(service).ports.iter().filter_map(|port| Some((fixed(port)?, port.host_ip.as_deref())))
        {
            let mut holders = ours.iter().chain(others).filter(|it| it.runs() && it.host_ports.contains(&port));
            let holder = holders.next();
            // Its own old container gives it up. Another one of ours does not.
            if holder.is_some_and(|it| it.project == stack.name() && it.service == service.name) {
                continue;
            }
            let address = host_ip.filter(|ip| !ip.is_empty()).unwrap_or("0.0.0.0");
            let holder = match holder {
                Some(holder) => format!("container `{}`", holder.name),
                // On another machine, only a start of the container shows whether a program holds the port.
                None if is_here && TcpListener::bind((address, port)).is_err_and(is_in_use) => {
                    "another program".to_owned()
                }
                None => continue,
            };
            let name = &service.name;
            problems.push(
                Problem::new(format!("port {port}, which `{name}` publishes, is held by {holder}"))
                    .hint("stop it, or choose another port: `WEB_PORT` in `.env` for the stack that is carried here"),
            );
        }
    }
    problems
}

#[expect(clippy::needless_pass_by_value, reason = "as `is_err_and` hands it over")]
fn is_in_use(error: std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::AddrInUse
}

/// Whether a container that can be replaced keeps data where no other one finds it.
fn has_anonymous_volumes(stack: &Stack, ours: &[Container]) -> bool {
    let is_replaced = |it: &Container| stack.service(&it.service).is_some_and(|service| !service.is_third_party());
    ours.iter().any(|it| is_replaced(it) && !it.anonymous_volumes.is_empty())
}

/// Returns a problem for each service whose data no new container would find; `again` is the command with all consents.
fn irreplaceable(stack: &Stack, ours: &[Container], options: &Options, again: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for service in &stack.services {
        // It is left alone unless it changes, and a change is reported by the plan.
        if service.is_third_party() {
            continue;
        }
        let name = &service.name;
        for container in ours.iter().filter(|it| it.service == *name && !options.abandon_data) {
            for place in &container.anonymous_volumes {
                problems.push(
                    Problem::new(format!("`{name}` keeps data in a volume without a name (`{place}`), which a new container would not find"))
                        .hint(format!(
                        "name it in the Compose file: volumes: [\"{name}-data:{place}\"], and copy the data; or, to give it \
                         up: {again}"
                    )),
                );
            }
        }
    }
    problems
}

/// Asks for consent if `.env` sets another deployment method, and writes this one if `.env` sets none.
pub(super) fn settle_method(
    method: &Detected<DeployMethod>,
    options: &Options,
    context: &Context<'_>,
) -> anyhow::Result<()> {
    let (events, project) = (context.events, &context.project);
    match (&method.source, method.value) {
        (Source::EnvFile { .. }, DeployMethod::Docker) => Ok(()),
        (Source::EnvFile { line }, DeployMethod::Bare) => {
            let place =
                format!("`{ENV_FILE}` line {line}: `{DEPLOY_METHOD}` is `bare`, and this deploys with `docker`");
            let may_go_on = context.is_yes || context.is_interactive();
            if may_go_on {
                events.warning(Problem::new(&place));
            }
            if may_go_on && (context.is_yes || context.confirm("Deploy with Docker all the same?")?) {
                return Ok(());
            }
            let why = if context.is_interactive() { "declined" } else { context.why_not_asked() };
            let problem = Problem::new(format!("{place}: {why}: nothing was changed"));
            let hint = format!("cargo xtask install --method docker, or {}", options.command_line(true));
            Err(Failure::new(Exit::NotMet, problem.hint(hint)).into())
        }
        _ => {
            let docker = DeployMethod::Docker.as_str();
            let sample = envfile::read(project.sample_file())?.unwrap_or_default();
            let (change, _saved) = envfile::update(&project.env_file(), &sample, |file| {
                file.set(DEPLOY_METHOD, docker, Some(&sample))
                    .map_err(|error| anyhow::Error::new(Failure::usage(format!("`{ENV_FILE}`: {error}"))))
            })?;
            if change.is_some() {
                events.done(ENV_FILE, format!("`{DEPLOY_METHOD}={docker}` written: it was not set"));
            }
            Ok(())
        }
    }
}
