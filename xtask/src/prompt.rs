//! Questions to the operator, on a terminal only.

use std::fmt;

use inquire::ui::RenderConfig;
use inquire::validator::Validation;
use inquire::{Confirm, CustomType, InquireError, Password, PasswordDisplayMode, Text};
use project::matrix;

use crate::exit::Failure;

/// Sets whether prompts are coloured, instead of inquire's own detection.
pub(crate) fn use_colors(has_color: bool) {
    inquire::set_global_render_config(if has_color { RenderConfig::default_colored() } else { RenderConfig::empty() });
}

/// One of a few: answered by its number or its word.
pub(crate) fn choose<T>(message: &str, choices: &'static [T], default: T) -> anyhow::Result<T>
where
    T: Copy + fmt::Display + std::str::FromStr,
{
    let words = || choices.iter().enumerate().map(|(index, choice)| format!("{} or {choice}", index + 1));
    let expected = format!("please type {}", words().collect::<Vec<_>>().join(", "));
    let parse = |text: &str| {
        let by_number = text.trim().parse::<usize>().ok().and_then(|number| choices.get(number.checked_sub(1)?));
        by_number.copied().or_else(|| text.parse().ok()).ok_or(())
    };
    let question =
        CustomType::<T>::new(message).with_parser(&parse).with_default(default).with_error_message(&expected).prompt();
    answered(question)
}

/// Yes or no; Enter is yes.
pub(crate) fn confirm(message: &str) -> anyhow::Result<bool> {
    answered(Confirm::new(message).with_default(true).prompt())
}

/// Asks a yes-or-no question that can cost data; Enter is no.
pub(crate) fn confirm_danger(message: &str) -> anyhow::Result<bool> {
    answered(Confirm::new(message).with_default(false).prompt())
}

/// On or off, as `1` or `0`; `default`, which Enter takes, is shown and given back as it stands.
pub(crate) fn switch(message: &str, default: &str) -> anyhow::Result<String> {
    let validator = |text: &str| match matrix::parse_switch(text) {
        Some(_) => Ok(Validation::Valid),
        None => Ok(Validation::Invalid("please type 1 (on) or 0 (off)".into())),
    };
    let question = Text::new(message).with_default(default).with_validator(validator).prompt();
    let answer = answered(question)?;
    Ok(match matrix::parse_switch(&answer) {
        Some(on) if answer != default => matrix::switch(on).to_owned(),
        _ => answer,
    })
}

/// Asks for text; Enter, or an empty answer, takes the default. `shown` redacts values: they may hold a password. `refused`
/// returns the reason why an answer, or the default, cannot be taken.
pub(crate) fn text(
    message: &str,
    default: Option<&str>,
    shown: fn(&str) -> String,
    is_required: bool,
    refused: impl Fn(&str) -> Option<String> + Clone,
) -> anyhow::Result<String> {
    let help = match default {
        Some(default) => format!("Enter keeps {}", shown(default)),
        None if is_required => "required".to_owned(),
        None => "optional, Enter leaves it unset".to_owned(),
    };
    let needs_answer = is_required && default.is_none();
    let validator = move |text: &str| {
        if needs_answer && matrix::is_empty(text) {
            return Ok(Validation::Invalid("an answer is required".into()));
        }
        let answer = if matrix::is_empty(text) { default.unwrap_or_default() } else { text.trim() };
        Ok(match refused(answer) {
            Some(reason) => Validation::Invalid(format!("this {reason}").into()),
            None => Validation::Valid,
        })
    };
    let formatter = |text: &str| match default {
        Some(default) if matrix::is_empty(text) => shown(default),
        _ => shown(text),
    };
    let question =
        Text::new(message).with_help_message(&help).with_validator(validator).with_formatter(&formatter).prompt();
    let answer = answered(question)?.trim().to_owned();
    Ok(if matrix::is_empty(&answer) { default.unwrap_or_default().to_owned() } else { answer })
}

/// A secret: never shown. `refused` returns the reason why an answer cannot be taken.
pub(crate) fn secret(
    message: &str,
    is_required: bool,
    refused: impl Fn(&str) -> Option<String> + Clone + 'static,
) -> anyhow::Result<String> {
    let validator = move |text: &str| {
        if is_required && text.trim().is_empty() {
            return Ok(Validation::Invalid("an answer is required".into()));
        }
        Ok(match refused(text.trim()) {
            Some(reason) => Validation::Invalid(format!("this {reason}").into()),
            None => Validation::Valid,
        })
    };
    let question = Password::new(message)
        .without_confirmation()
        .with_display_mode(PasswordDisplayMode::Masked)
        .with_validator(validator)
        .prompt();
    Ok(answered(question)?.trim().to_owned())
}

/// Ctrl-C, Ctrl-D and Esc end the run.
fn answered<T>(question: Result<T, InquireError>) -> anyhow::Result<T> {
    question.map_err(|error| match error {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => {
            Failure::interrupted("interrupted: nothing was changed").into()
        }
        error => anyhow::Error::new(error).context("cannot ask on this terminal"),
    })
}
