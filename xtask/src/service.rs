//! The deployed service: how it was deployed, and whether it serves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use checks::catalogue::Selection;
use checks::{Limits, Outcome, Status, Target, plan, report};
use detect::{DeployMethod, Probes};

use crate::cli;
use crate::context::Context;
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;

/// The pause between two attempts to reach a service that starts.
const POLL: Duration = Duration::from_millis(500);

/// The program that runs a deployed service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// Docker Compose.
    Compose,
    /// systemd.
    Systemd,
}

impl Runner {
    /// Returns the program that runs the service of a checkout; `None` in `bare` without an installed unit.
    pub(crate) fn of(method: DeployMethod, context: &Context<'_>) -> anyhow::Result<Option<Runner>> {
        if method == DeployMethod::Docker {
            return Ok(Some(Runner::Compose));
        }
        let unit = context.probes().installed_unit();
        let unit = unit.map_err(|unanswered| Failure::new(Exit::NotMet, Problem::new(unanswered.to_string())))?;
        Ok(unit.map(|_| Runner::Systemd))
    }
}

/// Returns the command that deploys with a method.
pub(crate) fn deploy_command(method: DeployMethod) -> &'static str {
    match method {
        DeployMethod::Docker => "cargo xtask deploy-docker",
        DeployMethod::Bare => "cargo xtask deploy-systemd",
    }
}

/// The state of the containers or units, and whether the service responds.
pub(crate) struct Service {
    pub(crate) outcomes: Vec<Outcome>,
    /// The check that requests the service.
    http: &'static str,
}

impl Service {
    /// Examines the service once.
    pub(crate) fn examine(method: DeployMethod, deferred: &Deferred, context: &Context<'_>) -> anyhow::Result<Self> {
        let (checks, http) = match method {
            DeployMethod::Docker => (["docker.service", "docker.http"], "docker.http"),
            DeployMethod::Bare => (["systemd.unit", "systemd.http"], "systemd.http"),
        };
        let only = checks.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
        let selection = Selection { only, skip: Vec::new() };
        let spinner = context.ui.spinner("looking for the service");
        let (project, facts) = (context.project.clone(), &context.host.facts);
        let mut target = Target::survey(project, facts, selection, cli::HEALTH_TIMEOUT, deferred.flag());
        target.deploy_method.value = method;
        let limits = Limits { timeout: cli::HEALTH_TIMEOUT, deadline: cli::HEALTH_DEADLINE };
        let outcomes = checks::run(plan(&Arc::new(target)), limits, &deferred.flag(), &mut |_| {});
        drop(spinner);
        deferred.check("looking for the service")?;
        Ok(Service { outcomes, http })
    }

    /// Examines the service until it responds, or until the time is over.
    pub(crate) fn wait(
        method: DeployMethod,
        timeout: Duration,
        deferred: &Deferred,
        context: &Context<'_>,
    ) -> anyhow::Result<Self> {
        let end = Instant::now() + timeout;
        loop {
            let service = Service::examine(method, deferred, context)?;
            if service.is_serving() || Instant::now() >= end {
                return Ok(service);
            }
            deferred.pause(POLL);
        }
    }

    /// Whether the service responds.
    pub(crate) fn is_serving(&self) -> bool {
        self.outcomes.iter().any(|outcome| &*outcome.name == self.http && outcome.status == Status::Ok)
    }

    /// Prints a line for each container or unit, and for the response.
    pub(crate) fn print(&self, context: &Context<'_>) {
        let width = self.outcomes.iter().map(|outcome| outcome.name.len()).max().unwrap_or_default();
        let mut hints = Vec::new();
        for outcome in &self.outcomes {
            let mut outcome = context.ui.typed_outcome(outcome.clone());
            // The same one for several services is shown once.
            outcome.hint = outcome.hint.filter(|hint| !hints.contains(hint));
            hints.extend(outcome.hint.clone());
            for line in report::outcome(&outcome, width, context.ui.is_verbose(), context.ui.out()) {
                context.ui.result(line);
            }
        }
    }
}
