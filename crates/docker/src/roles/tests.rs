//! Roles of services in stacks.

use super::*;

fn settings(web: Option<&str>, workers: &[&str], proxy: Option<&str>) -> Settings {
    Settings {
        web_service: web.map(str::to_owned),
        worker_services: workers.iter().map(ToString::to_string).collect(),
        proxy_service: proxy.map(str::to_owned),
        ..Settings::default()
    }
}

/// The roles of all services, and the problem.
#[track_caller]
fn check_with(settings: &Settings, services: &str, expected: &[&str]) {
    let config: Config =
        serde_json::from_str(&format!(r#"{{"name": "s", "services": {{{services}}}}}"#)).expect("JSON");
    let roles = roles(&config, settings);
    let found = roles.services.iter().map(|(name, assigned)| format!("{name}: {assigned}"));
    assert_eq!(found.chain(roles.problem.clone()).collect::<Vec<_>>(), expected, "{services}");
}

#[track_caller]
fn check(services: &str, expected: &[&str]) {
    check_with(&Settings::default(), services, expected);
}

#[test]
fn settings_come_first() {
    let all = settings(Some("site"), &["jobs"], Some("edge"));
    check_with(
        &all,
        r#""site": {"image": "nginx"}, "jobs": {"build": {}}, "edge": {"build": {}}, "web": {"build": {}}"#,
        &[
            "edge: proxy by its setting",
            "jobs: worker by its setting",
            "site: web service by its setting",
            "web: service of the project by its image",
        ],
    );
    check_with(
        &settings(None, &["jobs"], None),
        r#""jobs": {"command": ["celery", "-A", "x", "worker", "-B"]}, "web": {}"#,
        &["jobs: scheduler by its command", "web: web service by its name"],
    );
    check_with(
        &settings(Some("site"), &[], None),
        r#""web": {}"#,
        &["web: web service by its name", "the setting `web-service` names `site`, which is no service of the stack"],
    );
}

#[test]
fn the_name_of_the_project_is_no_image() {
    let services = r#""web": {"build": {}, "image": "my-nginx-app"}, "edge": {"image": "my-nginx-nginx"}"#;
    let config: Config =
        serde_json::from_str(&format!(r#"{{"name": "my-nginx", "services": {{{services}}}}}"#)).expect("JSON");
    let roles = roles(&config, &Settings::default());
    assert_eq!((roles.of("web").role, roles.of("edge").role), (Role::Web, Role::Proxy));
}

#[test]
fn labels_come_before_names() {
    check(
        r#""site": {"labels": {"xtask.front": "f"}}, "edge": {"labels": {"xtask.state": "u"}}, "web": {"build": {}}"#,
        &["edge: proxy by its label", "site: web service by its label", "web: service of the project by its image"],
    );
}

#[test]
fn proxies_and_backing_services_are_known_by_their_images() {
    check(
        r#""web": {"image": "nginx:1.27-alpine", "ports": [{"target": 80}]}, "backend": {"build": {}},
           "db": {"image": "postgis/postgis:16-3.4"}, "cache": {"image": "redis"}, "lb": {"image": "traefik:v3"},
           "edge": {"image": "jwilder/nginx-proxy"}"#,
        &[
            "backend: web service by its name",
            "cache: backing service by its image",
            "db: backing service by its image",
            "edge: proxy by its image",
            "lb: proxy by its image",
            "web: proxy by its image",
        ],
    );
    check(
        r#""nginx": {"build": {}}, "app": {"build": {}}"#,
        &["app: web service by its name", "nginx: proxy by its name"],
    );
}

#[test]
fn commands_tell_workers_schedulers_and_servers() {
    check(
        r#""a": {"build": {}, "command": ["sh", "-c", "python manage.py check && gunicorn shop.wsgi"]},
           "b": {"build": {}, "command": ["celery", "-A", "shop", "worker", "-l", "INFO"]},
           "c": {"build": {}, "command": ["celery", "-A", "shop", "beat"]},
           "celery": {"build": {}, "command": ["/venv/bin/celery", "-A", "shop", "worker", "--beat"]},
           "d": {"build": {}, "command": ["celery", "-A", "shop", "flower"], "ports": [{"target": 5555}]}"#,
        &[
            "a: web service by its command",
            "b: worker by its command",
            "c: scheduler by its command",
            "celery: scheduler by its command",
            "d: service of the project by its command",
        ],
    );
}

#[test]
fn the_web_service_is_the_best_candidate() {
    check(
        r#""backend": {"build": {}}, "web": {"image": "node:20"}, "x": {"image": "s-backend", "command": ["/start-celerybeat"]}"#,
        &["backend: web service by its name", "web: backing service by its image", "x: scheduler by its command"],
    );
    // Of two names the more common one; the other one runs the project's code, too.
    check(
        r#""api": {"image": "shop"}, "django": {"image": "shop"}, "other": {"image": "shop"}, "x": {"image": "y"}"#,
        &[
            "api: service of the project by its image",
            "django: web service by its name",
            "other: service of the project by its image",
            "x: backing service by its image",
        ],
    );
    let port = r#""ports": [{"target": 80}]"#;
    check(
        &format!(r#""shop": {{"build": {{}}, {port}}}, "mail": {{"image": "mailer", {port}}}"#),
        &["mail: backing service by its image", "shop: web service by its published port"],
    );
    check(
        &format!(r#""a": {{"build": {{}}, {port}}}, "b": {{"build": {{}}, {port}}}"#),
        &[
            "a: service of the project by its image",
            "b: service of the project by its image",
            "`a` and `b` could each be the web service",
        ],
    );
    check(r#""a": {}"#, &["a: backing service by its image", "no service of the stack is known as the web service"]);
}

#[test]
fn a_job_is_known_by_those_that_wait_for_it() {
    check(
        r#""init": {"build": {}}, "web": {"build": {}, "depends_on": {"init": {"condition": "service_completed_successfully"}}}"#,
        &["init: job by its dependents", "web: web service by its name"],
    );
}

#[test]
fn another_tag_of_the_same_repository_is_of_the_project() {
    check(
        r#""cron": {"image": "registry:5000/app:cron"}, "other": {"image": "registry:5000/apps:1"},
           "web": {"image": "registry:5000/app:1"}"#,
        &[
            "cron: service of the project by its image",
            "other: backing service by its image",
            "web: web service by its name",
        ],
    );
}
