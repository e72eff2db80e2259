//! Counts and lists in messages.

use std::fmt;

/// Returns a count with its noun: `1 migration`, `2 migrations`.
pub fn counted(count: impl fmt::Display, noun: &str) -> String {
    let count = count.to_string();
    format!("{count} {noun}{}", if count == "1" { "" } else { "s" })
}

/// Returns words as a list in backticks: `` `A` ``, `` `A` and `B` ``, `` `A`, `B` and `C` ``.
pub fn listed<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{}`", word.as_ref())).collect();
    match words.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_lists() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "migration")), ["0 migrations", "1 migration", "2 migrations"]);
        assert_eq!(listed([""; 0]), "");
        assert_eq!(listed(["A"]), "`A`");
        assert_eq!(listed(["A", "B"]), "`A` and `B`");
        assert_eq!(listed(["A", "B", "C"]), "`A`, `B` and `C`");
    }
}
