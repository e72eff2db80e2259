//! `dev`: what only developers need.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::command::Command;
use crate::outcome::Outcome;
use crate::run::Probe;
use crate::{Deadline, Site};

const NAME: &str = "dev.hooks";

/// A program that installs Git hooks.
struct HookTool {
    /// The files or folders that configure it; any of them.
    configured_by: &'static [&'static str],
    /// What stands in the hooks that it has installed; any of them.
    marks: &'static [&'static str],
    /// How it is told to install them.
    install: &'static str,
}

#[rustfmt::skip]
const HOOK_TOOLS: [HookTool; 4] = [
    HookTool { configured_by: &[".pre-commit-config.yaml", ".pre-commit-config.yml"],                          marks: &["pre-commit", "prek"], install: "pre-commit install" },
    HookTool { configured_by: &["lefthook.yml", "lefthook.yaml", ".lefthook.yml", ".lefthook.yaml", "lefthook.toml"], marks: &["lefthook"],      install: "lefthook install" },
    HookTool { configured_by: &[".husky"],                                                                     marks: &["husky"],              install: "npx husky" },
    HookTool { configured_by: &[".overcommit.yml"],                                                            marks: &["overcommit"],         install: "overcommit --install" },
];

pub(super) fn probes(site: &Arc<Site>) -> Vec<Probe> {
    let root = site.project.root.clone();
    vec![Probe::new([NAME], move |deadline| vec![hooks(&root, deadline)])]
}

fn hooks(root: &Path, deadline: &Deadline) -> Outcome {
    let configured = HOOK_TOOLS.iter().find_map(|tool| {
        let file = tool.configured_by.iter().find(|name| root.join(name).exists())?;
        Some((tool, *file))
    });
    let Some((tool, file)) = configured else { return Outcome::skip(NAME, "the project has no hook configuration") };
    // Git knows of `core.hooksPath`, and where the hooks of a worktree are.
    let dir = match Command::new("git", ["rev-parse", "--git-path", "hooks"]).dir(root).run(deadline) {
        Ok(finished) if finished.is_success() => root.join(finished.stdout().trim_end_matches('\n')),
        Ok(finished) if root.join(".git").exists() => return Outcome::warn(NAME, finished.complaint()),
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
        let text = fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        is_executable && path.extension().is_none() && marks.iter().any(|mark| text.contains(mark))
    };
    let mut names: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(is_theirs)
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}
