//! Ctrl-C, TERM and a closed terminal: the end at once, or, where something would have to be undone, noted and acted upon.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;

use crate::exit::{Exit, Failure};

/// How often a pause looks for a signal.
const SIGNAL_POLL: Duration = Duration::from_millis(50);

/// While this lives, a signal no longer ends the program: [`Deferred::check`] acts upon it instead.
///
/// The programs of `Ui::step` get the terminal's Ctrl-C themselves, so that the wait for them ends; those of
/// `checks::command` do not, and are stopped with [`flag`](Self::flag).
pub(crate) struct Deferred {
    interrupted: Arc<AtomicBool>,
    exit_at_once: Arc<AtomicBool>,
}

impl Deferred {
    pub(crate) fn begin() -> anyhow::Result<Self> {
        // An install goes on with a deploy: the handlers of the one are those of the other.
        static FLAGS: [LazyLock<Arc<AtomicBool>>; 2] = [LazyLock::new(Arc::default), LazyLock::new(Arc::default)];
        static LISTENING: OnceLock<Result<(), String>> = OnceLock::new();
        let [interrupted, exit_at_once] = FLAGS.each_ref().map(|flag| Arc::clone(flag));
        interrupted.store(false, Ordering::Relaxed);
        exit_at_once.store(false, Ordering::Relaxed);
        let listen = || {
            [SIGINT, SIGTERM, SIGHUP, SIGQUIT].into_iter().try_for_each(|signal| {
                flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, Arc::clone(&exit_at_once))
                    .and_then(|_| flag::register(signal, Arc::clone(&interrupted)))
                    .map(drop)
                    .map_err(|error| error.to_string())
            })
        };
        let listening = LISTENING.get_or_init(listen);
        listening.as_ref().map_err(|error| anyhow::anyhow!("cannot listen for signals: {error}"))?;
        Ok(Deferred { interrupted, exit_at_once })
    }

    /// Set by a signal; for those who wait for programs that do not get it themselves.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.interrupted)
    }

    /// Waits so long, or until there is a signal.
    pub(crate) fn pause(&self, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end && !self.interrupted.load(Ordering::Relaxed) {
            // A signal handler can set a flag, and wake nobody.
            thread::park_timeout(SIGNAL_POLL.min(end.saturating_duration_since(Instant::now())));
        }
    }

    /// Ends the run if there was a signal; `during` names what it came in the middle of.
    pub(crate) fn check(&self, during: &str) -> anyhow::Result<()> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Failure::interrupted(format!("interrupted during `{during}`")).into());
        }
        Ok(())
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        self.exit_at_once.store(true, Ordering::Relaxed);
    }
}
