//! Reading and replacing files. A file is either unchanged or completely written, even after a crash.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::lock::Lock;
use crate::read_back::{self, Misread};
use crate::{Encoding, EnvFile, Error};

/// The longest chain of links that Linux follows.
const SYMLINK_LIMIT: usize = 40;

/// Reads a file. `None` means that there is no such file, and nothing else.
///
/// # Errors
///
/// The path is no file, or the file cannot be read.
pub fn read(path: &Path) -> Result<Option<EnvFile>, Error> {
    read_bytes(path)?.map(|(bytes, _)| parse(path, &bytes)).transpose()
}

/// Parses the content of a file; `path` is its name in messages.
///
/// # Errors
///
/// The content is not UTF-8.
pub fn parse(path: &Path, content: &[u8]) -> Result<EnvFile, Error> {
    match Encoding::of(content) {
        Some((encoding, line)) => Err(Error::Encoding { path: path.to_owned(), encoding, line }),
        None => Ok(EnvFile::parse(content)),
    }
}

/// Changes the file at `path`, or creates it from `create_from`.
///
/// `edit` gets the present file, under a lock that all writers take: `flock` on its folder, with no limit to the wait,
/// so `edit` should not wait for another process. The result is parsed with dotenvy, written to a temporary file in the
/// same folder, flushed, and renamed over the file. Mode and owner of the file are kept, a new one belongs to its owner
/// alone (0600), and a symbolic link is followed. Nothing is written if `edit` changes nothing in an existing file.
///
/// # Errors
///
/// `edit` fails, or the file cannot be read or replaced, or does not read back. It is then as it was.
pub fn update<T, E: From<Error>>(
    path: &Path,
    create_from: &EnvFile,
    edit: impl FnOnce(&mut EnvFile) -> Result<T, E>,
) -> Result<(T, Saved), E> {
    let target = follow(path)?;
    let lock = Lock::take(folder(&target))?;
    let current = read_bytes(&target)?;
    let (before, old) = match &current {
        Some((bytes, metadata)) => (parse(path, bytes)?, Some(metadata)),
        None => (create_from.clone(), None),
    };
    let mut file = before.clone();
    let result = edit(&mut file)?;
    if old.is_some() && file == before {
        return Ok((result, Saved { path: target, written: None }));
    }
    read_back::check(&before, &file).map_err(|misread| not_read_back(path, misread))?;
    let after = file.to_bytes();
    if let Some(old) = old.filter(|_| target != path) {
        check_owner(path, &target, old)?;
    }
    replace(&target, &after, old, &lock)?;
    let before = current.map(|(bytes, _)| bytes);
    Ok((result, Saved { path: target, written: Some(Written { before, after }) }))
}

/// The result of [`update`], with which it can be undone.
#[must_use = "whether the file was written is to be told, and can be undone"]
pub struct Saved {
    path: PathBuf,
    written: Option<Written>,
}

struct Written {
    before: Option<Vec<u8>>,
    after: Vec<u8>,
}

/// The result of [`Saved::undo`]: the state of the file afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// The file has its previous content again.
    Restored,
    /// The file, which had not been there, was removed.
    Removed,
    /// Someone has changed or removed the file since; it is left alone.
    ChangedSince,
    /// Nothing had been written.
    Nothing,
}

impl Saved {
    /// Whether the file was written.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.written.is_some()
    }

    /// Restores the previous content, if the file still has the one that was written.
    ///
    /// # Errors
    ///
    /// The file cannot be read or replaced.
    pub fn undo(self) -> Result<Undo, Error> {
        let Some(Written { before, after }) = self.written else { return Ok(Undo::Nothing) };
        let lock = Lock::take(folder(&self.path))?;
        let current = match read_bytes(&self.path)? {
            Some((bytes, metadata)) if bytes == after => metadata,
            _ => return Ok(Undo::ChangedSince),
        };
        if let Some(before) = before {
            replace(&self.path, &before, Some(&current), &lock)?;
            return Ok(Undo::Restored);
        }
        fs::remove_file(&self.path).and_then(|()| lock.sync()).map_err(write_error(&self.path))?;
        Ok(Undo::Removed)
    }
}

