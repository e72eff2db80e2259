//! The files and folders that all releases have in common: each is a link in a release to its place in the state
//! directory of the service.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use project::SharedPath;
use project::text::listed;
use subprocess::quoted;

use super::files::flush;
use super::layout::Layout;
use super::root::{Root, Step};
use super::state::State;
use crate::failure::Problem;
use crate::source::Source;

/// Files that keep an otherwise empty folder in Git.
const PLACEHOLDERS: [&str; 4] = [".gitignore", ".gitkeep", ".keep", ".placeholder"];

/// Returns the place of a shared path, or of a path below one.
pub(super) fn place(path: &Path, layout: &Layout) -> PathBuf {
    layout.state_dir().join(path)
}

/// What each release has of its own, which therefore cannot be shared.
pub(super) struct Parts<'a> {
    pub(super) source: &'a Source,
    /// The folders that a deploy makes in a release, such as that of the static files.
    pub(super) made: Vec<PathBuf>,
}

/// A part of a release, with the reason why each one has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Tracked(&'a Path),
    Made(&'a Path),
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Tracked(path) => write!(f, "Git tracks `{}`", path.display()),
            Part::Made(path) => write!(f, "the deploy makes `{}`", path.display()),
        }
    }
}

impl Parts<'_> {
    /// Returns a part of the release at a path, below it, or above it, such as a link to a folder elsewhere. Files that only
    /// keep a folder in Git are none.
    pub(super) fn at(&self, path: &Path) -> Option<Part<'_>> {
        let is_tracked = |file: &Path| path.starts_with(file) || file.starts_with(path) && !is_placeholder(file);
        let tracked = self.source.files().find(|file| is_tracked(file)).map(|file| Part::Tracked(file));
        tracked.or_else(|| self.made.iter().find(|made| made.starts_with(path)).map(|made| Part::Made(made)))
    }

    /// Returns the folders of placeholders below a path.
    pub(super) fn kept_folders(&self, path: &Path) -> impl Iterator<Item = &Path> {
        self.source.files().filter(move |file| file.starts_with(path)).filter_map(|file| file.parent())
    }

    /// Returns what is shared for a file: the folder that it is in, if no part of the release is there, since programs make
    /// files beside it; else the file itself.
    pub(super) fn shared_of(&self, file: &Path) -> SharedPath {
        match file.parent().filter(|parent| !parent.as_os_str().is_empty() && self.at(parent).is_none()) {
            Some(parent) => SharedPath { path: parent.to_owned(), is_folder: true },
            None => SharedPath { path: file.to_owned(), is_folder: false },
        }
    }
}

