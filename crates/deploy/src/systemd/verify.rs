//! The static checks of unit files: whether systemd can run them, and whether their programs are in the release.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use subprocess::{Address, Command, Deadline};

use super::canary::Role;
use super::layout::Layout;
use crate::failure::Problem;
use crate::source::Source;
use ::systemd::address::address;
use ::systemd::{Unit, UnitFile};

/// Returns the problems that systemd finds in the unit files, and those of programs that no release has.
pub(super) fn units(
    units: &[UnitFile],
    source: Option<&Source>,
    layout: &Layout,
    root: &Path,
    deadline: &Deadline,
) -> Vec<Problem> {
    if units.is_empty() {
        let message = format!("there is no unit file in `{}`", layout.unit_dir.display());
        return vec![Problem::new(message).hint("set `unit-dir` in Cargo.toml")];
    }
    let mut problems = Vec::new();
    let files: Vec<PathBuf> = units.iter().map(|unit| root.join(&layout.unit_dir).join(&unit.name)).collect();
    let args = ["verify".into(), "--man=no".into()].into_iter().chain(files.into_iter().map(PathBuf::into_os_string));
    match Command::new("systemd-analyze", args).run(deadline) {
        // Its exit status is 0 for an unknown key.
        Ok(finished) => {
            let complaints = complaints(finished.stderr(), units, layout, root);
            problems.extend(complaints.into_iter().map(|line| Problem::new(format!("systemd-analyze verify: {line}"))));
        }
        Err(error) => problems.push(Problem::new(error.to_string())),
    }
    for unit in units {
        for line in unit.values("Service", "ExecStart") {
            let Some(program) = program(&line) else { continue };
            let Ok(inside) = Path::new(program).strip_prefix(&layout.install_dir) else { continue };
            let venv = layout.service_dir.join(".venv");
            if !inside.starts_with(&venv) && source.is_some_and(|source| !source.has(inside)) {
                let message = format!(
                    "`{}` starts `{program}`, which is in no release: a release has the files that Git tracks, and `{}`",
                    unit.name,
                    venv.display()
                );
                problems.push(Problem::new(message).hint(format!("git add {}", inside.display())));
            }
        }
    }
    problems
}

/// The lines that are about these units. That a program of the release is not there yet is no news.
fn complaints(stderr: &str, units: &[UnitFile], layout: &Layout, root: &Path) -> Vec<String> {
    let is_ours = |line: &str| {
        let parsed = |unit: &UnitFile| {
            line.starts_with(&format!("{}:", unit.name)) || line.contains(&format!("/{}:", unit.name))
        };
        units.iter().any(parsed)
    };
    let not_there = format!("Command {}/", layout.install_dir.display());
    let is_to_come = |line: &str| line.contains(&not_there) && line.contains("is not executable");
    let prefix = format!("{}/", root.display());
    let lines = stderr.lines().map(str::trim).filter(|line| is_ours(line) && !is_to_come(line));
    lines.map(|line| line.replace(&prefix, "")).collect()
}

/// The path in a value of `ExecStart`, without systemd's prefixes.
fn program(exec_start: &str) -> Option<&str> {
    exec_start.trim_start_matches(['@', '-', ':', '+', '!', '|']).split_whitespace().next()
}

/// Returns a problem for each address that another program holds.
pub(super) fn addresses(units: &[UnitFile], shown: &[Unit], layout: &Layout) -> Vec<Problem> {
    let is_up = |name: &str| shown.iter().any(|unit| unit.name == name && unit.is_active());
    let has_socket = units.iter().any(|unit| unit.name == format!("{}.socket", layout.name));
    let mut problems = Vec::new();
    // Whichever of the two has it by now, it is ours.
    let is_main_up = is_up(&layout.main_unit());
    for unit in units.iter().filter(|unit| !is_up(&unit.name)) {
        let wanted: Vec<Address> = match Role::of(unit, layout) {
            Role::Socket if !is_main_up => {
                unit.values("Socket", "ListenStream").iter().filter_map(|it| listened(it)).collect()
            }
            Role::Web if !has_socket => unit.values("Service", "ExecStart").iter().filter_map(|it| bound(it)).collect(),
            _ => continue,
        };
        for address in wanted.iter().filter(|address| is_taken(address)) {
            let message = format!("`{address}`, where `{}` listens, is held by another program", unit.name);
            problems.push(Problem::new(message).hint("sudo ss -ltnxp, and stop it; or choose another address"));
        }
    }
    problems
}

/// A value of `ListenStream`.
fn listened(value: &str) -> Option<Address> {
    if value.chars().all(|c| c.is_ascii_digit()) { address(&format!("[::]:{value}")) } else { address(value) }
}

/// Returns the address that a command line binds.
pub(super) fn bound(exec_start: &str) -> Option<Address> {
    systemd::address::bound(&format!("argv[]={exec_start} ; "))
}

fn is_taken(address: &Address) -> bool {
    match address {
        Address::Tcp(host, port) => {
            TcpListener::bind((host.as_str(), *port)).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
        }
        Address::Unix(path) => UnixStream::connect(path).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_all_complaints_those_about_our_units_count() {
        let layout = Layout {
            name: "shop".into(),
            install_dir: "/opt/shop".into(),
            env_file: "/etc/shop/env".into(),
            service_dir: PathBuf::new(),
            unit_dir: "units".into(),
        };
        let units = [UnitFile { name: "shop.service".into(), text: String::new() }];
        let stderr = "/srv/app/units/shop.service:5: Unknown key name 'Restrat' in section 'Service', ignoring.\n\
                      /lib/systemd/system/dbus.service:7: Unknown key name 'Other'.\n\
                      shop.service: Command /opt/shop/.venv/bin/gunicorn is not executable: No such file or directory\n\
                      shop.service: Command /usr/bin/gone is not executable: No such file or directory\n";
        assert_eq!(
            complaints(stderr, &units, &layout, Path::new("/srv/app")),
            [
                "units/shop.service:5: Unknown key name 'Restrat' in section 'Service', ignoring.",
                "shop.service: Command /usr/bin/gone is not executable: No such file or directory"
            ]
        );
    }

    #[test]
    fn words_of_unit_files() {
        assert_eq!(program("-/opt/shop/run --fast"), Some("/opt/shop/run"));
        assert_eq!(listened("8000").map(|it| it.to_string()).as_deref(), Some("localhost:8000"));
        assert_eq!(bound("/x/gunicorn -b 127.0.0.1:9 app").map(|it| it.to_string()).as_deref(), Some("127.0.0.1:9"));
    }
}
