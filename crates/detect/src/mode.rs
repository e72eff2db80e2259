//! One word for callers that know no axes.

use crate::words::words;
use crate::{DeployMethod, Detected, Environment, Probes, Source};

words! {
    /// Both axes and the service manager folded into one word, for older callers. Nothing here decides by it.
    pub enum Mode {
        /// Development on this machine.
        Dev = "dev",
        /// Production on this machine, not under systemd.
        Prod = "prod",
        /// Docker Compose, in either environment.
        Docker = "docker",
        /// On this machine with the service's unit installed, in either environment.
        Systemd = "systemd",
    }
}

/// The mode: `docker` for that method; else `systemd` if the unit is installed; else the environment's name.
///
/// systemd is asked only when the method is `bare`.
#[must_use]
pub fn mode(
    environment: &Detected<Environment>,
    method: &Detected<DeployMethod>,
    probes: &dyn Probes,
) -> Detected<Mode> {
    let answer = |value, source: &Source| Detected { value, source: source.clone(), rejected: None, unanswered: None };
    if method.value == DeployMethod::Docker {
        return answer(Mode::Docker, &method.source);
    }
    let by_environment = match environment.value {
        Environment::Dev => answer(Mode::Dev, &environment.source),
        Environment::Prod => answer(Mode::Prod, &environment.source),
    };
    match probes.installed_unit() {
        Ok(Some(unit)) => answer(Mode::Systemd, &Source::InstalledUnit(unit)),
        Ok(None) => by_environment,
        Err(unanswered) => Detected { unanswered: Some(unanswered), ..by_environment },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probes::fixed::{Fixed, silent};
    use crate::{deploy_method, environment};
    use envfile::EnvFile;

    #[track_caller]
    fn check(env: &str, method: &str, probes: &Fixed, value: Mode, source: &str) -> Detected<Mode> {
        let file = EnvFile::parse(format!("DJANGO_ENV={env}\nDEPLOY_METHOD={method}\n").as_bytes());
        let detected = mode(&environment(&file), &deploy_method(&file, probes), probes);
        assert_eq!((detected.value, detected.source.to_string().as_str()), (value, source));
        detected
    }

    fn unit(name: Option<&str>) -> Fixed {
        Fixed { unit: Some(Ok(name.map(str::to_owned))), containers: None }
    }

    #[test]
    fn the_eight_cases_of_axes_and_unit() {
        let installed = unit(Some("app.service"));
        let absent = unit(None);
        let silent = Fixed::default();
        check("dev", "bare", &absent, Mode::Dev, ".env:1");
        check("prod", "bare", &absent, Mode::Prod, ".env:1");
        check("dev", "bare", &installed, Mode::Systemd, "installed unit: app.service");
        check("prod", "bare", &installed, Mode::Systemd, "installed unit: app.service");
        // With docker, systemd is not asked, so that the two cases of the unit are one each.
        check("dev", "docker", &silent, Mode::Docker, ".env:2");
        check("prod", "docker", &silent, Mode::Docker, ".env:2");
    }

    #[test]
    fn a_silent_systemd_is_remembered() {
        let silent = Fixed { unit: Some(silent("systemctl")), containers: None };
        let detected = check("prod", "bare", &silent, Mode::Prod, ".env:1");
        assert_eq!(detected.unanswered.expect("remembered").to_string(), "`systemctl`: no response in 2 s");
    }
}
