//! Release records: contents, time, user, commit and status of each release. A record with the status "under way" while
//! no deploy runs is one that the next deploy recovers.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Context as _;
use project::Project;
use project::text::counted;
use serde::{Deserialize, Serialize};

use crate::failure::{Exit, Failure, Problem};

/// The number of records, and of releases with their images, that are kept.
const KEPT: usize = 5;
const SCHEMA: u32 = 1;

/// A release, from the moment when something is about to change. Holds no secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    schema: u32,
    /// The moment in UTC, such as `20261123T045012Z`; the tag of its images.
    pub id: String,
    /// The engine and the Compose project, or the machine and the service, that it was deployed to.
    pub target: Target,
    pub started: String,
    pub ended: Option<String>,
    pub by: String,
    /// The commit, with `+` behind it if the checkout had changes beside it.
    pub commit: Option<String>,
    pub result: Status,
    /// The release that `--rollback` has rolled back to.
    pub rollback_to: Option<String>,
    /// The contents of the release: with Compose, the ids of the built images by the references of the Compose file;
    /// with systemd, the hash of its files.
    #[serde(alias = "images")]
    pub contents: BTreeMap<String, String>,
    /// Where its files are, with systemd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Whether that folder was there before the first deploy, and is the operator's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_adopted: bool,
    /// The migrations that were applied.
    pub migrations: Vec<String>,
    /// Where the database was copied to, before it was migrated.
    pub database_copy: Option<String>,
    /// The state of the target before the release, to which a rollback returns.
    #[serde(alias = "before")]
    pub snapshot: Snapshot,
}

/// Where a deploy goes. Another engine, or another Compose project, has releases of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The command that deployed: `deploy-docker` or `deploy-systemd`.
    pub command: String,
    /// The id of the engine; with systemd, of the machine.
    pub engine: String,
    /// The Compose project; with systemd, the name of the service.
    pub project: String,
}

/// The state of a release, from the record to the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    UnderWay,
    Deployed,
    RolledBack,
}

/// The state of the target before a release.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// The ids of the images, by reference; none where there was no image.
    pub images: BTreeMap<String, Option<String>>,
    /// The containers of the services that are replaced, in the order of replacing them.
    pub services: Vec<Replaced>,
    /// With systemd, the state of the units before the deploy.
    #[serde(default, alias = "standing", skip_serializing_if = "Option::is_none")]
    pub units: Option<UnitSnapshot>,
}

/// The state of the units of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitSnapshot {
    /// The target of the install folder's link; `None` without a link.
    pub link: Option<PathBuf>,
    /// Where the folder that was found in its place is moved to.
    pub adopted: Option<PathBuf>,
    /// The unit files that are changed, and whether there was such a file.
    pub files: BTreeMap<String, bool>,
    /// Whether the system env file is changed, and if so, whether there was one.
    pub env_file: Option<bool>,
    /// The folders that the deploy makes around the release.
    #[serde(default)]
    pub made: Vec<PathBuf>,
    /// The invocation ids of the units that were up.
    pub invocations: BTreeMap<String, String>,
    /// Whether any of this may have been changed already.
    #[serde(alias = "is_switched")]
    pub is_cut_over: bool,
}

/// A service that is replaced.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Replaced {
    pub service: String,
    pub containers: Vec<Old>,
}

/// A container that served before this release, which a rollback starts again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Old {
    pub id: String,
    pub was_running: bool,
}

impl Record {
    /// A release that begins now.
    pub fn begin(target: Target, by: String, commit: Option<String>) -> Self {
        let now = now();
        Record {
            schema: SCHEMA,
            id: now.chars().filter(char::is_ascii_alphanumeric).collect(),
            target,
            started: now,
            ended: None,
            by,
            commit,
            result: Status::UnderWay,
            rollback_to: None,
            contents: BTreeMap::new(),
            folder: None,
            is_adopted: false,
            migrations: Vec::new(),
            database_copy: None,
            snapshot: Snapshot::default(),
        }
    }

    /// Whether its folder is the operator's. Earlier versions noted it in the id alone.
    pub fn is_adopted(&self) -> bool {
        self.is_adopted || self.id.ends_with("-adopted")
    }

