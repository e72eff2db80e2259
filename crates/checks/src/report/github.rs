//! The report for GitHub Actions: annotations, each a line that the runner takes for a command.

use super::{Colors, Report, full_text, verdict, with_hint};
use crate::outcome::Status;

/// Renders failures and warnings as [workflow
/// commands](https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions), and the counts in the
/// last line.
///
/// A finding about lines of `.env` is annotated there: `env_file` is its path in the repository. With `strict`, a
/// warning is an error.
#[must_use]
pub fn github(report: &Report, env_file: &str, strict: bool) -> String {
    let level = |status: Status| match status {
        Status::Ok | Status::Skip => None,
        _ if status.is_failure(strict) => Some("error"),
        _ => Some("warning"),
    };
    let mut lines = Vec::new();
    for outcome in report.outcomes.iter().filter(|outcome| level(outcome.status).is_some()) {
        let annotation = |status, line: Option<usize>, text: &str| {
            let place = line.map(|line| format!("file={},line={line},", property(env_file))).unwrap_or_default();
            let (title, text) = (property(&outcome.name), data(text));
            level(status).map(|level| format!("::{level} {place}title={title}::{text}"))
        };
        if outcome.findings.iter().any(|finding| finding.line.is_some()) {
            lines.extend(outcome.findings.iter().filter_map(|finding| {
                let hint = finding.hint.as_deref().or(outcome.hint.as_deref());
                annotation(finding.status, finding.line, &with_hint(&finding.message, hint))
            }));
        } else {
            lines.extend(annotation(outcome.status, None, &full_text(outcome)));
        }
    }
    lines.extend([verdict(report, Colors { has_color: false }), String::new()]);
    lines.join("\n")
}

/// Escapes the text after the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property before it.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{empty, nasty, sample};

    #[track_caller]
    fn check(report: &Report, strict: bool, expected: &[&str]) {
        assert_eq!(github(report, ".env", strict), expected.join("\n") + "\n");
    }

    #[test]
    fn failures_are_annotated_at_their_lines() {
        check(
            &sample(),
            false,
            &[
                r#"::warning file=.env,line=3,title=env.portable::line 3: blank-inside%0Apython-dotenv  b c%0Ahint: A='b c'"#,
                r#"::error file=.env,line=7,title=env.portable::line 7: unterminated-quote%0Ahint: cargo xtask install"#,
                r#"::warning title=env.portable::`B` is missing%0Ahint: cargo xtask install"#,
                r#"::warning title=django.check::1 warning%0Asecurity.W018: DEBUG%0Ahint: DEBUG=0"#,
                r#"::error title=django.database::no such table%0ATraceback%0A  boom%0Ahint: cargo xtask health --fix"#,
                r#"1 ok, 2 warn, 1 err, 1 skip in 0.81 s"#,
            ],
        );
    }

    #[test]
    fn with_strict_warnings_are_errors() {
        check(
            &sample(),
            true,
            &[
                r#"::error file=.env,line=3,title=env.portable::line 3: blank-inside%0Apython-dotenv  b c%0Ahint: A='b c'"#,
                r#"::error file=.env,line=7,title=env.portable::line 7: unterminated-quote%0Ahint: cargo xtask install"#,
                r#"::error title=env.portable::`B` is missing%0Ahint: cargo xtask install"#,
                r#"::error title=django.check::1 warning%0Asecurity.W018: DEBUG%0Ahint: DEBUG=0"#,
                r#"::error title=django.database::no such table%0ATraceback%0A  boom%0Ahint: cargo xtask health --fix"#,
                r#"1 ok, 2 warn, 1 err, 1 skip in 0.81 s"#,
            ],
        );
    }

    #[test]
    fn an_empty_report_has_its_counts() {
        check(&empty(), false, &["0 ok, 0 warn, 0 err, 0 skip in 0.81 s"]);
    }

    #[test]
    fn no_text_ends_its_command() {
        check(
            &nasty(),
            false,
            &[
                concat!(
                    r#"::error title=docker.service.a%3Ab%2Cc<"%25::"#,
                    "\x1b[31mred\x1b[0m <&> ]]> \"'\0\u{b}\u{85}\u{FFFE} 100%25 🦀%0D%0Aa::b,c%0A::error::no%0A</failure>"
                ),
                "0 ok, 0 warn, 1 err, 0 skip in 0.81 s",
            ],
        );
    }

    #[test]
    fn the_path_of_the_file_is_escaped() {
        let text = github(&sample(), "a,b:c%/.env", false);
        assert!(text.starts_with("::warning file=a%2Cb%3Ac%25/.env,line=3,"), "{text}");
    }
}
