//! `docker.drift`: whether the commit of the checkout is that of the release that serves.

use docker::LiveRelease;
use subprocess::{Command, Deadline};

use super::DRIFT as NAME;
use crate::Target;
use crate::outcome::Outcome;

/// Asks the engine for the release of a Compose project, and Git for the commit.
pub(super) fn outcome(compose_project: &str, target: &Target, deadline: &Deadline) -> Outcome {
    let listed = Command::new("docker", docker::list_records(compose_project)).run(deadline);
    let live = match listed {
        Ok(finished) if finished.is_success() => docker::live_release(finished.stdout()),
        Ok(finished) => return Outcome::skip(NAME, target.secrets.redact(&finished.failure_reason())),
        Err(error) => return Outcome::skip(NAME, error.to_string()),
    };
    let git = |args: &[&str]| {
        let finished = Command::git(args.iter().copied()).dir(&target.project.root).run(deadline).ok()?;
        finished.is_success().then(|| finished.stdout().trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    let is_dirty = || git(&["status", "--porcelain"]).is_none_or(|changes| !changes.is_empty());
    judge(live.as_ref(), commit.as_deref(), is_dirty)
}

fn judge(live: Option<&LiveRelease>, commit: Option<&str>, is_dirty: impl Fn() -> bool) -> Outcome {
    let Some(live) = live else { return Outcome::skip(NAME, "no deploy is recorded on the engine") };
    let (Some(deployed), Some(commit)) = (live.commit.as_deref(), commit) else {
        return Outcome::skip(NAME, format!("release {} serves, and no commit is known to compare", live.id));
    };
    let serves = |commit: &str| format!("release {} serves, of the commit {commit}", live.id);
    let message = match deployed.strip_suffix('+') {
        None if deployed == commit && !is_dirty() => return Outcome::ok(NAME, serves(commit) + " of the checkout"),
        None if deployed == commit => serves(commit) + ", and the checkout has uncommitted changes",
        // Which ones is not known.
        Some(deployed) if deployed == commit => {
            return Outcome::ok(NAME, serves(commit) + " of the checkout, with uncommitted changes");
        }
        clean => format!("{}, and the checkout is at {commit}", serves(clean.unwrap_or(deployed))),
    };
    Outcome::warn(NAME, message).hint("cargo xtask deploy-docker")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(deployed: Option<&str>, commit: Option<&str>, is_dirty: bool, expected: &str) {
        let json = serde_json::json!({"id": "1", "result": "deployed", "commit": deployed});
        let live: LiveRelease = serde_json::from_value(json).expect("a release");
        let Outcome { status, message, .. } = judge(Some(&live), commit, || is_dirty);
        assert_eq!(format!("{status} {message}"), expected);
    }

    #[test]
    fn the_checkout_is_compared_with_the_live_release() {
        check(Some("a"), Some("a"), false, "ok release 1 serves, of the commit a of the checkout");
        check(
            Some("a"),
            Some("a"),
            true,
            "warn release 1 serves, of the commit a, and the checkout has uncommitted changes",
        );
        check(
            Some("a+"),
            Some("a"),
            true,
            "ok release 1 serves, of the commit a of the checkout, with uncommitted changes",
        );
        check(Some("a"), Some("b"), false, "warn release 1 serves, of the commit a, and the checkout is at b");
        check(None, Some("b"), false, "skip release 1 serves, and no commit is known to compare");
        check(Some("a"), None, false, "skip release 1 serves, and no commit is known to compare");
        assert_eq!(judge(None, Some("a"), || false).message, "no deploy is recorded on the engine");
    }
}
