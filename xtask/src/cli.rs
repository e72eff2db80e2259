//! The grammar of the command line, and nothing else. The doc comments are the help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Installs and looks after a Django + Celery + Redis service.
///
/// Two independent questions decide everything: which environment (`DJANGO_ENV` = dev | prod) and which deployment
/// method (`DEPLOY_METHOD` = bare | docker). Both answers live in `.env`.
///
/// Exit status: 0 done, 1 failed, 2 wrong usage or input, 3 pre-flight not met or a step that is still to come,
/// 6 another run is at work, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Common {
    /// The checkout to work on; this one otherwise
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
    /// Ask nothing: take the answers that Enter would
    #[arg(long, global = true)]
    pub(crate) yes: bool,
    /// Print what would be done, and change nothing
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
    /// Show the output of every step
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// When to use colours; `auto` heeds `NO_COLOR`
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Install(Install),
    Detect(Detect),
}

/// Settle `.env`, install the service and verify it
///
/// Asks for the environment and the deployment method, settles `.env` for that combination, and in `bare` installs
/// the dependencies with uv, migrates the database and checks the result. Can be run again at any time: what is
/// already so is left alone. Without a terminal, or with `--yes`, nothing is asked.
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// The environment: dev | prod
    #[arg(long, value_name = "ENV")]
    pub(crate) env: Option<detect::Environment>,
    /// The deployment method: bare | docker
    #[arg(long, value_name = "METHOD")]
    pub(crate) method: Option<detect::DeployMethod>,
    /// Answer the question for a variable; not for secrets, which others would see in the process list
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Read answers, secrets too, from a file in `.env` syntax; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) answers: Option<PathBuf>,
    /// Stop before deploying, and do not require what only a deployer needs
    #[arg(long)]
    pub(crate) no_deploy: bool,
}

/// Print which environment, deployment method and mode this checkout is in, and how we know
///
/// With a question, prints that one word alone, for scripts. `mode` folds both axes into one word for older callers:
/// dev | prod | docker | systemd.
#[derive(Debug, Args)]
pub(crate) struct Detect {
    /// The one thing to print
    pub(crate) question: Option<Question>,
    /// How to print it
    #[arg(long, default_value = "human")]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Question {
    Env,
    Method,
    Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Human,
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }
}
