//! The groups of checks, a file each.

pub mod core;
mod dev;
pub mod django;
pub mod docker;
pub mod env;
pub mod systemd;

use std::path::Path;
use std::sync::Arc;

use project::Project;
use project::secret::Secrets;

use crate::catalogue::Group;
use crate::outcome::Outcome;
use crate::run::Probe;
use crate::{CheckName, Target};

/// The parts of a checkout that the checks of a service on this machine work with.
#[derive(Clone, Copy)]
pub struct ServiceContext<'a> {
    /// The checkout that the service belongs to.
    pub project: &'a Project,
    /// The virtual environment of the service.
    pub venv: &'a Path,
    /// The variables of `.env`, on top of the inherited environment.
    pub variables: &'a [(String, String)],
    /// The secrets that are redacted in the output of programs.
    pub secrets: &'a Secrets,
}

/// The probes that answer the checks that are wanted and have a meaning for these axes. A check that was asked for
/// by name and has none is answered as well: with why not.
#[must_use]
pub fn plan(target: &Arc<Target>) -> Vec<Probe> {
    let mut probes = Vec::new();
    for group in Group::ALL {
        match target.absent(group) {
            None => probes.extend(match group {
                Group::Env => env::probes(target),
                Group::Core => core::probes(target),
                Group::Django => django::probes(target),
                Group::Dev => dev::probes(target),
                Group::Docker => docker::probes(target),
                Group::Systemd => systemd::probes(target),
            }),
            Some(reason) => probes.extend(absent(group, reason, target)),
        }
    }
    probes.into_iter().filter_map(|probe| probe.wanted(&target.selection)).collect()
}

/// Answers those checks of a group that has no meaning here that were asked for by name.
fn absent(group: Group, reason: &'static str, target: &Target) -> Option<Probe> {
    let is_asked_for = |name: &CheckName| Group::of(name) == Some(group) && target.selection.asks_for(name);
    let checks: Vec<_> = CheckName::all().filter(is_asked_for).collect();
    let outcomes: Vec<_> = checks.iter().cloned().map(|name| Outcome::skip(name.plain(), reason)).collect();
    (!checks.is_empty()).then(|| Probe::new(checks, move |_| outcomes))
}
