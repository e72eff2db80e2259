//! One cell of the table: a variable, its policy, and the operator, who may or may not be there.

use checks::report::DIM;
use detect::Environment;
use project::matrix::{self, Policy, Row};
use project::value::{OF_SAMPLE, is_sample_secret, unusable_reason};
use project::{Variable, secret};

use super::{Files, Origin};
use crate::context::Context;
use crate::install::answers::Answer;
use crate::install::axes::Axes;
use crate::install::key;
use crate::prompt::Dialogue;

/// Which questions are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Questions {
    /// None: there is no terminal, or it was called with `--yes`.
    None,
    /// Those about values that are missing or unsafe: the operator takes the defaults.
    Needed,
    All,
}

/// The operator, and what to ask them.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) dialogue: &'a Dialogue,
    pub(super) questions: Questions,
}

impl Asker<'_> {
    /// Whether to ask for a variable that has, or may have, this value.
    fn asks(self, variable: Variable, value: Option<&str>, is_required: bool, axes: Axes) -> bool {
        let is_wrong = || match value {
            Some(value) => {
                unusable(variable, axes)(value).is_some()
                    || matrix::unsafe_reason(variable, value, axes.environment).is_some()
            }
            None => is_required,
        };
        match self.questions {
            Questions::None => false,
            Questions::Needed => is_wrong(),
            Questions::All => true,
        }
    }
}

/// The result for a cell of the matrix.
pub(super) enum Settled<'a> {
    As(Option<String>, Origin),
    /// The value is required, and cannot be asked for.
    Missing,
    /// The answer contradicts the forced value.
    Conflict(&'a Answer, &'static str),
    /// The value is required, and the answer is empty.
    Empty(&'a Answer),
    /// The answer cannot work, for this reason.
    Unusable(&'a Answer, String),
}

/// Applies one cell of the table to a variable.
pub(super) fn settle<'a>(
    row: Row<'_>,
    given: Option<&'a Answer>,
    axes: Axes,
    files: &Files<'_>,
    context: &Context<'_>,
    asker: Asker<'_>,
) -> anyhow::Result<Settled<'a>> {
    let Row { variable, name, policy } = row;
    let is_required = matches!(policy, Policy::Required | Policy::RequiredGenerate);
    match (policy, given) {
        (Policy::Force(forced), Some(answer)) if answer.value != forced => Ok(Settled::Conflict(answer, forced)),
        (Policy::Force(forced), _) => Ok(Settled::As(Some(forced.to_owned()), Origin::Forced)),
        (Policy::Skip, given) => {
            if let Some(answer) = given.filter(|_| !asker.dialogue.is_replaying()) {
                context.ui.warning(&answer.problem(name, "is not used: the Compose file provides it"));
            }
            Ok(Settled::As(None, Origin::Compose))
        }
        (_, Some(answer)) if is_required && matrix::is_empty(&answer.value) => Ok(Settled::Empty(answer)),
        (Policy::RequiredGenerate, Some(answer)) if is_sample_secret(&answer.value) => {
            Ok(Settled::Unusable(answer, OF_SAMPLE.to_owned()))
        }
        (_, Some(answer)) => match unusable(variable, axes)(&answer.value) {
            Some(reason) => Ok(Settled::Unusable(answer, reason)),
            None => Ok(Settled::As(Some(answer.value.clone()), Origin::Answered)),
        },
        (Policy::Prompt(default) | Policy::Default(default), _) => {
            default_or_asked(row, default, axes, files, context, asker)
        }
        (Policy::OptionalGenerate, _) => generated(row, None, axes, files, context, asker),
        (Policy::PromptGenerate | Policy::RequiredGenerate, _) => {
            generated(row, Some(is_required), axes, files, context, asker)
        }
        (Policy::Required | Policy::Optional, _) => asked(row, is_required, axes, files, context, asker),
    }
}

/// Returns the judgement of the answers to a question: the reason why one cannot work.
fn unusable(variable: Variable, axes: Axes) -> impl Fn(&str) -> Option<String> + Clone {
    move |value| unusable_reason(variable, value, axes.environment, axes.method)
}

fn default_or_asked<'a>(
    row: Row<'_>,
    default: &str,
    axes: Axes,
    files: &Files<'_>,
    context: &Context<'_>,
    asker: Asker<'_>,
) -> anyhow::Result<Settled<'a>> {
    let Row { variable, name, .. } = row;
    let existing = files.chosen_before(variable);
    let origin = if existing.is_some() { Origin::Kept } else { Origin::Default };
    let offered = existing.unwrap_or_else(|| default.to_owned());
    if !asker.asks(variable, Some(&offered), true, axes) {
        return Ok(Settled::As(Some(offered), origin));
    }
    explain(row, files, context, asker);
    let message = format!("{name}:");
    let answer = if variable.is_switch() {
        asker.dialogue.switch(&message, &offered)?
    } else {
        asker.dialogue.text(&message, Some(&offered), str::to_owned, true, unusable(variable, axes))?
    };
    let origin = if answer == offered { origin } else { Origin::Answered };
    Ok(Settled::As(Some(answer), origin))
}

