//! Projects whose dependencies another tool than uv installs.

use std::fmt;
use std::path::Path;

use subprocess::quoted;

/// The dependencies of a project, as another tool has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherTool {
    /// The file with the dependencies.
    file: &'static str,
    tool: &'static str,
    /// The command that converts the project.
    pub(crate) command: String,
}

impl fmt::Display for OtherTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OtherTool { file, tool, .. } = self;
        write!(f, "the dependencies are in `{file}` ({tool}), and `pyproject.toml` with `uv.lock` is expected")
    }
}

/// Finds the other tool of a project without a table `[project]`; `pyproject` is the text of `pyproject.toml`.
pub(crate) fn find(service_dir: &Path, pyproject: Option<&str>) -> Option<OtherTool> {
    let table: toml::Table = pyproject.and_then(|text| toml::from_str(text).ok()).unwrap_or_default();
    let of_uv = table.contains_key("project") || service_dir.join("uv.lock").is_file();
    // A file that is no TOML is another error.
    if of_uv || (table.is_empty() && pyproject.is_some_and(|text| !text.trim().is_empty())) {
        return None;
    }
    let has = |file: &str| service_dir.join(file).is_file();
    let is_of_poetry = table.get("tool").is_some_and(|tool| tool.get("poetry").is_some());
    let dir = quoted(&service_dir.to_string_lossy());
    let migrate = format!("cd {dir} && uvx migrate-to-uv");
    let found = |file, tool, command| Some(OtherTool { file, tool, command });
    match () {
        () if is_of_poetry => found("pyproject.toml", "Poetry", migrate),
        () if has("Pipfile") => found("Pipfile", "Pipenv", migrate),
        () if has("requirements.txt") => {
            let init = if pyproject.is_some() { "" } else { "uv init --bare && " };
            found("requirements.txt", "pip", format!("cd {dir} && {init}uv add -r requirements.txt"))
        }
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: Option<(&str, &str)>) {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            fs::write(dir.path().join(name), text).expect("written");
        }
        let pyproject = fs::read_to_string(dir.path().join("pyproject.toml")).ok();
        let found = find(dir.path(), pyproject.as_deref());
        let command = |found: &OtherTool| found.command.split_once(" && ").map(|(_, command)| command.to_owned());
        let found = found.map(|found| (found.tool, command(&found).unwrap_or_default()));
        assert_eq!(found, expected.map(|(tool, command)| (tool, command.to_owned())), "{files:?}");
    }

    #[test]
    fn projects_of_other_tools_have_a_command_that_converts_them() {
        let init = "uv init --bare && uv add -r requirements.txt";
        check(&[("requirements.txt", "django")], Some(("pip", init)));
        let ruff = ("pyproject.toml", "[tool.ruff]\n");
        check(&[("requirements.txt", "django"), ruff], Some(("pip", "uv add -r requirements.txt")));
        check(&[("Pipfile", "")], Some(("Pipenv", "uvx migrate-to-uv")));
        check(&[("pyproject.toml", "[tool.poetry]\nname = 'x'\n")], Some(("Poetry", "uvx migrate-to-uv")));
        check(&[("requirements.txt", ""), ("pyproject.toml", "[project]\nname = 'x'\n")], None);
        check(&[("requirements.txt", ""), ("uv.lock", "")], None);
        check(&[("requirements.txt", ""), ("pyproject.toml", "[project\n")], None);
        check(&[], None);
    }
}
