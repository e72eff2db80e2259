//! Commands of `manage.py` under systemd: in the release that serves, in a temporary unit with the lines of the web
//! service's unit.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use ::systemd::UnitFile;
use checks::group::core::interpreter;
use project::secret::in_variable;
use subprocess::{Command, quoted};

use super::canary::{is_yes, service_lines, stem, with_name};
use super::layout::Layout;
use super::manager;
use crate::failure::{Exit, Failure, Problem};
use crate::manage::{Invocation, ManageCall};

/// How the keys begin that a command does not share with the service: they are about its start, its end and its
/// sockets, or the caller's terminal and the folder of `manage.py` replace them.
const NOT_OF_A_COMMAND: [&str; 27] = [
    "BusName",
    "Delegate",
    "ExecCondition",
    "ExecReload",
    "ExecStart",
    "ExecStop",
    "FailureAction",
    "FileDescriptorStore",
    "FinalKillSignal",
    "GuessMainPID",
    "Kill",
    "NonBlocking",
    "NotifyAccess",
    "PIDFile",
    "Reload",
    "RemainAfterExit",
    "Restart",
    "RuntimeMax",
    "Send",
    "Sockets",
    "Standard",
    "Start",
    "Success",
    "TTY",
    "Timeout",
    "Type",
    "Watchdog",
];

/// Returns a command of `manage.py` in the release that serves, with the user, the environment and the sandbox of the web
/// service. The environment is named by its file: other users see the arguments of a program.
///
/// # Errors
/// If nothing was deployed yet, the unit cannot be read, or it has a secret in its own lines.
pub fn manage(call: &ManageCall<'_>) -> anyhow::Result<Invocation> {
    let layout = Layout::of(call.project);
    let name = layout.main_unit();
    let release = layout.install_dir.canonicalize().unwrap_or_else(|_| layout.install_dir.clone());
    let python = interpreter(&release.join(&layout.venv));
    if fs::symlink_metadata(&python).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        let message = format!("`{name}` is installed, and no release serves: `{}` does not exist", python.display());
        return Err(not_met(Problem::new(message).hint("cargo xtask deploy-systemd")));
    }
    let shown = manager::show(std::slice::from_ref(&name), call.secrets)?;
    let shown = shown.first().ok_or_else(|| anyhow::anyhow!("`systemctl` does not know `{name}`"))?;
    let read = |path: &str| {
        fs::read_to_string(path).map_err(|error| {
            let message = format!("cannot read `{path}`, whose lines the command shares with the service: {error}");
            not_met(Problem::new(message).hint(format!("sudo chmod a+r {}", quoted(path))))
        })
    };
    let unit = UnitFile { text: read(shown.get("FragmentPath"))?, name };
    let drop_ins = shown.get("DropInPaths").split_whitespace().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    let properties = properties(&unit, &drop_ins, &layout).map_err(not_met)?;
    let own = format!("{}-manage-{}.service", layout.name, std::process::id());
    let as_root = |words: &[&str]| -> Vec<OsString> {
        let sudo: &[&str] = match (call.uid, call.can_ask) {
            (0, _) => &[],
            (_, true) => &["sudo", "--"],
            (_, false) => &["sudo", "-n", "--"],
        };
        sudo.iter().chain(words).map(OsString::from).collect()
    };
    let streams = if call.has_terminal { "--pty" } else { "--pipe" };
    let mut words = as_root(&["systemd-run", "--wait", "--collect", "--quiet", streams, "--unit", &own]);
    words.extend(properties.into_iter().flat_map(|property| ["-p".into(), property.into()]));
    words.extend(["-p".into(), with("WorkingDirectory=", &layout.manage_of(&release)), "--".into()]);
    words.extend(call.words(python).map(|word| unexpanded(&word)));
    // On a terminal of its own the command gets Ctrl-C, and ends with that terminal.
    let stop = (!call.has_terminal).then(|| {
        let words = as_root(&["systemctl", "stop", &own]);
        Command::new(&words[0], &words[1..])
    });
    Ok(Invocation { stop, ..Invocation::new(words) })
}

fn not_met(problem: Problem) -> anyhow::Error {
    Failure::new(Exit::NotMet, problem).into()
}

