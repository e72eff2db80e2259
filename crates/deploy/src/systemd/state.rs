//! The state of a service: databases, uploads and logs that its settings name. A release is read-only, and the next one is
//! another folder, so whatever is below the project is shared by all releases, or refused.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use checks::group::django::SET_UP;
use detect::ENV_FILE;
use project::SharedPath;
use project::text::listed;
use serde::Deserialize;
use subprocess::{Command, Deadline};

use super::build::SCRIPTS;
use super::canary::with_name;
use super::env_file::EnvPlan;
use super::layout::Layout;
use super::shared::{self, Part, Parts};
use crate::failure::Problem;
use crate::source::Source;
use ::systemd::{Unit, UnitFile};

mod units;
use units::{is_confined, is_dynamic, state_directory, without_state_directory};

/// The time that the settings have to be loaded.
pub(super) const LOAD: Duration = Duration::from_secs(60);

/// A file or folder that the settings let the service write to.
#[derive(Debug, Deserialize)]
struct StateFile {
    setting: String,
    path: PathBuf,
    /// The line of the settings, with `{}` in place of the path.
    line: String,
    #[serde(default)]
    is_folder: bool,
    /// Whether the service renames it, as a log that is rotated.
    #[serde(default)]
    is_renamed: bool,
    /// Whether it has the static files, which are a part of the release.
    #[serde(default)]
    is_static: bool,
}

/// A checkout, or a release, whose settings can be loaded.
pub(super) struct Code<'a> {
    /// The interpreter of its virtual environment.
    pub(super) python: &'a Path,
    /// The folder of `manage.py`.
    pub(super) manage_dir: &'a Path,
    /// The folder itself.
    pub(super) root: &'a Path,
    /// The environment of the units.
    pub(super) env: &'a EnvPlan,
}

/// The units and files of a release, and the paths that the project declares as shared.
pub(super) struct Release<'a> {
    pub(super) units: &'a [UnitFile],
    /// The installed units.
    pub(super) shown: &'a [Unit],
    pub(super) source: &'a Source,
    pub(super) declared: &'a [SharedPath],
    /// The setting `user`, who owns the state.
    pub(super) user: &'a str,
    pub(super) layout: &'a Layout,
}

/// The state of a service.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// The paths that are links in each release.
    pub(super) shared: Vec<SharedPath>,
    /// The folders that are needed there: those that are shared, those of shared files, and those in shared folders that the
    /// settings name or that Git keeps.
    pub(super) folders: BTreeSet<PathBuf>,
    /// The reason why the settings cannot be loaded.
    pub(super) unknown: Option<String>,
    /// Whether the service needs its state directory, and no unit creates it.
    pub(super) needs_directory: bool,
    /// Whether systemd makes the user of the web service: only it can then make folders for that user.
    pub(super) is_dynamic: bool,
    pub(super) problems: Vec<Problem>,
}

/// Finds the state of a service. Settings that cannot be loaded name none.
pub(super) fn find(code: &Code<'_>, release: &Release<'_>, deadline: &Deadline) -> State {
    let Release { units, shown, source, declared, user, layout } = *release;
    let (own, lacking) = (layout.state_dir(), without_state_directory(release));
    let main = units.iter().find(|unit| unit.name == layout.main_unit());
    let directory = main.and_then(|main| state_directory(main, shown));
    let mut state = State::default();
    let loaded = load(code, directory.as_deref(), deadline).unwrap_or_else(|reason| {
        state.unknown = Some(reason);
        Vec::new()
    });
    let (statics, files): (Vec<StateFile>, Vec<StateFile>) = loaded.into_iter().partition(|file| file.is_static);
    let place_of = |file: &StateFile| within(&file.path, code, source, layout);
    let made = statics.iter().filter_map(place_of).chain([layout.venv.clone(), SCRIPTS.into()]).collect();
    let parts = Parts { source, made };
    let folders: Vec<PathBuf> = files.iter().filter(|file| file.is_folder).filter_map(place_of).collect();
    for shared in declared {
        match refused(shared, &parts, &folders, layout) {
            Some(message) => state.problems.push(Problem::new(message)),
            None => state.shared.push(shared.clone()),
        }
    }
    for file in &files {
        match share_of(file, &parts, &state.shared, code, layout) {
            Ok(Some((shared, folder))) => {
                state.folders.extend(folder);
                state.shared.push(shared);
            }
            Ok(None) => {}
            Err(problem) => state.problems.push(problem),
        }
    }
    state.shared = shared::merged(state.shared);
    for shared in &state.shared {
        let folder = if shared.is_folder { Some(shared.path.as_path()) } else { shared.path.parent() };
        state.folders.extend(folder.into_iter().chain(parts.kept_folders(&shared.path)).map(Path::to_owned));
    }
    state.folders.remove(Path::new(""));
    if let (Some(main), Some(made)) = (main.filter(|main| is_dynamic(main)), &directory) {
        state.is_dynamic = true;
        state.problems.extend(unmade(&state.folders, main, made, layout));
    }
    let is_own = |file: &&StateFile| file.path.starts_with(&own);
    let needs_directory = !state.shared.is_empty() || files.iter().any(|file| is_own(&file));
    let confined: Vec<&str> =
        lacking.iter().filter(|unit| is_confined(unit, &own)).map(|unit| unit.name.as_str()).collect();
    if needs_directory && !confined.is_empty() {
        let paths = state.shared.iter().map(ToString::to_string);
        let paths: Vec<String> = paths.chain(files.iter().filter(is_own).map(|file| file.setting.clone())).collect();
        let message =
            format!("{} may not write to `{}`, the place of {}", listed(&confined), own.display(), listed(&paths));
        let hint = format!("StateDirectory={} in the section [Service] of {}", layout.name, listed(&confined));
        state.problems.push(Problem::new(message).hint(hint));
    }
    state.needs_directory = needs_directory && !lacking.is_empty();
    if !state.shared.is_empty() || state.needs_directory {
        state.problems.extend(main.and_then(|main| of_another_user(main, user, layout)));
    }
    state
}

