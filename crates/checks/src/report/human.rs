//! The report for people: a line for each healthy group, the failures of the others, and the next steps.

use std::fmt::Display;
use std::time::Duration;

use detect::{Detected, Source};
use project::text::counted;

use super::Report;
use super::colors::{BOLD, Colors, DIM, GREEN, RED, YELLOW};
use crate::outcome::{Finding, Outcome, Status};

/// The length of the longest word for a status.
const WIDEST: usize = 4;
/// The indentation of the lines below a check.
const INDENT: &str = "       ";

/// The number of output lines of a failing program, unless all are wanted.
const LAST_LINES: usize = 10;
/// The first line of the output of a Python program that has failed; the last line names the error.
const TRACEBACK: &str = "Traceback (most recent call last):";

/// Renders the whole report. `verbose` shows every check with its time, and the whole output of a failing program.
#[must_use]
pub fn human(report: &Report, colors: Colors, verbose: bool) -> String {
    let mut lines = vec![
        axis("environment", &report.environment, colors),
        axis("deploy method", &report.deploy_method, colors),
        axis("mode", &report.mode, colors),
    ];
    let is_shown = |outcome: &&Outcome| verbose || matches!(outcome.status, Status::Warn | Status::Err);
    let shown = report.outcomes.iter().filter(is_shown);
    let width = shown.map(|outcome| outcome.name.chars().count()).max().unwrap_or_default();
    let groups: Vec<&[Outcome]> = report.outcomes.chunk_by(|a, b| a.group() == b.group()).collect();
    let names = groups.iter().map(|group| group[0].group().len()).max().unwrap_or_default();
    let mut was_line = false;
    for group in groups {
        let is_line = !group.iter().any(|outcome| is_shown(&outcome));
        // A group with problems is a paragraph.
        if !(is_line && was_line) {
            lines.push(String::new());
        }
        was_line = is_line;
        if is_line {
            lines.push(healthy(group, names, colors));
        } else {
            lines.push(colors.style(BOLD, group[0].group()));
        }
        for outcome in group.iter().filter(is_shown) {
            let mut rendered = without_hint(outcome, width, verbose, colors);
            if let (true, Some(first)) = (verbose, rendered.first_mut()) {
                first.push_str(&colors.style(DIM, format_args!("  {} ms", outcome.elapsed.as_millis())));
            }
            lines.extend(rendered);
        }
    }
    lines.extend(next_steps(report, colors));
    lines.extend([String::new(), verdict(report, colors), String::new()]);
    lines.join("\n")
}

/// Returns the line of a group without a problem.
fn healthy(group: &[Outcome], width: usize, colors: Colors) -> String {
    let skipped = group.iter().filter(|outcome| outcome.status == Status::Skip).count();
    let status = if skipped == group.len() { Status::Skip } else { Status::Ok };
    let message = match (group, skipped) {
        ([only], _) => format!("{}: {}", only.name, only.message),
        (_, 0) => counted(group.len(), "check"),
        _ => format!("{}, {skipped} skipped", counted(group.len(), "check")),
    };
    format!("{}   {:<width$}  {}", colors.status(status, WIDEST), group[0].group(), colors.style(DIM, message))
}

/// Returns the hints of all problems, each once, numbered, the checks that gave them behind.
fn next_steps(report: &Report, colors: Colors) -> Vec<String> {
    let mut steps: Vec<(&str, Vec<&str>)> = Vec::new();
    // What fails comes before what only warns.
    for status in [Status::Err, Status::Warn] {
        for outcome in report.outcomes.iter().filter(|outcome| outcome.status == status) {
            let Some(hint) = outcome.hint.as_deref() else { continue };
            match steps.iter_mut().find(|(known, _)| *known == hint) {
                Some((_, names)) => names.push(&outcome.name),
                None => steps.push((hint, vec![&outcome.name])),
            }
        }
    }
    if steps.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), colors.style(BOLD, "Next steps")];
    for (number, (hint, names)) in steps.iter().enumerate() {
        let mut hint = hint.lines();
        let names = match names.as_slice() {
            [first, second, more @ ..] if more.len() > 1 => format!("({first}, {second} and {} more)", more.len()),
            names => format!("({})", names.join(", ")),
        };
        let names = colors.style(DIM, names);
        lines.push(format!("{:>3}. {}   {names}", number + 1, hint.next().unwrap_or_default()));
        lines.extend(hint.map(|line| format!("     {line}")));
    }
    lines
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

