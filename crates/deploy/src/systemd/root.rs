//! The single steps that take root's rights: with `sudo` before them, or as they are where we are root.

use std::fmt;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use subprocess::{Command, Deadline, Finished, Start, quoted};

use crate::context::Context;
use crate::failure::{Exit, Failure, Problem};

/// The timeout of a step. None waits for a service; flushing a release to a slow disk takes longest.
const QUICK: Duration = Duration::from_secs(600);
/// The interval in which sudo's permission is renewed; sudo forgets it after 5 to 15 minutes.
const KEEP: Duration = Duration::from_secs(60);

/// A command that runs as root. Its input can hold secrets, and is never shown.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) words: Vec<String>,
    pub(super) stdin: Vec<u8>,
}

impl Step {
    /// From words that are separated by blanks, and further ones that may have blanks in them.
    pub(super) fn new<W: fmt::Display>(words: &str, more: impl IntoIterator<Item = W>) -> Self {
        let words = words.split_whitespace().map(str::to_owned).chain(more.into_iter().map(|word| word.to_string()));
        Step { words: words.collect(), stdin: Vec::new() }
    }

    pub(super) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }
}

/// As it would be typed into a shell.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.words.iter().map(|word| quoted(word)).collect();
        f.write_str(&words.join(" "))
    }
}

/// The right to do such steps.
pub(super) struct Root {
    needs_no_sudo: bool,
    /// Ends with the run.
    _keeper: Option<Keeper>,
    /// The steps that were run.
    #[cfg(test)]
    pub(super) log: std::cell::RefCell<Vec<Step>>,
}

impl Root {
    /// Asks for the right, once: `sudo` itself asks for the password, on the terminal alone.
    pub(super) fn ask(context: &Context<'_>) -> Result<Self, Problem> {
        if context.uid == 0 {
            return Ok(Root::new(true, None));
        }
        let is_free = match sudo(&["-n", "-v"], b"") {
            Ok(finished) => finished.is_success(),
            Err(error) if error.is_not_found() => {
                let hint = "install it (as root: apt install sudo), or deploy as root";
                return Err(Problem::new("command not found: `sudo`, and this user is not root").hint(hint));
            }
            Err(error) => return Err(Problem::new(error.to_string())),
        };
        if !is_free {
            if !context.can_ask || context.is_dry_run {
                let message =
                    "`sudo` wants a password, or this user may not use it, and there is no terminal to ask on";
                return Err(Problem::new(message).hint("sudo -v; or run this on a terminal"));
            }
            context.events.note("some steps need root; `--dry-run` lists them");
            context
                .operator
                .authenticate_sudo()
                .map_err(|_| Problem::new("`sudo` was not granted: this user cannot do the steps that need root"))?;
        }
        Ok(Root::new(false, Some(Keeper::start())))
    }

    fn new(needs_no_sudo: bool, keeper: Option<Keeper>) -> Self {
        Root {
            needs_no_sudo,
            _keeper: keeper,
            #[cfg(test)]
            log: std::cell::RefCell::default(),
        }
    }

    /// Returns root's rights as a test needs them: those of the user who runs it.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Root::new(true, None)
    }

    /// Returns the word that precedes a step where it is shown.
    pub(super) fn prefix(context: &Context<'_>) -> &'static str {
        if context.uid == 0 { "" } else { "sudo " }
    }

    /// Runs a step, and returns its result whatever the exit status is.
    pub(super) fn attempt(&self, step: &Step) -> anyhow::Result<Finished> {
        #[cfg(test)]
        self.log.borrow_mut().push(step.clone());
        let words: Vec<&str> = step.words.iter().map(String::as_str).collect();
        let finished = if self.needs_no_sudo {
            Command::new(words[0], words[1..].to_vec()).stdin(step.stdin.as_slice()).run(&Deadline::within(QUICK))
        } else {
            sudo(&[&["-n", "--"], words.as_slice()].concat(), &step.stdin)
        };
        Ok(finished.map_err(|error| Failure::unfinished(step, &error))?)
    }

    /// Starts a step that runs until its input ends: with the deploy, however that ends.
    pub(super) fn hold(&self, step: &Step) -> anyhow::Result<Start> {
        let words: Vec<&str> = step.words.iter().map(String::as_str).collect();
        let command = if self.needs_no_sudo {
            Command::new(words[0], words[1..].to_vec())
        } else {
            Command::new("sudo", [&["-n", "--"], words.as_slice()].concat())
        };
        let started = command.stdin(step.stdin.as_slice()).hold(&Deadline::within(QUICK));
        Ok(started.map_err(|error| Failure::unfinished(step, &error))?)
    }

    /// Runs a step that must succeed, and returns its output.
    pub(super) fn run(&self, step: &Step) -> anyhow::Result<String> {
        let finished = self.attempt(step)?;
        if finished.is_success() {
            return Ok(finished.stdout().to_owned());
        }
        Err(Failure::new(Exit::Failed, Problem::new(format!("`{step}` fails: {}", finished.failure_reason()))).into())
    }

    pub(super) fn run_all<'a>(&self, steps: impl IntoIterator<Item = &'a Step>) -> anyhow::Result<()> {
        steps.into_iter().try_for_each(|step| self.run(step).map(drop))
    }
}

fn sudo(args: &[&str], stdin: &[u8]) -> Result<Finished, subprocess::CommandError> {
    Command::new("sudo", args.to_vec()).stdin(stdin).run(&Deadline::within(QUICK))
}

/// Keeps `sudo` from asking again half-way.
struct Keeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    fn start() -> Self {
        let (stop, stopped) = channel::<()>();
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(KEEP) == Err(RecvTimeoutError::Timeout) {
                // If the permission is revoked, the next step fails with the reason.
                let _ = sudo(&["-n", "-v"], b"");
            }
        });
        Keeper { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Step;

    #[test]
    fn a_step_as_it_is_typed() {
        let step = Step::new("install -m 640", ["/srv/two words/env"]).stdin("secret");
        assert_eq!(step.to_string(), "install -m 640 '/srv/two words/env'");
    }
}