/// Returns a problem if a unit runs as another user than the one who owns the state. Root can write everywhere.
fn of_another_user(unit: &UnitFile, user: &str, layout: &Layout) -> Option<Problem> {
    let of_unit = unit.values("Service", "User").pop().filter(|of_unit| !of_unit.is_empty() && !is_dynamic(unit))?;
    let is_other = with_name(&of_unit, &unit.name) != user && !["root", "0"].contains(&of_unit.as_str());
    let message = format!(
        "`{}` runs as `{of_unit}`, and `{}` belongs to the user of the setting `user`, which is `{user}`",
        unit.name,
        layout.state_dir().display()
    );
    let hint = format!("set `user` in {} to the user of the unit", layout.settings_file);
    is_other.then(|| Problem::new(message).hint(hint))
}

/// Returns the reason why a path of the setting `shared-paths` cannot be shared; `folders` are those of the settings.
fn refused(shared: &SharedPath, parts: &Parts<'_>, folders: &[PathBuf], layout: &Layout) -> Option<String> {
    let path = &shared.path;
    let is_folder = || {
        let dirs = [parts.source.root().join(path), shared::place(path, layout)];
        folders.contains(path) || dirs.iter().any(|dir| dir.is_dir())
    };
    match parts.at(path) {
        Some(part) => {
            Some(format!("the setting `shared-paths` has `{shared}`, and {part}, which each release has anew"))
        }
        None if !shared.is_folder && is_folder() => {
            Some(format!("the setting `shared-paths` has `{shared}`, which is a folder: write `{shared}/`"))
        }
        None => None,
    }
}

/// Returns the path that is shared for a file, with the folder that it needs there; `None` for a file elsewhere. A path that is
/// `known` to be shared has all that is below it.
///
/// # Errors
/// If the service cannot write to the file in a release, nor to a link.
fn share_of(
    file: &StateFile,
    parts: &Parts<'_>,
    known: &[SharedPath],
    code: &Code<'_>,
    layout: &Layout,
) -> Result<Option<(SharedPath, Option<PathBuf>)>, Problem> {
    let Some(path) = within(&file.path, code, parts.source, layout) else {
        if is_in_no_release(&file.path, code, parts.source, layout) {
            let shown = format!("`{}`", file.path.display());
            return Err(problem(file, &file.path, &shown, "it is in no release", code, layout));
        }
        return Ok(None);
    };
    let shared = match known.iter().find(|shared| shared.has(&path)) {
        Some(known) => known.clone(),
        None if file.is_folder => SharedPath { path: path.clone(), is_folder: true },
        None => parts.shared_of(&path),
    };
    let reason = match parts.at(&shared.path) {
        Some(Part::Tracked(tracked)) if tracked == path => "Git tracks it, so that each release has it anew".to_owned(),
        Some(part) => format!("{part} there, so that each release has it anew"),
        // A link cannot be renamed in a folder of root.
        None if file.is_renamed && !shared.is_folder => "the service cannot rename it in a release".to_owned(),
        None => {
            let folder = if file.is_folder { Some(path.as_path()) } else { path.parent() };
            return Ok(Some((shared, folder.map(Path::to_owned))));
        }
    };
    Err(problem(file, &path, &format!("`./{}` in the project", path.display()), &reason, code, layout))
}

/// Returns a problem if systemd does not make the folders that a dynamic user needs.
fn unmade(folders: &BTreeSet<PathBuf>, unit: &UnitFile, made: &str, layout: &Layout) -> Option<Problem> {
    let is_made = |folder: &&PathBuf| made.split(':').any(|it| Path::new(it) == shared::place(folder, layout));
    let unmade: Vec<String> =
        folders.iter().filter(|it| !is_made(it)).map(|folder| folder.display().to_string()).collect();
    if unmade.is_empty() {
        return None;
    }
    let (name, place) = (&unit.name, layout.state_dir());
    let message = format!(
        "`{name}` has a dynamic user, for which only systemd can make {} in `{}`",
        listed(&unmade),
        place.display()
    );
    let below = folders.iter().map(|folder| format!("{}/{}", layout.name, folder.display()));
    let names: Vec<String> = [layout.name.clone()].into_iter().chain(below).collect();
    Some(Problem::new(message).hint(format!("StateDirectory={} in the section [Service] of `{name}`", names.join(" "))))
}

