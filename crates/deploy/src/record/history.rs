//! The history of a target: one line for each deploy, which stays when its record is pruned.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{Record, Records, Status, serving};
use crate::source::version;

/// A deploy, as the history keeps it. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deploy {
    /// The id of its release.
    pub id: String,
    /// Its place in the order of the deploys: clocks can go back.
    #[serde(default)]
    pub number: u64,
    /// The time of its begin, as RFC 3339 writes it.
    pub started: String,
    /// The time of its end; none while it runs, or if it was killed.
    pub ended: Option<String>,
    /// The user who deployed, such as `deploy@server`.
    pub by: String,
    /// The commit, with `+` behind it if the checkout had changes beside it.
    pub commit: Option<String>,
    /// The first line of the message of that commit.
    #[serde(default)]
    pub subject: Option<String>,
    /// Its result.
    pub result: Status,
    /// The release that it has rolled back to.
    pub rollback_to: Option<String>,
}

impl Deploy {
    /// Returns the commit as a message shows it; `None` if it is not known.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        let commit = self.commit.as_deref()?;
        Some(version(commit, self.subject.as_deref()))
    }

    /// Returns the time that it took, in whole seconds; `None` without an end.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        // A clock that was set back has made it unknown.
        moment(self.ended.as_deref()?)?.duration_since(moment(&self.started)?).ok()
    }

    /// Returns the time since its end; `None` without an end.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        SystemTime::now().duration_since(moment(self.ended.as_deref()?)?).ok()
    }
}

fn moment(rfc3339: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(rfc3339).ok()
}

impl From<&Record> for Deploy {
    fn from(record: &Record) -> Self {
        let Record { id, number, started, ended, by, commit, subject, result, rollback_to, .. } = record.clone();
        Deploy { id, number, started, ended, by, commit, subject, result, rollback_to }
    }
}

/// The releases of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Releases {
    /// The deploy of the release that serves; `None` before the first deploy.
    pub live: Option<Deploy>,
    /// All deploys, the oldest first.
    pub deploys: Vec<Deploy>,
}

impl Records<'_> {
    /// Returns the releases of the target.
    ///
    /// # Errors
    /// If a record cannot be read. A line of the history that no version of this tool has written is left out.
    pub(crate) fn releases(&self) -> anyhow::Result<Releases> {
        let records = self.all()?;
        let lines = self.storage.read_history()?;
        let mut deploys: Vec<Deploy> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        // A run that was killed while it pruned has left the record of a line that it had added.
        deploys
            .retain(|deploy| !records.iter().any(|record| (record.number, &record.id) == (deploy.number, &deploy.id)));
        deploys.extend(records.iter().map(Deploy::from));
        Ok(Releases { live: serving(&records).map(Deploy::from), deploys })
    }
}

#[cfg(test)]
mod tests {
    use project::Project;

    use super::super::Target;
    use super::*;

    #[test]
    fn the_history_has_the_deploys_whose_records_are_pruned() {
        let dir = tempfile::tempdir().expect("a folder");
        let project = Project::open(dir.path()).expect("a project");
        let target = Target { command: "deploy-docker".into(), engine: "engine".into(), project: "shop".into() };
        let records = Records::of(&project, target);
        for number in 1..=9 {
            let record = records.begin("me@here".into(), Some(format!("c{number}"))).expect("readable");
            let result = if number % 2 == 0 { Status::RolledBack } else { Status::Deployed };
            records.write(&record.ended(result)).expect("written");
            records.prune().expect("pruned");
        }
        assert!(records.all().expect("readable").len() < 9);
        let Releases { live, deploys } = records.releases().expect("readable");
        let commits: Vec<_> = deploys.iter().filter_map(|deploy| deploy.commit.as_deref()).collect();
        assert_eq!(commits, ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"]);
        assert_eq!(live.and_then(|live| live.commit).as_deref(), Some("c9"));
    }

    #[test]
    fn the_duration_of_a_deploy() {
        let deploy = |ended: Option<&str>| Deploy {
            id: "1".into(),
            number: 1,
            started: "2026-12-01T10:00:00Z".into(),
            ended: ended.map(str::to_owned),
            by: "me@here".into(),
            commit: None,
            subject: None,
            result: Status::Deployed,
            rollback_to: None,
        };
        assert_eq!(deploy(Some("2026-12-01T10:01:02Z")).duration(), Some(Duration::from_secs(62)));
        assert_eq!(deploy(Some("2026-12-01T09:00:00Z")).duration(), None, "a clock that was set back");
        assert_eq!((deploy(None).duration(), deploy(Some("now")).duration()), (None, None));
    }
}
