//! `dev`: tools that only developers need.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use project::secret::Secrets;
use subprocess::{Command, Deadline};

use crate::outcome::Outcome;
use crate::run::Probe;
use crate::{CheckName, Target};

const NAME: CheckName = CheckName::known("dev.hooks");

/// A program that installs Git hooks.
struct HookTool {
    /// The files or folders that configure it; any of them.
    configured_by: &'static [&'static str],
    /// Texts in the hooks that it installs; one of them is enough.
    marks: &'static [&'static str],
    /// The command that installs them.
    install: &'static str,
}

#[rustfmt::skip]
const HOOK_TOOLS: [HookTool; 4] = [
    HookTool { configured_by: &[".pre-commit-config.yaml", ".pre-commit-config.yml"],                          marks: &["pre-commit", "prek"], install: "pre-commit install" },
    HookTool { configured_by: &["lefthook.yml", "lefthook.yaml", ".lefthook.yml", ".lefthook.yaml", "lefthook.toml"], marks: &["lefthook"],      install: "lefthook install" },
    HookTool { configured_by: &[".husky"],                                                                     marks: &["husky", "${0%/*}/h"], install: "npx husky" },
    HookTool { configured_by: &[".overcommit.yml"],                                                            marks: &["overcommit"],         install: "overcommit --install" },
];

pub(super) fn probes(target: &Arc<Target>) -> Vec<Probe> {
    let target = Arc::clone(target);
    vec![Probe::new([NAME], move |deadline| vec![hooks(&target.project.root, &target.secrets, deadline)])]
}

fn hooks(root: &Path, secrets: &Secrets, deadline: &Deadline) -> Outcome {
    let configured = HOOK_TOOLS.iter().find_map(|tool| {
        let file = tool.configured_by.iter().find(|name| root.join(name).exists())?;
        Some((tool, *file))
    });
    let Some((tool, file)) = configured else { return Outcome::skip(NAME, "the project has no hook configuration") };
    // Git knows of `core.hooksPath`, and where the hooks of a worktree are.
    let dir = match Command::git(["rev-parse", "--git-path", "hooks"]).dir(root).run(deadline) {
        Ok(finished) if finished.is_success() => root.join(finished.stdout().trim_end_matches('\n')),
        Ok(finished) if root.join(".git").exists() => {
            return Outcome::warn(NAME, secrets.redact(&finished.failure_reason()));
        }
        Ok(_) => return Outcome::skip(NAME, "this is no Git checkout"),
        Err(error) => return Outcome::warn(NAME, error.to_string()),
    };
    let installed = installed(&dir, tool.marks);
    if installed.is_empty() {
        return Outcome::warn(NAME, format!("`{file}` is there, and its hooks are not installed")).hint(tool.install);
    }
    Outcome::ok(NAME, format!("`{file}`: {}", installed.join(", ")))
}

/// The names of the hooks that Git would run, and in which one of `marks` stands.
fn installed(dir: &Path, marks: &[&str]) -> Vec<String> {
    // No folder is no hook.
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let is_theirs = |path: &PathBuf| {
        let is_executable =
            path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
        // Anything but a file could keep us waiting.
        if !is_executable || path.extension().is_some() {
            return false;
        }
        let text = fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        marks.iter().any(|mark| text.contains(mark))
    };
    let mut names: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(is_theirs)
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A repository with a hook configuration, and the hook `pre-commit` with this text, if any.
    #[track_caller]
    fn check(configuration: &str, hook: Option<&str>, expected: &str) {
        let dir = tempfile::tempdir().expect("a folder");
        let deadline = Deadline::within(Duration::from_secs(10));
        Command::git(["init", "-q"]).dir(dir.path()).run(&deadline).expect("git answers");
        fs::write(dir.path().join(configuration), "").expect("written");
        if let Some(text) = hook {
            let path = dir.path().join(".git/hooks/pre-commit");
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        let outcome = hooks(dir.path(), &Secrets::default(), &deadline);
        let hint = outcome.hint.unwrap_or_default();
        assert_eq!(format!("{} {} {hint}", outcome.status, outcome.message), expected);
    }

    #[test]
    fn every_tool_knows_its_own_hooks() {
        check(".pre-commit-config.yaml", Some("# pre-commit"), "ok `.pre-commit-config.yaml`: pre-commit ");
        check("lefthook.yml", Some("call_lefthook run"), "ok `lefthook.yml`: pre-commit ");
        check(".husky", Some(". \"${0%/*}/h\""), "ok `.husky`: pre-commit ");
        check(".overcommit.yml", Some("# overcommit"), "ok `.overcommit.yml`: pre-commit ");
        let missing = "warn `lefthook.yml` is there, and its hooks are not installed lefthook install";
        check("lefthook.yml", None, missing);
        check("lefthook.yml", Some("git lfs pre-push"), missing);
        check("README", None, "skip the project has no hook configuration ");
    }

    #[test]
    fn without_a_repository_there_are_no_hooks() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("lefthook.yml"), "").expect("written");
        let outcome = hooks(dir.path(), &Secrets::default(), &Deadline::within(Duration::from_secs(10)));
        assert_eq!(outcome, Outcome::skip(NAME, "this is no Git checkout"));
    }
}
