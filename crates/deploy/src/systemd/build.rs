//! The folder of a release: the tracked files, and a virtual environment of its own. Built by the user who deploys,
//! never as root.

use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use checks::group::core::interpreter;
use checks::group::django::SET_UP;
use project::secret::Secrets;
use project::{UV_PROJECT_ENVIRONMENT, uv_variables};
use subprocess::{Command, Deadline};

use super::data;
use super::layout::Layout;
use super::preflight::Preflight;
use super::shared;
use super::state::{self, Code, Release, State};
use super::tools::Tools;
use crate::event::Events;
use crate::failure::{Exit, Failure, Problem};
use crate::interrupt::Interrupt;
use crate::migrations;
use crate::source::Source;

/// The time that a program of the build has.
const BUILD: Duration = Duration::from_secs(60 * 60);

/// Where the scripts are in a release that are run beside Django.
pub(super) const SCRIPTS: &str = ".xtask";

/// The interpreter of a release.
fn python(folder: &Path, layout: &Layout) -> PathBuf {
    interpreter(&folder.join(&layout.venv))
}

/// The command lines that bring database and static files to where a release wants them, in its service folder.
pub(super) fn migrations(folder: &Path, layout: &Layout, id: &str) -> [String; 2] {
    let (python, scripts) = (python(folder, layout), folder.join(SCRIPTS));
    let (python, scripts, folder) = (python.display(), scripts.display(), folder.display());
    [format!("{python} {scripts}/migrate.py {id}"), format!("{python} {scripts}/collect.py outside {folder}")]
}

/// Fills the folder, and returns the state of the service, which is outside of it.
pub(super) fn fill(
    folder: &Path,
    preflight: &Preflight,
    events: &Events<'_>,
    interrupt: &Interrupt,
) -> anyhow::Result<State> {
    let Preflight { layout, tools, source, env, units, shown, secrets, .. } = preflight;
    let collect = [SET_UP, "\n\n", include_str!("collect.py")].concat();
    events.step("copy of the tracked files", || {
        source.copy_to(folder)?;
        let scripts = folder.join(SCRIPTS);
        fs::create_dir_all(&scripts)
            .and_then(|()| fs::write(scripts.join("migrate.py"), migrations::script()))
            .and_then(|()| fs::write(scripts.join("collect.py"), &collect))
            .with_context(|| format!("cannot write to `{}`", scripts.display()))
    })?;
    interrupt.check("copying")?;
    let service = layout.service_of(folder);
    let Tools { python: interpreter, uv, sync_args } = tools;
    // As `install` runs it, for an index for example; the virtual environment is in the release.
    let of_uv = uv_variables(&env.variables).filter(|(name, _)| *name != UV_PROJECT_ENVIRONMENT);
    let sync = Command::new(&uv.program, ["sync"])
        .args(sync_args)
        .args(["--python", &interpreter.program])
        .dir(&service)
        .envs(of_uv)
        // Copies, since a link into a user's cache would change with it; compiled, since the service cannot write there.
        .envs([("UV_LINK_MODE", "copy"), ("UV_COMPILE_BYTECODE", "1"), ("UV_PYTHON_DOWNLOADS", "never")])
        .env_remove("VIRTUAL_ENV")
        .env_remove(UV_PROJECT_ENVIRONMENT);
    run(&sync, "uv sync", events, secrets, interrupt)?;
    // A checkout without a virtual environment was not asked before.
    let code = Code { python: &python(folder, layout), manage_dir: &layout.manage_of(folder), root: folder, env };
    let release = Release { units, shown, source, declared: &preflight.declared, user: &preflight.user, layout };
    let state = state::find(&code, &release, &Deadline::unless(interrupt.flag(), state::LOAD, state::LOAD));
    if !state.problems.is_empty() {
        return Err(Failure { exit: Exit::Failed, problems: state.problems }.into());
    }
    // Settings that open a log do so before there is a link, which this user may not follow.
    shared::make_folders(folder, &state.folders)?;
    let variables = env.variables.iter().map(|(key, value)| (key, value));
    let collect = Command::new(python(folder, layout), ["-B", "-c", &collect, "inside"])
        .args([folder])
        .dir(layout.manage_of(folder))
        .envs(variables)
        // systemd sets it for the units; the user who deploys has no access to that folder.
        .envs([("STATE_DIRECTORY", layout.state_dir())]);
    run(&collect, "static files", events, secrets, interrupt)?;
    // After the static files: Django's own output explains better why settings cannot be loaded.
    if let Some(reason) = &state.unknown {
        let message = format!("what the settings let the service write to cannot be found: {}", secrets.redact(reason));
        return Err(Failure::new(Exit::Failed, Problem::new(message)).into());
    }
    shared::link(folder, &state.shared, layout)?;
    if !state.shared.is_empty() {
        let place = layout.state_dir();
        events.note(format!("{} in `{}`, for all releases", shared::named(&state.shared), place.display()));
    }
    data::write_manifest(folder)?;
    let private = private_files(source, &layout.manage_dir.join("manage.py"), folder);
    make_readable(folder, &private).with_context(|| format!("cannot change the modes in `{}`", folder.display()))?;
    Ok(state)
}

