//! The questions of [`detect::Probes`], put to the real Docker and systemd.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use detect::{Probes, Unanswered};
use docker::is_started_from;
use project::Project;
use subprocess::{Command, CommandError, Deadline, Finished};

/// The timeout of Docker and systemd for the axes that `.env` does not set.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Asks the Docker engine and the systemd of this machine.
#[derive(Debug)]
pub struct SystemProbes<'a> {
    /// The checkout whose containers and units are looked for.
    pub project: &'a Project,
    /// Whether systemd is this machine's service manager (see `sd_booted(3)`); it is not asked otherwise.
    pub has_systemd: bool,
    /// The timeout of each question; [`PROBE_TIMEOUT`] at most.
    pub timeout: Duration,
    /// Set when the result is no longer wanted.
    pub stop: Arc<AtomicBool>,
}

impl SystemProbes<'_> {
    fn deadline(&self) -> Deadline {
        Deadline::unless(Arc::clone(&self.stop), self.timeout, PROBE_TIMEOUT)
    }
}

/// A line for each container: its name, and the labels by which Compose knows its own.
const CONTAINER: &str = "{{.Names}}\t{{.Label \"com.docker.compose.project.working_dir\"}}\t\
                         {{.Label \"com.docker.compose.project.config_files\"}}";

impl Probes for SystemProbes<'_> {
    fn running_containers(&self) -> Result<Vec<String>, Unanswered> {
        let Some(files) = self.project.compose_files() else {
            return Ok(Vec::new());
        };
        let only_services = "label=com.docker.compose.oneoff=False";
        let list = Command::new("docker", ["ps", "--filter", only_services, "--format", CONTAINER]);
        let answer = answer("docker", list.run(&self.deadline()))?;
        Ok(containers_of(&files.first_path(), &answer.unwrap_or_default()))
    }

    fn installed_unit(&self) -> Result<Option<String>, Unanswered> {
        if !self.has_systemd {
            return Ok(None);
        }
        let unit = self.project.main_unit();
        let show = Command::new("systemctl", ["show", "--property=LoadState", "--value", &unit]);
        let state = answer("systemctl", show.run(&self.deadline()))?;
        // `masked`, `bad-setting` and the like are installed all the same.
        Ok(state.filter(|state| !matches!(state.trim(), "" | "not-found")).map(|_| unit))
    }
}

/// Returns the output; `None` if there is no such program.
fn answer(asked: &'static str, result: Result<Finished, CommandError>) -> Result<Option<String>, Unanswered> {
    match result {
        Ok(finished) if finished.is_success() => Ok(Some(finished.stdout().to_owned())),
        Ok(finished) => Err(Unanswered { asked, reason: finished.failure_reason() }),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(Unanswered { asked, reason: error.to_string() }),
    }
}

/// The names in `list` whose containers were started from this Compose file.
fn containers_of(compose_file: &Path, list: &str) -> Vec<String> {
    list.lines()
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let (name, working_dir, files) = (columns.next()?, columns.next()?, columns.next()?);
            is_started_from(compose_file, working_dir, files).then(|| name.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, expected: &[&str]) {
        assert_eq!(containers_of(Path::new("/srv/app/compose.yaml"), list), expected);
    }

    #[test]
    fn containers_belong_by_their_compose_files() {
        check("", &[]);
        check("web-1\t/srv/app\t/srv/app/compose.yaml\n", &["web-1"]);
        check("web-1\t/srv/app\t/srv/app/compose.yaml,/srv/app/extra.yaml\nb\t/b\t/b/compose.yaml\n", &["web-1"]);
        check("web-1\t/srv/app\tcompose.yaml\n", &["web-1"]);
        check("web-1\t/srv/other\tcompose.yaml\n", &[]);
        check("stray\t\t\n", &[]);
    }
}
