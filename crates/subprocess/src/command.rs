//! Programs with a timeout, each in a process group of its own: a program that does not exit in time is killed with its
//! children.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, PipeReader, Read, pipe};
use std::os::fd::IntoRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::Deadline;
use crate::seconds;

/// How long a killed process group gets to be collected before it is left to the operating system.
const REAP: Duration = Duration::from_millis(500);
/// The time that another process may keep the output of a program open that has exited.
const OUTPUT_GRACE: Duration = Duration::from_millis(300);
/// How much of a program's output is kept, in bytes.
const MAX_OUTPUT: usize = 8 * 1024 * 1024;
/// How often a running program is checked on for being wanted no longer.
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// A program, its arguments, and the world that it is started in. No `Debug`: its environment can hold secrets.
#[derive(Clone)]
pub struct Command {
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) env_remove: Vec<OsString>,
    stdin: Vec<u8>,
}

impl Command {
    /// A program, found on PATH if the name has no slash. Never a secret in an argument: arguments are public.
    pub fn new<A: Into<OsString>>(program: impl Into<OsString>, args: impl IntoIterator<Item = A>) -> Self {
        Command {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
            dir: None,
            env: Vec::new(),
            env_remove: Vec::new(),
            stdin: Vec::new(),
        }
    }

    /// Adds arguments behind the existing ones; no shell parses them.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// The folder to run in; the caller's own otherwise.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Variables on top of the inherited environment.
    #[must_use]
    pub fn envs<K: Into<OsString>, V: Into<OsString>>(mut self, vars: impl IntoIterator<Item = (K, V)>) -> Self {
        self.env.extend(vars.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }

    /// A variable that the program must not inherit.
    #[must_use]
    pub fn env_remove(mut self, key: impl Into<OsString>) -> Self {
        self.env_remove.push(key.into());
        self
    }

    /// Sets the input of the program; it is empty otherwise.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Runs the program to its end and collects its output. In its own process group it does not get the terminal's
    /// Ctrl-C; the caller passes that on through the deadline.
    ///
    /// A program that ends and leaves others behind, which go on holding its output, has ended all the same: those in
    /// its process group are killed, and one that has made itself a daemon is let go.
    ///
    /// A program that was itself ended by such a signal was interrupted, even where this process has not got the signal
    /// (yet): the deadline is stopped then, so that everything that shares its flag ends as well.
    ///
    /// # Errors
    /// When it cannot be started, was interrupted, or has not ended in time; in the last case it is killed, with all of
    /// its process group. A failing exit status is not an error here: see [`Finished::is_success`].
    pub fn run(&self, deadline: &Deadline) -> Result<Finished, CommandError> {
        let failed = |cause, printed| CommandError { program: self.program.clone(), cause, printed };
        let not_started = |error| failed(Cause::Start(error), Printed::default());

        let (stdout, stdout_of_program) = pipe().map_err(not_started)?;
        let (stderr, stderr_of_program) = pipe().map_err(not_started)?;
        let expression = self.expression(stdout_of_program, stderr_of_program).stdin_bytes(self.stdin.as_slice());
        let handle = expression.start().map_err(not_started)?;
        // It holds our copies of the program's ends of the pipes.
        drop(expression);
        let collected = [Collected::from(stdout), Collected::from(stderr)];
        let ended = loop {
            match handle.wait_deadline(deadline.at().min(Instant::now() + POLL)) {
                Ok(Some(output)) if is_interruption(output.status) => {
                    deadline.stop();
                    break Err(Cause::Interrupted(output.status));
                }
                Ok(Some(output)) => break Ok(output.status),
                Ok(None) if deadline.is_stopped() => break Err(Cause::Stopped),
                Ok(None) if deadline.left().is_zero() => break Err(Cause::NoAnswer(deadline.allowed())),
                Ok(None) => {}
                Err(error) => break Err(Cause::Wait(error)),
            }
        };
        let let_go = deadline.at().min(Instant::now() + OUTPUT_GRACE);
        if ended.is_err() || !collected.iter().all(|output| output.is_complete(let_go)) {
            kill_group(&handle);
            // An error here changes nothing: the program had its time.
            let _ = handle.wait_timeout(REAP);
            let reaped = Instant::now() + REAP;
            for output in &collected {
                output.is_complete(reaped);
            }
        }
        let [stdout, stderr] = collected.map(|output| output.text());
        let printed = Printed { stdout, stderr };
        ended.map(|status| Finished { status, printed: printed.clone() }).map_err(|cause| failed(cause, printed))
    }
}

impl Command {
    /// Returns the program with its arguments and its environment, in a process group of its own.
    pub(crate) fn expression(&self, stdout: impl IntoRawFd, stderr: impl IntoRawFd) -> duct::Expression {
        let expression = duct::cmd(&self.program, &self.args).stdout_file(stdout).stderr_file(stderr).unchecked();
        self.placed(expression.before_spawn(|command| {
            command.process_group(0);
            Ok(())
        }))
    }

    /// Returns the expression in the folder and with the environment of the command.
    pub(crate) fn placed(&self, mut expression: duct::Expression) -> duct::Expression {
        if let Some(dir) = &self.dir {
            expression = expression.dir(dir);
        }
        // Of duct's layers the innermost counts, which is the first: of two values the last one is to count, and a value
        // that is set counts more than a removal.
        for (key, value) in self.env.iter().rev() {
            expression = expression.env(key, value);
        }
        for key in &self.env_remove {
            expression = expression.env_remove(key);
        }
        expression
    }

    /// Returns the error of a program without output.
    pub(crate) fn failed(&self, cause: Cause) -> CommandError {
        CommandError { program: self.program.clone(), cause, printed: Printed::default() }
    }

