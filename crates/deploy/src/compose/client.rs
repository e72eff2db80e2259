//! Docker and Compose, asked as a person in the root folder would: the engine is wherever Docker itself looks for it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context as _;
use docker::Container;
use docker::compose::Config;
use project::secret::Secrets;
use project::{ComposeFiles, Project};
use subprocess::{Command, Deadline, Finished};

use super::volumes::Volumes;
use crate::context::Context;
use crate::failure::{Exit, Failure, Problem};

/// The timeout of commands that wait for no service.
pub(super) const QUICK: Duration = Duration::from_secs(60);
/// The timeout of building or pulling an image.
pub(super) const BUILD: Duration = Duration::from_secs(60 * 60);

/// Variables for Compose: two builds of the same sources have the same id, and the output has no advertisements.
pub(super) const ENVIRONMENT: [(&str, &str); 5] = [
    ("BUILDX_NO_DEFAULT_ATTESTATIONS", "1"),
    ("COMPOSE_IGNORE_ORPHANS", "1"),
    // It would remove containers of services that a command does not name.
    ("COMPOSE_REMOVE_ORPHANS", "0"),
    ("DOCKER_CLI_HINTS", "false"),
    ("NO_COLOR", "1"),
];

/// The way to Docker and Compose.
#[derive(Clone)]
pub(super) struct Client<'a> {
    pub(super) project: &'a Project,
    pub(super) files: ComposeFiles,
    pub(super) secrets: Secrets,
    /// Set when the result is no longer wanted.
    pub(super) stop: Arc<AtomicBool>,
}

impl<'a> Client<'a> {
    /// Docker for the project of a deploy; an interruption of the deploy ends its commands.
    pub(super) fn of(context: &Context<'a>, secrets: Secrets) -> Self {
        let project = context.project;
        let files = project.compose_files().unwrap_or_default();
        Client { project, files, secrets, stop: context.interrupt.flag() }
    }

