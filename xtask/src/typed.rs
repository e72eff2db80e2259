//! Commands that are printed for the operator, complete: typed as they are printed, they act on the project of this run,
//! with the options of this run.

use std::path::Path;

use project::secret;
use subprocess::quoted;

use crate::cli;
use crate::host::Host;

/// The words before the name of a command.
const US: &str = "cargo xtask ";

/// How commands begin that look for their files in the current folder.
const ON_FOLDER: [&str; 12] = [
    "chmod ",
    "docker compose ",
    "git ",
    "lefthook ",
    "ls .xtask",
    "npx ",
    "overcommit ",
    "pre-commit ",
    "printf ",
    "sed -i ",
    "sudo install ",
    "uv ",
];

/// Where the caller stands, and which project this run was given.
#[derive(Debug, Default)]
pub(crate) struct Caller {
    /// The name of the program, if it was called by that: it is installed.
    program: Option<String>,
    /// The value of `--project`, as a shell reads it.
    project: Option<String>,
    /// The root folder, if the caller stands elsewhere.
    elsewhere: Option<String>,
}

impl Caller {
    pub(crate) fn of(common: &cli::Common, host: &Host, root: &Path) -> Self {
        let is_here = host.current_dir.as_ref().is_ok_and(|dir| dir.canonicalize().is_ok_and(|dir| dir == root));
        Caller {
            program: host.program.clone(),
            project: common.project.as_ref().map(|dir| quoted(&dir.to_string_lossy())),
            elsewhere: (!is_here).then(|| quoted(&root.to_string_lossy())),
        }
    }

    /// A text in which every command of ours begins as this run did, and has its `--project`; one that is a command on
    /// files of the project begins by going there.
    pub(crate) fn typed(&self, text: &str) -> String {
        if let Some(root) = self.elsewhere.as_ref().filter(|_| ON_FOLDER.iter().any(|begin| text.starts_with(begin))) {
            return format!("cd {root} && {text}");
        }
        let us = self.program.as_ref().map_or_else(|| US.to_owned(), |program| format!("{program} "));
        let project = self.project.as_ref().map(|project| format!(" --project {project}")).unwrap_or_default();
        let mut parts = text.split(US);
        let mut typed = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(part.len());
            let (command, rest) = part.split_at(end);
            typed.extend([&us, command, &project, rest]);
        }
        typed
    }
}

/// An `install` with the options of this one, on these axes.
pub(crate) fn install(args: &cli::Install, is_yes: bool, env: Option<&str>, method: Option<&str>) -> String {
    let mut words = vec!["cargo xtask install".to_owned()];
    words.extend(env.map(|env| format!("--env {env}")));
    words.extend(method.map(|method| format!("--method {method}")));
    // One that looks like a secret after all is for the operator to put in.
    words.extend(args.set.iter().filter_map(|set| set.split_once('=')).filter_map(|(variable, value)| {
        let is_refused = secret::is_secret(variable) || !secret::in_variable(variable, value).is_empty();
        let value = if secret::shown(variable, value) == value { value } else { "…" };
        (!is_refused).then(|| format!("--set {}", quoted(&format!("{variable}={value}"))))
    }));
    words.extend(args.answers.as_ref().map(|file| format!("--answers {}", quoted(&file.to_string_lossy()))));
    words.extend(args.no_deploy.then(|| "--no-deploy".to_owned()));
    words.extend(is_yes.then(|| "--yes".to_owned()));
    words.join(" ")
}

/// A `health --fix --yes` of the checks that this run was about.
pub(crate) fn fix(args: &cli::Health) -> String {
    let selectors = |option: &str, names: &[checks::catalogue::Selector]| {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        (!names.is_empty()).then(|| format!(" {option} {}", names.join(",")))
    };
    let chosen = [selectors("--only", &args.only), selectors("--skip", &args.skip)];
    format!("cargo xtask health --fix --yes{}", chosen.into_iter().flatten().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(project: Option<&str>, elsewhere: Option<&str>) -> Caller {
        Caller { program: None, project: project.map(str::to_owned), elsewhere: elsewhere.map(str::to_owned) }
    }

    #[track_caller]
    fn check(caller: &Caller, text: &str, expected: &str) {
        assert_eq!(caller.typed(text), expected);
    }

    #[test]
    fn every_command_of_ours_names_the_project_of_this_run() {
        let given = caller(Some("'../a shop'"), None);
        check(&given, "cargo xtask install", "cargo xtask install --project '../a shop'");
        check(
            &given,
            "sudoedit /etc/x, or cargo xtask deploy-systemd --sync-env, or cargo xtask health, or not",
            "sudoedit /etc/x, or cargo xtask deploy-systemd --project '../a shop' --sync-env, or cargo xtask health \
             --project '../a shop', or not",
        );
        check(&given, "uv lock", "uv lock");
        check(&caller(None, None), "cargo xtask install --env prod", "cargo xtask install --env prod");
    }

    #[test]
    fn an_installed_program_goes_by_its_own_name() {
        let installed = |project| Caller { program: Some("xtask".to_owned()), ..caller(project, None) };
        check(&installed(None), "cargo xtask install, or cargo xtask health", "xtask install, or xtask health");
        check(&installed(Some("shop")), "cargo xtask install --env prod", "xtask install --project shop --env prod");
    }

    #[test]
    fn a_command_on_files_of_the_project_goes_there_first() {
        let away = caller(None, Some("/srv/shop"));
        check(&away, "chmod 640 .env", "cd /srv/shop && chmod 640 .env");
        check(
            &away,
            "docker compose -f compose.yaml up -d web",
            "cd /srv/shop && docker compose -f compose.yaml up -d web",
        );
        check(&away, "journalctl -u shop.service -n 50", "journalctl -u shop.service -n 50");
        check(&caller(None, None), "chmod 640 .env", "chmod 640 .env");
    }

    #[test]
    fn the_options_of_this_run_are_repeated() {
        use clap::Parser;
        let call = |words: &str| cli::Cli::try_parse_from(words.split(' ')).expect("it parses").command;
        let words = "x install --set A=two --set A_TOKEN=hunter2 --set B=c;d --answers /srv/answers --no-deploy";
        let cli::Command::Install(args) = call(words) else { panic!("an install") };
        assert_eq!(
            install(&args, true, Some("prod"), Some("docker")),
            "cargo xtask install --env prod --method docker --set A=two --set 'B=c;d' --answers /srv/answers --no-deploy --yes"
        );
        let cli::Command::Health(args) = call("x health --only env,core.uv --fix") else { panic!("health") };
        assert_eq!(fix(&args), "cargo xtask health --fix --yes --only env,core.uv");
        let words = "x deploy-docker --timeout 5m --rollback --replace /srv/a --abandon-data";
        let cli::Command::DeployDocker(args) = call(words) else { panic!("a deploy") };
        assert_eq!(
            args.options().command_line(true),
            "cargo xtask deploy-docker --timeout 5m --replace /srv/a --rollback --abandon-data --yes"
        );
        let cli::Command::DeploySystemd(args) = call("x deploy-systemd --sync-env") else { panic!("a deploy") };
        assert_eq!(args.options().command_line(false), "cargo xtask deploy-systemd --sync-env");
        assert_eq!(::deploy::systemd::Options::default().command_line(false), "cargo xtask deploy-systemd");
    }
}
