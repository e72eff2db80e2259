//! The grammar of the command line, and nothing else. The doc comments are the help.

mod operating;
mod times;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use checks::catalogue::Selector;
use clap::{Args, Parser, Subcommand, ValueEnum};
use deploy::{DEFAULT_STABILITY, DEFAULT_TIMEOUT, compose, systemd};

pub(crate) use self::operating::{Backup, Logs, Restore, Start, Status, Uninstall, Update};
use self::times::duration;

/// Installs and operates a Django + Celery + Redis service.
///
/// Two independent questions decide everything: which environment (`DJANGO_ENV` = dev | prod) and which deployment
/// method (`DEPLOY_METHOD` = bare | docker). Both values are set in `.env`.
///
/// Exit status: 0 done, 1 failed or unhealthy, 2 wrong usage or input, 3 preflight not met, 4 a deploy failed and was
/// rolled back, 5 the rollback failed too, 6 another run holds the lock, 130 interrupted.
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
    /// Ask nothing: use the default of each question, which is `no` where data could be lost
    #[arg(long, global = true)]
    pub(crate) yes: bool,
    /// Print the plan and change nothing
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
    Run(Run),
    Manage(Manage),
    Health(Health),
    Update(Update),
    Status(Status),
    Logs(Logs),
    /// Stop the whole service; containers, volumes and the database stay
    ///
    /// Every container or unit has its grace period to finish requests and tasks. Containers stay stopped until `start`, a
    /// deploy or `docker compose up`; units until `start`, or the next start of the machine if they are enabled.
    Stop,
    Start(Start),
    Backup(Backup),
    Restore(Restore),
    Uninstall(Uninstall),
    DeployDocker(DeployDocker),
    DeploySystemd(DeploySystemd),
    Detect(Detect),
}

/// Settle `.env`, install the service and verify it
///
/// Asks for the environment and the deployment method, sets `.env` for that combination, and in `bare` installs the
/// dependencies with uv, migrates the database and checks the result. Can be run again at any time: everything that is
/// up to date is left alone. Without a terminal, or with `--yes`, it asks no questions.
#[derive(Debug, Clone, Args)]
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
    /// Stop before deploying, and do not require the tools of the deployment
    #[arg(long)]
    pub(crate) no_deploy: bool,
}

/// Start the development server; with Docker or in prod, report what runs and where
///
/// In dev+bare it runs `manage.py runserver` in the virtual environment of the service, with the variables of `.env`:
/// it prints its address when it listens, and Ctrl-C ends it. Elsewhere the deployment serves: nothing is started, and
/// the exit status is 1 if the service does not respond.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The port to listen on, 8000 otherwise; or an address with a port, such as 0.0.0.0:8000
    #[arg(value_name = "PORT")]
    pub(crate) address: Option<String>,
}

/// Run a command of `manage.py` where the service runs
///
/// In `bare` it runs in the checkout: in the folder of `manage.py`, in the virtual environment, with the variables of
/// `.env`. In prod+bare with an installed unit it runs in the release that serves, with the user, the environment and the
/// sandbox of the unit, through `sudo`. With `docker` it runs in the container of the web service, or in one of its own
/// if none runs.
///
/// Everything from COMMAND on is passed on as it is. Options of this tool come before it; `--dry-run` prints the command.
/// The exit status is that of the command.
#[derive(Debug, Args)]
pub(crate) struct Manage {
    /// The command with its options, such as `migrate --plan`; none lists the commands
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<OsString>,
}

