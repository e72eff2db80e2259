//! Where everything of a service is on this machine.

use std::path::{Path, PathBuf};

use project::{Project, UvSettings};

/// Where unit files are installed.
const UNITS: &str = "/etc/systemd/system";
/// Where unit files are that are gone after a reboot.
const RUNTIME: &str = "/run/systemd/system";

/// The places of one service.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) name: String,
    /// A link to the release that serves.
    pub(super) install_dir: PathBuf,
    pub(super) env_file: PathBuf,
    /// From the root of the checkout, or of a release.
    pub(super) service_dir: PathBuf,
    /// The folder of `manage.py`, from the root as well.
    pub(super) manage_dir: PathBuf,
    /// The virtual environment, from the root of a release: in the service folder, or at the root of its uv workspace.
    pub(super) venv: PathBuf,
    pub(super) unit_dir: PathBuf,
    /// Where unit files are installed.
    pub(super) system_units: PathBuf,
    /// Where unit files are that are gone after a reboot.
    pub(super) runtime_units: PathBuf,
    /// The name of the file with the settings.
    pub(super) settings_file: &'static str,
}

impl Layout {
    pub(super) fn of(project: &Project) -> Self {
        let from_root = |dir: &Path| dir.strip_prefix(&project.root).unwrap_or(Path::new("")).to_owned();
        Layout {
            name: project.settings.name.clone(),
            install_dir: project.install_dir(),
            env_file: project.system_env_file(),
            service_dir: from_root(project.service_dir()),
            manage_dir: from_root(project.manage_dir()),
            venv: from_root(&UvSettings::default().venv_of(project)),
            unit_dir: project.settings.unit_dir.clone(),
            system_units: UNITS.into(),
            runtime_units: RUNTIME.into(),
            settings_file: project.settings_file(),
        }
    }

    /// A service without a folder of its own in its checkout.
    #[cfg(test)]
    pub(super) fn of_a_shop() -> Self {
        Layout {
            name: "shop".into(),
            install_dir: "/opt/shop".into(),
            env_file: "/etc/shop/env".into(),
            service_dir: PathBuf::new(),
            manage_dir: PathBuf::new(),
            venv: ".venv".into(),
            unit_dir: "units".into(),
            system_units: UNITS.into(),
            runtime_units: RUNTIME.into(),
            settings_file: "pyproject.toml",
        }
    }

    /// Where the releases are.
    pub(super) fn releases(&self) -> PathBuf {
        with(&self.install_dir, "-releases")
    }

    /// Where the records of the releases are.
    pub(super) fn records(&self) -> PathBuf {
        self.releases().join(".records")
    }

    /// The folder of the lock, which is gone after a reboot.
    pub(super) fn lock_dir(&self) -> PathBuf {
        format!("/run/{}-deploy", self.name).into()
    }

    pub(super) fn release(&self, id: &str) -> PathBuf {
        self.releases().join(id)
    }

    /// Returns the state directory, which no release replaces.
    pub(super) fn state_dir(&self) -> PathBuf {
        Path::new("/var/lib").join(&self.name)
    }

    /// Returns the folder with copies of everything that a release replaces, for a rollback.
    pub(super) fn before(&self, id: &str) -> PathBuf {
        self.releases().join(format!("{id}.before"))
    }

    /// A release on its way out.
    pub(super) fn tombstone(release: &Path) -> PathBuf {
        with(release, ".removed")
    }

    /// Where a unit file is installed.
    pub(super) fn unit_file(&self, name: &str) -> PathBuf {
        self.system_units.join(name)
    }

    /// A unit file of a release until it takes the old one's place; systemd ignores files of such names.
    pub(super) fn staged_unit(&self, name: &str, id: &str) -> PathBuf {
        self.system_units.join(format!("{name}.{id}"))
    }

    /// The link as it is made, before it takes the old one's place.
    pub(super) fn new_link(&self) -> PathBuf {
        with(&self.install_dir, ".new")
    }

    /// The system env file of a release until it takes the old one's place.
    pub(super) fn staged_env(&self, id: &str) -> PathBuf {
        with(&self.env_file, &format!(".{id}"))
    }

    /// The folder of `pyproject.toml` and `.venv` in a release.
    pub(super) fn service_of(&self, release: &Path) -> PathBuf {
        below(release, &self.service_dir)
    }

    /// The folder of `manage.py` in a release.
    pub(super) fn manage_of(&self, release: &Path) -> PathBuf {
        below(release, &self.manage_dir)
    }

    pub(super) fn main_unit(&self) -> String {
        format!("{}.service", self.name)
    }

    pub(super) fn canary_socket(&self) -> PathBuf {
        format!("/run/{}-canary.sock", self.name).into()
    }

    /// The unit that runs the new release on the socket of the service while the service itself is restarted.
    pub(super) fn handover_unit(&self) -> String {
        format!("{}-handover.service", self.name)
    }

    pub(super) fn socket_unit(&self) -> String {
        format!("{}.socket", self.name)
    }

    /// The unit that migrates the database.
    pub(super) fn migrate_unit(&self) -> String {
        format!("{}-migrate.service", self.name)
    }

    /// Returns the file with the names of the units that the operator has stopped; gone after a reboot, which starts them.
    pub(super) fn stopped_file(&self) -> PathBuf {
        format!("/run/{}-stopped", self.name).into()
    }

    /// Returns the file with the results of the migrations.
    pub(super) fn migrate_results(&self) -> PathBuf {
        format!("/run/{}-migrate.out", self.name).into()
    }
}

/// Returns the name of the canary of a unit.
pub(super) fn canary_of(unit: &str) -> String {
    match unit.rsplit_once('.') {
        Some((stem, kind)) => format!("{stem}-canary.{kind}"),
        None => format!("{unit}-canary"),
    }
}

/// Joins a path below a folder, without a trailing `/` for the folder itself.
fn below(folder: &Path, path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { folder.to_owned() } else { folder.join(path) }
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_a_service() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("Cargo.toml"), "[workspace.metadata.service]\nname = 'shop'\n")
            .expect("written");
        let layout = Layout::of(&Project::open(dir.path()).expect("a project"));
        assert_eq!(layout.release("1"), Path::new("/opt/shop-releases/1"));
        assert_eq!(layout.service_of(&layout.release("1")), Path::new("/opt/shop-releases/1"));
        assert_eq!(layout.staged_env("1"), Path::new("/etc/shop/env.1"));
        assert_eq!(layout.new_link(), Path::new("/opt/shop.new"));
        assert_eq!(canary_of(&layout.main_unit()), "shop-canary.service");
    }
}
