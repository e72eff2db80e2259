//! The catalogue of all checks: their names and their subjects.

use std::fmt;
use std::str::FromStr;

use detect::{DeployMethod, Environment};

use crate::outcome::Outcome;

/// A group of checks that run under the same conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// `.env` and the axes in it.
    Env,
    /// The tools that a service on this machine needs.
    Core,
    /// Django's own checks, its migrations and its database.
    Django,
    /// Tools that only developers need.
    Dev,
    /// The containers of the Compose file.
    Docker,
    /// The units that are installed.
    Systemd,
}

impl Group {
    /// All, in the order of a report.
    pub const ALL: [Group; 6] = [Group::Env, Group::Core, Group::Django, Group::Dev, Group::Docker, Group::Systemd];

    /// Its name: the first word of its checks' names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Group::Env => "env",
            Group::Core => "core",
            Group::Django => "django",
            Group::Dev => "dev",
            Group::Docker => "docker",
            Group::Systemd => "systemd",
        }
    }

    /// The group of a check.
    #[must_use]
    pub fn of(name: &str) -> Option<Group> {
        let group = name.split('.').next()?;
        Group::ALL.into_iter().find(|known| known.as_str() == group)
    }

    /// Returns the reason why the group does not run for these axes, if it does not. No other code decides that.
    #[must_use]
    pub fn absent(
        self,
        environment: Environment,
        method: DeployMethod,
        is_unit_installed: bool,
    ) -> Option<&'static str> {
        let bare = (method != DeployMethod::Bare).then_some("the deployment method is `docker`");
        match self {
            Group::Env => None,
            Group::Core | Group::Django => bare,
            Group::Dev => bare.or((environment != Environment::Dev).then_some("the environment is `prod`")),
            Group::Docker => (method != DeployMethod::Docker).then_some("the deployment method is `bare`"),
            Group::Systemd => bare.or((!is_unit_installed).then_some("the unit is not installed")),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Stands in a check's name for the name of a service or a unit.
const PLACEHOLDER: &str = ".<name>";

/// Every check in the order of a report: its name and its subject.
#[rustfmt::skip]
pub const CATALOGUE: [(&str, &str); 28] = [
    ("env.axes",              "`DJANGO_ENV` and `DEPLOY_METHOD` have known values"),
    ("env.file",              "`.env` exists and is readable"),
    ("env.mode",              "no other user can read `.env`; an error in prod"),
    ("env.ignored",           "Git does not track `.env`, an error in prod, and ignores it"),
    ("env.sample",            "every variable of the sample is in `.env`"),
    ("env.portable",          "every line of `.env` has the same value for all its readers here"),
    ("env.matrix",            "`.env` has the variables that this environment and method need"),
    ("core.python",           "a Python that `requires-python` allows"),
    ("core.uv",               "uv, on PATH or in `.xtask/tools`"),
    ("core.venv",             "the virtual environment exists and starts"),
    ("core.lock",             "the virtual environment matches `uv.lock`"),
    ("core.writable",         "the project is writable"),
    ("core.disk",             "at least 1 GB is free"),
    ("django.check",          "`manage.py check`, with `--deploy` in prod"),
    ("django.settings",       "the settings have the values of `.env`"),
    ("django.migrations",     "no migration is pending"),
    ("django.database",       "the database responds"),
    ("dev.hooks",             "the Git hooks of the project's configuration are installed"),
    ("docker.daemon",         "the Docker engine responds"),
    ("docker.compose",        "Compose v2 is installed, and the Compose file is valid"),
    ("docker.environment",    "the variables of `.env` reach the web service"),
    ("docker.service.<name>", "a service of the Compose file runs, is healthy, and is not restarting"),
    ("docker.http",           "the published web service responds over HTTP"),
    ("docker.drift",          "the release that serves is of the commit of the checkout"),
    ("systemd.unit.<name>",   "a unit is active and enabled, and is not restarting"),
    ("systemd.redis",         "Redis runs and responds"),
    ("systemd.http",          "the service's socket responds over HTTP"),
    ("systemd.drift",         "the installed units equal those of the checkout"),
];

/// The part of a name that all checks of a kind share: `docker.service` of `docker.service.<name>`.
fn family(name: &str) -> Option<&str> {
    name.strip_suffix(PLACEHOLDER)
}

/// A check's name without the place for another name in it: `docker.service` of `docker.service.<name>`.
pub(crate) fn plain(name: &'static str) -> &'static str {
    family(name).unwrap_or(name)
}

/// Where a check stands in [`CATALOGUE`], by which reports are sorted.
pub(crate) fn position(name: &str) -> usize {
    let is_it = |known: &str| match family(known) {
        Some(family) => name == known || name == family || is_within(name, family),
        None => name == known,
    };
    CATALOGUE.iter().position(|(known, _)| is_it(known)).unwrap_or(CATALOGUE.len())
}

/// Whether `name` is a check of the group or family `outer`.
fn is_within(name: &str, outer: &str) -> bool {
    name.strip_prefix(outer).and_then(|rest| rest.strip_prefix('.')).is_some_and(|rest| !rest.is_empty())
}

/// A group, a check, or the checks of a kind, as a person names them: `django`, `env.file`, `docker.service`,
/// `docker.service.web`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector(String);

impl Selector {
    /// Whether it is this check, or the group or kind that the check belongs to.
    fn covers(&self, name: &str) -> bool {
        let name = family(name).unwrap_or(name);
        name == self.0 || is_within(name, &self.0)
    }

    /// Whether it names one check of the kind `name`, such as `docker.service.web` of `docker.service.<name>`, or of
    /// `docker.service`, which stands for all of them where their names are not known.
    fn is_one_of(&self, name: &str) -> bool {
        let mut families = CATALOGUE.iter().filter_map(|(known, _)| family(known));
        families.any(|known| known == family(name).unwrap_or(name) && is_within(&self.0, known))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Selector {
    type Err = UnknownCheck;

    fn from_str(text: &str) -> Result<Self, UnknownCheck> {
        let text = text.trim();
        let selector = Selector(family(text).unwrap_or(text).to_owned());
        let is_known = CATALOGUE.iter().any(|(name, _)| selector.covers(name) || selector.is_one_of(name));
        if is_known { Ok(selector) } else { Err(UnknownCheck(selector.0)) }
    }
}

/// The name of no group and no check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCheck(pub String);

impl fmt::Display for UnknownCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups = Group::ALL.map(Group::as_str).join(", ");
        let names = CATALOGUE.map(|(name, _)| name).join(", ");
        write!(f, "unknown check `{}`, expected one of the groups {groups}, or of the checks {names}", self.0)
    }
}

impl std::error::Error for UnknownCheck {}

/// The checks that `--only` selects, without those of `--skip`.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// These alone; all, if there are none.
    pub only: Vec<Selector>,
    /// Checks that are not run, even if they are selected.
    pub skip: Vec<Selector>,
}

impl Selection {
    /// Whether this check is wanted; of a kind (`docker.service.<name>`), whether any is.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        let is_chosen = self.only.is_empty() || self.asks_for(name);
        is_chosen && !self.skip.iter().any(|selector| selector.covers(name))
    }

    /// Returns the selectors that name a single service or unit without an outcome: there is none of that name.
    pub fn unanswered<'a>(&'a self, outcomes: &'a [Outcome]) -> impl Iterator<Item = &'a Selector> {
        let is_single = |selector: &&Selector| CATALOGUE.iter().any(|(name, _)| selector.is_one_of(name));
        let is_answered = move |selector: &Selector| {
            outcomes.iter().any(|outcome| selector.covers(&outcome.name) || selector.is_one_of(&outcome.name))
        };
        let is_skipped = move |selector: &Selector| self.skip.iter().any(|skip| skip.covers(&selector.0));
        self.only.iter().filter(is_single).filter(move |it| !is_answered(it) && !is_skipped(it))
    }

    /// Whether this check, or its group, was asked for by name.
    #[must_use]
    pub fn asks_for(&self, name: &str) -> bool {
        self.only.iter().any(|selector| selector.covers(name) || selector.is_one_of(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CheckName;

    #[test]
    fn every_check_belongs_to_a_group_and_they_are_in_order() {
        let groups = CATALOGUE.map(|(name, _)| {
            let group = Group::of(name).expect("a known group");
            Group::ALL.iter().position(|known| *known == group)
        });
        assert!(groups.is_sorted());
        for (index, (name, _)) in CATALOGUE.iter().enumerate() {
            assert_eq!(position(name), index);
        }
        assert_eq!(position("docker.service.web"), position("docker.service.<name>"));
        assert_eq!(position("nonsense"), CATALOGUE.len());
    }

    /// The eight cases of axes × unit installed.
    #[test]
    fn both_axes_decide_which_groups_run() {
        use DeployMethod::{Bare, Docker};
        use Environment::{Dev, Prod};
        for (environment, method, is_unit_installed, expected) in [
            (Dev, Bare, false, "env core django dev"),
            (Dev, Bare, true, "env core django dev systemd"),
            (Dev, Docker, false, "env docker"),
            (Dev, Docker, true, "env docker"),
            (Prod, Bare, false, "env core django"),
            (Prod, Bare, true, "env core django systemd"),
            (Prod, Docker, false, "env docker"),
            (Prod, Docker, true, "env docker"),
        ] {
            let groups: Vec<_> = Group::ALL
                .into_iter()
                .filter(|group| group.absent(environment, method, is_unit_installed).is_none())
                .map(Group::as_str)
                .collect();
            assert_eq!(groups.join(" "), expected, "{environment}+{method}, unit: {is_unit_installed}");
        }
    }

    #[track_caller]
    fn check(only: &[&str], skip: &[&str], wanted: &[&str], unwanted: &[&str]) {
        let parse = |names: &[&str]| names.iter().map(|name| name.parse().expect("known")).collect();
        let selection = Selection { only: parse(only), skip: parse(skip) };
        for name in wanted {
            assert!(selection.wants(name), "{name} is not wanted by {selection:?}");
        }
        for name in unwanted {
            assert!(!selection.wants(name), "{name} is wanted by {selection:?}");
        }
    }

    #[test]
    fn groups_kinds_and_checks_can_be_chosen_and_left_out() {
        check(&[], &[], &["env.file", "docker.service.<name>"], &[]);
        check(&["env"], &[], &["env.file"], &["core.uv"]);
        check(&["env.file"], &[], &["env.file"], &["env.mode"]);
        check(&["env"], &["env.file"], &["env.mode"], &["env.file"]);
        check(&["docker.service"], &[], &["docker.service.web", "docker.service.<name>"], &["docker.http"]);
        check(&["docker.service.web"], &[], &["docker.service.web", "docker.service.<name>"], &["docker.service.db"]);
        check(&["docker.service.web"], &[], &["docker.service"], &["docker.daemon"]);
        check(&[], &["docker.service.web"], &["docker.service.<name>", "docker.service.db"], &["docker.service.web"]);
        check(&[], &["docker.service"], &["docker.http"], &["docker.service.web", "docker.service.<name>"]);
    }

    #[test]
    fn an_unknown_name_is_reported_with_the_known_ones() {
        for name in ["", "djang", "env.", "env.x", "docker.service.", "env.file.x", "<name>"] {
            let Err(error) = name.parse::<Selector>() else { panic!("{name:?} is taken") };
            assert!(error.to_string().contains("env, core, django"), "{error}");
        }
        assert_eq!("docker.service.<name>".parse::<Selector>().expect("known").to_string(), "docker.service");
    }

    #[test]
    fn a_service_that_there_is_not_is_noticed() {
        let parse = |names: &[&str]| names.iter().map(|name| name.parse().expect("known")).collect();
        let only = ["env", "docker.service.web", "docker.service.wbe", "systemd.unit.gone"];
        let selection = Selection { only: parse(&only), skip: parse(&["systemd"]) };
        let outcomes = [
            Outcome::ok(CheckName::known("env.file"), "`.env` exists and is readable"),
            Outcome::ok(CheckName::of_service(Some("web")), ""),
        ];
        let unanswered: Vec<_> = selection.unanswered(&outcomes).map(ToString::to_string).collect();
        assert_eq!(unanswered, ["docker.service.wbe"]);
        // The names of the services are unknown.
        assert_eq!(selection.unanswered(&[Outcome::err(CheckName::of_service(None), "no answer")]).count(), 0);
    }
}
