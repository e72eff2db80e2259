//! The tables, usage lines and links of the documentation, compared with the code.

use std::collections::BTreeSet;

use checks::catalogue::CATALOGUE;
use detect::{DeployMethod, Environment};
use project::Names;
use project::matrix::{self, Policy, Row};

use crate::sandbox::Sandbox;

/// The documents, by their paths from the root.
const DOCUMENTS: [(&str, &str); 10] = [
    ("README.md", include_str!("../../../README.md")),
    ("docs/deploy-docker.md", include_str!("../../../docs/deploy-docker.md")),
    ("docs/deploy-systemd.md", include_str!("../../../docs/deploy-systemd.md")),
    ("docs/detect.md", include_str!("../../../docs/detect.md")),
    ("docs/exit-codes.md", include_str!("../../../docs/exit-codes.md")),
    ("docs/figures.md", include_str!("../../../docs/figures.md")),
    ("docs/health.md", include_str!("../../../docs/health.md")),
    ("docs/install.md", include_str!("../../../docs/install.md")),
    ("docs/operating.md", include_str!("../../../docs/operating.md")),
    ("docs/other-projects.md", include_str!("../../../docs/other-projects.md")),
];

/// Returns the lines of all documents.
fn lines() -> impl Iterator<Item = &'static str> {
    DOCUMENTS.iter().flat_map(|(_, text)| text.lines())
}

/// Returns the cells of the table below a header line that begins with `header`.
#[track_caller]
fn table(header: &str) -> Vec<Vec<&'static str>> {
    let rows: Vec<_> = lines()
        .skip_while(|line| !line.starts_with(header))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(!rows.is_empty(), "no table `{header}`");
    rows
}

/// Returns the words in backticks in a text.
fn ticked(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_check_has_a_row() {
    let rows = table("| check | runs in |");
    let listed: Vec<&str> = rows.iter().flat_map(|row| ticked(row[0])).collect();
    let known: Vec<&str> = CATALOGUE.iter().map(|(name, _)| *name).collect();
    let sorted = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(sorted(&listed), sorted(&known));
    assert_eq!(listed.len(), known.len(), "a check has two rows");
}

/// Returns the text of the matrix's cell for a policy.
fn cell(policy: Policy) -> String {
    match policy {
        Policy::Force(value) => format!("force {value}"),
        Policy::Prompt(default) => format!("prompt ({default})"),
        Policy::Default(value) => format!("default {value}"),
        Policy::Required => "required".to_owned(),
        Policy::Optional => "optional".to_owned(),
        Policy::Skip => "skip (Compose provides)".to_owned(),
        Policy::OptionalGenerate => "optional generate".to_owned(),
        Policy::PromptGenerate => "prompt generate".to_owned(),
        Policy::RequiredGenerate => "required generate".to_owned(),
    }
}

#[test]
fn the_matrix_is_the_one_of_the_code() {
    let rows = table("| variable | dev+bare |");
    let combinations = [
        (Environment::Dev, DeployMethod::Bare),
        (Environment::Dev, DeployMethod::Docker),
        (Environment::Prod, DeployMethod::Bare),
        (Environment::Prod, DeployMethod::Docker),
    ];
    for (column, (environment, method)) in combinations.into_iter().enumerate() {
        let listed: Vec<(&str, &str)> =
            rows.iter().map(|row| (ticked(row[0]).next().expect("a variable"), row[column + 1])).collect();
        let names = Names::default();
        let known: Vec<(&str, String)> =
            matrix::rows(&names, environment, method).map(|Row { name, policy, .. }| (name, cell(policy))).collect();
        let known: Vec<(&str, &str)> = known.iter().map(|(variable, cell)| (*variable, cell.as_str())).collect();
        assert_eq!(listed, known, "{environment}+{method}");
    }
}

#[test]
fn every_exit_code_has_a_row() {
    use deploy::Exit;
    let listed: Vec<u8> = table("| code | meaning |").iter().map(|row| row[0].parse().expect("an exit code")).collect();
    let known = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::NotMet,
        Exit::RolledBack,
        Exit::RollbackFailed,
        Exit::Locked,
        Exit::Interrupted,
    ];
    assert_eq!(listed, known.map(|exit| exit as u8));
}

/// The error about an unknown setting lists all known ones.
#[test]
fn every_setting_has_a_row() {
    let sandbox = Sandbox::project().file("Cargo.toml", "[workspace.metadata.service]\nunknown = 1\n");
    let output = sandbox.xtask("detect").assert().code(2);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    let (_, known) = stderr.split_once("expected one of ").unwrap_or_else(|| panic!("no list of settings: {stderr}"));
    let rows = table("| setting | default |");
    let listed: BTreeSet<&str> = rows.iter().flat_map(|row| ticked(row[0])).collect();
    assert_eq!(listed, ticked(known).collect());
}

/// Returns the long options in a text.
fn options(text: &str) -> BTreeSet<String> {
    let ends = |c: char| !c.is_ascii_lowercase() && c != '-';
    let options = text.match_indices("--").map(|(at, _)| &text[at..]);
    let options = options.map(|rest| &rest[..rest.find(ends).unwrap_or(rest.len())]);
    options.filter(|option| option.len() > 3).map(str::to_owned).collect()
}

#[test]
fn every_option_is_in_a_usage_line() {
    // They are the same for all commands, and not repeated in each usage line.
    let common = ["--help", "--color", "--verbose", "--dry-run", "--yes", "--project"].map(str::to_owned);
    let commands = [
        "install",
        "health",
        "deploy-docker",
        "deploy-systemd",
        "run",
        "manage",
        "status",
        "logs",
        "stop",
        "start",
        "backup",
        "restore",
        "update",
        "uninstall",
    ];
    for command in commands {
        let begin = format!("    cargo xtask {command}");
        let is_usage =
            |line: &&str| line.strip_prefix(&begin).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        // README.md has examples.
        let manual = DOCUMENTS[1..].iter().flat_map(|(_, text)| text.lines());
        let mut usage = manual.skip_while(|line| !is_usage(line));
        let first = usage.next().unwrap_or_else(|| panic!("no usage line of `{command}`"));
        // Further lines of it are indented more.
        let usage = [first].into_iter().chain(usage.take_while(|line| line.starts_with("     "))).collect::<String>();
        let output = Sandbox::empty().xtask(&format!("{command} --help")).assert().code(0);
        let help = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
        // The options stand at the beginning of a line of the help, the texts below them.
        let lines = help.lines().filter(|line| line.trim_start().starts_with('-'));
        let mut known: BTreeSet<String> = lines.flat_map(options).collect();
        let mut listed = options(&usage);
        for option in &common {
            known.remove(option);
            listed.remove(option);
        }
        assert_eq!(listed, known, "{command}");
    }
}

#[test]
fn links_lead_to_files() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (path, text) in DOCUMENTS {
        let folder = root.join(path).parent().expect("a folder").to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty() || file.starts_with("https://") {
                continue;
            }
            assert!(folder.join(file).exists(), "{path}: {link}");
        }
    }
}
