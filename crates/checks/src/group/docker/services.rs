//! `docker.service.<name>`: whether a service is as it should be, by its containers.

use docker::{Container, Health};
use project::text::counted;

use super::containers::ServiceContainer;
use super::declared::Service;
use crate::CheckName;
use crate::outcome::{Outcome, Status};

/// Returns the outcome of a service: that of its worst container. `compose` is the command with its files.
pub(super) fn outcome(service: &Service, containers: &[ServiceContainer], compose: &str) -> Outcome {
    let name = CheckName::of_service(Some(&service.name));
    let its: Vec<_> = containers.iter().filter(|it| it.container.service == service.name).collect();
    let judged = its.iter().map(|container| (*container, judge(container, service.is_job)));
    // Of equally bad containers the first is reported, so that two reports of the same state are the same.
    let worst = judged.rev().max_by_key(|(_, (status, _))| badness(*status));
    let Some((ServiceContainer { container, .. }, (status, message))) = worst else {
        return match service.scale {
            0 => Outcome::skip(name, "scaled to 0"),
            _ => Outcome::err(name, "there is no container").hint(DEPLOY),
        };
    };
    let expected = its.len().max(service.scale);
    let running = its.iter().filter(|it| it.container.runs()).count();
    let message = match expected {
        1 => message,
        _ => format!("{message} ({running} of {expected} containers run)"),
    };
    match status {
        Status::Ok if its.len() < service.scale => Outcome::warn(name, message).hint(DEPLOY),
        Status::Err => {
            let outcome = Outcome::err(name, message).hint(remedy(container, compose));
            match &container.health {
                Health::Unhealthy(output) if container.runs() => outcome.output(output),
                _ => outcome,
            }
        }
        status => Outcome::new(name, status, message),
    }
}

fn badness(status: Status) -> usize {
    match status {
        Status::Skip | Status::Ok => 0,
        Status::Warn => 1,
        Status::Err => 2,
    }
}

/// A container's status, and its state in words.
fn judge(container: &ServiceContainer, is_job: bool) -> (Status, String) {
    let (status, state) = by_state(container, is_job);
    match &container.elsewhere {
        Some(elsewhere) if status == Status::Ok => {
            (Status::Warn, format!("{state}, and was started from another Compose file: `{elsewhere}`"))
        }
        _ => (status, state),
    }
}

fn by_state(ServiceContainer { container, status, .. }: &ServiceContainer, is_job: bool) -> (Status, String) {
    let Container { restarts, exit_code, .. } = *container;
    // "Up 5 seconds", "Up Less than a second": Docker's own words for less than a minute.
    let is_new = status.contains("second");
    match (container.state.as_str(), &container.health) {
        ("running", _) if restarts > 0 && is_new => {
            (Status::Err, format!("restarting: {}, {}", counted(restarts, "restart"), status.to_lowercase()))
        }
        ("running", Health::Unhealthy(_)) => (Status::Err, "unhealthy".to_owned()),
        ("running", Health::Held { .. }) => (Status::Warn, "is held out of the rotation by a deploy".to_owned()),
        ("running", Health::Starting) => (Status::Warn, "runs, and is not healthy yet".to_owned()),
        ("running", Health::Healthy) => (Status::Ok, "healthy".to_owned()),
        ("running", Health::Unchecked) => (Status::Ok, "runs".to_owned()),
        ("restarting", _) => {
            (Status::Err, format!("restarting: exit code {exit_code}, {}", counted(restarts, "restart")))
        }
        ("exited", _) if exit_code == 0 && is_job => (Status::Ok, "has completed".to_owned()),
        ("exited", _) => (Status::Err, format!("has exited with code {exit_code}")),
        ("created", _) => (Status::Err, "was created, and never started".to_owned()),
        (state, _) => (Status::Err, format!("is {state}")),
    }
}

/// The command that creates missing containers.
const DEPLOY: &str = "cargo xtask deploy-docker";

/// The exit codes of a process that was asked to end: its own, or those of KILL and TERM.
const STOPPED: [i64; 3] = [0, 128 + 9, 128 + 15];

