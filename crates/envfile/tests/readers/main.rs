//! `encode`, `get` and the models against the real readers, on generated values and documents.
//!
//! A reader that is not on this machine is reported as ignored, with the reason; with `E2E=require` in the
//! environment, that is a failure. `docker run` needs an engine; its model is held by the measured table only.

mod bash;
mod compose;
mod dotenvy;
mod python;
mod root;
#[path = "../strategies/mod.rs"]
mod strategies;
mod systemd;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use envfile::{Disagreement, EnvFile, Reader, Reading, encode};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

const COUNT: usize = 400;

/// The result of a real reader for `K` in one file.
#[derive(Clone, PartialEq)]
enum Real {
    Value(String),
    Unset,
    Refused,
}

/// Asks a reader about the files `0.env`, `1.env`, … in a folder, for which the models have these readings.
type Ask = fn(&Path, &[Reading]) -> Result<Vec<Real>, NoAnswer>;

/// Why there is no answer.
enum NoAnswer {
    /// The reader is not there.
    Absent(String),
    Broken(String),
}

const READERS: &[(Reader, Ask)] = &[
    (Reader::PythonDotenv, python::dotenv),
    (Reader::DjangoEnviron, python::environ),
    (Reader::PythonDecouple, python::decouple),
    (Reader::Compose, compose::ask),
    (Reader::Systemd, systemd::ask),
    (Reader::Bash, bash::ask),
    (Reader::Dotenvy, dotenvy::ask),
];

fn main() -> ExitCode {
    let trial = |(reader, ask): &(Reader, Ask), name: &str, run: fn(Reader, Ask) -> Result<(), NoAnswer>| {
        let (reader, ask) = (*reader, *ask);
        Trial::ignorable_test(format!("{reader}::{name}"), move || completion(run(reader, ask)))
    };
    let values = READERS.iter().map(|reader| trial(reader, "reads_what_is_encoded", values));
    let documents = READERS.iter().map(|reader| trial(reader, "reads_as_its_model", documents));
    let root = Trial::ignorable_test("root::follows_no_link_to_another_users_file", || {
        completion(root::follows_no_link_to_another_users_file())
    });
    libtest_mimic::run(&Arguments::from_args(), values.chain(documents).chain([root]).collect()).exit_code()
}

#[expect(clippy::disallowed_methods, reason = "`E2E` is how CI says that everything has to be there")]
fn completion(result: Result<(), NoAnswer>) -> Result<Completion, Failed> {
    match result {
        Ok(()) => Ok(Completion::Completed),
        Err(NoAnswer::Absent(why)) if std::env::var_os("E2E").is_none_or(|e2e| e2e != "require") => {
            Ok(Completion::ignored_with(why))
        }
        Err(NoAnswer::Absent(why) | NoAnswer::Broken(why)) => Err(why.into()),
    }
}

fn values(reader: Reader, ask: Ask) -> Result<(), NoAnswer> {
    let values = some(strategies::value()).filter(|value| encode(value).is_ok());
    let file = |value: &String| {
        let mut file = EnvFile::default();
        file.set("K", value, None).expect("it can be encoded");
        assert!(file.get("K").is_some_and(|entry| entry.value == *value));
        file
    };
    // Where one of the others does not read what is written, a disagreement is found.
    let is_read = |(value, file): &(String, EnvFile)| {
        Reader::QUOTING.contains(&reader) || file.reading(reader, "K") == Reading::Value(value.clone())
    };
    let tried = values.take(COUNT).map(|value| (value.clone(), file(&value)));
    let (values, files): (Vec<String>, Vec<EnvFile>) = tried.filter(is_read).unzip();
    assert!(values.len() > COUNT * 3 / 4, "only {} values", values.len());
    let reals = ask_about(reader, ask, &files)?;
    let is_wrong = |(real, value): &(&Real, &String)| **real != Real::Value((*value).clone());
    report(reals.iter().zip(&values).filter(is_wrong).map(|(real, value)| format!("{value:?} reads as {}", show(real))))
}

