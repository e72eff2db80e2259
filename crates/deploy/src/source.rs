//! The files of the checkout that a deploy copies, and its commit, from Git.

use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context as _;
use detect::ENV_FILE;
use project::{Project, env_target};
use subprocess::{Command, Deadline};

use crate::context::Context;
use crate::failure::{Exit, Failure, Problem};

/// The timeout of a Git command.
const QUICK: Duration = Duration::from_secs(60);
/// The number of characters of a commit's subject that are recorded.
const LONGEST_SUBJECT: usize = 100;

/// The commit of the checkout, with `+` behind it where that is not all of it.
pub(super) fn commit(root: &Path, stop: &Arc<AtomicBool>) -> Option<String> {
    let commit = git(root, &["rev-parse", "--short=12", "HEAD"], b"", stop).ok()?;
    let is_clean = git(root, &["status", "--porcelain"], b"", stop).is_ok_and(|changes| changes.is_empty());
    Some(if is_clean { commit.trim().to_owned() } else { format!("{}+", commit.trim()) })
}

/// Returns the first line of the message of the checkout's commit, without control characters; `None` without a commit.
pub(super) fn subject(root: &Path, stop: &Arc<AtomicBool>) -> Option<String> {
    let line = git(root, &["log", "--max-count=1", "--format=%s"], b"", stop).ok()?;
    let line: String = line.trim().chars().filter(|it| !it.is_control()).take(LONGEST_SUBJECT).collect();
    (!line.is_empty()).then_some(line)
}

/// Returns a commit as a message shows it; a `+` behind it stands for changes beside it.
pub(super) fn version(commit: &str, subject: Option<&str>) -> String {
    let (commit, changes) = match commit.strip_suffix('+') {
        Some(commit) => (commit, " with uncommitted changes"),
        None => (commit, ""),
    };
    let subject = subject.map(|subject| format!(" \"{subject}\"")).unwrap_or_default();
    format!("commit {commit}{subject}{changes}")
}

/// The commit of a checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The commit, with `+` behind it if the checkout has changes beside it.
    pub commit: String,
    /// The first line of the message of that commit.
    pub subject: Option<String>,
}

impl fmt::Display for Checkout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&version(&self.commit, self.subject.as_deref()))
    }
}

impl Checkout {
    /// Returns the commit of the project's checkout; `None` if it is not one of Git's, or has no commit.
    #[must_use]
    pub fn of(context: &Context<'_>) -> Option<Self> {
        let (root, stop) = (&context.project.root, context.interrupt.flag());
        Some(Checkout { commit: commit(root, &stop)?, subject: subject(root, &stop) })
    }

    /// Returns the number of commits that the checkout has and `commit` has not, and the other way round; `None` if the
    /// checkout does not know that commit.
    #[must_use]
    pub fn distance(&self, commit: &str, context: &Context<'_>) -> Option<(u64, u64)> {
        let range = format!("HEAD...{}", commit.trim_end_matches('+'));
        let args = ["rev-list", "--left-right", "--count", "--end-of-options", &range];
        let counts = git(&context.project.root, &args, b"", &context.interrupt.flag()).ok()?;
        let mut counts = counts.split_whitespace().map(|count| count.parse().ok());
        Some((counts.next()??, counts.next()??))
    }
}

/// The tracked files of a checkout, as they are in the working tree.
pub(super) struct Source {
    root: PathBuf,
    /// From the root folder.
    files: Vec<PathBuf>,
    /// Changes with every byte, name, link and executable bit of them.
    pub(super) hash: String,
    /// With `+` behind it where the working tree differs from it.
    pub(super) commit: String,
    /// The number of files that Git neither tracks nor ignores.
    pub(super) untracked: usize,
}

