//! Whether uv may download a Python.

use std::fs;

use envfile::EnvFile;

use crate::Project;

/// The variable that decides it, before the settings of the project.
const UV_PYTHON_DOWNLOADS: &str = "UV_PYTHON_DOWNLOADS";
/// The variable of uv with which it downloads no Python.
pub const NO_DOWNLOADS: (&str, &str) = (UV_PYTHON_DOWNLOADS, "never");

/// Returns whether uv downloads a Python that is missing: not if `UV_PYTHON_DOWNLOADS` in `.env` or in the caller's
/// environment (`inherited`), or else `python-downloads` in `uv.toml` or in `pyproject.toml`, is `manual` or `never`.
#[must_use]
pub fn may_download_python(project: &Project, env_file: &EnvFile, inherited: Option<&str>) -> bool {
    let in_file = env_file.get(UV_PYTHON_DOWNLOADS).map(|entry| entry.value);
    let variable = in_file.or_else(|| inherited.map(str::to_owned)).filter(|value| !value.is_empty());
    let setting = variable.or_else(|| setting(project));
    setting.is_none_or(|setting| matches!(setting.to_ascii_lowercase().as_str(), "automatic" | "auto" | "true" | "1"))
}

/// Returns `python-downloads` at the root of the workspace. uv ignores `pyproject.toml` next to a `uv.toml`.
fn setting(project: &Project) -> Option<String> {
    let root = project.workspace_root();
    let read = |name: &str| fs::read_to_string(root.join(name)).ok()?.parse::<toml::Table>().ok();
    let settings = match read("uv.toml") {
        Some(settings) => settings,
        None => read("pyproject.toml")?.get("tool")?.get("uv")?.as_table()?.clone(),
    };
    match settings.get("python-downloads")? {
        toml::Value::String(word) => Some(word.clone()),
        toml::Value::Boolean(is_on) => Some(is_on.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    #[test]
    fn variables_come_before_the_settings_of_the_project() {
        let dir = tempfile::tempdir().expect("a folder");
        let project = Project::with(dir.path().to_owned(), Settings::default()).expect("a project");
        let check = |file: &str, inherited: Option<&str>, expected: bool| {
            let found = may_download_python(&project, &EnvFile::parse(file.as_bytes()), inherited);
            assert_eq!(found, expected, "{file} {inherited:?}");
        };
        check("", None, true);
        check("", Some("never"), false);
        check("UV_PYTHON_DOWNLOADS=automatic\n", Some("never"), true);
        check("UV_PYTHON_DOWNLOADS=manual\n", None, false);
        fs::write(dir.path().join("pyproject.toml"), "[tool.uv]\npython-downloads = 'manual'\n").expect("written");
        check("", None, false);
        check("", Some("automatic"), true);
        fs::write(dir.path().join("uv.toml"), "python-downloads = 'automatic'\n").expect("written");
        check("", None, true);
        fs::write(dir.path().join("uv.toml"), "python-downloads = false\n").expect("written");
        check("", None, false);
    }
}