/// Returns the lines of a unit that a command shares with it, as properties of a temporary unit.
fn properties(unit: &UnitFile, drop_ins: &[String], layout: &Layout) -> Result<Vec<String>, Problem> {
    let lines = service_lines(unit, drop_ins);
    let is_shared = |key: &str| {
        key != "WorkingDirectory"
            && !key.starts_with("X-")
            && !NOT_OF_A_COMMAND.iter().any(|begin| key.starts_with(begin))
    };
    let mut properties = Vec::new();
    for (key, value) in lines.iter().filter(|(key, _)| is_shared(key)) {
        if let Some(secret) = secret_in(key, value) {
            let message = format!(
                "`{key}` of `{}` sets {secret}, and every user could read it in the arguments of `systemd-run`: move it to \
                 `{}`",
                unit.name,
                layout.env_file.display()
            );
            return Err(Problem::new(message).hint(format!("sudo systemctl edit --full {}", unit.name)));
        }
        properties.push(format!("{key}={}", with_name(value, &unit.name)));
    }
    let last = |key: &str| lines.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    // As for a canary: the state folder belongs to the user that is named after the unit.
    if last("DynamicUser").is_some_and(is_yes) && last("User").is_none_or(str::is_empty) {
        properties.push(format!("User={}", stem(&unit.name)));
    }
    // The service goes on using its runtime folder.
    properties.push("RuntimeDirectoryPreserve=yes".to_owned());
    Ok(properties)
}

/// Returns the name of the secret in a line of a unit, if there is one.
fn secret_in(key: &str, value: &str) -> Option<String> {
    if key == "SetCredential" && !value.is_empty() {
        return Some("a credential".to_owned());
    }
    let assignments = value.split_whitespace().filter(|_| key == "Environment");
    let assignments = assignments.filter_map(|word| word.trim_matches(['"', '\'']).split_once('='));
    let mut secret = assignments.filter(|(name, value)| !value.is_empty() && !in_variable(name, value).is_empty());
    secret.next().map(|(name, _)| format!("the secret `{name}`"))
}

fn with(key: &str, path: &Path) -> OsString {
    let mut property = OsString::from(key);
    property.push(path);
    property
}

/// Returns an argument in which systemd expands no variable.
fn unexpanded(word: &OsString) -> OsString {
    let bytes = word.as_bytes().iter().flat_map(|byte| if *byte == b'$' { vec![b'$'; 2] } else { vec![*byte] });
    OsString::from_vec(bytes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, drop_ins: &[&str]) -> Result<Vec<String>, String> {
        let unit = UnitFile { name: "shop.service".into(), text: format!("[Service]\n{text}") };
        let drop_ins: Vec<String> = drop_ins.iter().map(|lines| format!("[Service]\n{lines}")).collect();
        properties(&unit, &drop_ins, &Layout::of_a_shop()).map_err(|problem| problem.message)
    }

    #[test]
    fn a_command_shares_the_user_the_environment_and_the_sandbox() {
        let unit = "Type=notify\nUser=shop\nWorkingDirectory=/opt/shop\nEnvironmentFile=/etc/%N/env\nExecStart=/opt/shop/run\n\
                    StateDirectory=%N\nTimeoutStopSec=45\nKillMode=mixed\nRestart=on-failure\nCapabilityBoundingSet=\n\
                    SystemCallFilter=@system-service\nSystemCallFilter=~@privileged \\\n  @resources\nX-Note=1\n";
        let properties = check(unit, &["Environment=LANG=C.UTF-8\nExecPaths=/opt\n"]);
        let expected = [
            "User=shop",
            "EnvironmentFile=/etc/shop/env",
            "StateDirectory=shop",
            "CapabilityBoundingSet=",
            "SystemCallFilter=@system-service",
            "SystemCallFilter=~@privileged  @resources",
            "Environment=LANG=C.UTF-8",
            "ExecPaths=/opt",
            "RuntimeDirectoryPreserve=yes",
        ];
        assert_eq!(properties.expect("no secret").iter().map(String::as_str).collect::<Vec<_>>(), expected);
        assert_eq!(check("DynamicUser=yes\n", &[]).expect("no secret")[1], "User=shop");
    }

    #[test]
    fn a_secret_in_the_unit_is_refused_and_not_shown() {
        for (line, name) in [
            ("Environment=LANG=C API_TOKEN=hunter2hunter2", "the secret `API_TOKEN`"),
            ("Environment=\"SECRET_KEY=two words\"", "the secret `SECRET_KEY`"),
            ("Environment=DATABASE_URL=postgres://shop:hunter2@db/shop", "the secret `DATABASE_URL`"),
            ("SetCredential=key:hunter2", "a credential"),
        ] {
            let message = check("User=shop\n", &[line]).expect_err("a secret");
            assert!(message.contains(name) && !message.contains("hunter2") && !message.contains("words"), "{message}");
        }
    }

    #[test]
    fn systemd_expands_no_variable_of_an_argument() {
        assert_eq!(unexpanded(&"print('$HOME ${A} $$')".into()), "print('$$HOME $${A} $$$$')");
    }
}
