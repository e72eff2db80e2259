//! Prompts on a pseudo-terminal, with the same shims around the binary.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use crate::sandbox::Sandbox;
use crate::terminal::{CTRL_C, CTRL_D, ENTER, ESC, Terminal, check_value};

fn docker() -> Sandbox {
    Sandbox::project().shims(&["uv", "python", "docker"])
}

/// Both questions with their meanings, and Enter everywhere, which answers like `--yes`.
#[test]
fn enter_everywhere_equals_yes() {
    let sandbox = Sandbox::project();
    let mut terminal = Terminal::run(&sandbox, "install");
    terminal.sees("Which environment is this?").sees("1) dev").sees("2) prod").at("Environment:", ENTER);
    terminal.sees("How is it deployed?").sees("1) bare").sees("2) docker").at("Deployment method:", ENTER);
    terminal.at("Use the defaults for dev+bare?", ENTER).writes().sees("dev+bare in");
    assert!(!terminal.ends(0).contains("DJANGO_DEBUG:"));
    check_value(&sandbox, "DJANGO_ENV", Some("dev"));
    check_value(&sandbox, "DEPLOY_METHOD", Some("bare"));
    check_value(&sandbox, "DJANGO_DEBUG", Some("1"));
    check_value(&sandbox, "DJANGO_ALLOWED_HOSTS", Some("localhost,127.0.0.1"));
    check_value(&sandbox, "CELERY_BROKER_URL", Some(""));
    check_value(&sandbox, "CELERY_TASK_ALWAYS_EAGER", Some("1"));

    let single = Sandbox::project();
    let mut terminal = Terminal::run(&single, "install");
    terminal.at("Environment:", ENTER).at("Deployment method:", ENTER).asks_all();
    terminal.at("DJANGO_DEBUG:", ENTER).at("Generate one?", ENTER).at("DJANGO_ALLOWED_HOSTS:", ENTER);
    terminal.at("CELERY_BROKER_URL:", ENTER).at("CELERY_TASK_ALWAYS_EAGER:", ENTER).writes().ends(0);
    let without_key = |sandbox: &Sandbox| {
        let text = sandbox.read(".env");
        let lines = text.lines().filter(|line| !line.starts_with("DJANGO_SECRET_KEY=")).map(str::to_owned);
        lines.collect::<Vec<_>>()
    };
    assert_eq!(without_key(&single), without_key(&sandbox));
}

/// dev+bare with an answer of one's own to everything; a number or a word answers the two questions.
#[test]
fn dev_and_bare_with_answers_of_ones_own() {
    let sandbox = Sandbox::project();
    let mut terminal = Terminal::run(&sandbox, "install");
    terminal.at("Environment:", "1\r").at("Deployment method:", "BARE\r").asks_all();
    terminal.at("DJANGO_DEBUG:", "off\r").at("Generate one?", "n\r").at("DJANGO_ALLOWED_HOSTS:", "dev.example.org\r");
    // The page of this machine would not be served.
    terminal.at("this has neither `localhost` nor `127.0.0.1`", ",localhost\r");
    terminal.at("CELERY_BROKER_URL:", "redis://:hunter2@db/0\r").at("CELERY_TASK_ALWAYS_EAGER:", "0\r").writes();
    let rest = terminal.ends(0);
    // The prompt echoes the input; after that it is not shown again.
    assert!(!rest.contains("hunter2"), "{rest}");
    assert!(rest.contains("redis://:********@db/0"), "{rest}");
    check_value(&sandbox, "DJANGO_DEBUG", Some("0"));
    check_value(&sandbox, "DJANGO_SECRET_KEY", Some(""));
    check_value(&sandbox, "DJANGO_ALLOWED_HOSTS", Some("dev.example.org,localhost"));
    check_value(&sandbox, "CELERY_BROKER_URL", Some("redis://:hunter2@db/0"));
    check_value(&sandbox, "CELERY_TASK_ALWAYS_EAGER", Some("0"));
}

