//! `cargo xtask`: installs and looks after the service of a checkout, on its two axes.

mod cli;
mod context;
mod deploy;
mod detect;
mod exit;
mod health;
mod host;
mod install;
mod interrupt;
mod manage;
mod prompt;
mod spinner;
mod typed;
mod ui;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::cli::{Cli, Command};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::host::Host;
use crate::ui::Ui;

fn main() -> ExitCode {
    let host = Host::read();
    let command = Cli::command();
    let command = match host.program.clone() {
        Some(program) => command.bin_name(program),
        None => command,
    };
    let cli = Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    let ui = Ui::new(&host, &cli.common);
    prompt::use_colors(ui.err().has_color);
    let exit = run(&cli, &host, &ui).unwrap_or_else(|error| {
        let Failure { exit, problems } = Failure::of(&error);
        ui.errors(&problems);
        exit
    });
    exit.into()
}

fn run(cli: &Cli, host: &Host, ui: &Ui) -> anyhow::Result<Exit> {
    let context = Context::open(host, ui, &cli.common)?;
    match &cli.command {
        Command::Install(args) => install::run(args, &context),
        Command::Health(args) => health::run(args, &context),
        Command::DeployDocker(args) => deploy::docker(&args.options(), args.format, &context),
        Command::DeploySystemd(args) => deploy::systemd(&args.options(), args.format, &context),
        Command::Detect(args) => detect::run(args, &context),
    }
}
