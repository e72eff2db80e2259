//! The course of a dialogue, on a pseudo-terminal: steps back, the question after the diff, answers of the call.

use crate::sandbox::Sandbox;
use crate::terminal::{ENTER, Terminal, check_value};

const UP: &str = "\u{1b}[A";
const SHIFT_TAB: &str = "\u{1b}[Z";
const CTRL_U: &str = "\u{15}";

/// One step back asks the question before again, with its answer; also over to another combination.
#[test]
fn one_step_back() {
    let sandbox = Sandbox::project().shims(&["uv", "python", "docker"]);
    let mut terminal = Terminal::run(&sandbox, "install --no-deploy");
    // There is none before the first one.
    terminal.at("Environment: (dev)", UP).at("", "p\r").at("Deployment method: (bare)", SHIFT_TAB);
    terminal.at("Environment: (prod)", "d\r").at("Deployment method: (bare)", ENTER);
    terminal.at("Use the defaults for dev+bare?", UP).at("Deployment method: (bare)", "d\r");
    terminal.at("Use the defaults for dev+docker?", "n\r").at("DJANGO_DEBUG: (1)", "0\r");
    terminal.at("Generate one? (Y/n)", "n\r").at("DJANGO_SECRET_KEY:", UP);
    terminal.at("Generate one? (y/N)", "y\r").at("DJANGO_ALLOWED_HOSTS:", "localhost,a.org\r");
    terminal.at("or stop? (write)", UP).at("localhost,a.org", &format!("{CTRL_U}localhost\r")).writes();
    terminal.ends(0);
    check_value(&sandbox, "DJANGO_ENV", Some("dev"));
    check_value(&sandbox, "DEPLOY_METHOD", Some("docker"));
    check_value(&sandbox, "DJANGO_DEBUG", Some("0"));
    check_value(&sandbox, "DJANGO_ALLOWED_HOSTS", Some("localhost"));
}

/// `edit` asks everything again and offers the answers; `stop` writes nothing.
#[test]
fn edit_and_stop_after_the_diff() {
    let sandbox = Sandbox::project();
    let mut terminal = Terminal::run(&sandbox, "install");
    terminal.at("Environment:", ENTER).at("Deployment method:", ENTER).at("Use the defaults for dev+bare?", ENTER);
    terminal.sees(".env (new").at("or stop? (write)", "e\r");
    terminal.at("Environment: (dev)", ENTER).at("Deployment method: (bare)", ENTER);
    terminal.at("DJANGO_DEBUG: (1)", "0\r").at("Generate one?", ENTER).at("DJANGO_ALLOWED_HOSTS:", ENTER);
    terminal.at("CELERY_BROKER_URL:", "redis://:hunter2@b/0\r").at("CELERY_TASK_ALWAYS_EAGER:", ENTER);
    // The answers of the first round are offered in the second one.
    terminal.at("or stop? (write)", "edit\r").at("Environment:", ENTER).at("Deployment method:", ENTER);
    terminal.at("DJANGO_DEBUG: (0)", ENTER).at("Generate one?", ENTER).at("DJANGO_ALLOWED_HOSTS:", ENTER);
    // A password is not shown again.
    terminal.sees("Enter keeps redis://:********@b/0").at("CELERY_BROKER_URL:", ENTER);
    terminal.at("CELERY_TASK_ALWAYS_EAGER:", ENTER);
    // Enter has taken what was offered: that is offered again.
    terminal.sees("+CELERY_BROKER_URL=redis://:********@b/0").at("or stop? (write)", "e\r");
    terminal.at("Environment:", ENTER).at("Deployment method:", ENTER).at("DJANGO_DEBUG: (0)", ENTER);
    terminal.at("Generate one?", ENTER).at("DJANGO_ALLOWED_HOSTS:", ENTER);
    terminal.sees("Enter keeps redis://:********@b/0").at("CELERY_BROKER_URL:", ENTER);
    let rest = terminal.at("CELERY_TASK_ALWAYS_EAGER:", ENTER).at("or stop? (write)", "stop\r").ends(130);
    assert!(!rest.contains("hunter2"), "{rest}");
    assert!(rest.contains("stopped: nothing was changed"), "{rest}");
    assert!(!sandbox.has(".env"));
}

