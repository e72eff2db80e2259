//! The lock of a project: one run at a time. It is free again when its holder ends, however it ends.

use std::error::Error;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Project;

/// The lock, held as long as this lives.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// The reason why the lock was not taken.
#[derive(Debug)]
pub enum LockError {
    /// Another run holds it.
    Held {
        /// The holder, such as `pid 4711, install`.
        holder: String,
        /// The time since the lock was taken, if the file system has it.
        age: Option<Duration>,
    },
    /// The lock file cannot be opened, locked or written.
    Io {
        /// The lock file.
        path: PathBuf,
        /// The action that failed.
        action: &'static str,
        /// The error of the operating system.
        error: io::Error,
    },
}

impl Lock {
    /// Takes the lock. Does not wait for another holder. The file stays empty: it can be in the build context of an
    /// image, which would be another one with each run.
    ///
    /// # Errors
    /// If another run holds it, or the state folder cannot be written.
    pub fn take(project: &Project) -> Result<Self, LockError> {
        let dir = project.state_dir();
        let path = dir.join("lock");
        let failed = |action, error| LockError::Io { path: path.clone(), action, error };
        let file = open(&dir, &path).map_err(|error| failed("open", error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(&file)),
            Err(TryLockError::Error(error)) => return Err(failed("take", error)),
        }
        // The time of the change, by which others know since when the lock is held, is set only by a change; to set it
        // directly is for the owner of the file alone.
        file.set_len(1).and_then(|()| file.set_len(0)).map_err(|error| failed("write", error))?;
        Ok(Lock { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A program that is being started at this moment has inherited the file, and would hold the lock a little longer.
        let _ = self.file.unlock();
    }
}

/// Opens the lock file. Git ignores the state folder by a file within it, also in a checkout that does not know us.
fn open(dir: &Path, path: &Path) -> io::Result<File> {
    fs::create_dir_all(dir)?;
    fs::write(dir.join(".gitignore"), "*\n")?;
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

fn held(file: &File) -> LockError {
    let metadata = file.metadata().ok();
    let since = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
    let pid = metadata.and_then(|metadata| {
        let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
        holder_of(metadata.ino(), &locks)
    });
    // The lock is held even if its holder is not known.
    let holder = pid.map_or_else(|| "an unknown process".to_owned(), shown);
    LockError::Held { holder, age: since.and_then(|since| since.elapsed().ok()) }
}

/// Returns the id of the process that holds the lock of a file, by `/proc/locks` (see proc(5)).
fn holder_of(inode: u64, locks: &str) -> Option<u32> {
    let holder = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", pid, place, ..] = fields.as_slice() else { return None };
        let of_file: u64 = place.rsplit(':').next()?.parse().ok()?;
        // A process in another namespace is 0.
        pid.parse().ok().filter(|pid| of_file == inode && *pid > 0)
    };
    locks.lines().find_map(holder)
}

/// Returns a process as a message shows it, with the subcommand that it runs. Its other arguments are not shown.
fn shown(pid: u32) -> String {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let subcommand = arguments.split(|byte| *byte == 0).nth(1).map(String::from_utf8_lossy).unwrap_or_default();
    let is_word = subcommand.starts_with(|c: char| c.is_ascii_lowercase())
        && subcommand.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    if is_word { format!("pid {pid}, {subcommand}") } else { format!("pid {pid}") }
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockError::Held { holder, age } => {
                write!(f, "another run holds the lock: {holder}")?;
                match age.map(|age| age.as_secs()) {
                    None => Ok(()),
                    Some(seconds @ ..60) => write!(f, ", for {seconds} s"),
                    Some(seconds) => write!(f, ", for {} min", seconds / 60),
                }
            }
            LockError::Io { path, action, error } => {
                write!(f, "cannot {action} the lock `{}`: {error}: nothing was changed", path.display())
            }
        }
    }
}

impl Error for LockError {}

#[cfg(test)]
mod tests {
    use std::process;
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_second_holder_is_refused_and_names_the_first() {
        let dir = tempfile::tempdir().expect("a folder");
        let project = Project::open(dir.path()).expect("a project");
        let lock = Lock::take(&project).expect("free");
        let error = Lock::take(&project).expect_err("held").to_string();
        let expected = format!("another run holds the lock: pid {}", process::id());
        assert!(error.starts_with(&expected), "{error}");
        drop(lock);
        Lock::take(&project).expect("free again");
    }

    #[test]
    fn a_run_leaves_the_same_files_as_the_one_before() {
        let dir = tempfile::tempdir().expect("a folder");
        let project = Project::open(dir.path()).expect("a project");
        fs::create_dir(project.state_dir()).expect("created");
        fs::write(project.state_dir().join("lock"), "pid 4711, as an earlier version wrote it\n").expect("written");
        let _lock = Lock::take(&project).expect("free");
        assert_eq!(fs::read(project.state_dir().join("lock")).expect("readable"), b"");
    }

    #[test]
    fn the_time_of_the_lock_is_that_of_its_last_holder() {
        let dir = tempfile::tempdir().expect("a folder");
        let project = Project::open(dir.path()).expect("a project");
        drop(Lock::take(&project).expect("free"));
        let file = File::options().write(true).open(project.state_dir().join("lock")).expect("there");
        file.set_modified(SystemTime::UNIX_EPOCH).expect("the file is ours");
        let _lock = Lock::take(&project).expect("free again");
        assert_ne!(file.metadata().and_then(|metadata| metadata.modified()).expect("known"), SystemTime::UNIX_EPOCH);
    }

    #[test]
    fn the_holder_of_a_lock() {
        let locks = "1: FLOCK  ADVISORY  WRITE 1468 fe:00:761894 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 1 fe:00:7 0 EOF\n2: -> FLOCK ADVISORY WRITE 2 fe:00:7 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 3 fe:00:7 0 EOF\n4: FLOCK  ADVISORY  WRITE 0 fe:00:8 0 EOF\n";
        assert_eq!([761_894, 7, 8, 9].map(|inode| holder_of(inode, locks)), [Some(1468), Some(3), None, None]);
    }
}
