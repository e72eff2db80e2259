//! The context of a command: this machine, the terminal, the project and the common options.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use checks::group::env::unreadable;
use checks::{PROBE_TIMEOUT, SystemProbes};
use envfile::EnvFile;
use project::Project;

use crate::cli::Common;
use crate::exit::{Exit, Failure, Problem};
use crate::host::Host;
use crate::typed::Caller;
use crate::ui::Ui;

/// The context of a command.
pub(crate) struct Context<'a> {
    pub(crate) host: &'a Host,
    pub(crate) ui: &'a Ui,
    pub(crate) common: &'a Common,
    pub(crate) project: Project,
}

impl<'a> Context<'a> {
    /// Finds and opens the project.
    pub(crate) fn open(host: &'a Host, ui: &'a Ui, common: &'a Common) -> anyhow::Result<Self> {
        let root = match &common.project {
            Some(dir) => dir.clone(),
            None => find_root(host)?,
        };
        let mut project = Project::open(&root).map_err(|error| Failure::usage(error.to_string()))?;
        project.compose_variables = host.compose_variables.clone();
        let manage = project.manage_dir().join("manage.py");
        if !manage.is_file() {
            let problem =
                Problem::new(format!("no Django project here: `{}` is not there", manage.display())).hint(format!(
                    "name the checkout with --project DIR, or its manage.py with `manage-py` in {}",
                    project.settings_file()
                ));
            return Err(Failure::new(Exit::Usage, problem).into());
        }
        ui.set_caller(Caller::of(common, host, &project.root));
        Ok(Context { host, ui, common, project })
    }

    /// Reads `.env`; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read; where its permissions are the reason, the error names the owner.
    pub(crate) fn env_file(&self) -> anyhow::Result<Option<EnvFile>> {
        let path = self.project.env_file();
        envfile::read(&path).map_err(|error| {
            let (message, hint) = unreadable(&path, &error);
            let problem = hint.into_iter().fold(Problem::new(message), Problem::hint);
            Failure::new(Exit::Failed, problem).into()
        })
    }

    /// Docker and systemd, asked when `.env` does not answer.
    pub(crate) fn probes(&self) -> SystemProbes<'_> {
        let has_systemd = self.host.facts.has_systemd;
        SystemProbes { project: &self.project, has_systemd, timeout: PROBE_TIMEOUT, stop: Arc::default() }
    }

    /// The virtual environment of the service, where uv makes it with this `.env`.
    pub(crate) fn venv(&self, env_file: &EnvFile) -> PathBuf {
        self.host.facts.uv.with(env_file).venv_of(&self.project)
    }

    /// Whether the operator is there and wants to be asked.
    pub(crate) fn is_interactive(&self) -> bool {
        self.host.can_ask && !self.common.yes
    }

    /// Returns the reason why a question was not asked.
    pub(crate) fn why_not_asked(&self) -> &'static str {
        if self.host.can_ask { "and `--yes` asks for nothing" } else { "and there is no terminal to ask on" }
    }
}

/// The checkout that cargo has built us from; without cargo, the nearest one around the current folder.
fn find_root(host: &Host) -> anyhow::Result<PathBuf> {
    if let Some(root) = host.manifest_dir.as_deref().and_then(Path::parent) {
        return Ok(root.to_owned());
    }
    let current_dir = host.current_dir.as_ref().map_err(|error| std::io::Error::from(error.kind()));
    let current_dir = current_dir.context("cannot determine the current folder")?;
    root_around(current_dir).map(Path::to_owned).ok_or_else(|| {
        let problem = Problem::new(format!("no checkout around `{}`", current_dir.display())).hint("--project DIR");
        Failure::new(Exit::Usage, problem).into()
    })
}

/// Returns the root folder of the checkout around a folder: the one with `pyproject.toml` at or above the nearest
/// `manage.py`; in a cargo workspace like ours, its root; else the nearest folder with `pyproject.toml` or a repository.
fn root_around(dir: &Path) -> Option<&Path> {
    let project = match nearest(dir, &["manage.py"]) {
        Some(manage) => nearest(manage, &["pyproject.toml"]).or(Some(manage)),
        None => nearest(dir, &["pyproject.toml"]).or_else(|| nearest(dir, &[".git"])),
    };
    nearest(project.unwrap_or(dir), &[".cargo/config.toml", "Cargo.toml"]).or(project)
}

/// Returns the nearest folder at or above this one that has all of these files.
fn nearest<'p>(dir: &'p Path, files: &[&str]) -> Option<&'p Path> {
    dir.ancestors().find(|dir| files.iter().all(|file| dir.join(file).exists()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[track_caller]
    fn check(files: &[&str], dir: &str, expected: &str) {
        let root = tempfile::tempdir().expect("a folder");
        for file in files.iter().copied().chain([&*format!("{dir}/x")]) {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().expect("inside")).expect("a folder");
            fs::write(path, "").expect("written");
        }
        let found = root_around(&root.path().join(dir))
            .map(|found| found.strip_prefix(root.path()).unwrap_or(found).to_owned());
        assert_eq!(found.as_deref(), Some(Path::new(expected)), "{files:?} in {dir}");
    }

    #[test]
    fn the_checkout_around_a_folder() {
        check(&["a/manage.py", "a/pyproject.toml"], "a/shop", "a");
        check(&["a/pyproject.toml", "a/src/manage.py"], "a/src", "a");
        check(&["a/pyproject.toml", "a/src/manage.py"], "a", "a");
        check(&["a/.git/HEAD", "a/backend/manage.py", "a/backend/pyproject.toml"], "a", "a");
        check(
            &["a/.git/HEAD", "a/services/web/manage.py", "a/services/web/pyproject.toml"],
            "a/services/web",
            "a/services/web",
        );
        check(&["a/.git/HEAD", "a/shop/manage.py"], "a/shop/urls", "a/shop");
        let ours = ["a/.cargo/config.toml", "a/Cargo.toml", "a/service/manage.py", "a/service/pyproject.toml"];
        check(&ours, "a/service", "a");
        check(&ours, "a/crates/x", "a");
    }
}