/// Returns the files of a release that fewer users can read in the checkout than `reference`: not for the umask of the user
/// who deploys, but on purpose. With a umask that leaves nobody else any permission, that cannot be known.
fn private_files(source: &Source, reference: &Path, release: &Path) -> HashSet<PathBuf> {
    let mode = |path: &Path| source.root().join(path).metadata().map_or(0o777, |found| found.permissions().mode());
    let (of_files, of_folders) = (mode(reference) & 0o044, mode(Path::new("")) & 0o011);
    let is_closed = |folder: &Path| mode(folder) & of_folders != of_folders;
    let is_private = |file: &&PathBuf| mode(file) & of_files != of_files || file.ancestors().skip(1).any(is_closed);
    source.files().filter(is_private).map(|file| release.join(file)).collect()
}

/// Lets every user read what is in a folder, except for some files.
fn make_readable(folder: &Path, private: &HashSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let metadata = path.symlink_metadata()?;
        if metadata.is_symlink() || private.contains(&path) {
            continue;
        }
        let mode = metadata.permissions().mode();
        let execute = if mode & 0o100 == 0 { 0 } else { 0o055 };
        fs::set_permissions(&path, Permissions::from_mode(mode & !0o022 | 0o044 | execute))?;
        if metadata.is_dir() {
            make_readable(&path, private)?;
        }
    }
    Ok(())
}

/// Runs a program of the build as a step, and shows its output if it fails.
fn run(
    command: &Command,
    title: &str,
    events: &Events<'_>,
    secrets: &Secrets,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let deadline = Deadline::unless(interrupt.flag(), BUILD, BUILD);
    events.step(title, || {
        let finished = command.run(&deadline).map_err(|error| Failure::unfinished(title, &error))?;
        events.output(&secrets.redact(&[finished.stdout(), finished.stderr()].concat()), !finished.is_success());
        if finished.is_success() {
            return Ok(());
        }
        Err(Failure::new(Exit::Failed, Problem::new(format!("`{title}` failed: {}", finished.status()))).into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_readable_except_for_private_files() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join("sub")).expect("a folder");
        let modes = [("sub", 0o700), ("sub/run", 0o700), ("plain", 0o600), ("shared", 0o664), ("key.pem", 0o600)];
        for (name, mode) in modes {
            let path = dir.path().join(name);
            if name != "sub" {
                fs::write(&path, "").expect("written");
            }
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("ours");
        }
        make_readable(dir.path(), &HashSet::from([dir.path().join("key.pem")])).expect("changed");
        let mode = |name: &str| dir.path().join(name).metadata().expect("there").permissions().mode() & 0o777;
        let found = modes.map(|(name, _)| (name, mode(name)));
        let expected = [("sub", 0o755), ("sub/run", 0o755), ("plain", 0o644), ("shared", 0o644), ("key.pem", 0o600)];
        assert_eq!(found, expected);
    }
}
