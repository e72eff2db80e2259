//! The second axis: how the service is deployed.

use envfile::EnvFile;

use crate::detected::{AxisValue, parse_axis};
use crate::words::words;
use crate::{Detected, Probes, Source};

/// The variable that holds the [`DeployMethod`].
pub const DEPLOY_METHOD: &str = "DEPLOY_METHOD";

words! {
    /// The method that the service is deployed with; the second axis. systemd is a service manager within `bare`, not
    /// a method of its own.
    pub enum DeployMethod {
        /// On this machine.
        Bare = "bare",
        /// In Docker Compose.
        Docker = "docker",
    }
}

/// Detects the deployment method: the value in `.env`; else `docker` if containers of this project run; else `bare`.
///
/// Docker is asked only when the file did not answer.
#[must_use]
pub fn deploy_method(env: &EnvFile, probes: &dyn Probes) -> Detected<DeployMethod> {
    let rejected = match parse_axis(env, DEPLOY_METHOD) {
        AxisValue::Word(value, source) => return Detected { value, source, rejected: None, unanswered: None },
        AxisValue::Unknown(rejected) => Some(rejected),
        AxisValue::Nothing => None,
    };
    let (value, source, unanswered) = match probes.running_containers() {
        Ok(names) if names.is_empty() => (DeployMethod::Bare, Source::Default, None),
        Ok(mut names) => {
            names.sort();
            (DeployMethod::Docker, Source::RunningContainers(names), None)
        }
        Err(unanswered) => (DeployMethod::Bare, Source::Default, Some(unanswered)),
    };
    Detected { value, source, rejected, unanswered }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probes::fixed::{Fixed, silent};

    fn running(names: &[&str]) -> Fixed {
        Fixed { containers: Some(Ok(names.iter().map(ToString::to_string).collect())), unit: None }
    }

    #[track_caller]
    fn check(file: &str, probes: &Fixed, value: DeployMethod, source: &str) -> Detected<DeployMethod> {
        let detected = deploy_method(&EnvFile::parse(file.as_bytes()), probes);
        assert_eq!(detected.value, value);
        assert_eq!(detected.source.to_string(), source);
        detected
    }

    #[test]
    fn the_file_answers_without_asking_docker() {
        let silent = Fixed::default();
        check("DEPLOY_METHOD=bare\n", &silent, DeployMethod::Bare, ".env:1");
        check("A=1\nDEPLOY_METHOD=Docker\n", &silent, DeployMethod::Docker, ".env:2");
    }

    #[test]
    fn without_an_answer_in_the_file_running_containers_decide() {
        check("", &running(&["b", "a"]), DeployMethod::Docker, "running containers: a, b");
        check("DEPLOY_METHOD=\n", &running(&["a"]), DeployMethod::Docker, "running containers: a");
        check("", &running(&[]), DeployMethod::Bare, "default");
    }

    #[test]
    fn an_unknown_value_is_remembered_and_docker_is_asked() {
        let detected =
            check("DEPLOY_METHOD=systemd\n", &running(&["a"]), DeployMethod::Docker, "running containers: a");
        assert_eq!(
            detected.rejected.expect("remembered").to_string(),
            "`.env` line 1: unknown value `systemd` for `DEPLOY_METHOD`, expected `bare` or `docker`"
        );
    }

    #[test]
    fn a_silent_docker_is_remembered() {
        let silent = Fixed { containers: Some(silent("docker")), unit: None };
        let detected = check("", &silent, DeployMethod::Bare, "default");
        assert_eq!(detected.unanswered.expect("remembered").to_string(), "`docker`: no response in 2 s");
    }
}
