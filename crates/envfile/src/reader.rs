//! The programs that read a `.env` file.

use std::fmt;
use std::str::FromStr;

/// A program that reads `.env` files, in the version whose behaviour was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reader {
    /// python-dotenv 1.2.4, which Django projects load.
    PythonDotenv,
    /// django-environ 0.14.0, which Django projects load; without `parse_comments`.
    DjangoEnviron,
    /// python-decouple 3.8, which Django projects load.
    PythonDecouple,
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

/// The measured facts about a reader.
#[expect(clippy::struct_excessive_bools, reason = "the columns of a table")]
struct Facts {
    name: &'static str,
    /// Whether a byte order mark is a part of the first line for it.
    byte_order_mark: bool,
    /// Whether the CR of CRLF is a part of the value for it.
    carriage_return: bool,
    /// Whether it sets the variables above a line that it rejects; the others refuse the whole file.
    lines_above_an_error: bool,
    /// Whether the first assignment of a variable counts for it; for the others it is the last one.
    first_assignment: bool,
}

#[rustfmt::skip]
const TABLE: &[(Reader, Facts)] = &[
    (Reader::PythonDotenv,   facts("python-dotenv",   [false, false, false, false])),
    (Reader::DjangoEnviron,  facts("django-environ",  [true,  false, false, false])),
    (Reader::PythonDecouple, facts("python-decouple", [true,  false, false, false])),
    (Reader::Compose,        facts("compose",         [false, false, false, false])),
    (Reader::Systemd,        facts("systemd",         [true,  false, false, false])),
    (Reader::Bash,           facts("bash",            [true,  true,  true,  false])),
    (Reader::Dotenvy,        facts("dotenvy",         [false, false, true,  true])),
    (Reader::DockerRun,      facts("docker run",      [false, false, false, false])),
];

const fn facts(name: &'static str, columns: [bool; 4]) -> Facts {
    let [byte_order_mark, carriage_return, lines_above_an_error, first_assignment] = columns;
    Facts { name, byte_order_mark, carriage_return, lines_above_an_error, first_assignment }
}

impl Reader {
    /// All readers, in the order of reports.
    pub const ALL: &'static [Reader] = &[
        Self::PythonDotenv,
        Self::DjangoEnviron,
        Self::PythonDecouple,
        Self::Compose,
        Self::Systemd,
        Self::Bash,
        Self::Dotenvy,
        Self::DockerRun,
    ];

    /// The readers that [`encode`](crate::encode) writes every value for. `docker run` takes quotes literally.
    /// django-environ and python-decouple read the bare form too, and most values in quotes, but no line break.
    pub const QUOTING: &'static [Reader] =
        &[Self::PythonDotenv, Self::Compose, Self::Systemd, Self::Bash, Self::Dotenvy];

    /// The readers of a running service. If one of them misses a new line, setting a variable is an error; an earlier
    /// line of the operator's that only bash or dotenvy reject, such as `NAME=it's`, is no reason to refuse.
    pub(crate) const SERVICE: &'static [Reader] = &[Self::PythonDotenv, Self::Compose, Self::Systemd];

    fn facts(self) -> &'static Facts {
        // A test holds the table to the enum.
        TABLE.iter().find(|(reader, _)| *reader == self).map_or(&TABLE[0].1, |(_, facts)| facts)
    }

    /// Returns whether a byte order mark is a part of the first line for this reader.
    pub(crate) fn takes_byte_order_mark(self) -> bool {
        self.facts().byte_order_mark
    }

    /// Returns whether the CR of a CRLF line ending is a part of the value for this reader.
    pub(crate) fn takes_carriage_return(self) -> bool {
        self.facts().carriage_return
    }

    /// Returns whether this reader sets the variables above a line that it rejects.
    pub(crate) fn keeps_lines_above_an_error(self) -> bool {
        self.facts().lines_above_an_error
    }

    /// Returns whether the first assignment of a variable counts for this reader, instead of the last one.
    pub(crate) fn keeps_first_assignment(self) -> bool {
        self.facts().first_assignment
    }
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.facts().name)
    }
}

impl FromStr for Reader {
    type Err = UnknownReader;

    fn from_str(name: &str) -> Result<Reader, UnknownReader> {
        let found = TABLE.iter().find(|(_, facts)| facts.name == name);
        found.map(|(reader, _)| *reader).ok_or_else(|| UnknownReader(name.to_owned()))
    }
}

/// The name of no [`Reader`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownReader(String);

impl fmt::Display for UnknownReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = TABLE.iter().map(|(_, facts)| format!("`{}`", facts.name)).collect();
        write!(f, "unknown reader, expected one of {}: `{}`", names.join(", "), self.0)
    }
}

impl std::error::Error for UnknownReader {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reader_has_a_name() {
        assert!(TABLE.iter().map(|(reader, _)| reader).eq(Reader::ALL));
        for reader in Reader::ALL {
            assert_eq!(reader.to_string().parse(), Ok(*reader));
        }
        let error = "zsh".parse::<Reader>().unwrap_err().to_string();
        assert!(error.starts_with("unknown reader, expected one of `python-dotenv`, `django-environ`"), "{error}");
    }
}
