//! `cargo xtask backup`: the data of the service in a file, made while the service runs.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use anyhow::Context as _;
use deploy::Invocation;
use deploy::backup::{self, Mode, Part, Parts, Report};
use project::text::counted;
use subprocess::{Deadline, Finished};
use tempfile::NamedTempFile;

use crate::cli;
use crate::context::Context;
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;
use crate::manage_py;

/// How a file of gzip begins. Projects that print something at their start print it before that.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];
/// How much a project may print before it.
const MOST_PRINTED: usize = 64 * 1024;

pub(crate) fn run(args: &cli::Backup, context: &Context<'_>) -> anyhow::Result<Exit> {
    let ui = context.ui;
    let deferred = Deferred::begin()?;
    if context.common.dry_run {
        let report = ask(Mode::Plan, None, &deferred.flag(), context)?;
        print_plan(&report, "would save", context);
        return Ok(Exit::Done);
    }
    let path = match &args.file {
        Some(path) => path.clone(),
        None => PathBuf::from(default_name(&context.project.settings.name)),
    };
    let report = make(&path, &deferred.flag(), context)?;
    ui.result(format_args!("`{}`: {}", path.display(), contents(&report)));
    ui.result("not in it: `.env`, the code, and the tasks in the queue");
    let restore = format!("cargo xtask restore {}", subprocess::quoted(&path.to_string_lossy()));
    ui.commands(&[(&restore, "replace the data of the service by it")]);
    Ok(Exit::Done)
}

/// Returns the name of a backup that is made now.
pub(crate) fn default_name(service: &str) -> String {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    format!("{service}-{}.backup.tar.gz", now.replace(['-', ':'], ""))
}

/// Makes a backup, and verifies it. The file gets its name at the end.
pub(crate) fn make(path: &Path, stop: &AtomicBool, context: &Context<'_>) -> anyhow::Result<Report> {
    if path.symlink_metadata().is_ok() {
        let problem = Problem::new(format!("`{}` exists, and a backup overwrites no file", path.display()));
        return Err(Failure::new(Exit::Usage, problem).into());
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cannot_write = || format!("cannot write a file in `{}`", folder.display());
    let file = NamedTempFile::new_in(folder).with_context(cannot_write)?;
    ui_step("backup", context, || {
        let invocation = manage_py::invocation(&backup::args(Mode::BackUp, service(context)), false, context)?;
        let output = file.as_file().try_clone().with_context(cannot_write)?;
        let finished = transfer(&invocation, None, output, stop)?;
        result(finished.stderr(), finished.is_success(), context)
    })?;
    strip_printed(file.as_file()).with_context(cannot_write)?;
    let report = ui_step("verified", context, || verify(file.as_file(), stop, context))?;
    file.as_file().sync_all().with_context(cannot_write)?;
    file.persist_noclobber(path).with_context(|| format!("cannot create `{}`", path.display()))?;
    Ok(report)
}

/// Verifies a backup where the service runs.
pub(crate) fn verify(file: &File, stop: &AtomicBool, context: &Context<'_>) -> anyhow::Result<Report> {
    let mut input = file.try_clone().context("cannot read the backup")?;
    input.rewind().context("cannot read the backup")?;
    ask(Mode::Verify, Some(input), stop, context)
}

/// Runs the script on an input, and returns its result.
pub(crate) fn ask(mode: Mode, input: Option<File>, stop: &AtomicBool, context: &Context<'_>) -> anyhow::Result<Report> {
    let invocation = manage_py::invocation(&backup::args(mode, service(context)), false, context)?;
    let mut output = tempfile::tempfile().context("cannot write a temporary file")?;
    let copy = output.try_clone().context("cannot write a temporary file")?;
    let finished = transfer(&invocation, input, copy, stop)?;
    let mut printed = Vec::new();
    output.rewind().and_then(|()| output.read_to_end(&mut printed)).context("cannot read a temporary file")?;
    let printed = [&*String::from_utf8_lossy(&printed), finished.stderr()].join("\n");
    result(&printed, finished.is_success(), context)
}

/// Runs the script to its end, or stops what it has started.
fn transfer(invocation: &Invocation, input: Option<File>, output: File, stop: &AtomicBool) -> anyhow::Result<Finished> {
    invocation.command().transfer(input, output, stop).map_err(|error| {
        if let Some(stop) = &invocation.stop {
            // One that has ended in the meantime is unknown.
            let _ = stop.run(&Deadline::within(manage_py::STOP_TIMEOUT));
        }
        Failure::unfinished("manage.py shell", &error).into()
    })
}

/// Returns the result in the output of the script.
fn result(printed: &str, is_success: bool, context: &Context<'_>) -> anyhow::Result<Report> {
    match backup::parse(printed) {
        Some(Report { refused: Some(reason), .. }) => Err(Failure::new(Exit::NotMet, Problem::new(reason)).into()),
        Some(report) if is_success => Ok(report),
        _ => {
            let file = context.env_file()?.unwrap_or_default();
            let secrets = project::secret::Secrets::of([&file]).and(context.host.facts.secrets.iter().cloned());
            context.ui.last_lines(&secrets.redact(printed));
            Err(Failure::new(Exit::Failed, Problem::new("`manage.py shell` failed, see above")).into())
        }
    }
}

/// Removes what the project has printed before the archive.
fn strip_printed(mut file: &File) -> std::io::Result<()> {
    let mut begin = vec![0; MOST_PRINTED];
    file.rewind()?;
    let read = file.read(&mut begin)?;
    let at = begin[..read].windows(GZIP.len()).position(|bytes| bytes == GZIP).unwrap_or_default();
    if at == 0 {
        return Ok(());
    }
    let (mut from, mut to) = (at as u64, 0);
    let mut buffer = vec![0; 1024 * 1024];
    loop {
        file.seek(SeekFrom::Start(from))?;
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return file.set_len(to);
        }
        file.seek(SeekFrom::Start(to))?;
        file.write_all(&buffer[..read])?;
        (from, to) = (from + read as u64, to + read as u64);
    }
}

