//! Asking everything at the same time, and waiting for no answer longer than it may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::catalogue::{Selection, plain, position};
use crate::deadline::{Deadline, seconds};
use crate::outcome::Outcome;

/// How long a probe has, once its time is over, to kill what it waits for and to say so.
const GRACE: Duration = Duration::from_secs(1);
/// How often a wait looks whether anybody still wants the answers.
const STOP_POLL: Duration = Duration::from_millis(50);

/// One look at the outside, which answers one check or several.
pub struct Probe {
    /// The checks that it answers, as in the catalogue.
    checks: Vec<&'static str>,
    ask: Box<dyn FnOnce(&Deadline) -> Vec<Outcome> + Send>,
}

impl Probe {
    /// A probe that answers `checks` by `ask`, which keeps to the deadline that it is handed.
    pub fn new(
        checks: impl IntoIterator<Item = &'static str>,
        ask: impl FnOnce(&Deadline) -> Vec<Outcome> + Send + 'static,
    ) -> Self {
        Probe { checks: checks.into_iter().collect(), ask: Box::new(ask) }
    }

    /// The same probe, answering only what is wanted; none if that is nothing.
    pub(crate) fn wanted(self, selection: &Selection) -> Option<Self> {
        let Probe { mut checks, ask } = self;
        checks.retain(|check| selection.wants(check));
        let selection = selection.clone();
        let ask = move |deadline: &Deadline| {
            let mut outcomes = ask(deadline);
            outcomes.retain(|outcome| selection.wants(&outcome.name));
            outcomes
        };
        (!checks.is_empty()).then(|| Probe::new(checks, ask))
    }

    /// The checks that it answers, as in the catalogue.
    #[must_use]
    pub fn checks(&self) -> &[&'static str] {
        &self.checks
    }
}

/// How long a run may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Each probe.
    pub timeout: Duration,
    /// All of them.
    pub deadline: Duration,
}

/// What happens during a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// These checks have been asked about.
    Asked(&'a [&'static str]),
    /// The checks that were asked about in one go are answered.
    Answered(&'a [&'static str]),
}

/// Asks all probes at the same time, each on a thread of its own: a run takes as long as its slowest probe. The
/// outcomes are in the order of the catalogue, whoever was first.
///
/// Once `stop` is set, what is still being waited for is given up.
pub fn run(
    probes: Vec<Probe>,
    limits: Limits,
    stop: &Arc<AtomicBool>,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Vec<Outcome> {
    let deadline = Deadline::unless(Arc::clone(stop), limits.timeout, limits.deadline);
    let (sender, answers) = channel();
    let mut waiting = Vec::new();
    for (index, Probe { checks, ask }) in probes.into_iter().enumerate() {
        on_event(Event::Asked(&checks));
        waiting.push(Some(checks));
        let (sender, deadline) = (sender.clone(), deadline.again());
        thread::spawn(move || {
            let started = Instant::now();
            let mut outcomes = ask(&deadline);
            for outcome in outcomes.iter_mut().filter(|outcome| outcome.elapsed.is_zero()) {
                outcome.elapsed = started.elapsed();
            }
            // Nobody may be waiting any longer.
            let _ = sender.send((index, outcomes));
        });
    }
    drop(sender);

    let mut last = deadline.end() + GRACE;
    let mut outcomes = Vec::new();
    let reason = loop {
        match answers.recv_timeout(STOP_POLL) {
            Ok((index, answered)) => {
                if let Some(checks) = waiting[index].take() {
                    on_event(Event::Answered(&checks));
                }
                outcomes.extend(answered);
            }
            Err(RecvTimeoutError::Disconnected) => break "the check has failed itself: this is a bug".to_owned(),
            Err(RecvTimeoutError::Timeout) if Instant::now() >= last => {
                break format!("no answer in {}", seconds(limits.deadline));
            }
            Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => last = last.min(Instant::now() + GRACE),
            Err(RecvTimeoutError::Timeout) => {}
        }
    };
    for checks in waiting.into_iter().flatten() {
        on_event(Event::Answered(&checks));
        outcomes.extend(checks.into_iter().map(|check| unanswered(check, &reason, limits.deadline)));
    }
    outcomes.sort_by_key(|outcome| position(&outcome.name));
    outcomes
}

/// The outcome of a check of which nothing was heard.
fn unanswered(check: &'static str, reason: &str, allowed: Duration) -> Outcome {
    Outcome { elapsed: allowed, ..Outcome::err(plain(check), reason) }
}
