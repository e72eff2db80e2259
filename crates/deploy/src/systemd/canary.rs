//! Canary units: copies of the service units that run the new release without traffic.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::layout::{Layout, canary_of};
use super::root::Step;
use super::scheduler::{has_flag, is_celery};
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

/// The first line of the units that a deploy makes for itself.
pub(super) const MARKER: &str = "# Made by `cargo xtask deploy-systemd`, which removes it.";

/// The keys that a canary unit must not have: they belong to the unit that it is copied from, or run programs that may
/// change the state of the service.
const NOT_OF_A_CANARY: [&str; 10] = [
    "BusName",
    "ExecCondition",
    "ExecStartPost",
    "ExecStartPre",
    "ExecStop",
    "ExecStopPost",
    "PIDFile",
    "Restart",
    "RuntimeMaxSec",
    "Sockets",
];

/// The release that a canary runs, and its environment.
pub(super) struct Canary<'a> {
    pub(super) layout: &'a Layout,
    /// The folder of the release.
    pub(super) release: &'a Path,
    /// The system env file that the release is going to have.
    pub(super) env_file: &'a Path,
    /// The time after which systemd stops the canary, even if its deploy was killed.
    pub(super) limit: Duration,
}

impl Canary<'_> {
    /// Returns the service section of a unit and its drop-ins for the release: the same user, environment and hardening,
    /// on other files. `exec_start` replaces the command.
    pub(super) fn section(&self, unit: &UnitFile, drop_ins: &[String], exec_start: Option<&str>) -> String {
        let lines = service_lines(unit, drop_ins);
        let is_left_out = |key: &str| NOT_OF_A_CANARY.contains(&key) || (key == "ExecStart" && exec_start.is_some());
        let kept = lines.iter().filter(|(key, _)| !is_left_out(key)).map(|(key, value)| (key.as_str(), value.as_str()));
        let own = exec_start.map(|command| ("ExecStart", command));
        let mut section = vec!["[Service]".to_owned()];
        section.extend(kept.chain(own).map(|(key, value)| format!("{key}={}", self.moved(value, &unit.name))));
        let last = |key: &str| lines.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        // systemd names a dynamic user after the unit, and hands the state folder to it: a canary needs the same one.
        if last("DynamicUser").is_some_and(is_yes) && last("User").is_none_or(str::is_empty) {
            section.push(format!("User={}", stem(&unit.name)));
        }
        // The canary shares the runtime folder with the unit, so it must not remove it.
        section.extend(["Restart=no".to_owned(), "RuntimeDirectoryPreserve=yes".to_owned()]);
        section.push(format!("RuntimeMaxSec={}\n", self.limit.as_secs()));
        section.join("\n")
    }

    fn moved(&self, value: &str, name: &str) -> String {
        let value = moved(&with_name(value, name), &self.layout.env_file, self.env_file);
        moved(&value, &self.layout.install_dir, self.release)
    }
}

/// Returns the keys and values of the service section of a unit and its drop-ins, in order.
pub(super) fn service_lines(unit: &UnitFile, drop_ins: &[String]) -> Vec<(String, String)> {
    let texts = [&unit.text].into_iter().chain(drop_ins);
    let lines = texts.flat_map(|text| unit_file::lines(text, "Service").collect::<Vec<_>>());
    let pair = |line: String| line.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
    lines.filter_map(pair).collect()
}

/// Returns the commands of a unit that count: an empty `ExecStart=`, as in a drop-in, discards those before it.
pub(super) fn commands(lines: &[(String, String)]) -> Vec<&str> {
    let values: Vec<&str> =
        lines.iter().filter(|(key, _)| key == "ExecStart").map(|(_, value)| value.as_str()).collect();
    values.rsplit(|value| value.is_empty()).next().unwrap_or_default().to_vec()
}