/// Check the health of the service, and show how to fix problems
///
/// The checks depend on both axes: `env` always; `core`, `django` and, in dev, `dev` with `bare`; `docker` with
/// `docker`; `systemd` with `bare` where the unit is installed. All checks run at the same time; nothing is changed
/// without `--fix`. `--list` names them all.
///
/// Exit status: 0 no check ended in `err`, 1 some did, 2 wrong usage, 6 another run is at work (with `--fix`), 130
/// interrupted.
#[derive(Debug, Args)]
pub(crate) struct Health {
    /// The form of the report
    #[arg(long, default_value = "human")]
    pub(crate) format: ReportFormat,
    /// Write the report to a file instead of standard output; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Only these groups or checks
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<Selector>,
    /// Not these groups or checks
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) skip: Vec<Selector>,
    /// Fail on warnings, too
    #[arg(long)]
    pub(crate) strict: bool,
    /// How long one check may take, such as 10s or 500ms
    #[arg(long, value_name = "DURATION", default_value = CHECK_TIMEOUT.as_str(), value_parser = duration)]
    pub(crate) timeout: Duration,
    /// How long all of them may take
    #[arg(long, value_name = "DURATION", default_value = CHECK_DEADLINE.as_str(), value_parser = duration)]
    pub(crate) deadline: Duration,
    /// Retry failed checks until all succeed or this time is over; an attempt that has begun is finished
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) wait: Option<Duration>,
    /// List the checks: the subject of each, and whether it would run here
    #[arg(long, conflicts_with_all = ["format", "output", "wait", "fix", "strict"])]
    pub(crate) list: bool,
    /// Fix problems without losing anything: the mode of `.env`, keys that only the sample has, `uv sync`, `migrate`;
    /// asks first, and in prod needs `--yes`
    #[arg(long)]
    pub(crate) fix: bool,
}

/// How long one check may take by default, and in `run`.
pub(crate) const HEALTH_TIMEOUT: Duration = Duration::from_secs(10);
/// How long all of them may take.
pub(crate) const HEALTH_DEADLINE: Duration = Duration::from_secs(30);

static CHECK_TIMEOUT: LazyLock<String> = LazyLock::new(|| humantime::format_duration(HEALTH_TIMEOUT).to_string());
static CHECK_DEADLINE: LazyLock<String> = LazyLock::new(|| humantime::format_duration(HEALTH_DEADLINE).to_string());
static TIMEOUT: LazyLock<String> = LazyLock::new(|| humantime::format_duration(DEFAULT_TIMEOUT).to_string());
static STABILITY: LazyLock<String> = LazyLock::new(|| humantime::format_duration(DEFAULT_STABILITY).to_string());

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Human,
    /// For programs: one line, described by crates/checks/schema/health-1.schema.json
    Json,
    /// For the test view of a CI server
    Junit,
    /// Annotations for GitHub Actions
    Github,
    /// A table of the problems, for the summary of a step in GitHub Actions
    Markdown,
    /// Metrics, for the textfile collector of Prometheus' `node_exporter`
    Prometheus,
}

/// Deploy with Docker Compose: healthy containers replace the old ones, and a failed release is rolled back
///
/// Builds or pulls the images, migrates the database, starts new containers next to the old ones, checks and watches them, lets
/// the proxy send them requests, and removes the old ones when their requests are finished. Any failure on the way is
/// rolled back. If nothing has changed, nothing is done.
///
/// Exit status: 0 done or nothing to do, 1 a build or pull failed and nothing was changed, or the new release serves and the
/// old one could not be removed completely, 2 wrong usage, 3 preflight not met, 4 failed and rolled back, 5 the
/// rollback failed too or the previous release is unhealthy after it, 6 another run holds the lock, 130 interrupted and rolled back.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeployDocker {
    #[command(flatten)]
    pub(crate) times: Times,
    /// Build and pull nothing: take the images as they are
    #[arg(long, conflicts_with = "rollback")]
    pub(crate) no_build: bool,
    /// Replace the containers of the same Compose project that were brought up from this folder, or for another
    /// `DJANGO_ENV`; `--yes` alone does not
    #[arg(long, value_name = "FOLDER")]
    pub(crate) replace: Vec<PathBuf>,
    /// Go on although containers that are replaced hold data in no named volume: it goes with them
    #[arg(long)]
    pub(crate) abandon_data: bool,
    /// Go back to the images of the last good release before this one; the database stays as it is
    #[arg(long)]
    pub(crate) rollback: bool,
    /// How to report the deploy; `json` is one object per line, described by crates/deploy/schema/deploy-1.schema.json
    #[arg(long, default_value = "human")]
    pub(crate) format: Format,
}

impl DeployDocker {
    pub(crate) fn options(&self) -> compose::Options {
        let DeployDocker { no_build, replace, abandon_data, rollback, .. } = self.clone();
        let Times { timeout, stability } = self.times;
        compose::Options { timeout, stability, no_build, replace, abandon_data, rollback }
    }
}

