//! Programs on the terminal and the streams of this process, without a timeout: those that the user works with.

use std::io::{BufRead, BufReader, pipe};
use std::os::unix::process::CommandExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Instant;

use crate::command::{Cause, POLL, kill_group};
use crate::{Command, CommandError};

impl Command {
    /// Replaces this process by the program, which so has its terminal, its signals and its exit status. Returns only if
    /// the program cannot be started; SIGPIPE ends this process from then on, so that no test can call it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this crate starts programs")]
    pub fn exec(&self) -> CommandError {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.args);
        for key in &self.env_remove {
            command.env_remove(key);
        }
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        self.failed(Cause::Start(command.exec()))
    }

    /// Runs the program to its end on the streams of this process and in its process group, so that it gets the
    /// terminal's Ctrl-C itself.
    ///
    /// # Errors
    /// When it cannot be started, or `stop` was set; the program is not stopped then.
    pub fn attached(&self, stop: &AtomicBool) -> Result<ExitStatus, CommandError> {
        let expression = self.placed(duct::cmd(&self.program, &self.args).unchecked());
        let handle = expression.start().map_err(|error| self.failed(Cause::Start(error)))?;
        loop {
            match handle.wait_deadline(Instant::now() + POLL) {
                _ if stop.load(Ordering::Relaxed) => return Err(self.failed(Cause::Stopped)),
                Ok(Some(output)) => return Ok(output.status),
                Ok(None) => {}
                Err(error) => return Err(self.failed(Cause::Wait(error))),
            }
        }
    }
}

impl Command {
    /// Runs the program, and hands each line of its output to a function, as it comes: standard output and error output
    /// together. `receive` returns whether it wants more; the program is killed if it does not, and after a stop. Returns
    /// `None` if it was killed.
    ///
    /// # Errors
    /// When it cannot be started, or `stop` was set.
    pub fn follow(
        &self,
        stop: &AtomicBool,
        mut receive: impl FnMut(&str) -> bool,
    ) -> Result<Option<ExitStatus>, CommandError> {
        let not_started = |error| self.failed(Cause::Start(error));
        let (output, output_of_program) = pipe().map_err(not_started)?;
        let errors_of_program = output_of_program.try_clone().map_err(not_started)?;
        let expression = self.expression(output_of_program, errors_of_program).stdin_null();
        let handle = expression.start().map_err(not_started)?;
        // It holds our copies of the program's ends of the pipe.
        drop(expression);
        let (sender, lines) = sync_channel(LINES_AHEAD);
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            // An error ends it as the end does: there is nothing more to be had.
            while output.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
                if sender.send(text).is_err() {
                    break;
                }
                line.clear();
            }
        });
        loop {
            match lines.recv_timeout(POLL) {
                _ if stop.load(Ordering::Relaxed) => {
                    kill_group(&handle);
                    return Err(self.failed(Cause::Stopped));
                }
                Ok(line) if receive(&line) => {}
                Err(RecvTimeoutError::Timeout) => {}
                // One that runs as root is not killed, and ends since nothing reads its output any more.
                Ok(_) => {
                    kill_group(&handle);
                    return Ok(None);
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        handle.wait().map(|output| Some(output.status)).map_err(|error| self.failed(Cause::Wait(error)))
    }
}

/// The number of lines that are read before they are wanted.
const LINES_AHEAD: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_an_attached_program() {
        let run = |program: &str, args: &[&str]| Command::new(program, args).attached(&AtomicBool::new(false));
        assert_eq!(run("sh", &["-c", "exit 7"]).expect("it runs").code(), Some(7));
        assert!(run("no-such-program", &[]).expect_err("there is none").is_not_found());
    }

    #[test]
    fn an_attached_program_is_waited_for_until_the_stop() {
        let stopped = Command::new("sleep", ["0.1"]).attached(&AtomicBool::new(true));
        assert!(stopped.expect_err("it was stopped").is_interrupted());
    }

    #[test]
    fn lines_are_followed_until_the_end_a_stop_or_enough() {
        let follow = |script: &str, stop: bool, enough: usize| {
            let mut lines = Vec::new();
            let status = Command::new("sh", ["-c", script]).follow(&AtomicBool::new(stop), |line| {
                lines.push(line.to_owned());
                lines.len() < enough
            });
            (lines.join(" "), status)
        };
        let (lines, status) = follow("echo a; echo b >&2; printf 'c\\r\\n\\377'; exit 7", false, 9);
        let code = status.expect("it runs").and_then(|status| status.code());
        assert_eq!((lines.as_str(), code), ("a b c \u{fffd}", Some(7)));
        let (lines, status) = follow("while echo x; do :; done", false, 3);
        assert_eq!(lines, "x x x");
        assert_eq!(status.expect("it runs"), None);
        assert!(follow("sleep 600", true, 9).1.expect_err("it was stopped").is_interrupted());
    }
}
