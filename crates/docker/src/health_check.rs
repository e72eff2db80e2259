//! The health check of a container: that of its service in the Compose file, and for what is not set there, that of its image.

use std::time::Duration;

use serde::Deserialize;

use crate::compose::is_at_least;
use crate::container::{HOLD_FILE, HOLD_MARK};

/// The first Engine that checks more often at the start.
const START_INTERVAL: (u32, u32) = (25, 0);
/// Docker's defaults.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
const DEFAULT_RETRIES: u32 = 3;
const DEFAULT_START_INTERVAL: Duration = Duration::from_secs(5);

/// The health check of a service. The times are as Compose writes them, such as `1m30s`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct HealthCheck {
    /// Whether the health check of the image is switched off.
    pub disable: bool,
    interval: Option<String>,
    start_period: Option<String>,
    start_interval: Option<String>,
    timeout: Option<String>,
    retries: Option<u32>,
    test: Option<Test>,
}

/// The command of a health check.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Test {
    Shell(String),
    Words(Vec<String>),
}

/// The health check of an image, as `docker image inspect` prints it: the times in nanoseconds, 0 where they are not set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageHealthCheck {
    test: Vec<String>,
    interval: u64,
    start_period: u64,
    start_interval: u64,
}

impl ImageHealthCheck {
    /// Returns whether the image has one: an image can switch off that of its base.
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.test.first().is_some_and(|kind| kind != "NONE")
    }
}

/// Fails while the file is there, and runs the health check itself otherwise.
const HELD: &str = "import os, sys\nif os.path.exists(sys.argv[1]):\n    print(sys.argv[2])\n    sys.exit(1)\nos.execvp(sys.argv[3], sys.argv[3:])";

impl HealthCheck {
    /// Returns the command of this health check, as the Compose file has it, so that it fails while [`HOLD_FILE`] is there;
    /// `None` if the Compose file has no command. The image needs `python3`, or the shell that the command needs anyway.
    #[must_use]
    pub fn held_test(&self) -> Option<Vec<String>> {
        let shell = |command: &str| {
            let held = format!("if [ -e {HOLD_FILE} ]; then echo '{HOLD_MARK}'; exit 1; fi; {command}");
            vec!["CMD-SHELL".to_owned(), held]
        };
        if self.disable {
            return None;
        }
        match self.test.as_ref()? {
            Test::Shell(command) => Some(shell(command)),
            Test::Words(words) => match words.split_first() {
                Some((kind, [command])) if kind == "CMD-SHELL" => Some(shell(command)),
                Some((kind, command)) if kind == "CMD" && !command.is_empty() => {
                    let held = ["CMD", "python3", "-c", HELD, HOLD_FILE, HOLD_MARK].map(str::to_owned);
                    Some(held.into_iter().chain(command.iter().cloned()).collect())
                }
                _ => None,
            },
        }
    }

    /// Returns the time in which the engine calls a container unhealthy whose health check begins to fail, at the latest.
    #[must_use]
    pub fn time_to_unhealthy(&self) -> Duration {
        let time = |text: &Option<String>| {
            let time = text.as_deref().and_then(|text| humantime::parse_duration(text).ok());
            time.filter(|time| !time.is_zero()).unwrap_or(DEFAULT_INTERVAL)
        };
        let retries = self.retries.filter(|retries| *retries > 0).unwrap_or(DEFAULT_RETRIES);
        (time(&self.interval) + time(&self.timeout)) * (retries + 1)
    }

