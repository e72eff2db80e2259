//! The matrix: the variables that `install` sets in `.env` for each combination of the two axes, and their policies.

use detect::{DeployMethod, Environment};

use crate::secret::is_secret;
use crate::value::{OF_SAMPLE, is_sample_secret, unusable_reason};

/// Whether Django shows tracebacks to every visitor.
pub const DJANGO_DEBUG: &str = "DJANGO_DEBUG";
/// The key that signs sessions and tokens; a secret.
pub const DJANGO_SECRET_KEY: &str = "DJANGO_SECRET_KEY";
/// The host names that the service answers to, separated by commas.
pub const DJANGO_ALLOWED_HOSTS: &str = "DJANGO_ALLOWED_HOSTS";
/// Where the task queue is.
pub const CELERY_BROKER_URL: &str = "CELERY_BROKER_URL";
/// Runs tasks inside the request.
pub const CELERY_TASK_ALWAYS_EAGER: &str = "CELERY_TASK_ALWAYS_EAGER";

/// How a variable comes by its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Set to this value, over any other one.
    Force(&'static str),
    /// Asked for. Enter, and a run without a terminal, keep the existing value, or else take this one.
    Prompt(&'static str),
    /// As [`Prompt`](Self::Prompt): the existing value, else this one.
    Default(&'static str),
    /// A generated secret is offered, and may be declined.
    OptionalGenerate,
    /// A generated secret is offered, else one is asked for; an empty answer leaves it unset.
    PromptGenerate,
    /// A generated secret is offered, else one is asked for until there is one.
    RequiredGenerate,
    /// Asked for until there is an answer; without a terminal, a missing one is an error.
    Required,
    /// Asked for; an empty answer leaves it unset.
    Optional,
    /// Neither asked for nor touched: the Compose file provides it.
    Skip,
}

use Policy::{Default, Force, Optional, OptionalGenerate, Prompt, PromptGenerate, Required, RequiredGenerate, Skip};

/// The hosts of a machine that serves itself.
const LOOPBACK: &str = "localhost,127.0.0.1";

/// One row a variable, one column a combination.
#[rustfmt::skip]
pub const MATRIX: [(&str, [Policy; 4]); 5] = [
    //                          dev+bare           dev+docker         prod+bare         prod+docker
    (DJANGO_DEBUG,             [Prompt("1"),       Prompt("1"),       Force("0"),       Prompt("0")      ]),
    (DJANGO_SECRET_KEY,        [OptionalGenerate,  PromptGenerate,    RequiredGenerate, RequiredGenerate ]),
    (DJANGO_ALLOWED_HOSTS,     [Default(LOOPBACK), Default(LOOPBACK), Required,         Required         ]),
    (CELERY_BROKER_URL,        [Optional,          Skip,              Required,         Skip             ]),
    (CELERY_TASK_ALWAYS_EAGER, [Prompt("1"),       Force("0"),        Force("0"),       Force("0")       ]),
];

/// The rows of [`MATRIX`] with the policy that holds for this combination.
pub fn policies(environment: Environment, method: DeployMethod) -> impl Iterator<Item = (&'static str, Policy)> {
    let column = match (environment, method) {
        (Environment::Dev, DeployMethod::Bare) => 0,
        (Environment::Dev, DeployMethod::Docker) => 1,
        (Environment::Prod, DeployMethod::Bare) => 2,
        (Environment::Prod, DeployMethod::Docker) => 3,
    };
    MATRIX.into_iter().map(move |(variable, policies)| (variable, policies[column]))
}

impl Policy {
    /// The value that the table itself gives, where it gives one.
    #[must_use]
    pub const fn value(self) -> Option<&'static str> {
        match self {
            Policy::Force(value) | Policy::Prompt(value) | Policy::Default(value) => Some(value),
            _ => None,
        }
    }
}

/// The policy of a variable for this combination; none for a variable that is not in the table.
#[must_use]
pub fn policy(variable: &str, environment: Environment, method: DeployMethod) -> Option<Policy> {
    policies(environment, method).find(|(known, _)| *known == variable).map(|(_, policy)| policy)
}

/// Whether two values of a variable mean the same: `True` and `1`, `a, b` and `a,b`.
#[must_use]
pub fn is_same(variable: &str, a: &str, b: &str) -> bool {
    if is_switch(variable) && parse_switch(a).is_some() {
        return parse_switch(a) == parse_switch(b);
    }
    a == b || hosts(a).eq(hosts(b))
}

/// Whether tasks have no broker to go to, on a machine where nothing else provides one.
#[must_use]
pub fn lacks_broker(method: DeployMethod, always_eager: Option<&str>, broker_url: Option<&str>) -> bool {
    let is_off = always_eager.and_then(parse_switch) == Some(false);
    method == DeployMethod::Bare && is_off && broker_url.is_none_or(is_empty)
}

/// Returns the command that changes variables whose present values are wrong or unsafe; `axes` are its first options.
/// Variables that the matrix forces or generates need no option.
#[must_use]
pub fn remedy<'a>(axes: &str, variables: impl IntoIterator<Item = (&'a str, Policy, Option<&'a str>)>) -> String {
    let (mut words, mut key) = (vec![format!("cargo xtask install{axes}")], None);
    for (variable, policy, value) in variables {
        match (policy, value) {
            (Policy::Force(_) | Policy::Skip, _) | (Policy::RequiredGenerate, None) => {}
            (_, Some(_)) if is_secret(variable) => key = Some(variable),
            (policy, _) => words.push(format!("--set {variable}={}", policy.value().unwrap_or("…"))),
        }
    }
    let install = words.join(" ");
    // Not on the command line, where others would see it.
    let Some(key) = key else { return install };
    format!("python3 -c 'import secrets; print(\"{key}=\" + secrets.token_urlsafe(50))' | {install} --answers -")
}

