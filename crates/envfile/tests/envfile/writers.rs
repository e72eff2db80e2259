//! Many writers at once: no change is lost.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use envfile::{EnvFile, Error};

const WRITERS: usize = 12;
const ROUNDS: usize = 8;

/// How a child knows the file and its own number.
const FILE: &str = "ENVFILE_TEST_FILE";
const NUMBER: &str = "ENVFILE_TEST_NUMBER";

fn write(path: &Path, writer: usize) {
    for round in 0..ROUNDS {
        let edit = |file: &mut EnvFile| {
            file.set(&format!("KEY_{writer}_{round}"), "a value", None).expect("a sound document");
            Ok::<(), Error>(())
        };
        let ((), saved) = envfile::update(path, &EnvFile::default(), edit).expect("a writable folder");
        assert!(saved.is_written());
    }
}

#[track_caller]
fn check(path: &Path) {
    let file = envfile::read(path).expect("readable").expect("there");
    let mut keys: Vec<&str> = file.keys().collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), WRITERS * ROUNDS);
    let folder = path.parent().expect("a folder");
    assert_eq!(std::fs::read_dir(folder).expect("a folder").count(), 1, "nothing is left behind");
}

#[test]
fn threads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let path = &path;
            scope.spawn(move || write(path, writer));
        }
    });
    check(&path);
}

#[test]
fn processes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    let children: Vec<Child> = (0..WRITERS).map(|writer| start(&path, writer)).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    check(&path);
}

#[expect(clippy::disallowed_methods, reason = "a test of processes starts some")]
fn start(path: &Path, writer: usize) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "writers::one_process", "--ignored"])
        .env(FILE, path)
        .env(NUMBER, writer.to_string())
        .stdout(Stdio::null())
        .spawn()
        .expect("this program starts")
}

/// One of the processes above.
#[test]
#[ignore = "started by `processes`"]
#[expect(clippy::disallowed_methods, reason = "what to do is told by the parent process")]
fn one_process() {
    let (Some(path), Ok(number)) = (std::env::var_os(FILE), std::env::var(NUMBER)) else { return };
    write(Path::new(&path), number.parse().expect("a number"));
}
