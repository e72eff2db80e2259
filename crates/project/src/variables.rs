//! The variables of `.env` for the environment of a program.

use std::collections::BTreeMap;

use envfile::EnvFile;

/// A longer assignment can be handed to no program: the system's limit for one string.
const LONGEST_VARIABLE: usize = 128 * 1024;

/// The variables of `.env` that a program can be handed; of several assignments the last one counts.
#[must_use]
pub fn variables(file: &EnvFile) -> Vec<(String, String)> {
    let variables: BTreeMap<_, _> = file.entries().map(|entry| (entry.key.to_owned(), entry.value)).collect();
    let can_be_handed = |(key, value): &(String, String)| {
        !value.contains('\0') && key.len() + value.len() + "=\0".len() < LONGEST_VARIABLE
    };
    variables.into_iter().filter(can_be_handed).collect()
}
