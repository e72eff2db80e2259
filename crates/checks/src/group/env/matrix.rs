//! `env.matrix`: whether `.env` has the values that `install` sets for this combination.

use detect::{DEPLOY_METHOD, DJANGO_ENV, ENV_FILE};
use envfile::EnvFile;
use project::Variable;
use project::matrix::{Row, is_empty, lacks_broker, problem, remedy, rows, unsafe_reason};

use crate::outcome::{Finding, Outcome, Status};
use crate::{CheckName, Target};

pub(super) fn check(name: CheckName, file: &EnvFile, target: &Target) -> Outcome {
    let (environment, method) = (target.environment.value, target.deploy_method.value);
    let names = &target.project.names;
    let get = |name: &str| file.get(name).map(|entry| entry.value);
    let value = |variable| names.value(variable, get).filter(|value| !is_empty(value));
    let (eager, broker) = (value(Variable::AlwaysEager), value(Variable::BrokerUrl));
    let lacks_broker = lacks_broker(method, eager.as_deref(), broker.as_deref());
    let mut findings = Vec::new();
    let mut wrong: Vec<(Row<'_>, Option<String>)> = Vec::new();
    for row in rows(names, environment, method) {
        let Row { variable, name, .. } = row;
        let value = value(variable);
        let warning = value.as_deref().and_then(|value| unsafe_reason(variable, value, environment));
        let no_broker = (lacks_broker && variable == Variable::AlwaysEager)
            .then(|| format!("is off, and there is no `{}` that tasks could go to", names.shown(Variable::BrokerUrl)));
        let warning = warning.map(str::to_owned).or(no_broker);
        let (status, problem) = match (problem(row, names, value.as_deref(), environment, method), warning) {
            (Some(problem), _) => (Status::Err, problem),
            (None, Some(reason)) => (Status::Warn, reason),
            (None, None) => continue,
        };
        let line = file.get(name).map(|entry| entry.line);
        let place = line.map(|line| format!(" line {line}")).unwrap_or_default();
        let message = format!("`{ENV_FILE}`{place}: `{name}` {problem}");
        findings.push(Finding { status, line, message, hint: None });
        wrong.push((row, value));
    }
    let axes = format!("{environment}+{method}");
    let message = match findings.len() {
        0 => return Outcome::ok(name, format!("holds what {axes} needs")),
        1 => format!("1 variable does not have the value that {axes} needs"),
        many => format!("{many} variables do not have the values that {axes} needs"),
    };
    let has_err = findings.iter().any(|finding| finding.status == Status::Err);
    let wrong = wrong.iter().map(|(row, value)| (*row, value.as_deref()));
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
