//! Docker Compose: one service for each file, and `docker compose config` for all. It needs no engine.

use std::fmt::Write as _;
use std::path::Path;

use envfile::Reading;

use crate::{NoAnswer, Real, find, output, program};

/// The number of refused files, by the model, that are tried: each needs a start of Compose.
const REFUSED: usize = 12;

pub(crate) fn ask(folder: &Path, readings: &[Reading]) -> Result<Vec<Real>, NoAnswer> {
    let docker = find("docker")?;
    if output(program(&docker, folder).args(["compose", "version"])).is_err() {
        return Err(NoAnswer::Absent("command not found: `docker compose`".to_owned()));
    }
    let (refused, read): (Vec<usize>, Vec<usize>) =
        (0..readings.len()).partition(|&index| readings[index] == Reading::Refused);
    let mut reals = vec![Real::Refused; readings.len()];
    fill(&mut reals, &docker, folder, &read)?;
    for index in refused.into_iter().take(REFUSED) {
        fill(&mut reals, &docker, folder, &[index])?;
    }
    Ok(reals)
}

/// Asks about `files`, halving them until it is clear which one is refused.
fn fill(reals: &mut [Real], docker: &str, folder: &Path, files: &[usize]) -> Result<(), NoAnswer> {
    match (config(docker, folder, files), files) {
        (Ok(found), _) => {
            for (index, real) in files.iter().zip(found) {
                reals[*index] = real;
            }
            Ok(())
        }
        (Err(error), []) => Err(error),
        (Err(_), [index]) => {
            reals[*index] = Real::Refused;
            Ok(())
        }
        (Err(_), _) => {
            let (first, second) = files.split_at(files.len() / 2);
            fill(reals, docker, folder, first)?;
            fill(reals, docker, folder, second)
        }
    }
}

/// Returns Compose's result for some of the files; an error if it refuses one.
fn config(docker: &str, folder: &Path, files: &[usize]) -> Result<Vec<Real>, NoAnswer> {
    let mut compose = "name: readers\nservices:\n".to_owned();
    for index in files {
        let _ = writeln!(compose, "  s{index}: {{image: none, env_file: [./{index}.env]}}");
    }
    std::fs::write(folder.join("compose.yaml"), compose).expect("a writable folder");
    let arguments = ["compose", "-f", "compose.yaml", "config", "--format", "json"];
    let config: serde_json::Value =
        serde_json::from_slice(&output(program(docker, folder).args(arguments))?).expect("JSON");
    let real = |index: &usize| match &config["services"][format!("s{index}")]["environment"]["K"] {
        // It prints a Compose file, in which `$$` is a `$`.
        serde_json::Value::String(value) => Real::Value(value.replace("$$", "$")),
        _ => Real::Unset,
    };
    Ok(files.iter().map(real).collect())
}
