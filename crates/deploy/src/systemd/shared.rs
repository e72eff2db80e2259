//! The files and folders that all releases have in common: each is a link in a release to its place in the state
//! directory of the service.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use project::SharedPath;
use project::text::listed;

use super::layout::Layout;
use super::root::Step;
use crate::source::Source;

/// Files that keep an otherwise empty folder in Git.
const PLACEHOLDERS: [&str; 4] = [".gitignore", ".gitkeep", ".keep", ".placeholder"];

/// Returns the place of a shared path, or of a path below one.
pub(super) fn place(path: &Path, layout: &Layout) -> PathBuf {
    layout.state_dir().join(path)
}

/// Returns a file that Git tracks at or below a path, other than one that only keeps the folder: each release has its own.
pub(super) fn tracked<'s>(path: &Path, source: &'s Source) -> Option<&'s PathBuf> {
    let is_placeholder = |file: &Path| file.file_name().is_some_and(|name| PLACEHOLDERS.iter().any(|it| name == *it));
    source.files().find(|file| file.starts_with(path) && (*file == path || !is_placeholder(file)))
}

/// Returns what is shared for a file: the folder that it is in, if Git tracks nothing else there, since programs make
/// files beside it; else the file itself.
pub(super) fn of_file(file: &Path, source: &Source) -> SharedPath {
    match file.parent().filter(|parent| !parent.as_os_str().is_empty() && tracked(parent, source).is_none()) {
        Some(parent) => SharedPath { path: parent.to_owned(), is_folder: true },
        None => SharedPath { path: file.to_owned(), is_folder: false },
    }
}

/// Removes doubles, and paths in shared folders.
pub(super) fn merged(all: impl IntoIterator<Item = SharedPath>) -> Vec<SharedPath> {
    // A folder is before what is in it.
    let sorted: BTreeSet<SharedPath> = all.into_iter().collect();
    let mut merged: Vec<SharedPath> = Vec::new();
    for shared in sorted {
        if !merged.iter().any(|outer| shared.path.starts_with(&outer.path)) {
            merged.push(shared);
        }
    }
    merged
}

/// Returns the list of paths, as a part of a message.
pub(super) fn named(all: &[SharedPath]) -> String {
    listed(all.iter().map(ToString::to_string))
}

/// Makes the folders that the links of a release are in: settings may open a file there.
pub(super) fn make_parents(release: &Path, all: &[SharedPath]) -> anyhow::Result<()> {
    for shared in all {
        let path = release.join(&shared.path);
        let folder = if shared.is_folder { &path } else { path.parent().unwrap_or(release) };
        fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    }
    Ok(())
}

/// Makes the links of a release, which nobody but this deploy has written to, in place of placeholders and of the files that
/// its own commands have made.
pub(super) fn link(release: &Path, all: &[SharedPath], layout: &Layout) -> anyhow::Result<()> {
    make_parents(release, all)?;
    for shared in all {
        let path = release.join(&shared.path);
        let remove = || match path.symlink_metadata() {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        let link = || symlink(place(&shared.path, layout), &path);
        remove().and_then(|()| link()).with_context(|| format!("cannot link `{}`", path.display()))?;
    }
    Ok(())
}

/// Creates the state directory, owned by the user of the units, and in it the folders that shared paths need. What is there
/// stays as it is: the folders are made by that user, who owns them.
pub(super) fn make_places(all: &[SharedPath], user: &str, group: &str, layout: &Layout) -> Vec<Step> {
    let state_dir = layout.state_dir();
    let mut steps = Vec::new();
    if !state_dir.exists() {
        steps.push(Step::new(&format!("install -d -o {user} -g {group} -m 750"), [state_dir.display()]));
    }
    let folder = |shared: &SharedPath| {
        let place = place(&shared.path, layout);
        if shared.is_folder { Some(place) } else { place.parent().map(Path::to_owned) }
    };
    let folders: BTreeSet<PathBuf> = all.iter().filter_map(folder).filter(|folder| *folder != state_dir).collect();
    if !folders.is_empty() {
        let words = format!("runuser -u {user} -- mkdir -p");
        steps.push(Step::new(&words, folders.iter().map(|folder| folder.display())));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(files: &[&str]) -> Source {
        Source::of_files(Path::new("/srv/app"), files.iter().map(PathBuf::from).collect())
    }

    fn shown(all: &[SharedPath]) -> String {
        all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_file_in_a_folder_of_its_own_shares_the_folder() {
        let source = source(&["manage.py", "app/views.py", "data/.gitignore", "logs/.gitkeep", "media/logo.png"]);
        for (file, expected) in [
            ("db.sqlite3", "db.sqlite3"),
            ("data/db.sqlite3", "data/"),
            ("logs/app.log", "logs/"),
            ("var/log/app.log", "var/log/"),
            ("app/app.log", "app/app.log"),
        ] {
            assert_eq!(of_file(Path::new(file), &source).to_string(), expected);
        }
        assert_eq!(tracked(Path::new("media"), &source), Some(&PathBuf::from("media/logo.png")));
        assert_eq!(tracked(Path::new("logs"), &source), None);
        assert_eq!(tracked(Path::new("log"), &source), None);
    }

    #[test]
    fn paths_in_shared_folders_are_merged() {
        let shared = |path: &str, is_folder| SharedPath { path: path.into(), is_folder };
        let all = [
            shared("media/db.sqlite3", false),
            shared("media", true),
            shared("db.sqlite3", false),
            shared("media2", true),
        ];
        assert_eq!(shown(&merged(all.into_iter().chain([shared("media", true)]))), "db.sqlite3 media/ media2/");
    }

    #[test]
    fn links_replace_placeholders_and_files_that_the_build_has_made() {
        let dir = tempfile::tempdir().expect("a folder");
        let release = dir.path().join("release");
        fs::create_dir_all(release.join("logs")).expect("a folder");
        fs::write(release.join("logs/.gitkeep"), "").expect("written");
        fs::write(release.join("manage.py"), "x").expect("written");
        let shared = |path: &str, is_folder| SharedPath { path: path.into(), is_folder };
        let all = [shared("logs", true), shared("app/db.sqlite3", false)];
        make_parents(&release, &all).expect("made");
        fs::write(release.join("logs/app.log"), "of collectstatic").expect("written");
        link(&release, &all, &Layout::of_a_shop()).expect("linked");
        let target = |path: &str| fs::read_link(release.join(path)).expect("a link");
        assert_eq!(target("logs"), Path::new("/var/lib/shop/logs"));
        assert_eq!(target("app/db.sqlite3"), Path::new("/var/lib/shop/app/db.sqlite3"));
        assert_eq!(fs::read_to_string(release.join("manage.py")).expect("there"), "x");
    }

    #[test]
    fn the_user_of_the_units_makes_the_folders() {
        let shared = |path: &str, is_folder| SharedPath { path: path.into(), is_folder };
        let all = [shared("db.sqlite3", false), shared("logs", true), shared("app/x.db", false)];
        let steps = make_places(&all, "web", "www", &Layout::of_a_shop());
        let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
        assert_eq!(
            steps,
            [
                "install -d -o web -g www -m 750 /var/lib/shop",
                "runuser -u web -- mkdir -p /var/lib/shop/app /var/lib/shop/logs",
            ]
        );
    }
}
