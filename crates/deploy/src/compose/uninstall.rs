//! Removing a stack: its containers, networks and images, and what this tool keeps on the engine.

use docker::is_started_from;

use super::client::{Client, QUICK};
use super::images;
use super::operate::{PATIENCE, client, take_lock};
use super::stack::Stack;
use super::volumes::Volumes;
use crate::context::Context;
use crate::failure::{Exit, Failure, Problem};
use crate::uninstall::{Data, Options, Plan, Uninstalled};

/// The label that Compose gives to everything of a project.
const PROJECT: &str = "com.docker.compose.project";

/// Removes the stack, after consent. Images from registries stay: other projects may use them.
///
/// # Errors
/// If the operator declines, another run holds the lock, the containers are those of another checkout, or Docker fails.
pub fn uninstall(options: &Options, context: &Context<'_>) -> anyhow::Result<Uninstalled> {
    let client = client(context)?;
    let stack = Stack::of(client.config()?, &context.project.settings)
        .map_err(|problem| Failure::new(Exit::NotMet, problem))?;
    let _lock = take_lock(context)?;
    let volumes = client.volumes(stack.name());
    let mut plan = plan(&client, &stack, &volumes)?;
    plan.add_checkout(options);
    if let Some(result) = plan.accept(options, context)? {
        return Ok(result);
    }
    context.events.step("docker compose down", || client.compose(&[], ["down"], PATIENCE))?;
    context.events.step("images and records", || {
        images::remove_tags(&client, &stack, &[])?;
        // One that a container of another project uses stays.
        for image in built_images(&client, &stack)? {
            client.ask(&["image", "rm", &image], b"", QUICK)?;
        }
        volumes.remove_state()
    })?;
    for volume in &options.data {
        client.docker(["volume", "rm", volume], QUICK)?;
    }
    Ok(Uninstalled::Removed)
}

fn plan(client: &Client<'_>, stack: &Stack, volumes: &Volumes<'_>) -> anyhow::Result<Plan> {
    let mut plan = Plan::default();
    let containers = client.containers(stack.name())?;
    let compose_file = client.files.first_path();
    if let Some(other) = containers.iter().find(|it| !is_started_from(&compose_file, &it.folder, &it.files)) {
        let message = format!("{other} was started from `{}`, and not from this checkout", other.folder);
        let hint = format!("run this there, or by hand: docker compose --project-name {} down", stack.name());
        return Err(Failure::new(Exit::NotMet, Problem::new(message).hint(hint)).into());
    }
    plan.created.extend(containers.iter().map(|container| format!("container `{}`", container.name)));
    plan.created.extend(named(client, "network")?.into_iter().map(|network| format!("network `{network}`")));
    plan.created.extend(built_images(client, stack)?.into_iter().map(|image| format!("image `{image}`")));
    let state = volumes.state()?.len();
    plan.created.extend((state > 0).then(|| format!("the records of the deploys, in {state} empty volumes")));
    let data = named(client, "volume")?;
    plan.data = data.into_iter().map(|name| Data { name, contents: "a volume with data" }).collect();
    Ok(plan)
}

/// Returns the networks or volumes that Compose has made for the stack.
fn named(client: &Client<'_>, kind: &str) -> anyhow::Result<Vec<String>> {
    let filter = format!("label={PROJECT}={}", client.config()?.name);
    let names = client.docker([kind, "ls", "--filter", &filter, "--format", "{{.Name}}"], QUICK)?;
    Ok(names.lines().map(str::to_owned).collect())
}

/// Returns the images that were built for the stack, by their names, or by their ids where a later image has the name.
fn built_images(client: &Client<'_>, stack: &Stack) -> anyhow::Result<Vec<String>> {
    let filter = format!("label={PROJECT}={}", stack.name());
    let format = "{{.Repository}}:{{.Tag}} {{.ID}}";
    let lines = client.docker(["image", "ls", "--no-trunc", "--filter", &filter, "--format", format], QUICK)?;
    let mut images: Vec<String> = lines
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, id)| if name.contains("<none>") { id.to_owned() } else { name.to_owned() })
        .collect();
    for reference in stack.built_images() {
        if !images.iter().any(|image| image == reference) && client.image(reference)?.is_some() {
            images.push(reference.to_owned());
        }
    }
    Ok(images)
}