/// dev+docker: the key is offered, else asked for, and may stay empty; eager is forced, the broker skipped.
#[test]
fn dev_and_docker() {
    let sandbox = docker();
    let mut terminal = Terminal::run(&sandbox, "install --no-deploy");
    terminal.at("Environment:", "dev\r").at("Deployment method:", "2\r").asks_all().at("DJANGO_DEBUG:", ENTER);
    terminal.at("Generate one?", "n\r").at("DJANGO_SECRET_KEY:", "typed-by-hand\r").at("DJANGO_ALLOWED_HOSTS:", ENTER);
    terminal.writes();
    let rest = terminal.ends(0);
    assert!(!rest.contains("CELERY_BROKER_URL:") && !rest.contains("typed-by-hand"), "{rest}");
    check_value(&sandbox, "DJANGO_SECRET_KEY", Some("typed-by-hand"));
    check_value(&sandbox, "CELERY_TASK_ALWAYS_EAGER", Some("0"));

    let sandbox = docker();
    let mut terminal = Terminal::run(&sandbox, "install --no-deploy --method docker");
    terminal.at("Environment:", ENTER).asks_all().at("DJANGO_DEBUG:", ENTER).at("Generate one?", "n\r");
    terminal.at("DJANGO_SECRET_KEY:", ENTER).at("DJANGO_ALLOWED_HOSTS:", ENTER).writes();
    assert!(!terminal.ends(0).contains("Deployment method:"));
    check_value(&sandbox, "DJANGO_SECRET_KEY", Some(""));
}

/// prod+bare: a required variable is asked for until there is an answer; debug and eager are not asked for at all.
#[test]
fn prod_and_bare() {
    let sandbox = Sandbox::project();
    let mut terminal = Terminal::run(&sandbox, "install --env prod");
    terminal.at("Deployment method:", ENTER);
    terminal.at("Generate one?", "n\r").at("DJANGO_SECRET_KEY:", ENTER).at("an answer is required", "short\r");
    terminal.at("DJANGO_ALLOWED_HOSTS:", ENTER).at("an answer is required", "example.org\r");
    terminal.at("CELERY_BROKER_URL:", ENTER).at("an answer is required", "redis://localhost/0\r");
    terminal.sees("is weak").writes().at("Go on with deploy-systemd?", "n\r");
    let rest = terminal.ends(0);
    assert!(!rest.contains("DJANGO_DEBUG:") && !rest.contains("CELERY_TASK_ALWAYS_EAGER:"), "{rest}");
    check_value(&sandbox, "DJANGO_DEBUG", Some("0"));
    check_value(&sandbox, "DJANGO_SECRET_KEY", Some("short"));
    check_value(&sandbox, "CELERY_TASK_ALWAYS_EAGER", Some("0"));

    // A weak key is asked for again; a declined change keeps it.
    let mut again = Terminal::run(&sandbox, "install");
    again.at("Environment:", ENTER).at("Deployment method:", ENTER).asks_all();
    again.sees("DJANGO_SECRET_KEY is weak").at("Generate another one?", "n\r").at("DJANGO_SECRET_KEY:", ENTER);
    again.at("DJANGO_ALLOWED_HOSTS:", ENTER);
    again.at("CELERY_BROKER_URL:", ENTER).sees("is weak").at("Go on with deploy-systemd?", ENTER);
    assert!(again.ends(3).contains("systemd does not run here"));
    check_value(&sandbox, "DJANGO_ALLOWED_HOSTS", Some("example.org"));
    check_value(&sandbox, "DJANGO_SECRET_KEY", Some("short"));

    let mut replaced = Terminal::run(&sandbox, "install");
    // What is unsafe is asked for with the defaults as well.
    replaced.at("Environment:", ENTER).at("Deployment method:", ENTER).at("he defaults for", ENTER);
    replaced.at("Generate another one?", ENTER).writes().at("deploy-systemd?", "n\r");
    assert!(!replaced.ends(0).contains("is weak"));

    let mut left = Terminal::run(&sandbox, "install");
    left.at("Environment:", ENTER).at("Deployment method:", ENTER).asks_all().at("DJANGO_ALLOWED_HOSTS:", ENTER);
    left.at("CELERY_BROKER_URL:", ENTER).at("Go on with deploy-systemd?", CTRL_C);
    assert!(left.ends(130).contains("everything above is done, and nothing was deployed"));
}

