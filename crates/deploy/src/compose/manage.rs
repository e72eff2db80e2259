//! Commands of `manage.py` with Docker: in the running container of the web service, or in one that ends with them.

use std::ffi::OsString;
use std::sync::Arc;

use docker::roles::roles;
use docker::{Health, is_started_from};

use super::client::{Client, ENVIRONMENT};
use super::start_up::passing_entrypoint;
use crate::failure::{Exit, Failure, Problem};
use crate::manage::{Invocation, ManageCall};

/// The interpreter of an image, which runs the migrations as well.
const PYTHON: &str = "python3";

/// Returns a command of `manage.py` in the running container of the web service, else in a container for this command
/// alone. An entrypoint that runs its arguments stays before it, since it may set the environment of the code.
///
/// # Errors
/// If the web service is unknown, it has no image yet, or Docker does not respond.
pub fn manage(call: &ManageCall<'_>) -> anyhow::Result<Invocation> {
    let not_met = |problem| anyhow::Error::from(Failure::new(Exit::NotMet, problem));
    let Some(files) = call.project.compose_files() else {
        let message =
            format!("there is no Compose file: name it with `compose-file` in {}", call.project.settings_file());
        return Err(not_met(Problem::new(message)));
    };
    let client = Client { project: call.project, files, secrets: call.secrets.clone(), stop: Arc::default() };
    let config = client.config()?;
    let roles = roles(&config, &call.project.settings);
    let Some((web, declared)) = roles.web().and_then(|(web, _)| config.services.get_key_value(web)) else {
        let reason = roles.problem.unwrap_or_else(|| "there is no web service".to_owned());
        let message = format!("{reason}: set `web-service` in {}", call.project.settings_file());
        return Err(not_met(Problem::new(message)));
    };
    let compose_file = client.files.first_path();
    let containers = client.containers(&config.name)?;
    let running = containers.into_iter().filter(|it| it.service == *web && it.runs());
    let running = running.filter(|it| is_started_from(&compose_file, &it.folder, &it.files));
    let is_ready = |health: &Health| matches!(health, Health::Healthy | Health::Unchecked);
    let mut words: Vec<OsString> = vec!["docker".into()];
    if let Some(container) = running.max_by_key(|it| (is_ready(&it.health), it.started_at.clone())) {
        let entrypoint = passing_entrypoint(&client, declared, &container.image).unwrap_or_default();
        words.extend(["exec", "-i"].map(OsString::from));
        words.extend(call.has_terminal.then(|| "-t".into()));
        words.push(container.name.into());
        words.extend(entrypoint.into_iter().map(OsString::from));
        words.extend(call.words(PYTHON));
    } else {
        let image = config.image(web);
        if client.image(&image)?.is_none() {
            let message = format!("`{web}` does not run, and its image `{image}` does not exist yet");
            return Err(not_met(Problem::new(message).hint("cargo xtask deploy-docker")));
        }
        words.extend(client.compose_args(&[], ["run", "--rm", "--no-deps"]).into_iter().map(OsString::from));
        words.extend((!call.has_terminal).then(|| "-T".into()));
        let mut command = call.words(PYTHON);
        if passing_entrypoint(&client, declared, &image).is_none() {
            words.extend([Some("--entrypoint".into()), command.next()].into_iter().flatten());
        }
        words.push(web.into());
        words.extend(command);
    }
    let variables = ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Ok(Invocation { dir: Some(call.project.root.clone()), variables, ..Invocation::new(words) })
}