/// Returns the folders that are a release, by all their names: links can lead to them.
fn roots(code: &Code<'_>, layout: &Layout) -> Vec<PathBuf> {
    let named = [code.root, &layout.install_dir];
    let real = named.iter().filter_map(|root| root.canonicalize().ok());
    named.iter().map(|root| root.to_path_buf()).chain(real).collect()
}

/// Returns where a file is in a release, from its root; `None` for one elsewhere. The settings may name it by the folder
/// that serves, and a link that Git tracks may lead out of the release. No release has other links of the checkout.
fn within(file: &Path, code: &Code<'_>, source: &Source, layout: &Layout) -> Option<PathBuf> {
    if is_of_checkout(file, code, source) {
        return None;
    }
    let path = roots(code, layout).iter().find_map(|root| file.strip_prefix(root).ok().map(Path::to_owned))?;
    let is_own_link = |path: &Path| source.root().join(path).is_symlink() && !source.has(path);
    if path.ancestors().any(is_own_link) {
        return Some(path);
    }
    let there = code.root.join(&path);
    let ancestor = there.ancestors().find(|ancestor| ancestor.symlink_metadata().is_ok())?;
    let real = ancestor.canonicalize().ok()?.join(there.strip_prefix(ancestor).ok()?);
    Some(real.strip_prefix(code.root.canonicalize().ok()?).ok()?.to_owned())
}

/// Returns whether a variable names a file in the checkout by its whole path: a release then has the same one.
fn is_of_checkout(file: &Path, code: &Code<'_>, source: &Source) -> bool {
    let is_it = |value: &str| Path::new(value.strip_prefix("sqlite:///").unwrap_or(value)) == file;
    file.starts_with(source.root()) && code.env.variables.iter().any(|(_, value)| is_it(value))
}

/// Returns whether a file is in the checkout, or beside the releases, where no service writes.
fn is_in_no_release(file: &Path, code: &Code<'_>, source: &Source, layout: &Layout) -> bool {
    let is_in =
        |folder: &Path| file.starts_with(folder) || folder.canonicalize().is_ok_and(|folder| file.starts_with(folder));
    let is_in_release = roots(code, layout).iter().any(|root| file.starts_with(root));
    is_of_checkout(file, code, source) || !is_in_release && (is_in(source.root()) || is_in(&layout.releases()))
}

/// Returns the problem of a file that cannot be shared.
fn problem(file: &StateFile, path: &Path, shown: &str, reason: &str, code: &Code<'_>, layout: &Layout) -> Problem {
    let StateFile { setting, line, .. } = file;
    // The root itself has no name.
    let name = path.file_name().unwrap_or("files".as_ref()).to_string_lossy();
    let new = shared::place(Path::new(&*name), layout).display().to_string();
    let message = format!("`{setting}` is {shown}: {reason}; it belongs in `{new}`");
    let env_file = if code.env.is_there { layout.env_file.display() } else { Path::new(ENV_FILE).display() };
    let place = format!(r#"Path(os.environ.get("STATE_DIRECTORY", BASE_DIR)) / "{name}""#);
    let of_variable =
        variable_of(&file.path, code, layout).map(|(name, start)| format!("{name}={start}{new} in `{env_file}`"));
    Problem::new(message)
        .hint(of_variable.unwrap_or_else(|| format!("in the settings: {}", line.replace("{}", &place))))
}

/// Returns the variable that has a path, and what stands before the path in its value.
fn variable_of<'v>(path: &Path, code: &'v Code<'_>, layout: &Layout) -> Option<(&'v str, &'static str)> {
    let is_it =
        |value: &str| [code.manage_dir, code.root, &layout.install_dir].iter().any(|folder| folder.join(value) == path);
    code.env.variables.iter().find_map(|(name, value)| match value.strip_prefix("sqlite:///") {
        Some(file) if is_it(file) => Some((name.as_str(), "sqlite:///")),
        None if !value.is_empty() && is_it(value) => Some((name.as_str(), "")),
        _ => None,
    })
}

/// Loads the settings, and returns what they let the service write to.
fn load(code: &Code<'_>, state_directory: Option<&str>, deadline: &Deadline) -> Result<Vec<StateFile>, String> {
    let script = [SET_UP, "\n\n", include_str!("state.py")].concat();
    let variables = code.env.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let directory = state_directory.map(|value| ("STATE_DIRECTORY", value));
    let command = Command::new(code.python, ["-B", "-"])
        .dir(code.manage_dir)
        .env_remove("STATE_DIRECTORY")
        .envs(variables)
        .envs(directory)
        .stdin(script);
    let finished = command.run(deadline).map_err(|error| error.to_string())?;
    if !finished.is_success() {
        return Err(finished.failure_reason());
    }
    finished.stdout().lines().map(|line| serde_json::from_str(line).map_err(|error| error.to_string())).collect()
}

#[cfg(test)]
mod tests;
