//! The name of a check: one of the catalogue, or of a service or unit in it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use crate::catalogue::{self, CATALOGUE};

/// The name of a check, such as `django.migrations` or `docker.service.web`. There is none for a check that the catalogue
/// does not have, so that no outcome can be left out of a report's order, of `--only` and of `--list`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckName(Cow<'static, str>);

impl CheckName {
    /// Returns this name of the catalogue. In a constant, a name that it does not have is an error of the compiler.
    ///
    /// # Panics
    /// If the catalogue does not have it: so use it in constants and in tests only.
    #[must_use]
    pub const fn known(name: &'static str) -> Self {
        let mut index = 0;
        while index < CATALOGUE.len() {
            if is_same(CATALOGUE[index].0.as_bytes(), name.as_bytes()) {
                return CheckName(Cow::Borrowed(name));
            }
            index += 1;
        }
        panic!("the catalogue does not have this check")
    }

    /// Returns the names of the catalogue.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        CATALOGUE.into_iter().map(|(name, _)| CheckName(Cow::Borrowed(name)))
    }

    /// Returns the name of the check of a Compose service; of all services together where their names are unknown.
    pub(crate) fn of_service(service: Option<&str>) -> Self {
        CheckName(match service {
            Some(service) => Cow::Owned(format!("docker.service.{service}")),
            None => Cow::Borrowed("docker.service"),
        })
    }

    /// Returns the name of the check of a systemd unit.
    pub(crate) fn of_unit(unit: &str) -> Self {
        CheckName(Cow::Owned(format!("systemd.unit.{unit}")))
    }

    /// Returns the name for an outcome that stands for all checks of this kind: `docker.service` for
    /// `docker.service.<name>`.
    pub(crate) fn plain(self) -> Self {
        match self.0 {
            Cow::Borrowed(name) => CheckName(Cow::Borrowed(catalogue::plain(name))),
            Cow::Owned(_) => self,
        }
    }
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut index = 0;
    while index < one.len() {
        if one[index] != other[index] {
            return false;
        }
        index += 1;
    }
    true
}

impl Deref for CheckName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl PartialEq<str> for CheckName {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for CheckName {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}
