//! `cargo xtask detect`: the axes and how we know them.

use std::collections::BTreeMap;
use std::fmt::Display;

use checks::report::{DIM, axis};
use detect::{Detected, deploy_method, environment, mode};
use project::Variable;
use serde::Serialize;

use crate::cli::{self, Format, Question};
use crate::context::Context;
use crate::exit::{Exit, Problem};

pub(crate) fn run(args: &cli::Detect, context: &Context<'_>) -> anyhow::Result<Exit> {
    let file = context.env_file()?.unwrap_or_default();
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
            let variables = Variable::ALL.map(|variable| (variable.key(), named(variable, context))).into();
            context.ui.result(serde_json::to_string(&Report {
                schema: 1,
                environment,
                deploy_method,
                mode,
                variables,
            })?);
        }
        Format::Human => {
            context.ui.result(axis("environment", &environment, context.ui.out()));
            context.ui.result(axis("deploy method", &method, context.ui.out()));
            context.ui.result(axis("mode", &mode, context.ui.out()));
            for variable in Variable::ALL {
                let Name { name, source } = named(variable, context);
                let name = name.unwrap_or("not used");
                context.ui.result(format_args!(
                    "{:<14} {name:<24} {}",
                    variable.key(),
                    context.ui.out().style(DIM, source)
                ));
            }
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
pub(crate) fn remarks<T>(detected: &Detected<T>, context: &Context<'_>) {
    if let Some(rejected) = &detected.rejected {
        context.ui.warning(&Problem::new(rejected.to_string()));
    }
    if let Some(unanswered) = &detected.unanswered {
        context.ui.warning(&Problem::new(unanswered.to_string()));
    }
}

/// The object that `--format json` prints.
#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    environment: Answer,
    deploy_method: Answer,
    mode: Answer,
    /// The variables that `install` sets, by their meaning.
    variables: BTreeMap<&'static str, Name<'a>>,
}

/// The name of a variable in the project; none for one that it does not use.
#[derive(Serialize)]
struct Name<'a> {
    name: Option<&'a str>,
    source: String,
}

fn named<'a>(variable: Variable, context: &'a Context<'_>) -> Name<'a> {
    let named = context.project.names.named(variable);
    Name { name: named.name.as_deref(), source: named.source.to_string() }
}

/// A value with its source.
#[derive(Serialize)]
pub(crate) struct Answer {
    value: String,
    source: String,
}

impl<T: Display> From<&Detected<T>> for Answer {
    fn from(detected: &Detected<T>) -> Self {
        Answer { value: detected.value.to_string(), source: detected.source.to_string() }
    }
}
