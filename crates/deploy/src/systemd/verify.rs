//! The static checks of unit files: whether systemd can run them, and whether their programs are in the release.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use envfile::EnvFile;
use project::secret::{self, Secrets};
use subprocess::{Address, Command, Deadline};

use super::canary::{self, PREFIXES, Role};
use super::layout::Layout;
use super::manager;
use crate::failure::Problem;
use crate::migrations::migrates;
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
        return vec![Problem::new(message).hint(format!("set `unit-dir` in {}", layout.settings_file))];
    }
    let mut problems = Vec::new();
    let files: Vec<PathBuf> = units.iter().map(|unit| root.join(&layout.unit_dir).join(&unit.name)).collect();
    let args = ["verify".into(), "--man=no".into()].into_iter().chain(files.into_iter().map(PathBuf::into_os_string));
    match Command::new("systemd-analyze", args).run(deadline) {
        // Its exit status is 0 for an unknown key.
        Ok(finished) => {
            let findings = findings(finished.stderr(), units, layout, root);
            problems.extend(findings.into_iter().map(|line| Problem::new(format!("systemd-analyze verify: {line}"))));
        }
        Err(error) => problems.push(Problem::new(error.to_string())),
    }
    problems.extend(outside(units, layout));
    for unit in units {
        for line in unit.values("Service", "ExecStart") {
            let Some(program) = program(&line) else { continue };
            let Ok(inside) = Path::new(program).strip_prefix(&layout.install_dir) else { continue };
            let venv = &layout.venv;
            if !inside.starts_with(venv) && source.is_some_and(|source| !source.has(inside)) {
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

/// Returns the problem of a file or folder that systemd would read, and that a deploy does not install.
pub(super) fn unsupported(name: &str, layout: &Layout) -> Problem {
    let path = layout.unit_dir.join(name);
    let path = path.display();
    let (what, hint) = match name.rsplit_once('.') {
        Some((unit, "d")) => ("a folder of drop-ins", format!("put its lines into `{unit}`")),
        Some((unit, "wants" | "requires")) => {
            ("a folder of links", format!("put `WantedBy={unit}` into the section `[Install]` of the units in it"))
        }
        _ => (
            "a unit of a type",
            format!("install it on the machine by hand, and move it out of `{}`", layout.unit_dir.display()),
        ),
    };
    let types = "services, sockets, timers, paths, targets, slices and templates of these";
    Problem::new(format!("`{path}` is {what} that a deploy does not install: it installs {types}")).hint(hint)
}

/// Returns a problem if the web service does not start from the install folder: a deploy would change nothing of it.
fn outside(units: &[UnitFile], layout: &Layout) -> Option<Problem> {
    let web = units.iter().find(|unit| Role::of(unit, layout) == Role::Web)?;
    let install_dir = layout.install_dir.display().to_string();
    let is_inside = |value: &str| canary::moved(value, &layout.install_dir, Path::new("/")) != value;
    let mut values = ["ExecStart", "WorkingDirectory"].into_iter().flat_map(|key| web.values("Service", key));
    if values.any(|value| is_inside(&canary::with_name(&value, &web.name))) {
        return None;
    }
    let message = format!(
        "`{}` does not start from `{install_dir}`, which leads to the release: neither `ExecStart` nor \
         `WorkingDirectory` names it",
        web.name
    );
    Some(Problem::new(message).hint(format!("correct the unit file, or set `install-dir` in {}", layout.settings_file)))
}

/// Returns a problem for each unit of the machine, or of the project, that has the name of a temporary unit.
pub(super) fn name_conflicts(units: &[UnitFile], layout: &Layout, secrets: &Secrets) -> anyhow::Result<Vec<Problem>> {
    let names = canary::temporary_unit_names(layout);
    let left = canary::left_temporary_units(layout);
    let problem = |name: &str, owner: String| {
        let message = format!("`{name}` is a unit of {owner}: the deploy needs the name for a temporary unit");
        Problem::new(message).hint(format!("rename it, or set another `name` in {}", layout.settings_file))
    };
    let installed = manager::show(&names, secrets)?;
    let installed = installed.iter().filter(|unit| unit.is_installed() && !left.contains(&unit.name));
    let on_machine =
        installed.map(|unit| problem(&unit.name, format!("this machine (`{}`)", unit.get("FragmentPath"))));
    let in_project = units.iter().filter(|unit| names.contains(&unit.name));
    let in_project =
        in_project.map(|unit| problem(&unit.name, format!("the project (`{}`)", layout.unit_dir.display())));
    Ok(on_machine.chain(in_project).collect())
}

/// Returns a problem for each file that the deploy would replace and that is a link: its target would stay as it is. A link
/// to `/dev/null` masks a unit, which stays so; the web service must not be masked.
pub(super) fn links(units: &[UnitFile], layout: &Layout) -> Vec<Problem> {
    let files = units.iter().map(|unit| layout.unit_file(&unit.name)).chain([layout.env_file.clone()]);
    let main = layout.unit_file(&layout.main_unit());
    let links = files.filter_map(|file| fs::read_link(&file).ok().map(|to| (file, to)));
    let problem = |(file, to): (PathBuf, PathBuf)| {
        let shown = file.display();
        if to != Path::new("/dev/null") {
            let message = format!("`{shown}` is a link to `{}`: a deploy would put a file in its place", to.display());
            return Some(
                Problem::new(message).hint(format!("sudo cp --remove-destination $(readlink -f {shown}) {shown}")),
            );
        }
        let message = format!("`{}` is masked", layout.main_unit());
        (file == main).then(|| Problem::new(message).hint(format!("sudo systemctl unmask {}", layout.main_unit())))
    };
    links.filter_map(problem).collect()
}

/// The ends of names of env files that are samples.
const SAMPLES: [&str; 5] = ["sample", "example", "template", "dist", "defaults"];

/// Returns a problem for each tracked env file with secrets: a release would have it, readable for every user.
pub(super) fn tracked_secrets(source: &Source) -> Vec<Problem> {
    let is_env_file = |file: &&PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(".env.") && !SAMPLES.iter().any(|end| name.ends_with(end))
    };
    let has_secret = |file: &&PathBuf| {
        let variables = fs::read(source.root().join(file)).map(|text| project::variables(&EnvFile::parse(&text)));
        variables.is_ok_and(|found| found.iter().any(|(name, value)| !secret::in_variable(name, value).is_empty()))
    };
    let problem = |file: &PathBuf| {
        let message =
            format!("`{}` has secrets and is tracked by Git: every user could read it in a release", file.display());
        Problem::new(message).hint(format!("git rm --cached {}", file.display()))
    };
    source.files().filter(is_env_file).filter(has_secret).map(problem).collect()
}

/// Returns the units that start with a command which seems to migrate the database.
pub(super) fn hidden_migrations(units: &[UnitFile]) -> Vec<&str> {
    let keys = ["ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload"];
    let is_found =
        |unit: &&UnitFile| keys.iter().flat_map(|key| unit.values("Service", key)).any(|line| migrates(&line));
    units.iter().filter(is_found).map(|unit| unit.name.as_str()).collect()
}

/// The lines that are about these units. That a program of the release is not there yet is no news.
fn findings(stderr: &str, units: &[UnitFile], layout: &Layout, root: &Path) -> Vec<String> {
    let is_ours = |line: &str| {
        // systemd verifies a template by an instance.
        let subject = line.split(':').next().unwrap_or_default();
        let is_about = |unit: &UnitFile| {
            unit.name == subject || unit.defines(subject) || line.contains(&format!("/{}:", unit.name))
        };
        units.iter().any(is_about)
    };
    let not_there = format!("Command {}/", layout.install_dir.display());
    let is_to_come = |line: &str| line.contains(&not_there) && line.contains("is not executable");
    let prefix = format!("{}/", root.display());
    let lines = stderr.lines().map(str::trim).filter(|line| is_ours(line) && !is_to_come(line));
    lines.map(|line| line.replace(&prefix, "")).collect()
}

/// The path in a value of `ExecStart`, without systemd's prefixes.
fn program(exec_start: &str) -> Option<&str> {
    exec_start.trim_start_matches(PREFIXES).split_whitespace().next()
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
    fn findings_about_other_units_are_left_out() {
        let layout = Layout::of_a_shop();
        let units = [unit("shop.service", ""), unit("job@.service", "")];
        let stderr = "/srv/app/units/shop.service:5: Unknown key name 'Restrat' in section 'Service', ignoring.\n\
                      /lib/systemd/system/dbus.service:7: Unknown key name 'Other'.\n\
                      shop.service: Command /opt/shop/.venv/bin/gunicorn is not executable: No such file or directory\n\
                      shop.service: Command /usr/bin/gone is not executable: No such file or directory\n\
                      job@test_instance.service: Command /opt/shop/job is not executable: No such file or directory\n\
                      job@i.service: Command /usr/bin/gone is not executable: No such file or directory\n";
        assert_eq!(
            findings(stderr, &units, &layout, Path::new("/srv/app")),
            [
                "units/shop.service:5: Unknown key name 'Restrat' in section 'Service', ignoring.",
                "shop.service: Command /usr/bin/gone is not executable: No such file or directory",
                "job@i.service: Command /usr/bin/gone is not executable: No such file or directory"
            ]
        );
    }

    fn unit(name: &str, text: &str) -> UnitFile {
        UnitFile { name: name.into(), text: text.into() }
    }

    #[test]
    fn a_web_service_outside_of_the_install_folder_is_refused() {
        let problem =
            |text: &str| outside(&[unit("shop.service", text)], &Layout::of_a_shop()).map(|problem| problem.message);
        assert!(problem("[Service]\nExecStart=/opt/shop/.venv/bin/gunicorn app\n").is_none());
        assert!(problem("[Service]\nExecStart=/usr/bin/gunicorn app\nWorkingDirectory=-/opt/shop/app\n").is_none());
        let other = problem("[Service]\nExecStart=/home/me/shop/.venv/bin/gunicorn app\nUser=/opt/shop\n");
        assert!(other.is_some_and(|message| message.contains("does not start from `/opt/shop`")));
        assert!(problem("[Service]\nExecStart=/opt/%N/run\n").is_none());
        // Another folder with a name that begins the same way.
        assert!(problem("[Service]\nExecStart=/opt/shop-old/run\n").is_some());
    }

    #[test]
    fn files_that_a_deploy_does_not_install_are_named_with_their_change() {
        for (name, hint) in [
            ("shop.service.d", "put its lines into `shop.service`"),
            ("shop.target.wants", "put `WantedBy=shop.target` into the section `[Install]` of the units in it"),
            ("srv-media.mount", "install it on the machine by hand, and move it out of `units`"),
        ] {
            let Problem { message, hint: found } = unsupported(name, &Layout::of_a_shop());
            assert!(message.starts_with(&format!("`units/{name}` is ")), "{message}");
            assert_eq!(found.as_deref(), Some(hint));
        }
    }

    #[test]
    fn links_in_place_of_files_are_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let layout =
            Layout { env_file: dir.path().join("env"), system_units: dir.path().to_owned(), ..Layout::of_a_shop() };
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, dir.path().join(name)).expect("a link");
        let units = [unit("shop.service", ""), unit("shop-worker.service", "")];
        assert!(links(&units, &layout).is_empty());
        link("/dev/null", "shop-worker.service");
        assert!(links(&units, &layout).is_empty(), "a masked unit stays so");
        link("/dev/null", "shop.service");
        link("env.production", "env");
        let messages: Vec<_> = links(&units, &layout).into_iter().map(|problem| problem.message).collect();
        assert_eq!(messages[0], "`shop.service` is masked");
        assert!(messages[1].ends_with("env` is a link to `env.production`: a deploy would put a file in its place"));
    }

    #[test]
    fn a_tracked_env_file_with_secrets_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("written");
        write(".env.production", "DJANGO_SECRET_KEY=k8s-0123456789-abcdefghij\n");
        write(".env.sample", "DJANGO_SECRET_KEY=k8s-0123456789-abcdefghij\n");
        write(".env.ci", "DEBUG=1\n");
        let files = [".env.production", ".env.sample", ".env.ci", ".env.gone"].map(PathBuf::from);
        let problems = tracked_secrets(&Source::of_files(dir.path(), files.into()));
        let messages: Vec<_> = problems.into_iter().map(|problem| problem.message).collect();
        assert_eq!(
            messages,
            ["`.env.production` has secrets and is tracked by Git: every user could read it in a release"]
        );
    }

    #[test]
    fn migrations_in_start_up_commands_are_found() {
        let text = "[Service]\nExecStartPre=-/opt/shop/.venv/bin/python manage.py migrate --noinput\nExecStart=/opt/shop/run\n\
                    ExecStartPost=/opt/shop/premigrated\n";
        let other = "[Service]\nExecStart=/opt/shop/run\n";
        let units = [unit("shop.service", text), unit("shop-worker.service", other)];
        assert_eq!(hidden_migrations(&units), ["shop.service"]);
    }

    #[test]
    fn words_of_unit_files() {
        assert_eq!(program("-/opt/shop/run --fast"), Some("/opt/shop/run"));
        assert_eq!(listened("8000").map(|it| it.to_string()).as_deref(), Some("localhost:8000"));
        assert_eq!(bound("/x/gunicorn -b 127.0.0.1:9 app").map(|it| it.to_string()).as_deref(), Some("127.0.0.1:9"));
    }
}
