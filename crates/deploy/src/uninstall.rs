//! Removing a service: everything that this tool has created, and of its data what is named.

use std::path::PathBuf;

use crate::context::Context;
use crate::event::Event;
use crate::failure::{Exit, Failure, Problem};

/// What an uninstall removes, and what it leaves.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The things that this tool has created: a line each.
    pub(crate) created: Vec<String>,
    /// The data of the service: volumes, folders and files.
    pub(crate) data: Vec<Data>,
    /// Things of the service that others have made or changed, with the reason: a line each.
    pub(crate) left: Vec<String>,
}

/// Data, which stays unless it is named.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Data {
    /// The name that removes it: of a volume, or a path.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) contents: &'static str,
}

/// The options of an uninstall.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The names of the data that is removed as well.
    pub data: Vec<String>,
    /// The folders and files of the checkout that this tool has created.
    pub of_checkout: Vec<PathBuf>,
}

/// The result of an uninstall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uninstalled {
    /// There was nothing to remove.
    Nothing,
    /// The plan was shown.
    Planned,
    /// Everything of the plan is removed.
    Removed,
}

impl Plan {
    /// Adds the things of the checkout.
    pub(crate) fn add_checkout(&mut self, options: &Options) {
        self.created.extend(options.of_checkout.iter().map(|path| format!("`{}`", path.display())));
    }

    /// Shows the plan and asks for consent. Returns the result if the plan is not to be carried out.
    ///
    /// # Errors
    /// If unknown data is named, or the operator declines or cannot be asked.
    pub(crate) fn accept(&self, options: &Options, context: &Context<'_>) -> anyhow::Result<Option<Uninstalled>> {
        let is_known = |name: &&String| self.data.iter().any(|data| data.name == **name);
        if let Some(unknown) = options.data.iter().find(|name| !is_known(name)) {
            let known: Vec<&str> = self.data.iter().map(|data| data.name.as_str()).collect();
            let known = match known.as_slice() {
                [] => "there is none".to_owned(),
                known => format!("there is {}", project::text::listed(known)),
            };
            return Err(Failure::usage(format!("the service has no data `{unknown}`: {known}")).into());
        }
        let (removed, kept): (Vec<&Data>, Vec<&Data>) =
            self.data.iter().partition(|data| options.data.contains(&data.name));
        if self.created.is_empty() && removed.is_empty() {
            return Ok(Some(Uninstalled::Nothing));
        }
        let plan = |title: &str, steps: Vec<String>| {
            if !steps.is_empty() {
                let title = title.to_owned();
                context.events.emit(Event::Plan { title, steps, commands: Vec::new() });
            }
        };
        let with_name = |data: &&Data| format!("`{}`: {}", data.name, data.contents);
        plan("To be removed", self.created.clone());
        plan("Data to be removed, and lost", removed.iter().map(with_name).collect());
        let kept =
            kept.iter().map(|data| format!("`{}`: {}   (--remove-data {})", data.name, data.contents, data.name));
        plan("Data that stays unless it is named", kept.collect());
        plan("Not created by this tool, and stays", self.left.clone());
        if context.is_dry_run {
            return Ok(Some(Uninstalled::Planned));
        }
        let question = if removed.is_empty() { "Remove all of this?" } else { "Remove all of this, with the data?" };
        let is_accepted = match (context.is_yes, context.can_ask) {
            // Each piece of data was named.
            (true, _) => true,
            (false, true) => context.confirm_danger(question)?,
            (false, false) => {
                let message = "an uninstall needs consent, and there is no terminal to ask on: nothing was changed";
                let problem = Problem::new(message).hint("the same command with --yes");
                return Err(Failure::new(Exit::NotMet, problem).into());
            }
        };
        if is_accepted {
            return Ok(None);
        }
        Err(Failure::new(Exit::NotMet, Problem::new("declined: nothing was changed")).into())
    }
}

/// Removes what an install has created in the checkout, where nothing is deployed; the caller removes the files.
///
/// # Errors
/// If data is named, or the operator declines or cannot be asked.
pub fn of_checkout(options: &Options, context: &Context<'_>) -> anyhow::Result<Uninstalled> {
    let mut plan = Plan::default();
    plan.add_checkout(options);
    Ok(plan.accept(options, context)?.unwrap_or(Uninstalled::Removed))
}
