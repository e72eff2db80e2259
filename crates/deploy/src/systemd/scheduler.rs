//! Schedulers of periodic tasks, of which two must never run at the same time: `celery beat`, and a worker with one in it.

use super::canary::{PREFIXES, commands, service_lines};
use super::layout::Layout;
use super::manager;
use crate::failure::Problem;
use ::systemd::{Unit, UnitFile};
use project::secret::Secrets;

/// Returns whether a command runs a scheduler; one in quotes is a command of a shell.
pub(super) fn is_scheduler(command: &str) -> bool {
    let words = command.split(|c: char| c.is_whitespace() || "\"';".contains(c)).filter(|word| !word.is_empty());
    let mut words = words.skip_while(|word| !is_celery(word)).skip(1);
    let subcommands = ["beat", "worker", "multi"];
    match words.find(|word| subcommands.contains(word)) {
        Some("beat") => true,
        Some(_) => words.any(|word| word == "--beat" || has_flag(word, 'B')),
        None => false,
    }
}

/// Returns whether a word of a command is the program Celery. Its documented units have it in a variable.
pub(super) fn is_celery(word: &str) -> bool {
    let program = word.trim_start_matches(PREFIXES).rsplit(['/', '=']).next().unwrap_or_default();
    program == "celery" || program.trim_matches(['$', '{', '}']) == "CELERY_BIN"
}

/// Returns whether an option of a Celery worker contains a flag: several letters can share a hyphen, and these have no value.
pub(super) fn has_flag(option: &str, flag: char) -> bool {
    let letters = option.strip_prefix('-').filter(|letters| !letters.starts_with('-')).unwrap_or_default();
    letters.chars().take_while(|letter| "BDE".contains(*letter)).any(|letter| letter == flag)
}

/// Returns the schedulers that must stop before the new ones start: systemd does that for one that stays in its unit, and
/// not where another unit gets it.
pub(super) fn to_stop<'u>(
    shown: &[Unit],
    started: impl Iterator<Item = (&'u str, &'u UnitFile, &'u [String])>,
) -> Vec<String> {
    let is_running = |unit: &&Unit| unit.is_active() && is_scheduler(unit.get("ExecStart"));
    let running: Vec<String> = shown.iter().filter(is_running).map(|unit| unit.name.clone()).collect();
    let mut new = started.filter(|(_, file, drop_ins)| runs_scheduler(file, drop_ins));
    let is_moved = new.any(|(name, ..)| !running.iter().any(|unit| unit == name));
    if is_moved { running } else { Vec::new() }
}

fn runs_scheduler(file: &UnitFile, drop_ins: &[String]) -> bool {
    commands(&service_lines(file, drop_ins)).into_iter().any(is_scheduler)
}

/// Returns a problem for each scheduler that runs in a unit which the release does not have, while it has another one.
pub(super) fn left_running(units: &[UnitFile], layout: &Layout, secrets: &Secrets) -> anyhow::Result<Vec<Problem>> {
    let Some(new) = units.iter().find(|file| runs_scheduler(file, &[])) else { return Ok(Vec::new()) };
    // Unit files that cannot be read are not those of a release.
    let serving = UnitFile::all(&layout.install_dir.join(&layout.unit_dir)).unwrap_or_default();
    let is_gone = |file: &&UnitFile| !file.is_template() && !units.iter().any(|unit| unit.name == file.name);
    let gone: Vec<String> = serving.iter().filter(is_gone).map(|file| file.name.clone()).collect();
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    let shown = manager::show(&gone, secrets)?;
    Ok(shown.iter().filter(|unit| unit.is_active()).filter_map(|unit| conflict(unit, new)).collect())
}

fn conflict(unit: &Unit, new: &UnitFile) -> Option<Problem> {
    let name = &unit.name;
    let message = format!(
        "`{name}` runs a scheduler of periodic tasks and is no longer in this release, which has one in `{}`: both would run",
        new.name
    );
    is_scheduler(unit.get("ExecStart"))
        .then(|| Problem::new(message).hint(format!("sudo systemctl disable --now {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_with_a_scheduler() {
        for command in [
            "/opt/shop/.venv/bin/celery -A shop beat -l INFO",
            "/opt/shop/.venv/bin/python -m celery --app shop beat",
            "/bin/sh -c '${CELERY_BIN} -A ${CELERY_APP} beat --pidfile=x'",
            "/opt/shop/.venv/bin/celery -A shop worker -EB",
            "/opt/shop/.venv/bin/celery -A shop worker --beat --loglevel=INFO",
            "{ path=/opt/shop/.venv/bin/celery ; argv[]=/opt/shop/.venv/bin/celery -A shop beat ; ignore_errors=no ; }",
        ] {
            assert!(is_scheduler(command), "{command}");
        }
        for command in [
            "/opt/shop/.venv/bin/celery -A shop worker -E -Q beat",
            "/opt/shop/.venv/bin/celery -A shop worker -l INFO --concurrency=4",
            "/opt/shop/.venv/bin/gunicorn beat:app",
            "/usr/bin/beat",
        ] {
            assert!(!is_scheduler(command), "{command}");
        }
    }

    #[test]
    fn a_scheduler_stops_before_another_unit_starts_one() {
        let file = |name: &str, command: &str| UnitFile {
            name: name.into(),
            text: format!("[Service]\nExecStart=/opt/shop/.venv/bin/celery -A shop {command}\n"),
        };
        let running = |name: &str, command: &str| {
            let command = format!("{{ argv[]=/opt/shop/.venv/bin/celery -A shop {command} ; }}");
            let mut unit = Unit::default().with("ActiveState", "active").with("ExecStart", &command);
            unit.name = name.into();
            unit
        };
        let check = |shown: &[Unit], files: &[UnitFile], expected: &[&str]| {
            let started = files.iter().map(|file| (file.name.as_str(), file, &[][..]));
            assert_eq!(to_stop(shown, started), expected);
        };
        let (worker, beat) = (file("worker.service", "worker"), file("beat.service", "beat"));
        let shown = [running("worker.service", "worker -B")];
        check(&shown, &[worker.clone(), beat.clone()], &["worker.service"]);
        check(&[running("beat.service", "beat")], &[worker.clone(), beat.clone()], &[]);
        check(&[running("worker.service", "worker")], &[worker, beat.clone()], &[]);
        assert!(conflict(&shown[0], &beat).is_some_and(|problem| problem.message.contains("in `beat.service`")));
    }
}
