//! The events of a deploy: everything that its caller may want to show while it runs.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::failure::Problem;

/// Something that happened during a deploy. No text in it holds a secret.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A step has begun. Steps can be nested.
    StepStarted {
        /// The name of the step.
        title: String,
    },
    /// A step has ended.
    StepFinished {
        /// The name of the step.
        title: String,
        /// Whether it succeeded.
        is_ok: bool,
        /// The time that it took; JSON has it in seconds.
        #[serde(serialize_with = "seconds")]
        duration: Duration,
    },
    /// A step that takes no time worth mentioning has succeeded.
    Done {
        /// The name of the step.
        title: String,
        /// Its result.
        detail: String,
    },
    /// The step under way waits for something.
    Waiting {
        /// The thing that it waits for.
        title: String,
    },
    /// A detail of the progress.
    Note {
        /// A clause, or a sentence.
        text: String,
    },
    /// A problem that does not stop the deploy.
    Warning {
        /// The problem.
        #[serde(flatten)]
        problem: Problem,
    },
    /// The output of a program, with secrets redacted.
    Output {
        /// The lines of the output.
        text: String,
        /// Whether it explains a failure; otherwise it is a detail.
        explains_failure: bool,
    },
    /// The plan of a dry run.
    Plan {
        /// The target of the deploy.
        title: String,
        /// The steps in their order.
        steps: Vec<String>,
        /// The commands that would run as root, as they are typed.
        commands: Vec<String>,
    },
}

pub(crate) fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// The receiver of a deploy's events.
#[derive(Clone, Copy)]
pub struct Events<'a>(&'a dyn Fn(Event));

impl<'a> Events<'a> {
    /// Hands every event to a function, in the order in which they happen.
    #[must_use]
    pub fn new(receive: &'a dyn Fn(Event)) -> Self {
        Events(receive)
    }

    /// Hands an event to the receiver, at once: nothing is buffered.
    pub fn emit(&self, event: Event) {
        (self.0)(event);
    }

    pub(crate) fn note(&self, text: impl Into<String>) {
        self.emit(Event::Note { text: text.into() });
    }

    pub(crate) fn warning(&self, problem: Problem) {
        self.emit(Event::Warning { problem });
    }

    pub(crate) fn done(&self, title: impl Into<String>, detail: impl Into<String>) {
        self.emit(Event::Done { title: title.into(), detail: detail.into() });
    }

    /// Emits the output of a program; only people who debug want that of one that succeeded.
    pub(crate) fn output(&self, text: &str, explains_failure: bool) {
        self.emit(Event::Output { text: printable(text), explains_failure });
    }

    /// Runs a step between its two events.
    pub(crate) fn step<T>(&self, title: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.emit(Event::StepStarted { title: title.to_owned() });
        let started = Instant::now();
        let result = work();
        let (is_ok, duration) = (result.is_ok(), started.elapsed());
        self.emit(Event::StepFinished { title: title.to_owned(), is_ok, duration });
        result
    }

    /// Runs work that has no result of its own to show, such as a look at the target: without a final event.
    pub(crate) fn waiting<T>(&self, title: &str, work: impl FnOnce() -> T) -> T {
        self.emit(Event::Waiting { title: title.to_owned() });
        work()
    }
}

/// Returns the output of a program without the sequences that steer a terminal: a log can come from a stranger's request.
fn printable(text: &str) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn a_step_ends_as_its_work_does() {
        let seen = RefCell::new(Vec::new());
        let receive = |event| seen.borrow_mut().push(event);
        let events = Events::new(&receive);
        assert!(events.step("one", || Ok(1)).is_ok());
        assert!(events.step("two", || Err::<(), _>(anyhow::anyhow!("no"))).is_err());
        let ends: Vec<_> = seen
            .borrow()
            .iter()
            .filter_map(|event| match event {
                Event::StepFinished { title, is_ok, .. } => Some((title.clone(), *is_ok)),
                _ => None,
            })
            .collect();
        assert_eq!(ends, [("one".to_owned(), true), ("two".to_owned(), false)]);
    }

    #[test]
    fn output_cannot_steer_a_terminal() {
        let log = "\u{1b}[31mred\u{1b}[0m\ttab\r\n\u{1b}]0;title\u{7}\u{1b}[2Jcleared \u{9b}31m\u{8}\u{e4}\n";
        assert_eq!(printable(log), "red\ttab\ncleared 31m\u{e4}\n");
    }

    #[test]
    fn events_are_flat_json_objects() {
        let duration = Duration::from_micros(1_234_567);
        let event = Event::StepFinished { title: "build".into(), is_ok: true, duration };
        assert_eq!(
            serde_json::to_string(&event).expect("JSON"),
            r#"{"event":"step-finished","title":"build","is_ok":true,"duration":1.235}"#
        );
        let event = Event::Warning { problem: Problem::new("no").hint("yes") };
        assert_eq!(serde_json::to_string(&event).expect("JSON"), r#"{"event":"warning","message":"no","hint":"yes"}"#);
    }
}
