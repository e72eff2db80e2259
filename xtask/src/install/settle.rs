//! From the policies of a combination to the values of `.env`.

mod cell;

use std::fmt;

use detect::{DEPLOY_METHOD, DJANGO_ENV, ENV_FILE, Environment};
use envfile::EnvFile;
use project::matrix::{self, Policy, Row, rows, unsafe_reason};
use project::value::unusable_reason;
use project::{NameSource, Names, Variable, secret};

use super::answers::Answers;
use super::axes::Axes;
use crate::cli;
use crate::context::Context;
use crate::exit::{Exit, Failure, Problem};
use crate::prompt::Dialogue;
use crate::typed;
use cell::{Asker, Questions, Settled};

/// A variable and its planned value. No `Debug`: it can be a secret.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) variable: String,
    /// Its value from now on; `None` if `install` leaves it alone.
    pub(super) value: Option<String>,
    pub(super) origin: Origin,
}

impl Setting {
    /// Returns the edit of the file. The operator's own line stays as it is, down to the last byte.
    pub(super) fn edit(&self) -> Option<(&str, &str)> {
        let value = self.value.as_deref().filter(|_| self.origin != Origin::Kept)?;
        Some((&self.variable, value))
    }
}

/// Why a variable has its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The table leaves no choice.
    Forced,
    /// Answered, on the command line, in a file or at a prompt.
    Answered,
    /// The operator's earlier value.
    Kept,
    /// The table's default.
    Default,
    Generated,
    /// The variable has no value, and needs none.
    Unset,
    /// The Compose file's business.
    Compose,
    /// The sample has an example, which is none for prod.
    Example,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Origin::Forced => "always so here",
            Origin::Answered => "as answered",
            Origin::Kept => "kept",
            Origin::Default => "default",
            Origin::Generated => "generated",
            Origin::Unset => "not set",
            Origin::Compose => "Compose provides it",
            Origin::Example => "empty: an example in the sample",
        })
    }
}

/// The `.env` that answers come from and go to.
pub(super) struct Files<'a> {
    /// The operator's `.env`, if there is one. Its values are answers; those of a sample are not.
    pub(super) existing: Option<&'a EnvFile>,
    /// The content of a fresh `.env`.
    pub(super) sample: &'a EnvFile,
    /// The path of the sample, for messages.
    pub(super) sample_name: String,
    /// The names of the variables of the matrix.
    pub(super) names: &'a Names,
    /// The combination that the operator's `.env` was for, if this run changes it.
    pub(super) previous: Option<Axes>,
}

impl Files<'_> {
    /// Returns the value of a name in the operator's `.env`, as it is written there.
    fn raw(&self, name: &str) -> Option<String> {
        let entry = self.existing?.get(name)?;
        Some(entry.value).filter(|value| !matrix::is_empty(value))
    }

    /// Returns the value of a variable in the operator's `.env`, as the matrix compares it.
    fn value(&self, variable: Variable) -> Option<String> {
        self.names.value(variable, |name| self.raw(name))
    }

    /// Returns the value that the operator has chosen for this variable before. A value that the matrix gave the
    /// previous combination is this tool's own, and is set again.
    fn chosen_before(&self, variable: Variable) -> Option<String> {
        self.value(variable).filter(|_| self.was(variable).is_none())
    }

    /// The value that this variable had by the table, and for which combination, if that has changed.
    fn was(&self, variable: Variable) -> Option<(String, Axes)> {
        let previous = self.previous?;
        let given = matrix::policy(variable, previous.environment, previous.method).value()?;
        let value = self.value(variable).filter(|value| matrix::is_same(variable, value, given))?;
        Some((value, previous))
    }

    /// Leaves a variable unset. A fresh `.env` must not have the sample's example in its place.
    fn unset(&self) -> Option<String> {
        self.existing.is_none().then(String::new)
    }
}

