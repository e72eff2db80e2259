//! The excerpt of a log that explains a failure.

use std::collections::HashSet;

/// The number of lines that are shown.
const SHOWN: usize = 30;
/// The number of lines that are read, as an argument: a service that is polled logs the same error again and again.
pub(crate) const READ: &str = "300";

/// Returns the last lines of a log, each line once where it was logged last.
pub(crate) fn of_log(log: &str) -> String {
    let mut seen = HashSet::new();
    let mut lines: Vec<&str> = log.lines().rev().filter(|line| seen.insert(*line)).take(SHOWN).collect();
    lines.reverse();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_traceback_is_shown_once() {
        let traceback = "Traceback (most recent call last):\n  File \"views.py\", line 7\nKeyError: 'x'\n";
        let log = format!("start\n{}", [traceback; 5].concat());
        assert_eq!(of_log(&log), format!("start\n{}", traceback.trim_end()));
        let numbers: Vec<String> = (0..100).map(|line| line.to_string()).collect();
        assert_eq!(of_log(&numbers.join("\n")), numbers[70..].join("\n"));
    }
}
