//! The verification: the new content is parsed with dotenvy before it is written.

use std::collections::{HashMap, HashSet};

use crate::EnvFile;

/// The part that is not parsed as intended.
#[derive(Debug, PartialEq)]
pub(crate) enum Misread {
    /// The assignment of `key` on `line` does not have its value.
    Assignment { line: usize, key: String },
    /// The document as a whole.
    Document,
}

/// Checks that each assignment of `after` that is not in `before` has one value for python-dotenv's rules and for
/// dotenvy, and that dotenvy can read the document if it could read `before`. If it could not, because of a line of
/// the operator's, it is asked about each new line by itself.
pub(crate) fn check(before: &EnvFile, after: &EnvFile) -> Result<(), Misread> {
    let bytes = after.to_bytes();
    if EnvFile::parse(&bytes) != *after {
        return Err(Misread::Document);
    }
    let all = values(&bytes);
    if !all.is_complete && values(&before.to_bytes()).is_complete {
        return Err(Misread::Document);
    }
    // Without their endings: a last line that only got its missing line break is the operator's as it was.
    let known: HashSet<&[u8]> = before.lines().map(|line| line.raw_text()).collect();
    for line in after.lines().filter(|line| !known.contains(line.raw_text())) {
        let Some(key) = line.key() else { continue };
        let expected = after.get(key).map(|entry| entry.value);
        let alone = (!all.is_complete).then(|| values(line.raw()));
        if alone.as_ref().unwrap_or(&all).of_key.get(key) != expected.as_ref() {
            return Err(Misread::Assignment { line: line.number(), key: key.to_owned() });
        }
    }
    Ok(())
}

struct Values {
    /// The first value of each variable, as dotenvy loads it.
    of_key: HashMap<String, String>,
    /// Whether dotenvy read the document to its end.
    is_complete: bool,
}

/// Returns the values that dotenvy parses. It expands `$NAME` from the process environment; values from
/// [`encode`](crate::encode) have nothing to expand, and the values of other lines are not compared.
fn values(bytes: &[u8]) -> Values {
    let (_, bytes) = crate::cursor::split_byte_order_mark(bytes);
    let mut values = Values { of_key: HashMap::new(), is_complete: true };
    for item in dotenvy::from_read_iter(bytes) {
        match item {
            Ok((key, value)) => _ = values.of_key.entry(key).or_insert(value),
            Err(_) => values.is_complete = false,
        }
    }
    values
}
