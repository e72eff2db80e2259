//! Replacing files: attributes that are kept, targets that are refused, and failures that leave everything unchanged.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use envfile::{EnvFile, Error, Saved, Undo};
use tempfile::TempDir;

/// A folder with a `.env`.
struct Folder {
    folder: TempDir,
}

impl Folder {
    fn new(content: &str) -> Folder {
        let folder = Folder { folder: tempfile::tempdir().expect("a temporary folder") };
        fs::write(folder.path(), content).expect("a writable folder");
        folder
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(".env")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("a folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn set(path: &Path, value: &str) -> Result<Saved, Error> {
    let edit = |file: &mut EnvFile| {
        file.set("K", value, None).expect("a sound document");
        Ok::<(), Error>(())
    };
    envfile::update(path, &EnvFile::parse(b"# new\n"), edit).map(|((), saved)| saved)
}

fn is_root(path: &Path) -> bool {
    fs::metadata(path).expect("a file").uid() == 0
}

#[track_caller]
fn check_error(error: &Error, expected: &str) {
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn only_a_missing_file_is_none() {
    let folder = Folder::new("K=1\n");
    assert_eq!(envfile::read(&folder.path().with_file_name("other")).unwrap(), None);
    assert_eq!(envfile::read(&folder.path()).unwrap(), Some(EnvFile::parse(b"K=1\n")));
    check_error(&envfile::read(folder.folder.path()).unwrap_err(), "is not a file");
    let below_a_file = folder.path().join("file");
    check_error(&envfile::read(&below_a_file).unwrap_err(), &format!("cannot read `{}`", below_a_file.display()));
}

#[test]
fn mode_and_owner_are_kept() {
    let folder = Folder::new("K=1\n");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o640)).unwrap();
    if is_root(&folder.path()) {
        chown(folder.path(), Some(33), Some(34)).unwrap();
    }
    let before = fs::metadata(folder.path()).unwrap();
    assert!(set(&folder.path(), "2").unwrap().is_written());
    let after = fs::metadata(folder.path()).unwrap();
    assert_ne!(before.ino(), after.ino(), "replaced, not overwritten");
    assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
    assert_eq!(fs::read(folder.path()).unwrap(), b"K=2\n");
    assert_eq!(folder.names(), [".env"]);
}

#[test]
fn a_new_file_is_for_its_owner_alone() {
    let folder = Folder::new("");
    fs::remove_file(folder.path()).unwrap();
    let saved = set(&folder.path(), "1").unwrap();
    assert_eq!(fs::metadata(folder.path()).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read(folder.path()).unwrap(), b"# new\nK=1\n");
    assert_eq!(saved.undo().unwrap(), Undo::Removed);
    assert!(folder.names().is_empty());
}

#[test]
fn nothing_to_do_writes_nothing() {
    let folder = Folder::new("K=1\n");
    let before = fs::metadata(folder.path()).unwrap();
    let saved = set(&folder.path(), "1").unwrap();
    assert!(!saved.is_written());
    assert_eq!(fs::metadata(folder.path()).unwrap().ino(), before.ino());
    assert_eq!(saved.undo().unwrap(), Undo::Nothing);
}

#[test]
fn undo_restores_an_unchanged_file() {
    let folder = Folder::new("K=1 # odd");
    let saved = set(&folder.path(), "2").unwrap();
    assert_eq!(saved.undo().unwrap(), Undo::Restored);
    assert_eq!(fs::read(folder.path()).unwrap(), b"K=1 # odd");

    let saved = set(&folder.path(), "2").unwrap();
    fs::write(folder.path(), "K=3\n").unwrap();
    assert_eq!(saved.undo().unwrap(), Undo::ChangedSince);
    assert_eq!(fs::read(folder.path()).unwrap(), b"K=3\n");

    let saved = set(&folder.path(), "4").unwrap();
    fs::remove_file(folder.path()).unwrap();
    assert_eq!(saved.undo().unwrap(), Undo::ChangedSince);
    assert!(folder.names().is_empty());
}

#[test]
fn a_symbolic_link_is_followed() {
    let folder = Folder::new("K=1\n");
    let link = folder.folder.path().join("link");
    let far = tempfile::tempdir().unwrap();
    symlink(folder.path(), &link).unwrap();
    symlink(&link, far.path().join(".env")).unwrap();
    let _ = set(&far.path().join(".env"), "2").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(folder.path()).unwrap(), b"K=2\n");

