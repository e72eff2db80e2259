//! The two questions: which environment, and which deployment method.

use checks::report::{BOLD, DIM};
use detect::{DEPLOY_METHOD, DJANGO_ENV, DeployMethod, Detected, Environment, deploy_method, environment};
use envfile::EnvFile;

use super::answers::{self, Answers};
use crate::cli;
use crate::context::Context;
use crate::exit::{Exit, Failure, Problem};
use crate::prompt::Dialogue;
use crate::typed;

/// A combination of answers to the two questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axes {
    pub(super) environment: Environment,
    pub(super) method: DeployMethod,
}

impl std::fmt::Display for Axes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}+{}", self.environment, self.method)
    }
}

/// Asks for both axes, one after the other, except for one that the call gives. The default of a question, and its answer
/// without a terminal, is the value of `.env`, else the detected value.
pub(super) fn ask(
    args: &cli::Install,
    given: &Answers,
    existing: Option<&EnvFile>,
    context: &Context<'_>,
    dialogue: &Dialogue,
) -> anyhow::Result<Axes> {
    let none = EnvFile::default();
    let env_file = existing.unwrap_or(&none);
    let (env, method) = (answers::axis(given, DJANGO_ENV)?, answers::axis(given, DEPLOY_METHOD)?);
    let is_yes = context.common.yes;
    let given_method = method.map(DeployMethod::as_str);
    let again = |words: &str| typed::install(args, is_yes, Some(words), given_method);
    let mut environment = settle(env, context, dialogue, again, || environment(env_file))?;
    let again = |words: &str| typed::install(args, is_yes, Some(environment.as_str()), Some(words));
    let mut chosen_method = settle(method, context, dialogue, again, || deploy_method(env_file, &context.probes()))?;
    if !context.is_interactive() {
        return Ok(Axes { environment, method: chosen_method });
    }

    if env.is_none() {
        offer(
            context,
            dialogue,
            "Which environment is this?",
            Environment::ALL.iter().map(|environment| match environment {
                Environment::Dev => (environment.as_str(), "development: tracebacks in the browser, throw-away data"),
                Environment::Prod => {
                    (environment.as_str(), "production: real users, real data, nothing shown to strangers")
                }
            }),
        );
        let choices = [(Environment::Dev, "development"), (Environment::Prod, "production")];
        environment = dialogue.choose("Environment:", &choices, environment)?;
    }
    if method.is_none() {
        offer(
            context,
            dialogue,
            "How is it deployed?",
            DeployMethod::ALL.iter().map(|method| match method {
                DeployMethod::Bare => (method.as_str(), "on this machine: uv, and in prod systemd"),
                DeployMethod::Docker => (method.as_str(), "in containers: Docker Compose"),
            }),
        );
        let choices = [(DeployMethod::Bare, "bare"), (DeployMethod::Docker, "docker")];
        chosen_method = dialogue.choose("Deployment method:", &choices, chosen_method)?;
    }
    Ok(Axes { environment, method: chosen_method })
}

/// The combination that a `.env` is for.
pub(super) fn of(file: &EnvFile, context: &Context<'_>) -> Axes {
    Axes { environment: environment(file).value, method: deploy_method(file, &context.probes()).value }
}

/// The given answer, else the detected one. A word in `.env` that means nothing is refused, not passed over; `again` is
/// this run with words of which the operator chooses one.
fn settle<T: std::fmt::Display>(
    given: Option<T>,
    context: &Context<'_>,
    dialogue: &Dialogue,
    again: impl Fn(&str) -> String,
    detect: impl FnOnce() -> Detected<T>,
) -> anyhow::Result<T> {
    if let Some(given) = given {
        return Ok(given);
    }
    let detected = detect();
    if let Some(unanswered) = detected.unanswered.as_ref().filter(|_| !dialogue.is_replaying()) {
        context.ui.warning(&Problem::new(format!("{unanswered}; taken for `{}`", detected.value)));
    }
    let Some(rejected) = detected.rejected else { return Ok(detected.value) };
    let problem = Problem::new(rejected.to_string()).hint(again(&rejected.error.expected.join("|")));
    Err(Failure::new(Exit::Usage, problem).into())
}

fn offer<'a>(
    context: &Context<'_>,
    dialogue: &Dialogue,
    question: &str,
    choices: impl Iterator<Item = (&'a str, &'a str)>,
) {
    if dialogue.is_replaying() {
        return;
    }
    let ui = context.ui;
    ui.blank_line();
    ui.note(ui.err().style(BOLD, question));
    for (index, (word, meaning)) in choices.enumerate() {
        ui.note(format_args!("  {}) {word:<7} {}", index + 1, ui.err().style(DIM, meaning)));
    }
}
