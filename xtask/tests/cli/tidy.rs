//! The rules for every source file: it begins with its purpose, and is short enough to be read at once.

use std::fs;
use std::path::{Path, PathBuf};

const MOST_LINES: usize = 400;

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder of this workspace") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && name != "node_modules" && !name.to_string_lossy().starts_with('.') {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The snapshots of calls that [`Sandbox::check`](crate::sandbox::Sandbox::check) does not compare.
#[test]
fn every_command_in_a_snapshot_names_the_project() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli"), &mut files);
    let mut commands = 0;
    for file in files.iter().filter(|file| !file.ends_with("tidy.rs") && !file.ends_with("sandbox.rs")) {
        let text = fs::read_to_string(file).expect("UTF-8");
        // Snapshots are raw strings; the text around them is code.
        for snapshot in text.split("r#\"").skip(1).filter_map(|rest| rest.split("\"#").next()) {
            crate::sandbox::names_project(snapshot);
            commands += snapshot.matches("cargo xtask ").count();
        }
    }
    assert!(commands > 50, "found only {commands}");
}

#[test]
fn every_source_file_opens_with_its_purpose_and_ends_in_time() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut files = Vec::new();
    for part in ["crates", "xtask", "fuzz"] {
        sources(&root.join(part), &mut files);
    }
    assert!(files.len() > 20, "found only {files:?}");
    let mut complaints = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("UTF-8");
        let name = file.strip_prefix(root).expect("inside").display().to_string();
        if !text.starts_with("//!") {
            complaints.push(format!("{name}: does not open with `//!`"));
        }
        let lines = text.lines().count();
        if lines > MOST_LINES {
            complaints.push(format!("{name}: {lines} lines, {MOST_LINES} at most"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn git_is_started_without_the_variables_of_a_hook() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut files = Vec::new();
    for part in ["crates", "xtask/src"] {
        sources(&root.join(part), &mut files);
    }
    let starts_git = |file: &&PathBuf| fs::read_to_string(file).expect("UTF-8").contains("Command::new(\"git\"");
    let found: Vec<&PathBuf> = files.iter().filter(starts_git).collect();
    assert_eq!(found, [&root.join("crates/subprocess/src/git.rs")], "`Command::git` starts it");
}