impl Source {
    /// Looks at the checkout, and changes nothing in it; a signal sets `stop`.
    pub(super) fn of(project: &Project, stop: &Arc<AtomicBool>) -> anyhow::Result<Self> {
        let root = &project.root;
        let listed = git(root, &["ls-files", "-z", "--recurse-submodules"], b"", stop)?;
        // Files that are deleted in the working tree are not deployed. Secrets never are, even if Git tracks them.
        let mut files: Vec<PathBuf> = words(&listed).map(PathBuf::from).collect();
        files.retain(|file| root.join(file).symlink_metadata().is_ok_and(|it| !it.is_dir()));
        let secrets = env_target(project);
        files.retain(|file| *file != secrets && file.file_name().is_none_or(|name| name != ENV_FILE));
        files.sort();
        files.dedup();
        let commit = commit(root, stop).ok_or_else(|| {
            let problem = Problem::new(format!("`{}` has no commit yet", root.display()));
            Failure::new(Exit::NotMet, problem.hint("git commit"))
        })?;
        let untracked = git(root, &["ls-files", "-z", "--others", "--exclude-standard"], b"", stop)?;
        let hash = hash(root, &files, stop)?;
        Ok(Source { root: root.to_owned(), files, hash, commit, untracked: words(&untracked).count() })
    }

    /// A source of these files alone.
    #[cfg(test)]
    pub(super) fn of_files(root: &Path, files: Vec<PathBuf>) -> Self {
        Source { root: root.to_owned(), files, hash: String::new(), commit: String::new(), untracked: 0 }
    }

    /// Whether the working tree differs from the commit.
    pub(super) fn is_dirty(&self) -> bool {
        self.commit.ends_with('+')
    }

    /// The commit as a part of a file's name.
    pub(super) fn tag(&self) -> String {
        self.commit.replace('+', "-dirty")
    }

    /// The folder of the checkout.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// From the root folder.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.iter()
    }

    pub(super) fn has(&self, file: &Path) -> bool {
        self.files.iter().any(|tracked| tracked == file)
    }

    /// Copies everything into a folder.
    pub(super) fn copy_to(&self, folder: &Path) -> anyhow::Result<()> {
        for file in &self.files {
            let (from, to) = (self.root.join(file), folder.join(file));
            let copy = || {
                fs::create_dir_all(to.parent().unwrap_or(folder))?;
                match fs::read_link(&from) {
                    Ok(target) => symlink(target, &to),
                    Err(_) => fs::copy(&from, &to).map(drop),
                }
            };
            copy().with_context(|| format!("cannot copy `{}` to `{}`", file.display(), folder.display()))?;
        }
        Ok(())
    }
}

fn words(listed: &str) -> impl Iterator<Item = &str> {
    listed.split('\0').filter(|name| !name.is_empty())
}

/// Git's own hash of a list of all files with Git's own hashes of them.
fn hash(root: &Path, files: &[PathBuf], stop: &Arc<AtomicBool>) -> anyhow::Result<String> {
    let (links, plain): (Vec<_>, Vec<_>) = files.iter().partition(|file| root.join(file).is_symlink());
    let mut names = Vec::new();
    for file in &plain {
        names.extend(file.as_os_str().as_bytes());
        names.push(b'\n');
    }
    let hashes = git(root, &["hash-object", "--no-filters", "--stdin-paths"], &names, stop)?;
    if hashes.lines().count() != plain.len() {
        let problem = Problem::new("Git tracks a file whose name has a line break in it").hint("rename it");
        return Err(Failure::new(Exit::NotMet, problem).into());
    }
    let mut list = Vec::new();
    for (file, hash) in plain.iter().zip(hashes.lines()) {
        list.extend([mode(&root.join(file))?, " ", hash, " "].concat().bytes());
        list.extend(file.as_os_str().as_bytes());
        list.push(b'\0');
    }
    for file in links {
        let target = fs::read_link(root.join(file)).with_context(|| format!("cannot read `{}`", file.display()))?;
        list.extend(file.as_os_str().as_bytes());
        list.push(b'\0');
        list.extend(target.as_os_str().as_bytes());
        list.push(b'\0');
    }
    Ok(git(root, &["hash-object", "--stdin"], &list, stop)?.trim().to_owned())
}

