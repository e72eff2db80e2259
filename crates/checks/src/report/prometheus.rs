//! The report as metrics of Prometheus, for the textfile collector of `node_exporter`.
//!
//! The form is that of the [text-based exposition
//! format](https://prometheus.io/docs/instrumenting/exposition_formats/).

use std::time::{SystemTime, UNIX_EPOCH};

use super::Report;
use crate::outcome::{Outcome, Status};

/// Renders a gauge for each check, one for each status with the number of checks, and the time of the run.
#[must_use]
pub fn prometheus(report: &Report, service: &str, now: SystemTime) -> String {
    let service = label(service);
    let mut lines = vec![
        "# HELP xtask_health_check Whether a check succeeded (1) or not (0); a warning is a success.".to_owned(),
        "# TYPE xtask_health_check gauge".to_owned(),
    ];
    for outcome in report.outcomes.iter().filter(|outcome| outcome.status != Status::Skip) {
        let Outcome { name, status, .. } = outcome;
        let (name, value) = (label(name), u8::from(*status != Status::Err));
        lines.push(format!("xtask_health_check{{service=\"{service}\",check=\"{name}\",status=\"{status}\"}} {value}"));
    }
    lines.push("# HELP xtask_health_checks The number of checks by their status.".to_owned());
    lines.push("# TYPE xtask_health_checks gauge".to_owned());
    for status in Status::ALL {
        let count = report.count(status);
        lines.push(format!("xtask_health_checks{{service=\"{service}\",status=\"{status}\"}} {count}"));
    }
    // A clock before 1970 is no clock.
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    lines.push("# HELP xtask_health_timestamp_seconds The time of the run.".to_owned());
    lines.push("# TYPE xtask_health_timestamp_seconds gauge".to_owned());
    lines.push(format!("xtask_health_timestamp_seconds{{service=\"{service}\"}} {seconds}"));
    lines.push(String::new());
    lines.join("\n")
}

/// Escapes the value of a label.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::sample::{nasty, sample};

    #[test]
    fn every_check_that_ran_is_a_metric() {
        let expected = r#"# HELP xtask_health_check Whether a check succeeded (1) or not (0); a warning is a success.
# TYPE xtask_health_check gauge
xtask_health_check{service="shop",check="env.file",status="ok"} 1
xtask_health_check{service="shop",check="env.portable",status="warn"} 1
xtask_health_check{service="shop",check="django.check",status="warn"} 1
xtask_health_check{service="shop",check="django.database",status="err"} 0
# HELP xtask_health_checks The number of checks by their status.
# TYPE xtask_health_checks gauge
xtask_health_checks{service="shop",status="ok"} 1
xtask_health_checks{service="shop",status="warn"} 2
xtask_health_checks{service="shop",status="err"} 1
xtask_health_checks{service="shop",status="skip"} 1
# HELP xtask_health_timestamp_seconds The time of the run.
# TYPE xtask_health_timestamp_seconds gauge
xtask_health_timestamp_seconds{service="shop"} 7
"#;
        assert_eq!(prometheus(&sample(), "shop", UNIX_EPOCH + Duration::from_secs(7)), expected);
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(label("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
        assert!(prometheus(&nasty(), "shop", UNIX_EPOCH).lines().all(|line| line.starts_with(['#', 'x'])));
    }
}
