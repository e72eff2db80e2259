//! The files of the machine that a deploy replaces: unit files and the system env file. A power cut leaves the old
//! content or the new one, and a rollback keeps content that neither the deploy nor the state before it has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::layout::Layout;
use super::root::{Root, Step};
use crate::failure::{Exit, Failure, Problem};
use crate::record::{FileHashes, UnitSnapshot};

/// A file that a deploy replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LiveFile {
    pub(super) path: PathBuf,
    /// Where the new content is written first, in the same folder.
    pub(super) staged: PathBuf,
    /// The copy of the content from before the deploy.
    pub(super) copy: PathBuf,
    /// Whether there was such a file.
    pub(super) was_there: bool,
    /// The name of the unit; `None` for the system env file.
    pub(super) unit: Option<String>,
}

/// Returns the files that a release replaces.
pub(super) fn of_release(id: &str, snapshot: &UnitSnapshot, layout: &Layout) -> Vec<LiveFile> {
    let copies = layout.before(id);
    let env = snapshot.env_file.map(|was_there| LiveFile {
        path: layout.env_file.clone(),
        staged: layout.staged_env(id),
        copy: copies.join("env"),
        was_there,
        unit: None,
    });
    let unit = |(name, was_there): (&String, &bool)| LiveFile {
        path: layout.unit_file(name),
        staged: layout.staged_unit(name, id),
        copy: copies.join(name),
        was_there: *was_there,
        unit: Some(name.clone()),
    };
    env.into_iter().chain(snapshot.files.iter().map(unit)).collect()
}

/// Copies the files that are about to be replaced, and flushes the copies.
pub(super) fn back_up(id: &str, files: &[LiveFile], layout: &Layout) -> Vec<Step> {
    let replaced: Vec<&LiveFile> = files.iter().filter(|file| file.was_there).collect();
    if replaced.is_empty() {
        return Vec::new();
    }
    let copies = layout.before(id);
    let mut steps = vec![Step::new("install -d -o root -g root -m 755", [copies.display()])];
    steps.extend(replaced.iter().map(|file| Step::new("cp -a", [file.path.display(), file.copy.display()])));
    let flushed = replaced.iter().map(|file| file.copy.as_path());
    steps.push(flush(flushed.chain([copies.as_path(), &layout.releases()])));
    steps
}

/// Reads a text file, as root if this user may not; `None` if that cannot be asked, in a dry run.
pub(super) fn read(path: &Path, root: Option<&Root>) -> anyhow::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            root.map(|root| root.run(&Step::new("cat", [path.display()]))).transpose()
        }
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// Puts a file or folder in the place of another one, in one go.
pub(super) fn replace(from: &Path, to: &Path) -> Step {
    Step::new("mv -T", [from.display(), to.display()])
}

/// Writes files, and the entries of folders, to the disk.
pub(super) fn flush<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Step {
    Step::new("sync", paths.into_iter().map(Path::display))
}

/// Returns the folders that hold these paths, each once.
pub(super) fn parents<'a>(paths: impl IntoIterator<Item = &'a Path>) -> BTreeSet<PathBuf> {
    paths.into_iter().filter_map(Path::parent).map(Path::to_owned).collect()
}

/// Returns the step that computes the hashes of files.
pub(super) fn hash<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Step {
    Step::new("sha256sum --", paths.into_iter().map(Path::display))
}

/// Parses the output of [`hash`]: the hashes by path.
pub(super) fn parse_hashes(output: &str) -> BTreeMap<PathBuf, String> {
    let lines = output.lines().filter_map(|line| line.split_once("  "));
    lines.map(|(hash, path)| (PathBuf::from(path), hash.to_owned())).collect()
}

/// The way in which a rollback treats a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// It is as before the deploy.
    Unchanged,
    Restored,
    Removed,
    /// Its content is of neither: the operator has changed it since.
    Kept,
}

/// Returns how a rollback treats a file, by the hash of its present content.
fn treatment(present: Option<&str>, file: &LiveFile, hashes: Option<&FileHashes>) -> Treatment {
    let restored = if file.was_there { Treatment::Restored } else { Treatment::Removed };
    match (present, hashes) {
        (None, _) if !file.was_there => Treatment::Unchanged,
        // A file that is gone holds nothing that could be lost. Records of earlier versions have no hashes.
        (None, _) | (_, None) => restored,
        (Some(present), Some(hashes)) if hashes.before.as_deref() == Some(present) => Treatment::Unchanged,
        (Some(present), Some(hashes)) if hashes.after == present => restored,
        _ => Treatment::Kept,
    }
}

