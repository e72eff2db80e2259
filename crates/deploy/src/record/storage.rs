//! The places where release records are kept: a folder of the checkout, or a place at the target.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// A record as it was read.
pub(crate) struct Stored {
    /// Its place, as a message shows it.
    pub(crate) place: String,
    pub(crate) json: String,
}

/// A place for records. Each has an id, and JSON as its content.
pub(crate) trait Storage {
    /// Returns the command that lists the records.
    fn list_command(&self) -> String;

    /// Returns the advice for a record that cannot be parsed: a clause.
    fn repair_hint(&self) -> &'static str {
        "correct it, or move it away if no deploy was interrupted"
    }

    /// Returns all records.
    ///
    /// # Errors
    /// If one of them cannot be read.
    fn read(&self) -> anyhow::Result<Vec<Stored>>;

    /// Writes a record as a whole or not at all, and flushes it to the disk.
    ///
    /// # Errors
    /// If it cannot be written.
    fn write(&self, id: &str, json: &str) -> anyhow::Result<()>;

    /// Removes a record.
    ///
    /// # Errors
    /// If it cannot be removed.
    fn remove(&self, id: &str) -> anyhow::Result<()>;

    /// Returns the lines of the history, the oldest first: JSON each.
    ///
    /// # Errors
    /// If they cannot be read.
    fn read_history(&self) -> anyhow::Result<Vec<String>>;

    /// Adds lines to the end of the history, all or none.
    ///
    /// # Errors
    /// If they cannot be written.
    fn add_history(&self, lines: &[String]) -> anyhow::Result<()>;
}

/// The name of the file with the history, beside the records.
pub(crate) const HISTORY_FILE: &str = "history.jsonl";

/// Reads the lines of the history in a folder with records; there are none if there is no such file.
pub(crate) fn read_history_file(dir: &Path, shown: &str) -> anyhow::Result<Vec<String>> {
    match fs::read_to_string(dir.join(HISTORY_FILE)) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read `{shown}/{HISTORY_FILE}`")),
    }
}

/// A folder that belongs to the user who deploys.
pub(crate) struct OwnFolder {
    pub(crate) dir: PathBuf,
    pub(crate) shown: String,
}

impl Storage for OwnFolder {
    fn list_command(&self) -> String {
        format!("ls {}", self.shown)
    }

    fn read(&self) -> anyhow::Result<Vec<Stored>> {
        read_folder(&self.dir, &self.shown)
    }

    fn write(&self, id: &str, json: &str) -> anyhow::Result<()> {
        let name = file_name(id);
        let path = self.dir.join(&name);
        let write = || {
            if !self.dir.is_dir() {
                fs::create_dir_all(&self.dir)?;
                // The entries of the new folders: this one, `.xtask` and the checkout.
                self.dir.ancestors().skip(1).take(2).try_for_each(flush)?;
            }
            let partial = path.with_extension("partial");
            let mut file = File::create(&partial)?;
            file.write_all(json.as_bytes())?;
            file.sync_all()?;
            fs::rename(&partial, &path)?;
            flush(&self.dir)
        };
        write().with_context(|| format!("cannot write the release record `{}/{name}`", self.shown))
    }

    fn remove(&self, id: &str) -> anyhow::Result<()> {
        let name = file_name(id);
        fs::remove_file(self.dir.join(&name))
            .with_context(|| format!("cannot remove the old record `{}/{name}`", self.shown))
    }

    fn read_history(&self) -> anyhow::Result<Vec<String>> {
        read_history_file(&self.dir, &self.shown)
    }

    fn add_history(&self, lines: &[String]) -> anyhow::Result<()> {
        let all = [self.read_history()?.as_slice(), lines].concat();
        let write = || fs::write(self.dir.join(HISTORY_FILE), all.join("\n") + "\n");
        write().with_context(|| format!("cannot write `{}/{HISTORY_FILE}`", self.shown))
    }
}

/// Returns the name of the file with a record.
pub(crate) fn file_name(id: &str) -> String {
    format!("{id}.json")
}

fn flush(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Reads the records of a folder; there are none if it does not exist.
pub(crate) fn read_folder(dir: &Path, shown: &str) -> anyhow::Result<Vec<Stored>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read `{shown}`")),
    };
    let mut records = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read `{shown}`"))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let place = format!("`{shown}/{}`", path.file_name().unwrap_or_default().to_string_lossy());
            let json = fs::read_to_string(&path).with_context(|| format!("cannot read {place}"))?;
            records.push(Stored { place, json });
        }
    }
    Ok(records)
}