fn is_placeholder(file: &Path) -> bool {
    file.file_name().is_some_and(|name| PLACEHOLDERS.iter().any(|it| name == *it))
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

/// Makes folders of a release: settings may open a file there before it is a link.
pub(super) fn make_folders(release: &Path, folders: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
    for folder in folders.iter().map(|folder| release.join(folder)) {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    }
    Ok(())
}

/// Makes the links of a release, which nobody but this deploy has written to, in place of placeholders and of the files that
/// its own commands have made.
pub(super) fn link(release: &Path, all: &[SharedPath], layout: &Layout) -> anyhow::Result<()> {
    let real = release.canonicalize().with_context(|| format!("cannot read `{}`", release.display()))?;
    for shared in all {
        let path = release.join(&shared.path);
        let folder = path.parent().unwrap_or(release);
        let make = || {
            fs::create_dir_all(folder)?;
            // What is removed is in the release.
            if folder.canonicalize()? != real.join(shared.path.parent().unwrap_or(Path::new(""))) {
                return Err(io::Error::other("its folder is a link"));
            }
            match path.symlink_metadata() {
                Ok(found) if found.is_dir() => fs::remove_dir_all(&path)?,
                Ok(_) => fs::remove_file(&path)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            symlink(place(&shared.path, layout), &path)
        };
        make().with_context(|| format!("cannot link `{}`", path.display()))?;
    }
    Ok(())
}

/// Creates the state directory, owned by the user of the units, and folders in it. What is there stays as it is: the folders
/// are made by that user, who owns them. All of them are on the disk before a release refers to them.
pub(super) fn make_places(folders: &BTreeSet<PathBuf>, user: &str, group: &str, layout: &Layout) -> Vec<Step> {
    let state_dir = layout.state_dir();
    let mut steps = Vec::new();
    if !state_dir.exists() {
        steps.push(Step::new(&format!("install -d -o {user} -g {group} -m 750"), [state_dir.display()]));
    }
    let places: Vec<PathBuf> = folders.iter().map(|folder| place(folder, layout)).collect();
    if !places.is_empty() {
        let words = format!("runuser -u {user} -- mkdir -p");
        steps.push(Step::new(&words, places.iter().map(|folder| folder.display())));
    }
    if !steps.is_empty() {
        // With the entry of each folder in the one that holds it.
        let holds = |folder: &&Path| state_dir.parent().is_some_and(|root| folder.starts_with(root));
        let folders = places.iter().chain([&state_dir]).flat_map(|folder| folder.ancestors().take_while(holds));
        steps.push(flush(folders.collect::<BTreeSet<_>>()));
    }
    steps
}

/// Looks for places in the state directory that the user of the units cannot write to. Returns the step that has listed them,
/// and the problem if there are some.
pub(super) fn check_places(
    state: &State,
    (user, group): (&str, &str),
    layout: &Layout,
    root: Option<&Root>,
) -> anyhow::Result<(Option<Step>, Option<Problem>)> {
    let Some(list) = list_closed(state, user, layout) else { return Ok((None, None)) };
    // A place that is not there yet is an error for the program, and is none.
    let listed = root.map(|root| root.attempt(&list)).transpose()?;
    let problem = listed.and_then(|listed| closed(listed.stdout(), user, group, layout));
    Ok((Some(list), problem))
}

/// Returns the step that lists, as the user of the units, the places in an existing state directory that this user cannot write
/// to.
fn list_closed(state: &State, user: &str, layout: &Layout) -> Option<Step> {
    let state_dir = layout.state_dir();
    if state.is_dynamic || state.shared.is_empty() || state_dir.symlink_metadata().is_err() {
        return None;
    }
    let shared = state.shared.iter().map(|shared| &shared.path);
    let places: BTreeSet<PathBuf> = shared.chain(&state.folders).map(|path| place(path, layout)).collect();
    let words: Vec<String> = [state_dir].into_iter().chain(places).map(|path| path.display().to_string()).collect();
    let tests = "-maxdepth 0 ! -writable -printf %p\\0".split(' ').map(str::to_owned);
    Some(Step::new(&format!("runuser -u {user} -- find -H"), words.into_iter().chain(tests)))
}

/// Returns a problem if there are such places, by the output of that step.
fn closed(output: &str, user: &str, group: &str, layout: &Layout) -> Option<Problem> {
    let paths: Vec<&str> = output.split('\0').filter(|path| !path.is_empty()).collect();
    if paths.is_empty() {
        return None;
    }
    let message = format!("`{user}`, as which the units run, may not write to {}", listed(&paths));
    let state_dir = layout.state_dir().display().to_string();
    Some(Problem::new(message).hint(format!("sudo chown -R {user}:{group} {}", quoted(&state_dir))))
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
        let parts = Parts { source: &source, made: vec!["var/static".into()] };
        for (file, expected) in [
            ("db.sqlite3", "db.sqlite3"),
            ("data/db.sqlite3", "data/"),
            ("logs/app.log", "logs/"),
            ("var/log/app.log", "var/log/"),
            ("var/db.sqlite3", "var/db.sqlite3"),
            ("app/app.log", "app/app.log"),
        ] {
            assert_eq!(parts.shared_of(Path::new(file)).to_string(), expected);
        }
    }

    #[test]
    fn a_part_of_a_release_is_at_a_path_or_below_or_above_it() {
        let source = source(&["manage.py", "logs/a/.gitkeep", "media/logo.png", "elsewhere"]);
        let parts = Parts { source: &source, made: vec!["var/static".into()] };
        for (path, expected) in [
            ("media", Some(Part::Tracked(Path::new("media/logo.png")))),
            ("logs", None),
            ("log", None),
            // A link to another folder.
            ("elsewhere/exports", Some(Part::Tracked(Path::new("elsewhere")))),
            ("var", Some(Part::Made(Path::new("var/static")))),
            // Linked once the static files are there.
            ("var/static/media", None),
        ] {
            assert_eq!(parts.at(Path::new(path)), expected, "{path}");
        }
        assert_eq!(parts.kept_folders(Path::new("logs")).collect::<Vec<_>>(), [Path::new("logs/a")]);
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
        make_folders(&release, &["logs".into(), "logs/a".into()].into()).expect("made");
        fs::write(release.join("logs/app.log"), "of collectstatic").expect("written");
        link(&release, &all, &Layout::of_a_shop()).expect("linked");
        let target = |path: &str| fs::read_link(release.join(path)).expect("a link");
        assert_eq!(target("logs"), Path::new("/var/lib/shop/logs"));
        assert_eq!(target("app/db.sqlite3"), Path::new("/var/lib/shop/app/db.sqlite3"));
        assert_eq!(fs::read_to_string(release.join("manage.py")).expect("there"), "x");
    }

    #[test]
    fn nothing_is_removed_outside_of_the_release() {
        let dir = tempfile::tempdir().expect("a folder");
        let (release, other) = (dir.path().join("release"), dir.path().join("other"));
        fs::create_dir_all(other.join("exports")).expect("a folder");
        fs::create_dir(&release).expect("a folder");
        symlink(&other, release.join("elsewhere")).expect("linked");
        let all = [SharedPath { path: "elsewhere/exports".into(), is_folder: true }];
        let error = link(&release, &all, &Layout::of_a_shop()).expect_err("a link leads out");
        assert!(format!("{error:#}").ends_with("elsewhere/exports`: its folder is a link"), "{error:#}");
        assert!(other.join("exports").symlink_metadata().expect("there").is_dir());
    }

    #[test]
    fn the_user_of_the_units_makes_the_folders() {
        let steps = |folders: &[&str]| {
            let folders = folders.iter().map(PathBuf::from).collect();
            let steps = make_places(&folders, "web", "www", &Layout::of_a_shop());
            steps.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            steps(&["app", "logs", "logs/a"]),
            [
                "install -d -o web -g www -m 750 /var/lib/shop",
                "runuser -u web -- mkdir -p /var/lib/shop/app /var/lib/shop/logs /var/lib/shop/logs/a",
                "sync /var/lib /var/lib/shop /var/lib/shop/app /var/lib/shop/logs /var/lib/shop/logs/a",
            ]
        );
        assert_eq!(steps(&[]), ["install -d -o web -g www -m 750 /var/lib/shop", "sync /var/lib /var/lib/shop"]);
    }

    #[test]
    fn places_that_the_user_of_the_units_cannot_write_to_are_a_problem() {
        let layout = Layout::of_a_shop();
        let problem = closed("/var/lib/shop\0/var/lib/shop/db.sqlite3\0", "web", "www", &layout).expect("two places");
        assert_eq!(
            problem.message,
            "`web`, as which the units run, may not write to `/var/lib/shop` and `/var/lib/shop/db.sqlite3`"
        );
        assert_eq!(problem.hint.as_deref(), Some("sudo chown -R web:www /var/lib/shop"));
        assert!(closed("", "web", "www", &layout).is_none());
        // It does not exist.
        let state = State { shared: vec![SharedPath { path: "media".into(), is_folder: true }], ..State::default() };
        assert!(list_closed(&state, "web", &Layout { name: "xtask-no-such-service".into(), ..layout }).is_none());
    }
}
