//! Programs on the terminal and the streams of this process, without a timeout: those that the user works with.

use std::os::unix::process::CommandExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::command::{Cause, POLL};
use crate::{Command, CommandError};

impl Command {
    /// Replaces this process by the program, which so has its terminal, its signals and its exit status. Returns only if
    /// the program cannot be started.
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
    fn a_program_that_cannot_replace_this_process_is_named() {
        assert_eq!(Command::new("no-such-program", [""; 0]).exec().to_string(), "command not found: `no-such-program`");
    }
}
