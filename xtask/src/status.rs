//! `cargo xtask status`: the live release, the checkout beside it, what serves, and the last deploys.

use std::time::Duration;

use checks::report::{BOLD, DIM, GREEN, RED, axis};
use deploy::{Checkout, Deploy, Releases, compose, systemd};
use detect::{DeployMethod, deploy_method, environment};
use project::text::counted;
use serde::Serialize;

use crate::cli::{self, Format};
use crate::context::Context;
use crate::deploy::on_terminal;
use crate::detect::{Answer, remarks};
use crate::exit::{Exit, Failure};
use crate::interrupt::Deferred;
use crate::service::{Runner, Service, deploy_command};

pub(crate) fn run(args: &cli::Status, context: &Context<'_>) -> anyhow::Result<Exit> {
    let file = context.env_file()?.unwrap_or_default();
    let (environment, method) = (environment(&file), deploy_method(&file, &context.probes()));
    remarks(&environment, context);
    remarks(&method, context);
    let runner = Runner::of(method.value, context)?;
    let deferred = Deferred::begin()?;
    let (releases, checkout) = on_terminal(context, Format::Human, &deferred, |deploy_context| {
        let releases = match runner {
            Some(Runner::Compose) => compose::operate::releases(deploy_context).map(Some),
            Some(Runner::Systemd) => systemd::operate::releases(deploy_context).map(Some),
            None => Ok(None),
        };
        let live = releases.as_ref().ok().and_then(Option::as_ref).and_then(|releases| releases.live.as_ref());
        let checkout = Checkout::of(deploy_context).map(|checkout| CheckoutStatus::of(checkout, live, deploy_context));
        (releases, checkout)
    });
    deferred.check("status")?;
    let service = runner.map(|_| Service::examine(method.value, &deferred, context)).transpose()?;
    let is_known = releases.is_ok();
    if let Err(error) = &releases {
        context.ui.errors(&Failure::of(error).problems);
    }
    let releases = releases.ok().flatten();
    let status = Status { method: method.value, releases, checkout, service };
    match args.format {
        Format::Human => {
            context.ui.result(axis("environment", &environment, context.ui.out()));
            context.ui.result(axis("deploy method", &method, context.ui.out()));
            status.print(args.deploys, context);
        }
        Format::Json => {
            let axes = ((&environment).into(), (&method).into());
            context.ui.result(serde_json::to_string(&status.json(axes, args.deploys))?);
        }
    }
    Ok(if is_known { Exit::Done } else { Exit::Failed })
}

/// The parts of the status.
struct Status {
    method: DeployMethod,
    /// `None` where nothing is deployed, or the target does not respond.
    releases: Option<Releases>,
    /// `None` if it is not one of Git's.
    checkout: Option<CheckoutStatus>,
    service: Option<Service>,
}

/// The checkout, compared with the live release.
#[derive(Serialize)]
struct CheckoutStatus {
    commit: String,
    subject: Option<String>,
    /// The number of commits that the live release has not; `None` if the two cannot be compared.
    ahead: Option<u64>,
    /// The number of commits that only the live release has.
    behind: Option<u64>,
    #[serde(skip)]
    shown: String,
}

impl CheckoutStatus {
    fn of(checkout: Checkout, live: Option<&Deploy>, context: &deploy::Context<'_>) -> Self {
        let commit = live.and_then(|live| live.commit.as_deref());
        let distance = commit.and_then(|commit| checkout.distance(commit, context));
        let shown = checkout.to_string();
        let (ahead, behind) = (distance.map(|it| it.0), distance.map(|it| it.1));
        CheckoutStatus { commit: checkout.commit, subject: checkout.subject, ahead, behind, shown }
    }

    /// Returns how it differs from the live release, and whether a deploy would deploy something else.
    fn difference(&self, live: &Deploy) -> (String, bool) {
        let Some(deployed) = live.commit.as_deref() else {
            return ("the commit of the release is not known".to_owned(), true);
        };
        match (self.ahead, self.behind) {
            (Some(0), Some(0)) if self.commit.ends_with('+') => {
                ("at the same commit, with uncommitted changes".to_owned(), true)
            }
            (Some(0), Some(0)) if deployed.ends_with('+') => {
                ("at the same commit, without the changes that were deployed uncommitted".to_owned(), true)
            }
            (Some(0), Some(0)) => ("at the same commit".to_owned(), false),
            (Some(ahead), Some(behind)) => {
                let count = |count: u64| counted(usize::try_from(count).unwrap_or(usize::MAX), "commit");
                let parts = [(ahead, "ahead"), (behind, "behind")].into_iter().filter(|(number, _)| *number > 0);
                let parts: Vec<String> = parts.map(|(number, way)| format!("{} {way}", count(number))).collect();
                (format!("{}: {}", parts.join(", "), self.shown), true)
            }
            _ => (format!("at {}, and without the commit of the release", self.shown), true),
        }
    }
}

