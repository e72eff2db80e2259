//! Hooks: programs of the project that run before a deploy, after it, and after one that has failed.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use project::secret::Secrets;
use subprocess::{Command, Deadline};

use crate::context::Context;
use crate::failure::{Exit, Failure, Problem};
use crate::interrupt::Interrupt;
use crate::source::Checkout;

/// The folder of the hooks, from the root of the checkout.
const FOLDER: &str = "deploy/hooks";
/// The time that a hook may take.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The moment of a deploy that a hook is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// Before anything that serves is changed. If it fails, nothing is.
    Before,
    /// The new release serves.
    After,
    /// The deploy has failed, or was interrupted.
    Failed,
}

impl Hook {
    fn name(self) -> &'static str {
        match self {
            Hook::Before => "pre-deploy",
            Hook::After => "post-deploy",
            Hook::Failed => "failed-deploy",
        }
    }
}

/// The facts that a hook gets as variables of its environment.
#[derive(Debug, Default)]
pub(crate) struct Facts<'a> {
    /// The command, such as `deploy-docker`.
    pub(crate) command: &'a str,
    /// The release, if there is one already.
    pub(crate) release: Option<&'a str>,
    /// The release that is rolled back to.
    pub(crate) rollback_to: Option<&'a str>,
    /// The result: `planned`, `deployed`, `rolled-back`, `rollback-failed`, `interrupted` or `failed`.
    pub(crate) result: &'a str,
}

impl Facts<'_> {
    fn variables(&self, hook: Hook, context: &Context<'_>) -> Vec<(&'static str, String)> {
        let Facts { command, release, rollback_to, result } = self;
        let checkout = Checkout::of(context);
        let (commit, subject) = checkout.map_or((None, None), |checkout| (Some(checkout.commit), checkout.subject));
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        vec![
            ("XTASK_HOOK", hook.name().to_owned()),
            ("XTASK_COMMAND", (*command).to_owned()),
            ("XTASK_RELEASE", text(*release)),
            ("XTASK_ROLLBACK_TO", text(*rollback_to)),
            ("XTASK_RESULT", (*result).to_owned()),
            ("XTASK_COMMIT", commit.unwrap_or_default()),
            ("XTASK_SUBJECT", subject.unwrap_or_default()),
            ("XTASK_USER", context.user.to_owned()),
        ]
    }
}

/// Runs a hook in the root of the checkout, if the project has it. Its output is shown with secrets redacted.
///
/// # Errors
/// If it cannot be started, takes too long, or its exit status is not 0.
pub(crate) fn run(hook: Hook, facts: &Facts<'_>, context: &Context<'_>) -> anyhow::Result<()> {
    let name = format!("{FOLDER}/{}", hook.name());
    let path = context.project.root.join(&name);
    if !is_executable(&path, &name)? {
        return Ok(());
    }
    let stop = if hook == Hook::Before { context.interrupt.flag() } else { Interrupt::never().flag() };
    context.events.step(&name, || {
        let variables = facts.variables(hook, context);
        let command = Command::new(&path, [""; 0]).dir(&context.project.root).envs(variables);
        let finished = command.run(&Deadline::unless(stop, TIMEOUT, TIMEOUT));
        let finished = finished.map_err(|error| Failure::unfinished(&name, &error))?;
        let file = envfile::read(&context.project.env_file())?.unwrap_or_default();
        let secrets = Secrets::of([&file]).and(context.host_facts.secrets.iter().cloned());
        let printed = [finished.stdout(), finished.stderr()].concat();
        context.events.output(&secrets.redact(&printed), !finished.is_success());
        if finished.is_success() {
            return Ok(());
        }
        Err(Failure::new(Exit::NotMet, Problem::new(format!("`{name}` failed: {}", finished.status()))).into())
    })
}

/// Runs a hook after a deploy, whose failure changes nothing any more.
pub(crate) fn run_after(hook: Hook, facts: &Facts<'_>, context: &Context<'_>) {
    if let Err(error) = run(hook, facts, context) {
        context.events.warning(Problem::new(format!("{error:#}; the deploy has ended before")));
    }
}

fn is_executable(path: &Path, name: &str) -> anyhow::Result<bool> {
    let mode = match fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => {
            let problem = Problem::new(format!("cannot read `{name}`: {error}"));
            return Err(Failure::new(Exit::NotMet, problem).into());
        }
    };
    if mode & 0o111 == 0 {
        let problem = Problem::new(format!("`{name}` is not executable"));
        return Err(Failure::new(Exit::NotMet, problem.hint(format!("chmod +x {name}"))).into());
    }
    Ok(true)
}
