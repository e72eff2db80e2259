//! Containers of this Compose project that another checkout has brought up, or this one for another environment. Two
//! checkouts with the same folder name for their Compose file have the same project name, and so the same containers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use detect::{DJANGO_ENV, Environment};
use docker::Container;

use super::Options;
use super::client::Client;
use super::stack::Stack;
use crate::context::Context;
use crate::failure::{Exit, Failure, Problem};

/// The containers of one folder that this deploy would replace, and should not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    /// The project folder that Compose was called with.
    folder: String,
    /// The containers, and the reason why they do not belong to this deploy.
    message: String,
}

/// Finds them; `environment` is that of this deploy.
pub(super) fn find(
    containers: &[Container],
    stack: &Stack,
    client: &Client<'_>,
    environment: Environment,
) -> Vec<Foreign> {
    let root = &client.project.root;
    let beside_file = root.join(client.files.first()).parent().map(Path::to_owned);
    let own: Vec<PathBuf> = [Some(root.clone()), beside_file].into_iter().flatten().map(|dir| real(&dir)).collect();
    let mut by_folder: BTreeMap<&str, Vec<&Container>> = BTreeMap::new();
    for container in containers.iter().filter(|it| !it.folder.is_empty()) {
        by_folder.entry(&container.folder).or_default().push(container);
    }
    let foreign = by_folder.into_iter().filter_map(|(folder, containers)| {
        let names: Vec<String> = containers.iter().map(ToString::to_string).collect();
        let names = names.join(", ");
        let project = stack.name();
        let other = containers.iter().find_map(|it| other_environment(it, stack, environment));
        let message = match other {
            _ if !own.contains(&real(Path::new(folder))) => {
                let other = containers.iter().find_map(|it| it.environment);
                let of = other.map(|other| format!(" for `{other}`")).unwrap_or_default();
                format!(
                    "the Compose project `{project}` has containers from another folder: {names} from `{folder}`{of}; \
                     this deploy, for `{environment}`, would replace them and take over their volumes"
                )
            }
            Some((theirs, ours)) => format!(
                "the Compose project `{project}` was deployed for `{theirs}`: {names} from `{folder}`; this deploy, for \
                 `{ours}`, would replace them and take over their volumes"
            ),
            None => return None,
        };
        Some(Foreign { folder: folder.to_owned(), message })
    });
    foreign.collect()
}

/// The environment that a container was deployed for and that its service would get now, if they are not the same.
fn other_environment(
    container: &Container,
    stack: &Stack,
    environment: Environment,
) -> Option<(Environment, Environment)> {
    let theirs = container.environment?;
    let declared = stack.config.services.get(&container.service)?.environment.get(DJANGO_ENV);
    let ours = declared.and_then(|word| word.as_str()?.parse().ok()).unwrap_or(environment);
    (theirs != ours).then_some((theirs, ours))
}

/// Returns the folder behind all links; for a folder that does not exist, its path.
fn real(dir: &Path) -> PathBuf {
    dir.canonicalize().unwrap_or_else(|_| dir.to_owned())
}

/// Whether the operator has consented to exactly this folder with the call.
fn is_accepted(foreign: &Foreign, options: &Options) -> bool {
    options.replace.iter().any(|folder| real(folder) == real(Path::new(&foreign.folder)))
}

impl Foreign {
    /// `again` is this run with all consents.
    fn problem(&self, again: &str, client: &Client<'_>) -> Problem {
        let env = client.files.env_file();
        let hint = format!(
            "a name of its own for this checkout: COMPOSE_PROJECT_NAME=… in `{}` or in the environment; or, to replace \
             them: {again}",
            env.display()
        );
        Problem::new(&self.message).hint(hint)
    }
}

/// Returns the options of this deploy with the consent to replace the containers of all these folders.
pub(super) fn accepting(foreign: &[Foreign], options: &Options) -> Options {
    let open =
        foreign.iter().filter(|foreign| !is_accepted(foreign, options)).map(|foreign| foreign.folder.clone().into());
    Options { replace: options.replace.iter().cloned().chain(open).collect(), ..options.clone() }
}