/// Sets every variable: the axes first, then the rows of the matrix, then the other answers.
pub(super) fn run(
    axes: Axes,
    args: &cli::Install,
    given: &Answers,
    files: &Files<'_>,
    context: &Context<'_>,
    dialogue: &Dialogue,
) -> anyhow::Result<Vec<Setting>> {
    let mut settings = vec![
        axis(DJANGO_ENV, axes.environment.as_str(), given, files, context),
        axis(DEPLOY_METHOD, axes.method.as_str(), given, files, context),
    ];
    let mut missing = Vec::new();
    let mut problems = Vec::new();
    for (row, settled) in cells(axes, given, files, context, dialogue)? {
        let Row { variable, name, .. } = row;
        match settled {
            Settled::As(value, origin) => {
                // The line stays as it is where the new combination has the same value.
                let before = files.value(variable).filter(|_| matches!(origin, Origin::Default | Origin::Forced));
                let is_same = |before: &String| value.as_ref().is_some_and(|it| matrix::is_same(variable, it, before));
                let is_kept = origin == Origin::Kept || before.is_some_and(|before| is_same(&before));
                let format = &files.names.named(variable).format;
                let (value, origin) = match files.raw(name).filter(|_| is_kept) {
                    Some(raw) => (Some(raw), if origin == Origin::Forced { origin } else { Origin::Kept }),
                    None => match given.get(name).filter(|_| variable.is_switch() && !format.has_words()) {
                        // Nothing shows which words the settings know: the operator's are taken.
                        Some(answer) => (Some(answer.raw.clone()), origin),
                        None => (value.map(|value| format.spelled(variable, &value)), origin),
                    },
                };
                settings.push(Setting { variable: name.to_owned(), value, origin });
            }
            Settled::Missing => missing.push(row),
            refused => problems.extend(refusal(&refused, name, axes)),
        }
    }
    if !missing.is_empty() {
        problems.push(missing_problem(&missing, axes, args, files, context));
    }
    if !problems.is_empty() {
        return Err(Failure { exit: Exit::Usage, problems }.into());
    }
    let more = given.iter().filter(|(variable, _)| settings.iter().all(|setting| setting.variable != **variable));
    let more: Vec<_> = more.map(|(variable, answer)| answered(variable, answer.value.clone())).collect();
    settings.extend(more);
    settings.extend(examples(axes, &settings, files));
    warn(&settings, axes, args, files, context);
    Ok(settings)
}

/// Settles every row of the matrix. The answers of the call come first: one that cannot be taken is refused before
/// anything is asked.
fn cells<'a>(
    axes: Axes,
    given: &'a Answers,
    files: &'a Files<'_>,
    context: &Context<'_>,
    dialogue: &Dialogue,
) -> anyhow::Result<Vec<(Row<'a>, Settled<'a>)>> {
    let rows: Vec<_> = rows(files.names, axes.environment, axes.method).collect();
    let is_interactive = context.is_interactive();
    let mut asker = Asker { dialogue, questions: Questions::None };
    let mut settled = Vec::new();
    for row in &rows {
        let answer = given.get(row.name);
        settled.push(answer.map(|_| cell::settle(*row, answer, axes, files, context, asker)).transpose()?);
    }
    let refusals = rows.iter().zip(&settled);
    let refusals = refusals.filter_map(|(row, settled)| refusal(settled.as_ref()?, row.name, axes));
    let problems: Vec<_> = refusals.filter(|_| is_interactive).collect();
    if !problems.is_empty() {
        return Err(Failure { exit: Exit::Usage, problems }.into());
    }
    if is_interactive {
        let open = rows.iter().filter(|row| !given.contains_key(row.name));
        let takes_defaults = open.filter(|row| has_default(row, files)).count() > 1
            && !dialogue.asks_all()
            && takes_defaults(axes, files, context, dialogue)?;
        asker.questions = if takes_defaults { Questions::Needed } else { Questions::All };
    }
    let cells = rows.into_iter().zip(settled).map(|(row, settled)| match settled {
        Some(settled) => Ok((row, settled)),
        None => Ok((row, cell::settle(row, None, axes, files, context, asker)?)),
    });
    cells.collect()
}

