//! All that is printed: results to standard output, everything else to standard error.

use std::cell::OnceCell;
use std::fmt::Display;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use checks::report::{self, BOLD, Colors, DIM, RED, Style, YELLOW};
use checks::{Outcome, Status};
use project::secret::Secrets;
use subprocess::is_interruption;
use xshell::Cmd;

use crate::cli::{Color, Common};
use crate::exit::{Exit, Failure, Problem};
use crate::host::Host;
use crate::interrupt::Deferred;
use crate::prompt::columns;
use crate::spinner::Spinner;
use crate::typed::Caller;
use crate::wrap::wrap;

/// How many lines of a failed step's output are shown.
const LAST_LINES: usize = 40;

/// Where and how things are printed.
pub(crate) struct Ui {
    out: Colors,
    err: Colors,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
    verbose: bool,
    /// Known once the project is found.
    caller: OnceCell<Caller>,
}

impl Ui {
    pub(crate) fn new(host: &Host, common: &Common) -> Self {
        let decide = |detected| match common.color {
            Color::Auto => detected,
            Color::Always => true,
            Color::Never => false,
        };
        Ui {
            out: Colors { has_color: decide(host.stdout_has_color) },
            err: Colors { has_color: decide(host.stderr_has_color) },
            stdout_is_terminal: host.stdout_is_terminal,
            stderr_is_terminal: host.stderr_is_terminal,
            verbose: common.verbose,
            caller: OnceCell::new(),
        }
    }

    /// From now on, commands are printed as this caller has to type them.
    pub(crate) fn set_caller(&self, caller: Caller) {
        // A run has one project.
        let _ = self.caller.set(caller);
    }

    /// A text with commands in it, as the caller has to type them: see [`Caller::typed`].
    pub(crate) fn typed(&self, text: &str) -> String {
        self.caller.get().map_or_else(|| text.to_owned(), |caller| caller.typed(text))
    }

    /// Prints commands and their purposes in two columns.
    pub(crate) fn commands(&self, commands: &[(&str, &str)]) {
        let typed: Vec<_> = commands.iter().map(|(command, _)| self.typed(command)).collect();
        let width = typed.iter().map(|command| command.chars().count()).max().unwrap_or_default();
        let widest = commands.iter().map(|(_, meaning)| meaning.chars().count()).max().unwrap_or_default();
        let is_wide = self.stdout_is_terminal && 2 + width + 3 + widest > columns();
        for (command, (_, meaning)) in typed.iter().zip(commands) {
            if is_wide {
                self.result(format_args!("  {command}\n      {meaning}"));
            } else {
                self.result(format_args!("  {command:<width$}   {meaning}"));
            }
        }
    }

    /// A line of the result.
    #[expect(clippy::unused_self, reason = "printing needs a `Ui`")]
    pub(crate) fn result(&self, line: impl Display) {
        // A reader that has closed the pipe (`| head`) is no reason to fail.
        let _ = writeln!(io::stdout(), "{line}");
    }

