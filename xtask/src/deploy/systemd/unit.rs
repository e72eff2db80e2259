//! Unit files, and the twins that are made of them to prove a release beside the one that serves.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::layout::Layout;

/// A unit file of a release.
#[derive(Debug, Clone)]
pub(super) struct UnitFile {
    /// Such as `shop.service`.
    pub(super) name: String,
    pub(super) text: String,
}

impl UnitFile {
    /// The unit files of a folder, by name. A template is no unit before somebody names an instance.
    pub(super) fn all(dir: &Path) -> anyhow::Result<Vec<UnitFile>> {
        let unreadable = || format!("cannot read `{}`", dir.display());
        let mut files = Vec::new();
        for entry in fs::read_dir(dir).with_context(unreadable)? {
            let path = entry.with_context(unreadable)?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let stem = name.strip_suffix(".service").or_else(|| name.strip_suffix(".socket"));
            if stem.is_none_or(|stem| stem.is_empty() || stem.ends_with('@')) {
                continue;
            }
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            files.push(UnitFile { name: name.to_owned(), text });
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    pub(super) fn is_socket(&self) -> bool {
        self.name.ends_with(".socket")
    }

    /// The values of a key, in order.
    pub(super) fn values(&self, section: &str, key: &str) -> Vec<String> {
        let value = |line: String| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == key).then(|| value.trim().to_owned())
        };
        lines(&self.text, section).filter_map(value).collect()
    }

    /// Whether systemd can be told to start it at boot.
    pub(super) fn can_be_enabled(&self) -> bool {
        ["WantedBy", "RequiredBy", "UpheldBy", "Also", "Alias"]
            .iter()
            .any(|key| !self.values("Install", key).is_empty())
    }

    /// Whether it ends by itself: a task, which is not restarted.
    pub(super) fn is_task(&self) -> bool {
        self.values("Service", "Type").last().is_some_and(|kind| kind == "oneshot")
    }

    /// What it is to the service.
    pub(super) fn role(&self, layout: &Layout) -> Role {
        let stem = self.name.strip_suffix(".service");
        match stem.and_then(|stem| stem.strip_prefix(&layout.name)) {
            _ if self.is_socket() => Role::Socket,
            Some("") => Role::Web,
            Some("-celery" | "-worker") => Role::Worker,
            _ => Role::Other,
        }
    }
}

/// What a unit is to the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Holds requests while what answers them is restarted.
    Socket,
    /// Answers requests.
    Web,
    /// Does tasks; two can be at work at the same time.
    Worker,
    /// Whatever else: nobody knows whether there may be two of it.
    Other,
}

/// The lines of a section as systemd reads them, without comments; a line that goes on in the next one is one.
fn lines<'a>(text: &'a str, section: &'a str) -> impl Iterator<Item = String> + use<'a> {
    let header = format!("[{section}]");
    let mut is_in = false;
    logical_lines(text).into_iter().filter(move |line| {
        if line.trim_start().starts_with('[') {
            is_in = line.trim() == header;
            return false;
        }
        is_in
    })
}

fn logical_lines(text: &str) -> Vec<String> {
    let mut logical: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        // Comments may stand between the parts of a line.
        if line.trim_start().starts_with(['#', ';']) {
            continue;
        }
        let part = line.strip_suffix('\\');
        match logical.last_mut().filter(|_| goes_on) {
            Some(last) => {
                last.push(' ');
                last.push_str(part.unwrap_or(line).trim());
            }
            None => logical.push(part.unwrap_or(line).to_owned()),
        }
        goes_on = part.is_some();
    }
    logical.retain(|line| !line.trim().is_empty());
    logical
}

/// Keys that a twin must not have: what belongs to the unit that it is made of.
const NOT_OF_A_TWIN: [&str; 6] = ["Restart", "PIDFile", "Sockets", "BusName", "ExecStop", "ExecStopPost"];

/// The service section of a unit and its drop-ins, for a release that is not installed yet: the same user, environment
/// and hardening, on the files of the release, with the environment that it is going to have.
pub(super) fn twin(unit: &UnitFile, drop_ins: &[String], release: &Path, env_file: &Path, layout: &Layout) -> String {
    let mut section = String::from("[Service]\n");
    let texts = [&unit.text].into_iter().chain(drop_ins);
    for line in texts.flat_map(|text| lines(text, "Service").collect::<Vec<_>>()) {
        let key = line.split('=').next().unwrap_or_default().trim();
        if NOT_OF_A_TWIN.contains(&key) {
            continue;
        }
        let line = moved(&line, &layout.env_file, env_file);
        let line = moved(&line, &layout.install_dir, release);
        section += &(with_name(&line, &unit.name) + "\n");
    }
    // What it shares with the unit is not taken away when it ends.
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

/// A line in which the specifiers for the name of the unit are filled in: its twin has another one.
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
    fn a_twin_is_the_same_service_on_other_files() {
        let text = "[Unit]\nRequires=shop.socket\n[Service]\n# a comment\nUser=shop\nRestart=always\nSockets=shop.socket\n\
                    EnvironmentFile=-/etc/shop/env\nWorkingDirectory=/opt/shop\nExecStart=/opt/shop/.venv/bin/gunicorn \\\n  \
                    --chdir /opt/shop/app # x\nReadWritePaths=/opt/shop-media /srv/opt/shop\nStateDirectory=%N 5%%n\n\
                    [Install]\nWantedBy=multi-user.target\n";
        let drop_ins = ["[Service]\nNice=5\n".to_owned()];
        let twin =
            twin(&unit("shop.service", text), &drop_ins, Path::new("/r/1"), Path::new("/etc/shop/env.1"), &layout());
        assert_eq!(
            twin,
            "[Service]\nUser=shop\nEnvironmentFile=-/etc/shop/env.1\nWorkingDirectory=/r/1\n\
             ExecStart=/r/1/.venv/bin/gunicorn  --chdir /r/1/app # x\nReadWritePaths=/opt/shop-media /srv/opt/shop\n\
             StateDirectory=shop 5%%n\nNice=5\nRestart=no\nRuntimeDirectoryPreserve=yes\n"
        );
    }

    #[test]
    fn what_a_unit_is() {
        let role = |name: &str| unit(name, "").role(&layout());
        assert_eq!(role("shop.service"), Role::Web);
        assert_eq!(role("shop.socket"), Role::Socket);
        assert_eq!((role("shop-celery.service"), role("shop-worker.service")), (Role::Worker, Role::Worker));
        assert_eq!((role("shop-beat.service"), role("other.service")), (Role::Other, Role::Other));
        let task = unit("x.service", "[Service]\nType=simple\n\n[Service]\n Type = oneshot\n[Install]\nType=notify\n");
        assert!(task.is_task() && !task.can_be_enabled());
        assert!(unit("x.service", "[Install]\nWantedBy=multi-user.target").can_be_enabled());
    }
}
