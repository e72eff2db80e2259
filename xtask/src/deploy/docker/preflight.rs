//! What has to be so before anything is changed; all that is wrong, at once.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use checks::catalogue::Selection;
use checks::group::core::disk_at;
use checks::{Limits, Outcome, Site, Status, plan, run};
use detect::{DEPLOY_METHOD, DeployMethod, Detected, ENV_FILE, Source};
use docker::Container;
use docker::compose::{Config, Port, is_at_least};
use subprocess::Deadline;

use super::engine::{Engine, SOON};
use super::foreign::{self, Foreign};
use super::stack::{Role, Stack};
use crate::cli;
use crate::deploy::record::{Records, Target};
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;
use crate::prompt;
use crate::typed;
use crate::world::World;

/// What of the checks is asked about.
const ASKED: [&str; 3] = ["env", "docker.daemon", "docker.compose"];
/// Since this version Compose has all that is used here.
const COMPOSE: (u32, u32) = (2, 20);
const TIMEOUT: Duration = Duration::from_secs(10);

/// What was found.
pub(super) struct Ground<'a> {
    pub(super) engine: Engine<'a>,
    pub(super) stack: Stack,
    pub(super) records: Records,
    /// What another checkout has deployed under the same name.
    pub(super) foreign: Vec<Foreign>,
    /// What `.env` says of the deployment method.
    pub(super) method: Detected<DeployMethod>,
    /// The versions, for the report.
    pub(super) versions: String,
}

/// Looks at everything.
pub(super) fn check<'a>(
    args: &cli::DeployDocker,
    world: &'a World<'_>,
    deferred: &Deferred,
) -> anyhow::Result<Ground<'a>> {
    let spinner = world.ui.spinner("pre-flight");
    let mut problems = Vec::new();
    let (site, method) = survey(world, deferred);
    problems.extend(method.rejected.iter().map(|rejected| {
        Problem::new(rejected.to_string()).hint("cargo xtask install --method docker, or mend the line by hand")
    }));
    let file = world.project.compose_file();
    let file = file.map(|file| world.project.relative(&file).display().to_string()).unwrap_or_default();
    let (secrets, environment) = (site.secrets.clone(), site.environment.value);
    let is_here = docker::host(&Deadline::within(TIMEOUT)).is_none();
    let outcomes = outcomes(site, deferred);
    deferred.check("pre-flight")?;
    let has_docker =
        !outcomes.iter().any(|it| it.name == "docker.daemon" && it.message.starts_with("command not found"));
    // What has been told already, above or by the check before it.
    let is_ours = |outcome: &&Outcome| match &*outcome.name {
        "env.axes" => method.rejected.is_none(),
        "docker.compose" => has_docker,
        _ => true,
    };
    // Who can read the file makes no deploy fail, and is a thing to know.
    let (warnings, errors): (Vec<_>, Vec<_>) =
        outcomes.iter().filter(|it| it.status == Status::Err).filter(is_ours).partition(|it| it.name == "env.mode");
    problems.extend(errors.into_iter().map(|outcome| problem(outcome, &file)));

    let mut engine = Engine { project: &world.project, file: file.clone(), secrets, stop: deferred.flag() };
    let is_ok = |name: &str| outcomes.iter().any(|it| it.name == name && it.status == Status::Ok);
    let mut stack = None;
    let mut versions = String::new();
    let mut engine_id = String::new();
    let mut foreign = Vec::new();
    if is_ok("docker.compose") {
        let version = engine.docker(["compose", "version", "--short"], SOON)?;
        versions = format!("Compose {}", version.trim());
        if !is_at_least(&version, COMPOSE) {
            let (major, minor) = COMPOSE;
            problems.push(
                Problem::new(format!("Compose {major}.{minor} or later is needed, this is {}", version.trim()))
                    .hint("update the Compose plugin of Docker"),
            );
        }
        let config = config(&engine)?;
        engine.secrets = engine.secrets.clone().and(config.secrets());
        stack = Stack::of(config).map_err(|problem| problems.push(problem)).ok();
    }
    if let (Some(stack), true) = (&stack, is_ok("docker.daemon")) {
        let version = engine.docker(["version", "--format", "{{.Server.Version}}"], SOON)?;
        versions = format!("Docker {}, {versions}", version.trim());
        engine.docker(["info", "--format", "{{.ID}}"], SOON)?.trim().clone_into(&mut engine_id);
        let everybody = engine.everybody()?;
        let (ours, others): (Vec<_>, Vec<_>) = everybody.into_iter().partition(|it| it.project == stack.name());
        problems.extend(ports(stack, &ours, &others, is_here));
        // Those that are stopped have data as well.
        let ours = engine.containers(stack.name())?;
        foreign = foreign::find(&ours, stack, &engine, environment);
        // A hint names all the consents that the deploy needs.
        let wanted = cli::DeployDocker {
            abandon_data: args.abandon_data || has_anonymous_volumes(stack, &ours),
            ..foreign::consented(&foreign, args)
        };
        let again = typed::deploy_docker(&wanted, world.common.yes);
        problems.extend(unreplaceable(stack, &ours, args, &again));
        problems.extend(foreign::problems(&foreign, args, &again, &engine, world));
        if is_here {
            problems.extend(disk(&engine)?);
        }
    }
    drop(spinner);
    for outcome in warnings {
        world.ui.warning(&problem(outcome, &file));
    }
    match stack {
        Some(stack) if problems.is_empty() => {
            let target =
                Target { command: "deploy-docker".to_owned(), engine: engine_id, project: stack.name().to_owned() };
            let records = Records::of(&world.project, target);
            Ok(Ground { engine, stack, records, foreign, method, versions })
        }
        _ => Err(Failure { exit: Exit::NotMet, problems }.into()),
    }
}

