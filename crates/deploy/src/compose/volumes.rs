//! The place on the engine for the data of this tool: the labels of empty volumes. They are on the engine wherever that is,
//! a volume and its labels appear at once, and neither `docker compose down --volumes` nor `docker system prune` removes
//! them. A power cut can lose a volume that is seconds old: then the state before it counts.

use anyhow::Context as _;
use docker::{RECORD_LABEL as RECORD, RELEASE_LABEL as RELEASE};
use serde::{Deserialize, Serialize};

use super::client::{Client, QUICK};
use crate::failure::Exit;
use crate::record::storage::{Storage, Stored};

/// The label of a volume with lines of the history; its value is the Compose project.
const HISTORY: &str = "xtask.history";
/// The label with the lines: an array in JSON.
const LINES: &str = "xtask.lines";
/// The number of lines that one volume has: the labels of a volume are an argument of one command.
const LINES_OF_A_VOLUME: usize = 100;
/// The label of a volume with the log of a removed container; its value is the Compose project.
const LOG: &str = "xtask.log";
/// The number of times that a command is tried that a signal ends.
const ATTEMPTS: usize = 5;

/// The volumes of this tool for one Compose project.
pub(super) struct Volumes<'a> {
    /// A client that no interruption stops: what has happened is recorded in any case.
    pub(super) client: Client<'a>,
    pub(super) compose_project: String,
}

/// A volume, with the value of one of its labels.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) value: String,
}

/// The last lines of the log of a removed container, with secrets redacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptLog {
    pub(super) service: String,
    pub(super) container: String,
    /// Each begins with its time, as RFC 3339 writes it.
    pub(super) lines: Vec<String>,
}

/// The number of lines that are kept, and of bytes: the labels of a volume are an argument of one command.
const KEPT_LINES: usize = 200;
const KEPT_BYTES: usize = 60_000;

impl KeptLog {
    /// Returns the end of a log, as `docker logs --timestamps` prints it.
    pub(super) fn of(service: &str, container: &str, log: &str) -> Self {
        let mut size = 0;
        let last = log.lines().rev().take(KEPT_LINES).take_while(|line| {
            size += line.len();
            size <= KEPT_BYTES
        });
        let mut lines: Vec<String> = last.map(str::to_owned).collect();
        lines.reverse();
        KeptLog { service: service.to_owned(), container: container.to_owned(), lines }
    }
}

impl Volumes<'_> {
    /// Creates a volume with labels. One line each: the list of volumes is read by lines.
    pub(super) fn create(&self, name: &str, labels: &[(&str, &str)]) -> anyhow::Result<()> {
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let args = ["volume", "create"].into_iter().chain(labels.iter().flat_map(|label| ["--label", label]));
        self.docker(args.chain([name])).map(drop)
    }

    /// Returns the volumes of one kind for the Compose project; both arguments are names of labels: `kind` has the project
    /// as its value, and `content` is the one whose value is returned.
    pub(super) fn list(&self, kind: &str, content: &str) -> anyhow::Result<Vec<Volume>> {
        let filter = format!("label={kind}={}", self.compose_project);
        let format = format!("{{{{.Name}}}} {{{{.Label \"{content}\"}}}}");
        let lines = self.docker(["volume", "ls", "--filter", &filter, "--format", &format])?;
        let volume = |line: &str| {
            let (name, value) = line.split_once(' ')?;
            Some(Volume { name: name.to_owned(), value: value.to_owned() })
        };
        Ok(lines.lines().filter_map(volume).collect())
    }

    /// Removes a volume; does nothing if there is none.
    pub(super) fn remove(&self, name: &str) -> anyhow::Result<()> {
        self.docker(["volume", "rm", "--force", name]).map(drop)
    }

    /// Runs Docker; tries again if a signal ends the command, before it is in a process group of its own.
    fn docker<'b>(&self, args: impl IntoIterator<Item = &'b str>) -> anyhow::Result<String> {
        let args: Vec<&str> = args.into_iter().collect();
        for _ in 1..ATTEMPTS {
            match self.client.docker(args.iter().copied(), QUICK) {
                Err(error) if Exit::of(&error) == Exit::Interrupted => {}
                result => return result,
            }
        }
        self.client.docker(args, QUICK)
    }

    /// Returns the volumes with a record, as its id, its revision, and the volume.
    fn revisions(&self) -> anyhow::Result<Vec<(String, u64, Volume)>> {
        let prefix = self.prefix();
        let volumes = self.list(RELEASE, RECORD)?;
        let parse = |volume: Volume| {
            let (id, revision) = volume.name.strip_prefix(&prefix)?.rsplit_once('.')?;
            Some((id.to_owned(), revision.parse().ok()?, volume))
        };
        Ok(volumes.into_iter().filter_map(parse).collect())
    }

    /// Returns the volumes with the history by their numbers, each with its lines, the oldest first.
    fn chapters(&self) -> anyhow::Result<Vec<(u64, Vec<String>, Volume)>> {
        let volumes = self.list(HISTORY, LINES)?;
        let parse = |volume: Volume| {
            let number = volume.name.rsplit_once('.')?.1.parse().ok()?;
            Some((number, serde_json::from_str(&volume.value).unwrap_or_default(), volume))
        };
        let mut chapters: Vec<_> = volumes.into_iter().filter_map(parse).collect();
        chapters.sort_by_key(|(number, ..)| *number);
        Ok(chapters)
    }

    /// Returns the volumes with records, history and logs, which have no data of the service.
    pub(super) fn state(&self) -> anyhow::Result<Vec<Volume>> {
        let all = [self.list(RELEASE, RECORD)?, self.list(HISTORY, LINES)?, self.list(LOG, LINES)?];
        Ok(all.into_iter().flatten().collect())
    }

    /// Keeps the last lines of the log of a container that is removed.
    pub(super) fn keep_log(&self, log: &KeptLog) -> anyhow::Result<()> {
        let name = format!("xtask-log.{}.{}", self.compose_project, log.container);
        let json = serde_json::to_string(log)?;
        self.remove(&name)?;
        self.create(&name, &[(LOG, &self.compose_project), (LINES, &json)])
    }

    /// Returns the logs of removed containers.
    pub(super) fn kept_logs(&self) -> anyhow::Result<Vec<KeptLog>> {
        let volumes = self.list(LOG, LINES)?;
        Ok(volumes.iter().filter_map(|volume| serde_json::from_str(&volume.value).ok()).collect())
    }

    /// Removes the logs of the containers of an earlier release.
    pub(super) fn remove_logs(&self) -> anyhow::Result<()> {
        self.remove_all(&self.list(LOG, LINES)?)
    }

    /// Removes them.
    pub(super) fn remove_state(&self) -> anyhow::Result<()> {
        self.remove_all(&self.state()?)
    }

    fn prefix(&self) -> String {
        format!("xtask-release.{}.", self.compose_project)
    }

    fn remove_all<'v>(&self, volumes: impl IntoIterator<Item = &'v Volume>) -> anyhow::Result<()> {
        volumes.into_iter().try_for_each(|volume| self.remove(&volume.name))
    }
}

