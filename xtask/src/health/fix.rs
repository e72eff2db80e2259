//! `health --fix`: shows the repairs, asks, and fixes problems without losing anything.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use anyhow::Context as _;
use checks::group::core::sync_args;
use checks::group::env::{missing, private};
use checks::{Outcome, Repair, Report, Target};
use detect::{DEPLOY_METHOD, DJANGO_ENV, ENV_FILE, Environment};
use envfile::EnvFile;
use project::matrix::{Policy, policy};
use project::secret::{is_plain_setting, is_secret, shown};
use project::{Lock, Pyproject, find_uv};
use subprocess::{Command, Deadline};

use super::HealthRun;
use crate::cli;
use crate::context::Context;
use crate::exit::{Exit, Failure, Problem};
use crate::manage::{self, Downloads, MIGRATE, REINSTALL, SYNC};
use crate::prompt;
use crate::typed;

/// Runs the checks and repairs, until no untried repair is left; returns the last report. Only then does it wait for
/// anything.
pub(super) fn run(health_run: &HealthRun<'_>) -> anyhow::Result<Report> {
    let HealthRun { args, context, deferred, .. } = health_run;
    let look = || health_run.attempt(None, args.deadline, Instant::now());
    let mut report = look()?;
    let mut tried = Vec::new();
    let mut done = 0;
    loop {
        let is_new = |outcome: &&Outcome| outcome.repair.is_some_and(|repair| !tried.contains(&repair));
        let broken: Vec<Outcome> = report.outcomes.iter().filter(is_new).cloned().collect();
        let before = done;
        for outcome in &broken {
            // One repair may fix several checks.
            let Some(repair) = outcome.repair.filter(|repair| !tried.contains(repair)) else { continue };
            tried.push(repair);
            let target = health_run.survey();
            context.ui.outcome(&Outcome { hint: None, ..outcome.clone() });
            let additions = if repair == Repair::SampleKeys { additions(&target, health_run) } else { Vec::new() };
            if repair == Repair::SampleKeys && additions.is_empty() {
                context.ui.note("fix: nothing, as any of them may change something: they are the operator's to decide");
                continue;
            }
            context.ui.note(format_args!("fix: {}", as_typed(repair, &target, &additions)));
            let is_mended = is_wanted(&target, args, context).and_then(|is_wanted| {
                if is_wanted { fix(repair, &target, &additions, health_run).map(|()| true) } else { Ok(false) }
            });
            match is_mended {
                Ok(is_mended) => done += usize::from(is_mended),
                Err(error) if Exit::of(&error) == Exit::Interrupted && done > 0 => {
                    let message =
                        format!("interrupted: {done} of the repairs above are done, and nothing else was changed");
                    return Err(Failure::interrupted(message).into());
                }
                Err(error) if matches!(Exit::of(&error), Exit::Interrupted | Exit::Locked) => return Err(error),
                // The report shows the state nevertheless.
                Err(error) => context.ui.errors(&Failure::of(&error).problems),
            }
            deferred.check("health --fix")?;
        }
        if done == before {
            return if args.wait.is_some() { health_run.examine(Some(report)) } else { Ok(report) };
        }
        report = look()?;
    }
}

/// Returns whether the operator wants a repair. In prod only `--yes` is consent; with an unknown environment there is
/// none.
fn is_wanted(target: &Target, args: &cli::Health, context: &Context<'_>) -> anyhow::Result<bool> {
    if context.common.dry_run {
        return Ok(false);
    }
    if target.env_file.is_err() {
        context.ui.warning(&Problem::new(format!("nothing is mended before `{ENV_FILE}` can be read")));
        return Ok(false);
    }
    if target.environment.rejected.is_some() || target.deploy_method.rejected.is_some() {
        let problem = Problem::new(format!("nothing is mended before the axes in `{ENV_FILE}` are words that we know"));
        context.ui.warning(&problem.hint("cargo xtask install --env dev|prod --method bare|docker"));
        return Ok(false);
    }
    if context.common.yes {
        return Ok(true);
    }
    if target.environment.value == Environment::Prod {
        context.ui.warning(&Problem::new("nothing is mended in prod without `--yes`").hint(typed::fix(args)));
        return Ok(false);
    }
    if !context.is_interactive() {
        let problem = Problem::new(format!("not done, {}", context.why_not_asked())).hint(typed::fix(args));
        context.ui.warning(&problem);
        return Ok(false);
    }
    prompt::confirm("Do it?")
}

/// Returns the repair as it would be typed, where it can be.
fn as_typed(repair: Repair, target: &Target, additions: &[(String, String)]) -> String {
    match repair {
        Repair::EnvMode => match fs::metadata(target.project.env_file()) {
            Ok(metadata) => format!("chmod {:03o} {ENV_FILE}", private(metadata.permissions().mode())),
            Err(_) => format!("chmod o= {ENV_FILE}"),
        },
        Repair::SampleKeys => {
            let added = additions.iter().map(|(key, value)| format!("{key}={}", shown(key, value)));
            format!("add to {ENV_FILE}: {}", added.collect::<Vec<_>>().join(", "))
        }
        Repair::Sync => SYNC.to_owned(),
        Repair::Reinstall => REINSTALL.to_owned(),
        Repair::Migrate => "manage.py migrate".to_owned(),
    }
}

