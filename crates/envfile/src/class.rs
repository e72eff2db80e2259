//! The classes of lines that readers disagree on: one table.

use std::fmt;
use std::str::FromStr;

macro_rules! classes {
    ($($variant:ident $name:literal $sentence:literal)*) => {
        /// Why the readers disagree on a line. `Display` and `FromStr` use its short name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Class { $(#[doc = $sentence] $variant,)* }

        impl Class {
            /// All classes, in the order of their table.
            pub const ALL: &'static [Class] = &[$(Class::$variant,)*];
        }

        const TABLE: &[(Class, &str, &str)] = &[$((Class::$variant, $name, $sentence),)*];
    };
}

classes! {
    NotAnAssignment      "not-an-assignment"      "bash runs it, compose, docker run and dotenvy refuse the file, python-dotenv and systemd skip it; a bare name is inherited by compose and docker run"
    Export               "export"                 "systemd and python-decouple ignore a variable with `export`, docker run refuses the file"
    BlankAroundEquals    "blank-around-equals"    "bash runs the name as a command, docker run refuses the file or keeps the blank"
    Indented             "indented"               "django-environ sees no variable behind blanks"
    InvalidName          "invalid-name"           "a name other than letters, digits and `_` is dropped by systemd, run by bash, refused by dotenvy"
    ReadOnlyName         "read-only-name"         "bash does not let this name be assigned"
    DuplicateKey         "duplicate-key"          "dotenvy keeps the first assignment, all others the last"
    InlineComment        "inline-comment"         "systemd, docker run, django-environ and python-decouple read the comment as value"
    CommentAfterQuotes   "comment-after-quotes"   "systemd appends the comment to the value, docker run, django-environ and python-decouple keep the whole line"
    QuoteInComment       "quote-in-comment"       "dotenvy takes the quote in the comment for an open one and refuses the file"
    CommentBackslash     "comment-backslash"      "systemd before 254 takes the line after a comment ending in `\\` for a part of the comment"
    SemicolonComment     "semicolon-comment"      "only systemd takes `;` for a comment"
    TrailingBlank        "trailing-blank"         "dotenvy refuses a file that ends in a blank, docker run and django-environ keep the blank"
    BlankInside          "blank-inside"           "bash runs the second word as a command, dotenvy refuses the file"
    Dollar               "dollar"                 "systemd and docker run never expand `$`, python-dotenv only `${…}`, compose and bash `$NAME` too, dotenvy drops every `$`, django-environ takes one at the start for a reference"
    DollarInSingleQuotes "dollar-in-single-quotes" "python-dotenv expands `${…}` in single quotes too, django-environ takes `$` at the start for a reference, no other reader does either"
    Command              "command"                "bash executes it"
    UnquotedBackslash    "unquoted-backslash"     "systemd and bash drop the backslash, python-dotenv and compose keep it, dotenvy resolves or refuses it"
    EscapeInDoubleQuotes "escape-in-double-quotes" "python-dotenv and compose resolve the escape, systemd and bash keep it, dotenvy refuses most"
    EscapeInSingleQuotes "escape-in-single-quotes" "python-dotenv resolves `\\\\` and `\\'` in single quotes, compose `\\'`, the others neither"
    UnterminatedQuote    "unterminated-quote"     "systemd reads on to the end of the file, python-dotenv skips the line, the others refuse the file"
    TextAfterQuotes      "text-after-quotes"      "systemd, and mostly bash and dotenvy, append the text after the closing quote, python-dotenv skips the line, compose reads it as a line of its own"
    QuoteInside          "quote-inside"           "bash and dotenvy remove a quote inside an unquoted value or refuse it, the others keep it"
    ShellCharacter       "shell-character"        "bash ends the value at it, redirects, or expands it"
    LeadingHash          "leading-hash"           "dotenvy reads a value that starts with `#` as empty"
    Quotes               "quotes"                 "docker run keeps the quotes; like it, django-environ and python-decouple read one line only; django-environ removes double quotes within single ones, python-decouple resolves no escapes"
    ByteOrderMark        "byte-order-mark"        "bash, systemd, django-environ and python-decouple take the byte order mark for a part of the first line"
    Crlf                 "crlf"                   "bash keeps the CR of CRLF at the end of each value, and runs it on a blank line"
    Bytes                "bytes"                  "NUL, CR, a noncharacter, or invalid UTF-8 is changed or refused by most"
    UnicodeBlank         "unicode-blank"          "python-dotenv, compose and dotenvy drop a Unicode blank at the end, the others keep it"
    TooLong              "too-long"               "docker run refuses a line over 64 KiB, every reader that starts a program an assignment of 128 KiB"
    Other                "other"                  "the readers read different values"
}

impl Class {
    /// Returns a sentence about the behaviour of the readers.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        TABLE.iter().find(|(class, ..)| *class == self).map_or("", |(_, _, sentence)| sentence)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(TABLE.iter().find(|(class, ..)| class == self).map_or("", |(_, name, _)| name))
    }
}

impl FromStr for Class {
    type Err = UnknownClass;

    fn from_str(name: &str) -> Result<Class, UnknownClass> {
        let found = TABLE.iter().find(|(_, known, _)| *known == name);
        found.map(|(class, ..)| *class).ok_or_else(|| UnknownClass(name.to_owned()))
    }
}

/// The name of no [`Class`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownClass(String);

impl fmt::Display for UnknownClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown class of disagreement, expected one such as `{}`: `{}`", Class::Export, self.0)
    }
}

impl std::error::Error for UnknownClass {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lead_back() {
        assert!(!Class::ALL.is_empty());
        for class in Class::ALL {
            assert_eq!(class.to_string().parse(), Ok(*class));
            assert!(!class.sentence().is_empty() && !class.sentence().ends_with('.'), "{class}");
        }
    }
}
