//! The Git checkout of a project: its branch, the upstream of that, and moving from one commit to another.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use project::text::counted;
use subprocess::{Command, Deadline};

use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;

/// The timeout of a Git command that works in the checkout.
const QUICK: Duration = Duration::from_secs(120);
/// The timeout of a Git command that asks another machine.
const FETCH: Duration = Duration::from_secs(600);
/// The number of commits that are listed.
const LISTED: usize = 20;

/// The checkout, on a branch with an upstream.
pub(super) struct Repository<'a> {
    root: &'a Path,
    deferred: &'a Deferred,
    /// The upstream, such as `origin/main`.
    pub(super) upstream: String,
}

/// The commits that the upstream has and the checkout has not.
pub(super) struct News {
    /// Their number.
    pub(super) count: u64,
    /// The newest ones, a line each.
    pub(super) commits: Vec<String>,
    /// The migrations that come with them, such as `monitoring.0002_host`.
    pub(super) migrations: Vec<String>,
}

impl<'a> Repository<'a> {
    /// Finds the upstream of the checkout's branch.
    pub(super) fn open(root: &'a Path, deferred: &'a Deferred) -> anyhow::Result<Self> {
        let mut repository = Repository { root, deferred, upstream: String::new() };
        let branch = repository.git(&["symbolic-ref", "--quiet", "--short", "HEAD"], QUICK);
        let branch = branch.map_err(|error| match Exit::of(&error) {
            Exit::Interrupted => error,
            _ => not_met("the checkout is on no branch of Git, and so has no upstream", "git switch BRANCH"),
        })?;
        let args = ["rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}"];
        repository.upstream = repository.git(&args, QUICK).map_err(|error| match Exit::of(&error) {
            Exit::Interrupted => error,
            _ => not_met(
                format!("the branch `{branch}` has no upstream to fetch from"),
                format!("git branch --set-upstream-to=origin/{branch}"),
            ),
        })?;
        Ok(repository)
    }

    /// Fetches the upstream.
    pub(super) fn fetch(&self) -> anyhow::Result<()> {
        let remote = self.git(&["config", &format!("branch.{}.remote", self.branch()?)], QUICK)?;
        self.git(&["fetch", "--quiet", "--", &remote], FETCH).map(drop)
    }

    fn branch(&self) -> anyhow::Result<String> {
        self.git(&["symbolic-ref", "--short", "HEAD"], QUICK)
    }

    /// Returns an error if tracked files have changes, which belong to the operator.
    pub(super) fn require_clean(&self) -> anyhow::Result<()> {
        let changed = self.git(&["status", "--porcelain", "--untracked-files=no"], QUICK)?;
        let Some(first) = changed.lines().next() else { return Ok(()) };
        let count = counted(changed.lines().count(), "tracked file");
        let message =
            format!("the checkout has uncommitted changes in {count}, such as `{}`", first.get(3..).unwrap_or(first));
        Err(not_met(message, "git stash, or git commit"))
    }

    /// Returns the commit of the checkout.
    pub(super) fn head(&self) -> anyhow::Result<String> {
        self.git(&["rev-parse", "HEAD"], QUICK)
    }

    /// Returns a commit as people see it: its short id and its subject.
    pub(super) fn shown(&self, commit: &str) -> anyhow::Result<String> {
        self.git(&["log", "--max-count=1", "--format=%h \"%s\"", commit, "--"], QUICK)
    }

    /// Returns the news of the upstream.
    ///
    /// # Errors
    /// If the checkout has commits of its own, so that it cannot be fast-forwarded.
    pub(super) fn news(&self) -> anyhow::Result<News> {
        let counts = self.git(&["rev-list", "--left-right", "--count", "HEAD...@{upstream}"], QUICK)?;
        let (own, count) = counts.split_once(char::is_whitespace).context("`git rev-list` is not understood")?;
        let (own, count) = (own.trim().parse::<usize>()?, count.trim().parse::<u64>()?);
        if own > 0 && count > 0 {
            let message = format!(
                "the checkout has {} that `{}` has not, and cannot be fast-forwarded",
                counted(own, "commit"),
                self.upstream
            );
            return Err(not_met(message, format!("git rebase {}", self.upstream)));
        }
        let most = format!("--max-count={LISTED}");
        let commits = self.git(&["log", &most, "--format=%h %s", "HEAD..@{upstream}"], QUICK)?;
        let range = ["HEAD", "@{upstream}", "--"];
        let added =
            self.git(&[&["diff", "--name-only", "--no-renames", "--diff-filter=A"], &range[..]].concat(), QUICK)?;
        Ok(News {
            count,
            commits: commits.lines().map(str::to_owned).collect(),
            migrations: added.lines().filter_map(migration).collect(),
        })
    }

