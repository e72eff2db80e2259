//! python-dotenv, django-environ and python-decouple, in a virtual environment that is made once and kept with the build.

use std::path::{Path, PathBuf};

use envfile::Reading;

use crate::{NoAnswer, Real, find, inheriting, output, program, records};

const REQUIREMENTS: [&str; 3] = ["python-dotenv==1.2.4", "django-environ==0.14.0", "python-decouple==3.8"];

/// Each script defines `read`, which returns the value of `K` in a file, `None` where it is not set, or raises an error.
const DOTENV: &str = r#"
from dotenv import dotenv_values
def read(file):
    return dotenv_values(file).get("K")
"#;

const ENVIRON: &str = r#"
import os
from environ import Env, ImproperlyConfigured
def read(file):
    os.environ.clear()
    Env.read_env(file)
    try:
        return Env()("K")
    except (ImproperlyConfigured, RecursionError):
        return None
"#;

const DECOUPLE: &str = r#"
import os
from decouple import Config, RepositoryEnv, UndefinedValueError
def read(file):
    os.environ.clear()
    try:
        return Config(RepositoryEnv(file))("K")
    except UndefinedValueError:
        return None
"#;

const ALL: &str = r#"
import logging, sys
logging.disable(logging.CRITICAL)
for index in range(int(sys.argv[1])):
    try:
        value = read(f"{index}.env")
        state = "unset" if value is None else "value"
    except ValueError:
        value, state = "", "refused"
    sys.stdout.buffer.write(f"{index}\0{state}\0{value or ''}\0".encode())
"#;

pub(crate) fn dotenv(folder: &Path, readings: &[Reading]) -> Result<Vec<Real>, NoAnswer> {
    ask(DOTENV, folder, readings.len())
}

pub(crate) fn environ(folder: &Path, readings: &[Reading]) -> Result<Vec<Real>, NoAnswer> {
    ask(ENVIRON, folder, readings.len())
}

pub(crate) fn decouple(folder: &Path, readings: &[Reading]) -> Result<Vec<Real>, NoAnswer> {
    ask(DECOUPLE, folder, readings.len())
}

fn ask(script: &str, folder: &Path, count: usize) -> Result<Vec<Real>, NoAnswer> {
    let python = environment()?;
    let script = format!("{script}{ALL}");
    let arguments = ["-X", "utf8", "-c", &script, &count.to_string()];
    let output = output(program(&python.to_string_lossy(), folder).args(arguments))?;
    Ok(records(&output, count))
}

/// The interpreter of the virtual environment.
fn environment() -> Result<PathBuf, NoAnswer> {
    static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = LOCK.lock();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(REQUIREMENTS.join("+"));
    let python = folder.join("bin/python");
    let is_there = |python: &Path| {
        let mut check = program(&python.to_string_lossy(), Path::new("/"));
        check.args(["-c", "import dotenv, environ, decouple"]).output().is_ok_and(|output| output.status.success())
    };
    if is_there(&python) {
        return Ok(python);
    }
    // With the environment as it is, where the index and its certificates are configured.
    let absent = |why: NoAnswer| match why {
        NoAnswer::Absent(why) | NoAnswer::Broken(why) => {
            NoAnswer::Absent(format!("no {}: {why}", REQUIREMENTS.join(", ")))
        }
    };
    let system = find("python3")?;
    output(inheriting(&system).args(["-m", "venv"]).arg(&folder)).map_err(absent)?;
    let arguments = ["-m", "pip", "install", "--quiet"].into_iter().chain(REQUIREMENTS);
    output(inheriting(&python.to_string_lossy()).args(arguments)).map_err(absent)?;
    Ok(python)
}
