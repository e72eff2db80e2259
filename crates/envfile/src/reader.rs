//! The programs that read a `.env` file.

use std::fmt;
use std::str::FromStr;

/// A program that reads `.env` files, in the version whose behaviour was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reader {
    /// python-dotenv 1.2.4, which Django projects load.
    PythonDotenv,
    /// Docker Compose 2.26, `env_file:`.
    Compose,
    /// systemd 252, `EnvironmentFile=`.
    Systemd,
    /// bash 5.2, `set -a; source .env`.
    Bash,
    /// The dotenvy crate 0.15.7.
    Dotenvy,
    /// `docker run --env-file` 28, and `docker stack deploy`.
    DockerRun,
}

const NAMES: &[(Reader, &str)] = &[
    (Reader::PythonDotenv, "python-dotenv"),
    (Reader::Compose, "compose"),
    (Reader::Systemd, "systemd"),
    (Reader::Bash, "bash"),
    (Reader::Dotenvy, "dotenvy"),
    (Reader::DockerRun, "docker run"),
];

impl Reader {
    /// All readers.
    pub const ALL: &'static [Reader] =
        &[Self::PythonDotenv, Self::Compose, Self::Systemd, Self::Bash, Self::Dotenvy, Self::DockerRun];

    /// The readers that [`encode`](crate::encode) writes for: all but `docker run`, which takes quotes literally.
    pub const QUOTING: &'static [Reader] =
        &[Self::PythonDotenv, Self::Compose, Self::Systemd, Self::Bash, Self::Dotenvy];
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(reader, _)| reader == self).map_or("", |(_, name)| name);
        f.pad(name)
    }
}

impl FromStr for Reader {
    type Err = UnknownReader;

    fn from_str(name: &str) -> Result<Reader, UnknownReader> {
        let found = NAMES.iter().find(|(_, known)| *known == name);
        found.map(|(reader, _)| *reader).ok_or_else(|| UnknownReader(name.to_owned()))
    }
}

/// The name of no [`Reader`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownReader(String);

impl fmt::Display for UnknownReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = NAMES.iter().map(|(_, name)| format!("`{name}`")).collect();
        write!(f, "unknown reader, expected one of {}: `{}`", names.join(", "), self.0)
    }
}

impl std::error::Error for UnknownReader {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reader_has_a_name() {
        assert_eq!(NAMES.len(), Reader::ALL.len());
        for reader in Reader::ALL {
            assert_eq!(reader.to_string().parse(), Ok(*reader));
        }
        let error = "zsh".parse::<Reader>().unwrap_err().to_string();
        assert!(error.starts_with("unknown reader, expected one of `python-dotenv`, `compose`"), "{error}");
    }
}