    /// Returns the time from the start of a container to the end of its first interval: Docker checks for the first time
    /// then, and before it no container is healthy. What the service does not set is that of the image, as the engine has it.
    #[must_use]
    pub fn first_health_check(&self, image: &ImageHealthCheck, engine_version: &str) -> Duration {
        let set = |text: &Option<String>, of_image: u64| {
            let own = text.as_deref().and_then(|text| humantime::parse_duration(text).ok());
            let mut times = own.into_iter().chain([Duration::from_nanos(of_image)]);
            times.find(|time| !time.is_zero())
        };
        let interval = set(&self.interval, image.interval).unwrap_or(DEFAULT_INTERVAL);
        let has_start = set(&self.start_period, image.start_period).is_some();
        if is_at_least(engine_version, START_INTERVAL) && has_start {
            return set(&self.start_interval, image.start_interval).unwrap_or(DEFAULT_START_INTERVAL);
        }
        interval
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(of_service: &str, of_image: &str, before_25: u64, since_25: u64) {
        let health_check: HealthCheck = serde_json::from_str(of_service).expect("a health check");
        let image: Option<ImageHealthCheck> = serde_json::from_str(of_image).expect("a health check");
        let image = image.unwrap_or_default();
        let seconds = |engine| health_check.first_health_check(&image, engine).as_secs();
        assert_eq!((seconds("24.0.7"), seconds("25.0.3")), (before_25, since_25), "{of_service} {of_image}");
    }

    #[test]
    fn the_first_health_check() {
        check("{}", "null", 30, 30);
        check(r#"{"interval": "1m30s"}"#, "null", 90, 90);
        check(r#"{"interval": "0s", "start_period": "0s"}"#, "null", 30, 30);
        check(r#"{"interval": "1m30s", "start_period": "10s"}"#, "null", 90, 5);
        check(r#"{"interval": "1m30s", "start_period": "10s", "start_interval": "2s"}"#, "null", 90, 2);
        check(r#"{"interval": "2s", "start_interval": "1s"}"#, "null", 2, 2);
    }

    #[test]
    fn what_a_service_does_not_set_is_that_of_the_image() {
        let late = r#"{"Test": ["CMD", "true"], "Interval": 90000000000, "StartPeriod": 5000000000}"#;
        check("{}", late, 90, 5);
        check(r#"{"interval": "3s"}"#, late, 3, 5);
        check(r#"{"start_interval": "1s"}"#, late, 90, 1);
    }

    #[test]
    fn a_test_fails_while_the_file_is_there() {
        let held = |json: &str| serde_json::from_str::<HealthCheck>(json).expect("a health check").held_test();
        let shell = held(r#"{"test": ["CMD-SHELL", "curl -f localhost || exit 1"]}"#).expect("held");
        let expected = "if [ -e /.xtask-hold ]; then echo 'xtask: held out of the rotation'; exit 1; fi; curl -f localhost || exit 1";
        assert_eq!(shell, ["CMD-SHELL", expected]);
        assert_eq!(held(r#"{"test": "curl -f localhost || exit 1"}"#).expect("held"), shell);
        let words = held(r#"{"test": ["CMD", "python", "probe.py"]}"#).expect("held");
        assert_eq!(words[..3], ["CMD", "python3", "-c"]);
        assert_eq!(words[4..], ["/.xtask-hold", "xtask: held out of the rotation", "python", "probe.py"]);
        for none in
            [r#"{"test": ["NONE"]}"#, r#"{"disable": true, "test": ["CMD", "x"]}"#, "{}", r#"{"test": ["CMD"]}"#]
        {
            assert_eq!(held(none), None, "{none}");
        }
    }

    #[test]
    fn the_time_until_a_failing_container_is_unhealthy() {
        let seconds =
            |json: &str| serde_json::from_str::<HealthCheck>(json).expect("JSON").time_to_unhealthy().as_secs();
        assert_eq!(seconds(r#"{"interval": "5s", "timeout": "3s", "retries": 2}"#), 24);
        assert_eq!(seconds("{}"), 240);
    }

    #[test]
    fn an_image_can_switch_it_off() {
        let parsed = |text| serde_json::from_str::<ImageHealthCheck>(text).expect("a health check").is_some();
        assert!(parsed(r#"{"Test": ["CMD-SHELL", "true"]}"#));
        assert!(!parsed(r#"{"Test": ["NONE"]}"#) && !parsed("{}"));
    }
}