/// Returns the problems if the operator cannot be asked. A dry run on a terminal emits them as warnings.
pub(super) fn problems(
    foreign: &[Foreign],
    options: &Options,
    again: &str,
    client: &Client<'_>,
    context: &Context<'_>,
) -> Vec<Problem> {
    let open = foreign.iter().filter(|foreign| !is_accepted(foreign, options));
    let problems = open.map(|foreign| foreign.problem(again, client));
    if !context.is_interactive() {
        return problems.collect();
    }
    if context.is_dry_run {
        problems.for_each(|problem| context.events.warning(problem));
    }
    Vec::new()
}

/// Asks the operator about each folder. `--yes` is no consent: Enter is no.
pub(super) fn accept(
    foreigns: &[Foreign],
    options: &Options,
    client: &Client<'_>,
    context: &Context<'_>,
) -> anyhow::Result<()> {
    for foreign in foreigns.iter().filter(|foreign| !is_accepted(foreign, options)) {
        let again = accepting(foreigns, options).command_line(context.is_yes);
        let problem = foreign.problem(&again, client);
        context.events.warning(problem.clone());
        let question = format!("Replace the containers of {}?", foreign.folder);
        if !context.confirm_danger(&question)? {
            let declined = Problem::new("declined: nothing was changed").hint(problem.hint.unwrap_or_default());
            return Err(Failure::new(Exit::NotMet, declined).into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use project::secret::Secrets;
    use project::{Project, Settings};

    use super::super::fixture;
    use super::*;

    #[track_caller]
    fn check(
        folder: &str,
        environment: Option<Environment>,
        declared: &str,
        ours: Environment,
        expected: Option<&str>,
    ) {
        let compose_file = Some("deploy/docker/compose.yaml".into());
        let settings = Settings { compose_file, ..Settings::default() };
        let project = Project::with("/srv/shop".into(), settings).expect("a project");
        let (files, secrets, stop) = (project.compose_files().expect("named"), Secrets::default(), Arc::default());
        let client = Client { project: &project, files, secrets, stop };
        let config = format!(r#"{{"name": "shop", "services": {{"web": {{"environment": {{{declared}}}}}}}}}"#);
        let stack = Stack::of(serde_json::from_str(&config).expect("JSON"), &project.settings).expect("a stack");
        let container = Container { folder: folder.to_owned(), environment, ..fixture::container() };
        let found = find(&[container], &stack, &client, ours);
        let parsed = found.first().map(|foreign| foreign.message.as_str());
        match expected {
            Some(expected) => assert!(parsed.is_some_and(|parsed| parsed.contains(expected)), "{parsed:?}"),
            None => assert_eq!(parsed, None),
        }
    }

    #[test]
    fn other_folders_and_other_environments() {
        use Environment::{Dev, Prod};
        let another = Some("containers from another folder: `shop-web-1` from `/srv/prod/deploy/docker` for `prod`");
        check("/srv/prod/deploy/docker", Some(Prod), "", Dev, another);
        check("/srv/prod/deploy/docker", Some(Prod), "", Prod, another);
        check("/srv/shop/deploy/docker", Some(Prod), "", Prod, None);
        check("/srv/shop", Some(Prod), "", Prod, None);
        // A checkout within this one is another one.
        check("/srv/shop/worktrees/new/deploy/docker", None, "", Dev, Some("containers from another folder"));
        check("/srv/shop/deploy/docker", Some(Prod), "", Dev, Some("was deployed for `prod`"));
        check("/srv/shop/deploy/docker", Some(Dev), "", Prod, Some("was deployed for `dev`"));
        // The Compose file decides about the container's environment.
        check("/srv/shop/deploy/docker", Some(Prod), r#""DJANGO_ENV": "prod""#, Dev, None);
        check("/srv/shop/deploy/docker", None, "", Dev, None);
        check("", Some(Prod), "", Dev, None);
    }
}
