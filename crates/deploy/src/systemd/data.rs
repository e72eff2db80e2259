//! Files in a folder that serves, or has served, which no deploy has put there: uploads, databases, logs. A new
//! release does not have them, and no deploy ever removes them.

use std::collections::HashSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use project::SharedPath;
use subprocess::{Command, Deadline};

use super::Options;
use super::build::SCRIPTS;
use super::layout::Layout;
use super::root::{Root, Step};
use super::shared;
use crate::context::Context;
use crate::data_files::{self, Entry, Kind};
use crate::failure::{Exit, Failure, Problem};
use crate::interrupt::Interrupt;
use crate::source::Source;

/// In [`SCRIPTS`]: the files of a release, as it was made, separated by NUL.
const MANIFEST: &str = "files";
/// Folders whose content is made from the rest, wherever they are.
const MADE_AGAIN: [&str; 5] = [".git", ".venv", ".xtask", "__pycache__", "node_modules"];
/// The timeout of listing a folder.
const LIST: std::time::Duration = std::time::Duration::from_secs(120);

/// The files of a folder that no release has.
#[derive(Debug)]
pub(super) struct Data {
    folder: PathBuf,
    entries: Vec<Entry>,
    /// The paths that the new release has from the state directory.
    shared: Vec<SharedPath>,
}

/// A listing of a folder, and the step that it took as root.
struct Listing {
    files: Vec<PathBuf>,
    step: Option<Step>,
}

/// Writes the list of the release's files, by which a later deploy finds the files that the service has written.
pub(super) fn write_manifest(folder: &Path) -> anyhow::Result<()> {
    let mut content = Vec::new();
    for file in list(folder, None, &Deadline::within(LIST))?.files {
        content.extend(file.as_os_str().as_bytes());
        content.push(0);
    }
    let path = folder.join(SCRIPTS).join(MANIFEST);
    fs::write(&path, content).with_context(|| format!("cannot write `{}`", path.display()))
}

/// The files of a release as it was made; none where that is not known, or where it is no release.
fn manifest(folder: &Path) -> Option<HashSet<PathBuf>> {
    let content = fs::read(folder.join(SCRIPTS).join(MANIFEST)).ok()?;
    let names = content.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Some(names.map(|name| PathBuf::from(std::ffi::OsStr::from_bytes(name))).collect())
}

/// Whether a deploy has made this folder, and nothing else is in it by now: only then may a deploy remove it.
pub(super) fn is_removable(folder: &Path, root: &Root) -> anyhow::Result<bool> {
    let is_release = folder.join(SCRIPTS).join("migrate.py").is_file();
    let Some(known) = manifest(folder) else { return Ok(is_release) };
    let is_written = databases(&known).any(|file| is_newer_than_manifest(folder, file));
    Ok(!is_written && left(list(folder, Some(root), &Deadline::within(LIST))?.files, &known).is_empty())
}

/// Databases that Git tracks: the service writes into them all the same.
fn databases(known: &HashSet<PathBuf>) -> impl Iterator<Item = &PathBuf> {
    known.iter().filter(|file| Kind::of(file) == Kind::Database)
}

/// Whether a file of a release was written after the release was made. What a link leads to is not in the release.
fn is_newer_than_manifest(folder: &Path, file: &Path) -> bool {
    let changed = |path: PathBuf| path.symlink_metadata().and_then(|metadata| metadata.modified());
    let made = changed(folder.join(SCRIPTS).join(MANIFEST));
    changed(folder.join(file)).is_ok_and(|changed| made.is_ok_and(|made| changed > made))
}

/// Whether a file is there, and not as in the checkout. One that cannot be read may be.
fn is_unlike(file: &Path, of_checkout: &Path) -> bool {
    file.is_file() && !fs::read(file).is_ok_and(|content| fs::read(of_checkout).is_ok_and(|other| other == content))
}

