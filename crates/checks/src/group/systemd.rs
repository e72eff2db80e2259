//! `systemd`: the installed units, and whether their services respond.
//!
//! One `systemctl show` reads the state of all units; then Redis and the service are asked, at the same time.

mod drift;
#[cfg(test)]
mod recorded;
pub mod redis;
mod unit;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use detect::Environment;
use envfile::EnvFile;
use project::Variable;
use project::{Project, web};
use subprocess::{Deadline, http};
use systemd::unit_kind::is_template;
use systemd::{Unit, UnitKind};

use crate::outcome::{Outcome, Status};
use crate::run::Probe;
use crate::{CheckName, Target};

const UNIT: CheckName = CheckName::known("systemd.unit.<name>");
const REDIS: CheckName = CheckName::known("systemd.redis");
const HTTP: CheckName = CheckName::known("systemd.http");
const DRIFT: CheckName = CheckName::known("systemd.drift");

pub(super) fn probes(target: &Arc<Target>) -> Vec<Probe> {
    let target = Arc::clone(target);
    let probe = Probe::new([UNIT, REDIS, HTTP, DRIFT], move |deadline| outcomes(&target, deadline));
    // The units, then their services.
    vec![probe.in_turn(2)]
}

fn outcomes(target: &Target, deadline: &Deadline) -> Vec<Outcome> {
    let Project { root, settings, .. } = &target.project;
    let files = unit_files(&root.join(&settings.unit_dir));
    let main = target.project.main_unit();
    let mut names = names(files.as_ref().ok().and_then(Option::as_deref).unwrap_or_default(), &main);

    let started = Instant::now();
    let templates = files.iter().flatten().flatten().filter(|name| is_template(name)).map(String::as_str);
    let shown = systemd::instances(templates, &target.secrets, deadline).and_then(|instances| {
        names.extend(instances.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
        systemd::show(&all(&names, &main), &target.secrets, deadline)
    });
    let units = match shown {
        Ok(units) => units,
        Err(error) => return silent(&names, &error.to_string()),
    };
    let (elapsed, now) = (started.elapsed(), systemd::uptime());

    let find = |name: &str| units.iter().find(|unit| unit.name == name);
    // A slice lives with the units in it.
    let is_started = |name: &&String| UnitKind::of(name).is_some_and(UnitKind::is_started);
    let checked = names.iter().filter(is_started).filter_map(|name| find(name));
    // The unit that starts it on demand or at its times.
    let trigger = |unit: &Unit| {
        let names = [unit.socket()].into_iter().chain(unit.get("TriggeredBy").split_whitespace().map(str::to_owned));
        let mut triggers = names.filter(|name| *name != unit.name).filter_map(|name| find(&name)).collect::<Vec<_>>();
        triggers.sort_by_key(|unit| !unit.is_active());
        triggers.into_iter().next()
    };
    let mut outcomes: Vec<_> = checked.map(|unit| unit::outcome(unit, trigger(unit), now)).collect();
    let dir = settings.unit_dir.display();
    outcomes.push(match files {
        Ok(Some(files)) => drift::outcome(root, &settings.unit_dir, &files, &units),
        Ok(None) => Outcome::skip(DRIFT, format!("the project has no unit files in `{dir}`")),
        Err(error) => Outcome::err(DRIFT, format!("cannot read `{dir}`: {error}")),
    });
    for outcome in &mut outcomes {
        outcome.elapsed = elapsed;
    }
    outcomes.extend(asked(target, &units, deadline));
    outcomes
}

/// Asks Redis and the service themselves, as far as that is wanted. They do not wait for each other.
fn asked(target: &Target, units: &[Unit], deadline: &Deadline) -> Vec<Outcome> {
    let theirs = envfile::read(&target.project.system_env_file());
    let (file, unreadable) = match theirs {
        Ok(file) => (file, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let broker_url = value(target, file.as_ref(), Variable::BrokerUrl);
    let allowed_hosts = value(target, file.as_ref(), Variable::AllowedHosts);
    let (mut redis, mut http) = (None, None);
    thread::scope(|scope| {
        if target.selection.wants(&REDIS) {
            scope.spawn(|| {
                redis = Some(Outcome::timed(|| redis::outcome(broker_url.as_deref(), units, &deadline.again())));
            });
        }
        if target.selection.wants(&HTTP) {
            http = Some(Outcome::timed(|| answers(target, units, allowed_hosts.as_deref(), &deadline.again())));
        }
    });
    let outcomes = redis.into_iter().chain(http);
    outcomes.map(|outcome| as_far_as_known(outcome, unreadable.as_deref())).collect()
}

/// Who may not read the environment of the units may have asked in the wrong way: that is no error of theirs.
fn as_far_as_known(outcome: Outcome, unreadable: Option<&str>) -> Outcome {
    match unreadable {
        Some(reason) if outcome.status == Status::Err => Outcome {
            elapsed: outcome.elapsed,
            ..Outcome::skip(outcome.name, format!("{}; {reason}", outcome.message))
        },
        _ => outcome,
    }
}

/// Whether the service answers at its own address.
fn answers(target: &Target, units: &[Unit], allowed_hosts: Option<&str>, deadline: &Deadline) -> Outcome {
    let Some(address) = systemd::address::of_service(units, &target.project.main_unit()) else {
        return Outcome::skip(HTTP, "no socket unit, and no address in `ExecStart`");
    };
    let health_path = target.project.settings.health_path.as_deref();
    let host = web::request_host(allowed_hosts);
    let is_https = target.environment.value == Environment::Prod;
    let answer = http::get(&address, web::health_path(health_path), &host, is_https, deadline);
    crate::web::judge(HTTP, &address, &target.project, &host, &answer)
}

/// Returns the names of the unit files of a folder, in order; `None` without such a folder.
fn unit_files(dir: &Path) -> io::Result<Option<Vec<String>>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        // A name that is not UTF-8 is that of no unit.
        names.extend(entry?.file_name().into_string().ok().filter(|name| UnitKind::of(name).is_some()));
    }
    names.sort();
    Ok(Some(names))
}

/// The units that are checked: the main one first, then those of the checkout. A template is no unit without an instance.
fn names(files: &[String], main: &str) -> Vec<String> {
    let others = files.iter().filter(|name| *name != main && !is_template(name)).cloned();
    [main.to_owned()].into_iter().chain(others).collect()
}

/// All units that something has to be known of.
fn all(names: &[String], main: &str) -> Vec<String> {
    let mut all = names.to_vec();
    for name in [systemd::socket_of(main)].into_iter().chain(redis::UNITS.map(str::to_owned)) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// Returns the outcomes for a systemd that does not respond.
fn silent(names: &[String], reason: &str) -> Vec<Outcome> {
    let units: Vec<_> = names.iter().map(|name| Outcome::err(CheckName::of_unit(name), reason)).collect();
    let others = [REDIS, HTTP, DRIFT].map(|name| match units.first() {
        Some(unit) => Outcome::blocked(name, "systemd does not show its units", unit),
        None => Outcome::err(name, reason),
    });
    units.iter().cloned().chain(others).collect()
}

/// The value of a variable as the units see it: by their own file, else by `.env`. An empty one is an unset one.
fn value(target: &Target, system: Option<&EnvFile>, variable: Variable) -> Option<String> {
    let theirs = target.project.names.value(variable, |name| Some(system?.get(name)?.value));
    theirs.filter(|value| !value.trim().is_empty()).or_else(|| target.value(variable))
}

#[cfg(test)]
mod tests {
    use project::Settings;

    use super::*;
    use crate::HostFacts;
    use crate::catalogue::Selection;

    #[test]
    fn units_of_a_checkout() {
        let dir = tempfile::tempdir().expect("a folder");
        let unit_dir = dir.path().join("units");
        assert_eq!(unit_files(&unit_dir).expect("readable"), None);
        fs::create_dir(&unit_dir).expect("a folder");
        for name in ["shop.socket", "shop.service", "a.service", "job@.service", "a.timer", ".service", "README"] {
            fs::write(unit_dir.join(name), "").expect("written");
        }
        let files = unit_files(&unit_dir).expect("readable").expect("there");
        assert_eq!(files, ["a.service", "a.timer", "job@.service", "shop.service", "shop.socket"]);
        let names = names(&files, "shop.service");
        assert_eq!(names, ["shop.service", "a.service", "a.timer", "shop.socket"]);
        let more = ["redis-server.service", "redis.service"];
        assert_eq!(
            all(&names, "shop.service"),
            [&names.iter().map(String::as_str).collect::<Vec<_>>()[..], &more].concat()
        );
    }

    #[test]
    fn a_silent_systemd_is_reported_by_every_check() {
        let outcomes = silent(&["shop.service".into()], "no response in 10 s from `systemctl`");
        let outcomes: Vec<_> = outcomes.iter().map(|outcome| (outcome.name.to_string(), outcome.status)).collect();
        let skipped = [REDIS, HTTP, DRIFT].map(|name| (name.to_string(), Status::Skip));
        assert_eq!(outcomes[0], ("systemd.unit.shop.service".to_owned(), Status::Err));
        assert_eq!(outcomes[1..], skipped);
    }

    #[test]
    fn the_system_env_file_takes_precedence_over_env() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text| fs::write(dir.path().join(name), text).expect("written");
        write(".env", "DEPLOY_METHOD=bare\nDJANGO_DEBUG=1\nDJANGO_SECRET_KEY=2\nDJANGO_ALLOWED_HOSTS=3\n");
        write("system", "DJANGO_DEBUG=0\nDJANGO_SECRET_KEY= \n");
        let settings = Settings { system_env_file: Some("system".into()), ..Settings::default() };
        let project = Project::with(dir.path().to_owned(), settings).expect("a project");
        let machine = HostFacts { has_systemd: false, uv: project::UvSettings::default(), secrets: Vec::new() };
        let target = Target::survey(project, &machine, Selection::default(), crate::PROBE_TIMEOUT, Arc::default());
        let system = envfile::read(&target.project.system_env_file()).expect("readable");
        for (variable, expected) in [
            (Variable::Debug, Some("0")),
            (Variable::SecretKey, Some("2")),
            (Variable::AllowedHosts, Some("3")),
            (Variable::BrokerUrl, None),
        ] {
            assert_eq!(value(&target, system.as_ref(), variable).as_deref(), expected, "{variable:?}");
        }
    }
}
