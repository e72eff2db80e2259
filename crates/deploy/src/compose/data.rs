//! Data that goes with a container: files in its writable layer, which no other container has.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use checks::group::django::SET_UP;
use docker::Container;
use serde::Deserialize;

use super::Options;
use super::changes::Change;
use super::client::{Client, QUICK};
use super::stack::{Role, Service, Stack};
use crate::context::Context;
use crate::data_files::{self, Entry, Kind};
use crate::failure::{Exit, Failure, Problem};

/// Finds out which of a container's new files are kept for good, from within.
const SCRIPT: &str = include_str!("data.py");

/// The data of one container.
pub(super) struct Data {
    container: String,
    service: String,
    entries: Vec<Entry>,
}

/// The output of the script.
#[derive(Deserialize)]
struct Kept {
    kept: Vec<PathBuf>,
    databases: Vec<PathBuf>,
}

/// The data of the containers that are replaced.
pub(super) fn find(client: &Client<'_>, stack: &Stack, changes: &[Change]) -> anyhow::Result<Vec<Data>> {
    of_all(client, stack, changes.iter().flat_map(|change| &change.old))
}

/// The data of these containers.
pub(super) fn of_all<'a>(
    client: &Client<'_>,
    stack: &Stack,
    containers: impl IntoIterator<Item = &'a Container>,
) -> anyhow::Result<Vec<Data>> {
    let mut found = Vec::new();
    for container in containers {
        if let Some(service) = stack.service(&container.service) {
            found.extend(of(client, stack, service, container)?);
        }
    }
    Ok(found)
}

fn of(client: &Client<'_>, stack: &Stack, service: &Service, container: &Container) -> anyhow::Result<Option<Data>> {
    let changed = Changed::parse(&client.docker(["diff", &container.id], QUICK)?);
    // The files of third-party images are left to their authors, except for databases.
    let is_built = stack.built_images().contains(&service.image.as_str());
    let is_ours = service.role != Role::Proxy && (is_built || service.role != Role::Backing);
    // The place of a mounted file shows as a new file of the container's.
    let is_mounted = |path: &Path| container.mounts.iter().any(|place| path.starts_with(place));
    let files = changed.files.iter().filter(|path| (is_ours || is_database(path)) && !is_mounted(path));
    let paths: Vec<PathBuf> = files.cloned().collect();
    if paths.is_empty() {
        return Ok(None);
    }
    let kept = match ask(client, container, &paths)? {
        Some(Kept { kept, databases }) => {
            let kind = |path: &PathBuf| if databases.contains(path) { Kind::Database } else { Kind::of(path) };
            kept.iter().map(|path| (path.clone(), kind(path))).collect()
        }
        None => by_name(paths),
    };
    // The engine collects standard output; a log file is the image's own choice.
    let kept: Vec<_> = kept.into_iter().filter(|(_, kind)| *kind != Kind::Log).collect();
    if kept.is_empty() {
        return Ok(None);
    }
    let entries = data_files::entries(&kept, |dir| !changed.folders.iter().any(|added| added == dir));
    Ok(Some(Data { container: container.name.clone(), service: service.name.clone(), entries }))
}

fn is_database(path: &Path) -> bool {
    Kind::of(path) == Kind::Database
}

/// Guesses by its name which files are data, for a container that does not run or has no Python: everything except
/// temporary files and files made from the code.
fn by_name(paths: Vec<PathBuf>) -> Vec<(PathBuf, Kind)> {
    let made_from_code = data_files::made_from_code(&paths);
    let is_made = |path: &Path| {
        let is_temporary = ["/tmp", "/var/tmp"].iter().any(|dir| path.starts_with(dir));
        let is_static = path.components().any(|part| part.as_os_str() == "staticfiles");
        is_temporary || is_static || made_from_code.iter().any(|dir| path.starts_with(dir))
    };
    let kinds = paths.into_iter().map(|path| (path.clone(), Kind::of(&path)));
    kinds.filter(|(path, kind)| *kind == Kind::Database || data_files::is_upload(path) || !is_made(path)).collect()
}

/// Asks within the container; none where it does not run, or has no Python.
fn ask(client: &Client<'_>, container: &Container, paths: &[PathBuf]) -> anyhow::Result<Option<Kept>> {
    if !container.runs() {
        return Ok(None);
    }
    // A string of Python's that holds JSON.
    let paths = serde_json::to_string(&serde_json::to_string(paths)?)?;
    let script = [SET_UP, "\n\nPATHS = ", &paths, "\n\n", SCRIPT].concat();
    let args = ["exec", "-i", "--user", "0", &container.id, "python3", "-B", "-"];
    let finished = client.ask(&args, script.as_bytes(), QUICK)?;
    Ok(finished.stdout().lines().find_map(|line| serde_json::from_str(line).ok()))
}

/// The output of `docker diff`: the changes of a container against its image.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changed {
    /// New or changed, and not to be made again by itself.
    files: Vec<PathBuf>,
    /// The folders that are not in the image.
    folders: Vec<PathBuf>,
}

impl Changed {
    fn parse(parsed: &str) -> Self {
        let entries: Vec<(char, &str)> = parsed
            .lines()
            .filter_map(|line| Some((line.chars().next()?, line.get(2..)?)))
            .filter(|(change, _)| matches!(change, 'A' | 'C'))
            .collect();
        // A path with a changed path below it is a folder.
        let folders: HashSet<&Path> =
            entries.iter().flat_map(|(_, path)| Path::new(path).ancestors().skip(1)).collect();
        let mut changed = Changed::default();
        for (change, path) in &entries {
            match (folders.contains(Path::new(path)), change) {
                (true, 'A') => changed.folders.push(path.into()),
                (true, _) => {}
                (false, _) if is_made_again(Path::new(path)) => {}
                (false, _) => changed.files.push(path.into()),
            }
        }
        changed
    }
}

