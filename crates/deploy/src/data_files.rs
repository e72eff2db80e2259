//! Files of a service that a new release will not have: their likely kind, and their list in messages.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// The number of entries that a message lists; the rest is counted.
const MAX_LISTED: usize = 12;

/// The likely kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Database,
    Settings,
    Log,
    /// An upload, most likely.
    Other,
}

impl Kind {
    /// By the name of the file and of its folders.
    pub(super) fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        // SQLite keeps a journal beside the file.
        let stem = ["-wal", "-shm", "-journal"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        let has_end = |ends: &[&str]| ends.iter().any(|end| stem.ends_with(end));
        if has_end(&[".sqlite3", ".sqlite", ".db", ".db3", ".rdb", ".aof", ".ibd", ".wt", ".mdb"])
            || matches!(stem, "pg_version" | "ibdata1")
        {
            Kind::Database
        } else if name == ".env" || name.starts_with(".env.") {
            Kind::Settings
        } else if is_upload(path) {
            Kind::Other
        } else if has_end(&[".log"]) || name.contains(".log.") || is_below(path, &["log", "logs"]) {
            Kind::Log
        } else {
            Kind::Other
        }
    }
}

/// Whether one of the folders of a path has one of these names.
fn is_below(path: &Path, names: &[&str]) -> bool {
    let mut folders = path.parent().into_iter().flat_map(Path::components);
    folders.any(|part| names.iter().any(|name| part.as_os_str().eq_ignore_ascii_case(name)))
}

/// Whether a file is where users' uploads usually are.
pub(super) fn is_upload(path: &Path) -> bool {
    is_below(path, &["media", "upload", "uploads"])
}

/// Returns the folders that are made from the code, by the files in them: virtual environments, and collected static
/// files. An upload or a database is neither.
pub(super) fn made_from_code<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
    let marks = ["pyvenv.cfg", "staticfiles.json", "admin/css/base.css"];
    let folder = |file: &PathBuf| {
        let mark = marks.iter().find(|mark| file.ends_with(mark))?;
        file.ancestors().nth(Path::new(mark).components().count()).map(Path::to_owned)
    };
    files.into_iter().filter_map(folder).filter(|dir| dir.file_name().is_some()).collect()
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Database => "a database",
            Kind::Settings => "settings",
            Kind::Log => "a log",
            Kind::Other => "uploads or other data",
        })
    }
}

/// A file, or a folder with how many there are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) count: usize,
    /// Of several, the first of the list above.
    pub(super) kind: Kind,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match (self.count, self.kind) {
            (0, kind) => write!(f, "`{path}` ({kind})"),
            (1, kind) => write!(f, "`{path}/` (1 file: {kind})"),
            (count, kind) => write!(f, "`{path}/` ({count} files: {kind})"),
        }
    }
}

/// Groups files by the outermost folder that holds nothing else; `is_shared` returns whether a folder holds a part of
/// the release.
pub(super) fn entries(files: &[(PathBuf, Kind)], is_shared: impl Fn(&Path) -> bool) -> Vec<Entry> {
    let mut entries: BTreeMap<PathBuf, Entry> = BTreeMap::new();
    for (file, kind) in files {
        let folders: Vec<&Path> = file.ancestors().skip(1).filter(|dir| !dir.as_os_str().is_empty()).collect();
        let own = folders.into_iter().rev().find(|dir| dir.parent().is_some() && !is_shared(dir));
        let (path, is_folder) = own.map_or((file.as_path(), false), |dir| (dir, true));
        let entry = entries.entry(path.to_owned()).or_insert(Entry { path: path.to_owned(), count: 0, kind: *kind });
        entry.count += usize::from(is_folder);
        entry.kind = entry.kind.min(*kind);
    }
    entries.into_values().collect()
}

/// The entries in one line each, or the first ones and how many more there are.
pub(super) fn listed(entries: &[Entry], place: impl Fn(&Entry) -> String) -> String {
    let lines = entries.iter().take(MAX_LISTED).map(|entry| format!("\n  {entry}{}", place(entry)));
    let more = entries.len().saturating_sub(MAX_LISTED);
    let rest = (more > 0).then(|| format!("\n  and {more} more"));
    lines.chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_files() {
        for (path, expected) in [
            ("db.sqlite3", Kind::Database),
            ("data/app.db-wal", Kind::Database),
            ("dump.rdb", Kind::Database),
            ("base/PG_VERSION", Kind::Database),
            (".env", Kind::Settings),
            (".env.production", Kind::Settings),
            ("logs/access", Kind::Log),
            ("debug.log.1", Kind::Log),
            ("media/a.png", Kind::Other),
            ("catalog/list", Kind::Other),
            ("media/logs/report.pdf", Kind::Other),
            ("uploads/server.log", Kind::Other),
            ("media/list.db", Kind::Database),
        ] {
            assert_eq!(Kind::of(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn files_are_listed_by_their_folders() {
        let files =
            ["app/media/2024/a.png", "app/media/2025/b.png", "app/media/c.db", "app/db.sqlite3", "x/y/z", "top"];
        let files: Vec<_> = files.iter().map(|file| (PathBuf::from(file), Kind::of(Path::new(file)))).collect();
        let shared = |dir: &Path| dir == Path::new("app");
        let entries = entries(&files, shared);
        let parsed: Vec<String> = entries.iter().map(ToString::to_string).collect();
        assert_eq!(
            parsed,
            [
                "`app/db.sqlite3` (a database)",
                "`app/media/` (3 files: a database)",
                "`top` (uploads or other data)",
                "`x/` (1 file: uploads or other data)"
            ]
        );
        assert_eq!(listed(&entries[..1], |_| ": there".into()), "\n  `app/db.sqlite3` (a database): there");
        let many = vec![entries[0].clone(); 20];
        assert!(listed(&many, |_| String::new()).ends_with("\n  and 8 more"));
    }
}