/// Returns the files in the live folder that no release has, and the step that lists them as root.
pub(super) fn find(
    layout: &Layout,
    source: &Source,
    shared: &[SharedPath],
    root: Option<&Root>,
    interrupt: &Interrupt,
) -> anyhow::Result<(Option<Data>, Option<Step>)> {
    let Ok(folder) = layout.install_dir.canonicalize() else { return Ok((None, None)) };
    let made = manifest(&folder);
    let is_release = made.is_some();
    let known: HashSet<PathBuf> = match made {
        Some(known) => known,
        // Made by a deploy that did not note it yet.
        None if folder.starts_with(layout.releases()) && folder.join(SCRIPTS).join("migrate.py").is_file() => {
            return Ok((None, None));
        }
        None => source.files().cloned().chain(tracked(&folder, interrupt)).collect(),
    };
    let deadline = Deadline::unless(interrupt.flag(), LIST, LIST);
    let Listing { files, step } = list(&folder, root, &deadline)?;
    let mut left = left(files, &known);
    let is_written = |file: &&PathBuf| {
        if is_release {
            is_newer_than_manifest(&folder, file)
        } else {
            is_unlike(&folder.join(file), &source.root().join(file))
        }
    };
    left.extend(databases(&known).filter(is_written).map(|file| (file.clone(), Kind::Database)));
    if left.is_empty() {
        return Ok((None, step));
    }
    let of_code: HashSet<&Path> = known.iter().flat_map(|file| file.ancestors().skip(1)).collect();
    let entries = data_files::entries(&left, |dir| of_code.contains(dir));
    Ok((Some(Data { folder: layout.install_dir.clone(), entries, shared: shared.to_vec() }), step))
}

/// Returns the files that the folder's own repository tracks, for a folder that is itself a checkout.
fn tracked(folder: &Path, interrupt: &Interrupt) -> Vec<PathBuf> {
    if !folder.join(".git").exists() {
        return Vec::new();
    }
    let directory = format!("safe.directory={}", folder.display());
    // Its configuration is not to start anything.
    let args = ["-c", &directory, "-c", "core.fsmonitor=false", "ls-files", "-z"];
    let listed = Command::git(args).dir(folder).run(&Deadline::unless(interrupt.flag(), LIST, LIST));
    let listed = listed.ok().filter(subprocess::Finished::is_success);
    listed.map(|listed| names(listed.stdout())).unwrap_or_default()
}

fn names(listed: &str) -> Vec<PathBuf> {
    listed.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect()
}

/// The files of a folder and of those below it, but for [`MADE_AGAIN`]. As root only where another user cannot.
fn list(folder: &Path, root: Option<&Root>, deadline: &Deadline) -> anyhow::Result<Listing> {
    let shown = folder.display().to_string();
    let pruned = MADE_AGAIN.iter().flat_map(|name| ["-o", "-name", name]).skip(1);
    let args = [shown.as_str(), "("].into_iter().chain(pruned);
    let args: Vec<&str> = args.chain(") -prune -o ( -type f -o -type l ) -printf %P\\0".split(' ')).collect();
    let listed =
        Command::new("find", args.clone()).run(deadline).map_err(|error| Failure::unfinished("find", &error))?;
    if listed.is_success() {
        return Ok(Listing { files: names(listed.stdout()), step: None });
    }
    let step = Step::new("find", args);
    let files = match root {
        Some(root) => names(&root.run(&step)?),
        None => names(listed.stdout()),
    };
    Ok(Listing { files, step: Some(step) })
}

/// The files that are neither known nor made again: compiled code, a virtual environment, collected static files.
fn left(files: Vec<PathBuf>, known: &HashSet<PathBuf>) -> Vec<(PathBuf, Kind)> {
    let made_again = data_files::made_from_code(&files);
    let is_made_again = |file: &Path| {
        let ends = ["pyc", "pid", "sock"];
        file.extension().is_some_and(|end| ends.iter().any(|known| end.eq_ignore_ascii_case(known)))
            || (made_again.iter().any(|dir| file.starts_with(dir)) || file.starts_with("staticfiles"))
                && !data_files::is_upload(file)
                && Kind::of(file) != Kind::Database
    };
    let left = files.into_iter().filter(|file| !known.contains(file) && !is_made_again(file));
    left.map(|file| (file.clone(), Kind::of(&file))).collect()
}

impl Data {
    /// With the place where each belongs.
    pub(super) fn problem(&self, options: &Options, layout: &Layout, context: &Context<'_>) -> Problem {
        let state = layout.state_dir().display().to_string();
        let place = |entry: &Entry| match entry.kind {
            _ if self.shared.iter().any(|shared| shared.has(&entry.path)) => {
                format!(": belongs in `{}`", shared::place(&entry.path, layout).display())
            }
            Kind::Database => format!(": belongs in `{state}`, and its path in the settings of the service"),
            Kind::Settings => {
                format!(": the variables that the service needs belong in `{}`", layout.env_file.display())
            }
            Kind::Log => format!(": belongs in the journal, or in `/var/log/{}`", layout.name),
            Kind::Other => {
                let name = entry.path.file_name().unwrap_or_default().to_string_lossy();
                format!(": belongs in `{state}/{name}`; for uploads, set `MEDIA_ROOT` to it")
            }
        };
        let listed = data_files::listed(&self.entries, place);
        let message = format!(
            "`{}` holds files that the new release does not have as they are there, since Git does not track them or they are \
             databases: the service misses them as soon as it serves{listed}",
            self.folder.display()
        );
        Problem::new(message).hint(format!(
            "move them there (`StateDirectory={}` lets the units write); or, if they are not needed: {}",
            layout.name,
            Options { abandon_data: true, ..options.clone() }.command_line(context.is_yes)
        ))
    }
}

