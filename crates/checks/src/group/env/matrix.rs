//! `env.matrix`: whether `.env` holds what `install` settles for this combination.

use detect::ENV_FILE;
use envfile::EnvFile;

use crate::Site;
use crate::matrix::{Policy, is_empty, is_switch, parse_switch, policies, unsafe_reason};
use crate::outcome::{Finding, Outcome, Status};

pub(super) fn check(name: &'static str, file: &EnvFile, site: &Site) -> Outcome {
    let (environment, method) = (site.environment.value, site.deploy_method.value);
    let findings: Vec<Finding> = policies(environment, method)
        .filter_map(|(variable, policy)| {
            let entry = file.get(variable);
            let line = entry.as_ref().map(|entry| entry.line);
            let value = entry.map(|entry| entry.value).filter(|value| !is_empty(value));
            let (status, problem) = match problem(variable, policy, value.as_deref()) {
                Some(problem) => (Status::Err, problem),
                None => (Status::Warn, unsafe_reason(variable, value.as_deref()?, environment)?.to_owned()),
            };
            let place = line.map(|line| format!(" line {line}")).unwrap_or_default();
            Some(Finding { status, line, message: format!("`{ENV_FILE}`{place}: `{variable}` {problem}"), hint: None })
        })
        .collect();
    let axes = format!("{environment}+{method}");
    let message = match findings.len() {
        0 => return Outcome::ok(name, format!("holds what {axes} needs")),
        1 => format!("1 variable is not what {axes} needs"),
        many => format!("{many} variables are not what {axes} needs"),
    };
    let has_err = findings.iter().any(|finding| finding.status == Status::Err);
    Outcome::new(name, if has_err { Status::Err } else { Status::Warn }, message)
        .findings(findings)
        .hint(format!("cargo xtask install --env {environment} --method {method}"))
}

/// What is wrong with a value; says nothing of the value itself. An empty one is none.
fn problem(variable: &str, policy: Policy, value: Option<&str>) -> Option<String> {
    let is_off_words = |value: &str| is_switch(variable) && parse_switch(value).is_none();
    match (policy, value) {
        (_, Some(value)) if is_off_words(value) => Some("is neither `1` nor `0`".to_owned()),
        (Policy::Force(forced), Some(value)) if is_switch(variable) && parse_switch(value) == parse_switch(forced) => {
            None
        }
        (Policy::Force(forced), Some(value)) if value == forced => None,
        (Policy::Force(forced), _) => Some(format!("has to be `{forced}`")),
        (Policy::Required | Policy::RequiredGenerate, None) => Some("is required, and has no value".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::{CELERY_BROKER_URL, CELERY_TASK_ALWAYS_EAGER, DJANGO_DEBUG};

    #[track_caller]
    fn check(variable: &str, policy: Policy, value: Option<&str>, expected: Option<&str>) {
        assert_eq!(problem(variable, policy, value).as_deref(), expected, "{variable} {policy:?} {value:?}");
    }

    #[test]
    fn every_policy() {
        check(DJANGO_DEBUG, Policy::Force("0"), Some("0"), None);
        check(DJANGO_DEBUG, Policy::Force("0"), Some("False"), None);
        check(DJANGO_DEBUG, Policy::Force("0"), Some("1"), Some("has to be `0`"));
        check(CELERY_TASK_ALWAYS_EAGER, Policy::Force("0"), None, Some("has to be `0`"));
        check(DJANGO_DEBUG, Policy::Prompt("1"), Some("maybe"), Some("is neither `1` nor `0`"));
        check(DJANGO_DEBUG, Policy::Prompt("1"), None, None);
        check(CELERY_BROKER_URL, Policy::Required, None, Some("is required, and has no value"));
        check(CELERY_BROKER_URL, Policy::Required, Some("redis://db"), None);
        check(CELERY_BROKER_URL, Policy::Optional, None, None);
        check(CELERY_BROKER_URL, Policy::Skip, Some("redis://db"), None);
        check("DJANGO_SECRET_KEY", Policy::RequiredGenerate, None, Some("is required, and has no value"));
        check("DJANGO_SECRET_KEY", Policy::PromptGenerate, None, None);
    }
}
