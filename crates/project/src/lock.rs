//! The lock of a project: one run at a time. It is free again when its holder ends, however it ends.

use std::error::Error;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
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
        /// The holder, as it has written itself into the lock; empty if that cannot be read.
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
    /// Takes the lock for a command, such as `install`. Does not wait for another holder.
    ///
    /// # Errors
    /// If another run holds it, or the state folder cannot be written.
    pub fn take(project: &Project, command: &str) -> Result<Self, LockError> {
        let dir = project.state_dir();
        let path = dir.join("lock");
        let failed = |action, error| LockError::Io { path: path.clone(), action, error };
        let mut file = open(&dir, &path).map_err(|error| failed("open", error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(&mut file)),
            Err(TryLockError::Error(error)) => return Err(failed("take", error)),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "pid {}, {command}", process::id()))
            .map_err(|error| failed("write", error))?;
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

fn held(file: &mut File) -> LockError {
    // The lock is held even if its holder cannot be read.
    let mut holder = String::new();
    let _ = file.read_to_string(&mut holder);
    let age = file.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|since| since.elapsed().ok());
    LockError::Held { holder: holder.trim().to_owned(), age }
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
    use super::*;

    #[test]
    fn a_second_holder_is_refused_and_names_the_first() {
        let dir = tempfile::tempdir().expect("a folder");
        let project = Project::open(dir.path()).expect("a project");
        let lock = Lock::take(&project, "install").expect("free");
        let error = Lock::take(&project, "health --fix").expect_err("held").to_string();
        let expected = format!("another run holds the lock: pid {}, install", process::id());
        assert!(error.starts_with(&expected), "{error}");
        drop(lock);
        Lock::take(&project, "health --fix").expect("free again");
    }
}