/// Deploy on this machine with systemd: a release is tested before it serves, and rolled back if it fails
///
/// Makes a folder for the release in `<install-dir>-releases`, migrates the database, verifies canaries of the web
/// service and the worker, switches the link that the units start from, and restarts them; meanwhile a second process of
/// the new release takes requests from the same socket. Any failure on the way is rolled back. If nothing has changed,
/// nothing is done.
///
/// Runs as an ordinary user: only the commands that need root run through `sudo`. `--dry-run` lists those of a deploy that
/// succeeds.
///
/// Exit status: 0 done or nothing to do, 1 the new release serves and the old one could not be removed completely, 2
/// wrong usage, 3 preflight not met, 4 failed and rolled back, 5 the rollback failed too or the previous
/// release is unhealthy after it, 6 another run holds the lock, 130 interrupted and rolled back.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeploySystemd {
    #[command(flatten)]
    pub(crate) times: Times,
    /// Overwrite values of the system env file with those of `.env`
    #[arg(long, conflicts_with = "rollback")]
    pub(crate) sync_env: bool,
    /// Go on although the folder that serves holds files that no release has, such as uploads: they stay in it
    #[arg(long)]
    pub(crate) abandon_data: bool,
    /// Go back to the last good release before this one; database and system env file stay as they are
    #[arg(long)]
    pub(crate) rollback: bool,
    /// How to report the deploy; `json` is one object per line, described by crates/deploy/schema/deploy-1.schema.json
    #[arg(long, default_value = "human")]
    pub(crate) format: Format,
}

impl DeploySystemd {
    pub(crate) fn options(&self) -> systemd::Options {
        let DeploySystemd { sync_env, abandon_data, rollback, .. } = *self;
        let Times { timeout, stability } = self.times;
        systemd::Options { timeout, stability, sync_env, abandon_data, rollback }
    }
}

/// The times that both deployers wait.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Times {
    /// How long a new container or unit may take to become healthy, such as 90s
    #[arg(long, value_name = "DURATION", default_value = TIMEOUT.as_str(), value_parser = duration)]
    pub(crate) timeout: Duration,
    /// How long new containers or units must stay healthy before they are relied upon
    #[arg(long, value_name = "DURATION", default_value = STABILITY.as_str(), value_parser = duration)]
    pub(crate) stability: Duration,
}

/// Print the environment, deployment method and mode of this checkout, with their sources
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

    use super::*;

    /// Every command that a document shows parses. One with a placeholder (`…`, `[…]`, `a|b`, a word in capitals) is no command.
    #[test]
    fn documented_commands_parse() {
        use clap::Parser;
        let documents = [
            include_str!("../../README.md"),
            include_str!("../../docs/deploy-docker.md"),
            include_str!("../../docs/deploy-systemd.md"),
            include_str!("../../docs/detect.md"),
            include_str!("../../docs/health.md"),
            include_str!("../../docs/install.md"),
            include_str!("../../docs/operating.md"),
            include_str!("../../docs/other-projects.md"),
            include_str!("../../service/README.md"),
        ];
        let is_placeholder =
            |word: &str| word.contains(['…', '[', '|', '<']) || word.chars().all(|c| c.is_ascii_uppercase());
        let mut count = 0;
        for line in documents.iter().flat_map(|text| text.lines()) {
            for command in line.split("cargo xtask ").skip(1) {
                let end = command.find(['`', '#', '>', '&', ';', ',', '(']).unwrap_or(command.len());
                let words: Vec<&str> = command[..end].split_whitespace().collect();
                if words.is_empty() || words.iter().any(|word| is_placeholder(word)) {
                    continue;
                }
                // In a sentence the command ends where no word of it follows.
                let is_shown = line.contains(&format!("`cargo xtask {}`", words.join(" "))) || line.starts_with("    ");
                if is_shown {
                    let parsed = Cli::try_parse_from(["cargo xtask"].iter().chain(&words));
                    assert!(
                        parsed.is_ok(),
                        "{line}: {}",
                        parsed.err().map(|error| error.to_string()).unwrap_or_default()
                    );
                    count += 1;
                }
            }
        }
        assert!(count > 15, "{count} commands");
    }

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }
}