/// prod+docker: debug is asked for, with 0 as the answer of Enter; an unsafe one is kept and warned of.
#[test]
fn prod_and_docker() {
    let sandbox = docker();
    let mut terminal = Terminal::run(&sandbox, "install --no-deploy");
    terminal.at("Environment:", "2\r").at("Deployment method:", "docker\r").asks_all().at("DJANGO_DEBUG:", "1\r");
    terminal.at("Generate one?", "y\r").at("DJANGO_ALLOWED_HOSTS:", "localhost\r");
    terminal.sees("shows tracebacks").sees("only loopback hosts").writes().ends(0);
    check_value(&sandbox, "DJANGO_DEBUG", Some("1"));
    check_value(&sandbox, "CELERY_BROKER_URL", Some(""));

    let mut again = Terminal::run(&sandbox, "install --no-deploy");
    again.at("Environment:", ENTER).at("Deployment method:", ENTER).asks_all().at("DJANGO_DEBUG: (1)", "0\r");
    again.at("DJANGO_ALLOWED_HOSTS:", "example.org\r").writes().ends(0);

    // An empty answer is none, and removes nothing.
    let mut empty = Terminal::run(&sandbox, "install --no-deploy");
    empty.at("Environment:", ENTER).at("Deployment method:", ENTER).asks_all().at("DJANGO_DEBUG:", ENTER);
    empty.at("DJANGO_ALLOWED_HOSTS:", ",\r").ends(0);
    check_value(&sandbox, "DJANGO_DEBUG", Some("0"));
    check_value(&sandbox, "DJANGO_ALLOWED_HOSTS", Some("example.org"));
}

/// A value that the matrix gave the previous combination is shown, and is not the default.
#[test]
fn another_environment_reports_the_previous_values() {
    let sandbox = docker();
    sandbox.xtask("install --yes").assert().success();
    let mut terminal = Terminal::run(&sandbox, "install --no-deploy");
    terminal.at("Environment:", "prod\r").at("Deployment method:", "docker\r");
    terminal.sees("was 1 in dev").at("DJANGO_DEBUG:", ENTER);
    terminal.sees("was localhost,127.0.0.1 in dev").at("DJANGO_ALLOWED_HOSTS:", ENTER);
    terminal.at("an answer is required", "example.org\r").writes().ends(0);
    check_value(&sandbox, "DJANGO_DEBUG", Some("0"));
    check_value(&sandbox, "DJANGO_ALLOWED_HOSTS", Some("example.org"));
}

/// A rejected word is cleared; a rejected text stays, to be corrected.
#[test]
fn wrong_answers_are_asked_again() {
    let sandbox = docker();
    let mut terminal = Terminal::run(&sandbox, "install --no-deploy");
    terminal.at("Environment:", "staging\r").at("please type 1 or dev, 2 or prod", "production\r");
    terminal.at("Deployment method:", "3\r").at("please type 1 or bare, 2 or docker", "d\r").asks_all();
    terminal.at("DJANGO_DEBUG:", "maybe\r").at("please type 1 (on) or 0 (off)", "no\r");
    terminal.at("Generate one?", "perhaps\r").at("please type y (yes) or n (no)", ENTER);
    terminal.at("DJANGO_ALLOWED_HOSTS:", "http://example.org\r").at("this has", "\u{1}").sees("http://example.org");
    terminal.at("", &"\u{1b}[3~".repeat(7)).at("", ENTER).writes().ends(0);
    check_value(&sandbox, "DJANGO_ENV", Some("prod"));
    check_value(&sandbox, "DEPLOY_METHOD", Some("docker"));
    check_value(&sandbox, "DJANGO_DEBUG", Some("0"));
    check_value(&sandbox, "DJANGO_ALLOWED_HOSTS", Some("example.org"));
}

