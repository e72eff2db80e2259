//! `cargo xtask detect`: the axes and how we know them.

use std::fmt::Display;

use checks::report::axis;
use detect::{Detected, deploy_method, environment, mode};
use serde::Serialize;

use crate::cli::{self, Format, Question};
use crate::context::Context;
use crate::exit::{Exit, Problem};

pub(crate) fn run(args: &cli::Detect, context: &Context<'_>) -> anyhow::Result<Exit> {
    let file = envfile::read(&context.project.env_file())?.unwrap_or_default();
    let probes = context.probes();

    // Each question asks the outside for no more than it needs.
    let environment = environment(&file);
    if args.question == Some(Question::Env) {
        return answer(args.format, &environment, context);
    }
    let method = deploy_method(&file, &probes);
    if args.question == Some(Question::Method) {
        return answer(args.format, &method, context);
    }
    let mode = mode(&environment, &method, &probes);
    if args.question == Some(Question::Mode) {
        return answer(args.format, &mode, context);
    }

    remarks(&environment, context);
    remarks(&method, context);
    remarks(&mode, context);
    match args.format {
        Format::Json => {
            let (environment, deploy_method, mode) = ((&environment).into(), (&method).into(), (&mode).into());
            context.ui.result(serde_json::to_string(&Report { schema: 1, environment, deploy_method, mode })?);
        }
        Format::Human => {
            context.ui.result(axis("environment", &environment, context.ui.out()));
            context.ui.result(axis("deploy method", &method, context.ui.out()));
            context.ui.result(axis("mode", &mode, context.ui.out()));
        }
    }
    Ok(Exit::Done)
}

fn answer<T: Display>(format: Format, detected: &Detected<T>, context: &Context<'_>) -> anyhow::Result<Exit> {
    remarks(detected, context);
    match format {
        Format::Human => context.ui.result(&detected.value),
        Format::Json => context.ui.result(serde_json::to_string(&Answer::from(detected))?),
    }
    Ok(Exit::Done)
}

/// Prints the values that detection has rejected, and the sources that did not respond.
fn remarks<T>(detected: &Detected<T>, context: &Context<'_>) {
    if let Some(rejected) = &detected.rejected {
        context.ui.warning(&Problem::new(rejected.to_string()));
    }
    if let Some(unanswered) = &detected.unanswered {
        context.ui.warning(&Problem::new(unanswered.to_string()));
    }
}

/// The object that `--format json` prints.
#[derive(Serialize)]
struct Report {
    schema: u32,
    environment: Answer,
    deploy_method: Answer,
    mode: Answer,
}

#[derive(Serialize)]
struct Answer {
    value: String,
    source: String,
}

impl<T: Display> From<&Detected<T>> for Answer {
    fn from(detected: &Detected<T>) -> Self {
        Answer { value: detected.value.to_string(), source: detected.source.to_string() }
    }
}
