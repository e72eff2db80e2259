//! The behaviour of root, which only root can test.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};

use envfile::{EnvFile, Error};

use crate::NoAnswer;

/// The user id of `www-data`: any other user than root.
const OTHER: u32 = 33;

/// Root does not write through a link to another user's file.
pub(crate) fn follows_no_link_to_another_users_file() -> Result<(), NoAnswer> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, link) = (folder.path().join(".env"), folder.path().join("link"));
    fs::write(&file, "K=1\n").expect("written");
    if fs::metadata(&file).expect("a file").uid() != 0 {
        return Err(NoAnswer::Absent("needs root".to_owned()));
    }
    symlink(&file, &link).expect("linked");
    chown(&file, Some(OTHER), None).expect("root may do that");
    let edit = |file: &mut EnvFile| {
        file.set("K", "2", None).expect("a valid value");
        Ok::<(), Error>(())
    };
    let error = envfile::update(&link, &EnvFile::default(), edit).map(drop).expect_err("refused");
    assert!(matches!(error, Error::ForeignTarget { owner: OTHER, .. }), "{error}");
    assert!(error.to_string().contains("which root does not follow"), "{error}");
    assert_eq!(fs::read(&file).expect("readable"), b"K=1\n");
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 2);
    Ok(())
}
