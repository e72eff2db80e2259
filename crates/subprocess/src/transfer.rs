//! Programs whose input and output are files: data that is too much for memory.

use std::fs::File;
use std::io::pipe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::command::{Cause, Collected, POLL, is_interruption, kill_group};
use crate::{Command, CommandError, Finished};

impl Command {
    /// Runs the program to its end without a timeout, with its standard output in a file; `input` is its standard input, which
    /// is empty without one. The result has the error output alone.
    ///
    /// # Errors
    /// When it cannot be started, or is interrupted, or `stop` is set; it is killed then.
    pub fn transfer(&self, input: Option<File>, output: File, stop: &AtomicBool) -> Result<Finished, CommandError> {
        let not_started = |error| self.failed(Cause::Start(error));
        let (errors, errors_of_program) = pipe().map_err(not_started)?;
        let expression = self.expression(output, errors_of_program);
        let expression = match input {
            Some(input) => expression.stdin_file(input),
            None => expression.stdin_null(),
        };
        let handle = expression.start().map_err(not_started)?;
        // It holds our copies of the program's ends.
        drop(expression);
        let errors = Collected::from(errors);
        loop {
            match handle.wait_deadline(Instant::now() + POLL) {
                Ok(Some(output)) if is_interruption(output.status) => {
                    return Err(self.failed(Cause::Interrupted(output.status)));
                }
                Ok(Some(output)) => {
                    let errors = errors.text_by(Instant::now() + POLL);
                    return Ok(Finished::new(output.status, String::new(), errors));
                }
                Ok(None) if stop.load(Ordering::Relaxed) => {
                    kill_group(&handle);
                    return Err(self.failed(Cause::Stopped));
                }
                Ok(None) => {}
                Err(error) => return Err(self.failed(Cause::Wait(error))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};

    use super::*;

    #[test]
    fn bytes_go_through_as_they_are() {
        let (mut input, mut output) = (tempfile::tempfile().expect("a file"), tempfile::tempfile().expect("a file"));
        input.write_all(b"\0\xff\r\n").and_then(|()| input.rewind()).expect("written");
        let cat = Command::new("sh", ["-c", "cat; echo done >&2"]);
        let copy = output.try_clone().expect("a copy");
        let finished = cat.transfer(Some(input), copy, &AtomicBool::new(false)).expect("it runs");
        assert_eq!((finished.is_success(), finished.stderr()), (true, "done\n"));
        let mut bytes = Vec::new();
        output.rewind().and_then(|()| output.read_to_end(&mut bytes)).expect("readable");
        assert_eq!(bytes, b"\0\xff\r\n");
        let stopped = Command::new("sleep", ["600"]).transfer(None, output, &AtomicBool::new(true));
        assert!(stopped.expect_err("it was stopped").is_interrupted());
    }
}