/// Asks whether the files are not needed. `--yes` is no consent, and Enter is no.
pub(super) fn accept(
    data: Option<&Data>,
    options: &Options,
    layout: &Layout,
    context: &Context<'_>,
) -> anyhow::Result<()> {
    let Some(data) = data else { return Ok(()) };
    let mut problem = data.problem(options, layout, context);
    if !options.abandon_data && !context.is_interactive() {
        return Err(Failure::new(Exit::NotMet, problem).into());
    }
    if options.abandon_data {
        problem.hint = None;
    }
    context.events.warning(problem);
    if options.abandon_data || context.confirm_danger("Deploy without them?")? {
        return Ok(());
    }
    Err(Failure::new(Exit::NotMet, Problem::new("declined: nothing was changed")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(dir: &Path) -> Layout {
        Layout { install_dir: dir.join("shop"), ..Layout::of_a_shop() }
    }

    fn write(folder: &Path, files: &[&str]) {
        for file in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().expect("inside")).expect("a folder");
            fs::write(path, "x").expect("written");
        }
    }

    fn parsed(left: &[(PathBuf, Kind)]) -> String {
        let mut names: Vec<_> = left.iter().map(|(file, _)| file.display().to_string()).collect();
        names.sort();
        names.join(" ")
    }

    #[test]
    fn files_that_no_deploy_has_made_are_listed() {
        let dir = tempfile::tempdir().expect("a folder");
        let files = [
            "manage.py",
            "app/views.py",
            "app/__pycache__/views.pyc",
            "app/old.pyc",
            ".venv/bin/python",
            "env3/pyvenv.cfg",
            "env3/bin/python",
            "static/admin/css/base.css",
            "static/app.js",
            "static/media/a.png",
            "static/kept.sqlite3",
            "staticfiles/x.css",
            "media/a.png",
            "db.sqlite3",
            ".env",
            "gunicorn.pid",
        ];
        write(dir.path(), &files);
        let known = HashSet::from([PathBuf::from("manage.py"), PathBuf::from("app/views.py")]);
        let listed = list(dir.path(), None, &Deadline::within(LIST)).expect("listed").files;
        assert_eq!(parsed(&left(listed, &known)), ".env db.sqlite3 media/a.png static/kept.sqlite3 static/media/a.png");
    }

    #[test]
    fn a_release_that_a_service_has_written_into_is_not_removable() {
        let dir = tempfile::tempdir().expect("a folder");
        let (layout, root) = (layout(dir.path()), Root::none());
        let release = layout.release("1");
        // The folder of another user, whatever its name is.
        write(&release, &["manage.py", ".xtask/lock"]);
        assert!(!is_removable(&release, &root).expect("listed"));
        write(&release, &[".xtask/migrate.py"]);
        write_manifest(&release).expect("written");
        assert!(is_removable(&release, &root).expect("listed"));
        write(&release, &["__pycache__/x.pyc", ".venv/more"]);
        assert!(is_removable(&release, &root).expect("listed"));
        write(&release, &["media/a.png"]);
        assert!(!is_removable(&release, &root).expect("listed"));
    }

    #[test]
    fn a_database_that_git_tracks_is_data_once_it_is_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let release = dir.path().join("shop-releases/1");
        write(&release, &["db.sqlite3", ".xtask/migrate.py"]);
        write_manifest(&release).expect("written");
        let manifest = release.join(SCRIPTS).join(MANIFEST).metadata().and_then(|it| it.modified()).expect("there");
        let touch = |time| {
            let file = fs::File::options().write(true).open(release.join("db.sqlite3")).expect("there");
            file.set_modified(time).expect("set");
        };
        touch(manifest);
        assert!(is_removable(&release, &Root::none()).expect("listed"));
        touch(manifest + std::time::Duration::from_millis(1));
        assert!(!is_removable(&release, &Root::none()).expect("listed"));
        let of_checkout = dir.path().join("db.sqlite3");
        fs::write(&of_checkout, "x").expect("written");
        assert!(!is_unlike(&release.join("db.sqlite3"), &of_checkout));
        fs::write(&of_checkout, "y").expect("written");
        assert!(is_unlike(&release.join("db.sqlite3"), &of_checkout));
        assert!(!is_unlike(&release.join("gone.sqlite3"), &of_checkout));
    }
}
