//! `cargo xtask logs`: the log of the deployed service, with secrets redacted.

use std::io::{self, Write};

use deploy::operate::LogRequest;
use deploy::{compose, systemd};

use crate::cli::{self, Format};
use crate::context::Context;
use crate::deploy::on_terminal;
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;
use crate::manage_py;
use crate::service::Runner;

/// The number of last lines that are shown by default.
const LINES: u32 = 100;

pub(crate) fn run(args: &cli::Logs, context: &Context<'_>) -> anyhow::Result<Exit> {
    let file = context.env_file()?.unwrap_or_default();
    let (_, method) = manage_py::axes(&file, context)?;
    let Some(runner) = Runner::of(method, context)? else {
        let message = "there is no log: no unit is installed, and the development server logs to the terminal of `run`";
        return Err(Failure::new(Exit::NotMet, Problem::new(message).hint("cargo xtask run")).into());
    };
    let request = LogRequest {
        services: args.services.clone(),
        is_followed: args.follow,
        since: args.since,
        lines: args.lines.or_else(|| args.since.is_none().then_some(LINES)),
    };
    let deferred = Deferred::begin()?;
    let log = on_terminal(context, Format::Human, &deferred, |context| match runner {
        Runner::Compose => compose::operate::log(&request, &file, context),
        Runner::Systemd => systemd::operate::log(&request, &file, context),
    })?;
    if context.common.dry_run {
        context.ui.result(&log.invocation);
        return Ok(Exit::Done);
    }
    for line in &log.removed {
        context.ui.result(log.secrets.redact(line));
    }
    let mut stdout = io::stdout();
    // A reader that closes the pipe (`| head`) wants no more.
    let print = |line: &str| writeln!(stdout, "{}", log.secrets.redact(line)).is_ok();
    match log.invocation.command().follow(&deferred.flag(), print) {
        Ok(status) if status.is_none_or(|status| status.success()) => Ok(Exit::Done),
        Ok(_) => {
            let problem = Problem::new(format!("`{}` failed: its last line has the reason", log.invocation));
            Err(Failure::new(Exit::Failed, problem).into())
        }
        // Ctrl-C is the usual end of `--follow`.
        Err(error) if error.is_interrupted() && args.follow => Ok(Exit::Interrupted),
        Err(error) => Err(Failure::unfinished(&log.invocation, &error).into()),
    }
}
