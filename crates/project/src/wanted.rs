//! The Python that a service asks for: `requires-python`, and the version in `.python-version`.

use std::fmt;
use std::fs;
use std::path::Path;

use pep440_rs::{Operator, Version, VersionSpecifiers};

use crate::{Project, UvSettings};

/// The file that pins a version of Python, as uv and pyenv read it.
const PIN_FILE: &str = ".python-version";
/// The file as the source of a request.
const FROM_FILE: &str = "`.python-version`";

/// The Python that a service asks for.
#[derive(Debug, Clone)]
pub struct WantedPython {
    requires: VersionSpecifiers,
    pin: Option<Pin>,
}

/// The request of a `.python-version`.
#[derive(Debug, Clone)]
struct Pin {
    /// The file or the variable, in backticks.
    source: &'static str,
    /// As it is in the file, such as `3.13` or `cpython@3.13`.
    request: String,
    /// The versions that it allows; `None` for a name, a path or another implementation, which only uv can find.
    versions: Option<VersionSpecifiers>,
}

impl WantedPython {
    /// A Python that `requires-python` allows, of the version in `UV_PYTHON`, or else of the one that is pinned in the service
    /// folder or above it, up to the root of the workspace. A pin that contradicts `requires-python` does not count.
    #[must_use]
    pub fn of(project: &Project, requires: &VersionSpecifiers, uv_settings: &UvSettings) -> Self {
        if let Some(request) = &uv_settings.python {
            return WantedPython::new(requires, Some(Pin::of("`UV_PYTHON`", request)));
        }
        let (service_dir, root) = (project.service_dir(), project.workspace_root());
        let dirs = service_dir.ancestors().take_while(|dir| dir.starts_with(&root));
        let pin = dirs.map(pin_in).find(Option::is_some).flatten();
        WantedPython::new(requires, pin)
    }

    /// A Python that satisfies a requirement, whatever is pinned.
    pub(crate) fn any(requires: &VersionSpecifiers) -> Self {
        WantedPython::new(requires, None)
    }

    fn new(requires: &VersionSpecifiers, pin: Option<Pin>) -> Self {
        let pin = pin.filter(|pin| !pin.contradicts(requires));
        WantedPython { requires: requires.clone(), pin }
    }

    /// Returns the request with the minor version of an interpreter, such as 3.13, where none is pinned.
    #[must_use]
    pub fn like(&self, version: &Version) -> Self {
        if self.pin.is_some() {
            return self.clone();
        }
        let minor: Vec<_> = version.release().iter().take(2).map(ToString::to_string).collect();
        WantedPython::new(&self.requires, Some(Pin::of("`.venv`", &minor.join("."))))
    }

    /// Whether this version will do.
    #[must_use]
    pub fn allows(&self, version: &Version) -> bool {
        let pinned = self.pin.as_ref().and_then(|pin| pin.versions.as_ref());
        self.requires.contains(version) && pinned.is_none_or(|pinned| pinned.contains(version))
    }

    /// Whether the version of an interpreter shows that it is the wanted one.
    pub(crate) fn is_version(&self) -> bool {
        self.pin.as_ref().is_none_or(|pin| pin.versions.is_some())
    }

    /// Returns the request as `uv python find` takes it.
    pub(crate) fn request(&self) -> String {
        self.pin.as_ref().map_or_else(|| self.requires.to_string(), |pin| pin.request.clone())
    }

    /// Returns a request for `uv python install`: the pin, else the oldest version that is allowed, such as `3.13`.
    #[must_use]
    pub fn to_install(&self) -> String {
        if let Some(pin) = &self.pin {
            return pin.request.clone();
        }
        let is_lower_bound = |operator| {
            use Operator::{Equal, EqualStar, ExactEqual, GreaterThanEqual, TildeEqual};
            matches!(operator, Equal | EqualStar | ExactEqual | GreaterThanEqual | TildeEqual)
        };
        let oldest = self.requires.iter().find(|bound| is_lower_bound(*bound.operator()));
        match oldest.map(|bound| bound.version().release().to_vec()) {
            Some(release) => release.iter().take(2).map(ToString::to_string).collect::<Vec<_>>().join("."),
            None => self.requires.to_string(),
        }
    }
}

impl fmt::Display for WantedPython {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pin {
            Some(pin) => write!(f, "{} ({})", pin.request, pin.source),
            None => self.requires.fmt(f),
        }
    }
}

fn pin_in(dir: &Path) -> Option<Pin> {
    let text = fs::read_to_string(dir.join(PIN_FILE)).ok()?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Some(Pin::of(FROM_FILE, lines.next()?))
}

/// Parses a request for versions of `CPython`: `3.13`, `cpython@3.13.1`, `python3.13`, `313` or `>=3.12,<3.14`.
fn versions(request: &str) -> Option<VersionSpecifiers> {
    if request.starts_with(['<', '>', '=', '!', '~']) {
        return request.parse().ok();
    }
    let prefixes = ["cpython@", "cpython", "python@", "python", "cp", ""];
    let version = prefixes.iter().find_map(|prefix| request.strip_prefix(prefix))?;
    let parts: Vec<&str> = match version.split_at_checked(1) {
        Some((major, minor)) if !minor.is_empty() && !minor.contains('.') => vec![major, minor],
        _ => version.split('.').collect(),
    };
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !parts.iter().all(is_number) {
        return None;
    }
    let any = if parts.len() < 3 { ".*" } else { "" };
    format!("=={}{any}", parts.join(".")).parse().ok()
}

