//! The kinds of units, by the ends of their names.

/// A kind of unit that a deploy installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitKind {
    /// Runs processes.
    Service,
    /// Starts a service when something connects.
    Socket,
    /// Starts a service at its times.
    Timer,
    /// Starts a service when a file changes.
    Path,
    /// Groups other units.
    Target,
    /// Limits the resources of the units in it.
    Slice,
}

/// The kinds, with the ends of their names.
const KINDS: [(&str, UnitKind); 6] = [
    ("service", UnitKind::Service),
    ("socket", UnitKind::Socket),
    ("timer", UnitKind::Timer),
    ("path", UnitKind::Path),
    ("target", UnitKind::Target),
    ("slice", UnitKind::Slice),
];

/// The ends of the names of other units.
const UNSUPPORTED: [&str; 5] = ["automount", "device", "mount", "scope", "swap"];
/// The ends of the names of the folders that systemd reads beside unit files.
const FOLDERS: [&str; 3] = ["d", "requires", "wants"];

impl UnitKind {
    /// Returns the kind of the unit of this name; `None` if it is no unit of a known kind.
    #[must_use]
    pub fn of(name: &str) -> Option<UnitKind> {
        let (stem, end) = name.rsplit_once('.')?;
        let (_, kind) = KINDS.into_iter().find(|(known, _)| *known == end)?;
        let has_name = !stem.is_empty() && !stem.starts_with('@');
        has_name.then_some(kind)
    }

    /// Returns whether systemd can start and stop it at any time: not a slice, which lives with the units in it.
    #[must_use]
    pub fn is_started(self) -> bool {
        self != UnitKind::Slice
    }
}

/// Returns whether systemd would read a file or folder of this name, and a deploy does not install it.
#[must_use]
pub fn is_unsupported(name: &str) -> bool {
    let Some((stem, end)) = name.rsplit_once('.') else { return false };
    // A folder for one unit, or for all of a kind.
    let is_for_units = UnitKind::of(stem).is_some() || KINDS.iter().any(|(kind, _)| *kind == stem);
    (UNSUPPORTED.contains(&end) && !stem.is_empty()) || (FOLDERS.contains(&end) && is_for_units)
}

/// Returns whether it is the name of a template, such as `shop@.service`: it is no unit without an instance.
#[must_use]
pub fn is_template(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, _)| stem.ends_with('@'))
}

/// Returns the template of an instance: `shop@.service` for `shop@a.b.service`.
#[must_use]
pub fn template_of(name: &str) -> Option<String> {
    let ((stem, end), _) = (name.rsplit_once('.')?, UnitKind::of(name)?);
    let (prefix, instance) = stem.split_once('@')?;
    (!instance.is_empty()).then(|| format!("{prefix}@.{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_files() {
        for (name, kind) in [
            ("shop.service", Some(UnitKind::Service)),
            ("shop.socket", Some(UnitKind::Socket)),
            ("job@.service", Some(UnitKind::Service)),
            ("job@a.b.timer", Some(UnitKind::Timer)),
            ("a.path", Some(UnitKind::Path)),
            ("a.b.target", Some(UnitKind::Target)),
            ("a.slice", Some(UnitKind::Slice)),
            (".service", None),
            ("@.service", None),
            ("srv-shop.mount", None),
            ("README.md", None),
            ("README", None),
        ] {
            assert_eq!(UnitKind::of(name), kind, "{name}");
        }
    }

    #[test]
    fn files_that_only_systemd_would_read() {
        for name in ["srv-shop.mount", "a.swap", "shop.service.d", "service.d", "job@.service.d", "shop.target.wants"] {
            assert!(is_unsupported(name), "{name}");
        }
        for name in ["shop.service", "README.md", "README", "conf.d", "env", "shop.conf", "old.wants"] {
            assert!(!is_unsupported(name), "{name}");
        }
    }

    #[test]
    fn templates_and_their_instances() {
        assert!(is_template("job@.service") && !is_template("job@a.service") && !is_template("job.service"));
        assert_eq!(template_of("job@a.b.service").as_deref(), Some("job@.service"));
        assert_eq!(template_of("job@.service"), None);
        assert_eq!(template_of("job.service"), None);
    }
}