    /// Prints a result as it is. A reader may close the pipe (`| head`); a full disk is an error.
    #[expect(clippy::unused_self, reason = "printing needs a `Ui`")]
    pub(crate) fn results(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    /// Whether everything that programs print is wanted.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// The ink of standard output.
    pub(crate) fn out(&self) -> Colors {
        self.out
    }

    /// The ink of standard error.
    pub(crate) fn err(&self) -> Colors {
        self.err
    }

    /// Prints a line about the progress. On a terminal it breaks between words.
    pub(crate) fn note(&self, line: impl Display) {
        if !self.stderr_is_terminal {
            return self.unbroken(line);
        }
        for part in wrap(&line.to_string(), columns()) {
            self.unbroken(part);
        }
    }

    /// Prints a line as it is: a command is copied as one line, however long it is.
    #[expect(clippy::unused_self, reason = "printing needs a `Ui`")]
    fn unbroken(&self, line: impl Display) {
        let _ = writeln!(io::stderr(), "{line}");
    }

    /// Separates the parts of a run on a terminal.
    pub(crate) fn blank_line(&self) {
        if self.stderr_is_terminal {
            self.unbroken("");
        }
    }

    pub(crate) fn warning(&self, problem: &Problem) {
        self.problem("warning", YELLOW, problem);
    }

    pub(crate) fn errors(&self, problems: &[Problem]) {
        for problem in problems {
            self.problem("error", RED, problem);
        }
    }

    fn problem(&self, label: &str, style: Style, problem: &Problem) {
        self.note(format_args!("{} {}", self.err.style(style.bold(), format_args!("{label}:")), problem.message));
        if let Some(hint) = &problem.hint {
            self.unbroken(format_args!("{} {}", self.err.style(BOLD, "hint:"), self.typed(hint)));
        }
    }

    /// A step that is done, or was done already.
    pub(crate) fn done(&self, title: impl Display, detail: impl Display) {
        self.mark(Status::Ok, title, detail);
    }

    /// Prints a line for a check, and its findings below it.
    pub(crate) fn outcome(&self, outcome: &Outcome) {
        for line in report::outcome(&self.typed_outcome(outcome.clone()), 0, self.verbose, self.err) {
            if line.contains("hint:") { self.unbroken(line) } else { self.note(line) }
        }
    }

    /// Returns an outcome with the commands of its hints as the caller has to type them.
    pub(crate) fn typed_outcome(&self, mut outcome: Outcome) -> Outcome {
        outcome.hint = outcome.hint.map(|hint| self.typed(&hint));
        for finding in &mut outcome.findings {
            finding.hint = finding.hint.take().map(|hint| self.typed(&hint));
        }
        outcome
    }

    /// A step that has ended.
    pub(crate) fn mark(&self, status: Status, title: impl Display, detail: impl Display) {
        let mark = self.err.status(status, 4);
        self.note(format_args!("{mark}   {title}  {}", self.err.style(DIM, detail)));
    }

    /// Runs a program to its end, with a spinner and the elapsed time on a terminal; returns its output, and shows it
    /// if the program fails, or with `-v`. The output of an interrupted program is not shown; the terminal's Ctrl-C may
    /// have reached it before this process.
    pub(crate) fn step(
        &self,
        title: &str,
        cmd: Cmd<'_>,
        secrets: &Secrets,
        deferred: &Deferred,
    ) -> anyhow::Result<String> {
        let started = Instant::now();
        let output = self.while_waiting(title, || cmd.quiet().ignore_status().output())?;
        deferred.check(title)?;
        if is_interruption(output.status) {
            return Err(Failure::interrupted(format!("interrupted during `{title}`")).into());
        }
        let elapsed = seconds(started.elapsed());
        let printed = [output.stdout, output.stderr].concat();
        let printed = secrets.redact(&String::from_utf8_lossy(&printed));
        if output.status.success() {
            self.done(title, elapsed);
            if self.verbose {
                self.last_lines(&printed);
            }
            return Ok(printed);
        }
        self.mark(Status::Err, title, elapsed);
        self.last_lines(&printed);
        let problem = Problem::new(format!("`{title}` failed: {}", output.status));
        Err(Failure::new(Exit::Failed, problem).into())
    }

    /// Does something that takes a while; a terminal shows that it is being done.
    pub(crate) fn while_waiting<T>(&self, title: &str, work: impl FnOnce() -> T) -> T {
        let _spinner = self.spinner(title);
        work()
    }

    /// Shows on a terminal, as long as it lives, that something is being done.
    pub(crate) fn spinner(&self, title: &str) -> Spinner {
        Spinner::new(title, self.stderr_is_terminal)
    }

    /// Prints the last lines of a program's output; all of them with `-v`.
    pub(crate) fn last_lines(&self, printed: &str) {
        let lines: Vec<&str> = printed.lines().map(str::trim_end).collect();
        let first = if self.verbose { 0 } else { lines.len().saturating_sub(LAST_LINES) };
        for line in &lines[first..] {
            self.unbroken(format_args!("     {} {line}", self.err.style(DIM, "|")));
        }
    }
}

/// Shows a duration with one decimal place: `1.2 s`.
pub(crate) fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}