/// Folders whose content is created again at every start.
#[rustfmt::skip]
const MADE_AGAIN: [&str; 18] = [
    "/bin", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys",
    "/usr/bin", "/usr/lib", "/usr/local/bin", "/usr/local/lib", "/usr/sbin", "/usr/share",
    "/var/cache", "/var/lib/apt", "/var/run",
];

/// Whether this is something that a program makes again when it misses it.
fn is_made_again(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_cache = |part: std::path::Component<'_>| {
        matches!(part.as_os_str().to_str(), Some("__pycache__" | ".cache" | ".pytest_cache"))
    };
    // A user's caches, histories and configuration.
    let is_hidden = |part: std::path::Component<'_>| part.as_os_str().to_string_lossy().starts_with('.');
    let is_of_home = ["/root", "/home"].iter().any(|home| path.starts_with(home)) && path.components().any(is_hidden);
    let has_end = |end: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(end));
    // When a scheduler has run its tasks last; SQLite by now.
    let is_schedule = name.starts_with("celerybeat-schedule");
    if !is_schedule && (is_database(path) || data_files::is_upload(path)) {
        return false;
    }
    MADE_AGAIN.iter().any(|dir| path.starts_with(dir))
        || path.components().any(is_cache)
        || is_schedule
        || is_of_home
        || ["pyc", "pid", "sock", "lock"].into_iter().any(has_end)
}

impl Data {
    pub(super) fn problem(&self, options: &Options, context: &Context<'_>) -> Problem {
        let Data { container, service, entries } = self;
        let listed = data_files::listed(entries, |_| String::new());
        let place = entries.first().map_or(Path::new("/data"), |entry| &entry.path);
        // A volume is a folder.
        let is_file = entries.first().is_some_and(|entry| entry.count == 0);
        let folder = place.parent().filter(|_| is_file).unwrap_or(place).display();
        let message = format!("`{container}` keeps data in no volume, which goes with it when it is replaced:{listed}");
        Problem::new(message).hint(format!(
            "name a volume for it in the Compose file, such as volumes: [\"{service}-data:{folder}\"], and copy the data \
             (docker cp {container}:{} .); or, to give it up: {}",
            place.display(),
            Options { abandon_data: true, ..options.clone() }.command_line(context.is_yes)
        ))
    }
}

/// Whether the operator gives the data up. `--yes` is no consent: Enter is no.
pub(super) fn accept(data: &[Data], options: &Options, context: &Context<'_>) -> anyhow::Result<()> {
    if data.is_empty() {
        return Ok(());
    }
    let problems: Vec<Problem> = data.iter().map(|data| data.problem(options, context)).collect();
    if options.abandon_data || context.is_interactive() {
        for problem in &problems {
            context
                .events
                .warning(Problem { hint: problem.hint.clone().filter(|_| !options.abandon_data), ..problem.clone() });
        }
        if options.abandon_data || context.confirm_danger("Give this data up?")? {
            return Ok(());
        }
        return Err(Failure::new(Exit::NotMet, Problem::new("declined: nothing was changed")).into());
    }
    Err(Failure { exit: Exit::NotMet, problems }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_docker_diff_is_parsed() {
        let parsed = "C /app\nA /app/db.sqlite3\nA /app/media\nA /app/media/a\nA /app/media.txt\nA /app/media/a/1.png\nA /app/empty\n\
                    A /app/__pycache__\nA /app/__pycache__/x.pyc\nC /tmp\nA /tmp/hold\nD /app/old\nC /etc\nC /etc/hosts\n\
                    A /app/gunicorn.pid\nA /usr/sbin/docker-init\nA /root/.bash_history\nC /run\nA /run/x\nA /app/a b\n";
        let changed = Changed::parse(parsed);
        let paths = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        assert_eq!(
            paths(&changed.files),
            ["/app/db.sqlite3", "/app/media.txt", "/app/media/a/1.png", "/app/empty", "/tmp/hold", "/app/a b"]
        );
        assert_eq!(paths(&changed.folders), ["/app/media", "/app/media/a", "/app/__pycache__"]);
    }

    #[test]
    fn unreadable_files_are_judged_by_their_names() {
        let files =
            ["/app/db.sqlite3", "/app/orders.json", "/tmp/media/a", "/app/st/admin/css/base.css", "/app/st/a.js"];
        let more = ["/app/st/media/a.png", "/app/staticfiles/b.js", "/tmp/x"];
        let kept = by_name(files.into_iter().chain(more).map(PathBuf::from).collect());
        let kept: Vec<_> = kept.iter().map(|(path, _)| path.display().to_string()).collect();
        assert_eq!(kept, ["/app/db.sqlite3", "/app/orders.json", "/tmp/media/a", "/app/st/media/a.png"]);
    }

    #[test]
    fn a_database_or_an_upload_is_never_made_again() {
        for path in [
            "/var/cache/app/db.sqlite3",
            "/usr/local/lib/python3.12/site-packages/shop/db.sqlite3",
            "/home/app/.local/share/uploads/a.png",
            "/root/x.db",
            "/srv/uploads/a.lock",
        ] {
            assert!(!is_made_again(Path::new(path)), "{path}");
        }
        for path in ["/usr/sbin/docker-init", "/home/app/.bash_history", "/app/__pycache__/a.pyc", "/app/a.lock"] {
            assert!(is_made_again(Path::new(path)), "{path}");
        }
    }
}
