//! One line on a terminal that shows, while a step runs, that it does.

use std::io::{self, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const FRAMES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/// The time between two frames. A step that is shorter has no spinner.
const TICK: Duration = Duration::from_millis(100);
/// Turns automatic line breaks off and on again: a title that is too long is cut at the edge of the terminal.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";
const CLEAR_TO_END: &str = "\x1b[K";

/// Shows its title, and the time since it began, until it is dropped.
pub(crate) struct Spinner {
    title: Arc<Mutex<String>>,
    /// `None` without a terminal.
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Spinner {
    /// Begins to show `title` on standard error, if that is a terminal.
    pub(crate) fn new(title: &str, is_terminal: bool) -> Self {
        let title = Arc::new(Mutex::new(title.to_owned()));
        let running = is_terminal.then(|| {
            let (stop, stopped) = channel();
            let (shown, started) = (Arc::clone(&title), Instant::now());
            let draw = move || {
                let mut is_shown = false;
                for frame in FRAMES.iter().cycle() {
                    if stopped.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                        break;
                    }
                    let title = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    let seconds = started.elapsed().as_secs();
                    // A terminal that is gone needs no spinner.
                    let _ = write!(io::stderr(), "\r{NO_WRAP}   {frame}   {title}  {seconds} s{CLEAR_TO_END}{WRAP}");
                    is_shown = true;
                }
                if is_shown {
                    let _ = write!(io::stderr(), "\r{CLEAR_TO_END}");
                }
            };
            (stop, thread::spawn(draw))
        });
        Spinner { title, running }
    }

    /// Changes the title.
    pub(crate) fn set_title(&self, title: String) {
        *self.title.lock().unwrap_or_else(PoisonError::into_inner) = title;
    }
}

/// Clears the line, so that the next one is printed in its place.
impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}
