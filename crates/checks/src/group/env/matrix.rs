//! `env.matrix`: whether `.env` holds what `install` settles for this combination.

use detect::ENV_FILE;
use envfile::EnvFile;

use crate::Site;
use crate::matrix::{is_empty, policies, problem, unsafe_reason};
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
