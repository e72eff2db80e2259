//! The scripts of a virtual environment, such as `gunicorn`. Their first lines have the path of its interpreter, which
//! goes on pointing to the previous place when the folder is moved or copied.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// How much of a script is read, in bytes: the interpreter is on the first or second line.
const BEGINNING: u64 = 4096;

/// Returns the first script whose interpreter is not that of its virtual environment, as a predicate for a message.
pub(super) fn moved(venv: &Path) -> Option<String> {
    let bin = venv.join("bin");
    let mut scripts: Vec<PathBuf> = fs::read_dir(&bin).ok()?.flatten().map(|entry| entry.path()).collect();
    scripts.sort_unstable();
    scripts.iter().find_map(|script| {
        let interpreter = interpreter_in(&beginning(script)?)?;
        let fault = fault(&interpreter, &bin)?;
        let name = script.file_name()?.display();
        Some(format!("was moved or copied here: its script `{name}` starts `{}`, which {fault}", interpreter.display()))
    })
}

/// Returns the folder of the interpreter that an environment was made with, if that is gone.
pub(super) fn missing_home(venv: &Path) -> Option<String> {
    let config = fs::read_to_string(venv.join("pyvenv.cfg")).ok()?;
    let home = config.lines().find_map(|line| line.strip_prefix("home")?.trim_start().strip_prefix('='))?.trim();
    (!Path::new(home).is_dir()).then(|| home.to_owned())
}

/// Returns the first lines of a file; `None` for a link and for what cannot be read.
fn beginning(script: &Path) -> Option<String> {
    if !script.symlink_metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(script).ok()?.take(BEGINNING).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the Python in the first line of a script, or in the second where a shell starts it: for a path with blanks,
/// or one that is too long for the operating system.
fn interpreter_in(beginning: &str) -> Option<PathBuf> {
    let mut lines = beginning.lines();
    let first = lines.next()?.strip_prefix("#!")?.trim();
    let path = match lines.next().and_then(|second| second.strip_prefix("'''exec' ")) {
        Some(command) => match command.chars().next()? {
            quote @ ('\'' | '"') => command[1..].split(quote).next()?,
            _ => command.split_whitespace().next()?,
        },
        None => first.split_whitespace().next()?,
    };
    let path = Path::new(path);
    let is_python = path.file_name()?.to_str()?.starts_with("python");
    (path.is_absolute() && is_python).then(|| path.to_owned())
}

/// Returns what is wrong with an interpreter, as a predicate. One outside of any virtual environment is the author's
/// choice.
fn fault(interpreter: &Path, bin: &Path) -> Option<&'static str> {
    if !interpreter.exists() {
        return Some("does not exist");
    }
    let dir = interpreter.parent()?;
    let is_environment = dir.parent()?.join("pyvenv.cfg").is_file();
    let is_ours = dir.canonicalize().ok()? == bin.canonicalize().ok()?;
    (is_environment && !is_ours).then_some("belongs to another virtual environment")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(beginning: &str, expected: Option<&str>) {
        assert_eq!(interpreter_in(beginning), expected.map(PathBuf::from));
    }

    #[test]
    fn the_interpreter_of_a_script_is_found() {
        check("#!/srv/a/.venv/bin/python\nimport sys\n", Some("/srv/a/.venv/bin/python"));
        check("#! /srv/a/.venv/bin/python3.12 -E\n", Some("/srv/a/.venv/bin/python3.12"));
        check("#!/bin/sh\n'''exec' '/srv/a b/bin/python' \"$0\" \"$@\"\n' '''\n", Some("/srv/a b/bin/python"));
        check("#!/bin/sh\n'''exec' \"/srv/a b/bin/python\" \"$0\" \"$@\"\n", Some("/srv/a b/bin/python"));
        check("#!/bin/sh\n'''exec' /srv/long/bin/python \"$0\" \"$@\"\n", Some("/srv/long/bin/python"));
        // One that can be moved.
        check("#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python' \"$0\" \"$@\"\n", None);
        check("#!/bin/sh\necho\n", None);
        check("#!/usr/bin/env python\n", None);
        check("\u{7f}ELF", None);
        check("", None);
    }

    #[test]
    fn a_moved_environment_is_found() {
        let dir = tempfile::tempdir().expect("a folder");
        let environment = |name: &str| {
            let venv = dir.path().join(name);
            fs::create_dir_all(venv.join("bin")).expect("made");
            fs::write(venv.join("pyvenv.cfg"), "home = /no/such/python\nuv = 0.13.9\n").expect("written");
            fs::write(venv.join("bin/python"), "").expect("written");
            venv
        };
        let (ours, other) = (environment("ours"), environment("other"));
        let write = |interpreter: &Path| {
            fs::write(ours.join("bin/gunicorn"), format!("#!{}\n", interpreter.display())).expect("written");
        };
        write(&ours.join("bin/python"));
        assert_eq!(moved(&ours), None);
        write(Path::new("/no/such/bin/python"));
        let expected =
            "was moved or copied here: its script `gunicorn` starts `/no/such/bin/python`, which does not exist";
        assert_eq!(moved(&ours).as_deref(), Some(expected));
        write(&other.join("bin/python"));
        let found = moved(&ours).expect("another environment");
        assert!(found.ends_with("bin/python`, which belongs to another virtual environment"), "{found}");
        assert_eq!(missing_home(&ours).as_deref(), Some("/no/such/python"));
    }
}
