//! Commands of `manage.py` in the place where the service runs.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use project::Project;
use project::secret::Secrets;
use subprocess::{Command, quoted};

/// A command of `manage.py` that the user has typed, and the user.
pub struct ManageCall<'a> {
    /// The checkout.
    pub project: &'a Project,
    /// The secrets that are redacted in the messages of programs.
    pub secrets: &'a Secrets,
    /// The words behind `manage.py`.
    pub args: &'a [OsString],
    /// Whether the command reads from a terminal and writes to it.
    pub has_terminal: bool,
    /// Whether `sudo` can ask for a password.
    pub can_ask: bool,
    /// The user id of the caller.
    pub uid: u32,
}

impl ManageCall<'_> {
    /// Returns the words that run the command with an interpreter, in the folder of `manage.py`.
    pub(crate) fn words(&self, interpreter: impl Into<OsString>) -> impl Iterator<Item = OsString> {
        [interpreter.into(), "manage.py".into()].into_iter().chain(self.args.iter().cloned())
    }
}

/// A program with its arguments that runs on the user's terminal. No `Debug`: its environment can hold secrets.
pub struct Invocation {
    /// The program, and its arguments.
    pub words: Vec<OsString>,
    /// The folder to run in; the caller's own otherwise.
    pub dir: Option<PathBuf>,
    /// Variables on top of the caller's environment.
    pub variables: Vec<(String, String)>,
    /// Ends what the program has started, which does not get a signal to the program; `None` if it does.
    pub stop: Option<Command>,
}

impl Invocation {
    /// Makes an invocation in the caller's folder and environment.
    pub fn new(words: impl IntoIterator<Item = OsString>) -> Self {
        Invocation { words: words.into_iter().collect(), dir: None, variables: Vec::new(), stop: None }
    }

    /// Returns the command that starts it.
    #[must_use]
    pub fn command(&self) -> Command {
        let (program, args) = self.words.split_first().map_or((OsStr::new(""), &[][..]), |(it, args)| (it, args));
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        let command = Command::new(program, args).envs(variables);
        self.dir.iter().fold(command, Command::dir)
    }
}

/// As it would be typed into a shell, without its environment.
impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |word: &OsString| match word.to_string_lossy() {
            word if word.is_empty() => "''".to_owned(),
            word => quoted(&word),
        };
        let words: Vec<String> = self.words.iter().map(word).collect();
        f.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_is_shown_as_it_is_typed() {
        let words = ["python", "manage.py", "shell", "-c", "print('a b')", ""].map(OsString::from);
        assert_eq!(Invocation::new(words).to_string(), r"python manage.py shell -c 'print('\''a b'\'')' ''");
    }
}
