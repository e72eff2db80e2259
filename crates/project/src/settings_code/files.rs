//! The files that the settings of a project are made of.

use std::fs;
use std::path::{Path, PathBuf};

use super::text::{literals, statements};

/// A larger file is no settings.
const LARGEST: u64 = 1024 * 1024;
/// Settings are made of fewer files.
const MOST_FILES: usize = 50;

/// Returns the files of the settings with their texts: the module that `manage.py` names, the settings beside it, the
/// modules of the project that these import or include, and the module of Celery.
pub(super) fn of_settings(manage_dir: &Path) -> Vec<(PathBuf, String)> {
    let Some(manage) = read(&manage_dir.join("manage.py")) else { return Vec::new() };
    let Some((module, mut waiting)) = settings_module(manage_dir, &manage) else { return Vec::new() };
    if let Some((package, _)) = module.split_once('.') {
        waiting.push(manage_dir.join(package).join("celery.py"));
    }
    let mut found: Vec<(PathBuf, String)> = Vec::new();
    while let Some(path) = (!waiting.is_empty()).then(|| waiting.remove(0)) {
        if found.len() == MOST_FILES || found.iter().any(|(known, _)| *known == path) {
            continue;
        }
        let Some(text) = read(&path) else { continue };
        for statement in statements(&text) {
            waiting.extend(imported(&statement.text, &path, manage_dir));
        }
        found.push((path, text));
    }
    found
}

/// Returns the module of the settings that `manage.py` names, with its files: of the literals next to
/// `DJANGO_SETTINGS_MODULE`, else of all, the first that is a module of the project.
fn settings_module(manage_dir: &Path, manage: &str) -> Option<(String, Vec<PathBuf>)> {
    let statements = statements(manage);
    let (near, others): (Vec<_>, Vec<_>) = statements
        .iter()
        .map(|statement| statement.text.as_str())
        .partition(|text| text.contains("DJANGO_SETTINGS_MODULE"));
    let modules = near.into_iter().chain(others).flat_map(literals);
    modules
        .filter(|module| !module.is_empty() && module.chars().all(|c| c.is_alphanumeric() || "_.".contains(c)))
        .map(|module| (module.to_owned(), of_module(manage_dir, module)))
        .find(|(_, files)| !files.is_empty())
}

/// The names of modules that have settings, in a folder with others.
const MODULES: [&str; 9] =
    ["base", "common", "default", "dev", "development", "local", "prod", "production", "staging"];

/// Returns the files of a module: in a package of settings, also of the modules next to it.
fn of_module(manage_dir: &Path, module: &str) -> Vec<PathBuf> {
    // Some projects keep their packages in `src`.
    let bases = [manage_dir.to_owned(), manage_dir.join("src")];
    let path: PathBuf = module.split('.').collect();
    let Some(path) = bases.map(|base| base.join(&path)).into_iter().find(|path| file_of(path).is_some()) else {
        return Vec::new();
    };
    let first = file_of(&path);
    let is_settings = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("settings"));
    let package = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
    let is_package = package.is_some_and(is_settings);
    let is_wanted = |path: &Path| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let is_python = path.extension().is_some_and(|extension| extension == "py");
        let is_of_tests = ["ci", "test"].iter().any(|begin| stem.starts_with(begin));
        is_python && !is_of_tests && (is_package || MODULES.contains(&&*stem))
    };
    let mut next_to: Vec<PathBuf> = package
        .and_then(|package| fs::read_dir(package).ok())
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    next_to.retain(|path| is_wanted(path));
    next_to.sort();
    first.into_iter().chain(next_to).collect()
}

/// Returns the file of a module by its path without an extension.
fn file_of(path: &Path) -> Option<PathBuf> {
    [path.with_extension("py"), path.join("__init__.py")].into_iter().find(|path| path.is_file())
}

/// Returns the files that a statement imports from the project (`from module import name`), or includes by their paths as
/// django-split-settings does.
fn imported(statement: &str, importer: &Path, manage_dir: &Path) -> Vec<PathBuf> {
    if statement.contains("include(") {
        let is_python = |path: &&str| Path::new(path).extension().is_some_and(|extension| extension == "py");
        return literals(statement).into_iter().filter(is_python).flat_map(|path| included(importer, path)).collect();
    }
    let import = statement.strip_prefix("from ").and_then(|rest| rest.split_once(" import "));
    let Some((module, names)) = import else { return Vec::new() };
    let module = module.trim();
    let (base, name) = match module.trim_start_matches('.') {
        name if name.len() == module.len() => (Some(manage_dir), name),
        name => (importer.ancestors().nth(module.len() - name.len()), name),
    };
    let Some(path) = base.map(|base| base.join(name.split('.').collect::<PathBuf>())) else { return Vec::new() };
    let names = names.split([',', '(', ')']).filter_map(|name| name.split_whitespace().next());
    let modules = names.filter(|name| *name != "*").filter_map(|name| file_of(&path.join(name)));
    file_of(&path).into_iter().chain(modules).collect()
}

/// Returns the files of a path that is relative to a file; its last part may have `*`.
fn included(importer: &Path, path: &str) -> Vec<PathBuf> {
    let path = importer.parent().unwrap_or(Path::new("")).join(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some((begin, end)) = name.split_once('*') else { return vec![path] };
    let entries = path.parent().and_then(|dir| fs::read_dir(dir).ok());
    let mut found: Vec<_> = entries.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(begin) && name.ends_with(end)
    });
    found.sort();
    found
}

fn read(path: &Path) -> Option<String> {
    let is_small = fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LARGEST);
    is_small.then(|| fs::read_to_string(path).ok()).flatten()
}