    pub(crate) fn input(&self) -> &[u8] {
        &self.stdin
    }
}

/// The output of a program, collected on a thread of its own. Of a very long output, the end is kept.
pub(crate) struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: Receiver<()>,
}

impl From<PipeReader> for Collected {
    fn from(mut reader: PipeReader) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (sender, end) = channel();
        let collected = Arc::clone(&bytes);
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            // An error ends it as the end does: there is nothing more to be had.
            while let Some(read) = reader.read(&mut buffer).ok().filter(|read| *read > 0) {
                let mut bytes = collected.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend(&buffer[..read]);
                if bytes.len() > 2 * MAX_OUTPUT {
                    let surplus = bytes.len() - MAX_OUTPUT;
                    bytes.drain(..surplus);
                }
            }
            // The receiver may be gone.
            let _ = sender.send(());
        });
        Collected { bytes, end }
    }
}

impl Collected {
    /// Waits until all is there, or until `at`.
    fn is_complete(&self, at: Instant) -> bool {
        !matches!(self.end.recv_timeout(at.saturating_duration_since(Instant::now())), Err(RecvTimeoutError::Timeout))
    }

    /// Returns all of the output, or what there is of it at `at`.
    pub(crate) fn text_by(&self, at: Instant) -> String {
        self.is_complete(at);
        self.text()
    }

    /// Returns the output so far, with invalid UTF-8 replaced.
    pub(crate) fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(MAX_OUTPUT)..]).into_owned()
    }
}

/// Whether a program was ended by a signal that asks programs to end: Ctrl-C, Ctrl-\\, a closed terminal, `kill`. A
/// shell, uv and Docker's client report the first as exit status 130.
#[must_use]
pub fn is_interruption(status: ExitStatus) -> bool {
    let signals = [Signal::INT, Signal::QUIT, Signal::HUP, Signal::TERM];
    let is_asked_to_end = |number| signals.iter().any(|signal| signal.as_raw() == number);
    status.signal().is_some_and(is_asked_to_end) || status.code() == Some(INTERRUPTED)
}

/// The exit status for "ended by Ctrl-C": 128 and the number of the signal.
const INTERRUPTED: i32 = 128 + Signal::INT.as_raw();

/// Kills the program and everything that it has started. `Handle::kill` alone leaves grandchildren behind, which go
/// on holding the pipe (measured: 4.0 s instead of 0.3 s).
pub(crate) fn kill_group(handle: &duct::Handle) {
    for pid in handle.pids() {
        if let Some(group) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            // Already gone is as good as killed.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// The output of a program. No `Debug`: it can hold secrets.
#[derive(Clone, Default)]
struct Printed {
    stdout: String,
    stderr: String,
}

/// A program that has ended.
#[derive(Clone)]
pub struct Finished {
    status: ExitStatus,
    printed: Printed,
}

/// Without the output, which can hold secrets.
impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finished").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Finished {
    pub(crate) fn new(status: ExitStatus, stdout: String, stderr: String) -> Self {
        Finished { status, printed: Printed { stdout, stderr } }
    }

    /// Whether the exit status was 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.success()
    }

    /// Returns the status as the operating system reports it, for a message.
    #[must_use]
    pub fn status(&self) -> ExitStatus {
        self.status
    }

    /// The exit status; none where a signal has ended it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Returns the standard output, with invalid UTF-8 replaced.
    #[must_use]
    pub fn stdout(&self) -> &str {
        &self.printed.stdout
    }

    /// Returns the error output, with invalid UTF-8 replaced.
    #[must_use]
    pub fn stderr(&self) -> &str {
        &self.printed.stderr
    }

    /// The last line of standard error that is not blank, or the exit status if there is none.
    #[must_use]
    pub fn failure_reason(&self) -> String {
        match self.printed.stderr.lines().map(str::trim).rfind(|line| !line.is_empty()) {
            Some(line) => line.to_owned(),
            None => self.status.to_string(),
        }
    }
}

/// A program that gave no answer.
pub struct CommandError {
    program: OsString,
    cause: Cause,
    printed: Printed,
}

/// Without the output, which can hold secrets.
impl fmt::Debug for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CommandError { program, cause, .. } = self;
        f.debug_struct("CommandError").field("program", program).field("cause", cause).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(crate) enum Cause {
    Start(io::Error),
    Wait(io::Error),
    NoAnswer(Duration),
    Stopped,
    Interrupted(ExitStatus),
}

impl CommandError {
    /// Whether there is no such program.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(&self.cause, Cause::Start(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// Returns whether the program was stopped because its result is no longer wanted, or was ended by a signal.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        matches!(self.cause, Cause::Stopped | Cause::Interrupted(_))
    }

    /// Returns the standard output until the program was killed.
    #[must_use]
    pub fn stdout(&self) -> &str {
        &self.printed.stdout
    }

    /// Returns the error output until the program was killed.
    #[must_use]
    pub fn stderr(&self) -> &str {
        &self.printed.stderr
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program.display();
        match &self.cause {
            Cause::Start(_) if self.is_not_found() => write!(f, "command not found: `{program}`"),
            Cause::Start(error) => write!(f, "`{program}` cannot be started: {error}"),
            Cause::Wait(error) => write!(f, "`{program}` cannot be waited for: {error}"),
            Cause::Stopped => write!(f, "`{program}` was stopped"),
            Cause::Interrupted(status) => write!(f, "`{program}` was interrupted: {status}"),
            Cause::NoAnswer(timeout) => write!(f, "no response in {} from `{program}`", seconds(*timeout)),
        }
    }
}

impl std::error::Error for CommandError {}

#[cfg(test)]
mod tests;
