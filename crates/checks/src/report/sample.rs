//! Reports for the tests of all forms.

use std::time::Duration;

use detect::{DeployMethod, Detected, Environment, Mode, Source};

use super::Report;
use crate::CheckName;
use crate::outcome::{Finding, Outcome, Status};

fn detected<T>(value: T, source: Source) -> Detected<T> {
    Detected { value, source, rejected: None, unanswered: None }
}

fn finding(status: Status, line: Option<usize>, message: &str, hint: Option<&str>) -> Finding {
    Finding { status, line, message: message.to_owned(), hint: hint.map(str::to_owned) }
}

fn report(outcomes: Vec<Outcome>) -> Report {
    Report {
        environment: detected(Environment::Dev, Source::EnvFile { line: 4 }),
        deploy_method: detected(DeployMethod::Bare, Source::Default),
        mode: detected(Mode::Dev, Source::EnvFile { line: 4 }),
        outcomes,
        elapsed: Duration::from_millis(812),
    }
}

/// Nothing was checked.
pub(super) fn empty() -> Report {
    report(Vec::new())
}

/// Every status, findings with and without a line, with and without a hint, and a program's output.
pub(super) fn sample() -> Report {
    let ms = Duration::from_millis;
    report(vec![
        Outcome { elapsed: ms(1), ..Outcome::ok(CheckName::known("env.file"), "`.env` is there, 9 variables") },
        Outcome {
            findings: vec![
                finding(Status::Warn, Some(3), "line 3: blank-inside\npython-dotenv  b c", Some("A='b c'")),
                finding(Status::Err, Some(7), "line 7: unterminated-quote", None),
                finding(Status::Warn, None, "`B` is missing", None),
            ],
            elapsed: ms(2),
            ..Outcome::warn(CheckName::known("env.portable"), "3 things").hint("cargo xtask install")
        },
        Outcome {
            elapsed: ms(1034),
            ..Outcome::skip(CheckName::known("core.disk"), "`df` is not there").hint("apt install coreutils")
        },
        Outcome {
            findings: vec![finding(Status::Warn, None, "security.W018: DEBUG", Some("DEBUG=0"))],
            elapsed: ms(640),
            ..Outcome::warn(CheckName::known("django.check"), "1 warning")
        },
        Outcome {
            elapsed: ms(645),
            ..Outcome::err(CheckName::known("django.database"), "no such table").output("Traceback\n  boom\n")
        }
        .hint("cargo xtask health --fix"),
    ])
}

/// Returns a report with the output of a hostile program, and a name from a hostile Compose file.
pub(super) fn nasty() -> Report {
    let message = "\x1b[31mred\x1b[0m <&> ]]> \"'\0\u{b}\u{85}\u{FFFE} 100% 🦀\r\na::b,c";
    let output = vec!["::error::no".to_owned(), "</failure>".to_owned()];
    let outcome = Outcome::err(CheckName::of_service(Some("a:b,c<\"%")), "");
    report(vec![Outcome { message: message.to_owned(), output, ..outcome }])
}
