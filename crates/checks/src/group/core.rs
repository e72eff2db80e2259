//! `core`: what a service on this machine stands on.

use std::time::{Duration, Instant};

use crate::outcome::{Outcome, Status};
use crate::{Project, Uv};

/// Whether the virtual environment is there and holds what `uv.lock` says, by uv's own judgement.
///
/// `sync_args` are the arguments that it was made with: they say which extras and groups belong in it.
#[must_use]
pub fn lock(project: &Project, uv: &Uv, sync_args: &[&str], timeout: Duration) -> Outcome {
    const NAME: &str = "core.lock";
    let started = Instant::now();
    let args = ["sync", "--check"].iter().chain(sync_args).copied();
    let outcome = match uv.command(args).dir(project.service_dir()).run(timeout) {
        Ok(finished) if finished.is_success() => Outcome::new(NAME, Status::Ok, "`.venv` is in step with `uv.lock`"),
        Ok(finished) => {
            Outcome::new(NAME, Status::Err, format!("`.venv` is not in step with `uv.lock`: {}", finished.complaint()))
                .hint(format!("uv sync {}", sync_args.join(" ")))
        }
        Err(error) => Outcome::new(NAME, Status::Err, error.to_string()),
    };
    Outcome { elapsed: started.elapsed(), ..outcome }
}
