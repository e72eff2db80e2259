//! Asking everything at the same time, and waiting for no answer longer than it may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use subprocess::{Deadline, seconds};

use crate::CheckName;
use crate::catalogue::{Selection, position};
use crate::outcome::{Outcome, Status};

/// The time that a probe has, after its deadline, to kill its program and to report that.
const GRACE: Duration = Duration::from_secs(1);
/// The interval at which a wait polls for an interruption.
const STOP_POLL: Duration = Duration::from_millis(50);

/// One look at the outside, which answers one check or several.
pub struct Probe {
    /// The checks that it answers, as in the catalogue.
    checks: Vec<CheckName>,
    /// The number of answers that it waits for in sequence, each with a timeout of its own.
    answers: u32,
    ask: Ask,
}

type Ask = Box<dyn FnOnce(&Deadline) -> Vec<Outcome> + Send>;

impl Probe {
    /// A probe that answers `checks` by `ask`, which keeps to the deadline that it is handed.
    pub fn new(
        checks: impl IntoIterator<Item = CheckName>,
        ask: impl FnOnce(&Deadline) -> Vec<Outcome> + Send + 'static,
    ) -> Self {
        Probe { checks: checks.into_iter().collect(), answers: 1, ask: Box::new(ask) }
    }

    /// Returns a probe that waits for so many answers in sequence, each with a timeout of its own
    /// ([`Deadline::again`]).
    #[must_use]
    pub fn in_turn(self, answers: u32) -> Self {
        Probe { answers, ..self }
    }

    /// Returns the probe with the selected checks only; `None` if none is selected.
    pub(crate) fn wanted(self, selection: &Selection) -> Option<Self> {
        let Probe { mut checks, answers, ask } = self;
        checks.retain(|check| selection.wants(check));
        let selection = selection.clone();
        let ask = move |deadline: &Deadline| {
            let outcomes = ask(deadline).into_iter().filter(|outcome| selection.wants(&outcome.name));
            outcomes.map(|outcome| outcome.unless_reported(|cause| selection.wants(cause))).collect()
        };
        (!checks.is_empty()).then(|| Probe::new(checks, ask).in_turn(answers))
    }

    /// The checks that it answers, as in the catalogue.
    #[must_use]
    pub fn checks(&self) -> &[CheckName] {
        &self.checks
    }
}

/// The timeouts of a run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The timeout of each answer that a probe waits for; see [`Probe::in_turn`].
    pub timeout: Duration,
    /// The time for all probes together: then a probe without an answer is reported as an error.
    pub deadline: Duration,
}

