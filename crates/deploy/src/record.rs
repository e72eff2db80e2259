//! Release records: contents, time, user, commit and status of each release. A record with the status "under way" while
//! no deploy runs is one that the next deploy recovers.

mod history;
pub(crate) mod storage;
mod store;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use project::text::counted;
use serde::{Deserialize, Serialize};

pub use self::history::{Deploy, Releases};
pub(crate) use self::store::{Records, no_previous_release, previous, serving};

const SCHEMA: u32 = 1;

/// A release, from the moment when something is about to change. Holds no secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    schema: u32,
    /// The moment in UTC, such as `20261123T045012Z`: the tag of its images; with systemd also the commit.
    pub id: String,
    /// Its place in the order of the releases: clocks can go back. 0 for records of earlier versions, and for a folder that
    /// was there before the first deploy.
    #[serde(default)]
    pub number: u64,
    /// The engine and the Compose project, or the machine and the service, that it was deployed to.
    pub target: Target,
    pub started: String,
    pub ended: Option<String>,
    pub by: String,
    /// The commit, with `+` behind it if the checkout had changes beside it.
    pub commit: Option<String>,
    /// The first line of the message of that commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub result: Status,
    /// The release that `--rollback` has rolled back to.
    pub rollback_to: Option<String>,
    /// The contents of the release: with Compose, the ids of the images by service, and of those that are built also by
    /// the references of the Compose file; with systemd, the hash of its files.
    #[serde(alias = "images")]
    pub contents: BTreeMap<String, String>,
    /// With Compose, the ids of the images that no rollback brings back, by service: those of backing services with data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept_images: BTreeMap<String, String>,
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
    /// The requests and tasks that were cut when previous processes or containers were stopped: a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<String>,
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
    /// Something is about to change; or a run was killed, and the next one rolls it back.
    UnderWay,
    /// The release has served, and may serve still.
    Deployed,
    /// The previous release was restored.
    RolledBack,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::UnderWay => "under way",
            Status::Deployed => "deployed",
            Status::RolledBack => "rolled back",
        })
    }
}

/// The state of the target before a release.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// The ids of the images, by reference; none where there was no image.
    pub images: BTreeMap<String, Option<String>>,
    /// The containers of the services that are replaced, in the order of replacing them.
    pub services: Vec<ServiceSnapshot>,
    /// Whether the previous release was healthy when the deploy began.
    #[serde(default)]
    pub was_healthy: bool,
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
    /// The contents of the files that are changed, by path. Records of earlier versions have none.
    #[serde(default)]
    pub hashes: BTreeMap<PathBuf, FileHashes>,
    /// The services that the deploy starts although they were not up, such as failed ones; a rollback stops them.
    #[serde(default)]
    pub started: Vec<String>,
    /// The invocation ids of the units that were up.
    pub invocations: BTreeMap<String, String>,
    /// Set before the cut-over starts: from then on a rollback restores files, link and units.
    #[serde(alias = "is_switched")]
    pub is_cut_over: bool,
}

/// The content of a file that a deploy replaces, before and after, as SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileHashes {
    /// `None` if there was no such file.
    pub before: Option<String>,
    pub after: String,
}

/// A service that is replaced.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServiceSnapshot {
    pub service: String,
    pub containers: Vec<PreviousContainer>,
}

/// A container that served before this release, which a rollback starts again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PreviousContainer {
    pub id: String,
    pub was_running: bool,
}

impl Record {
    /// A release that begins now, before all others.
    pub fn begin(target: Target, by: String, commit: Option<String>) -> Self {
        let now = now();
        Record {
            schema: SCHEMA,
            id: id_of(&now),
            number: 0,
            target,
            started: now,
            ended: None,
            by,
            commit,
            subject: None,
            result: Status::UnderWay,
            rollback_to: None,
            contents: BTreeMap::new(),
            kept_images: BTreeMap::new(),
            folder: None,
            is_adopted: false,
            migrations: Vec::new(),
            database_copy: None,
            cut: Vec::new(),
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

    /// Returns the database from which its copy was made.
    pub fn copied_database(&self) -> Option<(&str, &str)> {
        let copy = self.database_copy.as_deref()?;
        let (database, _) = copy.rsplit_once(".before-")?;
        Some((copy, database))
    }

    /// Makes this the record of a rollback to an earlier release, which has the commit of that one.
    pub fn roll_back_to(&mut self, target: &Record) {
        self.rollback_to = Some(target.id.clone());
        self.commit.clone_from(&target.commit);
        self.subject.clone_from(&target.subject);
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

fn id_of(moment: &str) -> String {
    moment.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Returns whether a text can be the id of a release.
pub(crate) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
