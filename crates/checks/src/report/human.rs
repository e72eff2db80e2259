//! The report for people: a line a check, by group, and below it what is not well and how it is mended.

use std::fmt::Display;
use std::time::Duration;

use detect::Detected;

use super::Report;
use super::ink::{BOLD, DIM, GREEN, Ink, RED, YELLOW};
use crate::outcome::{Finding, Outcome, Status};

/// Where what belongs to a check stands, below its name.
const INDENT: &str = "       ";

/// The whole report. `with_times` tells of each check how long it took.
#[must_use]
pub fn human(report: &Report, ink: Ink, with_times: bool) -> String {
    let mut lines = vec![
        axis("environment", &report.environment, ink),
        axis("deploy method", &report.deploy_method, ink),
        axis("mode", &report.mode, ink),
    ];
    let width = report.outcomes.iter().map(|outcome| outcome.name.chars().count()).max().unwrap_or_default();
    let mut group = "";
    for outcome in &report.outcomes {
        if outcome.group() != group {
            group = outcome.group();
            lines.extend([String::new(), ink.style(BOLD, group)]);
        }
        let mut told = self::outcome(outcome, width, ink);
        if let (true, Some(first)) = (with_times, told.first_mut()) {
            first.push_str(&ink.style(DIM, format_args!("  {} ms", outcome.elapsed.as_millis())));
        }
        lines.extend(told);
    }
    lines.extend([String::new(), verdict(report, ink), String::new()]);
    lines.join("\n")
}

/// An axis with its source.
#[must_use]
pub fn axis<T: Display>(title: &str, detected: &Detected<T>, ink: Ink) -> String {
    let value = ink.style(BOLD, format_args!("{:<8}", detected.value));
    format!("{title:<14} {value} {}", ink.style(DIM, &detected.source))
}

/// A check's line, its name padded to `width`, and the lines below it.
#[must_use]
pub fn outcome(outcome: &Outcome, width: usize, ink: Ink) -> Vec<String> {
    let Outcome { name, status, message, findings, output, hint, .. } = outcome;
    let message = if *status == Status::Ok { ink.style(DIM, message) } else { message.clone() };
    let mut lines = vec![format!("{}   {name:<width$}  {message}", ink.status(*status))];
    lines.extend(findings.iter().flat_map(|found| finding(found, ink)));
    lines.extend(output.iter().map(|line| format!("{INDENT}{} {line}", ink.style(DIM, "|"))));
    if matches!(status, Status::Warn | Status::Err) {
        lines.extend(hint.iter().flat_map(|hint| self::hint(hint, INDENT, ink)));
    }
    lines
}

/// What a check found: its first line, and everything else a little further in.
fn finding(finding: &Finding, ink: Ink) -> Vec<String> {
    let mut lines = finding.message.lines();
    let mut told = vec![format!("{INDENT}{}", lines.next().unwrap_or_default())];
    told.extend(lines.map(|line| format!("{INDENT}  {line}")));
    told.extend(finding.hint.iter().flat_map(|hint| self::hint(hint, &format!("{INDENT}  "), ink)));
    told
}

fn hint(hint: &str, indent: &str, ink: Ink) -> Vec<String> {
    let label = format!("{} ", ink.style(BOLD, "hint:"));
    let further = " ".repeat("hint: ".len());
    let lines = hint.lines().enumerate();
    lines.map(|(index, line)| format!("{indent}{}{line}", if index == 0 { &label } else { &further })).collect()
}

/// The last line: how many ended how, and how long it took.
#[must_use]
pub fn verdict(report: &Report, ink: Ink) -> String {
    let counts = Status::ALL.map(|status| {
        let count = report.count(status);
        let style = match status {
            Status::Warn if count > 0 => YELLOW,
            Status::Err if count > 0 => RED,
            Status::Ok => GREEN,
            _ => DIM,
        };
        ink.style(style, format_args!("{count} {status}"))
    });
    format!("{} in {}", counts.join(", "), seconds(report.elapsed))
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.2} s", elapsed.as_secs_f64())
}
