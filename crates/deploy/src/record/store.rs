//! The store of release records: the release that serves, the one before it, and those that are kept.

use std::time::{Duration, SystemTime};

use project::Project;

use super::storage::{OwnFolder, Storage, Stored};
use super::{Deploy, Record, SCHEMA, Status, Target, id_of};
use crate::failure::{Exit, Failure, Problem};

/// The number of records, and of releases with their images, that are kept.
const KEPT: usize = 5;

/// The records of one target.
pub struct Records<'a> {
    pub(super) storage: Box<dyn Storage + 'a>,
    /// Where earlier versions have kept them.
    earlier: Option<OwnFolder>,
    target: Target,
}

impl<'a> Records<'a> {
    /// Those in the checkout, in `.xtask/releases`: only earlier versions have kept them there.
    #[cfg(test)]
    pub fn of(project: &Project, target: Target) -> Self {
        Records { storage: Box::new(in_checkout(project)), earlier: None, target }
    }

    /// Those at the target; records of earlier versions are in the checkout.
    pub(crate) fn at_target(storage: impl Storage + 'a, project: &Project, target: Target) -> Self {
        Records { storage: Box::new(storage), earlier: Some(in_checkout(project)), target }
    }

    /// Returns the command that lists the records.
    pub fn list_command(&self) -> String {
        self.storage.list_command()
    }

    /// Moves records of earlier versions to the target, for all checkouts that deploy to it.
    pub fn import(&self) -> anyhow::Result<()> {
        let Some(earlier) = &self.earlier else { return Ok(()) };
        let known = self.parse(self.storage.as_ref())?;
        for record in &self.of_checkout(&known)? {
            self.write(record)?;
        }
        for record in self.parse(earlier)? {
            // One that stays is not imported again.
            let _ = earlier.remove(&record.id);
        }
        Ok(())
    }

    /// Returns the records in the checkout that count at a target with the records `known`. Each checkout has numbered its
    /// own, and time alone orders them. An unfinished deploy that a later one has overtaken has nothing left to recover.
    fn of_checkout(&self, known: &[Record]) -> anyhow::Result<Vec<Record>> {
        let Some(earlier) = &self.earlier else { return Ok(Vec::new()) };
        let parsed = self.parse(earlier)?;
        let is_overtaken = |record: &Record| {
            let mut all = parsed.iter().chain(known);
            record.result == Status::UnderWay
                && all.any(|other| other.result == Status::Deployed && other.id > record.id)
        };
        let is_new = |record: &&Record| !known.iter().any(|other| other.id == record.id);
        let counting = parsed.iter().filter(is_new).filter(|record| !is_overtaken(record)).cloned();
        Ok(counting.map(|record| Record { number: 0, ..record }).collect())
    }

    /// A release to this target that begins now, after all others.
    pub fn begin(&self, by: String, commit: Option<String>) -> anyhow::Result<Record> {
        let all = self.all()?;
        let mut record = Record::begin(self.target.clone(), by, commit);
        record.number = all.iter().map(|other| other.number).max().unwrap_or_default() + 1;
        // A clock that was set back can come to the same second again.
        let mut moment = SystemTime::now();
        while all.iter().any(|other| other.id.starts_with(&record.id)) {
            moment += Duration::from_secs(1);
            record.id = id_of(&humantime::format_rfc3339_seconds(moment).to_string());
        }
        Ok(record)
    }

    /// A release that was there before all others of this target.
    pub fn begin_first(&self, by: String) -> Record {
        Record::begin(self.target.clone(), by, None)
    }

    /// All of them, the oldest first.
    pub fn all(&self) -> anyhow::Result<Vec<Record>> {
        let mut records = self.parse(self.storage.as_ref())?;
        let of_checkout = self.of_checkout(&records)?;
        records.extend(of_checkout);
        records.sort_by(|a: &Record, b: &Record| (a.number, &a.id).cmp(&(b.number, &b.id)));
        Ok(records)
    }

    fn parse(&self, storage: &dyn Storage) -> anyhow::Result<Vec<Record>> {
        let mut records = Vec::new();
        for Stored { place, json } in storage.read()? {
            let not_ours = |message: String| {
                let hint = format!("{}: it records the state to go back to", storage.repair_hint());
                Failure::new(Exit::NotMet, Problem::new(message).hint(hint))
            };
            let record: Record = serde_json::from_str(&json)
                .map_err(|error| not_ours(format!("{place} line {} is no release record", error.line())))?;
            if record.schema != SCHEMA {
                let message = format!(
                    "{place} has the schema {}, and {SCHEMA} is the one that this version can read",
                    record.schema
                );
                return Err(not_ours(message).into());
            }
            if record.target == self.target {
                records.push(record);
            }
        }
        Ok(records)
    }

