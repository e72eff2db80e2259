//! The files that the settings of a project are made of.

use std::fs;
use std::path::{Path, PathBuf};

use super::text::{literals, statements};

/// A larger file is no settings.
const LARGEST: u64 = 1024 * 1024;
/// Settings are made of fewer files.
const MOST_FILES: usize = 50;

/// Returns the files of the settings with their texts: the module that `manage.py` names, the modules beside it if they
/// are in a package `settings`, and those of the project that they import with `*`; and the module of Celery.
pub(super) fn of_settings(manage_dir: &Path) -> Vec<(PathBuf, String)> {
    let Some(manage) = read(&manage_dir.join("manage.py")) else { return Vec::new() };
    let Some(module) = module_of(&manage) else { return Vec::new() };
    let mut waiting = of_module(manage_dir, &module);
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

/// Returns the module of the settings in the text of `manage.py`.
fn module_of(manage: &str) -> Option<String> {
    let statement = statements(manage).into_iter().find(|it| it.text.contains("DJANGO_SETTINGS_MODULE"))?;
    let literals = literals(&statement.text);
    let position = literals.iter().position(|literal| *literal == "DJANGO_SETTINGS_MODULE")?;
    literals.get(position + 1).map(|module| (*module).to_owned())
}

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
    let package = if path.is_dir() { Some(path.as_path()) } else { path.parent().filter(|parent| is_settings(parent)) };
    let mut next_to: Vec<PathBuf> = package
        .and_then(|package| fs::read_dir(package).ok())
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    next_to.retain(|path| path.extension().is_some_and(|extension| extension == "py"));
    next_to.sort();
    first.into_iter().chain(next_to).collect()
}

/// Returns the file of a module by its path without an extension.
fn file_of(path: &Path) -> Option<PathBuf> {
    [path.with_extension("py"), path.join("__init__.py")].into_iter().find(|path| path.is_file())
}

/// Returns the files of `from module import *`.
fn imported(statement: &str, importer: &Path, manage_dir: &Path) -> Option<PathBuf> {
    let module = statement.strip_prefix("from ")?.strip_suffix("import *")?.trim();
    let (base, name) = match module.trim_start_matches('.') {
        name if name.len() == module.len() => (manage_dir.to_owned(), name),
        name => (importer.ancestors().nth(module.len() - name.len())?.to_owned(), name),
    };
    file_of(&base.join(name.split('.').collect::<PathBuf>()))
}

fn read(path: &Path) -> Option<String> {
    let is_small = fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LARGEST);
    is_small.then(|| fs::read_to_string(path).ok()).flatten()
}