/// An event of a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// These checks have been asked about.
    Asked(&'a [CheckName]),
    /// The checks that were asked about in one go are answered.
    Answered(&'a [CheckName]),
}

/// Runs all probes at the same time, each on a thread of its own: a run takes as long as its slowest probe. The
/// outcomes are in the order of the catalogue, whatever the timing.
///
/// Once `stop` is set, unfinished probes are abandoned.
pub fn run(
    probes: Vec<Probe>,
    limits: Limits,
    stop: &Arc<AtomicBool>,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Vec<Outcome> {
    let started = Instant::now();
    let deadline = Deadline::unless(Arc::clone(stop), limits.timeout, limits.deadline);
    let (sender, answers) = channel();
    let mut waiting = Vec::new();
    for (index, Probe { checks, answers: in_turn, ask }) in probes.into_iter().enumerate() {
        on_event(Event::Asked(&checks));
        let due = deadline.end().min(started + limits.timeout * in_turn) + GRACE;
        waiting.push(Some(Asked { checks, due }));
        let (sender, deadline) = (sender.clone(), deadline.again());
        thread::spawn(move || {
            let started = Instant::now();
            let mut outcomes = ask(&deadline);
            for outcome in outcomes.iter_mut().filter(|outcome| outcome.elapsed.is_zero()) {
                outcome.elapsed = started.elapsed();
            }
            // The receiver may be gone.
            let _ = sender.send((index, outcomes));
        });
    }
    drop(sender);

    let mut outcomes = Vec::new();
    let mut stopped = None;
    while waiting.iter().any(Option::is_some) {
        let answered = answers.recv_timeout(STOP_POLL);
        let has_failed = matches!(answered, Err(RecvTimeoutError::Disconnected));
        if let Ok((index, summary)) = answered
            && let Some(asked) = waiting[index].take()
        {
            on_event(Event::Answered(&asked.checks));
            let is_late = started.elapsed() >= limits.timeout;
            outcomes.extend(summary.into_iter().map(|it| if is_late { with_more_time(it, limits) } else { it }));
        }
        if stop.load(Ordering::Relaxed) {
            stopped.get_or_insert(Instant::now() + GRACE);
        }
        let now = Instant::now();
        let is_over = |asked: &mut Asked| has_failed || now >= asked.due || stopped.is_some_and(|end| now >= end);
        for asked in waiting.iter_mut().filter_map(|asked| asked.take_if(is_over)) {
            on_event(Event::Answered(&asked.checks));
            let reason = if has_failed {
                "the check has failed itself: this is a bug".to_owned()
            } else {
                format!("no response in {}", seconds(deadline.allowed()))
            };
            let unanswered = asked.checks.iter().map(|check| unanswered(check, &reason, started.elapsed()));
            outcomes.extend(unanswered.map(|outcome| with_more_time(outcome, limits)));
        }
    }
    sort(&mut outcomes);
    outcomes
}

/// Adds a hint to a check that has failed when its time was over: it may only need more.
fn with_more_time(mut outcome: Outcome, limits: Limits) -> Outcome {
    // It was started a moment after the run.
    let has_waited = 2 * outcome.elapsed >= limits.timeout;
    if outcome.status == Status::Err && outcome.hint.is_none() && has_waited {
        outcome.hint = Some(format!("cargo xtask health --timeout {}s", 3 * limits.timeout.as_secs().max(1)));
    }
    outcome
}

/// Checks that are being waited for, until when: a probe that does not keep to its deadline is not waited for.
struct Asked {
    checks: Vec<CheckName>,
    due: Instant,
}

/// The order of a report, which does not depend on who was first.
fn sort(outcomes: &mut [Outcome]) {
    outcomes.sort_by(|a, b| position(&a.name).cmp(&position(&b.name)).then_with(|| a.name.cmp(&b.name)));
}

/// Asks only those probes again that did not get all their answers, or not good ones; with `strict`, a warning is not
/// good, either. The others' outcomes stay.
pub fn run_again(
    probes: Vec<Probe>,
    previous: Vec<Outcome>,
    strict: bool,
    limits: Limits,
    stop: &Arc<AtomicBool>,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Vec<Outcome> {
    let is_about =
        |outcome: &Outcome, probe: &Probe| probe.checks.iter().any(|check| position(check) == position(&outcome.name));
    let is_good = |outcome: &Outcome| outcome.status != Status::Skip && !outcome.status.is_failure(strict);
    let is_settled = |probe: &Probe| {
        let mut answers = previous.iter().filter(|outcome| is_about(outcome, probe)).peekable();
        answers.peek().is_some() && answers.all(is_good)
    };
    let (settled, again): (Vec<_>, Vec<_>) = probes.into_iter().partition(is_settled);
    let mut outcomes = run(again, limits, stop, on_event);
    outcomes.extend(previous.into_iter().filter(|outcome| settled.iter().any(|probe| is_about(outcome, probe))));
    sort(&mut outcomes);
    outcomes
}

/// The outcome of a check of which nothing was heard.
fn unanswered(check: &CheckName, reason: &str, elapsed: Duration) -> Outcome {
    Outcome { elapsed, ..Outcome::err(check.clone().plain(), reason) }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::fmt::Write;

    use subprocess::Command;

    use super::*;

    const LIMITS: Limits = Limits { timeout: Duration::from_millis(300), deadline: Duration::from_millis(400) };

    fn named(name: &str) -> CheckName {
        match name.strip_prefix("docker.service.") {
            Some(service) => CheckName::of_service(Some(service)),
            None => CheckName::all().find(|known| *known == name).expect("in the catalogue"),
        }
    }

    fn answering(check: &str, status: Status) -> Probe {
        let check = named(check);
        Probe::new([check.clone()], move |_| vec![Outcome::new(check, status, "said")])
    }

    fn summary(outcomes: &[Outcome]) -> String {
        let line = |outcome: &Outcome| format!("{} {}: {}\n", outcome.status, outcome.name, outcome.message);
        outcomes.iter().map(line).collect::<Vec<_>>().concat()
    }

    #[track_caller]
    fn check(probes: Vec<Probe>, expected: &str) {
        assert_eq!(summary(&run(probes, LIMITS, &Arc::default(), &mut |_| ())), expected);
    }

    #[test]
    fn the_order_is_that_of_the_catalogue() {
        check(Vec::new(), "");
        let probes = ["django.check", "docker.service.b", "docker.service.a", "core.uv", "env.file"];
        check(
            probes.map(|name| answering(name, Status::Ok)).into(),
            "ok env.file: said\nok core.uv: said\nok django.check: said\nok docker.service.a: said\nok docker.service.b: said\n",
        );
    }

    #[test]
    fn a_probe_without_results_affects_no_other() {
        let (_keep, never) = channel::<()>();
        check(
            vec![
                Probe::new([CheckName::known("core.uv")], |deadline| {
                    let error = Command::new("sleep", ["65.25"]).run(deadline).expect_err("it takes longer");
                    vec![Outcome::err(CheckName::known("core.uv"), error.to_string())]
                }),
                Probe::new([CheckName::known("core.disk")], move |_| {
                    never.recv().map(|()| Vec::new()).unwrap_or_default()
                }),
                answering("env.file", Status::Ok),
            ],
            "ok env.file: said\nerr core.uv: no response in 0.3 s from `sleep`\nerr core.disk: no response in 0.3 s\n",
        );
        check(
            vec![
                answering("env.file", Status::Ok),
                Probe::new([CheckName::known("docker.service.<name>")], |_| panic!("on purpose")),
            ],
            "ok env.file: said\nerr docker.service: the check has failed itself: this is a bug\n",
        );
    }

    #[test]
    fn everybody_is_asked_before_anybody_has_answered() {
        let log = RefCell::new(String::new());
        let probes = ["env.file", "core.uv"].map(|name| answering(name, Status::Ok));
        run(probes.into(), LIMITS, &Arc::default(), &mut |event| {
            let word = if matches!(event, Event::Asked(_)) { "asked " } else { "answered " };
            log.borrow_mut().write_str(word).expect("written");
        });
        assert_eq!(log.into_inner(), "asked asked answered answered ");
    }

    #[test]
    fn a_stopped_run_waits_for_no_probe() {
        let stop = Arc::new(AtomicBool::new(true));
        let hour = Duration::from_secs(3600);
        let sleep = Probe::new([CheckName::known("core.uv")], |deadline| {
            let error = Command::new("sleep", ["66.25"]).run(deadline).expect_err("it is stopped");
            vec![Outcome::err(CheckName::known("core.uv"), error.to_string())]
        });
        let outcomes = run(vec![sleep], Limits { timeout: hour, deadline: hour }, &stop, &mut |_| ());
        assert_eq!(summary(&outcomes), "err core.uv: `sleep` was stopped\n");
    }

    #[test]
    fn only_failed_checks_run_again() {
        let previous = vec![
            Outcome::ok(CheckName::known("env.file"), "before"),
            Outcome::warn(CheckName::known("core.disk"), "before"),
            Outcome::err(CheckName::known("core.uv"), "before"),
            Outcome::skip(CheckName::known("django.check"), "before"),
            Outcome::ok(CheckName::of_service(Some("web")), "before"),
            Outcome::err(CheckName::of_service(Some("db")), "before"),
            Outcome::ok(CheckName::known("systemd.drift"), "of a group that is gone"),
        ];
        let names = ["env.file", "core.uv", "core.disk", "django.check", "docker.service.web", "docker.http"];
        let probes = names.map(|name| answering(name, Status::Ok)).into();
        assert_eq!(
            summary(&run_again(probes, previous, false, LIMITS, &Arc::default(), &mut |_| ())),
            "ok env.file: before\nok core.uv: said\nwarn core.disk: before\nok django.check: said\n\
             ok docker.service.web: said\nok docker.http: said\n"
        );
    }

    #[test]
    fn with_strict_a_warning_is_asked_about_again() {
        let previous = vec![
            Outcome::ok(CheckName::known("env.file"), "before"),
            Outcome::warn(CheckName::known("core.disk"), "before"),
        ];
        let probes = ["env.file", "core.disk"].map(|name| answering(name, Status::Ok)).into();
        let outcomes = run_again(probes, previous, true, LIMITS, &Arc::default(), &mut |_| ());
        assert_eq!(summary(&outcomes), "ok env.file: before\nok core.disk: said\n");
    }
}