/// Returns a secret that exists, is generated, or is asked for: `ask` is the question that follows a declined offer,
/// and whether it needs an answer. An existing secret that is unsafe in this environment is offered for change.
fn generated<'a>(
    row: Row<'_>,
    ask: Option<bool>,
    axes: Axes,
    files: &Files<'_>,
    context: &Context<'_>,
    asker: Asker<'_>,
) -> anyhow::Result<Settled<'a>> {
    // A secret that stands in samples is as good as none.
    let is_public = |key: &String| axes.environment == Environment::Prod && is_sample_secret(key);
    let Row { variable, name, .. } = row;
    let existing = files.chosen_before(variable).filter(|key| !is_public(key));
    let weakness = existing.as_deref().and_then(|key| matrix::unsafe_reason(variable, key, axes.environment));
    let question = match (&existing, weakness) {
        (Some(_), Some(reason)) if asker.questions != Questions::None => {
            if !asker.dialogue.is_replaying() {
                context.ui.note(format_args!(
                    "{name} {reason}; everything signed with it, such as sessions, becomes invalid"
                ));
            }
            format!("{name}: Generate another one?")
        }
        (Some(existing), _) => return Ok(Settled::As(Some(existing.clone()), Origin::Kept)),
        (None, _) => format!("{name} is not set. Generate one?"),
    };
    // Enter generates one.
    let is_asked = asker.asks(variable, existing.as_deref(), false, axes);
    if is_asked {
        explain(row, files, context, asker);
    }
    if !is_asked || asker.dialogue.confirm(&question, true)? {
        return Ok(Settled::As(Some(key::generate()?), Origin::Generated));
    }
    let answer = match ask {
        Some(is_required) => {
            let is_prod = axes.environment == Environment::Prod;
            let refused = |answer: &str| (is_prod && is_sample_secret(answer)).then(|| OF_SAMPLE.to_owned());
            asker.dialogue.secret(&format!("{name}:"), is_required && existing.is_none(), refused)?
        }
        None => String::new(),
    };
    match existing.filter(|_| answer.is_empty()) {
        Some(existing) => Ok(Settled::As(Some(existing), Origin::Kept)),
        None => Ok(answered_or_unset(answer, files)),
    }
}

fn asked<'a>(
    row: Row<'_>,
    is_required: bool,
    axes: Axes,
    files: &Files<'_>,
    context: &Context<'_>,
    asker: Asker<'_>,
) -> anyhow::Result<Settled<'a>> {
    let Row { variable, name, .. } = row;
    let existing = files.chosen_before(variable);
    if !asker.asks(variable, existing.as_deref(), is_required, axes) {
        return Ok(match existing {
            Some(existing) => Settled::As(Some(existing), Origin::Kept),
            None if is_required => Settled::Missing,
            None => Settled::As(files.unset(), Origin::Unset),
        });
    }
    explain(row, files, context, asker);
    let shown = |value: &str| secret::shown("", value);
    let answer =
        asker.dialogue.text(&format!("{name}:"), existing.as_deref(), shown, is_required, unusable(variable, axes))?;
    match existing {
        Some(existing) if existing == answer => Ok(Settled::As(Some(answer), Origin::Kept)),
        // Emptied: the line has to change.
        Some(_) => Ok(Settled::As(Some(answer), Origin::Answered)),
        None => Ok(answered_or_unset(answer, files)),
    }
}

/// Explains a variable before asking for it.
fn explain(row: Row<'_>, files: &Files<'_>, context: &Context<'_>, asker: Asker<'_>) {
    if asker.dialogue.is_replaying() {
        return;
    }
    context.ui.blank_line();
    if let Some(meaning) = files.sample.comment(row.name) {
        context.ui.note(context.ui.err().style(DIM, meaning));
    }
    if let Some((value, previous)) = files.was(row.variable) {
        context.ui.note(context.ui.err().style(DIM, format_args!("was {value} in {previous}")));
    }
}

fn answered_or_unset<'a>(answer: String, files: &Files<'_>) -> Settled<'a> {
    if answer.is_empty() {
        Settled::As(files.unset(), Origin::Unset)
    } else {
        Settled::As(Some(answer), Origin::Answered)
    }
}
