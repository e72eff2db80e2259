//! `cargo xtask`: installs and looks after the service of a checkout, on its two axes.

mod cli;
mod deploy;
mod detect;
mod exit;
mod health;
mod host;
mod install;
mod interrupt;
mod manage;
mod prompt;
mod typed;
mod ui;
mod world;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit::{Exit, Failure};
use crate::host::Host;
use crate::ui::Ui;
use crate::world::World;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let host = Host::read();
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
    let world = World::open(host, ui, &cli.common)?;
    match &cli.command {
        Command::Install(args) => install::run(args, &world),
        Command::Health(args) => health::run(args, &world),
        Command::DeployDocker(args) => deploy::docker(&args.options(), args.format, &world),
        Command::DeploySystemd(args) => deploy::systemd(&args.options(), args.format, &world),
        Command::Detect(args) => detect::run(args, &world),
    }
}
