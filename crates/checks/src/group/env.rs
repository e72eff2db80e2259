//! `env`: the axes and the `.env` that holds them. Nothing is started for it but Git.

mod matrix;
mod portable;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use detect::{DeployMethod, Detected, ENV_FILE, Environment};
use envfile::{EnvFile, LineKind};
use project::matrix::{Policy, policy};
use project::secret::is_secret;
use project::text::counted;
use project::{InGit, in_git};
use subprocess::Deadline;

use super::core::{self, Denied};
use crate::outcome::{Finding, Outcome, Repair, Status};
use crate::run::Probe;
use crate::{CheckName, Target};

const AXES: CheckName = CheckName::known("env.axes");
const FILE: CheckName = CheckName::known("env.file");
const MODE: CheckName = CheckName::known("env.mode");
const IGNORED: CheckName = CheckName::known("env.ignored");
const SAMPLE: CheckName = CheckName::known("env.sample");
const PORTABLE: CheckName = CheckName::known("env.portable");
const MATRIX: CheckName = CheckName::known("env.matrix");

pub(super) fn probes(target: &Arc<Target>) -> Vec<Probe> {
    let for_file = Arc::clone(target);
    let for_git = Arc::clone(target);
    let for_lines = Arc::clone(target);
    let of_file = [AXES, FILE, MODE, SAMPLE, MATRIX];
    vec![
        Probe::new(of_file, move |_| outcomes(&for_file)),
        Probe::new([IGNORED], move |deadline| vec![ignored(&for_git, deadline)]),
        // Comparing the readers takes long for a file of megabytes.
        Probe::new([PORTABLE], move |_| vec![of_lines(PORTABLE, portable::check, &for_lines)]),
    ]
}

fn outcomes(target: &Target) -> Vec<Outcome> {
    vec![
        axes(target),
        file(target),
        mode(target),
        of_lines(SAMPLE, sample, target),
        of_lines(MATRIX, matrix::check, target),
    ]
}

/// Returns a check of the file's lines, which is skipped if the file cannot be read.
fn of_lines(name: CheckName, check: fn(CheckName, &EnvFile, &Target) -> Outcome, target: &Target) -> Outcome {
    match (&target.env_file, target.env()) {
        (_, Some(file)) => check(name, file, target),
        (Err(_), _) => Outcome::blocked(name, format!("`{ENV_FILE}` cannot be read"), &file(target)),
        (Ok(_), _) => Outcome::blocked(name, format!("`{ENV_FILE}` is not there"), &file(target)),
    }
}

fn axes(target: &Target) -> Outcome {
    let Target { environment, deploy_method, .. } = target;
    let rejected: Vec<_> = environment.rejected.iter().chain(&deploy_method.rejected).collect();
    if !rejected.is_empty() {
        let findings = rejected.iter().map(|rejected| Finding {
            status: Status::Err,
            line: Some(rejected.line),
            message: rejected.to_string(),
            hint: None,
        });
        let variables: Vec<_> = rejected.iter().map(|rejected| format!("`{}`", rejected.variable)).collect();
        return Outcome::err(AXES, format!("unknown value for {}", variables.join(" and ")))
            .findings(findings.collect())
            .hint("cargo xtask install --env dev|prod --method bare|docker");
    }
    if let Some(unanswered) = &deploy_method.unanswered {
        let unanswered = target.secrets.redact(&unanswered.to_string());
        let guess = format!("`{}` is a guess, as {unanswered}", deploy_method.value);
        return Outcome::warn(AXES, guess).hint("cargo xtask install --method bare|docker");
    }
    if target.env_file.is_err() {
        return Outcome::blocked(AXES, format!("`{ENV_FILE}` cannot be read"), &file(target));
    }
    Outcome::ok(AXES, format!("{}, {}", described(environment), described(deploy_method)))
}

fn described<T: std::fmt::Display>(detected: &Detected<T>) -> String {
    format!("{} ({})", detected.value, detected.source)
}