/// All that Git keeps of a file's mode.
fn mode(path: &Path) -> anyhow::Result<&'static str> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = path.metadata().with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(if metadata.permissions().mode() & 0o100 == 0 { "644" } else { "755" })
}

fn git(root: &Path, args: &[&str], stdin: &[u8], stop: &Arc<AtomicBool>) -> anyhow::Result<String> {
    let command = Command::git(args).dir(root).stdin(stdin);
    let finished = command.run(&Deadline::unless(Arc::clone(stop), QUICK, QUICK)).map_err(|error| {
        if error.is_interrupted() {
            Failure::unfinished(format!("git {}", args[0]), &error).into()
        } else {
            anyhow::Error::new(error)
        }
    })?;
    if finished.is_success() {
        return Ok(finished.stdout().to_owned());
    }
    let message = format!("`git {}` fails in `{}`: {}", args[0], root.display(), finished.failure_reason());
    let problem =
        Problem::new(message).hint("a release is a copy of the files that Git tracks: deploy from a Git checkout");
    Err(Failure::new(Exit::NotMet, problem).into())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn source(root: &Path) -> anyhow::Result<Source> {
        Source::of(&Project::open(root).expect("a project"), &Arc::default())
    }

    fn repository() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path();
        for (file, text) in [
            ("a", "one"),
            ("sub/b c", "two"),
            (".gitignore", "ignored\n"),
            ("ignored", ""),
            (".env", ""),
            ("sub/.env", ""),
        ] {
            fs::create_dir_all(root.join(file).parent().expect("inside")).expect("a folder");
            fs::write(root.join(file), text).expect("written");
        }
        symlink("nowhere", root.join("link")).expect("linked");
        git(root, &["init", "--quiet"], b"", &Arc::default()).expect("a repository");
        git(root, &["add", "--all"], b"", &Arc::default()).expect("added");
        let user = ["-c", "user.name=me", "-c", "user.email=me@here"];
        git(root, &[&user[..], &["commit", "--quiet", "--message", "first"]].concat(), b"", &Arc::default())
            .expect("committed");
        dir
    }

    #[test]
    fn a_copy_has_the_tracked_files() {
        let (dir, to) = (repository(), tempfile::tempdir().expect("a folder"));
        fs::write(dir.path().join("new"), "").expect("written");
        fs::remove_file(dir.path().join("a")).expect("removed");
        let source = self::source(dir.path()).expect("a repository");
        assert!(source.is_dirty() && source.tag().ends_with("-dirty") && source.untracked == 1);
        source.copy_to(to.path()).expect("copied");
        assert_eq!(fs::read_to_string(to.path().join("sub/b c")).expect("copied"), "two");
        assert_eq!(fs::read_link(to.path().join("link")).expect("copied"), Path::new("nowhere"));
        for name in ["a", "new", "ignored", ".git", ".env", "sub/.env"] {
            assert!(!to.path().join(name).exists(), "{name}");
        }
    }

    #[test]
    fn the_hash_changes_with_every_change() {
        let dir = repository();
        let hash = || source(dir.path()).expect("a repository").hash;
        let first = hash();
        assert!(!source(dir.path()).expect("a repository").is_dirty());
        fs::write(dir.path().join("ignored"), "other").expect("written");
        assert_eq!(hash(), first);
        fs::set_permissions(dir.path().join("a"), Permissions::from_mode(0o755)).expect("changed");
        let executable = hash();
        assert_ne!(executable, first);
        fs::write(dir.path().join("a"), "two").expect("written");
        assert_ne!(hash(), executable);
        fs::write(dir.path().join("a"), "one").expect("written");
        fs::set_permissions(dir.path().join("a"), Permissions::from_mode(0o644)).expect("changed");
        fs::remove_file(dir.path().join("link")).expect("removed");
        symlink("elsewhere", dir.path().join("link")).expect("linked");
        assert_ne!(hash(), first);
    }

    #[test]
    fn a_folder_that_is_no_checkout_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let error = source(dir.path()).err().expect("no repository").to_string();
        assert!(error.starts_with("`git ls-files` fails in `"), "{error}");
    }
}
