//! Whether uv may download a Python.

use std::fs;

use crate::{Project, UvSettings};

/// Returns whether uv downloads a Python that is missing: not if `UV_PYTHON_DOWNLOADS`, or else `python-downloads` in
/// `uv.toml` or in `pyproject.toml`, is `manual` or `never`.
#[must_use]
pub fn may_download_python(project: &Project, uv_settings: &UvSettings) -> bool {
    let setting = uv_settings.python_downloads.clone().or_else(|| setting(project));
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
        let check = |variable: &str, expected: bool| {
            let settings = UvSettings::of(|_| Some(variable.to_owned()));
            assert_eq!(may_download_python(&project, &settings), expected, "{variable}");
        };
        check("", true);
        check("never", false);
        check("automatic", true);
        check("manual", false);
        fs::write(dir.path().join("pyproject.toml"), "[tool.uv]\npython-downloads = 'manual'\n").expect("written");
        check("", false);
        check("automatic", true);
        fs::write(dir.path().join("uv.toml"), "python-downloads = 'automatic'\n").expect("written");
        check("", true);
        fs::write(dir.path().join("uv.toml"), "python-downloads = false\n").expect("written");
        check("", false);
    }
}
