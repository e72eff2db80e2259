//! `cargo xtask`: installs and looks after the service of a checkout, on its two axes.

mod backup;
mod cli;
mod context;
mod deploy;
mod detect;
mod exit;
mod health;
mod host;
mod install;
mod interrupt;
mod logs;
mod manage;
mod manage_py;
mod prompt;
mod restore;
mod run;
mod service;
mod spinner;
mod status;
mod stop_start;
mod typed;
mod ui;
mod uninstall;
mod update;
mod wrap;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::cli::{Cli, Command};
use crate::context::Context;
use crate::exit::Failure;
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
    run(&cli, &host, &ui).unwrap_or_else(|error| {
        let Failure { exit, problems } = Failure::of(&error);
        ui.errors(&problems);
        exit.into()
    })
}

fn run(cli: &Cli, host: &Host, ui: &Ui) -> anyhow::Result<ExitCode> {
    let context = Context::open(host, ui, &cli.common)?;
    let exit = match &cli.command {
        Command::Run(args) => return run::run(args, &context),
        Command::Update(args) => return update::run(args, &context),
        Command::Manage(args) => return manage_py::run(args, &context),
        Command::Install(args) => install::run(args, &context),
        Command::Health(args) => health::run(args, &context),
        Command::Status(args) => status::run(args, &context),
        Command::Logs(args) => logs::run(args, &context),
        Command::Stop => stop_start::stop(&context),
        Command::Backup(args) => backup::run(args, &context),
        Command::Restore(args) => restore::run(args, &context),
        Command::Uninstall(args) => uninstall::run(args, &context),
        Command::Start(args) => stop_start::start(args, &context),
        Command::DeployDocker(args) => deploy::docker(&args.options(), args.format, &context),
        Command::DeploySystemd(args) => deploy::systemd(&args.options(), args.format, &context),
        Command::Detect(args) => detect::run(args, &context),
    };
    exit.map(ExitCode::from)
}
