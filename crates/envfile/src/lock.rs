//! The lock that writers of a file take: `flock` on its folder.
//!
//! On the folder, as replacing a file leaves a lock on the file itself with the old one, and as a lock file beside it
//! would stay behind. The system frees the lock when the process ends, however it ends.

use std::fs::File;
use std::path::Path;

use crate::Error;

/// A lock on a folder, freed on drop.
#[derive(Debug)]
pub(crate) struct Lock {
    folder: File,
}

impl Lock {
    /// Waits for the lock on `folder`, for as long as another writer is at work.
    pub(crate) fn take(folder: &Path) -> Result<Lock, Error> {
        let error = |source| Error::Lock { path: folder.to_owned(), source };
        let file = File::open(folder).map_err(error)?;
        file.lock().map_err(error)?;
        Ok(Lock { folder: file })
    }

    /// Makes renamed and removed files of the folder durable.
    pub(crate) fn sync(&self) -> std::io::Result<()> {
        self.folder.sync_all()
    }
}