/// Returns the command of a Celery worker as a canary runs it: with a queue and a name of its own, so that it takes no
/// task of the service. The error is the reason why there can be none.
pub(super) fn without_tasks(commands: &[&str], service: &str) -> Result<String, &'static str> {
    let [command] = commands else { return Err("it has more than one command") };
    let words: Vec<&str> = command.split_whitespace().collect();
    let after = |word: usize| words[word + 1..].iter().position(|word| *word == "worker").map(|at| word + 1 + at);
    // A shell would be handed the options that are added below.
    let has_quotes = command.contains(['"', '\'']);
    let Some(worker) = words.iter().position(|word| is_celery(word)).and_then(after).filter(|_| !has_quotes) else {
        return Err("its command is no plain `celery worker`");
    };
    for option in &words[worker + 1..] {
        match option.split_once('=').map_or(*option, |(name, _)| name) {
            "--beat" => return Err(SCHEDULER),
            "--detach" => return Err(DETACHED),
            "--pidfile" | "-S" | "--statedb" => return Err("its options name a file that only one worker can have"),
            short if has_flag(short, 'B') => return Err(SCHEDULER),
            short if has_flag(short, 'D') => return Err(DETACHED),
            _ => {}
        }
    }
    // Of an option that is given twice, Celery uses the last. It logs that it is ready on the level INFO.
    Ok(format!(
        "{command} --queues {service}-canary --hostname canary@%%h --loglevel INFO --without-gossip --without-mingle"
    ))
}

const SCHEDULER: &str = "it runs the scheduler, of which there can be one only";
const DETACHED: &str = "it detaches itself from systemd";

/// systemd's prefixes of a command.
pub(super) const PREFIXES: [char; 6] = ['@', '-', ':', '+', '!', '|'];

