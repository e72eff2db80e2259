//! The events of a deploy, for people: a line for each step, a spinner while it runs.

use std::cell::RefCell;

use checks::Status;
use checks::report::BOLD;
use deploy::Event;

use crate::spinner::Spinner;
use crate::ui::{Ui, seconds};

/// Prints events as they come.
pub(super) struct Renderer<'a> {
    ui: &'a Ui,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// The titles of the steps under way, the innermost one last.
    steps: Vec<String>,
    spinner: Option<Spinner>,
}

impl<'a> Renderer<'a> {
    pub(super) fn new(ui: &'a Ui) -> Self {
        Renderer { ui, state: RefCell::default() }
    }

    /// Removes the spinner, if there is one.
    pub(super) fn finish(&self) {
        self.state.borrow_mut().spinner = None;
    }

    pub(super) fn render(&self, event: &Event) {
        let ui = self.ui;
        // A line that is printed over a spinner would be overwritten by it.
        self.finish();
        match event {
            Event::StepStarted { title } => self.state.borrow_mut().steps.push(title.clone()),
            Event::StepFinished { title, is_ok, duration } => {
                self.state.borrow_mut().steps.pop();
                let status = if *is_ok { Status::Ok } else { Status::Err };
                ui.mark(status, title, seconds(*duration));
            }
            Event::Done { title, detail } => ui.done(title, detail),
            Event::Waiting { title } => {
                self.state.borrow_mut().spinner = Some(ui.spinner(title));
                return;
            }
            Event::Note { text } => ui.note(format_args!("     {text}")),
            Event::Warning { problem } => ui.warning(problem),
            Event::Output { text, explains_failure } => {
                if *explains_failure || ui.is_verbose() {
                    ui.last_lines(text);
                }
            }
            Event::Plan { title, steps, commands } => self.plan(title, steps, commands),
        }
        let mut state = self.state.borrow_mut();
        state.spinner = state.steps.last().map(|title| ui.spinner(title));
    }

    fn plan(&self, title: &str, steps: &[String], commands: &[String]) {
        let ui = self.ui;
        ui.result(ui.out().style(BOLD, title));
        for step in steps {
            ui.result(format_args!("  {step}"));
        }
        if commands.is_empty() {
            return;
        }
        let has_sudo = commands.iter().any(|command| command.starts_with("sudo "));
        let title = if has_sudo { "With sudo, in a deploy that succeeds" } else { "As root" };
        ui.result(ui.out().style(BOLD, title));
        for command in commands {
            ui.result(format_args!("  {command}"));
        }
    }
}
