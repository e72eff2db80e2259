//! Services with a `container_name`: as long as the previous container has the name, the new one has another, and gets its
//! own when that is removed. A rollback has no name to give back.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Context as _;
use tempfile::NamedTempFile;

use super::client::QUICK;
use super::rollout::Rollout;
use super::stack::Stack;

/// Returns a Compose file on top of the project's, with which Compose itself names the containers of those of the services
/// that have a `container_name`. That one is an alias on their networks then, so that others find a new container.
pub(super) fn overlay<'s>(
    stack: &Stack,
    services: impl IntoIterator<Item = &'s str>,
) -> anyhow::Result<Option<NamedTempFile>> {
    let parts: Vec<String> = services.into_iter().filter_map(|service| part(stack, service)).collect();
    if parts.is_empty() {
        return Ok(None);
    }
    let write = || {
        let mut file = tempfile::Builder::new().prefix("xtask-names-").suffix(".yaml").tempfile()?;
        write!(file, "services:\n{}", parts.concat()).map(|()| file)
    };
    write().context("cannot write a temporary file").map(Some)
}

/// Returns the paths of an overlay, as additional files of a command.
pub(super) fn files(overlay: Option<&NamedTempFile>) -> Vec<String> {
    overlay.iter().map(|file| file.path().display().to_string()).collect()
}

fn part(stack: &Stack, service: &str) -> Option<String> {
    let declared = stack.config.services.get(service)?;
    let name = declared.container_name.as_ref()?;
    // A string of JSON is one of YAML.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = format!("  {}:\n    container_name: !reset null\n", quoted(service));
    if !declared.networks.is_empty() {
        text.push_str("    networks:\n");
    }
    for network in declared.networks.keys() {
        let _ = writeln!(text, "      {}: {{aliases: [{}]}}", quoted(network), quoted(name));
    }
    Some(text)
}

impl Rollout<'_> {
    /// Gives the containers of services with a `container_name` this name, if no previous container has it any more.
    pub(super) fn give_names(&self) -> anyhow::Result<()> {
        let names = self.stack.services.iter().filter_map(|service| {
            let name = self.stack.declared(service).container_name.as_deref()?;
            Some((service, name))
        });
        let names: Vec<_> = names.collect();
        if names.is_empty() {
            return Ok(());
        }
        let containers = self.client.containers(self.stack.name())?;
        for (service, name) in names {
            let own: Vec<_> = containers.iter().filter(|it| it.service == service.name).collect();
            if let [container] = own.as_slice()
                && container.name != name
                && let Err(error) = self.client.docker(["rename", &container.id, name], QUICK)
            {
                self.events.note(format!("{container} does not get the name `{name}`: {error}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use project::Settings;

    use super::*;

    #[test]
    fn the_file_that_takes_a_name_away() {
        let config = r#"{"services": {"web": {"build": {}, "container_name": "one", "networks": {"front": null, "b": {}}},
                                      "db": {"image": "postgres", "container_name": "two"}, "cache": {"image": "redis"}}}"#;
        let stack = Stack::of(serde_json::from_str(config).expect("JSON"), &Settings::default()).expect("a stack");
        let web = "  \"web\":\n    container_name: !reset null\n    networks:\n      \"b\": {aliases: [\"one\"]}\n      \
                   \"front\": {aliases: [\"one\"]}\n";
        assert_eq!(part(&stack, "web").as_deref(), Some(web));
        let db = "  \"db\":\n    container_name: !reset null\n";
        assert_eq!(part(&stack, "db").as_deref(), Some(db));
        assert_eq!(part(&stack, "cache"), None);
    }
}
