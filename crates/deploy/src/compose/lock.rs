//! The lock of a Compose project on an engine, for all checkouts and machines that deploy to it. It is a volume for each
//! run that holds it or tries to.

use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use project::LockError;
use project::secret::Secrets;

use super::Compose;
use super::client::Client;
use super::holder::{Holder, find};
use super::volumes::Volumes;
use crate::backend::Backend;
use crate::context::Context;
use crate::failure::{Exit, Failure, Problem};

/// The label of a lock; its value is the Compose project.
const LOCK: &str = "xtask.lock";
/// The label with the holder of a lock, as JSON.
const HOLDER: &str = "xtask.holder";

/// The lock, held as long as this lives. If the process is killed, the next run on the same machine finds that out; on
/// another machine, the operator has to release it.
pub struct Lock<'a> {
    volumes: Volumes<'a>,
    name: String,
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // If it stays, it is that of a process that has ended.
        let _ = self.volumes.remove(&self.name);
    }
}

/// Takes the lock; does not wait for another holder. Returns `None` without an engine or a Compose project: the preflight
/// reports that, with all other problems.
pub(super) fn take<'a>(context: &Context<'a>) -> anyhow::Result<Option<Lock<'a>>> {
    let client = Client::of(context, Secrets::default());
    let config = match client.config() {
        Ok(config) if !config.name.is_empty() => config,
        Err(error) if Exit::of(&error) == Exit::Interrupted => return Err(error),
        _ => return Ok(None),
    };
    let volumes = client.volumes(&config.name);
    let has_engine = volumes.list(LOCK, HOLDER).is_ok();
    context.interrupt.check("preflight")?;
    if !has_engine {
        return Ok(None);
    }
    hold(volumes, &Holder::of_this_process(Compose::COMMAND, context.user)).map(Some)
}

/// Creates a lock and then looks for others. Of two runs at the same moment, at least one finds the other, since the engine
/// creates one volume after the other; both may find each other, and then neither goes on.
fn hold<'a>(volumes: Volumes<'a>, here: &Holder) -> anyhow::Result<Lock<'a>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let name = format!("xtask-lock.{}.{}-{now}", volumes.compose_project, process::id());
    let json = serde_json::to_string(here)?;
    volumes.create(&name, &[(LOCK, &volumes.compose_project), (HOLDER, &json)]).map_err(|error| {
        let message = format!("the lock of `{}` cannot be taken: {error:#}", volumes.compose_project);
        Failure::new(Exit::NotMet, Problem::new(message))
    })?;
    let lock = Lock { volumes, name };
    for other in lock.volumes.list(LOCK, HOLDER)? {
        if other.name == lock.name {
            continue;
        }
        let holder: Option<Holder> = serde_json::from_str(&other.value).ok();
        match holder {
            Some(holder) if holder.has_ended(here, find) => lock.volumes.remove(&other.name)?,
            holder => return Err(held(holder.as_ref(), &other.name, here).into()),
        }
    }
    Ok(lock)
}

/// Returns the error of a lock that another run holds.
fn held(holder: Option<&Holder>, volume: &str, here: &Holder) -> Failure {
    let shown = holder.map_or_else(|| "an unknown run".to_owned(), Holder::shown);
    let mut failure = Failure::from(LockError::Held { holder: shown, age: None });
    let is_running = holder.is_some_and(|holder| holder.runs_for_certain(here, find));
    for problem in failure.problems.iter_mut().filter(|_| !is_running) {
        // It may run elsewhere, or have been killed.
        let hint = format!("wait until it has ended, and run this again; if it was killed: docker volume rm {volume}");
        problem.hint = Some(hint);
    }
    failure
}
