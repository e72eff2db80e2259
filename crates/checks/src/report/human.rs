//! The report for people: a line for each check, by group, and below it the failures and their fixes.

use std::fmt::Display;
use std::time::Duration;

use detect::{Detected, Source};

use super::Report;
use super::colors::{BOLD, Colors, DIM, GREEN, RED, YELLOW};
use crate::outcome::{Finding, Outcome, Status};

/// The length of the longest word for a status.
const WIDEST: usize = 4;
/// The indentation of the lines below a check.
const INDENT: &str = "       ";

/// The number of output lines of a failing program, unless all are wanted.
const LAST_LINES: usize = 10;

/// Renders the whole report. `verbose` adds the time of each check, and the whole output of a failing program.
#[must_use]
pub fn human(report: &Report, colors: Colors, verbose: bool) -> String {
    let mut lines = vec![
        axis("environment", &report.environment, colors),
        axis("deploy method", &report.deploy_method, colors),
        axis("mode", &report.mode, colors),
    ];
    let width = report.outcomes.iter().map(|outcome| outcome.name.chars().count()).max().unwrap_or_default();
    let mut group = "";
    for outcome in &report.outcomes {
        if outcome.group() != group {
            group = outcome.group();
            lines.extend([String::new(), colors.style(BOLD, group)]);
        }
        let mut rendered = self::outcome(outcome, width, verbose, colors);
        if let (true, Some(first)) = (verbose, rendered.first_mut()) {
            first.push_str(&colors.style(DIM, format_args!("  {} ms", outcome.elapsed.as_millis())));
        }
        lines.extend(rendered);
    }
    lines.extend([String::new(), verdict(report, colors), String::new()]);
    lines.join("\n")
}

/// An axis with its source.
#[must_use]
pub fn axis<T: Display>(title: &str, detected: &Detected<T>, colors: Colors) -> String {
    if detected.source == Source::Unreadable {
        return format!("{title:<14} {}", colors.style(DIM, &detected.source));
    }
    let value = colors.style(BOLD, format_args!("{:<8}", detected.value));
    format!("{title:<14} {value} {}", colors.style(DIM, &detected.source))
}

/// A check's line, its name padded to `width`, and the lines below it.
#[must_use]
pub fn outcome(outcome: &Outcome, width: usize, verbose: bool, colors: Colors) -> Vec<String> {
    let Outcome { name, status, message, findings, output, hint, .. } = outcome;
    let message = if *status == Status::Ok { colors.style(DIM, message) } else { message.clone() };
    let mut lines = vec![format!("{}   {name:<width$}  {message}", colors.status(*status, WIDEST))];
    let is_mixed = findings.iter().any(|found| found.status != *status);
    lines.extend(findings.iter().flat_map(|found| finding(found, is_mixed, colors)));
    let first = if verbose { 0 } else { output.len().saturating_sub(LAST_LINES) };
    lines.extend(output[first..].iter().map(|line| format!("{INDENT}{} {line}", colors.style(DIM, "|"))));
    if matches!(status, Status::Warn | Status::Err) {
        lines.extend(hint.iter().flat_map(|hint| self::hint(hint, INDENT, colors)));
    }
    lines
}

/// Renders a finding: its first line, and the others with more indentation.
fn finding(finding: &Finding, with_status: bool, colors: Colors) -> Vec<String> {
    let mut lines = finding.message.lines();
    let status = if with_status { format!("{}: ", colors.status(finding.status, 0)) } else { String::new() };
    let mut rendered = vec![format!("{INDENT}{status}{}", lines.next().unwrap_or_default())];
    rendered.extend(lines.map(|line| format!("{INDENT}  {line}")));
    rendered.extend(finding.hint.iter().flat_map(|hint| self::hint(hint, &format!("{INDENT}  "), colors)));
    rendered
}

