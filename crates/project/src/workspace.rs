//! The root of a uv workspace: its members share the `uv.lock` and the `.venv` there.
//!
//! Follows uv's discovery of workspaces, as its documentation describes `[tool.uv.workspace]`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Document {
    tool: Tool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tool {
    uv: Uv,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Uv {
    workspace: Option<Workspace>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Workspace {
    members: Vec<String>,
    exclude: Vec<String>,
}

/// Returns the root of the workspace that a folder with a `pyproject.toml` belongs to; the folder itself if it is in
/// none. The nearest `pyproject.toml` above decides: it declares a workspace with this member, or there is none.
pub(crate) fn workspace_root(project_dir: &Path) -> PathBuf {
    let declared = |dir: &Path| {
        let text = fs::read_to_string(dir.join("pyproject.toml")).ok()?;
        // A file that is no TOML is reported where it is used.
        Some(toml::from_str::<Document>(&text).unwrap_or_default().tool.uv.workspace)
    };
    if declared(project_dir).flatten().is_some() {
        return project_dir.to_owned();
    }
    let above = project_dir.ancestors().skip(1).find_map(|dir| Some((dir, declared(dir)?)));
    match above {
        Some((root, Some(workspace))) if is_member(root, &workspace, project_dir) => root.to_owned(),
        _ => project_dir.to_owned(),
    }
}

fn is_member(root: &Path, workspace: &Workspace, project_dir: &Path) -> bool {
    let Ok(member) = project_dir.strip_prefix(root) else { return false };
    let path: Vec<&str> = member.iter().filter_map(|name| name.to_str()).collect();
    let is_listed = |globs: &[String]| {
        globs.iter().any(|glob| {
            let parts: Vec<&str> = glob.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
            matches_path(&parts, &path)
        })
    };
    is_listed(&workspace.members) && !is_listed(&workspace.exclude)
}

/// Matches a path with a glob, both split at the slashes; `**` stands for any number of folders.
fn matches_path(glob: &[&str], path: &[&str]) -> bool {
    match (glob, path) {
        ([], []) => true,
        (["**", rest @ ..], _) => (0..=path.len()).any(|skipped| matches_path(rest, &path[skipped..])),
        ([part, glob @ ..], [name, path @ ..]) => {
            matches_name(part.as_bytes(), name.as_bytes()) && matches_path(glob, path)
        }
        _ => false,
    }
}

/// Matches a name with `*`, `?` and `[…]`.
fn matches_name(glob: &[u8], name: &[u8]) -> bool {
    match (glob, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skipped| matches_name(rest, &name[skipped..])),
        ([b'?', glob @ ..], [_, name @ ..]) => matches_name(glob, name),
        ([b'[', set @ ..], [byte, name @ ..]) => match set.iter().position(|end| *end == b']') {
            Some(end) => is_in_set(&set[..end], *byte) && matches_name(&set[end + 1..], name),
            None => false,
        },
        ([one, glob @ ..], [byte, name @ ..]) => one == byte && matches_name(glob, name),
        _ => false,
    }
}

/// Whether a character is in a set such as `a-z_` or `!0-9`.
fn is_in_set(set: &[u8], byte: u8) -> bool {
    let (is_negated, set) = match set {
        [b'!', set @ ..] => (true, set),
        set => (false, set),
    };
    let is_in = match set {
        [first, b'-', last, rest @ ..] => (*first..=*last).contains(&byte) || is_in_set(rest, byte),
        [first, rest @ ..] => *first == byte || is_in_set(rest, byte),
        [] => false,
    };
    is_in != is_negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(workspace: &str, member: &str, is_member: bool) {
        let dir = tempfile::tempdir().expect("a folder");
        let project_dir = dir.path().join(member);
        fs::create_dir_all(&project_dir).expect("made");
        fs::write(dir.path().join("pyproject.toml"), workspace).expect("written");
        fs::write(project_dir.join("pyproject.toml"), "[project]\nname = 'x'\n").expect("written");
        let expected = if is_member { dir.path() } else { &project_dir };
        assert_eq!(workspace_root(&project_dir), expected);
    }

    #[test]
    fn members_have_the_root_of_their_workspace() {
        let workspace =
            "[tool.uv.workspace]\nmembers = ['packages/*', './apps/web', 'deep/**/end']\nexclude = ['packages/old*']\n";
        check(workspace, "packages/shop", true);
        check(workspace, "packages/old-shop", false);
        check(workspace, "packages/shop/inner", false);
        check(workspace, "apps/web", true);
        check(workspace, "apps/other", false);
        check(workspace, "deep/a/b/end", true);
        check("[project]\nname = 'root'\n", "packages/shop", false);
        check("no TOML", "packages/shop", false);
        let sets = "[tool.uv.workspace]\nmembers = ['[a-c]?op', '[!x]y']\n";
        for (member, is_member) in [("chop", true), ("dhop", false), ("cop", false), ("ay", true), ("xy", false)] {
            check(sets, member, is_member);
        }
    }

    #[test]
    fn a_root_is_its_own_and_a_project_between_ends_the_search() {
        let dir = tempfile::tempdir().expect("a folder");
        let (middle, inner) = (dir.path().join("a"), dir.path().join("a/b"));
        fs::create_dir_all(&inner).expect("made");
        fs::write(dir.path().join("pyproject.toml"), "[tool.uv.workspace]\nmembers = ['a/*', 'a']\n").expect("written");
        assert_eq!(workspace_root(dir.path()), dir.path());
        fs::write(inner.join("pyproject.toml"), "").expect("written");
        assert_eq!(workspace_root(&inner), dir.path());
        fs::write(middle.join("pyproject.toml"), "[project]\nname = 'a'\n").expect("written");
        assert_eq!(workspace_root(&inner), inner);
    }
}