fn fix(
    repair: Repair,
    target: &Target,
    additions: &[(String, String)],
    health_run: &HealthRun<'_>,
) -> anyhow::Result<()> {
    let _lock = Lock::take(&target.project).map_err(Failure::from)?;
    let ui = health_run.context.ui;
    let path = target.project.env_file();
    match repair {
        Repair::EnvMode => {
            let mode = private(fs::metadata(&path)?.permissions().mode());
            fs::set_permissions(&path, Permissions::from_mode(mode))
                .with_context(|| format!("cannot change the mode of `{}`", path.display()))?;
            ui.done(ENV_FILE, format_args!("{mode:03o}"));
        }
        Repair::SampleKeys => {
            let sample = target.sample.as_ref().ok().and_then(Option::as_ref).cloned().unwrap_or_default();
            let name = target.project.sample_name();
            let add = |file: &mut EnvFile| Ok::<_, envfile::Error>(add(additions, file, &sample, &name));
            let ((added, problems), _saved) =
                envfile::update(&path, &sample, add).with_context(|| format!("`{ENV_FILE}` is as it was"))?;
            ui.done(ENV_FILE, format_args!("{added} added"));
            for problem in &problems {
                ui.warning(problem);
            }
        }
        Repair::Sync => sync(SYNC, target, health_run)?,
        Repair::Reinstall => sync(REINSTALL, target, health_run)?,
        Repair::Migrate => {
            manage::django_step(ui, &target.ground(), "manage.py migrate", &MIGRATE, health_run.deferred)?;
        }
    }
    Ok(())
}

/// Runs `uv sync`, or `uv sync --reinstall`.
fn sync(command: &str, target: &Target, health_run: &HealthRun<'_>) -> anyhow::Result<()> {
    let pyproject = Pyproject::read(target.project.service_dir())?;
    let args = sync_args(&pyproject, &target.project.settings, target.environment.value);
    let uv = find_uv(&target.project, &Deadline::within(health_run.args.timeout))?;
    manage::sync(health_run.context.ui, &target.ground(), &uv, command, &args, Downloads::Never, health_run.deferred)?;
    Ok(())
}

/// Returns the keys that only the sample has and that are added, with their values. A value of the sample answers none
/// of the questions that `install` asks. No secret is taken from it, and no value that is composed of others: the axes
/// stay, and the rest is the answer that Enter would give there. In prod, only an empty value is taken, of a key that
/// the project does not mention.
fn additions(target: &Target, health_run: &HealthRun<'_>) -> Vec<(String, String)> {
    let nothing = EnvFile::default();
    let sample = target.sample.as_ref().ok().and_then(Option::as_ref).unwrap_or(&nothing);
    let (environment, method) = (target.environment.value, target.deploy_method.value);
    let names = &target.project.names;
    let value = |key: &str| match names.variable(key) {
        _ if key == DJANGO_ENV => environment.to_string(),
        _ if key == DEPLOY_METHOD => method.to_string(),
        Some(variable) => match policy(variable, environment, method) {
            Policy::Force(value) | Policy::Prompt(value) | Policy::Default(value) => {
                names.named(variable).format.spelled(variable, value)
            }
            _ => String::new(),
        },
        None => {
            let value = sample.get(key).map(|entry| entry.value).unwrap_or_default();
            if is_secret(key) && !is_plain_setting(key, &value) { String::new() } else { value }
        }
    };
    let missing = target.env().map(|file| missing(file, sample, target)).unwrap_or_default();
    // A guess is not made a fact.
    let is_known = |key: &&str| *key != DEPLOY_METHOD || target.deploy_method.unanswered.is_none();
    let is_made_of_others =
        |key: &str| sample.lines().any(|line| line.key() == Some(key) && line.text().contains("${"));
    let is_empty = |key: &str| sample.get(key).is_some_and(|entry| entry.value.trim().is_empty());
    let may_be_added = |key: &&str| match environment {
        Environment::Dev => !is_made_of_others(key),
        Environment::Prod => !is_made_of_others(key) && is_empty(key) && !is_mentioned(key, target, health_run),
    };
    let added = missing.into_iter().filter(is_known).filter(may_be_added);
    added
        .map(|key| match environment {
            Environment::Dev => (key.to_owned(), value(key)),
            Environment::Prod => (key.to_owned(), String::new()),
        })
        .collect()
}

/// Where a mention of a key has nothing to do with its value. Libraries read variables, too: they are searched as well.
const NO_MENTION: [&str; 4] = [
    ":(exclude,glob)**/*.md",
    ":(exclude,glob)**/.xtask/**",
    ":(exclude,glob)**/.git/**",
    ":(exclude,glob)**/node_modules/**",
];

/// Returns whether the project mentions the key: code with a default of its own, a Compose file or another line of
/// `.env` can distinguish an empty value from none. Files that cannot be searched may mention it.
fn is_mentioned(key: &str, target: &Target, health_run: &HealthRun<'_>) -> bool {
    let search = ["grep", "--no-index", "--quiet", "--word-regexp", "--fixed-strings", "-e", key, "--", "."];
    let sample = format!(":(exclude){}", target.project.sample_name());
    let command = Command::git(search.into_iter().chain(NO_MENTION)).args([sample]).dir(&target.project.root);
    let timeout = health_run.args.timeout;
    let found = command.run(&Deadline::unless(health_run.deferred.flag(), timeout, timeout));
    // 1: it stands nowhere.
    found.map_or(true, |finished| finished.code() != Some(1))
}

/// Adds the keys that are still missing; returns their number, and a problem for each that cannot be added: it does not keep
/// the others from being added.
fn add(
    additions: &[(String, String)],
    file: &mut EnvFile,
    sample: &EnvFile,
    sample_name: &str,
) -> (usize, Vec<Problem>) {
    let (mut added, mut problems) = (0, Vec::new());
    for (key, value) in additions {
        if file.get(key).is_some() {
            continue;
        }
        match file.set(key, value, Some(sample)) {
            Ok(change) => added += usize::from(change.is_some()),
            Err(error) => problems.push(Problem::new(format!("`{sample_name}`: {error}: not added"))),
        }
    }
    (added, problems)
}