fn file(target: &Target) -> Outcome {
    match &target.env_file {
        Ok(Some(file)) => {
            Outcome::ok(FILE, format!("`{ENV_FILE}` is there, {}", counted(file.keys().count(), "variable")))
        }
        Ok(None) => {
            let axes = match (target.environment.value, target.deploy_method.value) {
                (Environment::Dev, DeployMethod::Bare) => String::new(),
                (environment, method) => format!(" --env {environment} --method {method}"),
            };
            Outcome::err(FILE, format!("`{ENV_FILE}` is not there")).hint(format!("cargo xtask install{axes}"))
        }
        Err(error) => {
            let (message, hint) = unreadable(target.project.env_file().as_path(), error);
            hint.into_iter().fold(Outcome::err(FILE, message), Outcome::hint)
        }
    }
}

/// Returns the error of a `.env` that cannot be read, with its owner where that is the reason, and the command that helps.
#[must_use]
pub fn unreadable(path: &Path, error: &envfile::Error) -> (String, Option<String>) {
    match core::unreadable(path) {
        Some(Denied { message, hint }) => {
            (format!("{error}: {message}, and this runs as `{}`", core::this_user()), hint)
        }
        None => (error.to_string(), error.remedy()),
    }
}

/// The permissions of other users, as bits of a file's mode.
const OTHERS: u32 = 0o007;

fn mode(target: &Target) -> Outcome {
    let path = target.project.env_file();
    let mode = match fs::metadata(&path) {
        Ok(metadata) if !metadata.is_file() => {
            return Outcome::blocked(MODE, format!("`{ENV_FILE}` is not a file"), &file(target));
        }
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Outcome::blocked(MODE, format!("`{ENV_FILE}` is not there"), &file(target));
        }
        Err(error) => return Outcome::err(MODE, format!("cannot look at `{}`: {error}", path.display())),
    };
    if mode & OTHERS == 0 {
        return Outcome::ok(MODE, format!("{mode:03o}: no other user can read it"));
    }
    Outcome::new(MODE, exposed(target), format!("{mode:03o}: every user of this machine can get at the secrets in it"))
        .hint(format!("chmod {:03o} {ENV_FILE}", private(mode)))
        .repair(Repair::EnvMode)
}

/// Returns the status of secrets that others can read: a warning only where the environment is known to be dev.
fn exposed(target: &Target) -> Status {
    match target.environment.value {
        Environment::Dev if target.env_file.is_ok() => Status::Warn,
        _ => Status::Err,
    }
}

/// Returns the mode without the permissions of other users.
#[must_use]
pub fn private(mode: u32) -> u32 {
    mode & 0o777 & !OTHERS
}

fn ignored(target: &Target, deadline: &Deadline) -> Outcome {
    let in_git = match in_git(&target.project, deadline) {
        Ok(in_git) => in_git,
        Err(error) if error.is_not_found() => return Outcome::skip(IGNORED, error.to_string()),
        Err(error) => return Outcome::warn(IGNORED, error.to_string()),
    };
    match (&in_git.state, in_git.problem()) {
        (InGit::Tracked, Some((message, hint))) => Outcome::new(IGNORED, exposed(target), message).hint(hint),
        (_, Some((message, hint))) => Outcome::warn(IGNORED, message).hint(hint),
        (InGit::Unknown(reason), None) => {
            let message = format!("unknown to Git: {}", target.secrets.redact(reason));
            // Outside of a repository there is nothing to check.
            let is_repository = target.project.root.ancestors().any(|dir| dir.join(".git").exists());
            Outcome::new(IGNORED, if is_repository { Status::Warn } else { Status::Skip }, message)
        }
        (_, None) => Outcome::ok(IGNORED, format!("Git ignores `{}`", in_git.file.display())),
    }
}

