//! Questions to the operator, on a terminal only.

mod editor;
mod question;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use project::matrix;

pub(crate) use editor::columns;
pub(crate) use question::use_colors;
use question::{Left, Question};

use crate::exit::Failure;

/// Empties a value at a prompt, where Enter keeps it.
const EMPTY: &str = "\"\"";

/// Asks a question that stands alone; Enter is yes.
pub(crate) fn confirm(message: &str) -> anyhow::Result<bool> {
    Dialogue::default().confirm(message, true)
}

/// Asks a yes-or-no question that can cost data; Enter is no.
pub(crate) fn confirm_danger(message: &str) -> anyhow::Result<bool> {
    Dialogue::default().confirm(message, false)
}

/// Questions of which each can be asked again. One step back runs the whole dialogue anew with the answers before that
/// step, so that questions that depend on them are asked or left out as they should be.
#[derive(Default)]
pub(crate) struct Dialogue(RefCell<State>);

/// No `Debug`: an answer can be a secret.
#[derive(Default)]
struct State {
    /// The answers so far, with their questions.
    answers: Vec<(String, String)>,
    /// How many of them this run of the dialogue has had.
    used: usize,
    /// Answers that were taken back, by their questions: offered again.
    earlier: BTreeMap<String, String>,
    asks_all: bool,
}

impl State {
    /// Offers answers when they are asked for again. An empty one has taken what was offered: that stays.
    fn offer(&mut self, answers: impl IntoIterator<Item = (String, String)>) {
        self.earlier.extend(answers.into_iter().filter(|(_, answer)| !answer.is_empty()));
    }
}

/// The operator goes back to the question before.
#[derive(Debug)]
struct Back;

impl fmt::Display for Back {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("back to the question before")
    }
}

impl Error for Back {}

impl Dialogue {
    /// Runs the dialogue, until it ends without a step back.
    pub(crate) fn run<T>(&self, mut questions: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
        loop {
            self.0.borrow_mut().used = 0;
            match questions() {
                Err(error) if error.is::<Back>() => {
                    let state = &mut *self.0.borrow_mut();
                    let last = state.answers.pop();
                    state.offer(last);
                }
                result => return result,
            }
        }
    }

    /// Asks all questions again, also those that were left out; the answers before this last one are offered.
    pub(crate) fn start_over<T>(&self) -> anyhow::Result<T> {
        let state = &mut *self.0.borrow_mut();
        state.answers.pop();
        let answers = std::mem::take(&mut state.answers);
        state.offer(answers);
        state.asks_all = true;
        Err(Back.into())
    }

    /// Whether the operator has asked for all questions.
    pub(crate) fn asks_all(&self) -> bool {
        self.0.borrow().asks_all
    }

    /// Whether the dialogue runs through answers that it has already, and is to print nothing.
    pub(crate) fn is_replaying(&self) -> bool {
        let state = self.0.borrow();
        state.used < state.answers.len()
    }

    fn earlier(&self, message: &str) -> Option<String> {
        self.0.borrow().earlier.get(message).cloned()
    }

    /// Asks, or returns the answer that there is.
    fn ask(&self, question: &Question<'_>) -> anyhow::Result<String> {
        let state = &mut *self.0.borrow_mut();
        if let Some((_, answer)) = state.answers.get(state.used) {
            state.used += 1;
            return Ok(answer.clone());
        }
        let answer = question.ask(!state.answers.is_empty()).map_err(|left| match left {
            Left::Back => anyhow::Error::new(Back),
            Left::Interrupted => Failure::interrupted("interrupted: nothing was changed").into(),
            Left::Failed(error) => anyhow::Error::new(error).context("cannot ask on this terminal"),
        })?;
        if answer.is_empty() && !question.initial.is_empty() {
            // The operator has erased what was offered.
            state.earlier.remove(question.message);
        }
        state.answers.push((question.message.to_owned(), answer.clone()));
        state.used += 1;
        Ok(answer)
    }

    /// One of a few: answered by its number, by its word, by its long name, or by the first letters of either.
    pub(crate) fn choose<T: Copy + fmt::Display>(
        &self,
        message: &str,
        choices: &[(T, &str)],
        default: T,
    ) -> anyhow::Result<T> {
        let parse = |text: &str| choice(choices, text);
        let words = choices.iter().enumerate().map(|(index, (choice, _))| format!("{} or {choice}", index + 1));
        let expected = format!("please type {}", words.collect::<Vec<_>>().join(", "));
        let default = self.earlier(message).and_then(|earlier| parse(&earlier)).unwrap_or(default);
        let check = |text: &str| match parse(text) {
            None if !text.is_empty() => Err(expected.clone()),
            _ => Ok(()),
        };
        let shown = |text: &str| parse(text).unwrap_or(default).to_string();
        let default_word = default.to_string();
        let answer = self.ask(&Question { default: &default_word, shown: &shown, ..Question::new(message, &check) })?;
        Ok(parse(&answer).unwrap_or(default))
    }

