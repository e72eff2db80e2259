//! The report for a CI server's view of tests: `JUnit` XML, as `schema/junit.xsd` describes it.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use detect::Source;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::{Report, full_text};
use crate::outcome::{Outcome, Status};

type Xml = Writer<Vec<u8>>;

/// The whole report: a suite a group, a test a check. With `strict`, a warning is a failure.
///
/// # Errors
/// None is known; the writer leaves it to the run whether all of the XML gets into memory.
pub fn junit(report: &Report, strict: bool) -> io::Result<String> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let [tests, failures, errors, _] = counts(&report.outcomes, strict);
    let attributes: [Attribute; 5] = [("name", "health".into()), tests, failures, errors, time(report.elapsed)];
    xml.create_element("testsuites").with_attributes(attributes).write_inner_content(|xml| {
        let mut groups = report.outcomes.chunk_by(|one, other| one.group() == other.group());
        groups.try_for_each(|outcomes| suite(xml, report, outcomes, strict))
    })?;
    let document = String::from_utf8(xml.into_inner()).map_err(io::Error::other)?;
    Ok(document.replace(is_unfit, "\u{FFFD}") + "\n")
}

/// Whether XML 1.0 forbids the character, even as an escape, or advises against it, as for all that steer a terminal.
fn is_unfit(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{FFFE}' | '\u{FFFF}')
}

/// The checks of a group. As they run at the same time, the group takes as long as its slowest.
fn suite(xml: &mut Xml, report: &Report, outcomes: &[Outcome], strict: bool) -> io::Result<()> {
    let group = outcomes.first().map(Outcome::group).unwrap_or_default();
    let slowest = outcomes.iter().map(|outcome| outcome.elapsed).max().unwrap_or_default();
    let [tests, failures, errors, skipped] = counts(outcomes, strict);
    let attributes: [Attribute; 6] = [("name", group.into()), tests, failures, errors, skipped, time(slowest)];
    xml.create_element("testsuite").with_attributes(attributes).write_inner_content(|xml| {
        xml.create_element("properties").write_inner_content(|xml| {
            for (name, value) in [
                ("environment", report.environment.value.as_str()),
                ("deploy_method", report.deploy_method.value.as_str()),
                ("mode", report.mode.value.as_str()),
            ] {
                let value = if report.environment.source == Source::Unreadable { "unknown" } else { value };
                xml.create_element("property").with_attributes([("name", name), ("value", value)]).write_empty()?;
            }
            Ok(())
        })?;
        outcomes.iter().try_for_each(|outcome| case(xml, outcome, strict))
    })?;
    Ok(())
}

fn case(xml: &mut Xml, outcome: &Outcome, strict: bool) -> io::Result<()> {
    let attributes: [Attribute; 3] =
        [("classname", outcome.group().into()), ("name", outcome.check().into()), time(outcome.elapsed)];
    let element = xml.create_element("testcase").with_attributes(attributes);
    if outcome.status == Status::Ok {
        element.write_empty()?;
        return Ok(());
    }
    element.write_inner_content(|xml| {
        let first_line = ("message", outcome.message.lines().next().unwrap_or_default());
        let text = full_text(outcome);
        let text = BytesText::new(&text);
        match outcome.status {
            Status::Skip => xml.create_element("skipped").with_attribute(first_line).write_empty()?,
            status if status.is_failure(strict) => {
                let attributes = [("type", status.as_str()), first_line];
                xml.create_element("failure").with_attributes(attributes).write_text_content(text)?
            }
            _ => xml.create_element("system-out").write_text_content(text)?,
        };
        Ok(())
    })?;
    Ok(())
}

type Attribute<'a> = (&'a str, Cow<'a, str>);

/// How many tests there are, and how many of them have failed, could not be run, and were skipped. There are none that
/// could not be run: for a check, to give no answer is to fail.
fn counts(outcomes: &[Outcome], strict: bool) -> [Attribute<'static>; 4] {
    let failures = outcomes.iter().filter(|outcome| outcome.status.is_failure(strict)).count();
    let skipped = outcomes.iter().filter(|outcome| outcome.status == Status::Skip).count();
    [("tests", outcomes.len()), ("failures", failures), ("errors", 0), ("skipped", skipped)]
        .map(|(name, count)| (name, count.to_string().into()))
}