/// Returns the command that fixes the state of a container, or shows more about it.
fn remedy(container: &Container, compose: &str) -> String {
    let service = &container.service;
    match container.state.as_str() {
        "paused" => format!("{compose} unpause {service}"),
        "created" => DEPLOY.to_owned(),
        // Half removed, which nothing but removing ends.
        "dead" => format!("{compose} rm --force {service}"),
        "exited" if STOPPED.contains(&container.exit_code) && !container.is_out_of_memory => {
            "cargo xtask start".to_owned()
        }
        _ => format!("cargo xtask logs {service}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::containers::fixture;
    use super::*;

    /// A container of the service `web`.
    fn container(state: &str, health: &str, status: &str, restarts: u64, exit_code: i64) -> ServiceContainer {
        let health = match health {
            "healthy" => Health::Healthy,
            "starting" => Health::Starting,
            "unhealthy" => Health::Unhealthy("no\nway\n".to_owned()),
            _ => Health::Unchecked,
        };
        ServiceContainer {
            container: Container { state: state.to_owned(), health, restarts, exit_code, ..fixture("e9c2", false) },
            status: status.to_owned(),
            elsewhere: None,
        }
    }

    fn service(scale: usize, is_job: bool) -> Service {
        Service { name: "web".to_owned(), scale, is_job, is_published: false, role: docker::roles::Role::Web }
    }

    /// Checks the outcome of a service, without the beginning that all hints share.
    #[track_caller]
    fn check(service: &Service, containers: &[ServiceContainer], expected: &str) {
        let Outcome { status, message, output, hint, .. } = outcome(service, containers, "docker compose -f c.yaml");
        let hint = hint.unwrap_or_default();
        let hint = hint.strip_prefix("docker compose -f c.yaml ").unwrap_or(&hint);
        assert_eq!(format!("{status} {message} | {} | {hint}", output.join(" ")), expected);
    }

    #[test]
    fn every_state_of_a_container() {
        for (container, expected) in [
            (container("running", "", "Up 2 hours", 0, 0), "ok runs |  | "),
            (container("running", "", "Up 5 seconds", 0, 0), "ok runs |  | "),
            (container("running", "", "Up About a minute", 7, 0), "ok runs |  | "),
            (container("running", "healthy", "Up 2 hours (healthy)", 0, 0), "ok healthy |  | "),
            (
                container("running", "starting", "Up 17 seconds (health: starting)", 0, 0),
                "warn runs, and is not healthy yet |  | ",
            ),
            (
                container("running", "unhealthy", "Up 2 minutes (unhealthy)", 0, 0),
                "err unhealthy | no way | cargo xtask logs web",
            ),
            (
                container("running", "", "Up Less than a second", 10, 0),
                "err restarting: 10 restarts, up less than a second |  | cargo xtask logs web",
            ),
            (
                container("running", "healthy", "Up 4 seconds (healthy)", 1, 0),
                "err restarting: 1 restart, up 4 seconds (healthy) |  | cargo xtask logs web",
            ),
            (
                container("restarting", "", "Restarting (3) 18 seconds ago", 11, 3),
                "err restarting: exit code 3, 11 restarts |  | cargo xtask logs web",
            ),
            (
                container("exited", "unhealthy", "Exited (7) 2 minutes ago", 0, 7),
                "err has exited with code 7 |  | cargo xtask logs web",
            ),
            (
                container("exited", "", "Exited (0) 2 minutes ago", 0, 0),
                "err has exited with code 0 |  | cargo xtask start",
            ),
            (container("paused", "", "Up 17 seconds (Paused)", 0, 0), "err is paused |  | unpause web"),
            (
                container("created", "", "Created", 0, 0),
                "err was created, and never started |  | cargo xtask deploy-docker",
            ),
            (container("dead", "", "Dead", 0, 137), "err is dead |  | rm --force web"),
            (container("removing", "", "Removal In Progress", 0, 0), "err is removing |  | cargo xtask logs web"),
        ] {
            check(&service(1, false), &[container], expected);
        }
        check(&service(1, false), &[], "err there is no container |  | cargo xtask deploy-docker");
    }

    #[test]
    fn completed_jobs_and_services_scaled_to_0_are_no_failures() {
        let exited = |code| [container("exited", "", "Exited 5 seconds ago", 0, code)];
        check(&service(1, true), &exited(0), "ok has completed |  | ");
        check(&service(1, true), &exited(1), "err has exited with code 1 |  | cargo xtask logs web");
        check(&service(1, true), &[container("running", "", "Up 5 seconds", 0, 0)], "ok runs |  | ");
        check(&service(0, false), &[], "skip scaled to 0 |  | ");
        check(&service(0, false), &[container("running", "", "Up 2 hours", 0, 0)], "ok runs |  | ");
    }

    #[test]
    fn of_several_containers_the_worst_counts() {
        let healthy = || container("running", "healthy", "Up 2 hours (healthy)", 0, 0);
        let exited = |code| container("exited", "", "Exited 2 hours ago", 0, code);
        check(&service(2, false), &[healthy(), healthy()], "ok healthy (2 of 2 containers run) |  | ");
        check(&service(1, false), &[healthy(), healthy()], "ok healthy (2 of 2 containers run) |  | ");
        check(&service(2, false), &[healthy()], "warn healthy (1 of 2 containers run) |  | cargo xtask deploy-docker");
        check(
            &service(3, false),
            &[healthy(), exited(7), container("paused", "", "Up 2 hours (Paused)", 0, 0)],
            "err has exited with code 7 (1 of 3 containers run) |  | cargo xtask logs web",
        );
    }

    #[test]
    fn containers_of_another_checkout_are_reported() {
        let mut container = container("running", "", "Up 2 hours", 0, 0);
        container.elsewhere = Some("/other/c.yaml".to_owned());
        check(
            &service(1, false),
            &[container],
            "warn runs, and was started from another Compose file: `/other/c.yaml` |  | ",
        );
    }

    #[test]
    fn containers_of_others_do_not_count() {
        let mut other = container("running", "", "Up 2 hours", 0, 0);
        other.container.service = "db".to_owned();
        check(&service(1, false), &[other], "err there is no container |  | cargo xtask deploy-docker");
    }
}