fn hint(hint: &str, indent: &str, colors: Colors) -> Vec<String> {
    let label = format!("{} ", colors.style(BOLD, "hint:"));
    let further = " ".repeat("hint: ".len());
    let lines = hint.lines().enumerate();
    lines.map(|(index, line)| format!("{indent}{}{line}", if index == 0 { &label } else { &further })).collect()
}

/// The last line: how many ended how, and how long it took.
#[must_use]
pub fn verdict(report: &Report, colors: Colors) -> String {
    let counts = Status::ALL.map(|status| {
        let count = report.count(status);
        let style = match status {
            Status::Warn if count > 0 => YELLOW,
            Status::Err if count > 0 => RED,
            Status::Ok => GREEN,
            _ => DIM,
        };
        colors.style(style, format_args!("{count} {status}"))
    });
    format!("{} in {}", counts.join(", "), seconds(report.elapsed))
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.2} s", elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{empty, sample};

    #[track_caller]
    fn check(report: &Report, has_color: bool, verbose: bool, expected: &str) {
        let rendered = human(report, Colors { has_color }, verbose).replace('\x1b', "␛");
        assert_eq!(rendered, expected);
    }

    #[test]
    fn every_status_is_reported() {
        let expected = "\
environment    dev      .env:4
deploy method  bare     default
mode           dev      .env:4

env
  ok   env.file         `.env` is there, 9 variables
warn   env.portable     3 things
       warn: line 3: blank-inside
         python-dotenv  b c
         hint: A='b c'
       err: line 7: unterminated-quote
       warn: `B` is missing
       hint: cargo xtask install

core
skip   core.disk        `df` is not there

django
warn   django.check     1 warning
       security.W018: DEBUG
         hint: DEBUG=0
 err   django.database  no such table
       | Traceback
       |   boom
       hint: cargo xtask health --fix

1 ok, 2 warn, 1 err, 1 skip in 0.81 s
";
        check(&sample(), false, false, expected);
    }

    #[test]
    fn every_status_has_its_colour() {
        let expected = "\
environment    ␛[1mdev     ␛[0m ␛[2m.env:4␛[0m
deploy method  ␛[1mbare    ␛[0m ␛[2mdefault␛[0m
mode           ␛[1mdev     ␛[0m ␛[2m.env:4␛[0m

␛[1menv␛[0m
␛[32m  ok␛[0m   env.file         ␛[2m`.env` is there, 9 variables␛[0m␛[2m  1 ms␛[0m
␛[33mwarn␛[0m   env.portable     3 things␛[2m  2 ms␛[0m
       ␛[33mwarn␛[0m: line 3: blank-inside
         python-dotenv  b c
         ␛[1mhint:␛[0m A='b c'
       ␛[31merr␛[0m: line 7: unterminated-quote
       ␛[33mwarn␛[0m: `B` is missing
       ␛[1mhint:␛[0m cargo xtask install

␛[1mcore␛[0m
␛[2mskip␛[0m   core.disk        `df` is not there␛[2m  1034 ms␛[0m

␛[1mdjango␛[0m
␛[33mwarn␛[0m   django.check     1 warning␛[2m  640 ms␛[0m
       security.W018: DEBUG
         ␛[1mhint:␛[0m DEBUG=0
␛[31m err␛[0m   django.database  no such table␛[2m  645 ms␛[0m
       ␛[2m|␛[0m Traceback
       ␛[2m|␛[0m   boom
       ␛[1mhint:␛[0m cargo xtask health --fix

␛[32m1 ok␛[0m, ␛[33m2 warn␛[0m, ␛[31m1 err␛[0m, ␛[2m1 skip␛[0m in 0.81 s
";
        check(&sample(), true, true, expected);
    }

    #[test]
    fn an_empty_report_has_its_axes_and_counts() {
        let expected = "\
environment    dev      .env:4
deploy method  bare     default
mode           dev      .env:4

0 ok, 0 warn, 0 err, 0 skip in 0.81 s
";
        check(&empty(), false, true, expected);
    }
}
