//! One run at a time on a project: a lock that is free again when its holder ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process;
use std::time::Duration;

use project::Project;

use crate::exit::{Exit, Failure, Problem};

/// Held as long as it lives.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock for `what`, such as `install`. Does not wait: another holder is named.
    pub(crate) fn take(project: &Project, what: &str) -> anyhow::Result<Self> {
        let dir = project.state_dir();
        let path = dir.join("lock");
        let not_met = |what: &str, error: io::Error| {
            let message = format!("cannot {what} the lock `{}`: {error}: nothing was changed", path.display());
            Failure::new(Exit::NotMet, Problem::new(message).hint(format!("ls -ld {0}; df {0}", dir.display())))
        };
        let mut file = open(&dir, &path).map_err(|error| not_met("open", error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(&mut file).into()),
            Err(TryLockError::Error(error)) => return Err(not_met("take", error).into()),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "pid {}, {what}", process::id()))
            .map_err(|error| not_met("write", error))?;
        Ok(Lock { _file: file })
    }
}

/// The state folder is nobody's business but ours: Git is told so from within, in somebody else's checkout too.
fn open(dir: &Path, path: &Path) -> io::Result<File> {
    fs::create_dir_all(dir)?;
    fs::write(dir.join(".gitignore"), "*\n")?;
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

fn held(file: &mut File) -> Failure {
    // What cannot be told is left out: the lock is held all the same.
    let mut holder = String::new();
    let _ = file.read_to_string(&mut holder);
    let age = file.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|since| since.elapsed().ok());
    let age = age.map(told).unwrap_or_default();
    let problem = Problem::new(format!("another run holds the lock: {}{age}", holder.trim()))
        .hint("wait until it has ended, and run this again");
    Failure::new(Exit::Locked, problem)
}

fn told(age: Duration) -> String {
    match age.as_secs() {
        seconds @ ..60 => format!(", for {seconds} s"),
        seconds => format!(", for {} min", seconds / 60),
    }
}
