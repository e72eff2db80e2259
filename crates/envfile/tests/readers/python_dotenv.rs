//! python-dotenv, in a virtual environment that is made once and kept with the build.

use std::path::{Path, PathBuf};

use envfile::Reading;

use crate::{NoAnswer, Real, find, output, program, records};

const REQUIREMENT: &str = "python-dotenv==1.2.4";

const SCRIPT: &str = r#"
import logging, sys
from dotenv import dotenv_values
logging.disable(logging.CRITICAL)
for index in range(int(sys.argv[1])):
    value = dotenv_values(f"{index}.env").get("K")
    state = "unset" if value is None else "value"
    sys.stdout.buffer.write(f"{index}\0{state}\0{value or ''}\0".encode())
"#;

pub(crate) fn ask(folder: &Path, readings: &[Reading]) -> Result<Vec<Real>, NoAnswer> {
    let python = environment()?;
    let count = readings.len();
    let arguments = ["-X", "utf8", "-c", SCRIPT, &count.to_string()];
    let output = output(program(&python.to_string_lossy(), folder).args(arguments))?;
    Ok(records(&output, count))
}

/// The interpreter of the virtual environment.
fn environment() -> Result<PathBuf, NoAnswer> {
    static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = LOCK.lock();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(REQUIREMENT);
    let python = folder.join("bin/python");
    let is_there = |python: &Path| {
        let mut check = program(&python.to_string_lossy(), Path::new("/"));
        check.args(["-c", "import dotenv"]).output().is_ok_and(|output| output.status.success())
    };
    if is_there(&python) {
        return Ok(python);
    }
    // With the environment as it is, where the index and its certificates are configured.
    let absent = |why: NoAnswer| match why {
        NoAnswer::Absent(why) | NoAnswer::Broken(why) => NoAnswer::Absent(format!("no {REQUIREMENT}: {why}")),
    };
    let system = find("python3")?;
    output(inheriting(&system).args(["-m", "venv"]).arg(&folder)).map_err(absent)?;
    output(inheriting(&python.to_string_lossy()).args(["-m", "pip", "install", "--quiet", REQUIREMENT]))
        .map_err(absent)?;
    Ok(python)
}

#[expect(clippy::disallowed_methods, reason = "pip is configured in the environment")]
fn inheriting(name: &str) -> std::process::Command {
    std::process::Command::new(name)
}
