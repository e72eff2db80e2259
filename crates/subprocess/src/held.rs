//! A program that runs while this process does, and ends with it.

use std::io::{PipeWriter, Write, pipe};
use std::time::{Duration, Instant};

use crate::command::{Cause, Collected, Command, CommandError, Finished, POLL};
use crate::{Deadline, command};

/// The time that a program has to end once its input has ended.
const END: Duration = Duration::from_secs(5);

/// A running program. When this is dropped, or this process ends in any way, even by KILL, the input of the program ends:
/// it must be one that ends then.
pub struct Held {
    handle: duct::Handle,
    input: Option<PipeWriter>,
}

/// The result of starting such a program.
pub enum Start {
    /// It runs, and has printed a line.
    Running(Box<Held>),
    /// It has ended before that.
    Ended(Finished),
}

impl Command {
    /// Starts the program, hands it the input without ending it, and waits until it has printed a line.
    ///
    /// # Errors
    /// When it cannot be started, is interrupted, or neither prints a line nor ends in time; it is killed then.
    pub fn hold(&self, deadline: &Deadline) -> Result<Start, CommandError> {
        let not_started = |error| self.failed(Cause::Start(error));
        let (input_of_program, mut input) = pipe().map_err(not_started)?;
        let (stdout, stdout_of_program) = pipe().map_err(not_started)?;
        let (stderr, stderr_of_program) = pipe().map_err(not_started)?;
        let expression = self.expression(stdout_of_program, stderr_of_program).stdin_file(input_of_program);
        let handle = expression.start().map_err(not_started)?;
        // It holds our copies of the program's ends of the pipes.
        drop(expression);
        let [stdout, stderr] = [stdout, stderr].map(Collected::from);
        // A program that has ended already takes no input, which the loop finds.
        let _ = input.write_all(self.input());
        loop {
            if stdout.text().contains('\n') {
                return Ok(Start::Running(Box::new(Held { handle, input: Some(input) })));
            }
            match handle.wait_timeout(POLL) {
                Ok(Some(output)) if command::is_interruption(output.status) => {
                    deadline.stop();
                    return Err(self.failed(Cause::Interrupted(output.status)));
                }
                Ok(Some(output)) => {
                    let end = Instant::now() + END;
                    return Ok(Start::Ended(Finished::new(output.status, stdout.text_by(end), stderr.text_by(end))));
                }
                Ok(None) if !deadline.is_stopped() && !deadline.left().is_zero() => {}
                Ok(None) => {
                    command::kill_group(&handle);
                    let cause =
                        if deadline.is_stopped() { Cause::Stopped } else { Cause::NoAnswer(deadline.allowed()) };
                    return Err(self.failed(cause));
                }
                Err(error) => return Err(self.failed(Cause::Wait(error))),
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.input.take());
        if !matches!(self.handle.wait_timeout(END), Ok(Some(_))) {
            command::kill_group(&self.handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long() -> Deadline {
        Deadline::within(Duration::from_secs(600))
    }

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("lock");
        let flock = |input: &str| {
            let args = ["--nonblock", "--conflict-exit-code", "6"].map(Into::into).into_iter();
            let args = args.chain([file.clone().into_os_string(), "tee".into(), file.clone().into_os_string()]);
            Command::new("flock", args).stdin(input).hold(&long()).expect("flock runs")
        };
        let Start::Running(held) = flock("first\n") else { panic!("the lock is free") };
        let Start::Ended(finished) = flock("second\n") else { panic!("the lock is taken") };
        assert_eq!(finished.code(), Some(6));
        assert_eq!(std::fs::read_to_string(&file).expect("there"), "first\n");
        drop(held);
        assert!(matches!(flock("third\n"), Start::Running(_)));
    }

    #[test]
    fn a_program_that_prints_nothing_is_killed_in_the_end() {
        let soon = Deadline::within(Duration::from_millis(50));
        let error = Command::new("sleep", ["600"]).hold(&soon).err().expect("no line");
        assert!(error.to_string().contains("no response"), "{error}");
        assert!(Command::new("no-such-program", [""; 0]).hold(&long()).is_err_and(|error| error.is_not_found()));
    }
}