impl Pin {
    fn of(source: &'static str, request: &str) -> Self {
        Pin { source, request: request.to_owned(), versions: versions(request) }
    }

    /// Whether no version satisfies both; judged for a pin of one version.
    fn contradicts(&self, requires: &VersionSpecifiers) -> bool {
        let Some([pinned]) = self.versions.as_deref() else { return false };
        let release = pinned.version().release().to_vec();
        let Some(((major, minor), rest)) = release.first().zip(release.get(1)).map(|pair| (pair, &release[2..])) else {
            return false;
        };
        // Of a minor version, the first and the last release can be on different sides of a bound.
        let patches = rest.first().map_or_else(|| vec![0, 99], |patch| vec![*patch]);
        !patches.iter().any(|patch| requires.contains(&Version::new([*major, *minor, *patch])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    fn wanted(requires: &str, pin: &str) -> WantedPython {
        let pin = (!pin.is_empty()).then(|| Pin::of(FROM_FILE, pin));
        WantedPython::new(&requires.parse().expect("a specifier"), pin)
    }

    #[track_caller]
    fn check(requires: &str, pin: &str, allowed: &[&str], refused: &[&str]) {
        let wanted = wanted(requires, pin);
        for version in allowed {
            assert!(wanted.allows(&version.parse().expect("a version")), "{wanted} refuses {version}");
        }
        for version in refused {
            assert!(!wanted.allows(&version.parse().expect("a version")), "{wanted} allows {version}");
        }
    }

    #[test]
    fn a_pin_narrows_what_is_required() {
        check(">=3.11", "", &["3.11.0", "3.14.1"], &["3.10.9"]);
        for pin in ["3.13", "cpython@3.13", "python3.13", "cpython3.13", "313", "cp313"] {
            check(">=3.11", pin, &["3.13.0", "3.13.9"], &["3.12.9", "3.14.0"]);
        }
        check(">=3.11", "3.13.1", &["3.13.1"], &["3.13.0"]);
        check(">=3.11", "3", &["3.11.0", "3.14.0"], &[]);
        check(">=3.11", ">=3.12,<3.14", &["3.12.0"], &["3.11.0", "3.14.0"]);
        // Only uv finds it.
        check(">=3.11", "pypy@3.11", &["3.11.0"], &["3.10.0"]);
        check(">=3.11", "3.13t", &["3.11.0"], &[]);
        // uv refuses it as well, with a message of its own.
        check(">=3.11", "3.10", &["3.11.0"], &["3.10.0"]);
        check(">=3.11.4", "3.11", &["3.11.7"], &["3.11.0", "3.12.0"]);
    }

    #[test]
    fn the_minor_version_of_an_interpreter_is_wanted() {
        let like = |version: &str| wanted(">=3.11", "").like(&version.parse().expect("a version"));
        assert!(like("3.13.2").allows(&Version::new([3, 13, 9])));
        assert!(!like("3.13.2").allows(&Version::new([3, 12, 2])));
        let pinned = wanted(">=3.11", "3.12").like(&Version::new([3, 13, 2]));
        assert!(!pinned.allows(&Version::new([3, 13, 2])));
        // An old environment is of no account.
        assert!(like("3.10.1").allows(&Version::new([3, 12, 2])));
    }

    #[test]
    fn a_version_to_install_is_named() {
        for (requires, pin, expected) in [
            (">=3.13", "", "3.13"),
            (">=3.13.1,<4", "", "3.13"),
            ("<4,>=3.12", "", "3.12"),
            ("==3.12.*", "", "3.12"),
            ("~=3.12", "", "3.12"),
            ("<4", "", "<4"),
            (">=3.11", "3.13.1", "3.13.1"),
        ] {
            assert_eq!(wanted(requires, pin).to_install(), expected, "{requires} {pin}");
        }
    }

    #[test]
    fn the_nearest_pin_up_to_the_workspace_counts() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        write("pyproject.toml", "[tool.uv.workspace]\nmembers = ['web']\n");
        write("web/pyproject.toml", "");
        write("other/pyproject.toml", "");
        write(".python-version", "# the team's\n\n3.13\n");
        let wanted_with = |service_dir: &str, uv_settings: &UvSettings| {
            let settings = Settings { service_dir: Some(service_dir.into()), ..Settings::default() };
            let project = Project::with(dir.path().to_owned(), settings).expect("a project");
            WantedPython::of(&project, &">=3.11".parse().expect("a specifier"), uv_settings).to_string()
        };
        let wanted = |service_dir: &str| wanted_with(service_dir, &UvSettings::default());
        assert_eq!([wanted("web"), wanted("other")], ["3.13 (`.python-version`)", ">=3.11"]);
        write("web/.python-version", "3.12\n");
        assert_eq!(wanted("web"), "3.12 (`.python-version`)");
        let by_variable = UvSettings { python: Some("3.14".into()), ..UvSettings::default() };
        assert_eq!(wanted_with("web", &by_variable), "3.14 (`UV_PYTHON`)");
    }
}