    /// Yes or no.
    pub(crate) fn confirm(&self, message: &str, default: bool) -> anyhow::Result<bool> {
        let parse = |text: &str| match text.to_lowercase().as_str() {
            "" => None,
            word if "yes".starts_with(word) => Some(true),
            word if "no".starts_with(word) => Some(false),
            _ => None,
        };
        let default = self.earlier(message).and_then(|earlier| parse(&earlier)).unwrap_or(default);
        let check = |text: &str| match parse(text) {
            None if !text.is_empty() => Err("please type y (yes) or n (no)".to_owned()),
            _ => Ok(()),
        };
        let word = |is_yes| if is_yes { "Yes" } else { "No" };
        let shown = |text: &str| word(parse(text).unwrap_or(default)).to_owned();
        let default_word = if default { "Y/n" } else { "y/N" };
        let answer = self.ask(&Question { default: default_word, shown: &shown, ..Question::new(message, &check) })?;
        Ok(parse(&answer).unwrap_or(default))
    }

    /// On or off, as `1` or `0`; `default`, which Enter takes, is shown and given back as it stands.
    pub(crate) fn switch(&self, message: &str, default: &str) -> anyhow::Result<String> {
        let earlier = self.earlier(message).filter(|earlier| !earlier.is_empty());
        let offered = earlier.as_deref().unwrap_or(default);
        let check = |text: &str| match matrix::parse_switch(text) {
            None if !text.is_empty() => Err("please type 1 (on) or 0 (off)".to_owned()),
            _ => Ok(()),
        };
        let shown = |text: &str| if text.is_empty() { offered.to_owned() } else { text.to_owned() };
        let answer = self.ask(&Question { default: offered, shown: &shown, ..Question::new(message, &check) })?;
        let answer = if answer.is_empty() { offered.to_owned() } else { answer };
        Ok(match matrix::parse_switch(&answer) {
            Some(on) if answer != default => matrix::switch(on).to_owned(),
            _ => answer,
        })
    }

    /// Asks for text; Enter, or an empty answer, takes the default, and `""` is the empty text where none is required.
    /// `shown` redacts values: they may hold a password. `refused` returns the reason why an answer, or the default,
    /// cannot be taken.
    pub(crate) fn text(
        &self,
        message: &str,
        default: Option<&str>,
        shown: fn(&str) -> String,
        is_required: bool,
        refused: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<String> {
        let earlier = self.earlier(message).unwrap_or_default();
        // A password is not shown again, not even to be edited.
        let (initial, default) = if shown(&earlier) == earlier { (&*earlier, default) } else { ("", Some(&*earlier)) };
        let help = match default {
            Some(default) if is_required => format!("Enter keeps {}", shown(default)),
            Some(default) => format!("Enter keeps {}, {EMPTY} empties it", shown(default)),
            None if is_required => "required".to_owned(),
            None => "optional, Enter leaves it unset".to_owned(),
        };
        let is_emptied = |text: &str| text == EMPTY && !is_required;
        let check = |text: &str| {
            if is_emptied(text) {
                return Ok(());
            }
            if is_required && default.is_none() && matrix::is_empty(text) {
                return Err("an answer is required".to_owned());
            }
            let answer = if matrix::is_empty(text) { default.unwrap_or_default() } else { text };
            refused(answer).map_or_else(|| writable(text), |reason| Err(format!("this {reason}")))
        };
        let shown = |text: &str| match default {
            Some(default) if matrix::is_empty(text) => shown(default),
            _ => shown(text),
        };
        let question =
            Question { help: &help, shown: &shown, keeps_rejected: true, initial, ..Question::new(message, &check) };
        let answer = self.ask(&question)?;
        Ok(match default {
            _ if is_emptied(&answer) => String::new(),
            _ if !matrix::is_empty(&answer) => answer,
            default => default.unwrap_or_default().to_owned(),
        })
    }

    /// A secret: never shown. `refused` returns the reason why an answer cannot be taken.
    pub(crate) fn secret(
        &self,
        message: &str,
        is_required: bool,
        refused: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<String> {
        let check = |text: &str| {
            if is_required && text.is_empty() {
                return Err("an answer is required".to_owned());
            }
            refused(text).map_or_else(|| writable(text), |reason| Err(format!("this {reason}")))
        };
        let shown = |text: &str| if text.is_empty() { String::new() } else { "********".to_owned() };
        let earlier = self.earlier(message).unwrap_or_default();
        self.ask(&Question { shown: &shown, is_hidden: true, initial: &earlier, ..Question::new(message, &check) })
    }
}

/// Refuses a text that no line of `.env` can hold.
fn writable(text: &str) -> Result<(), String> {
    envfile::encode(text).map(drop).map_err(|error| error.to_string())
}

fn choice<T: Copy + fmt::Display>(choices: &[(T, &str)], text: &str) -> Option<T> {
    let text = text.to_lowercase();
    let by_number = text.parse::<usize>().ok().and_then(|number| choices.get(number.checked_sub(1)?));
    let is_meant = |(choice, long): &&(T, &str)| {
        !text.is_empty() && (choice.to_string().starts_with(&text) || long.starts_with(&text))
    };
    let mut by_word = choices.iter().filter(is_meant);
    let by_word = by_word.next().filter(|_| by_word.next().is_none());
    by_number.or(by_word).map(|(choice, _)| *choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_by_number_word_and_first_letters() {
        let choices = [("dev", "development"), ("prod", "production")];
        for text in ["2", "p", "prod", "PRODUCTION", "produ"] {
            assert_eq!(choice(&choices, text), Some("prod"), "{text}");
        }
        for text in ["", "0", "3", "x", "productions", "devel opment"] {
            assert_eq!(choice(&choices, text), None, "{text}");
        }
        assert_eq!(choice(&[("stop", "stop"), ("start", "start")], "st"), None);
    }
}
