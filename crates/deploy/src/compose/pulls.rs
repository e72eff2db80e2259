//! Images that are not built here: pulled as `docker compose up` pulls them, by the `pull_policy` of their services.

use std::collections::BTreeMap;

use project::text::listed;

use super::Options;
use super::client::{BUILD, Client, QUICK};
use super::stack::Stack;
use crate::event::Events;
use crate::failure::{Exit, Failure, Problem};

/// When an image is pulled. Of several services with the same image, the last of these applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Policy {
    Never,
    /// If it is not on the engine: Compose's default.
    Missing,
    /// By every deploy.
    Always,
}

impl Policy {
    fn of(declared: Option<&str>) -> Self {
        match declared {
            // Compose builds nothing without a build section.
            Some("never" | "build") => Policy::Never,
            None | Some("" | "missing" | "if_not_present") => Policy::Missing,
            // `always`; and `daily`, `weekly` or `every_12h`, which allow an older image and ask for none.
            Some(_) => Policy::Always,
        }
    }

    /// Returns the policy under the options: a rollback has the images of its release, and needs no registry.
    fn under(self, options: &Options) -> Self {
        if options.no_build || options.rollback { Policy::Never } else { self }
    }
}

/// An image that is not built here, with the services that run it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pull<'s> {
    pub(super) reference: &'s str,
    services: Vec<&'s str>,
    policy: Policy,
    /// The service whose policy that is.
    puller: &'s str,
    /// Its id; `None` if it is not on the engine.
    id: Option<String>,
}

/// Returns the images that are not built here.
pub(super) fn find<'s>(client: &Client<'_>, stack: &'s Stack, options: &Options) -> anyhow::Result<Vec<Pull<'s>>> {
    let mut found = declared(stack, options);
    for pull in &mut found {
        pull.id = client.image(pull.reference)?;
    }
    Ok(found)
}

fn declared<'s>(stack: &'s Stack, options: &Options) -> Vec<Pull<'s>> {
    let built = stack.built_images();
    let mut found: Vec<Pull<'s>> = Vec::new();
    for service in stack.services.iter().filter(|service| !built.contains(&service.image.as_str())) {
        let policy = Policy::of(stack.declared(service).pull_policy.as_deref()).under(options);
        if let Some(pull) = found.iter_mut().find(|pull| pull.reference == service.image) {
            pull.services.push(&service.name);
            (pull.policy, pull.puller) = (pull.policy, pull.puller).max((policy, &service.name));
        } else {
            let (services, puller) = (vec![service.name.as_str()], service.name.as_str());
            found.push(Pull { reference: &service.image, services, policy, puller, id: None });
        }
    }
    found
}

impl Pull<'_> {
    /// Returns whether this deploy pulls the image.
    pub(super) fn is_wanted(&self) -> bool {
        match self.policy {
            Policy::Never => false,
            Policy::Missing => self.id.is_none(),
            Policy::Always => true,
        }
    }

    /// Returns the id of an image that stays as it is.
    pub(super) fn kept(&self) -> Option<&str> {
        self.id.as_deref().filter(|_| !self.is_wanted())
    }

    /// Returns the reason why it is pulled, for the plan.
    pub(super) fn reason(&self) -> &'static str {
        if self.id.is_none() { "which is not on the engine" } else { "as its `pull_policy` says" }
    }

    /// Returns the problem of an image that is neither here nor pulled, and that the deploy needs.
    pub(super) fn problem(&self, stack: &Stack, options: &Options) -> Option<Problem> {
        if self.is_wanted() || self.id.is_some() || options.rollback {
            return None;
        }
        let message = format!("the image `{}` of {} is not on the engine", self.reference, self.shown_services());
        if options.no_build {
            let again = Options { no_build: false, ..options.clone() }.command_line(false);
            return Some(Problem::new(format!("{message}, and `--no-build` pulls none")).hint(again));
        }
        let policy = self.services.iter().find_map(|name| stack.config.services.get(*name)?.pull_policy.as_deref());
        let message = format!("{message}, and its `pull_policy` is `{}`", policy.unwrap_or_default());
        Some(Problem::new(message).hint(format!("docker pull {}", self.reference)))
    }

    fn shown_services(&self) -> String {
        listed(&self.services)
    }
}

