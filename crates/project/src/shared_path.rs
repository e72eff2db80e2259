//! The setting `shared-paths`: files and folders of a checkout that all releases have in common.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer};

/// A file or folder with data of the service, such as uploads or a database file, which outlives a release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SharedPath {
    /// From the project's root.
    pub path: PathBuf,
    /// Whether it is a folder: written with a slash at the end.
    pub is_folder: bool,
}

impl SharedPath {
    /// Returns whether a path, from the project's root as well, is this one or below it.
    #[must_use]
    pub fn has(&self, path: &Path) -> bool {
        path == self.path || self.is_folder && path.starts_with(&self.path)
    }
}

impl fmt::Display for SharedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.path.display(), if self.is_folder { "/" } else { "" })
    }
}

impl<'de> Deserialize<'de> for SharedPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = SharedPath;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path from the project's root")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SharedPath, E> {
                let components = || Path::new(text).components().filter(|part| *part != Component::CurDir);
                if !components().all(|part| matches!(part, Component::Normal(_))) {
                    return Err(E::custom(format!("`{text}` is not a path below the project's root")));
                }
                let path: PathBuf = components().collect();
                if path.as_os_str().is_empty() {
                    return Err(E::custom(format!("`{text}` is the project itself, which each release has anew")));
                }
                Ok(SharedPath { path, is_folder: text.ends_with('/') })
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Deserializes the list: no path is there twice, or below another one.
pub(crate) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SharedPath>, D::Error> {
    let all = Vec::<SharedPath>::deserialize(deserializer)?;
    for (index, shared) in all.iter().enumerate() {
        let is_outer = |(other, outer): &(usize, &SharedPath)| *other != index && shared.path.starts_with(&outer.path);
        if let Some((_, outer)) = all.iter().enumerate().find(is_outer) {
            return Err(D::Error::custom(format!("`{shared}` is in `{outer}`, which is shared as well")));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Setting {
        #[serde(deserialize_with = "list")]
        paths: Vec<SharedPath>,
    }

    #[track_caller]
    fn check(list: &str, expected: Result<&str, &str>) {
        let parsed = toml::from_str::<Setting>(&format!("paths = {list}\n"));
        let shown = |setting: Setting| setting.paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let found = parsed.map(shown).map_err(|error| error.message().to_owned());
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{list}");
    }

    #[test]
    fn shared_paths_are_below_the_project() {
        check("['db.sqlite3', './media/', 'var/exports/']", Ok("db.sqlite3 media/ var/exports/"));
        check("['/srv/media']", Err("`/srv/media` is not a path below the project's root"));
        check("['media/../..']", Err("`media/../..` is not a path below the project's root"));
        check("['./']", Err("`./` is the project itself, which each release has anew"));
        check("['']", Err("`` is the project itself, which each release has anew"));
        check("['media/a', 'media/']", Err("`media/a` is in `media/`, which is shared as well"));
        check("['media', 'media/']", Err("`media` is in `media/`, which is shared as well"));
        check("[1]", Err("invalid type: integer `1`, expected a path from the project's root"));
    }

    #[test]
    fn a_shared_folder_has_what_is_below_it() {
        let shared = |path: &str, is_folder| SharedPath { path: path.into(), is_folder };
        assert!(shared("media", true).has(Path::new("media/a/b.png")));
        assert!(shared("media", true).has(Path::new("media")));
        assert!(!shared("media", true).has(Path::new("media2/a")));
        assert!(!shared("db.sqlite3", false).has(Path::new("db.sqlite3/x")));
    }
}
