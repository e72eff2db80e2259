//! The forms of a health report and the events of a deploy, validated against their schemas by other programs.

use std::fs;

use crate::checkout::Checkout;

/// Validates a report as JSON and as `JUnit`. `junitparser` is a second reader of the latter: its own counts equal
/// those in the file, and those in the JSON.
const VALIDATE: &str = r#"
import json, sys
import jsonschema, junitparser, xmlschema

with open(sys.argv[1], encoding="utf-8") as file:
    report = json.load(file)
with open("crates/checks/schema/health-1.schema.json", encoding="utf-8") as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
validator.validate(report)
assert not validator.is_valid(report | {"more": 1})
report["checks"][0]["status"] = "bad"
assert not validator.is_valid(report)

with open("crates/deploy/schema/deploy-1.schema.json", encoding="utf-8") as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
with open(sys.argv[3], encoding="utf-8") as file:
    lines = [json.loads(line) for line in file]
assert lines[0]["event"] == "started" and lines[-1]["event"] == "verdict", lines
for line in lines:
    validator.validate(line)
    assert not validator.is_valid(line | {"more": 1})

with open(sys.argv[2], encoding="utf-8") as file:
    text = file.read()
xsd = xmlschema.XMLSchema10("crates/checks/schema/junit.xsd")
xsd.validate(text)
assert not xsd.is_valid(text.replace("<testcase classname=", "<testcase class="))

junit = junitparser.JUnitXml.fromfile(sys.argv[2])
stated = junit.tests, junit.failures, junit.errors, sum(suite.skipped for suite in junit)
junit.update_statistics()
counted = junit.tests, junit.failures, junit.errors, junit.skipped
summary = report["summary"]
assert stated == counted == (sum(summary.values()), summary["err"], 0, summary["skip"]), (stated, counted, summary)
names = [f"{case.classname}.{case.name}" for suite in junit for case in suite]
assert names == [f"{check['group']}.{check['check']}" for check in report["checks"]], names
"#;

/// A report of a healthy checkout, of one whose `.env` is wrong, and of one with a pending migration.
pub(crate) fn valid() {
    let checkout = Checkout::of_this_workspace();
    checkout.install([]);
    let env = checkout.read(".env");
    check(&checkout, 0, &[]);

    let broken = env.replace("DJANGO_ENV=dev", "DJANGO_ENV=production") + "A=b c\n";
    assert_ne!(broken, env.clone() + "A=b c\n");
    checkout.write(".env", &broken);
    check(&checkout, 1, &[("axes", "err"), ("portable", "warn")]);

    checkout.write(".env", &env);
    fs::remove_file(checkout.root.join("service/data/db.sqlite3")).expect("the database was there");
    check(&checkout, 1, &[("migrations", "err")]);
}

/// Asks for both forms, one on stdout and one in a file, and has them validated.
#[track_caller]
fn check(checkout: &Checkout, code: i32, expected: &[(&str, &str)]) {
    let health = |args: &[&str]| {
        let command = checkout.xtask(["health"].into_iter().chain(args.iter().copied()));
        let output = command.stdout_capture().stderr_capture().stdin_null().unchecked().run().expect("it starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stdout = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(output.status.code(), Some(code), "{stdout}{stderr}");
        stdout
    };
    // Standard output is the report alone, or it would be no JSON.
    let json = health(&["--format", "json"]);
    checkout.write("health.json", &json);
    health(&["--format", "junit", "--output", "health.xml"]);
    let deploy = checkout.xtask(["deploy-systemd", "--dry-run", "--format", "json"]).stdin_null().unchecked();
    checkout.write("deploy.jsonl", &deploy.read().expect("it starts"));
    for (check, status) in expected {
        let messages = format!(r#""check":"{check}","status":"{status}""#);
        assert!(json.contains(&messages), "{check} is not {status}: {json}");
    }

    let packages = ["--with", "jsonschema", "--with", "xmlschema", "--with", "junitparser"];
    let uv = ["run", "--no-project"].into_iter().chain(packages);
    let validate = checkout.uv(".", uv.chain(["python", "-c", VALIDATE, "health.json", "health.xml", "deploy.jsonl"]));
    let output = validate.stderr_to_stdout().stdout_capture().unchecked().run().expect("uv starts");
    let messages = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{messages}\n{json}\n{}", checkout.read("health.xml"));
}
