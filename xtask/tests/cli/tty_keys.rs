//! The keys of prompts, on a pseudo-terminal.

use crate::sandbox::Sandbox;
use crate::terminal::{ENTER, Terminal, check_value};

const CTRL_A: &str = "\u{1}";
const CTRL_E: &str = "\u{5}";
const CTRL_H: &str = "\u{8}";
const CTRL_K: &str = "\u{b}";
const CTRL_U: &str = "\u{15}";
const CTRL_W: &str = "\u{17}";
const ALT_B: &str = "\u{1b}b";
const LEFT: &str = "\u{1b}[D";
const RIGHT: &str = "\u{1b}[C";
const HOME: &str = "\u{1b}[H";
const END: &str = "\u{1b}[F";

/// Types the hosts and the broker of prod+bare, and returns the sandbox.
#[track_caller]
fn hosts_and_broker(hosts: &str, broker: &str) -> Sandbox {
    let sandbox = Sandbox::project();
    let mut terminal = Terminal::run(&sandbox, "install --env prod --method bare");
    terminal.at("Generate one?", ENTER).at("DJANGO_ALLOWED_HOSTS:", hosts).at("", ENTER);
    terminal.at("CELERY_BROKER_URL:", broker).at("", ENTER).writes().at("deploy-systemd?", "n\r").ends(0);
    sandbox
}

#[test]
fn editing_keys_edit() {
    for typed in [
        format!("abcdef{CTRL_U}a.org"),
        format!("a.org xyz{CTRL_W}{CTRL_H}"),
        format!(".org{CTRL_A}a"),
        format!("a.or{HOME}{END}g"),
        format!("a.orgxyz{LEFT}{LEFT}{LEFT}{CTRL_K}"),
        format!("org{ALT_B}a.{CTRL_E}"),
        format!("a.rg{LEFT}{LEFT}o{RIGHT}{RIGHT}{RIGHT}"),
    ] {
        let sandbox = hosts_and_broker(&typed, "redis://b/0");
        check_value(&sandbox, "DJANGO_ALLOWED_HOSTS", Some("a.org"));
    }
}

/// A tab, a NUL, function keys, and other control characters.
#[test]
fn other_control_characters_are_ignored() {
    let sandbox = hosts_and_broker("a\t\0.\u{7}\u{12}o\u{1b}[15~\u{1b}[[Ar\u{1a}\u{16}g", "redis://b\u{c}/0");
    check_value(&sandbox, "DJANGO_ALLOWED_HOSTS", Some("a.org"));
    check_value(&sandbox, "CELERY_BROKER_URL", Some("redis://b/0"));
}

#[test]
fn hidden_secrets_are_edited_with_the_same_keys() {
    let sandbox = Sandbox::project().shims(&["uv", "python", "docker"]);
    let mut terminal = Terminal::run(&sandbox, "install --env dev --method docker --no-deploy");
    terminal.asks_all().at("DJANGO_DEBUG:", ENTER).at("Generate one?", "n\r");
    terminal.at("DJANGO_SECRET_KEY:", &format!("abcdef{CTRL_U}xyz")).at("***", ENTER);
    let rest = terminal.at("DJANGO_ALLOWED_HOSTS:", ENTER).writes().ends(0);
    assert!(!rest.contains("xyz"), "{rest}");
    check_value(&sandbox, "DJANGO_SECRET_KEY", Some("xyz"));

    // Wide characters, and a paste.
    let sandbox = Sandbox::project().shims(&["uv", "python", "docker"]);
    let mut terminal = Terminal::run(&sandbox, "install --env dev --method docker --no-deploy");
    terminal.asks_all().at("DJANGO_DEBUG:", ENTER).at("Generate one?", "n\r");
    let keys = format!("界é界{CTRL_H}{LEFT}x\u{1b}[200~pasted\u{1b}[201~{CTRL_E}y");
    terminal.at("DJANGO_SECRET_KEY:", &keys).at("", ENTER);
    terminal.at("DJANGO_ALLOWED_HOSTS:", ENTER).writes().ends(0);
    check_value(&sandbox, "DJANGO_SECRET_KEY", Some("界xpastedéy"));
}

/// A line break within a paste is no Enter, and no part of the value.
#[test]
fn pasted_lines() {
    let sandbox = Sandbox::project();
    let mut terminal = Terminal::run(&sandbox, "install --env prod --method bare");
    terminal.at("Generate one?", ENTER);
    terminal.at("DJANGO_ALLOWED_HOSTS:", "\u{1b}[200~a.org\nb.org\u{1b}[201~\r");
    terminal.at("the pasted text has several lines", "\u{1b}[200~a.org\r\n\u{1b}[201~").at("a.org", ENTER);
    terminal.at("CELERY_BROKER_URL:", "redis://b/0\r").writes().at("deploy-systemd?", "n\r").ends(0);
    check_value(&sandbox, "DJANGO_ALLOWED_HOSTS", Some("a.org"));
}

/// A terminal without marks around a paste sends a line break as Enter: it ends the answer, and the rest is the next one.
#[test]
fn what_is_typed_ahead_is_kept() {
    let sandbox = Sandbox::project();
    let mut terminal = Terminal::run(&sandbox, "install --env prod --method bare");
    terminal.at("Generate one?", "\ra.org\rredis://b/0\r").writes().at("deploy-systemd?", "n\r").ends(0);
    check_value(&sandbox, "DJANGO_ALLOWED_HOSTS", Some("a.org"));
    check_value(&sandbox, "CELERY_BROKER_URL", Some("redis://b/0"));
}

/// A text that is wider than the terminal scrolls in its line.
#[test]
fn long_answers() {
    let hosts = (0..20).map(|number| format!("host-{number}.example.org")).collect::<Vec<_>>().join(",");
    let sandbox = hosts_and_broker(&hosts, "redis://b/0");
    check_value(&sandbox, "DJANGO_ALLOWED_HOSTS", Some(&hosts));
}
