//! Whether Git has, or would take, the file that holds the secrets.

use std::path::PathBuf;

use detect::ENV_FILE;

use crate::command::{Command, CommandError};
use crate::{Deadline, Project};

/// The line for `.gitignore`, added by a command: also where the last line there has no end.
pub const IGNORE: &str = r"printf '\n.env\n' >>.gitignore";

/// How `.env` stands to Git.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InGit {
    /// It is in the index: whoever has the repository has the secrets of the last commit.
    Tracked,
    /// The next `git add` takes it.
    NotIgnored,
    /// Git leaves it alone.
    Ignored,
    /// Git does not tell, such as outside a repository: why.
    Unknown(String),
}

/// Asks Git about `.env`; where that is a link, about what it leads to.
///
/// # Errors
/// When Git gives no answer.
pub fn in_git(project: &Project, deadline: &Deadline) -> Result<InGit, CommandError> {
    let git = |args: &[&str]| {
        let args = args.iter().map(Into::into).chain([file(project).into_os_string()]);
        Command::new("git", args).dir(&project.root).run(deadline)
    };
    let listed = git(&["ls-files", "-z", "--"])?;
    if !listed.is_success() {
        return Ok(InGit::Unknown(listed.complaint()));
    }
    if !listed.stdout().is_empty() {
        return Ok(InGit::Tracked);
    }
    let ignored = git(&["check-ignore", "--quiet", "--"])?;
    Ok(match ignored.code() {
        Some(0) => InGit::Ignored,
        Some(1) => InGit::NotIgnored,
        _ => InGit::Unknown(ignored.complaint()),
    })
}

/// The file itself. A link in the repository holds no secret; its target may.
fn file(project: &Project) -> PathBuf {
    let path = project.env_file();
    let target = path.is_symlink().then(|| path.canonicalize().ok()).flatten();
    target.unwrap_or_else(|| PathBuf::from(ENV_FILE))
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
        let ask = || in_git(&project, &deadline).expect("Git answers");
        let git = |args: &[&str]| {
            let done = Command::new("git", args).dir(dir.path()).run(&deadline).expect("Git runs");
            assert!(done.is_success(), "{args:?}: {}", done.complaint());
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
    }
}