/// Shows no content, as it holds values.
impl std::fmt::Debug for Saved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Saved")
            .field("path", &self.path)
            .field("is_written", &self.is_written())
            .finish_non_exhaustive()
    }
}

/// Reads the bytes of a file and its metadata; `None` if there is no such file.
fn read_bytes(path: &Path) -> Result<Option<(Vec<u8>, Metadata)>, Error> {
    let error = |source| Error::Read { path: path.to_owned(), source };
    // Asked before it is opened: opening a pipe would wait for a writer.
    let metadata = match fs::metadata(path) {
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(error)?,
    };
    if !metadata.is_file() {
        return Err(Error::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(error)?;
    file.read_to_end(&mut bytes).map_err(error)?;
    Ok(Some((bytes, file.metadata().map_err(error)?)))
}

/// Where `path` leads to, which need not exist.
fn follow(path: &Path) -> Result<PathBuf, Error> {
    let error = |source| Error::Read { path: path.to_owned(), source };
    let mut target = path.to_owned();
    for _ in 0..SYMLINK_LIMIT {
        match fs::read_link(&target) {
            Ok(link) => target = folder(&target).join(link),
            // No link, or nothing at all.
            Err(source) if matches!(source.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => {
                return Ok(target);
            }
            Err(source) => return Err(error(source)),
        }
    }
    Err(error(io::Error::other("too many levels of symbolic links")))
}

/// The folder that holds `path`.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Root does not write through a link that another user may have made to a file of a third one.
fn check_owner(path: &Path, target: &Path, old: &Metadata) -> Result<(), Error> {
    // The owner of a file that we create is who we are.
    let probe = tempfile::tempfile_in(folder(target)).and_then(|file| file.metadata());
    let us = probe.map_err(write_error(target))?.uid();
    if us == 0 && old.uid() != us {
        return Err(Error::ForeignTarget { path: path.to_owned(), target: target.to_owned(), owner: old.uid() });
    }
    Ok(())
}

/// Replaces the file at `path` in one step; `old` is the file that is there, if one is.
fn replace(path: &Path, bytes: &[u8], old: Option<&Metadata>, lock: &Lock) -> Result<(), Error> {
    // 0600 and `O_EXCL`; removed again on drop, which is on every error below.
    let mut temporary: NamedTempFile = tempfile::Builder::new()
        .prefix(".env.")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder(path))
        .map_err(write_error(path))?;
    temporary.write_all(bytes).map_err(write_error(path))?;
    if let Some(old) = old {
        keep_owner_and_mode(temporary.as_file(), old, path)?;
    }
    temporary.as_file().sync_all().map_err(write_error(path))?;
    temporary.persist(path).map_err(|error| write_error(path)(error.error))?;
    lock.sync().map_err(write_error(path))
}

fn keep_owner_and_mode(file: &File, old: &Metadata, path: &Path) -> Result<(), Error> {
    let new = file.metadata().map_err(write_error(path))?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid())).map_err(|source| Error::Owner {
            path: path.to_owned(),
            owner: old.uid(),
            source,
        })?;
    }
    // After the owner: a change of owner clears some of the mode.
    file.set_permissions(Permissions::from_mode(old.mode() & 0o7777)).map_err(write_error(path))
}

fn write_error(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    move |source| Error::Write { path: path.to_owned(), source }
}

fn not_read_back(path: &Path, misread: Misread) -> Error {
    let (line, key) = match misread {
        Misread::Assignment { line, key } => (Some(line), Some(key)),
        Misread::Document => (None, None),
    };
    Error::ReadBack { path: path.to_owned(), line, key }
}