/// On or off, from the words that Django's settings take for it.
#[must_use]
pub fn parse_switch(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// On or off, as it is written to `.env`.
#[must_use]
pub const fn switch(on: bool) -> &'static str {
    if on { "1" } else { "0" }
}

/// Returns whether a value is empty: blanks, or a list without an item.
#[must_use]
pub fn is_empty(value: &str) -> bool {
    value.chars().all(|c| c.is_whitespace() || c == ',')
}

/// Whether this variable is one that [`parse_switch`] reads.
#[must_use]
pub fn is_switch(variable: &str) -> bool {
    matches!(variable, DJANGO_DEBUG | CELERY_TASK_ALWAYS_EAGER)
}

/// Returns the violation of a variable's policy by its value in this combination, without the value itself. An empty value
/// is none; a value that cannot work is a violation of every policy, except where the variable is not used.
#[must_use]
pub fn problem(
    variable: &str,
    policy: Policy,
    value: Option<&str>,
    environment: Environment,
    method: DeployMethod,
) -> Option<String> {
    let unusable = value.and_then(|value| unusable_reason(variable, value, environment, method));
    if let Some(reason) = unusable.filter(|_| policy != Policy::Skip) {
        return Some(reason);
    }
    let is_off_words = |value: &str| is_switch(variable) && parse_switch(value).is_none();
    match (policy, value) {
        (_, Some(value)) if is_off_words(value) => Some("is neither `1` nor `0`".to_owned()),
        (Policy::Force(forced), Some(value)) if is_switch(variable) && parse_switch(value) == parse_switch(forced) => {
            None
        }
        (Policy::Force(forced), Some(value)) if value == forced => None,
        (Policy::Force(forced), _) => Some(format!("has to be `{forced}`")),
        (Policy::RequiredGenerate, Some(value)) if is_sample_secret(value) => Some(OF_SAMPLE.to_owned()),
        (Policy::Required | Policy::RequiredGenerate, None) => Some("is required, and has no value".to_owned()),
        _ => None,
    }
}

/// Returns the reason why a value is unsafe in this environment, without the value itself.
#[must_use]
pub fn unsafe_reason(variable: &str, value: &str, environment: Environment) -> Option<&'static str> {
    if environment == Environment::Dev {
        return None;
    }
    match variable {
        DJANGO_DEBUG if parse_switch(value) == Some(true) => Some("shows tracebacks and settings to every visitor"),
        DJANGO_ALLOWED_HOSTS if hosts(value).all(is_loopback) => {
            Some("has only loopback hosts, so that requests from other machines are refused")
        }
        DJANGO_SECRET_KEY if is_weak_key(value) => Some("is weak: at least 50 random characters are expected"),
        _ => None,
    }
}

fn hosts(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|host| !host.is_empty())
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "[::1]" | "::1" | ".localhost") || host.starts_with("127.")
}

