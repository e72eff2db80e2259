//! `env.matrix`: whether `.env` has the values that `install` sets for this combination.

use detect::{DEPLOY_METHOD, DJANGO_ENV, ENV_FILE};
use envfile::EnvFile;
use project::matrix::{
    CELERY_BROKER_URL, CELERY_TASK_ALWAYS_EAGER, Policy, is_empty, lacks_broker, policies, problem, remedy,
    unsafe_reason,
};

use crate::outcome::{Finding, Outcome, Status};
use crate::{CheckName, Target};

pub(super) fn check(name: CheckName, file: &EnvFile, target: &Target) -> Outcome {
    let (environment, method) = (target.environment.value, target.deploy_method.value);
    let value = |variable: &str| file.get(variable).map(|entry| entry.value).filter(|value| !is_empty(value));
    let (eager, broker) = (value(CELERY_TASK_ALWAYS_EAGER), value(CELERY_BROKER_URL));
    let lacks_broker = lacks_broker(method, eager.as_deref(), broker.as_deref());
    let mut findings = Vec::new();
    let mut wrong: Vec<(&str, Policy, Option<String>)> = Vec::new();
    for (variable, policy) in policies(environment, method) {
        let value = value(variable);
        let warning = value.as_deref().and_then(|value| unsafe_reason(variable, value, environment));
        let no_broker = (lacks_broker && variable == CELERY_TASK_ALWAYS_EAGER)
            .then_some("is off, and there is no `CELERY_BROKER_URL` that tasks could go to");
        let (status, problem) =
            match (problem(variable, policy, value.as_deref(), environment, method), warning.or(no_broker)) {
                (Some(problem), _) => (Status::Err, problem),
                (None, Some(reason)) => (Status::Warn, reason.to_owned()),
                (None, None) => continue,
            };
        let line = file.get(variable).map(|entry| entry.line);
        let place = line.map(|line| format!(" line {line}")).unwrap_or_default();
        let message = format!("`{ENV_FILE}`{place}: `{variable}` {problem}");
        findings.push(Finding { status, line, message, hint: None });
        wrong.push((variable, policy, value));
    }
    let axes = format!("{environment}+{method}");
    let message = match findings.len() {
        0 => return Outcome::ok(name, format!("holds what {axes} needs")),
        1 => format!("1 variable does not have the value that {axes} needs"),
        many => format!("{many} variables do not have the values that {axes} needs"),
    };
    let has_err = findings.iter().any(|finding| finding.status == Status::Err);
    let wrong = wrong.iter().map(|(variable, policy, value)| (*variable, *policy, value.as_deref()));
    Outcome::new(name, if has_err { Status::Err } else { Status::Warn }, message)
        .findings(findings)
        .hint(remedy(&options(file, target), wrong))
}

/// Returns the axes as options of `install`, unless `.env` sets them itself.
fn options(file: &EnvFile, target: &Target) -> String {
    let is_set = |variable: &str, word: &str| {
        file.get(variable).is_some_and(|entry| entry.value.trim().eq_ignore_ascii_case(word))
    };
    let (environment, method) = (target.environment.value.as_str(), target.deploy_method.value.as_str());
    if is_set(DJANGO_ENV, environment) && is_set(DEPLOY_METHOD, method) {
        return String::new();
    }
    format!(" --env {environment} --method {method}")
}