fn sample(name: CheckName, file: &EnvFile, target: &Target) -> Outcome {
    let sample_name = target.project.sample_name();
    let sample = match &target.sample {
        Ok(Some(sample)) => sample,
        Ok(None) => return Outcome::skip(name, format!("there is no `{sample_name}`")),
        Err(error) => return Outcome::warn(name, error.to_string()),
    };
    let missing = missing(file, sample, target);
    if missing.is_empty() {
        return Outcome::ok(name, format!("every variable of `{sample_name}` is there"));
    }
    let names: Vec<_> = missing.iter().map(|key| format!("`{key}`")).collect();
    let hint = match target.environment.value {
        Environment::Dev => "cargo xtask health --fix".to_owned(),
        // There the operator decides about values.
        Environment::Prod => {
            let is_forced = |key: &&str| matches!(policy_of(key, target), Some(Policy::Force(_)));
            let open: Vec<&str> = missing.iter().copied().filter(|key| !is_forced(key)).collect();
            format!("{}; or write `# KEY=` where there is to be none", given(&open))
        }
    };
    Outcome::warn(name, format!("only `{sample_name}` has {}", names.join(", "))).hint(hint).repair(Repair::SampleKeys)
}

/// Returns the variables that only the sample has and that this combination uses. Values that Compose provides are not
/// missing.
#[must_use]
pub fn missing<'a>(file: &EnvFile, sample: &'a EnvFile, target: &Target) -> Vec<&'a str> {
    missing_keys(file, sample).into_iter().filter(|key| policy_of(key, target) != Some(Policy::Skip)).collect()
}

/// Returns the policy of a variable by its name in the project; `None` for one that is not in the matrix.
fn policy_of(name: &str, target: &Target) -> Option<Policy> {
    let variable = target.project.names.variable(name)?;
    Some(policy(variable, target.environment.value, target.deploy_method.value))
}

/// Returns the command that sets variables. Secrets come from a file, and values that the matrix forces need no option.
fn given(variables: &[&str]) -> String {
    let (secrets, open): (Vec<&str>, Vec<&str>) = variables.iter().partition(|variable| is_secret(variable));
    let sets = open.iter().map(|variable| format!("--set {variable}=…"));
    let file = (!secrets.is_empty()).then(|| "--answers FILE".to_owned());
    let words: Vec<_> = ["cargo xtask install".to_owned()].into_iter().chain(sets).chain(file).collect();
    words.join(" ")
}

/// The variables that only the sample has, in its order. One that the operator has commented out is not missed.
fn missing_keys<'a>(file: &EnvFile, sample: &'a EnvFile) -> Vec<&'a str> {
    let mut missing: Vec<&str> = Vec::new();
    for key in sample.keys() {
        if !missing.contains(&key) && !file.keys().any(|known| known == key) && !is_commented_out(file, key) {
            missing.push(key);
        }
    }
    missing
}

/// Whether an assignment to this variable stands in a comment.
fn is_commented_out(file: &EnvFile, key: &str) -> bool {
    let comments = file.lines().filter(|line| line.kind() == LineKind::Comment);
    comments.map(|line| line.text().trim_start_matches(['#', ' ', '\t']).to_owned()).any(|text| {
        let assignment = EnvFile::parse(text.as_bytes());
        assignment.lines().any(|line| line.kind() == LineKind::Assignment && line.key() == Some(key))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commented_out_variables_are_not_missing() {
        let sample = EnvFile::parse(b"A=1\nB=2\nC=3\nD=4\nE=5\nF=6\n");
        let file = EnvFile::parse(b"A=1\n#B=x\n  ## export C = 'y' # no\n# D is not wanted\n# EE=1\n#F\n");
        assert_eq!(missing_keys(&file, &sample), ["D", "E", "F"]);
    }

    #[test]
    fn commands_that_give_values() {
        assert_eq!(given(&["A", "B"]), "cargo xtask install --set A=… --set B=…");
        assert_eq!(given(&["A", "A_TOKEN"]), "cargo xtask install --set A=… --answers FILE");
    }
}
