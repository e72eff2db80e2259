//! Enums whose values are words in a file: the variants, `ALL`, `Display` and `FromStr` come from one table.

use std::error::Error;
use std::fmt;

/// A word that is none of those expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownWord {
    /// The word as it was written.
    pub word: String,
    /// The words that would have been understood.
    pub expected: &'static [&'static str],
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown value `{}`, expected {}", self.word, Alternatives(self.expected))
    }
}

impl Error for UnknownWord {}

/// Writes "`dev` or `prod`".
pub(crate) struct Alternatives(pub(crate) &'static [&'static str]);

impl fmt::Display for Alternatives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.0.iter().enumerate() {
            let before = match index {
                0 => "",
                _ if index + 1 == self.0.len() => " or ",
                _ => ", ",
            };
            write!(f, "{before}`{word}`")?;
        }
        Ok(())
    }
}

macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $( $(#[$variant_meta:meta])* $variant:ident = $word:literal, )+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $( $(#[$variant_meta])* $variant, )+ }

        impl $name {
            /// Every value, in the order in which they are offered.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The words of [`ALL`](Self::ALL), in the same order.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word that stands for this value in files and on the command line.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        /// Compares without case and surrounding blanks.
        impl std::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let word = text.trim();
                Self::ALL
                    .iter()
                    .copied()
                    .find(|value| value.as_str().eq_ignore_ascii_case(word))
                    .ok_or_else(|| $crate::UnknownWord { word: word.to_owned(), expected: Self::WORDS })
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use crate::{DeployMethod, Environment, Mode};

    macro_rules! round_trips {
        ($($type:ty),+) => {$(
            assert!(!<$type>::ALL.is_empty());
            for value in <$type>::ALL.iter().copied() {
                assert_eq!(value.to_string().parse(), Ok(value));
                assert_eq!(format!("  {}\t", value.as_str().to_uppercase()).parse(), Ok(value));
            }
        )+};
    }

    #[test]
    fn every_value_is_read_back_from_its_word() {
        round_trips!(Environment, DeployMethod, Mode);
    }

    #[test]
    fn an_unknown_word_names_those_that_are_known() {
        let error = "production".parse::<Environment>().expect_err("not a word of ours");
        assert_eq!(error.to_string(), "unknown value `production`, expected `dev` or `prod`");
        let error = "".parse::<Mode>().expect_err("not a word of ours");
        assert_eq!(error.to_string(), "unknown value ``, expected `dev`, `prod`, `docker` or `systemd`");
    }
}