/// Returns whether Enter answers the question for this variable; `false` if there is no question.
fn has_default(row: &Row<'_>, files: &Files<'_>) -> bool {
    let has_value = files.chosen_before(row.variable).is_some();
    match row.policy {
        Policy::Prompt(_) | Policy::Default(_) | Policy::Optional => true,
        Policy::OptionalGenerate | Policy::PromptGenerate | Policy::RequiredGenerate => !has_value,
        Policy::Required => has_value,
        Policy::Force(_) | Policy::Skip => false,
    }
}

fn takes_defaults(axes: Axes, files: &Files<'_>, context: &Context<'_>, dialogue: &Dialogue) -> anyhow::Result<bool> {
    if !dialogue.is_replaying() {
        context.ui.blank_line();
    }
    let question = if files.existing.is_some() {
        format!("Keep the values of `{ENV_FILE}`, and use the defaults for {axes}?")
    } else {
        format!("Use the defaults for {axes}?")
    };
    dialogue.confirm(&question, true)
}

/// Returns the problem of an answer that cannot be taken.
fn refusal(settled: &Settled<'_>, name: &str, axes: Axes) -> Option<Problem> {
    Some(match settled {
        Settled::Conflict(answer, forced) => answer.problem(name, format_args!("is always {forced} in {axes}")),
        Settled::Empty(answer) => answer.problem(name, format_args!("is required in {axes}, and the answer is empty")),
        Settled::Unusable(answer, reason) => answer.problem(name, reason),
        Settled::As(..) | Settled::Missing => return None,
    })
}

fn axis(variable: &str, chosen: &str, given: &Answers, files: &Files<'_>, context: &Context<'_>) -> Setting {
    let is_kept = files.raw(variable).is_some_and(|value| value.trim().eq_ignore_ascii_case(chosen));
    let origin = match (is_kept, given.contains_key(variable) || context.is_interactive()) {
        (true, _) => Origin::Kept,
        (false, true) => Origin::Answered,
        (false, false) => Origin::Default,
    };
    Setting { variable: variable.to_owned(), value: Some(chosen.to_owned()), origin }
}

fn answered(variable: &str, value: String) -> Setting {
    Setting { variable: variable.to_owned(), value: Some(value), origin: Origin::Answered }
}

