//! `health --list`: every check, its subject, and whether it would run here.

use checks::Target;
use checks::catalogue::{CATALOGUE, Group, Selection};
use checks::report::{BOLD, DIM};

use crate::context::Context;

pub(super) fn print(target: &Target, context: &Context<'_>) {
    let (ui, colors) = (context.ui, context.ui.out());
    let axes = match target.env_file {
        Ok(_) => format!("{}+{}", target.environment.value, target.deploy_method.value),
        Err(_) => "unknown axes".to_owned(),
    };
    ui.result(colors.style(BOLD, format_args!("{axes} in {}", context.project.root.display())));
    let width = CATALOGUE.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, looks_at) in CATALOGUE {
        let why_not =
            Group::of(name).and_then(|group| target.absent(group)).or_else(|| left_out(name, &target.selection));
        let (mark, reason) = match why_not {
            None => ("run ".to_owned(), String::new()),
            Some(reason) => (colors.style(DIM, "skip"), format!("  ({reason})")),
        };
        ui.result(format_args!("  {mark}  {name:<width$}  {looks_at}{}", colors.style(DIM, reason)));
    }
}

fn left_out(name: &str, selection: &Selection) -> Option<&'static str> {
    let is_chosen = selection.only.is_empty() || selection.asks_for(name);
    match (selection.wants(name), is_chosen) {
        (true, _) => None,
        (false, false) => Some("not in `--only`"),
        (false, true) => Some("left out by `--skip`"),
    }
}