    /// The same way, which a signal that has come does not close: for putting things back.
    pub(super) fn uninterrupted(&self) -> Client<'a> {
        Client { stop: Arc::default(), ..self.clone() }
    }

    /// Runs `docker` and returns its output.
    pub(super) fn docker<'b>(
        &self,
        args: impl IntoIterator<Item = &'b str>,
        allowed: Duration,
    ) -> anyhow::Result<String> {
        let args: Vec<&str> = args.into_iter().collect();
        let finished = self.ask(&args, b"", allowed)?;
        self.printed(&args, &finished)
    }

    /// Runs `docker compose` on the project's Compose file and on additional ones, and returns its output.
    pub(super) fn compose<'b>(
        &self,
        more: &[String],
        args: impl IntoIterator<Item = &'b str>,
        allowed: Duration,
    ) -> anyhow::Result<String> {
        let args = self.compose_args(more, args);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let finished = self.ask(&args, b"", allowed)?;
        self.printed(&args, &finished)
    }

    /// Runs `docker compose` like [`compose`](Self::compose), and returns its progress messages as well.
    pub(super) fn compose_output<'b>(
        &self,
        more: &[String],
        args: impl IntoIterator<Item = &'b str>,
        allowed: Duration,
    ) -> anyhow::Result<String> {
        let args = self.compose_args(more, args);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let finished = self.ask(&args, b"", allowed)?;
        self.printed(&args, &finished)?;
        Ok([finished.stdout(), "\n", finished.stderr()].concat())
    }

    /// Returns the Compose file as Compose parses it.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        let text = self.compose(&[], ["config", "--format", "json"], QUICK)?;
        serde_json::from_str(&text).map_err(|error| {
            // The position of the error, without the text around it: that can hold secrets.
            let message = format!("`docker compose config` is not understood: line {}", error.line());
            Failure::new(Exit::NotMet, Problem::new(message)).into()
        })
    }

    /// Returns the volumes on the engine that hold the lock and the records of a Compose project.
    pub(super) fn volumes(&self, compose_project: &str) -> Volumes<'a> {
        Volumes { client: self.uninterrupted(), compose_project: compose_project.to_owned() }
    }

    /// The words behind `docker` for a command of Compose.
    pub(super) fn compose_args<'b>(&self, more: &[String], args: impl IntoIterator<Item = &'b str>) -> Vec<String> {
        let options = self.files.options().into_iter();
        let more = more.iter().flat_map(|file| ["-f".to_owned(), file.clone()]);
        ["compose".to_owned()]
            .into_iter()
            .chain(options)
            .chain(more)
            .chain(args.into_iter().map(str::to_owned))
            .collect()
    }

    /// Runs `docker` with an input, and returns its result whatever the exit status is.
    pub(super) fn ask(&self, args: &[&str], stdin: &[u8], allowed: Duration) -> anyhow::Result<Finished> {
        let deadline = Deadline::unless(Arc::clone(&self.stop), allowed, allowed);
        let command = Command::new("docker", args).dir(&self.project.root).envs(ENVIRONMENT).stdin(stdin);
        command.run(&deadline).map_err(|error| Failure::unfinished(shown(args), &error).into())
    }

    /// Returns the state of containers. Containers that do not exist any more are left out.
    pub(super) fn inspect<'b>(&self, ids: impl IntoIterator<Item = &'b str>) -> anyhow::Result<Vec<Container>> {
        let ids: Vec<&str> = ids.into_iter().collect();
        let inspected = docker::inspect(&ids, |args| self.docker(args.iter().copied(), QUICK))?;
        docker::containers(&inspected).context("`docker inspect` is not understood")
    }

    /// The containers of the services of a Compose project; not those of a `docker compose run`.
    pub(super) fn containers(&self, compose_project: &str) -> anyhow::Result<Vec<Container>> {
        let label = format!("label=com.docker.compose.project={compose_project}");
        let args = ["ps", "--all", "--quiet", "--no-trunc", "--filter", &label];
        let ids = self.docker(args, QUICK)?;
        let mut containers = self.inspect(ids.split_whitespace())?;
        containers.retain(|container| container.is_of_service);
        containers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(containers)
    }

    /// All containers that run.
    pub(super) fn running_containers(&self) -> anyhow::Result<Vec<Container>> {
        let ids = self.docker(["ps", "--quiet", "--no-trunc"], QUICK)?;
        self.inspect(ids.split_whitespace())
    }

    /// The id of an image; none if there is no such image.
    pub(super) fn image(&self, reference: &str) -> anyhow::Result<Option<String>> {
        let args = ["image", "inspect", "--format", "{{.Id}}", reference];
        let finished = self.ask(&args, b"", QUICK)?;
        if !finished.is_success() {
            // Docker's exit status does not distinguish a missing image from other failures; its list does.
            let format = "{{.ID}}\n{{.Repository}}:{{.Tag}}";
            let existing = self.docker(["image", "ls", "--all", "--no-trunc", "--format", format], QUICK)?;
            let latest = format!("{reference}:latest");
            if !existing.lines().any(|line| line == reference || line == latest) {
                return Ok(None);
            }
        }
        Ok(Some(self.printed(&args, &finished)?.trim().to_owned()))
    }

    fn printed(&self, args: &[&str], finished: &Finished) -> anyhow::Result<String> {
        if finished.is_success() {
            return Ok(finished.stdout().to_owned());
        }
        // Of several lines, the first one is the cause, and the last one is only a summary.
        let lines: Vec<&str> = finished.stderr().lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let failure_reason = match lines.as_slice() {
            [.., cause, last] if last.starts_with("Error: failed to") => cause,
            [.., last] => last,
            [] => &*finished.failure_reason(),
        };
        let failure_reason = self.secrets.redact(failure_reason);
        Err(Failure::new(Exit::Failed, Problem::new(format!("`{}` failed: {failure_reason}", shown(args)))).into())
    }
}

/// The options that are given a value here.
const WITH_VALUE: [&str; 13] = [
    "-f",
    "-t",
    "--alias",
    "--entrypoint",
    "--env-file",
    "--profile",
    "--filter",
    "--format",
    "--name",
    "--pull",
    "--scale",
    "--tail",
    "--user",
];

/// Returns a command as a message shows it: without options, and with ids as short as Docker shows them.
fn shown(args: &[&str]) -> String {
    let is_id = |word: &&str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut words = vec!["docker"];
    let mut args = args.iter();
    while let Some(word) = args.next() {
        match *word {
            word if WITH_VALUE.contains(&word) => {
                args.next();
            }
            word if word.starts_with('-') => {}
            word => words.push(if is_id(&word) { &word[..12] } else { word }),
        }
    }
    words.truncate(5);
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn commands_are_shown_without_options() {
        assert_eq!(shown(&["compose", "-f", "a.yaml", "-f", "b", "build"]), "docker compose build");
        let id = "0123456789abcdef".repeat(4);
        assert_eq!(shown(&["stop", &id]), "docker stop 0123456789ab");
        assert_eq!(shown(&["exec", "-i", "--user", "0", &id, "rm", "-"]), "docker exec 0123456789ab rm");
    }
}
