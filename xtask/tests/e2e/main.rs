//! End to end on real engines: uv from PyPI, Django, Redis, Docker Compose, systemd as PID 1.
//!
//! A case whose engine is missing is reported as ignored, with the reason; with `E2E=require` it fails instead.

mod checkout;
mod client;
mod compose_files;
mod deploy;
mod docker;
mod engine;
mod foreign;
mod fresh;
mod health;
mod hints;
mod load;
mod machine;
mod original;
mod page;
mod port;
mod reports;
mod server;
mod systemd;
mod trusted_proxies;
mod units;

use std::process::ExitCode;

use engine::Engine;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// For containers of a Compose project.
const COMPOSE: &[Engine] = &[Engine::Docker, Engine::Compose, Engine::Debootstrap];

/// For containers whose images come from a registry.
const REGISTRY: &[Engine] = &[Engine::Docker, Engine::Compose, Engine::Debootstrap, Engine::Registry];

/// For machines with systemd, and a Git checkout on them.
const SYSTEMD: &[Engine] = &[Engine::Docker, Engine::Debootstrap, Engine::Git];

/// For containers of a Compose project, and a Git checkout.
const COMPOSE_AND_GIT: &[Engine] = &[Engine::Docker, Engine::Compose, Engine::Debootstrap, Engine::Git];

fn main() -> ExitCode {
    let trials = vec![
        // The longest first: the last ones have a core for themselves.
        trial("broken_releases_are_rolled_back", COMPOSE, deploy::broken::rolled_back),
        trial("systemd_broken_releases_are_rolled_back", SYSTEMD, units::broken::rolled_back),
        trial("redeploys_lose_nothing", COMPOSE, deploy::redeploy::without_loss),
        trial("interrupted_deploys_do_no_harm", COMPOSE, deploy::faults::interrupted),
        trial("first_deploy_to_running_service", COMPOSE_AND_GIT, deploy::first::from_nothing),
        trial("deploy_to_a_remote_engine", COMPOSE, deploy::remote::engine),
        trial("systemd_deploys_that_broke_off_are_put_right", SYSTEMD, units::faults::put_right),
        trial("systemd_redeploys_lose_nothing", SYSTEMD, units::redeploy::without_loss),
        trial("systemd_first_deploy_to_running_service", SYSTEMD, units::first::from_nothing),
        trial("systemd_environment_is_exact", SYSTEMD, units::environment::exact),
        trial("systemd_foreign_units_in_place", SYSTEMD, units::foreign::in_place),
        trial("systemd_units_of_every_kind", SYSTEMD, units::kinds::of_every_kind),
        trial("deploys_that_broke_off_are_put_right", COMPOSE, deploy::foreign::put_right),
        trial("fresh_checkout_to_running_service", &[Engine::Git, Engine::Python], fresh::serves),
        trial("every_combination_on_one_checkout", &[Engine::Git, Engine::Python], fresh::every_combination),
        trial("interrupted_install_leaves_env_as_it_was", &[Engine::Git, Engine::Python], fresh::interrupted),
        trial("failing_step_shows_its_output_without_secrets", &[Engine::Git, Engine::Python], fresh::failing_step),
        trial("health_fix_repairs_without_loss", &[Engine::Git, Engine::Python], health::fixes),
        trial("health_asks_django_once", &[Engine::Git, Engine::Python], health::asks_django_once),
        trial("hints_fix_what_they_report", &[Engine::Git, Engine::Python], hints::fix_what_they_report),
        trial("health_knows_git_hooks", &[Engine::Git, Engine::Python], health::knows_hooks),
        trial(
            "health_reports_without_permission",
            &[Engine::Docker, Engine::Debootstrap],
            health::reports_without_permission,
        ),
        trial("tests_of_the_service", &[Engine::Git, Engine::Python, Engine::Redis], fresh::tests_of_the_service),
        trial(
            "page_is_readable_in_a_browser",
            &[Engine::Git, Engine::Python, Engine::Chromium],
            page::readable_in_every_form,
        ),
        trial("foreign_checkout_to_running_service", &[Engine::Python], foreign::serves),
        trial("reports_are_valid_against_their_schemas", &[Engine::Git, Engine::Python], reports::valid),
        trial("running_containers_are_detected", COMPOSE, docker::detected),
        trial("health_of_containers", COMPOSE, docker::healthy_or_not),
        trial("health_without_an_engine", &[Engine::Docker, Engine::Compose], docker::without_an_answer),
        trial("deploys_do_not_throw_data_away", COMPOSE, deploy::data::in_no_volume),
        trial("deploys_do_not_replace_another_checkouts", COMPOSE, deploy::data::of_another_checkout),
        trial("two_checkouts_share_one_target", COMPOSE, deploy::shared::one_target),
        trial("a_project_of_the_usual_shape_deploys_both_ways", COMPOSE_AND_GIT, original::both_ways),
        trial("deploy_by_the_rules_of_compose", COMPOSE, deploy::own_rules::faithful),
        trial("traefik_rolls_without_our_labels", COMPOSE, deploy::traefik::rolls_without_our_labels),
        trial("images_from_a_registry", REGISTRY, deploy::pulled::from_a_registry),
        trial("deploy_without_a_proxy", COMPOSE, deploy::foreign::without_a_proxy),
        trial(
            "proxy_trusts_only_what_it_is_given",
            &[Engine::Docker, Engine::Debootstrap],
            trusted_proxies::alone_count,
        ),
        trial("compose_finds_the_same_files", &[Engine::Compose], compose_files::as_compose_finds_them),
        trial("installed_unit_is_detected", &[Engine::Docker, Engine::Debootstrap], systemd::detected),
        trial("health_asks_systemd", &[Engine::Docker, Engine::Debootstrap], systemd::health),
        trial("health_asks_redis_and_the_socket", &[Engine::Docker, Engine::Debootstrap], systemd::answers),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, needs: &'static [Engine], case: fn()) -> Trial {
    Trial::ignorable_test(name, move || {
        let missing: Vec<String> = needs.iter().filter_map(|engine| engine.missing()).collect();
        if missing.is_empty() {
            case();
            return Ok(Completion::Completed);
        }
        let missing = missing.join("; ");
        if engine::is_required() { Err(Failed::from(missing)) } else { Ok(Completion::ignored_with(missing)) }
    })
}
