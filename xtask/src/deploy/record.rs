//! Release records: what was deployed, when, by whom, from which commit, and how it ended. One that is still under way
//! when nobody is at work is what the next run has to put right.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Context;
use checks::Project;
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failure, Problem};

/// How many records, and the images of so many releases, are kept.
const KEPT: usize = 5;
/// Of these many releases that went well, whatever was tried since: the one that serves, and the one before it.
const KEPT_GOOD: usize = 2;
const SCHEMA: u32 = 1;

/// A release, from the moment when something is about to change. Holds no secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    schema: u32,
    /// The moment in UTC, such as `20261123T045012Z`; the tag of its images.
    pub(crate) id: String,
    /// Which deployer it was.
    pub(crate) command: String,
    pub(crate) started: String,
    pub(crate) ended: Option<String>,
    pub(crate) by: String,
    /// The commit, with `+` behind it if the checkout had changes beside it.
    pub(crate) commit: Option<String>,
    pub(crate) result: Outcome,
    /// The release that a rollback went back to.
    pub(crate) rollback_to: Option<String>,
    /// The ids of the images, by the references of the Compose file.
    pub(crate) images: BTreeMap<String, String>,
    /// Where the database was copied to, before it was migrated.
    pub(crate) database_copy: Option<String>,
    /// What there was before: what undoing goes back to.
    pub(crate) before: Before,
}

/// How a release has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    UnderWay,
    Deployed,
    RolledBack,
}

/// What there was before a release.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Before {
    /// The ids of the images, by reference; none where there was no image.
    pub(crate) images: BTreeMap<String, Option<String>>,
    /// The containers of the services that are replaced, in the order of replacing them.
    pub(crate) services: Vec<Replaced>,
}

/// A service that is replaced.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Replaced {
    pub(crate) service: String,
    pub(crate) containers: Vec<Old>,
}

/// A container from before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Old {
    pub(crate) id: String,
    pub(crate) was_running: bool,
}

impl Record {
    /// A release that begins now.
    pub(crate) fn begin(command: &str, by: String, commit: Option<String>) -> Self {
        let now = now();
        Record {
            schema: SCHEMA,
            id: now.chars().filter(char::is_ascii_alphanumeric).collect(),
            command: command.to_owned(),
            started: now,
            ended: None,
            by,
            commit,
            result: Outcome::UnderWay,
            rollback_to: None,
            images: BTreeMap::new(),
            database_copy: None,
            before: Before::default(),
        }
    }

    /// The release whose images these are: for a rollback, the one that it went back to.
    pub(crate) fn original(&self) -> &str {
        self.rollback_to.as_deref().unwrap_or(&self.id)
    }

    /// The record with its end.
    pub(crate) fn ended(mut self, result: Outcome) -> Self {
        self.result = result;
        self.ended = Some(now());
        self
    }
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// The records of a project, in `.xtask/releases`.
pub(crate) struct Records {
    dir: PathBuf,
    shown: String,
}

impl Records {
    pub(crate) fn of(project: &Project) -> Self {
        let dir = project.state_dir().join("releases");
        Records { shown: project.relative(&dir).display().to_string(), dir }
    }

