//! The first axis: which environment.

use envfile::EnvFile;

use crate::detected::{AxisValue, parse_axis};
use crate::words::words;
use crate::{Detected, Source};

/// The variable that holds the [`Environment`].
pub const DJANGO_ENV: &str = "DJANGO_ENV";

words! {
    /// The environment that the service runs in; the first axis.
    pub enum Environment {
        /// Development.
        Dev = "dev",
        /// Production.
        Prod = "prod",
    }
}

/// Detects the environment: the value in `.env`, else `dev`.
#[must_use]
pub fn environment(env: &EnvFile) -> Detected<Environment> {
    let default = |rejected| Detected { value: Environment::Dev, source: Source::Default, rejected, unanswered: None };
    match parse_axis(env, DJANGO_ENV) {
        AxisValue::Word(value, source) => Detected { value, source, ..default(None) },
        AxisValue::Unknown(rejected) => default(Some(rejected)),
        AxisValue::Nothing => default(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, value: Environment, source: &str, rejected: Option<&str>) {
        let detected = environment(&EnvFile::parse(file.as_bytes()));
        assert_eq!(detected.value, value);
        assert_eq!(detected.source.to_string(), source);
        assert_eq!(detected.rejected.map(|rejected| rejected.to_string()).as_deref(), rejected);
    }

    #[test]
    fn the_file_answers_or_it_is_dev() {
        check("", Environment::Dev, "default", None);
        check("DJANGO_ENV=\n", Environment::Dev, "default", None);
        check("DJANGO_ENV=prod\n", Environment::Prod, ".env:1", None);
        check("# x\nDJANGO_ENV=' PROD '\n", Environment::Prod, ".env:2", None);
        check("DJANGO_ENV=prod\nDJANGO_ENV=dev\n", Environment::Dev, ".env:2", None);
    }

    #[test]
    fn an_unknown_value_is_remembered_and_passed_over() {
        check(
            "\n\nDJANGO_ENV=production\n",
            Environment::Dev,
            "default",
            Some("`.env` line 3: unknown value `production` for `DJANGO_ENV`, expected `dev` or `prod`"),
        );
    }
}