fn time(elapsed: Duration) -> Attribute<'static> {
    ("time", format!("{:.3}", elapsed.as_secs_f64()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{empty, nasty, sample};

    #[track_caller]
    fn check(report: &Report, strict: bool, expected: &str) {
        assert_eq!(junit(report, strict).expect("written"), expected);
    }

    const SAMPLE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="health" tests="5" failures="1" errors="0" time="0.812">
  <testsuite name="env" tests="2" failures="0" errors="0" skipped="0" time="0.002">
    <properties>
      <property name="environment" value="dev"/>
      <property name="deploy_method" value="bare"/>
      <property name="mode" value="dev"/>
    </properties>
    <testcase classname="env" name="file" time="0.001"/>
    <testcase classname="env" name="portable" time="0.002">
      <system-out>3 things
line 3: blank-inside
python-dotenv  b c
line 7: unterminated-quote
`B` is missing
hint: cargo xtask install
A=&apos;b c&apos;</system-out>
    </testcase>
  </testsuite>
  <testsuite name="core" tests="1" failures="0" errors="0" skipped="1" time="1.034">
    <properties>
      <property name="environment" value="dev"/>
      <property name="deploy_method" value="bare"/>
      <property name="mode" value="dev"/>
    </properties>
    <testcase classname="core" name="disk" time="1.034">
      <skipped message="`df` is not there"/>
    </testcase>
  </testsuite>
  <testsuite name="django" tests="2" failures="1" errors="0" skipped="0" time="0.645">
    <properties>
      <property name="environment" value="dev"/>
      <property name="deploy_method" value="bare"/>
      <property name="mode" value="dev"/>
    </properties>
    <testcase classname="django" name="check" time="0.640">
      <system-out>1 warning
security.W018: DEBUG
hint: DEBUG=0</system-out>
    </testcase>
    <testcase classname="django" name="database" time="0.645">
      <failure type="err" message="no such table">no such table
Traceback
  boom
hint: cargo xtask health --fix</failure>
    </testcase>
  </testsuite>
</testsuites>
"#;

    #[test]
    fn every_status_is_reported() {
        check(&sample(), false, SAMPLE);
    }

    #[test]
    fn with_strict_warnings_fail() {
        let strict = SAMPLE
            .replace(r#"tests="5" failures="1""#, r#"tests="5" failures="3""#)
            .replace(r#"tests="2" failures="1""#, r#"tests="2" failures="2""#)
            .replace(r#"tests="2" failures="0""#, r#"tests="2" failures="1""#)
            .replace("<system-out>3 things", r#"<failure type="warn" message="3 things">3 things"#)
            .replace("<system-out>1 warning", r#"<failure type="warn" message="1 warning">1 warning"#)
            .replace("</system-out>", "</failure>");
        check(&sample(), true, &strict);
    }

    #[test]
    fn an_empty_report_is_a_document() {
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="health" tests="0" failures="0" errors="0" time="0.812">
</testsuites>
"#;
        check(&empty(), false, expected);
    }

    #[test]
    fn characters_that_xml_forbids_are_replaced() {
        let expected = [
            r##"<?xml version="1.0" encoding="UTF-8"?>"##,
            r##"<testsuites name="health" tests="1" failures="1" errors="0" time="0.812">"##,
            r##"  <testsuite name="docker" tests="1" failures="1" errors="0" skipped="0" time="0.000">"##,
            r##"    <properties>"##,
            r##"      <property name="environment" value="dev"/>"##,
            r##"      <property name="deploy_method" value="bare"/>"##,
            r##"      <property name="mode" value="dev"/>"##,
            r##"    </properties>"##,
            r##"    <testcase classname="docker" name="service.a:b,c&lt;&quot;%" time="0.000">"##,
            concat!(
                r##"      <failure type="err" message="�[31mred�[0m &lt;&amp;&gt; ]]&gt; &quot;&apos;���� 100% 🦀">�[31mred�[0m &lt;&amp;&gt; ]]&gt; &quot;&apos;���� 100% 🦀"##,
                "\r"
            ),
            r##"a::b,c"##,
            r##"::error::no"##,
            r##"&lt;/failure&gt;</failure>"##,
            r##"    </testcase>"##,
            r##"  </testsuite>"##,
            r##"</testsuites>"##,
            r##""##,
        ];
        check(&nasty(), false, &expected.join("\n"));
    }

    #[test]
    fn xml_has_its_own_idea_of_a_character() {
        let fit = ['\t', '\n', '\r', ' ', '\u{A0}', '\u{D7FF}', '\u{E000}', '\u{FFFD}', '\u{10000}', '\u{10FFFF}'];
        assert_eq!(fit.map(is_unfit), [false; 10]);
        let unfit = ['\0', '\u{8}', '\u{B}', '\u{C}', '\u{1B}', '\u{1F}', '\u{7F}', '\u{9B}', '\u{FFFE}', '\u{FFFF}'];
        assert_eq!(unfit.map(is_unfit), [true; 10]);
    }
}
