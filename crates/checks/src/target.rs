//! The subject of the checks: the checkout, its `.env`, its axes, and facts of this machine.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use detect::{DeployMethod, Detected, Environment, Mode, Source, deploy_method, environment, mode};
use envfile::EnvFile;
use project::secret::Secrets;
use project::{Project, UvSettings, Variable, variables};

use crate::ServiceContext;
use crate::catalogue::{Group, Selection};
use crate::group::core::interpreter;
use crate::probes::SystemProbes;

/// Facts of the machine and the call.
#[derive(Clone)]
pub struct HostFacts {
    /// Whether systemd is this machine's service manager (see `sd_booted(3)`).
    pub has_systemd: bool,
    /// The variables of uv in the caller's environment.
    pub uv: UvSettings,
    /// Secrets of the caller's environment, which programs inherit and may print.
    pub secrets: Vec<String>,
}

/// Shows no secret.
impl fmt::Debug for HostFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HostFacts { has_systemd, uv, .. } = self;
        f.debug_struct("HostFacts").field("has_systemd", has_systemd).field("uv", uv).finish_non_exhaustive()
    }
}

/// The subject of the checks.
pub struct Target {
    /// The checkout that is checked.
    pub project: Project,
    /// Its `.env`; none if there is none, and why it cannot be read.
    pub env_file: Result<Option<EnvFile>, envfile::Error>,
    /// The variables of the sample; `None` if there is no such file, the error if it cannot be read.
    pub sample: Result<Option<EnvFile>, envfile::Error>,
    /// The environment, with the source of the value.
    pub environment: Detected<Environment>,
    /// The deployment method, with the source of the value.
    pub deploy_method: Detected<DeployMethod>,
    /// Both axes in one word, for older callers.
    pub mode: Detected<Mode>,
    /// Whether the service's unit is installed. Also true if systemd does not respond.
    pub is_unit_installed: bool,
    /// The virtual environment of the service.
    pub venv: PathBuf,
    /// The variables of uv, with those of `.env`.
    pub uv: UvSettings,
    /// The secrets that are redacted in the output of programs.
    pub secrets: Secrets,
    /// The checks that are selected.
    pub selection: Selection,
    variables: Vec<(String, String)>,
}

impl Target {
    /// Reads `.env` and detects the axes; Docker and systemd may be asked, with `timeout` for each response. Files that
    /// cannot be read are remembered, for the checks to report.
    #[must_use]
    pub fn survey(
        project: Project,
        machine: &HostFacts,
        selection: Selection,
        timeout: Duration,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let env_file = envfile::read(&project.env_file());
        let sample = envfile::read(project.sample_file());
        let nothing = EnvFile::default();
        let file = env_file.as_ref().ok().and_then(Option::as_ref).unwrap_or(&nothing);
        let probes = SystemProbes { project: &project, has_systemd: machine.has_systemd, timeout, stop };
        let (environment, deploy_method, mode) = if env_file.is_ok() {
            let (environment, deploy_method) = (environment(file), deploy_method(file, &probes));
            let mode = mode(&environment, &deploy_method, &probes);
            (environment, deploy_method, mode)
        } else {
            // Nothing is judged by defaults that the file may contradict.
            let (environment, deploy_method) = (Environment::Dev, DeployMethod::Bare);
            let mode = Detected::unreadable(Mode::Dev);
            (Detected::unreadable(environment), Detected::unreadable(deploy_method), mode)
        };
        // On its way to the mode it has asked systemd. One that does not answer is worth a closer look, too.
        let is_unit_installed = matches!(mode.source, Source::InstalledUnit(_)) || mode.unanswered.is_some();
        let uv = machine.uv.with(file);
        let venv = uv.venv_of(&project);
        let secrets = Secrets::of([file]).and(machine.secrets.iter().cloned());
        let variables = variables(file);
        Target {
            project,
            env_file,
            sample,
            environment,
            deploy_method,
            mode,
            is_unit_installed,
            venv,
            uv,
            secrets,
            selection,
            variables,
        }
    }

    /// Returns the parts that the checks of a service on this machine work with.
    #[must_use]
    pub fn ground(&self) -> ServiceContext<'_> {
        ServiceContext { project: &self.project, venv: &self.venv, variables: &self.variables, secrets: &self.secrets }
    }

    /// Returns why the checkout needs no virtual environment: a release serves, which has one of its own.
    #[must_use]
    pub fn serves_elsewhere(&self) -> Option<String> {
        let Target { project, environment, deploy_method, .. } = self;
        let is_deployed = self.is_unit_installed && project.is_deployed(environment.value, deploy_method.value);
        let venv = UvSettings::default().venv_of(project);
        let release = project.install_dir();
        let venv = release.join(venv.strip_prefix(&project.root).unwrap_or(&venv));
        let serves = is_deployed && release.is_symlink() && interpreter(&venv).exists();
        serves.then(|| format!("`{}` serves a release with a virtual environment of its own", release.display()))
    }

    /// Why a group does not run here, if it does not.
    #[must_use]
    pub fn absent(&self, group: Group) -> Option<&'static str> {
        if self.env_file.is_err() && group != Group::Env {
            return Some("`.env` cannot be read");
        }
        group.absent(self.environment.value, self.deploy_method.value, self.is_unit_installed)
    }

    /// `.env`, as far as there is one that can be read.
    #[must_use]
    pub fn env(&self) -> Option<&EnvFile> {
        self.env_file.as_ref().ok().and_then(Option::as_ref)
    }

    /// Returns the value of a variable in `.env`, as the matrix compares it; an empty one is an unset one.
    #[must_use]
    pub fn value(&self, variable: Variable) -> Option<String> {
        let get = |name: &str| Some(self.env()?.get(name)?.value);
        self.project.names.value(variable, get).filter(|value| !value.trim().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use project::Settings;

    use super::*;

    #[test]
    fn a_checkout_whose_release_serves_needs_no_virtual_environment() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path().canonicalize().expect("a folder");
        for folder in ["deploy/systemd", "releases/1/.venv/bin"] {
            fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        fs::write(root.join("releases/1/.venv/bin/python"), "").expect("written");
        fs::write(root.join("manage.py"), "").expect("written");
        fs::write(root.join(".env"), "DJANGO_ENV=prod\nDEPLOY_METHOD=bare\n").expect("written");
        let settings = Settings { install_dir: Some("live".into()), ..Settings::default() };
        let project = Project::with(root.clone(), settings).expect("a project");
        let facts = HostFacts { has_systemd: false, uv: UvSettings::default(), secrets: Vec::new() };
        let mut target = Target::survey(project, &facts, Selection::default(), crate::PROBE_TIMEOUT, Arc::default());
        target.is_unit_installed = true;
        assert_eq!(target.serves_elsewhere(), None, "nothing was deployed yet");
        std::os::unix::fs::symlink("releases/1", root.join("live")).expect("linked");
        let expected =
            format!("`{}` serves a release with a virtual environment of its own", root.join("live").display());
        assert_eq!(target.serves_elsewhere(), Some(expected));
        target.environment.value = Environment::Dev;
        assert_eq!(target.serves_elsewhere(), None);
    }
}
