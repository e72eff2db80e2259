//! A deploy that runs beside the case, and the events that the case waits for.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use duct::{Expression, Handle, ReaderHandle, cmd};

use crate::deploy::stack::{Stack, hides_secrets};

/// The timeout for an event; longer than any deploy takes.
const TIMEOUT: Duration = Duration::from_secs(900);

/// A deploy in the background, in a process group of its own as a terminal gives it one; killed when dropped.
pub(crate) struct Deploy(Handle);

impl Deploy {
    pub(crate) fn start(stack: &Stack, args: &str) -> Self {
        Deploy::run(&stack.xtask(["deploy-docker"].into_iter().chain(args.split_whitespace())))
    }

    pub(crate) fn run(command: &Expression) -> Self {
        let command = command.before_spawn(|command| {
            command.process_group(0);
            Ok(())
        });
        Deploy(command.stderr_to_stdout().stdout_capture().unchecked().start().expect("the binary starts"))
    }

    pub(crate) fn pid(&self) -> String {
        self.0.pids()[0].to_string()
    }

    /// Sends the signal of Ctrl-C to the binary and all programs that it has started.
    pub(crate) fn interrupt(&self) {
        cmd!("kill", "-INT", "--", format!("-{}", self.pid())).run().expect("signalled");
    }

    /// Ends the binary alone, which can do nothing about it.
    pub(crate) fn kill(&self) {
        cmd!("kill", "-KILL", self.pid()).run().expect("killed");
    }

    /// Both outputs, and the exit code; none if it was killed.
    #[track_caller]
    pub(crate) fn end(self) -> (String, Option<i32>) {
        let output = self.0.wait().expect("it can be waited for");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        hides_secrets(&text);
        (text, output.status.code())
    }
}

impl Drop for Deploy {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

/// The engine's events of a service's containers, from the moment when this is made.
pub(crate) struct Events {
    lines: BufReader<ReaderHandle>,
    what: String,
}

impl Events {
    /// `event` is Docker's word: `start`, `kill` (which `docker stop` begins with), `die`.
    pub(crate) fn of(stack: &Stack, service: &str, event: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let [since, until] = [now, now + TIMEOUT].map(|time| format!("{}.{:09}", time.as_secs(), time.subsec_nanos()));
        let filters = [
            "type=container".to_owned(),
            format!("event={event}"),
            format!("label=com.docker.compose.project={}", stack.name),
            format!("label=com.docker.compose.service={service}"),
            // Not the migrations, which run in a container of their own.
            "label=com.docker.compose.oneoff=False".to_owned(),
        ];
        let args = ["events", "--since", &since, "--until", &until, "--format", "{{.ID}}"];
        let args = args.into_iter().chain(filters.iter().flat_map(|filter| ["--filter", filter]));
        let reader = cmd("docker", args).unchecked().reader().expect("docker starts");
        Events { lines: BufReader::new(reader), what: format!("{event} of {service}") }
    }

    /// Waits for the next one: the id of the container.
    #[track_caller]
    pub(crate) fn next(&mut self) -> String {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line);
        assert!(read.is_ok_and(|length| length > 0), "waited in vain for {}", self.what);
        line
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.lines.get_ref().kill();
    }
}