/// Prints what a backup has, or would have.
pub(crate) fn print_plan(report: &Report, verb: &str, context: &Context<'_>) {
    let Parts::Listed(parts) = &report.parts else { return };
    if parts.is_empty() {
        context.ui.result("the service has no data yet");
    }
    for Part { name, size } in parts {
        context.ui.result(format_args!("{verb} `{name}`, {}", bytes(*size)));
    }
}

/// Returns the contents of a verified backup.
pub(crate) fn contents(report: &Report) -> String {
    let number = if let Parts::Number(number) = report.parts { number } else { 0 };
    format!("{}, {}", counted(number, "database or file"), bytes(report.size))
}

fn bytes(size: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB")];
    let unit = UNITS.iter().find(|(length, _)| size >= *length);
    unit.map_or_else(|| format!("{size} bytes"), |(length, unit)| format!("{} {unit}", size / length))
}

fn service<'a>(context: &'a Context<'_>) -> &'a str {
    &context.project.settings.name
}

/// Does a step with a spinner, and prints a line at its end.
pub(crate) fn ui_step<T>(
    title: &str,
    context: &Context<'_>,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let started = std::time::Instant::now();
    let done = context.ui.while_waiting(title, work)?;
    context.ui.done(title, crate::ui::seconds(started.elapsed()));
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_project_prints_is_no_part_of_the_archive() {
        let archive = [&GZIP[..], &vec![7; 3_000_000]].concat();
        for printed in ["", "loading…\n"] {
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(printed.as_bytes()).and_then(|()| file.write_all(&archive)).expect("written");
            strip_printed(&file).expect("stripped");
            let mut bytes = Vec::new();
            file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("readable");
            assert!(bytes == archive, "{printed:?}");
        }
    }

    #[test]
    fn sizes() {
        for (size, expected) in
            [(0, "0 bytes"), (1023, "1023 bytes"), (2048, "2 kB"), (5 << 20, "5 MB"), (3 << 30, "3 GB")]
        {
            assert_eq!(bytes(size), expected);
        }
    }
}