fn documents(reader: Reader, ask: Ask) -> Result<(), NoAnswer> {
    let files: Vec<EnvFile> = some(strategies::document()).map(|bytes| EnvFile::parse(&bytes)).take(COUNT).collect();
    let reals = ask_about(reader, ask, &files)?;
    let mut claims = 0;
    let mut wrong = Vec::new();
    for (file, real) in files.iter().zip(&reals) {
        let reading = file.reading(reader, "K");
        // The model of bash does not follow executed commands, which can fail at any place.
        let is_run = |disagreement: &Disagreement| disagreement.readings.contains(&(Reader::Bash, Reading::Runs));
        if reader == Reader::Bash && file.disagreements(&[reader]).iter().any(is_run) {
            continue;
        }
        let is_right = match (&reading, real) {
            // The model claims nothing.
            (Reading::Unknown | Reading::Runs, _) => continue,
            (Reading::Value(model), Real::Value(real)) => model == real,
            // Where they refuse, bash and dotenvy have set nothing.
            (Reading::Unset | Reading::Refused, Real::Unset) | (Reading::Refused, Real::Refused) => true,
            _ => false,
        };
        claims += 1;
        if !is_right {
            let text = String::from_utf8_lossy(&file.to_bytes()).into_owned();
            wrong.push(format!("{text:?} reads as {}, the model says {}", show(real), show_reading(&reading)));
        }
    }
    assert!(claims > COUNT / 4, "only {claims} claims");
    report(wrong.into_iter())
}

/// Values of a strategy, the same ones in each run.
fn some<S: Strategy>(strategy: S) -> impl Iterator<Item = S::Value> {
    let mut runner = TestRunner::deterministic();
    std::iter::from_fn(move || strategy.new_tree(&mut runner).ok().map(|tree| tree.current()))
}

fn ask_about(reader: Reader, ask: Ask, files: &[EnvFile]) -> Result<Vec<Real>, NoAnswer> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (index, file) in files.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{index}.env")), file.to_bytes()).expect("a writable folder");
    }
    let readings: Vec<Reading> = files.iter().map(|file| file.reading(reader, "K")).collect();
    let reals = ask(folder.path(), &readings)?;
    assert_eq!(reals.len(), files.len());
    Ok(reals)
}

fn report(wrong: impl Iterator<Item = String>) -> Result<(), NoAnswer> {
    let wrong: Vec<String> = wrong.collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(NoAnswer::Broken(format!("{} wrong:\n{}", wrong.len(), wrong.join("\n"))))
    }
}

fn show(real: &Real) -> String {
    match real {
        Real::Value(value) => format!("{value:?}"),
        Real::Unset => "unset".to_owned(),
        Real::Refused => "refused".to_owned(),
    }
}

fn show_reading(reading: &Reading) -> String {
    match reading {
        Reading::Value(value) => format!("{value:?}"),
        other => format!("{other:?}"),
    }
}

/// A program with an empty environment, in `folder`.
#[expect(clippy::disallowed_methods, reason = "the readers are programs")]
fn program(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(name);
    command.env_clear().current_dir(folder).stdin(Stdio::null());
    command
}

/// A program with the environment of this one.
#[expect(clippy::disallowed_methods, reason = "pip is configured in the environment")]
fn inheriting(name: &str) -> Command {
    Command::new(name)
}

/// The path of a program: the children's own environment is empty.
#[expect(clippy::disallowed_methods, reason = "the readers are programs, found as usual")]
fn find(name: &str) -> Result<String, NoAnswer> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    let found = found.ok_or_else(|| NoAnswer::Absent(format!("command not found: `{name}`")))?;
    Ok(found.to_string_lossy().into_owned())
}

/// Standard output of a program that must not fail.
fn output(command: &mut Command) -> Result<Vec<u8>, NoAnswer> {
    let output = command.output().map_err(|error| NoAnswer::Broken(format!("{command:?}: {error}")))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(NoAnswer::Broken(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))))
}

/// Reads records `index NUL state NUL value NUL`, with the states `value`, `unset` and `refused`.
fn records(output: &[u8], count: usize) -> Vec<Real> {
    let mut reals = vec![Real::Refused; count];
    let fields: Vec<&[u8]> = output.split(|&byte| byte == 0).collect();
    for record in fields.chunks_exact(3) {
        let field = |index: usize| String::from_utf8_lossy(record[index]).into_owned();
        let index: usize = field(0).parse().expect("an index");
        reals[index] = match record[1] {
            b"value" => Real::Value(field(2)),
            b"unset" => Real::Unset,
            _ => Real::Refused,
        };
    }
    reals
}