/// Pulls the images that are to be pulled. Returns the ids that references had before and have no more; a failure gives
/// them back.
pub(super) fn pull(
    client: &Client<'_>,
    stack: &Stack,
    options: &Options,
    events: &Events<'_>,
) -> anyhow::Result<BTreeMap<String, String>> {
    let mut moved = BTreeMap::new();
    for pull in find(client, stack, options)?.iter().filter(|pull| pull.is_wanted()) {
        let pulled = events.step(&format!("pull {}", pull.reference), || one(client, pull));
        let now = pulled.and_then(|()| client.image(pull.reference)).inspect_err(|_| restore(client, Some(&moved)))?;
        if let Some(before) = pull.id.clone().filter(|before| now.as_ref() != Some(before)) {
            moved.insert(pull.reference.to_owned(), before);
        }
    }
    Ok(moved)
}

/// Pulls one image through Compose, which knows its platform and its policy.
fn one(client: &Client<'_>, pull: &Pull<'_>) -> anyhow::Result<()> {
    // For a service with another policy, Compose may pull nothing.
    client.compose(&[], ["pull", "--quiet", pull.puller], BUILD).map(drop).map_err(|error| {
        if Exit::of(&error) == Exit::Interrupted {
            return error;
        }
        let (reference, services) = (pull.reference, pull.shown_services());
        let message = format!(
            "the image `{reference}` of {services} cannot be pulled: nothing was changed, and the previous release still \
             serves: {error}"
        );
        Failure::new(Exit::Failed, Problem::new(message)).into()
    })
}

/// Gives references back the images that they had.
pub(super) fn restore(client: &Client<'_>, moved: Option<&BTreeMap<String, String>>) {
    for (reference, id) in moved.into_iter().flatten() {
        // The image that serves is not changed by it: the next deploy pulls again.
        let _ = client.uninterrupted().docker(["tag", id, reference], QUICK);
    }
}

#[cfg(test)]
mod tests {
    use project::Settings;

    use super::*;

    fn stack(policies: &[(&str, &str)]) -> Stack {
        let service = |(name, policy): &(&str, &str)| {
            let policy = if policy.is_empty() { String::new() } else { format!(r#", "pull_policy": "{policy}""#) };
            format!(r#""{name}": {{"image": "registry:5000/app:1"{policy}}}"#)
        };
        let services = policies.iter().map(service).collect::<Vec<_>>().join(", ");
        let config = format!(r#"{{"services": {{{services}, "own": {{"build": {{}}, "pull_policy": "always"}}}}}}"#);
        Stack::of(serde_json::from_str(&config).expect("JSON"), &Settings::default()).expect("a stack")
    }

    /// Checks whether the image of services with these policies is pulled: if it is not on the engine, and if it is.
    #[track_caller]
    fn check(policies: &[(&str, &str)], options: &Options, missing: bool, present: bool) {
        let stack = stack(policies);
        let mut found = declared(&stack, options);
        assert_eq!(found.len(), 1, "the image of `own` is built, whatever its policy is");
        let is_missing_wanted = found[0].is_wanted();
        let is_refused = found[0].problem(&stack, options).is_some();
        found[0].id = Some("sha256:1".to_owned());
        assert_eq!((is_missing_wanted, found[0].is_wanted()), (missing, present), "{policies:?}");
        assert_eq!(
            is_refused,
            !missing && !options.rollback,
            "a missing image is pulled, or is a problem of the preflight"
        );
        assert_eq!(found[0].kept().is_some(), !present);
    }

    #[test]
    fn policies_of_compose() {
        let deploy = Options::default();
        for policy in ["", "missing", "if_not_present"] {
            check(&[("web", policy)], &deploy, true, false);
        }
        for policy in ["always", "daily", "weekly", "every_12h"] {
            check(&[("web", policy)], &deploy, true, true);
        }
        for policy in ["never", "build"] {
            check(&[("web", policy)], &deploy, false, false);
        }
        check(&[("beat", "never"), ("web", "always")], &deploy, true, true);
        check(&[("beat", "never"), ("web", "")], &deploy, true, false);
        let (rollback, no_build) =
            (Options { rollback: true, ..deploy.clone() }, Options { no_build: true, ..deploy.clone() });
        check(&[("web", "always")], &rollback, false, false);
        check(&[("web", "always")], &no_build, false, false);
    }

    #[test]
    fn an_image_that_nothing_brings_is_named_with_its_services() {
        let stack = stack(&[("beat", "never"), ("web", "never")]);
        let message = |options: &Options| {
            declared(&stack, options)[0].problem(&stack, options).map(|problem| problem.message).unwrap_or_default()
        };
        let start = "the image `registry:5000/app:1` of `web` and `beat` is not on the engine, and ";
        assert_eq!(message(&Options::default()), format!("{start}its `pull_policy` is `never`"));
        let no_build = Options { no_build: true, ..Options::default() };
        assert_eq!(message(&no_build), format!("{start}`--no-build` pulls none"));
    }
}
