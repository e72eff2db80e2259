//! Files that this user may not read or write: whose they are, and the command that changes that.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::process::getuid;
use subprocess::quoted;

use super::WRITABLE;
use crate::Target;
use crate::outcome::{Finding, Outcome, Status};

/// A file or folder without the permission that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// Its path, owner and mode, or the error of the operating system, as a sentence.
    pub message: String,
    /// The command that grants the permission, where one does.
    pub hint: Option<String>,
}

/// Checks the folders that install and health write to. Nothing is written to find out.
pub(super) fn check(target: &Target) -> Outcome {
    let packages = fs::read_dir(target.venv.join("lib")).into_iter().flatten().flatten();
    let packages = packages.map(|entry| entry.path().join("site-packages"));
    let (root, state) = (target.project.root.clone(), target.project.state_dir());
    let venv = [target.venv.clone(), target.venv.join("bin")];
    let mut paths = vec![root, target.project.service_dir().to_owned(), state.clone(), state.join("lock")];
    paths.extend(venv.into_iter().chain(packages));
    paths.dedup();
    match unwritable(&paths).as_slice() {
        [] => Outcome::ok(WRITABLE, "the project can be written to"),
        denied => Outcome::err(WRITABLE, format!("`{}` cannot write to all of the project", this_user())).findings(
            denied
                .iter()
                .map(|Denied { message, hint }| Finding {
                    status: Status::Err,
                    line: None,
                    message: message.clone(),
                    hint: hint.clone(),
                })
                .collect(),
        ),
    }
}

/// Returns those of the paths that this user cannot write to; what does not exist is left out. Of a folder and what is in
/// it only the folder is returned.
pub(crate) fn unwritable(paths: &[PathBuf]) -> Vec<Denied> {
    denied(paths, &this_user(), "-R u+w", |path| access(path, Access::WRITE_OK))
}

/// Returns the reason why a file cannot be read, if its permissions are the reason.
#[must_use]
pub fn unreadable(path: &Path) -> Option<Denied> {
    denied(&[path.to_owned()], &this_user(), "u+r", |path| access(path, Access::READ_OK)).pop()
}

/// Judges paths by what `access` returns for them; `own` is the change of the mode of what belongs to this user.
fn denied(paths: &[PathBuf], user: &str, own: &str, access: impl Fn(&Path) -> Result<(), Errno>) -> Vec<Denied> {
    let mut reported: Vec<&Path> = Vec::new();
    let mut found = Vec::new();
    for path in paths {
        let Err(error) = access(path) else { continue };
        if error == Errno::NOENT || reported.iter().any(|folder| is_reported_with(path, folder)) {
            continue;
        }
        reported.push(path);
        found.push(judge(path, error, user, own));
    }
    found
}

/// Whether the hint of a folder changes this path as well.
fn is_reported_with(path: &Path, folder: &Path) -> bool {
    is_ours_alone(folder) && path.starts_with(folder)
}

/// Whether everything in a folder belongs to whoever installs: the virtual environment, and this tool's own.
fn is_ours_alone(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == ".xtask") || path.join("pyvenv.cfg").exists()
}

fn judge(path: &Path, error: Errno, user: &str, own: &str) -> Denied {
    let shown = path.display();
    let metadata = match path.metadata() {
        Ok(metadata) if error == Errno::ACCESS => metadata,
        // A read-only file system, for example; the owner is not the reason.
        _ => return Denied { message: format!("`{shown}`: {error}"), hint: None },
    };
    let (owner, mode) = (user_name(metadata.uid()), metadata.mode() & 0o7777);
    let typed = quoted(&path.to_string_lossy());
    let hint = if owner == user {
        format!("chmod {own} {typed}")
    } else if is_ours_alone(path) {
        format!("sudo chown -R {user} {typed}")
    } else {
        format!("sudo chown {user} {typed}")
    };
    Denied { message: format!("`{shown}` belongs to `{owner}`, with the mode {mode:03o}"), hint: Some(hint) }
}

/// Returns the name of the user that this runs as.
#[must_use]
pub fn this_user() -> String {
    user_name(getuid().as_raw())
}

/// Returns the name of a user of this machine; of an unknown one the number, which `chown` takes as well.
fn user_name(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| uid.to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Lets the operating system deny some of the folders of a project, whoever runs the tests.
    #[track_caller]
    fn check(user: &str, error: Errno, refused: &[&str], expected: &[(&str, Option<&str>)]) {
        let dir = tempfile::tempdir().expect("a folder");
        for folder in [".venv/bin", "service"] {
            fs::create_dir_all(dir.path().join(folder)).expect("made");
        }
        fs::write(dir.path().join(".venv/pyvenv.cfg"), "").expect("written");
        for folder in [".venv", ".venv/bin", "service"] {
            fs::set_permissions(dir.path().join(folder), fs::Permissions::from_mode(0o755)).expect("ours");
        }
        let paths = ["service", ".venv", ".venv/bin", "missing"].map(|name| dir.path().join(name));
        let access = |path: &Path| match path.strip_prefix(dir.path()).map(Path::to_str) {
            Ok(Some("missing")) => Err(Errno::NOENT),
            Ok(Some(name)) if refused.contains(&name) => Err(error),
            _ => Ok(()),
        };
        let plain = |text: &str| text.replace(&format!("{}/", dir.path().display()), "").replace(&this_user(), "OWNER");
        let found: Vec<_> = denied(&paths, user, "-R u+w", access)
            .into_iter()
            .map(|it| (plain(&it.message), it.hint.as_deref().map(plain)))
            .collect();
        let found: Vec<_> = found.iter().map(|(message, hint)| (message.as_str(), hint.as_deref())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn owner_mode_and_user_are_reported() {
        check("deploy", Errno::ACCESS, &[], &[]);
        let venv = ("`.venv` belongs to `OWNER`, with the mode 755", Some("sudo chown -R deploy .venv"));
        check("deploy", Errno::ACCESS, &[".venv", ".venv/bin"], &[venv]);
        let service = ("`service` belongs to `OWNER`, with the mode 755", Some("sudo chown deploy service"));
        check("deploy", Errno::ACCESS, &["service", ".venv"], &[service, venv]);
        let bin = ("`.venv/bin` belongs to `OWNER`, with the mode 755", Some("sudo chown deploy .venv/bin"));
        check("deploy", Errno::ACCESS, &[".venv/bin"], &[bin]);
        let own = ("`service` belongs to `OWNER`, with the mode 755", Some("chmod -R u+w service"));
        check(&this_user(), Errno::ACCESS, &["service"], &[own]);
        check("deploy", Errno::ROFS, &["service"], &[("`service`: Read-only file system (os error 30)", None)]);
    }
}