/// Ctrl-C, the end of input, and Esc, at the first and at the last question: nothing is written.
#[test]
fn leaving_in_the_middle_changes_nothing() {
    for key in [CTRL_C, CTRL_D, ESC] {
        let fresh = Sandbox::project();
        let rest = Terminal::run(&fresh, "install").at("Environment:", key).ends(130);
        assert!(rest.contains("interrupted: nothing was changed"), "{rest}");
        assert!(!fresh.has(".env"), "{key:?}");

        let edited = "DJANGO_ENV=prod\r\n# mine";
        let old = docker().file(".env", edited);
        let mut terminal = Terminal::run(&old, "install --method docker");
        terminal.at("Environment:", ENTER).asks_all().at("DJANGO_DEBUG:", "1\r");
        terminal.at("Generate one?", ENTER).at("DJANGO_ALLOWED_HOSTS:", key).ends(130);
        assert_eq!(old.read(".env"), edited, "{key:?}");
    }
}

/// Without uv, its installation is offered first.
#[test]
fn uv_is_not_installed_unasked() {
    let sandbox = Sandbox::project().shims(&["python"]);
    let mut terminal = Terminal::run(&sandbox, "install");
    terminal.at("Environment:", ENTER).at("Deployment method:", ENTER);
    terminal.at("Install uv", "n\r").sees("command not found: `uv`").ends(3);
    assert!(!sandbox.has(".xtask") && !sandbox.has(".env"));

    let mut dry = Terminal::run(&sandbox, "install --dry-run");
    dry.at("Environment:", ENTER).at("Deployment method:", ENTER).at("Use the defaults for", ENTER);
    dry.sees("Plan for dev+bare").ends(0);
    assert!(!sandbox.has(".xtask") && !sandbox.has(".env"));
}

/// `health --fix` shows and asks; a declined repair is not done, and the failure is reported.
#[test]
fn repairs_are_asked_for() {
    let sandbox = Sandbox::project().file(".env", "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\n");
    let mode = || sandbox.root().join(".env").metadata().expect("there").permissions().mode() & 0o777;
    std::fs::set_permissions(sandbox.root().join(".env"), Permissions::from_mode(0o644)).expect("changed");
    let mut terminal = Terminal::run(&sandbox, "health --fix --only env.mode");
    terminal.sees("fix: chmod 640 .env").at("Do it?", "n\r").sees("1 warn");
    terminal.ends(0);
    assert_eq!(mode(), 0o644);

    let mut terminal = Terminal::run(&sandbox, "health --fix --only env.mode");
    terminal.at("Do it?", CTRL_C).ends(130);
    assert_eq!(mode(), 0o644);

    let mut terminal = Terminal::run(&sandbox, "health --fix --only env.mode");
    terminal.at("Do it?", ENTER).sees("1 ok, 0 warn");
    terminal.ends(0);
    assert_eq!(mode(), 0o640);

    // The steps that were done by then are reported.
    let sandbox = Sandbox::project().file(".env", "DJANGO_ENV=dev\n").shims(&["uv", "python", "docker"]);
    std::fs::set_permissions(sandbox.root().join(".env"), Permissions::from_mode(0o644)).expect("changed");
    let mut terminal = Terminal::run(&sandbox, "health --fix --only env.mode,env.sample");
    terminal.at("Do it?", ENTER).sees("add to .env").at("Do it?", CTRL_C);
    terminal.sees("interrupted: 1 of the repairs above are done, and nothing else was").ends(130);
}