/// The project, as it is going to be: with `DEPLOY_METHOD=docker`, whatever the file says by now.
fn survey(world: &World<'_>, deferred: &Deferred) -> (Site, Detected<DeployMethod>) {
    let only = ASKED.iter().filter_map(|name| name.parse().ok()).collect();
    let selection = Selection { only, skip: Vec::new() };
    let (project, machine) = (world.project.clone(), &world.host.machine);
    let mut site = Site::survey(project, machine, selection, TIMEOUT, deferred.flag());
    let method = site.deploy_method.clone();
    site.deploy_method.value = DeployMethod::Docker;
    (site, method)
}

fn outcomes(site: Site, deferred: &Deferred) -> Vec<Outcome> {
    let limits = Limits { timeout: TIMEOUT, deadline: 2 * TIMEOUT };
    run(plan(&Arc::new(site)), limits, &deferred.flag(), &mut |_| {})
}

/// An outcome with all that it found, as a problem.
fn problem(outcome: &Outcome, file: &str) -> Problem {
    let findings = outcome.findings.iter().filter(|finding| finding.status == Status::Err);
    let findings = findings.flat_map(|finding| finding.message.lines()).map(|line| format!("\n  {line}"));
    let output = outcome.output.iter().map(|line| format!("\n  | {line}"));
    let message = format!("{}: {}", outcome.name, outcome.message);
    let hint = outcome.hint.clone().unwrap_or_else(|| match &*outcome.name {
        "docker.compose" if !file.is_empty() => format!("docker compose -f {file} config"),
        _ => "cargo xtask health".to_owned(),
    });
    Problem::new(message + &findings.chain(output).collect::<String>()).hint(hint)
}

fn config(engine: &Engine<'_>) -> anyhow::Result<Config> {
    let text = engine.compose(&[], ["config", "--format", "json"], SOON)?;
    serde_json::from_str(&text).map_err(|error| {
        // Where it stops making sense, and not what stands there.
        let message = format!("`docker compose config` is not understood: line {}", error.line());
        Failure::new(Exit::NotMet, Problem::new(message)).into()
    })
}

/// Whether there is room for images, where the engine keeps them. Behind a virtual machine that folder is not here.
fn disk(engine: &Engine<'_>) -> anyhow::Result<Option<Problem>> {
    let folder = engine.docker(["info", "--format", "{{.DockerRootDir}}"], SOON)?;
    let folder = Path::new(folder.trim());
    let outcome = folder.is_dir().then(|| disk_at(folder)).filter(|it| it.status == Status::Err);
    Ok(outcome.map(|outcome| {
        Problem::new(format!("`{}`: {}", folder.display(), outcome.message))
            .hint("docker system df; docker system prune")
    }))
}

/// The ports that somebody else has.
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
                // Who binds it on another machine is only known to that one, and told when the container starts.
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
    let is_replaced = |it: &Container| stack.service(&it.service).is_some_and(|service| service.role != Role::Backing);
    ours.iter().any(|it| is_replaced(it) && !it.anonymous_volumes.is_empty())
}

/// What no second container can be made beside; `again` is this run with all consents.
fn unreplaceable(stack: &Stack, ours: &[Container], args: &cli::DeployDocker, again: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for service in &stack.services {
        // What the others rest on is left alone as long as it does not change, and if it does, that is told then.
        if service.role == Role::Backing {
            continue;
        }
        let name = &service.name;
        if let Some(container) = &stack.declared(service).container_name {
            problems.push(
                Problem::new(format!(
                    "`{name}` has the `container_name` `{container}`, so that no new one can be made beside it"
                ))
                .hint("take `container_name` out of the Compose file: Compose gives names by itself"),
            );
        }
        for container in ours.iter().filter(|it| it.service == *name && !args.abandon_data) {
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

/// Whether this is what is wanted, when `.env` says something else; writes it where `.env` says nothing.
pub(super) fn settle_method(
    method: &Detected<DeployMethod>,
    args: &cli::DeployDocker,
    world: &World<'_>,
) -> anyhow::Result<()> {
    let (ui, project) = (world.ui, &world.project);
    match (&method.source, method.value) {
        (Source::EnvFile { .. }, DeployMethod::Docker) => Ok(()),
        (Source::EnvFile { line }, DeployMethod::Bare) => {
            let place =
                format!("`{ENV_FILE}` line {line}: `{DEPLOY_METHOD}` is `bare`, and this deploys with `docker`");
            let may_go_on = world.common.yes || world.is_interactive();
            if may_go_on {
                ui.warning(&Problem::new(&place));
            }
            if may_go_on && (world.common.yes || prompt::confirm("Deploy with Docker all the same?")?) {
                return Ok(());
            }
            let why = if world.is_interactive() { "declined" } else { world.why_not_asked() };
            let problem = Problem::new(format!("{place}: {why}: nothing was changed"));
            let hint = format!("cargo xtask install --method docker, or {}", typed::deploy_docker(args, true));
            Err(Failure::new(Exit::NotMet, problem.hint(hint)).into())
        }
        _ => {
            let docker = DeployMethod::Docker.as_str();
            let sample = envfile::read(&project.sample_file())?.unwrap_or_default();
            let (change, _saved) = envfile::update(&project.env_file(), &sample, |file| {
                file.set(DEPLOY_METHOD, docker, Some(&sample))
                    .map_err(|error| anyhow::Error::new(Failure::usage(format!("`{ENV_FILE}`: {error}"))))
            })?;
            if change.is_some() {
                ui.done(ENV_FILE, format_args!("`{DEPLOY_METHOD}={docker}` written: it said nothing of it"));
            }
            Ok(())
        }
    }
}
