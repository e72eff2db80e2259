//! Unit files that a deploy cannot run faithfully as they are, each with the change that makes them deployable.

use std::path::Path;

use super::canary::{commands, service_lines, with_name};
use super::layout::Layout;
use super::scheduler::{has_flag, is_celery};
use crate::failure::Problem;
use crate::source::Source;
use ::systemd::{UnitFile, UnitKind};

/// Returns the problems of unit files.
pub(super) fn check(units: &[UnitFile], source: Option<&Source>, layout: &Layout) -> Vec<Problem> {
    let services = units.iter().filter(|unit| unit.is(UnitKind::Service));
    let problems = services.flat_map(|unit| {
        let environment = source.map(|source| environment_files(unit, source, layout)).unwrap_or_default();
        detached(unit, layout).into_iter().chain(environment)
    });
    problems.collect()
}

/// Returns the problem of a service whose program detaches itself from systemd: neither its process nor its start can be
/// observed, and a canary would share its pid file.
fn detached(unit: &UnitFile, layout: &Layout) -> Option<Problem> {
    let lines = service_lines(unit, &[]);
    let last = |key: &str| lines.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let command = commands(&lines).into_iter().find_map(detached_celery);
    let how = match command {
        Some(option) => format!("starts Celery with `{option}`"),
        None if last("Type") == Some("forking") => "has `Type=forking`".to_owned(),
        None => return None,
    };
    let venv = layout.install_dir.join(&layout.venv);
    let program = match command {
        Some(_) => format!("ExecStart={}/bin/celery -A APP worker -l INFO", venv.display()),
        None => "the same `ExecStart` without its option for a daemon".to_owned(),
    };
    let keys = ["PIDFile", "ExecStop", "ExecReload", "GuessMainPID"];
    let gone: Vec<&str> = keys.into_iter().filter(|key| lines.iter().any(|(name, _)| name == key)).collect();
    let removed = if gone.is_empty() { String::new() } else { format!(", and no {}", gone.join(", ")) };
    let message = format!(
        "`{}` {how}: the program detaches itself, so that neither its start nor its process can be verified",
        unit.name
    );
    // One command for each worker that `multi` starts.
    let each = if command == Some("multi") { "; a unit for each worker" } else { "" };
    Some(Problem::new(message).hint(format!("in `{}`: Type=exec, {program}{removed}{each}", unit.name)))
}

/// Returns the word by which a command starts Celery detached from systemd.
fn detached_celery(command: &str) -> Option<&'static str> {
    let words = command.split(|c: char| c.is_whitespace() || "\"';".contains(c)).filter(|word| !word.is_empty());
    let options: Vec<&str> = words.skip_while(|word| !is_celery(word)).skip(1).collect();
    let has = |wanted: &str| options.contains(&wanted);
    match () {
        () if has("multi") => Some("multi"),
        () if has("--detach") => Some("--detach"),
        () if options.iter().any(|option| has_flag(option, 'D')) => Some("-D"),
        () => None,
    }
}

/// Returns a problem for each file with an environment that would be in the release, and is in none.
fn environment_files(unit: &UnitFile, source: &Source, layout: &Layout) -> Vec<Problem> {
    let files = unit.values("Service", "EnvironmentFile");
    let problem = |value: &String| {
        let value = with_name(value, &unit.name);
        let path = Path::new(value.trim_start_matches('-'));
        let inside = path.strip_prefix(&layout.install_dir).ok()?;
        let message = format!(
            "`{}` reads `{}` (`EnvironmentFile=`), which is in no release: a release has the files that Git tracks, \
             without `.env`",
            unit.name,
            path.display()
        );
        let env_file = layout.env_file.display();
        let hint = format!("in `{}`: EnvironmentFile={env_file}; the deploy makes that file of `.env`", unit.name);
        (!source.has(inside)).then(|| Problem::new(message).hint(hint))
    };
    files.iter().filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_unit(text: &str, expected: &[(&str, &str)]) {
        let unit = UnitFile { name: "shop-worker.service".into(), text: format!("[Service]\n{text}") };
        let source = Source::of_files(Path::new("/srv/app"), vec!["deploy/defaults.env".into()]);
        let found = super::check(&[unit], Some(&source), &Layout::of_a_shop());
        let found: Vec<_> = found.iter().map(|it| (it.message.as_str(), it.hint.as_deref().unwrap_or(""))).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn celerys_documented_unit_is_refused_with_its_change() {
        check_unit(
            "Type=forking\nEnvironmentFile=/etc/conf.d/celery\n\
             ExecStart=/bin/sh -c '${CELERY_BIN} -A $CELERY_APP multi start $CELERYD_NODES \\\n  --pidfile=${CELERYD_PID_FILE}'\n\
             ExecStop=/bin/sh -c '${CELERY_BIN} multi stopwait $CELERYD_NODES'\nRestart=always\n",
            &[(
                "`shop-worker.service` starts Celery with `multi`: the program detaches itself, so that neither its start nor \
                 its process can be verified",
                "in `shop-worker.service`: Type=exec, ExecStart=/opt/shop/.venv/bin/celery -A APP worker -l INFO, and no \
                 ExecStop; a unit for each worker",
            )],
        );
    }

    #[test]
    fn a_program_that_forks_is_refused() {
        check_unit(
            "Type=forking\nPIDFile=/run/shop.pid\nExecStart=/opt/shop/.venv/bin/gunicorn --daemon app\n",
            &[(
                "`shop-worker.service` has `Type=forking`: the program detaches itself, so that neither its start nor its \
                 process can be verified",
                "in `shop-worker.service`: Type=exec, the same `ExecStart` without its option for a daemon, and no PIDFile",
            )],
        );
        check_unit("Type=exec\nExecStart=/opt/shop/.venv/bin/celery -A shop worker -E --pidfile=/run/shop/pid\n", &[]);
        assert_eq!(detached_celery("/opt/shop/.venv/bin/celery -A shop worker -BD"), Some("-D"));
    }

    #[test]
    fn an_environment_file_in_the_release_must_be_tracked() {
        check_unit("EnvironmentFile=/etc/shop/env\nEnvironmentFile=-/opt/shop/deploy/defaults.env\n", &[]);
        check_unit(
            "EnvironmentFile=-/opt/shop/.env\n",
            &[(
                "`shop-worker.service` reads `/opt/shop/.env` (`EnvironmentFile=`), which is in no release: a release has the \
                 files that Git tracks, without `.env`",
                "in `shop-worker.service`: EnvironmentFile=/etc/shop/env; the deploy makes that file of `.env`",
            )],
        );
    }
}