/// A value that has to be removed, where Enter keeps it.
#[test]
fn values_can_be_emptied() {
    let sandbox = Sandbox::project().file(".env", "CELERY_BROKER_URL=redis://b/0\n");
    let mut terminal = Terminal::run(&sandbox, "install --env dev --method bare");
    terminal.asks_all().at("DJANGO_DEBUG:", ENTER).at("Generate one?", ENTER).at("DJANGO_ALLOWED_HOSTS:", ENTER);
    terminal.sees("Enter keeps redis://b/0, \"\" empties it").at("CELERY_BROKER_URL:", "\"\"\r");
    terminal.at("CELERY_TASK_ALWAYS_EAGER:", ENTER).writes().ends(0);
    check_value(&sandbox, "CELERY_BROKER_URL", Some(""));
}

/// An answer of the call is not asked for again, and is refused before anything is asked.
#[test]
fn answers_of_the_call() {
    let sandbox = Sandbox::project();
    let mut terminal = Terminal::run(&sandbox, "install --env dev --method bare --set DJANGO_DEBUG=0");
    terminal.asks_all().at("Generate one?", ENTER).at("DJANGO_ALLOWED_HOSTS:", ENTER);
    let rest = terminal.at("CELERY_BROKER_URL:", ENTER).at("CELERY_TASK_ALWAYS_EAGER:", ENTER).writes().ends(0);
    assert!(!rest.contains("Environment:"), "{rest}");
    check_value(&sandbox, "DJANGO_DEBUG", Some("0"));

    let sandbox = Sandbox::project();
    let mut terminal =
        Terminal::run(&sandbox, "install --env prod --method bare --set DJANGO_ALLOWED_HOSTS=http://a.org");
    let rest = terminal.ends(2);
    assert!(rest.contains("`DJANGO_ALLOWED_HOSTS`") && !rest.contains("Generate"), "{rest}");

    // A name that is meant so, and a value that no line can hold.
    sandbox.write(".env", "DJANGO_ALOWED_HOSTS=\n");
    std::fs::write(sandbox.root().join("answers"), "OTHER=\"it's \\$5\"\n").expect("written");
    let rest = Terminal::run(&sandbox, "install --set DJANGO_ALOWED_HOSTS=a.org --answers answers").ends(2);
    assert!(rest.contains("no reader-independent form") && !rest.contains("Environment:"), "{rest}");
    std::fs::remove_file(sandbox.root().join(".env")).expect("removed");

    let rest = Terminal::run(&sandbox, "install --set DJANGO_ALOWED_HOSTS=a.org").ends(2);
    assert!(rest.contains("did you mean\r\n`DJANGO_ALLOWED_HOSTS`?") && !rest.contains("Environment:"), "{rest}");
}

/// A value that no line of `.env` can hold is refused at its prompt.
#[test]
fn unwritable_values_are_refused_at_the_prompt() {
    let sandbox = Sandbox::project().shims(&["uv", "python", "docker"]);
    let mut terminal = Terminal::run(&sandbox, "install --env dev --method docker --no-deploy");
    terminal.asks_all().at("DJANGO_DEBUG:", ENTER).at("Generate one?", "n\r").at("DJANGO_SECRET_KEY:", "it's $5\r");
    terminal.at("no reader-independent form", "plain\r").at("DJANGO_ALLOWED_HOSTS:", ENTER).writes().ends(0);
    check_value(&sandbox, "DJANGO_SECRET_KEY", Some("plain"));
}

/// No line of the dialogue is wider than a terminal of 80 columns, except for commands and values; and the parts are apart.
#[test]
fn eighty_columns() {
    let sandbox = Sandbox::project();
    let mut terminal = Terminal::run(&sandbox, "install --env prod --method bare");
    let mut shown = terminal.until("Generate one?");
    terminal.at("", ENTER);
    shown += &terminal.until("DJANGO_ALLOWED_HOSTS:");
    terminal.at("", "http://a.org\r");
    shown += &terminal.until("DJANGO_ALLOWED_HOSTS:");
    terminal.at("", &format!("{CTRL_U}a.org\r"));
    shown += &terminal.until("CELERY_BROKER_URL:");
    terminal.at("", "redis://b/0\r");
    shown += &terminal.until("or stop?");
    terminal.at("", ENTER);
    shown += &terminal.until("deploy-systemd?");
    terminal.at("", "n\r").ends(0);
    for line in shown.split(['\r', '\n']).filter(|line| !line.contains("cargo xtask")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for part in [".env (new", "  ok   core.lock", "prod+bare in", "? Go on"] {
        assert!(shown.replace('\r', "").contains(&format!("\n\n{part}")), "no blank line before {part}: {shown}");
    }
}
