//! The releases that `deploy-docker` has recorded on the engine, as far as others need them.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The label of a volume with a release record; its value is the Compose project.
pub const RELEASE_LABEL: &str = "xtask.release";
/// The label with the record itself: JSON in one line.
pub const RECORD_LABEL: &str = "xtask.record";

/// The release that serves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LiveRelease {
    /// Its id.
    pub id: String,
    /// The commit, with `+` behind it if the checkout had changes beside it; `None` if it is not known.
    pub commit: Option<String>,
    #[serde(default)]
    number: u64,
    result: String,
}

/// Returns the arguments of `docker` that list the records of a Compose project, for [`live_release`].
#[must_use]
pub fn list_records(compose_project: &str) -> [String; 6] {
    let filter = format!("label={RELEASE_LABEL}={compose_project}");
    let format = format!("{{{{.Name}}}} {{{{.Label \"{RECORD_LABEL}\"}}}}");
    ["volume".into(), "ls".into(), "--filter".into(), filter, "--format".into(), format]
}

/// Returns the release that serves; `None` before the first deploy. A record that cannot be parsed is left out.
#[must_use]
pub fn live_release(listed: &str) -> Option<LiveRelease> {
    // The volume with the highest revision counts.
    let mut newest: BTreeMap<String, (u64, LiveRelease)> = BTreeMap::new();
    for line in listed.lines() {
        let Some((name, json)) = line.split_once(' ') else { continue };
        let Some(revision) = name.rsplit_once('.').and_then(|(_, revision)| revision.parse().ok()) else { continue };
        let Ok(release) = serde_json::from_str::<LiveRelease>(json) else { continue };
        let is_newer = newest.get(&release.id).is_none_or(|(known, _)| *known < revision);
        if is_newer {
            newest.insert(release.id.clone(), (revision, release));
        }
    }
    let deployed = newest.into_values().map(|(_, release)| release).filter(|release| release.result == "deployed");
    deployed.max_by(|a, b| (a.number, &a.id).cmp(&(b.number, &b.id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_deployed_release_serves() {
        let record = |id: &str, number: u64, result: &str, commit: &str| {
            format!(r#"{{"schema":1,"id":"{id}","number":{number},"result":"{result}","commit":"{commit}","by":"me"}}"#)
        };
        let listed = [
            format!("xtask-release.shop.1.1 {}", record("1", 1, "under-way", "a")),
            format!("xtask-release.shop.1.2 {}", record("1", 1, "deployed", "a")),
            format!("xtask-release.shop.2.2 {}", record("2", 2, "deployed", "b")),
            format!("xtask-release.shop.2.1 {}", record("2", 2, "under-way", "b")),
            format!("xtask-release.shop.3.2 {}", record("3", 3, "rolled-back", "c")),
            "xtask-release.shop.4.1 {}".to_owned(),
        ];
        let live = live_release(&listed.join("\n")).expect("a release");
        assert_eq!((live.id.as_str(), live.commit.as_deref()), ("2", Some("b")));
        assert_eq!(live_release(""), None);
    }
}