    /// Moves the checkout to the upstream, with its submodules.
    pub(super) fn fast_forward(&self) -> anyhow::Result<()> {
        self.git(&["merge", "--quiet", "--ff-only", "@{upstream}"], QUICK)?;
        self.update_submodules()
    }

    /// Moves the checkout back to a commit. Changes of tracked files that were made meanwhile stay, or prevent it.
    pub(super) fn go_back(&self, commit: &str) -> anyhow::Result<()> {
        self.git(&["reset", "--quiet", "--keep", commit, "--"], QUICK)?;
        self.update_submodules()
    }

    fn update_submodules(&self) -> anyhow::Result<()> {
        if !self.root.join(".gitmodules").is_file() {
            return Ok(());
        }
        self.git(&["submodule", "--quiet", "update", "--init", "--recursive"], FETCH).map(drop)
    }

    /// Takes the lock of updates, which is free again when this process ends.
    pub(super) fn journal(&self) -> anyhow::Result<Journal> {
        let path = PathBuf::from(self.git(&["rev-parse", "--git-path", "xtask-update"], QUICK)?);
        let path = self.root.join(path);
        let open = || File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open().with_context(|| format!("cannot open `{}`", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let problem = Problem::new("another update of this checkout is under way: nothing was changed");
                return Err(
                    Failure::new(Exit::Locked, problem.hint("wait until it has ended, and run this again")).into()
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock `{}`", path.display()));
            }
        }
        let mut unfinished = String::new();
        file.read_to_string(&mut unfinished).with_context(|| format!("cannot read `{}`", path.display()))?;
        let unfinished = Some(unfinished.trim().to_owned()).filter(|commit| !commit.is_empty());
        Ok(Journal { file, path, unfinished })
    }

    /// Runs Git, and returns its output without the last line break.
    fn git(&self, args: &[&str], allowed: Duration) -> anyhow::Result<String> {
        let shown = format!("git {}", args[0]);
        // It must not wait for a password that nobody types.
        let command = Command::git(args.iter().copied()).dir(self.root).envs([("GIT_TERMINAL_PROMPT", "0")]);
        let finished = command.run(&Deadline::unless(self.deferred.flag(), allowed, allowed));
        let finished = finished.map_err(|error| match error {
            error if error.is_not_found() => Failure::new(Exit::NotMet, Problem::new(error.to_string())),
            error => Failure::unfinished(&shown, &error),
        })?;
        if finished.is_success() {
            return Ok(finished.stdout().trim_end().to_owned());
        }
        // Advice follows the line with the reason.
        let is_reason = |line: &&str| line.starts_with("fatal: ") || line.starts_with("error: ");
        let reason = finished.stderr().lines().find(is_reason).map(str::to_owned);
        let reason = reason.unwrap_or_else(|| finished.failure_reason());
        let message = format!("`{shown}` fails in `{}`: {reason}", self.root.display());
        Err(Failure::new(Exit::NotMet, Problem::new(message)).into())
    }
}

/// The lock of updates, and the commit to go back to while one is under way.
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    /// The commit from before an update that was not finished.
    pub(super) unfinished: Option<String>,
}

impl Journal {
    /// Notes the commit from before the update, or that there is none under way any more.
    pub(super) fn note(&mut self, commit: &str) -> anyhow::Result<()> {
        let mut write = || {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(commit.as_bytes())?;
            self.file.sync_all()
        };
        write().with_context(|| format!("cannot write `{}`", self.path.display()))
    }

    /// Ends the update.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.note("")?;
        // An empty file means the same.
        let _ = fs::remove_file(&self.path);
        Ok(())
    }
}

fn not_met(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Failure::new(Exit::NotMet, Problem::new(message).hint(hint)).into()
}

/// Returns the name of the migration in a file, if it is one of Django's.
fn migration(path: &str) -> Option<String> {
    let (app, file) = path.strip_suffix(".py")?.rsplit_once("/migrations/")?;
    let app = app.rsplit('/').next().unwrap_or(app);
    let is_migration = file.starts_with(|first: char| first.is_ascii_digit()) && !file.contains('/');
    is_migration.then(|| format!("{app}.{file}"))
}

#[cfg(test)]
mod tests {
    use super::migration;

    #[test]
    fn migrations_by_their_files() {
        assert_eq!(migration("service/monitoring/migrations/0002_host.py").as_deref(), Some("monitoring.0002_host"));
        assert_eq!(migration("shop/migrations/0001_initial.py").as_deref(), Some("shop.0001_initial"));
        for path in ["shop/migrations/__init__.py", "shop/migrations/0001.sql", "migrations/x.py", "a/b/0001_x.py"] {
            assert_eq!(migration(path), None, "{path}");
        }
    }
}