/// Labels cannot be changed: each state of a record is a volume of its own, and the one with the highest revision counts. The
/// one before it is kept, for a power cut.
impl Storage for Volumes<'_> {
    fn list_command(&self) -> String {
        format!("docker volume ls --filter label={RELEASE}={}", self.compose_project)
    }

    fn repair_hint(&self) -> &'static str {
        "remove the volume if no deploy was interrupted"
    }

    fn read(&self) -> anyhow::Result<Vec<Stored>> {
        let revisions = self.revisions()?;
        let is_newest = |(id, revision, _): &&(String, u64, Volume)| {
            !revisions.iter().any(|(other, newer, _)| other == id && newer > revision)
        };
        let newest = revisions.iter().filter(is_newest).map(|(_, _, volume)| volume);
        Ok(newest
            .map(|volume| Stored { place: format!("the volume `{}`", volume.name), json: volume.value.clone() })
            .collect())
    }

    fn write(&self, id: &str, json: &str) -> anyhow::Result<()> {
        let mut earlier = self.revisions()?;
        earlier.retain(|(other, _, _)| other == id);
        let last = earlier.iter().map(|(_, revision, _)| *revision).max().unwrap_or_default();
        let revision = last + 1;
        let name = format!("{}{id}.{revision}", self.prefix());
        let json: serde_json::Value = serde_json::from_str(json)?;
        self.create(&name, &[(RELEASE, &self.compose_project), (RECORD, &json.to_string())])
            .context("cannot write the release record to the engine")?;
        // The record is written, even if the engine does not let go of an old one; the next write tries again.
        let _ =
            self.remove_all(earlier.iter().filter(|(_, revision, _)| *revision < last).map(|(_, _, volume)| volume));
        Ok(())
    }

    fn remove(&self, id: &str) -> anyhow::Result<()> {
        let revisions = self.revisions()?;
        self.remove_all(revisions.iter().filter(|(other, _, _)| other == id).map(|(_, _, volume)| volume))
    }

    fn read_history(&self) -> anyhow::Result<Vec<String>> {
        let mut all: Vec<String> = Vec::new();
        for line in self.chapters()?.into_iter().flat_map(|(_, lines, _)| lines) {
            // A volume that was to be replaced can still be there.
            if !all.contains(&line) {
                all.push(line);
            }
        }
        Ok(all)
    }

    /// The last volume is replaced by one with more lines, until it is full.
    fn add_history(&self, lines: &[String]) -> anyhow::Result<()> {
        let chapters = self.chapters()?;
        let last = chapters.last().map_or(0, |(number, ..)| *number);
        let replaced = chapters.last().filter(|(_, known, _)| known.len() + lines.len() <= LINES_OF_A_VOLUME);
        let known = replaced.map(|(_, known, _)| known.as_slice()).unwrap_or_default();
        let json = serde_json::to_string(&[known, lines].concat())?;
        let name = format!("xtask-history.{}.{}", self.compose_project, last + 1);
        self.create(&name, &[(HISTORY, &self.compose_project), (LINES, &json)])
            .context("cannot write the history to the engine")?;
        self.remove_all(replaced.map(|(_, _, volume)| volume))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_kept() {
        let lines: Vec<String> = (0..1000).map(|number| format!("2026-12-01T10:00:00Z line {number}")).collect();
        let kept = KeptLog::of("web", "shop-web-1", &lines.join("\n"));
        assert_eq!((kept.lines.len(), kept.lines[0].as_str()), (KEPT_LINES, "2026-12-01T10:00:00Z line 800"));
        let wide = format!("{}\nlast\n", "x".repeat(2 * KEPT_BYTES));
        assert_eq!(KeptLog::of("web", "shop-web-1", &wide).lines, ["last"]);
    }
}
