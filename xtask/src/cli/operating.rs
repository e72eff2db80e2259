//! The commands for a service between its deploys.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::times::{duration, since};
use super::{Format, TIMEOUT};

/// Fetch the upstream of the checkout's branch, and install or deploy it
///
/// Shows the new commits and their migrations, fast-forwards the checkout, and goes on with `deploy-docker`, `deploy-systemd`
/// (where its unit is installed) or `install`, as both axes demand. If that fails, the checkout goes back to the commit
/// from before. An update that was killed is completed by the next one. Uncommitted changes, and commits that the
/// upstream does not have, are refused.
///
/// Exit status: 0 done or up to date, 1 with `--check` if there is news, 3 if the upstream could not be fetched or the
/// checkout cannot be updated, else that of the command it went on with.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Only fetch and show the news
    #[arg(long)]
    pub(crate) check: bool,
}

/// Show the live release, how the checkout differs from it, what serves, and the last deploys
///
/// Nothing is changed, and the exit status is 0 whether or not the service responds; `health` tells that.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The number of deploys to show, the newest first
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 5)]
    pub(crate) deploys: usize,
    /// How to print it
    #[arg(long, default_value = "human")]
    pub(crate) format: Format,
}

/// Show the log of the service: of its containers, or its units in the journal
///
/// Secrets are redacted: the values of `.env`, and of the environment that the service runs with. The journal of systemd
/// is read through `sudo`. In a checkout without a deployment, the development server logs to the terminal of `run`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Services of the Compose file, or units, such as `celery`; all otherwise
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Wait for new lines, and print them as they come
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only lines since then: a duration such as 10m, or a time in UTC such as 2026-12-01T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(crate) since: Option<Duration>,
    /// The number of last lines; with Docker, of each container. 100 otherwise, or all with `--since`
    #[arg(short = 'n', long, value_name = "NUMBER")]
    pub(crate) lines: Option<u32>,
}

/// Start the service that `stop` has stopped, and wait until it responds
///
/// Starts the containers as they are, or the units that `stop` has stopped; it deploys nothing. Exit status: 1 if the
/// service does not respond in time, 3 if there is nothing to start.
#[derive(Debug, Args)]
pub(crate) struct Start {
    /// How long the service may take to respond, such as 90s
    #[arg(long, value_name = "DURATION", default_value = TIMEOUT.as_str(), value_parser = duration)]
    pub(crate) timeout: Duration,
}

/// Write the data of the service to a file: its databases (`SQLite`) and uploads
///
/// The service goes on running meanwhile. The file is verified before it gets its name, and only you can read it. It has neither
/// `.env`, nor code, nor the tasks in the queue. Database servers have programs of their own for this.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file; `<name>-<time>.backup.tar.gz` in the current folder otherwise
    pub(crate) file: Option<PathBuf>,
}

/// Replace the data of the service by that of a backup
///
/// Verifies the file, asks, makes a backup of the present data (the way back), stops the service, replaces databases and uploads,
/// and starts it again. If that fails or is interrupted, the present data is put back.
///
/// Exit status: 3 no consent, or the file is no backup of this service; 4 failed, and the present data is back; 130
/// interrupted, the same.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup
    pub(crate) file: PathBuf,
    /// Replace the data without a question; `--yes` alone does not
    #[arg(long)]
    pub(crate) replace_data: bool,
}

/// Remove what this tool has created, and keep the data
///
/// Lists everything and asks first. With Docker: containers, networks, images that were built, and the records of the deploys.
/// With systemd: units, releases, the link and the system env file, unless the operator has written or changed them. In the
/// checkout: `.venv` and `.xtask`. Volumes, the state directory and `.env` stay.
#[derive(Debug, Args)]
pub(crate) struct Uninstall {
    /// Remove this data as well, by the name that the list has for it; it is lost
    #[arg(long, value_name = "NAME")]
    pub(crate) remove_data: Vec<String>,
}
