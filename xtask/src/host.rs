//! The facts of this machine and this call, read once. Nothing else reads the environment.

use std::env;
use std::io::{self, IsTerminal};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use checks::HostFacts;
use project::ComposeVariables;
use project::UvSettings;
use project::secret::in_variable;
use subprocess::{Command, Deadline, Finished};

/// The time that `id` has to respond.
const ID_TIMEOUT: Duration = Duration::from_secs(2);

/// The facts of this machine and this call.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts, each of its own")]
pub(crate) struct Host {
    /// Where the caller stands.
    pub(crate) current_dir: io::Result<PathBuf>,
    /// Where GitHub Actions has checked the repository out.
    pub(crate) github_workspace: Option<PathBuf>,
    /// The name by which we were called, if a shell has found us on PATH.
    pub(crate) program: Option<String>,
    /// The file that this program runs from.
    pub(crate) executable: io::Result<PathBuf>,
    /// The folder of this package, when cargo has started us.
    pub(crate) manifest_dir: Option<PathBuf>,
    /// Whether the caller can be asked: prompts are read from standard input and written to standard error.
    pub(crate) can_ask: bool,
    /// Whether a program that is started gets a terminal for its input and its output.
    pub(crate) has_terminal: bool,
    pub(crate) stdout_has_color: bool,
    pub(crate) stderr_has_color: bool,
    pub(crate) stdout_is_terminal: bool,
    pub(crate) stderr_is_terminal: bool,
    /// Of the user that this runs as.
    pub(crate) uid: u32,
    /// Of its first group.
    pub(crate) gid: u32,
    /// Who this is, such as `deploy@server`.
    pub(crate) user: String,
    /// Compose's variables in the environment.
    pub(crate) compose_variables: ComposeVariables,
    /// The facts of this machine that the checks need.
    pub(crate) facts: HostFacts,
}

impl Host {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub(crate) fn read() -> Self {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        // https://no-color.org: present and not empty.
        let wants_color = !is_set("NO_COLOR") && env::var_os("TERM").is_none_or(|term| term != "dumb");
        let stderr_is_terminal = io::stderr().is_terminal();
        // rustyline cannot edit on these, nor hide a secret.
        let can_edit = env::var("TERM").is_ok_and(|term| !["dumb", "cons25", "emacs"].contains(&&*term));
        // Without `/proc` the user is unknown, and not root.
        let ids = std::fs::metadata("/proc/self").map_or((u32::MAX, u32::MAX), |own| (own.uid(), own.gid()));
        Host {
            current_dir: env::current_dir(),
            github_workspace: env::var_os("GITHUB_WORKSPACE").map(PathBuf::from),
            program: env::args().next().filter(|program| !program.contains('/')),
            executable: env::current_exe(),
            manifest_dir: env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from),
            has_terminal: io::stdin().is_terminal() && io::stdout().is_terminal(),
            can_ask: io::stdin().is_terminal() && stderr_is_terminal && can_edit,
            stdout_has_color: wants_color && io::stdout().is_terminal(),
            stderr_has_color: wants_color && stderr_is_terminal,
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal,
            uid: ids.0,
            gid: ids.1,
            user: user(),
            compose_variables: ComposeVariables {
                file: env::var("COMPOSE_FILE").ok(),
                path_separator: env::var("COMPOSE_PATH_SEPARATOR").ok(),
                has_env_files: is_set("COMPOSE_ENV_FILES"),
            },
            facts: HostFacts {
                has_systemd: Path::new("/run/systemd/system").is_dir() && is_on_path("systemctl"),
                uv: UvSettings::of(|name| env::var(name).ok()),
                secrets: secrets(),
            },
        }
    }
}

/// Returns the user who is logged in, and the host name.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn user() -> String {
    let named = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let uid = || std::fs::metadata("/proc/self").map_or("somebody".to_owned(), |own| format!("uid {}", own.uid()));
    // Neither is set in a cron job, or in a container.
    let by_id = || Command::new("id", ["-un"]).run(&Deadline::within(ID_TIMEOUT)).ok();
    let by_id = || by_id().filter(Finished::is_success).map(|finished| finished.stdout().trim().to_owned());
    let user = named("USER").or_else(|| named("LOGNAME")).or_else(by_id).unwrap_or_else(uid);
    match std::fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(host) => format!("{user}@{}", host.trim()),
        Err(_) => user,
    }
}

/// The secrets that programs inherit from the caller, and may print.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn secrets() -> Vec<String> {
    let variables =
        env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    // Their names sound like passwords, and they are folders.
    let variables = variables.filter(|(name, _)| !matches!(name.as_str(), "PWD" | "OLDPWD"));
    variables.flat_map(|(name, value)| in_variable(&name, &value)).collect()
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn is_on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}