/// A check's line, its name padded to `width`, and the lines below it, with its hint.
#[must_use]
pub fn outcome(outcome: &Outcome, width: usize, verbose: bool, colors: Colors) -> Vec<String> {
    let mut lines = without_hint(outcome, width, verbose, colors);
    if matches!(outcome.status, Status::Warn | Status::Err) {
        lines.extend(outcome.hint.iter().flat_map(|hint| self::hint(hint, INDENT, colors)));
    }
    lines
}

fn without_hint(outcome: &Outcome, width: usize, verbose: bool, colors: Colors) -> Vec<String> {
    let Outcome { name, status, message, findings, output, .. } = outcome;
    let message = if *status == Status::Ok { colors.style(DIM, message) } else { message.clone() };
    let mut lines = vec![format!("{}   {name:<width$}  {message}", colors.status(*status, WIDEST))];
    let is_mixed = findings.iter().any(|found| found.status != *status);
    lines.extend(findings.iter().flat_map(|found| finding(found, is_mixed, colors)));
    let is_traceback = output.iter().any(|line| line == TRACEBACK);
    let shown = if is_traceback { 1 } else { LAST_LINES };
    let first = if verbose { 0 } else { output.len().saturating_sub(shown) };
    lines.extend(output[first..].iter().map(|line| format!("{INDENT}{} {line}", colors.style(DIM, "|"))));
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
    use crate::CheckName;
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
warn   env.portable     3 things
       warn: line 3: blank-inside
         python-dotenv  b c
         hint: A='b c'
       err: line 7: unterminated-quote
       warn: `B` is missing

skip   core    core.disk: `df` is not there

django
warn   django.check     1 warning
       security.W018: DEBUG
         hint: DEBUG=0
 err   django.database  no such table
       | Traceback
       |   boom

Next steps
  1. cargo xtask health --fix   (django.database)
  2. cargo xtask install   (env.portable)

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

␛[1mcore␛[0m
␛[2mskip␛[0m   core.disk        `df` is not there␛[2m  1034 ms␛[0m

␛[1mdjango␛[0m
␛[33mwarn␛[0m   django.check     1 warning␛[2m  640 ms␛[0m
       security.W018: DEBUG
         ␛[1mhint:␛[0m DEBUG=0
␛[31m err␛[0m   django.database  no such table␛[2m  645 ms␛[0m
       ␛[2m|␛[0m Traceback
       ␛[2m|␛[0m   boom

␛[1mNext steps␛[0m
  1. cargo xtask health --fix   ␛[2m(django.database)␛[0m
  2. cargo xtask install   ␛[2m(env.portable)␛[0m

␛[32m1 ok␛[0m, ␛[33m2 warn␛[0m, ␛[31m1 err␛[0m, ␛[2m1 skip␛[0m in 0.81 s
";
        check(&sample(), true, true, expected);
    }

    #[test]
    fn healthy_groups_have_a_line_each_and_equal_hints_are_one_step() {
        let ok = |name: &'static str| Outcome::ok(CheckName::known(name), "fine");
        let err = |name: &'static str| {
            let traceback = format!("{TRACEBACK}\n  File x\nKeyError: 'A'\n");
            Outcome::err(CheckName::known(name), "failed").output(&traceback).hint("cargo xtask install")
        };
        let outcomes = vec![
            ok("env.axes"),
            ok("env.file"),
            ok("core.uv"),
            Outcome::skip(CheckName::known("core.disk"), "no"),
            err("django.check"),
            err("django.database"),
        ];
        let expected = "
  ok   env     2 checks
  ok   core    2 checks, 1 skipped

django
 err   django.check     failed
       | KeyError: 'A'
 err   django.database  failed
       | KeyError: 'A'

Next steps
  1. cargo xtask install   (django.check, django.database)

3 ok, 0 warn, 2 err, 1 skip in 0.81 s
";
        let rendered = human(&Report { outcomes, ..empty() }, Colors { has_color: false }, false);
        let (_, groups) = rendered.split_once("default\nmode           dev      .env:4\n").expect("the axes");
        assert_eq!(groups, expected);
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
