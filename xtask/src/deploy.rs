//! `cargo xtask deploy-docker` and `deploy-systemd`: the deploy library with this terminal as its operator.

mod render;

use checks::report::BOLD;
use xshell::{Shell, cmd};

use self::render::Renderer;
use crate::cli::Format;
use crate::context::Context;
use crate::exit::{Exit, Problem};
use crate::interrupt::Deferred;
use crate::prompt;
use crate::ui::{Ui, seconds};
use ::deploy::compose::{self, Compose};
use ::deploy::systemd::{self, Systemd};
use ::deploy::{Backend, Event, Events, Operator, Outcome, Question, Verdict, json};

/// Deploys with Docker Compose.
pub(crate) fn docker(options: &compose::Options, format: Format, context: &Context<'_>) -> anyhow::Result<Exit> {
    run(context, format, Compose::COMMAND, |context| ::deploy::run::<Compose<'_>>(options, context))
}

/// Deploys with systemd.
pub(crate) fn systemd(options: &systemd::Options, format: Format, context: &Context<'_>) -> anyhow::Result<Exit> {
    run(context, format, Systemd::COMMAND, |context| ::deploy::run::<Systemd<'_>>(options, context))
}

fn run(
    context: &Context<'_>,
    format: Format,
    command: &str,
    deploy: impl FnOnce(&::deploy::Context<'_>) -> Verdict,
) -> anyhow::Result<Exit> {
    let ui = context.ui;
    let interrupt = Deferred::begin()?;
    if format == Format::Json {
        ui.result(json::started(command));
    }
    let verdict = on_terminal(context, format, &interrupt, deploy);
    let exit = verdict.exit;
    match format {
        Format::Human => conclude(&verdict, ui),
        Format::Json => {
            let problems = verdict.problems.iter().map(|problem| typed_problem(problem, ui)).collect();
            ui.result(json::verdict(&Verdict { problems, ..verdict }));
        }
    }
    Ok(exit)
}

/// Does something to the service, with this terminal as its operator.
pub(crate) fn on_terminal<T>(
    context: &Context<'_>,
    format: Format,
    interrupt: &Deferred,
    operate: impl FnOnce(&::deploy::Context<'_>) -> T,
) -> T {
    let (ui, host) = (context.ui, context.host);
    let renderer = Renderer::new(ui);
    let receive = |event: Event| match format {
        Format::Human => renderer.render(&event),
        Format::Json => ui.result(json::event(&typed(event, ui))),
    };
    let result = operate(&::deploy::Context {
        project: &context.project,
        host_facts: &host.facts,
        user: &host.user,
        uid: host.uid,
        gid: host.gid,
        is_yes: context.common.yes,
        is_dry_run: context.common.dry_run,
        can_ask: host.can_ask && format == Format::Human,
        operator: &Terminal,
        events: Events::new(&receive),
        interrupt,
    });
    renderer.finish();
    result
}

/// Returns an event whose commands are complete for this caller.
fn typed(event: Event, ui: &Ui) -> Event {
    match event {
        Event::Warning { problem } => Event::Warning { problem: typed_problem(&problem, ui) },
        event => event,
    }
}

fn typed_problem(problem: &Problem, ui: &Ui) -> Problem {
    Problem { message: problem.message.clone(), hint: problem.hint.as_deref().map(|hint| ui.typed(hint)) }
}

/// Prints the result of a deploy for people.
fn conclude(verdict: &Verdict, ui: &Ui) {
    ui.errors(&verdict.problems);
    let (release, took) = (verdict.release.as_deref().unwrap_or_default(), seconds(verdict.duration));
    match verdict.outcome {
        None | Some(Outcome::Planned) => {}
        Some(Outcome::Recovered) => {
            ui.result("the unfinished deploy is rolled back; to go back further, run this again");
        }
        Some(Outcome::Unchanged) => {
            ui.result(format_args!(
                "nothing has changed since release {release}: it serves, and is left alone ({took})"
            ));
        }
        Some(Outcome::Deployed) => {
            let again = verdict.rollback_to.as_ref().map(|to| format!(", which is {to} again")).unwrap_or_default();
            ui.result(ui.out().style(BOLD, format_args!("release {release}{again} is deployed, in {took}")));
            for address in &verdict.addresses {
                ui.result(format_args!("  {address}"));
            }
            if let Some(copy) = &verdict.database_copy {
                ui.result(format_args!("  the database from before the migrations: `{copy}`"));
            }
            let commands: Vec<_> =
                verdict.next_steps.iter().map(|(command, purpose)| (command.as_str(), *purpose)).collect();
            ui.commands(&commands);
        }
    }
}

/// The operator at this terminal.
struct Terminal;

impl Operator for Terminal {
    fn confirm(&self, question: &Question) -> anyhow::Result<bool> {
        if question.default { prompt::confirm(&question.text) } else { prompt::confirm_danger(&question.text) }
    }

    fn authenticate_sudo(&self) -> anyhow::Result<()> {
        let shell = Shell::new()?;
        Ok(cmd!(shell, "sudo -v").quiet().run()?)
    }
}
