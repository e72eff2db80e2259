//! The matrix: the variables that `install` sets in `.env` for each combination of the two axes, and their policies.

use detect::{DeployMethod, Environment};

use crate::names::{Names, Variable};
use crate::secret::is_secret;
use crate::value::{OF_SAMPLE, is_sample_secret, unusable_reason};

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
pub const MATRIX: [(Variable, [Policy; 4]); 5] = [
    //                         dev+bare           dev+docker         prod+bare         prod+docker
    (Variable::Debug,        [Prompt("1"),       Prompt("1"),       Force("0"),       Prompt("0")      ]),
    (Variable::SecretKey,    [OptionalGenerate,  PromptGenerate,    RequiredGenerate, RequiredGenerate ]),
    (Variable::AllowedHosts, [Default(LOOPBACK), Default(LOOPBACK), Required,         Required         ]),
    (Variable::BrokerUrl,    [Optional,          Skip,              Required,         Skip             ]),
    (Variable::AlwaysEager,  [Prompt("1"),       Force("0"),        Force("0"),       Force("0")       ]),
];

/// Returns the policy of a variable in a combination.
#[must_use]
pub const fn policy(variable: Variable, environment: Environment, method: DeployMethod) -> Policy {
    let column = match (environment, method) {
        (Environment::Dev, DeployMethod::Bare) => 0,
        (Environment::Dev, DeployMethod::Docker) => 1,
        (Environment::Prod, DeployMethod::Bare) => 2,
        (Environment::Prod, DeployMethod::Docker) => 3,
    };
    MATRIX[variable as usize].1[column]
}

/// A variable of the matrix that a project uses.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The variable.
    pub variable: Variable,
    /// Its name in the project.
    pub name: &'a str,
    /// Its policy in the combination.
    pub policy: Policy,
}

/// Returns the variables that a project uses, with their policies in a combination.
pub fn rows(names: &Names, environment: Environment, method: DeployMethod) -> impl Iterator<Item = Row<'_>> {
    let row = move |variable| {
        let policy = policy(variable, environment, method);
        names.name(variable).map(|name| Row { variable, name, policy })
    };
    Variable::ALL.into_iter().filter_map(row)
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

