//! Users who send requests during a case, and the responses that they got.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::client::{Answer, Connection, Kind, Site};

/// How many users there are of each kind.
const USERS: usize = 2;
/// How many failures are kept with their text.
const KEPT: usize = 5;

/// The requests that one user sends, over and over.
#[derive(Debug, Clone, Copy)]
struct Question {
    method: &'static str,
    path: &'static str,
    kind: Kind,
    expected: u16,
    /// Between an answer and the next question: a worker must be able to follow.
    pause: Duration,
}

const fn get(kind: Kind) -> Question {
    Question { method: "GET", path: "/healthz", kind, expected: 200, pause: Duration::from_millis(10) }
}

const fn post(kind: Kind) -> Question {
    Question { method: "POST", path: "/samples", kind, expected: 202, pause: Duration::from_millis(100) }
}

const QUESTIONS: [Question; 4] = [get(Kind::New), get(Kind::KeepAlive), post(Kind::New), post(Kind::KeepAlive)];

/// The results of all requests, or of those of one user.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: usize,
    pub(crate) failed: usize,
    /// The first few failures.
    pub(crate) failures: Vec<String>,
    pub(crate) longest: Duration,
    /// Tasks that the service has promised to do.
    pub(crate) accepted: usize,
    /// The number of responses to GET, by their bodies.
    pub(crate) bodies: BTreeMap<String, usize>,
}

impl Tally {
    /// `at` is when the question was asked, since the beginning of it all.
    fn count(&mut self, question: &Question, answer: io::Result<Answer>, at: Duration, wait: Duration) {
        self.requests += 1;
        self.longest = self.longest.max(wait);
        let failure = match answer {
            Ok(answer) if answer.status != question.expected => format!("answer {}: {}", answer.status, answer.body),
            Ok(answer) if question.method == "GET" => {
                *self.bodies.entry(answer.body.trim().to_owned()).or_default() += 1;
                return;
            }
            Ok(_) => {
                self.accepted += 1;
                return;
            }
            Err(error) => error.to_string(),
        };
        self.failed += 1;
        if self.failures.len() < KEPT {
            let Question { method, path, kind, .. } = question;
            let (at, wait) = (at.as_secs_f64(), wait.as_secs_f64());
            self.failures.push(format!("{method} {path} {kind}, at {at:.1} s, after {wait:.3} s: {failure}"));
        }
    }

    fn add(mut self, other: Tally) -> Self {
        self.requests += other.requests;
        self.failed += other.failed;
        self.failures.extend(other.failures);
        self.longest = self.longest.max(other.longest);
        self.accepted += other.accepted;
        for (body, count) in other.bodies {
            *self.bodies.entry(body).or_default() += count;
        }
        self
    }

    /// Prints the figures of a case, whose deploy took `verdict`; no request may have failed.
    #[track_caller]
    pub(crate) fn nothing_failed(&self, case: &str, verdict: Duration) {
        self.publish(case, verdict);
        assert_eq!(self.failed, 0, "{case}: {:#?}", self.failures);
    }

    /// Prints the figures of a case.
    #[track_caller]
    pub(crate) fn publish(&self, case: &str, verdict: Duration) {
        let mut line = format!("{case}: {} requests, {} failed, ", self.requests, self.failed);
        let (longest, verdict) = (self.longest.as_secs_f64(), verdict.as_secs_f64());
        let _ = write!(line, "longest {longest:.3} s, verdict after {verdict:.1} s");
        publish(&line);
        assert!(self.requests > 0 && self.accepted > 0, "{case}: nobody asked");
    }
}

#[expect(clippy::print_stderr, reason = "figures for whoever reads the test run")]
#[expect(clippy::disallowed_methods, reason = "the switch of the end-to-end tests")]
fn publish(line: &str) {
    eprintln!("{line}");
    if let Some(path) = std::env::var_os("E2E_FIGURES") {
        let file = File::options().append(true).create(true).open(path);
        file.and_then(|mut file| writeln!(file, "{line}")).expect("the figures can be kept");
    }
}

/// One load at a time: two take the cores from the deploys that they are about, which then take five times as long.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs until it is stopped, or dropped.
pub(crate) struct Load {
    users: Vec<(Sender<()>, JoinHandle<Tally>)>,
    _alone: MutexGuard<'static, ()>,
}

impl Load {
    /// Each of the users has had an answer, or none, when this returns.
    pub(crate) fn start(site: &Site) -> Self {
        // A case that has failed meanwhile is none of this one's business.
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (started, is_started) = mpsc::channel();
        let users = QUESTIONS.into_iter().flat_map(|question| [question; USERS]);
        let users: Vec<_> = users
            .map(|question| {
                let (stop, stopped) = mpsc::channel();
                let (site, started) = (site.clone(), started.clone());
                (stop, thread::spawn(move || user(&site, &question, &started, &stopped)))
            })
            .collect();
        for _ in &users {
            is_started.recv().expect("every user asks");
        }
        Load { users, _alone: alone }
    }

    pub(crate) fn stop(self) -> Tally {
        let (stops, users): (Vec<_>, Vec<_>) = self.users.into_iter().unzip();
        drop(stops);
        users.into_iter().map(|user| user.join().expect("a user does not panic")).fold(Tally::default(), Tally::add)
    }
}

fn user(site: &Site, question: &Question, started: &Sender<()>, stopped: &Receiver<()>) -> Tally {
    let mut tally = Tally::default();
    let mut kept = None;
    let first = Instant::now();
    loop {
        let begun = Instant::now();
        let answer = ask(site, question, &mut kept);
        tally.count(question, answer, begun - first, begun.elapsed());
        if tally.requests == 1 {
            let _ = started.send(());
        }
        if stopped.recv_timeout(question.pause) != Err(RecvTimeoutError::Timeout) {
            return tally;
        }
    }
}

/// Asks on the connection that was kept, if there is one.
fn ask(site: &Site, question: &Question, kept: &mut Option<Connection>) -> io::Result<Answer> {
    let mut connection = kept.take().map_or_else(|| Connection::open(site), Ok)?;
    let answer = connection.ask(site, question.method, question.path, question.kind)?;
    if question.kind == Kind::KeepAlive && answer.stays_open {
        *kept = Some(connection);
    }
    Ok(answer)
}