    /// Writes a record as a whole or not at all.
    pub fn write(&self, record: &Record) -> anyhow::Result<()> {
        self.storage.write(&record.id, &serde_json::to_string_pretty(record)?)
    }

    /// Removes the records that are too old, each of which leaves a line in the history; returns those that are left.
    pub fn prune(&self) -> anyhow::Result<Vec<Record>> {
        let records = self.all()?;
        let (left, dropped) = kept(&records);
        if dropped.is_empty() {
            return Ok(left);
        }
        let lines: Result<Vec<String>, _> =
            dropped.iter().map(|record| serde_json::to_string(&Deploy::from(record))).collect();
        self.storage.add_history(&lines?)?;
        dropped.iter().try_for_each(|record| self.storage.remove(&record.id))?;
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
}

fn in_checkout(project: &Project) -> OwnFolder {
    let dir = project.state_dir().join("releases");
    OwnFolder { shown: project.relative(&dir).display().to_string(), dir }
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
/// of, and `list_command` lists the records.
pub(crate) fn no_previous_release(records: &[Record], contents: &str, list_command: String) -> Failure {
    let serving = serving(records).map(|record| format!(": release {} serves", record.original())).unwrap_or_default();
    let message = format!("there is no earlier release with other {contents} to go back to{serving}");
    Failure::new(Exit::NotMet, Problem::new(message).hint(list_command))
}

/// The release to roll back to: the last good one before the one that serves, made of something else.
pub(crate) fn previous(records: &[Record]) -> Option<&Record> {
    let serving = serving(records)?;
    let original = records.iter().position(|record| record.id == serving.original())?;
    let mut good = records[..original].iter().rev().filter(|record| record.result == Status::Deployed);
    good.find(|record| record.rollback_to.is_none() && record.differs_from(serving))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

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
    fn releases_are_ordered_by_number_and_not_by_time() {
        let dir = tempfile::tempdir().expect("a folder");
        let records = Records::of(&Project::open(dir.path()).expect("a project"), target("engine"));
        let mut first = records.begin("me@here".into(), None).expect("readable");
        // The clock was wrong, and was set back.
        first.id = "20990101T000000Z".into();
        records.write(&first.ended(Status::Deployed)).expect("written");
        let second = records.begin("me@here".into(), None).expect("readable");
        records.write(&second.clone().ended(Status::Deployed)).expect("written");
        let third = records.begin("me@here".into(), None).expect("readable");
        assert_ne!(second.id, third.id);
        let all = records.all().expect("readable");
        assert_eq!(all.iter().map(|record| record.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(serving(&all).map(|record| &record.id), Some(&second.id));
        assert_eq!(third.number, 3);
    }

    #[test]
    fn records_of_a_checkout_are_moved_to_the_target() {
        let dir = tempfile::tempdir().expect("a folder");
        let project = Project::open(dir.path()).expect("a project");
        let in_checkout = Records::of(&project, target("engine"));
        in_checkout.write(&record("1", Status::UnderWay, "a", None)).expect("written");
        let folder = OwnFolder { dir: dir.path().join("target"), shown: "target".into() };
        let at_target = Records::at_target(folder, &project, target("engine"));
        // They count before they are moved, as in a dry run.
        assert_eq!(ids(&at_target.all().expect("readable")), "1");
        at_target.import().expect("moved");
        assert_eq!(ids(&at_target.all().expect("readable")), "1");
        assert!(in_checkout.all().expect("readable").is_empty());
        // An unfinished deploy that another checkout has overtaken is none, and the numbers of a checkout mean nothing.
        let old = Record { number: 7, ..record("0", Status::UnderWay, "z", None) };
        in_checkout.write(&old).expect("written");
        at_target.write(&Record { number: 1, ..record("3", Status::Deployed, "b", None) }).expect("written");
        let late = Record { number: 9, ..record("2", Status::Deployed, "y", None) };
        in_checkout.write(&late).expect("written");
        assert_eq!(ids(&at_target.all().expect("readable")), "1 2 3");
        at_target.import().expect("moved");
        assert_eq!(ids(&at_target.all().expect("readable")), "1 2 3");
        assert!(in_checkout.all().expect("readable").is_empty());
        // Those of another target stay.
        let other = Records::of(&project, target("other"));
        other.write(&Record { target: target("other"), ..record("2", Status::Deployed, "a", None) }).expect("written");
        at_target.import().expect("nothing to move");
        assert_eq!(ids(&other.all().expect("readable")), "2");
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