pub(super) fn is_yes(value: &str) -> bool {
    ["1", "yes", "y", "true", "t", "on"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

pub(super) fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// A line with another path in place of `from`, and of all that is below it.
pub(super) fn moved(line: &str, from: &Path, to: &Path) -> String {
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
pub(super) fn with_name(line: &str, name: &str) -> String {
    let stem = stem(name);
    let filled = [("%n", name), ("%N", stem), ("%p", stem)];
    let mut parts = line
        .split("%%")
        .map(|part| filled.iter().fold(part.to_owned(), |part, (specifier, word)| part.replace(specifier, word)));
    let first = parts.next().unwrap_or_default();
    parts.fold(first, |line, part| line + "%%" + &part)
}

/// Removes temporary units, and the results of the migrations.
pub(super) fn remove_temporary_units(layout: &Layout, names: &[String]) -> [Step; 2] {
    let files = names.iter().map(|name| layout.runtime_units.join(name)).chain([layout.migrate_results()]);
    let files: Vec<PathBuf> = files.collect();
    [Step::new("rm -f", files.iter().map(|file| file.display())), Step::new("systemctl daemon-reload", [""; 0])]
}

/// Returns the names that the temporary units of a deploy can have: canaries, migrations, handover.
pub(super) fn temporary_unit_names(layout: &Layout) -> Vec<String> {
    let name = &layout.name;
    let units = [".service", ".socket", "-celery.service", "-worker.service"].map(|kind| format!("{name}{kind}"));
    units.iter().map(|unit| canary_of(unit)).chain([layout.migrate_unit(), layout.handover_unit()]).collect()
}

/// Returns the temporary units that an earlier deploy has left. A unit of such a name without the marker is the operator's.
pub(super) fn left_temporary_units(layout: &Layout) -> Vec<String> {
    let mut names = temporary_unit_names(layout);
    names.retain(|name| {
        let text = fs::read_to_string(layout.runtime_units.join(name));
        // Those of earlier versions have no marker.
        text.is_ok_and(|text| text.starts_with(MARKER) || text.contains(&format!(" of {}\n", layout.name)))
    });
    names
}

#[cfg(test)]
mod tests {

    use super::*;

    fn unit(name: &str, text: &str) -> UnitFile {
        UnitFile { name: name.into(), text: text.into() }
    }

    fn section(unit: &UnitFile, drop_ins: &[String], exec_start: Option<&str>) -> String {
        let layout = Layout::of_a_shop();
        let canary = Canary {
            layout: &layout,
            release: Path::new("/r/1"),
            env_file: Path::new("/etc/shop/env.1"),
            limit: Duration::from_secs(900),
        };
        canary.section(unit, drop_ins, exec_start)
    }

    #[test]
    fn a_canary_is_the_same_service_on_other_files() {
        let text = "[Unit]\nRequires=shop.socket\n[Service]\n# a comment\nUser=shop\nRestart=always\nSockets=shop.socket\n\
                    EnvironmentFile=-/etc/shop/env\nWorkingDirectory=/opt/shop\nExecStart=/opt/shop/.venv/bin/gunicorn \\\n  \
                    --chdir /opt/shop/app # x\nReadWritePaths=/opt/shop-media /srv/opt/shop\nStateDirectory=%N 5%%n\n\
                    [Install]\nWantedBy=multi-user.target\n";
        let drop_ins = ["[Service]\nNice=5\n".to_owned()];
        assert_eq!(
            section(&unit("shop.service", text), &drop_ins, None),
            "[Service]\nUser=shop\nEnvironmentFile=-/etc/shop/env.1\nWorkingDirectory=/r/1\n\
             ExecStart=/r/1/.venv/bin/gunicorn  --chdir /r/1/app # x\nReadWritePaths=/opt/shop-media /srv/opt/shop\n\
             StateDirectory=shop 5%%n\nNice=5\nRestart=no\nRuntimeDirectoryPreserve=yes\nRuntimeMaxSec=900\n"
        );
    }

    #[test]
    fn a_canary_runs_its_main_command_alone() {
        let text = "[Service]\nExecCondition=/opt/shop/is-due\nExecStartPre=+/opt/shop/manage.py migrate\n\
                    ExecStart=/opt/shop/run\nExecStartPost=-/opt/shop/announce\nExecStop=/opt/shop/stop\n\
                    RuntimeMaxSec=infinity\n";
        let drop_ins = ["[Service]\nExecStartPre=/opt/shop/more\n".to_owned()];
        let section = section(&unit("shop.service", text), &drop_ins, None);
        assert_eq!(section.matches("Exec").count(), 1, "{section}");
        assert!(section.contains("ExecStart=/r/1/run\n") && !section.contains("infinity"), "{section}");
    }

    #[test]
    fn a_canary_of_a_dynamic_user_has_the_same_user() {
        let of = |text: &str| section(&unit("shop-worker.service", text), &[], None);
        assert!(of("[Service]\nDynamicUser=yes\nStateDirectory=shop\n").contains("\nUser=shop-worker\n"));
        let named = of("[Service]\nDynamicUser=true\nUser=shop\n");
        assert_eq!(named.matches("User=").count(), 2, "{named}");
        assert!(!of("[Service]\nDynamicUser=no\n").contains("\nUser="));
    }

    #[test]
    fn a_canary_of_a_worker_takes_no_task() {
        let of = |command: &str| without_tasks(&[command], "shop");
        let own = "--queues shop-canary --hostname canary@%%h --loglevel INFO --without-gossip --without-mingle";
        for command in [
            "/opt/shop/.venv/bin/celery -A shop worker -Q mail,default -l WARNING",
            "-/opt/shop/.venv/bin/python -m celery --app shop worker",
            "/usr/local/bin/uv run --no-sync celery -A shop worker --concurrency=4",
        ] {
            assert_eq!(of(command), Ok(format!("{command} {own}")));
        }
        for command in [
            "/opt/shop/.venv/bin/celery -A shop worker -EB",
            "/opt/shop/.venv/bin/celery -A shop worker --beat",
            "/opt/shop/.venv/bin/celery -A shop worker -D",
            "/opt/shop/.venv/bin/celery -A shop beat",
            "/opt/shop/.venv/bin/celery -A shop worker --statedb=/var/lib/shop/state",
            "/opt/shop/.venv/bin/celery multi start w1 -A shop",
            "/bin/sh -c 'exec celery -A shop worker -E'",
            "/opt/shop/.venv/bin/rqworker",
        ] {
            assert!(of(command).is_err(), "{command}");
        }
        assert!(without_tasks(&[], "shop").is_err());
    }

    #[test]
    fn the_command_of_a_drop_in_replaces_that_of_the_unit() {
        let drop_ins = ["[Service]\nExecStart=\nExecStart=/opt/shop/other\n".to_owned()];
        let unit = unit("shop.service", "[Service]\nExecStart=/opt/shop/run\n");
        assert_eq!(commands(&service_lines(&unit, &[])), ["/opt/shop/run"]);
        assert_eq!(commands(&service_lines(&unit, &drop_ins)), ["/opt/shop/other"]);
    }

    #[test]
    fn roles_of_units() {
        let role = |name: &str| Role::of(&unit(name, ""), &Layout::of_a_shop());
        assert_eq!(role("shop.service"), Role::Web);
        assert_eq!(role("shop.socket"), Role::Socket);
        assert_eq!((role("shop-celery.service"), role("shop-worker.service")), (Role::Worker, Role::Worker));
        assert_eq!((role("shop-beat.service"), role("other.service")), (Role::Other, Role::Other));
    }
}