impl Status {
    fn print(&self, deploys: usize, context: &Context<'_>) {
        let (ui, colors) = (context.ui, context.ui.out());
        if self.releases.is_some() || self.service.is_none() {
            ui.result("");
        }
        let row = |name: &str, value: &str| ui.result(format_args!("{name:<14} {value}"));
        match self.releases.as_ref().map(|releases| &releases.live) {
            Some(Some(live)) => {
                let version = live.version().map(|version| format!(", {version}")).unwrap_or_default();
                row(
                    "release",
                    &format!("{}{version}", colors.style(BOLD, live.rollback_to.as_ref().unwrap_or(&live.id))),
                );
                let verb = if live.rollback_to.is_some() { "rolled back to" } else { "deployed" };
                let age = live.age().map(|age| format!(", {} ago", rounded(age))).unwrap_or_default();
                row(
                    "",
                    &format!(
                        "{verb} {} UTC{age}, by {}",
                        minute(live.ended.as_deref().unwrap_or(&live.started)),
                        live.by
                    ),
                );
                if let Some(checkout) = &self.checkout {
                    let (difference, is_news) = checkout.difference(live);
                    row("checkout", &difference);
                    if is_news {
                        row("", &ui.typed(&format!("{} deploys it", deploy_command(self.method))));
                    }
                }
            }
            Some(None) => row("release", &ui.typed(&format!("none was deployed yet: {}", deploy_command(self.method)))),
            None if self.service.is_none() => {
                row("release", "nothing is deployed here");
                row("", &ui.typed("cargo xtask run starts the development server"));
            }
            None => {}
        }
        if let Some(service) = &self.service {
            ui.result("");
            service.print(context);
        }
        let Some(releases) = self.releases.as_ref().filter(|releases| !releases.deploys.is_empty() && deploys > 0)
        else {
            return;
        };
        ui.result("");
        ui.result(colors.style(BOLD, "Last deploys"));
        for deploy in releases.deploys.iter().rev().take(deploys) {
            let style = match deploy.result {
                deploy::Status::Deployed => GREEN,
                deploy::Status::RolledBack => RED,
                deploy::Status::UnderWay => DIM,
            };
            let took = deploy.duration().map(rounded).unwrap_or_default();
            let subject = match &deploy.rollback_to {
                Some(to) => format!("back to {to}"),
                None => deploy.subject.clone().unwrap_or_default(),
            };
            let commit = deploy.commit.as_deref().unwrap_or("-");
            ui.result(format_args!(
                "  {}  {}  {took:>6}  {commit:<13}  {}  {subject}",
                minute(&deploy.started),
                colors.style(style, format_args!("{:<11}", deploy.result)),
                deploy.by,
            ));
        }
    }

    fn json(&self, (environment, deploy_method): (Answer, Answer), deploys: usize) -> Json<'_> {
        let all = self.releases.as_ref().map(|releases| releases.deploys.as_slice()).unwrap_or_default();
        let outcomes = self.service.as_ref().map(|service| service.outcomes.as_slice()).unwrap_or_default();
        Json {
            schema: 1,
            environment,
            deploy_method,
            release: self.releases.as_ref().and_then(|releases| releases.live.as_ref()),
            checkout: self.checkout.as_ref(),
            serves: self.service.as_ref().map(Service::is_serving),
            services: outcomes
                .iter()
                .map(|outcome| Part {
                    name: &outcome.name,
                    status: outcome.status.to_string(),
                    message: &outcome.message,
                })
                .collect(),
            deploys: all.iter().rev().take(deploys).collect(),
        }
    }
}

/// The object that `--format json` prints.
#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    environment: Answer,
    deploy_method: Answer,
    /// The deploy of the live release.
    release: Option<&'a Deploy>,
    checkout: Option<&'a CheckoutStatus>,
    /// Whether the service responds; null where nothing is deployed.
    serves: Option<bool>,
    services: Vec<Part<'a>>,
    /// The newest first.
    deploys: Vec<&'a Deploy>,
}

/// A container or a unit, or the response of the service.
#[derive(Serialize)]
struct Part<'a> {
    name: &'a str,
    status: String,
    message: &'a str,
}

/// Returns a time of RFC 3339 without its seconds, as people read it.
fn minute(rfc3339: &str) -> String {
    rfc3339.get(..16).unwrap_or(rfc3339).replace('T', " ")
}

/// Returns a duration in its largest unit.
fn rounded(duration: Duration) -> String {
    const UNITS: [(u64, &str); 3] = [(24 * 60 * 60, "d"), (60 * 60, "h"), (60, "min")];
    let seconds = duration.as_secs();
    let unit = UNITS.iter().find(|(length, _)| seconds >= 2 * length);
    unit.map_or_else(|| format!("{seconds} s"), |(length, unit)| format!("{} {unit}", seconds / length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_read_them() {
        assert_eq!(minute("2026-12-01T10:05:59Z"), "2026-12-01 10:05");
        assert_eq!(minute("now"), "now");
        for (seconds, expected) in [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (200_000, "2 d")] {
            assert_eq!(rounded(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn the_checkout_is_compared_with_the_live_release() {
        let check =
            |commit: &str, deployed: Option<&str>, distance: Option<(u64, u64)>, expected: &str, is_news: bool| {
                let live: Deploy = serde_json::from_value(serde_json::json!({
                    "id": "1", "started": "", "ended": null, "by": "me", "commit": deployed, "result": "deployed",
                    "rollback_to": null
                }))
                .expect("a deploy");
                let checkout = CheckoutStatus {
                    commit: commit.to_owned(),
                    subject: None,
                    ahead: distance.map(|it| it.0),
                    behind: distance.map(|it| it.1),
                    shown: format!("commit {commit}"),
                };
                assert_eq!(checkout.difference(&live), (expected.to_owned(), is_news));
            };
        check("a", Some("a"), Some((0, 0)), "at the same commit", false);
        check("a+", Some("a"), Some((0, 0)), "at the same commit, with uncommitted changes", true);
        check(
            "a",
            Some("a+"),
            Some((0, 0)),
            "at the same commit, without the changes that were deployed uncommitted",
            true,
        );
        check("b", Some("a"), Some((1, 0)), "1 commit ahead: commit b", true);
        check("b", Some("c"), Some((2, 3)), "2 commits ahead, 3 commits behind: commit b", true);
        check("b", Some("c"), None, "at commit b, and without the commit of the release", true);
        check("b", None, None, "the commit of the release is not known", true);
    }
}