/// Whether two values of a variable mean the same: `True` and `1`, `a, b` and `a,b`.
#[must_use]
pub fn is_same(variable: Variable, a: &str, b: &str) -> bool {
    if variable.is_switch() && parse_switch(a).is_some() {
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
pub fn remedy<'a>(axes: &str, variables: impl IntoIterator<Item = (Row<'a>, Option<&'a str>)>) -> String {
    let (mut words, mut key) = (vec![format!("cargo xtask install{axes}")], None);
    for (Row { variable, name, policy }, value) in variables {
        match (policy, value) {
            (Policy::Force(_) | Policy::Skip, _) | (Policy::RequiredGenerate, None) => {}
            (_, Some(_)) if variable == Variable::SecretKey || is_secret(name) => key = Some(name),
            (policy, _) => words.push(format!("--set {name}={}", policy.value().unwrap_or("…"))),
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

/// Returns the violation of a variable's policy by its value in this combination, without the value itself. An empty value
/// is none; a value that cannot work is a violation of every policy, except where the variable is not used.
#[must_use]
pub fn problem(
    row: Row<'_>,
    names: &Names,
    value: Option<&str>,
    environment: Environment,
    method: DeployMethod,
) -> Option<String> {
    let Row { variable, policy, .. } = row;
    let unusable = value.and_then(|value| unusable_reason(variable, value, environment, method));
    if let Some(reason) = unusable.filter(|_| policy != Policy::Skip) {
        return Some(reason);
    }
    let is_off_words = |value: &str| variable.is_switch() && parse_switch(value).is_none();
    match (policy, value) {
        (_, Some(value)) if is_off_words(value) => Some("is neither `1` nor `0`".to_owned()),
        (Policy::Force(forced), Some(value)) if variable.is_switch() && parse_switch(value) == parse_switch(forced) => {
            None
        }
        (Policy::Force(forced), Some(value)) if value == forced => None,
        (Policy::Force(forced), _) => {
            Some(format!("has to be `{}`", names.named(variable).format.spelled(variable, forced)))
        }
        (Policy::RequiredGenerate, Some(value)) if is_sample_secret(value) => Some(OF_SAMPLE.to_owned()),
        (Policy::Required | Policy::RequiredGenerate, None) => Some("is required, and has no value".to_owned()),
        _ => None,
    }
}

/// Returns the reason why a value is unsafe in this environment, without the value itself.
#[must_use]
pub fn unsafe_reason(variable: Variable, value: &str, environment: Environment) -> Option<&'static str> {
    if environment == Environment::Dev {
        return None;
    }
    match variable {
        Variable::Debug if parse_switch(value) == Some(true) => Some("shows tracebacks and settings to every visitor"),
        Variable::AllowedHosts if hosts(value).all(is_loopback) => {
            Some("has only loopback hosts, so that requests from other machines are refused")
        }
        Variable::SecretKey if is_weak_key(value) => Some("is weak: at least 50 random characters are expected"),
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
    fn the_matrix_is_in_the_order_of_the_variables() {
        assert_eq!(MATRIX.map(|(variable, _)| variable), Variable::ALL);
    }

    #[test]
    fn columns_match_their_combinations() {
        let broker = |environment, method| policy(Variable::BrokerUrl, environment, method);
        assert_eq!(broker(Environment::Dev, DeployMethod::Bare), Optional);
        assert_eq!(broker(Environment::Dev, DeployMethod::Docker), Skip);
        assert_eq!(broker(Environment::Prod, DeployMethod::Bare), Required);
        assert_eq!(broker(Environment::Prod, DeployMethod::Docker), Skip);
    }

    #[track_caller]
    fn check(variable: Variable, value: &str, is_unsafe: bool) {
        assert_eq!(unsafe_reason(variable, value, Environment::Prod).is_some(), is_unsafe, "{variable:?}={value}");
        assert_eq!(unsafe_reason(variable, value, Environment::Dev), None);
    }

    #[test]
    fn values_that_are_unsafe_in_prod() {
        check(Variable::Debug, "1", true);
        check(Variable::Debug, " True ", true);
        check(Variable::Debug, "0", false);
        check(Variable::AllowedHosts, "localhost, 127.0.0.1", true);
        check(Variable::AllowedHosts, "localhost,example.org", false);
        check(Variable::SecretKey, "changeme", true);
        check(Variable::SecretKey, &"abcde".repeat(10), false);
        check(Variable::SecretKey, &"abcd".repeat(20), true);
        check(Variable::BrokerUrl, "redis://localhost", false);
    }

    #[track_caller]
    fn check_problem(variable: Variable, policy: Policy, value: Option<&str>, expected: Option<&str>) {
        let row = Row { variable, name: variable.default_name(), policy };
        let found = problem(row, &Names::default(), value, Environment::Prod, DeployMethod::Bare);
        assert_eq!(found.as_deref(), expected, "{variable:?} {policy:?} {value:?}");
    }

    #[test]
    fn values_that_mean_the_same() {
        for (variable, a, b, expected) in [
            (Variable::Debug, "True", "1", true),
            (Variable::Debug, "off", "1", false),
            (Variable::Debug, "maybe", "1", false),
            (Variable::AllowedHosts, "localhost, 127.0.0.1", LOOPBACK, true),
            (Variable::AllowedHosts, "localhost", LOOPBACK, false),
        ] {
            assert_eq!(is_same(variable, a, b), expected, "{variable:?}: {a}, {b}");
        }
    }

    #[test]
    fn commands_that_change_values() {
        let row = |variable: Variable, policy| Row { variable, name: variable.default_name(), policy };
        let debug = (row(Variable::Debug, Prompt("0")), Some("1"));
        let hosts = (row(Variable::AllowedHosts, Required), Some("localhost"));
        let key = row(Variable::SecretKey, RequiredGenerate);
        assert_eq!(remedy("", [debug, hosts]), "cargo xtask install --set DJANGO_DEBUG=0 --set DJANGO_ALLOWED_HOSTS=…");
        assert_eq!(
            remedy(" --env prod", [(row(Variable::Debug, Force("0")), Some("1")), (key, None)]),
            "cargo xtask install --env prod"
        );
        assert_eq!(
            remedy("", [(key, Some("changeme")), debug]),
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
        check_problem(Variable::Debug, Policy::Force("0"), Some("0"), None);
        check_problem(Variable::Debug, Policy::Force("0"), Some("False"), None);
        check_problem(Variable::Debug, Policy::Force("0"), Some("1"), Some("has to be `0`"));
        check_problem(Variable::AlwaysEager, Policy::Force("0"), None, Some("has to be `0`"));
        check_problem(Variable::Debug, Policy::Prompt("1"), Some("maybe"), Some("is neither `1` nor `0`"));
        check_problem(Variable::Debug, Policy::Prompt("1"), None, None);
        check_problem(Variable::BrokerUrl, Policy::Required, None, Some("is required, and has no value"));
        check_problem(Variable::BrokerUrl, Policy::Required, Some("redis://db"), None);
        check_problem(Variable::BrokerUrl, Policy::Optional, None, None);
        check_problem(Variable::BrokerUrl, Policy::Skip, Some("redis://db"), None);
        check_problem(Variable::BrokerUrl, Policy::Skip, Some("localhost:6379"), None);
        check_problem(
            Variable::BrokerUrl,
            Policy::Optional,
            Some("localhost:6379"),
            Some("has no scheme: write a URL, such as `redis://localhost:6379/0`"),
        );
        check_problem(Variable::SecretKey, Policy::RequiredGenerate, None, Some("is required, and has no value"));
        check_problem(Variable::SecretKey, Policy::PromptGenerate, None, None);
        let of_sample = Some("has the value of a sample, which is public");
        check_problem(Variable::SecretKey, Policy::RequiredGenerate, Some("your-secret-key-here"), of_sample);
        check_problem(Variable::SecretKey, Policy::PromptGenerate, Some("your-secret-key-here"), None);
    }
}