    /// The release whose images these are: for a rollback, the one that it rolled back to.
    pub fn original(&self) -> &str {
        self.rollback_to.as_deref().unwrap_or(&self.id)
    }

    /// Returns whether the contents differ, of the parts that both releases have.
    fn differs_from(&self, other: &Record) -> bool {
        self.contents.iter().any(|(name, id)| other.contents.get(name).is_some_and(|other| other != id))
    }

    /// Returns the effects that a rollback does not undo, as a part of a message: the migrations that were applied,
    /// and the copy of the database from before them.
    pub fn lasting_effects(&self) -> String {
        let count = self.migrations.len();
        if count == 0 {
            return String::new();
        }
        let stay = if count == 1 { "stays" } else { "stay" };
        let copy = self.database_copy.iter().map(|copy| format!("; the database from before them is in `{copy}`"));
        format!("; {} {stay} applied{}", counted(count, "migration"), copy.collect::<String>())
    }

    /// The record with its end.
    pub fn ended(mut self, result: Status) -> Self {
        self.result = result;
        self.ended = Some(now());
        self
    }
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// The records of a project for one target, in `.xtask/releases`.
pub struct Records {
    dir: PathBuf,
    shown: String,
    target: Target,
}

impl Records {
    pub fn of(project: &Project, target: Target) -> Self {
        let dir = project.state_dir().join("releases");
        Records { shown: project.relative(&dir).display().to_string(), dir, target }
    }

    /// A release to this target that begins now.
    pub fn begin(&self, by: String, commit: Option<String>) -> Record {
        Record::begin(self.target.clone(), by, commit)
    }

    /// All of them, the oldest first.
    pub fn all(&self) -> anyhow::Result<Vec<Record>> {
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
            let not_ours = |message: String| {
                let hint =
                    "correct it, or move it away if no deploy was interrupted: it records the state to go back to";
                Failure::new(Exit::NotMet, Problem::new(message).hint(hint))
            };
            let record: Record = serde_json::from_str(&text)
                .map_err(|error| not_ours(format!("`{name}` line {} is no release record", error.line())))?;
            if record.schema != SCHEMA {
                let message = format!(
                    "`{name}` has the schema {}, and {SCHEMA} is the one that this version can read",
                    record.schema
                );
                return Err(not_ours(message).into());
            }
            if record.target == self.target {
                records.push(record);
            }
        }
        records.sort_by(|a: &Record, b: &Record| a.id.cmp(&b.id));
        Ok(records)
    }

    /// Writes a record as a whole or not at all.
    pub fn write(&self, record: &Record) -> anyhow::Result<()> {
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
    pub fn prune(&self) -> anyhow::Result<Vec<Record>> {
        let records = self.all()?;
        let (left, dropped) = kept(&records);
        for record in dropped {
            fs::remove_file(self.path(&record.id))
                .with_context(|| format!("cannot remove the old record `{}/{}.json`", self.shown, record.id))?;
        }
        Ok(left)
    }

    /// Returns the records that a pruning keeps.
    pub fn kept(&self) -> anyhow::Result<Vec<Record>> {
        Ok(kept(&self.all()?).0)
    }

    /// The records that are kept once this one serves, and the others.
    pub fn kept_with(&self, record: &Record) -> anyhow::Result<(Vec<Record>, Vec<Record>)> {
        let mut records = self.all()?;
        records.retain(|other| other.id != record.id);
        records.push(record.clone().ended(Status::Deployed));
        Ok(kept(&records))
    }

    fn path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }
}

/// Returns the records that are kept, and those that are pruned. The newest are kept, the one that serves, the one that
/// a rollback goes back to, and those after it.
fn kept(records: &[Record]) -> (Vec<Record>, Vec<Record>) {
    let newest = records.len().saturating_sub(KEPT);
    let wanted = [serving(records), previous(records)].into_iter().flatten();
    let wanted: Vec<String> = wanted.flat_map(|record| [record.id.clone(), record.original().to_owned()]).collect();
    let (old, newest) = records.split_at(newest);
    let (old, dropped): (Vec<_>, Vec<_>) = old.iter().cloned().partition(|record| wanted.contains(&record.id));
    (old.into_iter().chain(newest.iter().cloned()).collect(), dropped)
}

