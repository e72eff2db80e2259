//! Whether Git has, or would take, the file that holds the secrets.

use std::path::PathBuf;

use detect::ENV_FILE;
use subprocess::{Command, CommandError, Deadline};

use crate::Project;

/// How `.env` stands to Git.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InGit {
    /// It is in the index: everyone with the repository has the secrets of the last commit.
    Tracked,
    /// The next `git add` takes it.
    NotIgnored,
    /// Git leaves it alone.
    Ignored,
    /// Git does not know, for example outside of a repository; the reason is given.
    Unknown(String),
}

/// The state of a file in Git, and its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvInGit {
    /// How it stands to Git.
    pub state: InGit,
    /// The file with the secrets, relative to the project's root where it is below it: `.env`, or the file that it
    /// links to.
    pub file: PathBuf,
}

/// Options for Git in a checkout of another user: its configuration runs nothing here. (Git 2.38 and later take the
/// first one from the environment; earlier ones report that they do not.)
const CONFIG: [(&str, &str); 5] = [
    ("GIT_CONFIG_COUNT", "2"),
    ("GIT_CONFIG_KEY_0", "safe.directory"),
    ("GIT_CONFIG_VALUE_0", "*"),
    ("GIT_CONFIG_KEY_1", "core.fsmonitor"),
    ("GIT_CONFIG_VALUE_1", "false"),
];

/// Asks Git about `.env`; for a link, about its target.
///
/// # Errors
/// When Git gives no answer.
pub fn in_git(project: &Project, deadline: &Deadline) -> Result<EnvInGit, CommandError> {
    let file = env_target(project);
    let git = |args: &[&str]| {
        let args = args.iter().map(Into::into).chain([file.clone().into_os_string()]);
        Command::git(args).dir(&project.root).envs(CONFIG).run(deadline)
    };
    let listed = git(&["ls-files", "-z", "--"])?;
    let state = if !listed.is_success() {
        InGit::Unknown(listed.failure_reason())
    } else if listed.stdout().is_empty() {
        let ignored = git(&["check-ignore", "--quiet", "--"])?;
        match ignored.code() {
            Some(0) => InGit::Ignored,
            Some(1) => InGit::NotIgnored,
            _ => InGit::Unknown(ignored.failure_reason()),
        }
    } else {
        InGit::Tracked
    };
    Ok(EnvInGit { state, file })
}

/// The file that holds the secrets, from the project's root where it is below it. A link in the repository holds none; its
/// target may.
#[must_use]
pub fn env_target(project: &Project) -> PathBuf {
    let path = project.env_file();
    let target = path.is_symlink().then(|| path.canonicalize().ok()).flatten();
    target.map_or_else(|| PathBuf::from(ENV_FILE), |target| project.relative(&target).to_owned())
}

impl EnvInGit {
    /// Returns the problem, and the commands that solve it; `None` if Git ignores the file, or does not know it.
    #[must_use]
    pub fn problem(&self) -> Option<(String, String)> {
        let file = self.file.display();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        let quote = if file.to_string().chars().all(is_plain) { "" } else { "'" };
        // Also where the last line of `.gitignore` has no end.
        let ignore = format!(r"printf '\n{file}\n' >>.gitignore");
        match self.state {
            InGit::Tracked => Some((
                format!(
                    "Git tracks `{file}`: everyone with the repository has its secrets; replace them once it is removed"
                ),
                format!("git rm --cached {quote}{file}{quote} && {ignore}"),
            )),
            InGit::NotIgnored => {
                Some((format!("Git does not ignore `{file}`: the next `git add` takes its secrets"), ignore))
            }
            InGit::Ignored | InGit::Unknown(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::*;

    #[test]
    fn how_env_stands_to_git() {
        let dir = tempfile::tempdir().expect("a folder");
        let project = Project::open(dir.path()).expect("a project");
        let deadline = Deadline::within(Duration::from_secs(60));
        let ask = || in_git(&project, &deadline).expect("Git answers").state;
        let git = |args: &[&str]| {
            let done = Command::git(args).dir(dir.path()).run(&deadline).expect("Git runs");
            assert!(done.is_success(), "{args:?}: {}", done.failure_reason());
        };
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("written");
        assert!(matches!(ask(), InGit::Unknown(reason) if reason.contains("not a git repository")));
        git(&["init", "--quiet"]);
        assert_eq!(ask(), InGit::NotIgnored);
        write(".env", "A=1\n");
        assert_eq!(ask(), InGit::NotIgnored);
        write(".git/info/exclude", ".env*\n");
        assert_eq!(ask(), InGit::Ignored);
        git(&["add", "--force", ".env"]);
        assert_eq!(ask(), InGit::Tracked);
        // Deleted in the working tree, and still in the index.
        fs::remove_file(dir.path().join(".env")).expect("removed");
        assert_eq!(ask(), InGit::Tracked);
        git(&["rm", "--cached", "--quiet", ".env"]);
        write("secrets", "A=1\n");
        symlink("secrets", dir.path().join(".env")).expect("linked");
        assert_eq!(ask(), InGit::NotIgnored);
        git(&["add", "secrets"]);
        assert_eq!(ask(), InGit::Tracked);
        // The message is about the link's target.
        let problem = in_git(&project, &deadline).expect("Git answers").problem().expect("it is tracked");
        assert!(problem.0.starts_with("Git tracks `secrets`: "), "{}", problem.0);
        assert_eq!(problem.1, r"git rm --cached secrets && printf '\nsecrets\n' >>.gitignore");
    }
}
