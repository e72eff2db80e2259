//! `core`: what a service on this machine stands on.

use std::time::Duration;

use super::Ground;
use crate::outcome::{Outcome, Status};

/// Whether the virtual environment is there and holds what `uv.lock` says, by uv's own judgement.
///
/// `sync_args` are the arguments that it was made with: they say which extras and groups belong in it.
#[must_use]
pub fn lock(ground: &Ground<'_>, sync_args: &[&str], timeout: Duration) -> Outcome {
    const NAME: &str = "core.lock";
    let args = ["sync", "--check"].iter().chain(sync_args).copied();
    let command = ground.uv.command(args).dir(ground.project.service_dir()).envs(ground.variables.clone());
    match command.run_unless(ground.stop, timeout) {
        Ok(finished) if finished.is_success() => Outcome::new(NAME, Status::Ok, "`.venv` is in step with `uv.lock`"),
        Ok(finished) => {
            let complaint = ground.secrets.cover(&finished.complaint());
            Outcome::new(NAME, Status::Err, format!("`.venv` is not in step with `uv.lock`: {complaint}"))
                .hint(format!("uv sync {}", sync_args.join(" ")))
        }
        Err(error) => Outcome::new(NAME, Status::Err, error.to_string()),
    }
}