    /// All of them, the oldest first.
    pub(crate) fn all(&self) -> anyhow::Result<Vec<Record>> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", self.shown)),
        };
        let mut records = Vec::new();
        for entry in entries {
            let path = entry.with_context(|| format!("cannot read `{}`", self.shown))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let name = format!("{}/{}", self.shown, path.file_name().unwrap_or_default().display());
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{name}`"))?;
            let record: Record = serde_json::from_str(&text).map_err(|error| {
                let problem = Problem::new(format!("`{name}` line {} is no release record", error.line()));
                Failure::new(Exit::NotMet, problem.hint(format!("rm {name}")))
            })?;
            records.push(record);
        }
        records.sort_by(|a: &Record, b: &Record| a.id.cmp(&b.id));
        Ok(records)
    }

    /// Writes a record as a whole or not at all.
    pub(crate) fn write(&self, record: &Record) -> anyhow::Result<()> {
        let path = self.path(&record.id);
        let write = || {
            fs::create_dir_all(&self.dir)?;
            let partial = path.with_extension("partial");
            let mut file = File::create(&partial)?;
            file.write_all(&serde_json::to_vec_pretty(record)?)?;
            file.sync_all()?;
            fs::rename(&partial, &path)?;
            File::open(&self.dir)?.sync_all()
        };
        write().with_context(|| format!("cannot write the release record `{}/{}.json`", self.shown, record.id))
    }

    /// Removes the records that are too old; gives those that are left.
    pub(crate) fn prune(&self) -> anyhow::Result<Vec<Record>> {
        let records = self.all()?;
        let (left, dropped) = kept(records);
        for record in dropped {
            fs::remove_file(self.path(&record.id))
                .with_context(|| format!("cannot remove the old record `{}/{}.json`", self.shown, record.id))?;
        }
        Ok(left)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }
}

/// The records that are kept, and the others.
fn kept(records: Vec<Record>) -> (Vec<Record>, Vec<Record>) {
    let newest = records.len().saturating_sub(KEPT);
    let mut good: Vec<String> = Vec::new();
    for record in records.iter().rev().filter(|record| record.result == Outcome::Deployed) {
        if good.len() < KEPT_GOOD && !good.contains(&record.id) {
            good.push(record.id.clone());
        }
    }
    let originals: Vec<String> =
        records.iter().filter(|record| good.contains(&record.id)).map(|record| record.original().to_owned()).collect();
    let mut index = 0;
    records.into_iter().partition(|record| {
        index += 1;
        index > newest || good.contains(&record.id) || originals.contains(&record.id)
    })
}

/// The release that a rollback goes back to: the last good one before the one that serves.
pub(crate) fn previous(records: &[Record]) -> Option<&Record> {
    let good = |record: &&Record| record.result == Outcome::Deployed;
    let serving = records.iter().rev().find(good)?;
    let is_itself = |record: &&Record| record.rollback_to.is_none();
    records
        .iter()
        .rev()
        .filter(good)
        .filter(is_itself)
        .find(|record| record.id.as_str() < serving.original() && record.images != serving.images)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record in words: its id, how it ended, the image that it had, and perhaps what it went back to.
    fn record(id: &str, result: Outcome, image: &str, rollback_to: Option<&str>) -> Record {
        let mut record = Record::begin("deploy-docker", "me@here".into(), None).ended(result);
        record.id = id.to_owned();
        record.images = BTreeMap::from([("app".to_owned(), image.to_owned())]);
        record.rollback_to = rollback_to.map(str::to_owned);
        record
    }

    fn ids(records: &[Record]) -> String {
        records.iter().map(|record| record.id.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_a_rollback_goes_back_to() {
        use Outcome::{Deployed, RolledBack, UnderWay};
        let mut records = vec![];
        assert!(previous(&records).is_none());
        records.push(record("1", Deployed, "a", None));
        assert!(previous(&records).is_none());
        records.push(record("2", RolledBack, "b", None));
        records.push(record("3", Deployed, "c", None));
        records.push(record("4", UnderWay, "d", None));
        assert_eq!(previous(&records).map(|record| record.id.as_str()), Some("1"));
        // The same images again, with another `.env`, are no release to go back from.
        records.push(record("5", Deployed, "c", None));
        assert_eq!(previous(&records).map(|record| record.id.as_str()), Some("1"));
        // Nothing is before what a rollback went back to.
        records.push(record("6", Deployed, "a", Some("1")));
        assert!(previous(&records).is_none());
        records.push(record("7", Deployed, "e", None));
        assert_eq!(previous(&records).map(|record| record.id.as_str()), Some("5"));
    }

    #[test]
    fn what_is_kept() {
        use Outcome::{Deployed, RolledBack};
        let good = |id| record(id, Deployed, id, None);
        let bad = |id| record(id, RolledBack, id, None);
        let (left, dropped) =
            kept(vec![good("1"), good("2"), good("3"), bad("4"), bad("5"), bad("6"), bad("7"), bad("8")]);
        assert_eq!((ids(&left).as_str(), ids(&dropped).as_str()), ("2 3 4 5 6 7 8", "1"));
        let (left, dropped) = kept(["1", "2", "3", "4", "5", "6", "7"].map(good).into());
        assert_eq!((ids(&left).as_str(), ids(&dropped).as_str()), ("3 4 5 6 7", "1 2"));
        // What serves after a rollback is the release that it went back to.
        let back = record("8", Deployed, "1", Some("1"));
        let (left, _) = kept(["1", "2", "3", "4", "5", "6"].map(good).into_iter().chain([back]).collect());
        assert_eq!(ids(&left), "1 3 4 5 6 8");
    }

    #[test]
    fn records_survive_and_are_named_when_they_do_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let project = Project::open(dir.path()).expect("a project");
        let records = Records::of(&project);
        assert!(records.all().expect("none").is_empty());
        records.write(&record("1", Outcome::Deployed, "a", None)).expect("written");
        records.write(&record("0", Outcome::RolledBack, "b", None)).expect("written");
        assert_eq!(ids(&records.all().expect("readable")), "0 1");
        fs::write(dir.path().join(".xtask/releases/2.json"), "{").expect("written");
        let error = records.all().expect_err("it is no record");
        assert_eq!(error.to_string(), "`.xtask/releases/2.json` line 1 is no release record");
    }
}