/// Restores a file as it was before the deploy, unless the operator has changed it since.
pub(super) fn restore(file: &LiveFile, hashes: Option<&FileHashes>, root: &Root) -> anyhow::Result<Treatment> {
    let hash_of = |path: &Path| -> anyhow::Result<Option<String>> {
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        Ok(parse_hashes(&root.run(&hash([path]))?).into_values().next())
    };
    let treatment = treatment(hash_of(&file.path)?.as_deref(), file, hashes);
    match treatment {
        Treatment::Unchanged | Treatment::Kept => {}
        Treatment::Removed => drop(root.run(&Step::new("rm -f", [file.path.display()]))?),
        Treatment::Restored => {
            let copied = hash_of(&file.copy)?;
            match hashes {
                // It was not replaced yet when the record of an earlier version was written.
                None if copied.is_none() => return Ok(Treatment::Unchanged),
                Some(hashes) if hashes.before != copied => return Err(damaged(file).into()),
                _ => {}
            }
            root.run(&Step::new("cp -a", [file.copy.display(), file.staged.display()]))?;
            root.run(&flush([file.staged.as_path()]))?;
            root.run(&replace(&file.staged, &file.path))?;
        }
    }
    Ok(treatment)
}

fn damaged(file: &LiveFile) -> Failure {
    let (path, copy) = (file.path.display(), file.copy.display());
    let message = format!(
        "`{path}` cannot be restored: its copy `{copy}` is not as the release record has it; restore the file by hand, \
         and deploy again"
    );
    Failure::new(Exit::Failed, Problem::new(message).hint(format!("sudoedit {path}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(was_there: bool) -> LiveFile {
        let snapshot = UnitSnapshot { env_file: Some(was_there), ..UnitSnapshot::default() };
        of_release("2", &snapshot, &Layout::of_a_shop()).remove(0)
    }

    #[test]
    fn content_of_the_operator_is_kept() {
        let hashes = |before: Option<&str>| FileHashes { before: before.map(str::to_owned), after: "new".into() };
        let replaced = hashes(Some("old"));
        let check = |present: Option<&str>, expected| {
            assert_eq!(treatment(present, &file(true), Some(&replaced)), expected, "{present:?}");
        };
        check(Some("old"), Treatment::Unchanged);
        check(Some("new"), Treatment::Restored);
        check(Some("edited"), Treatment::Kept);
        check(None, Treatment::Restored);
        let added = hashes(None);
        assert_eq!(treatment(Some("new"), &file(false), Some(&added)), Treatment::Removed);
        assert_eq!(treatment(Some("edited"), &file(false), Some(&added)), Treatment::Kept);
        assert_eq!(treatment(None, &file(false), Some(&added)), Treatment::Unchanged);
    }

    #[test]
    fn a_file_that_only_root_can_read_is_read_as_root() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("override.conf");
        fs::write(&path, "[Service]\n").expect("written");
        assert_eq!(read(&path, None).expect("readable").as_deref(), Some("[Service]\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("ours");
        // The user who runs this test may be root, who can read everything.
        if fs::read(&path).is_err() {
            assert_eq!(read(&path, None).expect("not asked"), None);
            let root = Root::none();
            assert!(read(&path, Some(&root)).is_err(), "this user is not root");
            assert_eq!(root.log.borrow()[0].to_string(), format!("cat {}", path.display()));
        }
        assert!(read(&dir.path().join("gone"), None).is_err());
    }

    #[test]
    fn a_damaged_copy_is_not_restored() {
        let dir = tempfile::tempdir().expect("a folder");
        let layout =
            Layout { install_dir: dir.path().join("shop"), env_file: dir.path().join("env"), ..Layout::of_a_shop() };
        let snapshot = UnitSnapshot { env_file: Some(true), ..UnitSnapshot::default() };
        let file = of_release("2", &snapshot, &layout).remove(0);
        std::fs::create_dir_all(layout.before("2")).expect("a folder");
        std::fs::write(&file.path, "B=2\n").expect("written");
        std::fs::write(&file.copy, "A=1\n").expect("written");
        let root = Root::none();
        let output = root.run(&hash([file.copy.as_path(), &file.path])).expect("hashed");
        let found = parse_hashes(&output);
        let hashes = FileHashes { before: Some(found[&file.copy].clone()), after: found[&file.path].clone() };
        std::fs::write(&file.copy, "").expect("written");
        let error = restore(&file, Some(&hashes), &root).expect_err("damaged").to_string();
        assert!(error.contains("cannot be restored: its copy"), "{error}");
        assert_eq!(std::fs::read_to_string(&file.path).expect("there"), "B=2\n");
        std::fs::write(&file.copy, "A=1\n").expect("written");
        assert_eq!(restore(&file, Some(&hashes), &root).expect("restored"), Treatment::Restored);
        assert_eq!(std::fs::read_to_string(&file.path).expect("there"), "A=1\n");
    }
}
