//! Ctrl-C, TERM and a closed terminal: they end the program at once, or are deferred where work must be undone first.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

use deploy::Interrupt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;

use crate::exit::Exit;

/// While this lives, a signal does not end the program: [`Interrupt::check`] turns it into an error.
///
/// The programs of `Ui::step` get the terminal's Ctrl-C themselves, so that the wait for them ends; those of
/// `subprocess` do not, and are stopped by [`Interrupt::flag`].
pub(crate) struct Deferred {
    interrupt: Interrupt,
    exit_at_once: Arc<AtomicBool>,
}

impl Deferred {
    /// Begins to defer signals.
    pub(crate) fn begin() -> anyhow::Result<Self> {
        // An install goes on with a deploy, and both use the same signal handlers.
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
        Ok(Deferred { interrupt: Interrupt::new(interrupted), exit_at_once })
    }
}

impl Deref for Deferred {
    type Target = Interrupt;

    fn deref(&self) -> &Interrupt {
        &self.interrupt
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        self.exit_at_once.store(true, Ordering::Relaxed);
    }
}