/// The rule of Django's `security.W009`.
fn is_weak_key(key: &str) -> bool {
    let distinct = key.chars().collect::<std::collections::HashSet<_>>().len();
    key.chars().count() < 50 || distinct < 5 || key.starts_with("django-insecure-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_has_a_policy_for_every_variable() {
        for environment in Environment::ALL {
            for method in DeployMethod::ALL {
                let variables: Vec<_> = policies(*environment, *method).map(|(variable, _)| variable).collect();
                assert_eq!(variables, MATRIX.map(|(variable, _)| variable));
            }
        }
    }

    #[test]
    fn columns_match_their_combinations() {
        let broker = |environment, method| {
            policies(environment, method).find(|(variable, _)| *variable == CELERY_BROKER_URL).map(|(_, policy)| policy)
        };
        assert_eq!(broker(Environment::Dev, DeployMethod::Bare), Some(Optional));
        assert_eq!(broker(Environment::Dev, DeployMethod::Docker), Some(Skip));
        assert_eq!(broker(Environment::Prod, DeployMethod::Bare), Some(Required));
        assert_eq!(broker(Environment::Prod, DeployMethod::Docker), Some(Skip));
    }

    #[track_caller]
    fn check(variable: &str, value: &str, is_unsafe: bool) {
        assert_eq!(unsafe_reason(variable, value, Environment::Prod).is_some(), is_unsafe, "{variable}={value}");
        assert_eq!(unsafe_reason(variable, value, Environment::Dev), None);
    }

    #[test]
    fn values_that_are_unsafe_in_prod() {
        check(DJANGO_DEBUG, "1", true);
        check(DJANGO_DEBUG, " True ", true);
        check(DJANGO_DEBUG, "0", false);
        check(DJANGO_ALLOWED_HOSTS, "localhost, 127.0.0.1", true);
        check(DJANGO_ALLOWED_HOSTS, "localhost,example.org", false);
        check(DJANGO_SECRET_KEY, "changeme", true);
        check(DJANGO_SECRET_KEY, &"abcde".repeat(10), false);
        check(DJANGO_SECRET_KEY, &"abcd".repeat(20), true);
        check(CELERY_BROKER_URL, "redis://localhost", false);
    }

    #[track_caller]
    fn check_problem(variable: &str, policy: Policy, value: Option<&str>, expected: Option<&str>) {
        let found = problem(variable, policy, value, Environment::Prod, DeployMethod::Bare);
        assert_eq!(found.as_deref(), expected, "{variable} {policy:?} {value:?}");
    }

    #[test]
    fn values_that_mean_the_same() {
        for (variable, a, b, expected) in [
            (DJANGO_DEBUG, "True", "1", true),
            (DJANGO_DEBUG, "off", "1", false),
            (DJANGO_DEBUG, "maybe", "1", false),
            (DJANGO_ALLOWED_HOSTS, "localhost, 127.0.0.1", LOOPBACK, true),
            (DJANGO_ALLOWED_HOSTS, "localhost", LOOPBACK, false),
        ] {
            assert_eq!(is_same(variable, a, b), expected, "{variable}: {a}, {b}");
        }
    }

    #[test]
    fn commands_that_change_values() {
        let debug = (DJANGO_DEBUG, Prompt("0"), Some("1"));
        let hosts = (DJANGO_ALLOWED_HOSTS, Required, Some("localhost"));
        assert_eq!(remedy("", [debug, hosts]), "cargo xtask install --set DJANGO_DEBUG=0 --set DJANGO_ALLOWED_HOSTS=…");
        assert_eq!(
            remedy(" --env prod", [(DJANGO_DEBUG, Force("0"), Some("1")), (DJANGO_SECRET_KEY, RequiredGenerate, None)]),
            "cargo xtask install --env prod"
        );
        assert_eq!(
            remedy("", [(DJANGO_SECRET_KEY, RequiredGenerate, Some("changeme")), debug]),
            "python3 -c 'import secrets; print(\"DJANGO_SECRET_KEY=\" + secrets.token_urlsafe(50))' | \
             cargo xtask install --set DJANGO_DEBUG=0 --answers -"
        );
    }

    #[test]
    fn tasks_need_a_broker_or_none() {
        use DeployMethod::{Bare, Docker};
        for (method, always_eager, broker_url, expected) in [
            (Bare, Some("0"), None, true),
            (Bare, Some("off"), Some(" "), true),
            (Bare, Some("0"), Some("redis://localhost"), false),
            (Bare, Some("1"), None, false),
            (Bare, None, None, false),
            (Docker, Some("0"), None, false),
        ] {
            assert_eq!(
                lacks_broker(method, always_eager, broker_url),
                expected,
                "{method} {always_eager:?} {broker_url:?}"
            );
        }
    }

    #[test]
    fn every_policy() {
        check_problem(DJANGO_DEBUG, Policy::Force("0"), Some("0"), None);
        check_problem(DJANGO_DEBUG, Policy::Force("0"), Some("False"), None);
        check_problem(DJANGO_DEBUG, Policy::Force("0"), Some("1"), Some("has to be `0`"));
        check_problem(CELERY_TASK_ALWAYS_EAGER, Policy::Force("0"), None, Some("has to be `0`"));
        check_problem(DJANGO_DEBUG, Policy::Prompt("1"), Some("maybe"), Some("is neither `1` nor `0`"));
        check_problem(DJANGO_DEBUG, Policy::Prompt("1"), None, None);
        check_problem(CELERY_BROKER_URL, Policy::Required, None, Some("is required, and has no value"));
        check_problem(CELERY_BROKER_URL, Policy::Required, Some("redis://db"), None);
        check_problem(CELERY_BROKER_URL, Policy::Optional, None, None);
        check_problem(CELERY_BROKER_URL, Policy::Skip, Some("redis://db"), None);
        check_problem(CELERY_BROKER_URL, Policy::Skip, Some("localhost:6379"), None);
        check_problem(
            CELERY_BROKER_URL,
            Policy::Optional,
            Some("localhost:6379"),
            Some("has no scheme: write a URL, such as `redis://localhost:6379/0`"),
        );
        check_problem(DJANGO_SECRET_KEY, Policy::RequiredGenerate, None, Some("is required, and has no value"));
        check_problem(DJANGO_SECRET_KEY, Policy::PromptGenerate, None, None);
        let of_sample = Some("has the value of a sample, which is public");
        check_problem(DJANGO_SECRET_KEY, Policy::RequiredGenerate, Some("your-secret-key-here"), of_sample);
        check_problem(DJANGO_SECRET_KEY, Policy::PromptGenerate, Some("your-secret-key-here"), None);
    }
}