/// The release that serves.
pub(crate) fn serving(records: &[Record]) -> Option<&Record> {
    records.iter().rev().find(|record| record.result == Status::Deployed)
}

/// Returns the error of a rollback without a release to go back to; `contents` names the things that releases are made
/// of.
pub(crate) fn no_previous_release(records: &[Record], contents: &str) -> Failure {
    let serving = serving(records).map(|record| format!(": release {} serves", record.original())).unwrap_or_default();
    let message = format!("there is no earlier release with other {contents} to go back to{serving}");
    Failure::new(Exit::NotMet, Problem::new(message).hint("ls .xtask/releases"))
}

/// The release to roll back to: the last good one before the one that serves, made of something else.
pub(crate) fn previous(records: &[Record]) -> Option<&Record> {
    let serving = serving(records)?;
    let good = records.iter().rev().filter(|record| record.result == Status::Deployed && record.rollback_to.is_none());
    good.filter(|record| record.id.as_str() < serving.original()).find(|record| record.differs_from(serving))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a record of its id, status and image, and the release that it goes back to.
    fn record(id: &str, result: Status, image: &str, rollback_to: Option<&str>) -> Record {
        let mut record = Record::begin(target("engine"), "me@here".into(), None).ended(result);
        record.id = id.to_owned();
        record.contents = BTreeMap::from([("app".to_owned(), image.to_owned())]);
        record.rollback_to = rollback_to.map(str::to_owned);
        record
    }

    fn target(engine: &str) -> Target {
        Target { command: "deploy-docker".into(), engine: engine.into(), project: "shop".into() }
    }

    fn ids(records: &[Record]) -> String {
        records.iter().map(|record| record.id.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_release_of_a_rollback() {
        use Status::{Deployed, RolledBack, UnderWay};
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
        // Before the release that the rollback went back to there is none.
        records.push(record("6", Deployed, "a", Some("1")));
        assert!(previous(&records).is_none());
        records.push(record("7", Deployed, "e", None));
        assert_eq!(previous(&records).map(|record| record.id.as_str()), Some("5"));
    }

    #[test]
    fn records_that_are_kept() {
        use Status::{Deployed, RolledBack};
        let good = |id| record(id, Deployed, id, None);
        let bad = |id| record(id, RolledBack, id, None);
        let (left, dropped) =
            kept(&[good("1"), good("2"), good("3"), bad("4"), bad("5"), bad("6"), bad("7"), bad("8")]);
        assert_eq!((ids(&left).as_str(), ids(&dropped).as_str()), ("2 3 4 5 6 7 8", "1"));
        let (left, dropped) = kept(&["1", "2", "3", "4", "5", "6", "7"].map(good));
        assert_eq!((ids(&left).as_str(), ids(&dropped).as_str()), ("3 4 5 6 7", "1 2"));
        // After a rollback the release that serves is the one that it went back to, and the previous one is older than
        // that.
        let back = record("8", Deployed, "2", Some("2"));
        let (left, _) = kept(&[["1", "2", "3", "4", "5", "6"].map(good).as_slice(), &[back]].concat());
        assert_eq!(ids(&left), "1 2 3 4 5 6 8");
        // The same images with another `.env` are nothing to go back to, however often they were deployed.
        let again = |id| record(id, Deployed, "b", None);
        let (left, _) = kept(&[good("1"), again("2"), again("3"), bad("4"), bad("5"), bad("6"), bad("7")]);
        assert_eq!(ids(&left), "1 3 4 5 6 7");
    }

    #[test]
    fn records_survive_and_are_named_when_they_do_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let project = Project::open(dir.path()).expect("a project");
        let records = Records::of(&project, target("engine"));
        assert!(records.all().expect("none").is_empty());
        records.write(&record("1", Status::Deployed, "a", None)).expect("written");
        records.write(&record("0", Status::RolledBack, "b", None)).expect("written");
        assert_eq!(ids(&records.all().expect("readable")), "0 1");
        // Deploys to another engine have records of their own.
        assert!(Records::of(&project, target("other")).all().expect("readable").is_empty());
        fs::write(dir.path().join(".xtask/releases/2.json"), "{").expect("written");
        let error = records.all().expect_err("it is no record");
        assert_eq!(error.to_string(), "`.xtask/releases/2.json` line 1 is no release record");
    }
}
