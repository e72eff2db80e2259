//! Unit files, as far as a deploy reads them: names, sections and the values of keys.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::unit_kind::{self, UnitKind, is_unsupported};

/// A unit file of a release.
#[derive(Debug, Clone)]
pub struct UnitFile {
    /// The name of the unit with its type, such as `shop.service`.
    pub name: String,
    /// The content of the file.
    pub text: String,
}

impl UnitFile {
    /// Reads the unit files of a folder, templates (`x@.service`) as well, in the order of their names.
    ///
    /// # Errors
    /// If the folder or one of the files cannot be read; the error names it.
    pub fn all(dir: &Path) -> Result<Vec<UnitFile>, UnitFileError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| UnitFileError { path, error }
        };
        let mut files = Vec::new();
        for entry in fs::read_dir(dir).map_err(failed(dir))? {
            let path = entry.map_err(failed(dir))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if UnitKind::of(name).is_none() {
                continue;
            }
            let text = fs::read_to_string(&path).map_err(failed(&path))?;
            files.push(UnitFile { name: name.to_owned(), text });
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    /// Returns the names in a folder that systemd would read and a deploy does not install, in order.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn unsupported(dir: &Path) -> Result<Vec<String>, UnitFileError> {
        let failed = |error| UnitFileError { path: dir.to_owned(), error };
        let mut names = Vec::new();
        for entry in fs::read_dir(dir).map_err(failed)? {
            names.extend(entry.map_err(failed)?.file_name().into_string().ok().filter(|name| is_unsupported(name)));
        }
        names.sort();
        Ok(names)
    }

    /// Returns whether it is a unit of this kind.
    #[must_use]
    pub fn is(&self, kind: UnitKind) -> bool {
        UnitKind::of(&self.name) == Some(kind)
    }

    /// Returns whether it is a socket unit.
    #[must_use]
    pub fn is_socket(&self) -> bool {
        self.is(UnitKind::Socket)
    }

    /// Returns whether it is a template, which is no unit without an instance.
    #[must_use]
    pub fn is_template(&self) -> bool {
        unit_kind::is_template(&self.name)
    }

    /// Returns whether a unit of this name is made of this file: the unit itself, or an instance of the template.
    #[must_use]
    pub fn defines(&self, name: &str) -> bool {
        if self.is_template() { unit_kind::template_of(name).as_deref() == Some(&self.name) } else { self.name == name }
    }

    /// The values of a key, in order.
    #[must_use]
    pub fn values(&self, section: &str, key: &str) -> Vec<String> {
        let value = |line: String| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == key).then(|| value.trim().to_owned())
        };
        lines(&self.text, section).filter_map(value).collect()
    }

    /// Returns whether systemd can start it at boot: it has an `[Install]` section with an effect, and is no template.
    #[must_use]
    pub fn can_be_enabled(&self) -> bool {
        let keys = ["WantedBy", "RequiredBy", "UpheldBy", "Also", "Alias"];
        !self.is_template() && keys.iter().any(|key| !self.values("Install", key).is_empty())
    }

    /// Whether it ends by itself: a task, which is not restarted.
    #[must_use]
    pub fn is_task(&self) -> bool {
        self.values("Service", "Type").last().is_some_and(|kind| kind == "oneshot")
    }
}

/// A folder of unit files, or a unit file, that cannot be read.
#[derive(Debug)]
pub struct UnitFileError {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for UnitFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read `{}`: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for UnitFileError {}

/// The lines of a section as systemd reads them, without comments; a line that goes on in the next one is one.
pub fn lines<'a>(text: &'a str, section: &'a str) -> impl Iterator<Item = String> + use<'a> {
    let header = format!("[{section}]");
    let mut is_in = false;
    logical_lines(text).into_iter().filter(move |line| {
        if line.trim_start().starts_with('[') {
            is_in = line.trim() == header;
            return false;
        }
        is_in
    })
}

fn logical_lines(text: &str) -> Vec<String> {
    let mut logical: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        // Comments may stand between the parts of a line.
        if line.trim_start().starts_with(['#', ';']) {
            continue;
        }
        let part = line.strip_suffix('\\');
        match logical.last_mut().filter(|_| goes_on) {
            Some(last) => {
                last.push(' ');
                last.push_str(part.unwrap_or(line).trim());
            }
            None => logical.push(part.unwrap_or(line).to_owned()),
        }
        goes_on = part.is_some();
    }
    logical.retain(|line| !line.trim().is_empty());
    logical
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_unit_files() {
        let dir = tempfile::tempdir().expect("a folder");
        for name in ["shop.timer", "job@.service", "README.md", "srv-shop.mount"] {
            fs::write(dir.path().join(name), "").expect("written");
        }
        fs::create_dir(dir.path().join("shop.service.d")).expect("a folder");
        let files = UnitFile::all(dir.path()).expect("readable");
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["job@.service", "shop.timer"]);
        assert_eq!(UnitFile::unsupported(dir.path()).expect("readable"), ["shop.service.d", "srv-shop.mount"]);
        assert!(files[0].defines("job@1.service") && !files[0].defines("job@.service"));
        assert!(files[1].defines("shop.timer") && files[1].is(UnitKind::Timer));
    }

    #[test]
    fn the_last_value_of_a_key_in_its_section_counts() {
        let text = "[Service]\nType=simple\n\n[Service]\n Type = oneshot\n[Install]\nType=notify\n";
        let unit = UnitFile { name: "x.service".into(), text: text.into() };
        assert_eq!(unit.values("Service", "Type"), ["simple", "oneshot"]);
        assert!(unit.is_task() && !unit.can_be_enabled());
        let unit = UnitFile { text: "[Install]\nWantedBy=multi-user.target".into(), ..unit };
        assert!(unit.can_be_enabled());
    }

    #[test]
    fn a_continued_line_is_one_line_and_comments_are_none() {
        let text = "[Service]\nExecStart=/x \\\n# comment\n  --a\n; other\nUser=me\n[Unit]\nUser=no\n";
        assert_eq!(lines(text, "Service").collect::<Vec<_>>(), ["ExecStart=/x  --a", "User=me"]);
    }
}
