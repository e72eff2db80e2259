//! The binary on a pseudo-terminal.

use std::process::Command;

use rexpect::process::WaitStatus;
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};

use crate::sandbox::Sandbox;

const TIMEOUT_MS: u64 = 600_000;
pub(crate) const ENTER: &str = "\r";
pub(crate) const CTRL_C: &str = "\u{3}";
pub(crate) const CTRL_D: &str = "\u{4}";
pub(crate) const ESC: &str = "\u{1b}";

/// The binary on a terminal of its own.
pub(crate) struct Terminal {
    session: PtySession,
}

impl Terminal {
    #[expect(clippy::disallowed_methods, reason = "rexpect takes a command of the standard library")]
    pub(crate) fn run(sandbox: &Sandbox, args: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(args.split_whitespace()).arg("--project").arg(sandbox.root());
        command.current_dir(sandbox.root()).env_clear().env("PATH", sandbox.path()).env("TERM", "xterm");
        let options = Options::new().timeout_ms(Some(TIMEOUT_MS)).strip_ansi_escape_codes(true);
        Terminal { session: spawn_with_options(command, options).expect("a pseudo-terminal") }
    }

    /// Waits for a text, if any, then types.
    #[track_caller]
    pub(crate) fn at(&mut self, text: &str, keys: &str) -> &mut Self {
        if !text.is_empty() {
            self.sees(text);
        }
        self.session.send(keys).and_then(|_| self.session.flush()).expect("typed");
        self
    }

    #[track_caller]
    pub(crate) fn sees(&mut self, text: &str) -> &mut Self {
        if let Err(error) = self.session.exp_string(text) {
            panic!("waiting for {text:?}: {error}");
        }
        self
    }

    /// Waits for a text, and returns everything before it.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) -> String {
        match self.session.exp_string(text) {
            Ok(before) => before,
            Err(error) => panic!("waiting for {text:?}: {error}"),
        }
    }

    /// Answers the question about the defaults: every question is asked.
    #[track_caller]
    pub(crate) fn asks_all(&mut self) -> &mut Self {
        self.at("he defaults for", "n\r")
    }

    /// Answers the question after the diff.
    #[track_caller]
    pub(crate) fn writes(&mut self) -> &mut Self {
        self.at("edit the answers, or stop?", ENTER)
    }

    /// The rest of the output, and the exit code.
    #[track_caller]
    pub(crate) fn ends(&mut self, code: i32) -> String {
        let rest = self.session.exp_eof().expect("the end of the output");
        match self.session.process().wait() {
            Ok(WaitStatus::Exited(_, actual)) => assert_eq!(actual, code, "{rest}"),
            other => panic!("{other:?}: {rest}"),
        }
        rest
    }
}

#[track_caller]
pub(crate) fn check_value(sandbox: &Sandbox, variable: &str, expected: Option<&str>) {
    let file = envfile::EnvFile::parse(sandbox.read(".env").as_bytes());
    assert_eq!(file.get(variable).map(|entry| entry.value).as_deref(), expected, "{variable}");
}
