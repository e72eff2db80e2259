//! The report in Markdown, for the summary of a step in GitHub Actions.

use super::{Colors, Report, full_hint, full_message, verdict};
use crate::outcome::Status;

/// Renders a table of the failures and warnings, with their hints, and the counts.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let counts = verdict(report, Colors { has_color: false });
    let mut lines =
        vec![format!("**health of {}+{}**: {counts}", report.environment.value, report.deploy_method.value)];
    let mut failed: Vec<_> =
        report.outcomes.iter().filter(|it| matches!(it.status, Status::Warn | Status::Err)).collect();
    failed.sort_by_key(|outcome| outcome.status != Status::Err);
    if !failed.is_empty() {
        lines.extend([String::new(), "| | check | problem | next step |".to_owned(), "|---|---|---|---|".to_owned()]);
    }
    for outcome in failed {
        let hint = full_hint(outcome).map(|hint| code(&hint)).unwrap_or_default();
        lines.push(format!(
            "| {} | {} | {} | {hint} |",
            outcome.status,
            text(&outcome.name),
            text(&full_message(outcome))
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Escapes everything that has a meaning in a cell of a table.
fn text(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '\n' => escaped.push_str("<br>"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '|' | '*' | '_' | '[' | ']' | '#' | '~' => escaped.extend(['\\', c]),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// Renders lines as code. GitHub takes HTML in a cell, in which backticks of the text have no meaning.
fn code(lines: &str) -> String {
    let lines = lines.lines().map(|line| format!("<code>{}</code>", text(line).replace('`', "&#96;")));
    lines.collect::<Vec<_>>().join("<br>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{empty, nasty, sample};

    #[track_caller]
    fn check(report: &Report, expected: &str) {
        assert_eq!(markdown(report), expected);
    }

    #[test]
    fn failures_are_rows() {
        let expected = "\
**health of dev+bare**: 1 ok, 2 warn, 1 err, 1 skip in 0.81 s

| | check | problem | next step |
|---|---|---|---|
| err | django.database | no such table<br>Traceback<br>  boom | <code>cargo xtask health --fix</code> |
| warn | env.portable | 3 things<br>line 3: blank-inside<br>python-dotenv  b c<br>line 7: unterminated-quote<br>`B` is missing | <code>cargo xtask install</code><br><code>A='b c'</code> |
| warn | django.check | 1 warning<br>security.W018: DEBUG | <code>DEBUG=0</code> |
";
        check(&sample(), expected);
        check(&empty(), "**health of dev+bare**: 0 ok, 0 warn, 0 err, 0 skip in 0.81 s\n");
    }

    #[test]
    fn hostile_output_stays_in_its_cell() {
        let rendered = markdown(&nasty());
        for row in rendered.lines().filter(|line| line.starts_with("| err") || line.starts_with("| warn")) {
            let bars = row.replace("\\|", "").matches('|').count();
            assert_eq!(bars, 5, "{row}");
            assert!(!row.contains('\u{1b}') && !row.contains("</failure>"), "{row}");
        }
    }
}
