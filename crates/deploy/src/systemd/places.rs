//! The places where a release goes on this machine.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use checks::Status;
use checks::group::core::disk_at;

use super::layout::Layout;
use crate::failure::Problem;

/// The user and the group root.
const ROOT: u32 = 0;

/// Returns a problem if there is no room for a release, if something is in its place, or if users other than root can
/// replace the folders that root works in.
pub(super) fn check(layout: &Layout) -> Vec<Problem> {
    let mut problems = Vec::new();
    let releases = layout.releases();
    let nearest = releases.ancestors().find(|dir| dir.is_dir()).unwrap_or(Path::new("/"));
    let outcome = disk_at(nearest);
    if outcome.status == Status::Err {
        problems.push(Problem::new(format!("`{}`: {}", nearest.display(), outcome.message)).hint("df -h"));
    }
    let install_dir = &layout.install_dir;
    if install_dir.symlink_metadata().is_ok_and(|it| !it.is_dir() && !it.is_symlink()) {
        let message = format!("`{}` is there, and neither a link nor a folder", install_dir.display());
        problems.push(
            Problem::new(message).hint(format!("move it away, or set `install-dir` in {}", layout.settings_file)),
        );
    }
    // The link is created under this name before it replaces the present one.
    let new_link = layout.new_link();
    if new_link.symlink_metadata().is_ok_and(|it| !it.is_symlink()) {
        let message = format!("`{}` is there, where the new link is made first", new_link.display());
        problems.push(
            Problem::new(message).hint(format!("move it away, or set `install-dir` in {}", layout.settings_file)),
        );
    }
    // The folder of the releases as well, if it exists.
    problems.extend(
        [releases.join("x"), layout.env_file.clone()].iter().filter_map(|path| exposed(path, layout.settings_file)),
    );
    problems
}

/// Returns a problem if a folder above a path can be written by users other than root: they could replace what is below
/// it while root works there.
fn exposed(path: &Path, settings_file: &str) -> Option<Problem> {
    let is_exposed = |folder: &&Path| {
        folder.metadata().is_ok_and(|it| {
            let by_group = it.mode() & 0o020 != 0 && it.gid() != ROOT;
            it.uid() != ROOT || by_group || it.mode() & 0o002 != 0
        })
    };
    let folders: Vec<PathBuf> = path.ancestors().skip(1).map(Path::to_owned).collect();
    let resolved = folders.iter().find_map(|folder| folder.canonicalize().ok()).unwrap_or_default();
    let resolved: Vec<&Path> = resolved.ancestors().collect();
    let folder = folders.iter().map(PathBuf::as_path).chain(resolved).find(is_exposed)?.display();
    let message = format!(
        "`{folder}` can be written by users other than root, who could replace `{}` while root works there",
        path.display()
    );
    Some(
        Problem::new(message).hint(format!(
            "set `install-dir` and `system-env-file` in {settings_file} to places that only root can write"
        )),
    )
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;

    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        assert!(exposed(Path::new("/etc/shop/env"), "x").is_none());
        let dir = tempfile::tempdir().expect("a folder");
        let (folder, place) = (dir.path().join("srv"), dir.path().join("srv/shop-releases"));
        fs::create_dir(&folder).expect("a folder");
        // Temporary folders are for every user.
        assert!(exposed(&place, "x").is_some());
        let is_exposed = |mode: u32| {
            fs::set_permissions(&folder, Permissions::from_mode(mode)).expect("ours");
            exposed(&place, "x").is_some_and(|problem| problem.message.starts_with(&format!("`{}`", folder.display())))
        };
        if chown(&folder, Some(ROOT), Some(ROOT)).is_ok() {
            assert!(is_exposed(0o757) && !is_exposed(0o755) && !is_exposed(0o775));
        } else {
            assert!(is_exposed(0o755), "a folder of another user");
        }
    }
}