fn missing_problem(
    missing: &[Row<'_>],
    axes: Axes,
    args: &cli::Install,
    files: &Files<'_>,
    context: &Context<'_>,
) -> Problem {
    let names: Vec<_> = missing.iter().map(|row| format!("`{}`", row.name)).collect();
    let (are, why) = (if missing.len() == 1 { "is" } else { "are" }, context.why_not_asked());
    let sets: Vec<_> = missing.iter().map(|row| format!("--set {}=…", row.name)).collect();
    let again = typed::install(args, context.common.yes, Some(axes.environment.as_str()), Some(axes.method.as_str()));
    let was = missing.iter().filter_map(|row| Some((row.name, files.was(row.variable)?)));
    let was = was.map(|(name, (value, previous))| format!("; `{name}` was {value} in {previous}"));
    Problem::new(format!("{} {are} required in {axes}, {why}{}", names.join(" and "), was.collect::<String>()))
        .hint(format!("{again} {}, or a file with them: --answers FILE", sets.join(" ")))
}

/// Returns the secrets of the sample that a fresh `.env` for prod does not take over: they are public.
fn examples(axes: Axes, settings: &[Setting], files: &Files<'_>) -> Vec<Setting> {
    if files.existing.is_some() || axes.environment != Environment::Prod {
        return Vec::new();
    }
    let is_open = |key: &&str| settings.iter().all(|setting| setting.variable != **key);
    let mut keys: Vec<&str> = files.sample.keys().filter(is_open).filter(|key| is_example(key, files.sample)).collect();
    keys.dedup();
    let empty = |key: &str| Setting { variable: key.to_owned(), value: Some(String::new()), origin: Origin::Example };
    keys.into_iter().map(empty).collect()
}

/// Whether the sample has a secret of its own for this variable. A value that is made of others is as good as those.
fn is_example(key: &str, sample: &EnvFile) -> bool {
    let value = sample.get(key).map(|entry| entry.value).unwrap_or_default();
    let is_made_of_others = sample.lines().any(|line| line.key() == Some(key) && line.text().contains("${"));
    !matrix::is_empty(&value)
        && !is_made_of_others
        && !secret::is_plain_setting(key, &value)
        && !secret::in_variable(key, &value).is_empty()
}

/// Names the secrets that are the sample's: left empty in a fresh file, and kept in one that has been there.
fn warn_of_examples(settings: &[Setting], axes: Axes, args: &cli::Install, files: &Files<'_>, context: &Context<'_>) {
    let is_left = |key: &&str| settings.iter().any(|it| it.variable == **key && it.origin == Origin::Example);
    let is_kept = |key: &&str| {
        let example = files.sample.get(key).map(|entry| entry.value);
        let is_replaced = settings.iter().any(|it| it.variable == **key && it.value != example);
        let is_prod = axes.environment == Environment::Prod;
        is_prod && is_example(key, files.sample) && files.raw(key) == example && !is_replaced
    };
    let names = |wanted: &dyn Fn(&&str) -> bool| {
        files.sample.keys().filter(|key| wanted(key)).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
    };
    let again = typed::install(args, context.common.yes, Some(axes.environment.as_str()), Some(axes.method.as_str()));
    for (what, names) in [
        ("left empty, since the sample has only an example", names(&is_left)),
        ("the example of the sample, which is public", names(&is_kept)),
    ] {
        if !names.is_empty() {
            let problem = Problem::new(format!("`{ENV_FILE}`: {what}: {names}"));
            context.ui.warning(&problem.hint(format!("{again} --answers FILE")));
        }
    }
}

/// Warns about forced values, and about kept values that are unsafe in this environment.
fn warn(settings: &[Setting], axes: Axes, args: &cli::Install, files: &Files<'_>, context: &Context<'_>) {
    warn_of_examples(settings, axes, args, files, context);
    for Setting { variable: name, value: spelled, origin } in settings {
        let (Some(spelled), Some(variable)) = (spelled, files.names.variable(name)) else { continue };
        if files.names.named(variable).source == NameSource::Unread && variable != Variable::AlwaysEager {
            let problem = format!("the settings of Django do not seem to read `{name}`");
            let hint = format!(
                "name the variable that they read in {}, or switch it off: variables = {{ {} = … }}",
                context.project.settings_file(),
                variable.key()
            );
            context.ui.warning(&Problem::new(problem).hint(hint));
        }
        let value = files.names.named(variable).format.canonical(variable, spelled);
        let before = files.value(variable).filter(|before| !matrix::is_same(variable, before, &value));
        match (*origin, before, files.was(variable)) {
            (Origin::Forced, Some(before), _) => {
                let before = files.raw(name).unwrap_or(before);
                context.ui.warning(&Problem::new(format!("`{name}` is always {spelled} in {axes}: was {before}")));
            }
            (Origin::Default, Some(_), Some((before, previous))) => {
                let before = files.raw(name).unwrap_or(before);
                context
                    .ui
                    .warning(&Problem::new(format!("`{name}` is {spelled} in {axes}: was {before} in {previous}")));
            }
            _ => {}
        }
        let unusable = unusable_reason(variable, &value, axes.environment, axes.method);
        let is_unsafe = || unsafe_reason(variable, &value, axes.environment).map(str::to_owned);
        if let Some(reason) = unusable.or_else(is_unsafe) {
            let again =
                typed::install(args, context.common.yes, Some(axes.environment.as_str()), Some(axes.method.as_str()));
            let options = again.strip_prefix("cargo xtask install").unwrap_or_default();
            let policy = matrix::policy(variable, axes.environment, axes.method);
            let hint = matrix::remedy(options, [(Row { variable, name, policy }, Some(value.as_str()))]);
            context.ui.warning(&Problem::new(format!("`{name}` in {axes} {reason}")).hint(hint));
        }
    }
}
