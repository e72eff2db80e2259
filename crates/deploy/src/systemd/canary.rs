//! Canary units: copies of the service units that run the new release without traffic.

use std::path::Path;

use super::layout::Layout;
use ::systemd::{UnitFile, unit_file};

/// The role of a unit in the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Holds requests while the web service is restarted.
    Socket,
    /// Answers requests.
    Web,
    /// Does tasks; two can be at work at the same time.
    Worker,
    /// Any other role: a second instance may do harm.
    Other,
}

impl Role {
    /// Returns the role of a unit in the service.
    pub(super) fn of(unit: &UnitFile, layout: &Layout) -> Self {
        let stem = unit.name.strip_suffix(".service");
        match stem.and_then(|stem| stem.strip_prefix(&layout.name)) {
            _ if unit.is_socket() => Role::Socket,
            Some("") => Role::Web,
            Some("-celery" | "-worker") => Role::Worker,
            _ => Role::Other,
        }
    }
}

/// The keys that a canary unit must not have: they belong to the unit that it is copied from.
const NOT_OF_A_CANARY: [&str; 6] = ["Restart", "PIDFile", "Sockets", "BusName", "ExecStop", "ExecStopPost"];

/// The service section of a unit and its drop-ins, for a release that is not installed yet: the same user, environment
/// and hardening, on the files of the release, with the environment that it is going to have.
pub(super) fn canary_section(
    unit: &UnitFile,
    drop_ins: &[String],
    release: &Path,
    env_file: &Path,
    layout: &Layout,
) -> String {
    let mut section = String::from("[Service]\n");
    let texts = [&unit.text].into_iter().chain(drop_ins);
    for line in texts.flat_map(|text| unit_file::lines(text, "Service").collect::<Vec<_>>()) {
        let key = line.split('=').next().unwrap_or_default().trim();
        if NOT_OF_A_CANARY.contains(&key) {
            continue;
        }
        let line = moved(&line, &layout.env_file, env_file);
        let line = moved(&line, &layout.install_dir, release);
        section += &(with_name(&line, &unit.name) + "\n");
    }
    // The canary shares the runtime folder with the unit, so it must not remove it.
    section + "Restart=no\nRuntimeDirectoryPreserve=yes\n"
}

/// A line with another path in place of `from`, and of all that is below it.
fn moved(line: &str, from: &Path, to: &Path) -> String {
    let (from, to) = (from.to_string_lossy(), to.to_string_lossy());
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut moved = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(&*from) {
        let (before, after) = (&rest[..at], &rest[at + from.len()..]);
        // `-/opt/shop` is the path with a prefix of systemd's, `/srv/opt/shop` and `/opt/shop-media` are others.
        let starts = !before.ends_with(|c: char| is_part(c) && c != '-');
        let is_it = starts && !after.starts_with(is_part);
        moved += before;
        moved += if is_it { &to } else { &from };
        rest = after;
    }
    moved + rest
}

/// Returns a line with the specifiers for the unit's name filled in: the canary has another name.
fn with_name(line: &str, name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let filled = [("%n", name), ("%N", stem), ("%p", stem)];
    let mut parts = line
        .split("%%")
        .map(|part| filled.iter().fold(part.to_owned(), |part, (specifier, word)| part.replace(specifier, word)));
    let first = parts.next().unwrap_or_default();
    parts.fold(first, |line, part| line + "%%" + &part)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn layout() -> Layout {
        Layout {
            name: "shop".into(),
            install_dir: "/opt/shop".into(),
            env_file: "/etc/shop/env".into(),
            service_dir: PathBuf::new(),
            unit_dir: "units".into(),
        }
    }

    fn unit(name: &str, text: &str) -> UnitFile {
        UnitFile { name: name.into(), text: text.into() }
    }

    #[test]
    fn a_canary_is_the_same_service_on_other_files() {
        let text = "[Unit]\nRequires=shop.socket\n[Service]\n# a comment\nUser=shop\nRestart=always\nSockets=shop.socket\n\
                    EnvironmentFile=-/etc/shop/env\nWorkingDirectory=/opt/shop\nExecStart=/opt/shop/.venv/bin/gunicorn \\\n  \
                    --chdir /opt/shop/app # x\nReadWritePaths=/opt/shop-media /srv/opt/shop\nStateDirectory=%N 5%%n\n\
                    [Install]\nWantedBy=multi-user.target\n";
        let drop_ins = ["[Service]\nNice=5\n".to_owned()];
        let canary_section = canary_section(
            &unit("shop.service", text),
            &drop_ins,
            Path::new("/r/1"),
            Path::new("/etc/shop/env.1"),
            &layout(),
        );
        assert_eq!(
            canary_section,
            "[Service]\nUser=shop\nEnvironmentFile=-/etc/shop/env.1\nWorkingDirectory=/r/1\n\
             ExecStart=/r/1/.venv/bin/gunicorn  --chdir /r/1/app # x\nReadWritePaths=/opt/shop-media /srv/opt/shop\n\
             StateDirectory=shop 5%%n\nNice=5\nRestart=no\nRuntimeDirectoryPreserve=yes\n"
        );
    }

    #[test]
    fn roles_of_units() {
        let role = |name: &str| Role::of(&unit(name, ""), &layout());
        assert_eq!(role("shop.service"), Role::Web);
        assert_eq!(role("shop.socket"), Role::Socket);
        assert_eq!((role("shop-celery.service"), role("shop-worker.service")), (Role::Worker, Role::Worker));
        assert_eq!((role("shop-beat.service"), role("other.service")), (Role::Other, Role::Other));
    }
}