    fs::remove_file(folder.path()).unwrap();
    let saved = set(&link, "3").unwrap();
    assert_eq!(fs::read(folder.path()).unwrap(), b"# new\nK=3\n", "what a dangling link leads to is created");
    assert_eq!(saved.undo().unwrap(), Undo::Removed);
    assert!(fs::symlink_metadata(&link).is_ok());

    fs::remove_file(&link).unwrap();
    symlink(&link, &link).unwrap();
    check_error(&set(&link, "4").unwrap_err(), "too many levels");
}

#[test]
fn targets_that_cannot_be_replaced_stay() {
    let folder = tempfile::tempdir().unwrap();
    check_error(&set(folder.path(), "1").unwrap_err(), "is not a file");
    check_error(&set(&folder.path().join("none/.env"), "1").unwrap_err(), "cannot lock the folder");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_takes_no_file_is_named() {
    // Not even root creates files in `/proc`.
    check_error(&set(Path::new("/proc/.env"), "1").unwrap_err(), "cannot write `/proc/.env`");
}

/// How a child knows the file.
const FILE: &str = "ENVFILE_TEST_FILE";

#[test]
#[expect(clippy::disallowed_methods, reason = "the limit of a process is for good, so it is another one's")]
fn a_full_disk_leaves_the_old_file() {
    let folder = Folder::new("K=1\n");
    // The disk has 1 KiB left; bash is the shortest way to `setrlimit` and `SIG_IGN`.
    let limited = Command::new("bash")
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "bash"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "files::on_a_full_disk", "--ignored"])
        .env(FILE, folder.path())
        .output()
        .unwrap();
    assert!(limited.status.success(), "{}", String::from_utf8_lossy(&limited.stdout));
    assert_eq!(fs::read(folder.path()).unwrap(), b"K=1\n");
    assert_eq!(folder.names(), [".env"]);
}

/// The process of which the files are limited.
#[test]
#[ignore = "started by `a_full_disk_leaves_the_old_file`"]
#[expect(clippy::disallowed_methods, reason = "what to do is told by the parent process")]
fn on_a_full_disk() {
    let Some(path) = std::env::var_os(FILE).map(PathBuf::from) else { return };
    check_error(&set(&path, &"x".repeat(4096)).unwrap_err(), "File too large");
}

#[test]
fn an_error_of_the_edit_changes_nothing() {
    #[derive(Debug)]
    struct Declined;
    impl From<Error> for Declined {
        fn from(_: Error) -> Declined {
            Declined
        }
    }
    let folder = Folder::new("K=1\n");
    let edit = |file: &mut EnvFile| {
        file.set("K", "2", None).expect("a sound document");
        Err::<(), Declined>(Declined)
    };
    assert!(envfile::update(&folder.path(), &EnvFile::default(), edit).is_err());
    assert_eq!(fs::read(folder.path()).unwrap(), b"K=1\n");
    assert_eq!(folder.names(), [".env"]);
}

/// dotenvy refuses `K=a b`. That line is the operator's: it gets its line break, and is not held against the edit.
#[test]
fn a_last_line_that_dotenvy_cannot_read_gets_its_line_break() {
    let folder = Folder::new("OTHER=a b");
    assert!(set(&folder.path(), "1").expect("the operator's line is left").is_written());
    assert_eq!(fs::read(folder.path()).unwrap(), b"OTHER=a b\nK=1\n");
}

/// dotenvy reads nothing behind `it's`; the new line is read back by itself then.
#[test]
fn a_line_that_dotenvy_cannot_get_past_does_not_stop_the_edit() {
    let folder = Folder::new("NAME=it's\n");
    assert!(set(&folder.path(), "a b").expect("the operator's line is left").is_written());
    assert_eq!(fs::read(folder.path()).unwrap(), b"NAME=it's\nK='a b'\n");
}

#[test]
fn values_that_dotenvy_reads_differently_are_not_written() {
    let folder = Folder::new("K=1\n");
    let replace_by = |content: &'static [u8]| {
        let edit = |file: &mut EnvFile| {
            *file = EnvFile::parse(content);
            Ok::<(), Error>(())
        };
        envfile::update(&folder.path(), &EnvFile::default(), edit).map(drop).unwrap_err().to_string()
    };
    let path = folder.path();
    let path = path.display();
    let error = replace_by(b"A=1\nK='$'\nSECRET=s3cret$5\n");
    assert_eq!(error, format!("`{path}` line 3: `SECRET` would not read back as it was set, nothing was written"));
    let error = replace_by(b"K=a b\n");
    assert_eq!(error, format!("`{path}` would not be readable any more, nothing was written"));
    assert_eq!(fs::read(folder.path()).unwrap(), b"K=1\n");
    assert_eq!(folder.names(), [".env"]);
}
