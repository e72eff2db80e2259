//! The places where release records are kept: a folder of the checkout, or one of the target.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// A place for records.
pub(crate) trait Storage {
    /// Returns the folder as messages show it.
    fn shown(&self) -> String;

    /// Returns the file names and the contents of all records.
    ///
    /// # Errors
    /// If one of them cannot be read.
    fn read(&self) -> anyhow::Result<Vec<(String, String)>>;

    /// Writes a record as a whole or not at all, and flushes it to the disk.
    ///
    /// # Errors
    /// If it cannot be written.
    fn write(&self, name: &str, content: &[u8]) -> anyhow::Result<()>;

    /// Removes a record.
    ///
    /// # Errors
    /// If it cannot be removed.
    fn remove(&self, name: &str) -> anyhow::Result<()>;
}

/// A folder that belongs to the user who deploys.
pub(crate) struct OwnFolder {
    pub(crate) dir: PathBuf,
    pub(crate) shown: String,
}

impl Storage for OwnFolder {
    fn shown(&self) -> String {
        self.shown.clone()
    }

    fn read(&self) -> anyhow::Result<Vec<(String, String)>> {
        read_folder(&self.dir, &self.shown)
    }

    fn write(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let path = self.dir.join(name);
        let write = || {
            if !self.dir.is_dir() {
                fs::create_dir_all(&self.dir)?;
                // The entries of the new folders: this one, `.xtask` and the checkout.
                self.dir.ancestors().skip(1).take(2).try_for_each(flush)?;
            }
            let partial = path.with_extension("partial");
            let mut file = File::create(&partial)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&partial, &path)?;
            flush(&self.dir)
        };
        write().with_context(|| format!("cannot write the release record `{}/{name}`", self.shown))
    }

    fn remove(&self, name: &str) -> anyhow::Result<()> {
        fs::remove_file(self.dir.join(name))
            .with_context(|| format!("cannot remove the old record `{}/{name}`", self.shown))
    }
}

fn flush(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Reads the records of a folder; there are none if it does not exist.
pub(crate) fn read_folder(dir: &Path, shown: &str) -> anyhow::Result<Vec<(String, String)>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read `{shown}`")),
    };
    let mut records = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read `{shown}`"))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{shown}/{name}`"))?;
            records.push((name, text));
        }
    }
    Ok(records)
}
