//! The report when all is well, and the forms that it takes.

use snapbox::str;

use super::{WELL, healthy};
use crate::sandbox::Sandbox;
use crate::uv::SETTLED;

#[test]
fn help() {
    Sandbox::project().check(
        "health --help",
        0,
        str![[r#"
Check the health of the service, and show how to fix problems

The checks depend on both axes: `env` always; `core`, `django` and, in dev, `dev` with `bare`;
`docker` with `docker`; `systemd` with `bare` where the unit is installed. All checks run at the
same time; nothing is changed without `--fix`. `--list` names them all.

Exit status: 0 no check ended in `err`, 1 some did, 2 wrong usage, 6 another run is at work (with
`--fix`), 130 interrupted.

Usage: cargo xtask health [OPTIONS]

Options:
      --format <FORMAT>
          The form of the report

          Possible values:
          - human:      For people
          - json:       For programs: one line, described by
            crates/checks/schema/health-1.schema.json
          - junit:      For the test view of a CI server
          - github:     Annotations for GitHub Actions
          - markdown:   A table of the problems, for the summary of a step in GitHub Actions
          - prometheus: Metrics, for the textfile collector of Prometheus' `node_exporter`
          
          [default: human]

      --output <FILE>
          Write the report to a file instead of standard output; `-` is standard output

      --only <NAME>
          Only these groups or checks

      --skip <NAME>
          Not these groups or checks

      --strict
          Fail on warnings, too

      --timeout <DURATION>
          How long one check may take, such as 10s or 500ms
          
          [default: 10s]

      --deadline <DURATION>
          How long all of them may take
          
          [default: 30s]

      --wait <DURATION>
          Retry failed checks until all succeed or this time is over; an attempt that has begun is
          finished

      --list
          List the checks: the subject of each, and whether it would run here

      --fix
          Fix problems without losing anything: the mode of `.env`, keys that only the sample has,
          `uv sync`, `migrate`; asks first, and in prod needs `--yes`

  -h, --help
          Print help (see a summary with '-h')

Options of every command:
      --project <DIR>
          The checkout to work on; this one otherwise

      --yes
          Ask nothing: use the default of each question, which is `no` where data could be lost

      --dry-run
          Print the plan and change nothing

  -v, --verbose
          Show the output of every step

      --color <WHEN>
          When to use colours; `auto` heeds `NO_COLOR`
          
          [default: auto]
          [possible values: auto, always, never]

"#]],
        str![],
    );
}

#[test]
fn all_is_well() {
    healthy().check(
        "health",
        0,
        str![[r#"
environment    dev      .env:1
deploy method  bare     .env:2
mode           dev      .env:1

  ok   env     7 checks, 1 skipped
  ok   core    6 checks
  ok   django  4 checks
skip   dev     dev.hooks: the project has no hook configuration

16 ok, 0 warn, 0 err, 2 skip in [TIME]

"#]],
        str![],
    );
}

#[test]
fn every_form() {
    let sandbox = healthy();
    sandbox.write(".env", format!("{WELL}GREETING=hello world\n"));
    sandbox.check("health --only env,dev --format json", 0, str![[r#"
{"schema":1,"environment":{"value":"dev","source":".env:1"},"deploy_method":{"value":"bare","source":".env:2"},"mode":"dev","summary":{"ok":5,"warn":1,"err":0,"skip":2},"elapsed_ms":[MS],"checks":[{"group":"env","check":"axes","status":"ok","message":"dev (.env:1), bare (.env:2)","hint":null,"elapsed_ms":[MS]},{"group":"env","check":"file","status":"ok","message":"`.env` is there, 11 variables","hint":null,"elapsed_ms":[MS]},{"group":"env","check":"mode","status":"ok","message":"600: no other user can read it","hint":null,"elapsed_ms":[MS]},{"group":"env","check":"ignored","status":"skip","message":"command not found: `git`","hint":null,"elapsed_ms":[MS]},{"group":"env","check":"sample","status":"ok","message":"every variable of `.env.sample` is there","hint":null,"elapsed_ms":[MS]},{"group":"env","check":"portable","status":"warn","message":"1 line is read differently by bash/n`.env` line 11: `GREETING`: blank-inside/npython-dotenv  hello world/nbash           executes a part of it","hint":"GREETING='hello world'","elapsed_ms":[MS]},{"group":"env","check":"matrix","status":"ok","message":"holds what dev+bare needs","hint":null,"elapsed_ms":[MS]},{"group":"dev","check":"hooks","status":"skip","message":"the project has no hook configuration","hint":null,"elapsed_ms":[MS]}]}

"#]], str![]);
    sandbox.check(
        "health --only env,dev --format junit",
        0,
        str![[r#"
<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="health" tests="8" failures="0" errors="0" time="[SECONDS]">
  <testsuite name="env" tests="7" failures="0" errors="0" skipped="1" time="[SECONDS]">
    <properties>
      <property name="environment" value="dev"/>
      <property name="deploy_method" value="bare"/>
      <property name="mode" value="dev"/>
    </properties>
    <testcase classname="env" name="axes" time="[SECONDS]"/>
    <testcase classname="env" name="file" time="[SECONDS]"/>
    <testcase classname="env" name="mode" time="[SECONDS]"/>
    <testcase classname="env" name="ignored" time="[SECONDS]">
      <skipped message="command not found: `git`"/>
    </testcase>
    <testcase classname="env" name="sample" time="[SECONDS]"/>
    <testcase classname="env" name="portable" time="[SECONDS]">
      <system-out>1 line is read differently by bash
`.env` line 11: `GREETING`: blank-inside
python-dotenv  hello world
bash           executes a part of it
hint: GREETING=&apos;hello world&apos;</system-out>
    </testcase>
    <testcase classname="env" name="matrix" time="[SECONDS]"/>
  </testsuite>
  <testsuite name="dev" tests="1" failures="0" errors="0" skipped="1" time="[SECONDS]">
    <properties>
      <property name="environment" value="dev"/>
      <property name="deploy_method" value="bare"/>
      <property name="mode" value="dev"/>
    </properties>
    <testcase classname="dev" name="hooks" time="[SECONDS]">
      <skipped message="the project has no hook configuration"/>
    </testcase>
  </testsuite>
</testsuites>

"#]],
        str![],
    );
    sandbox.check("health --only env,dev --format github", 0, str![[r#"
::warning file=.env,line=11,title=env.portable::`.env` line 11: `GREETING`: blank-inside%0Apython-dotenv  hello world%0Abash           executes a part of it%0Ahint: GREETING='hello world'
5 ok, 1 warn, 0 err, 2 skip in [TIME]

"#]], str![]);
    sandbox.check(
        "health --only env,dev --format human --color always",
        0,
        str![[r#"
environment    [1mdev     [0m [2m.env:1[0m
deploy method  [1mbare    [0m [2m.env:2[0m
mode           [1mdev     [0m [2m.env:1[0m

[1menv[0m
[33mwarn[0m   env.portable  1 line is read differently by bash
       `.env` line 11: `GREETING`: blank-inside
         python-dotenv  hello world
         bash           executes a part of it
         [1mhint:[0m GREETING='hello world'

[2mskip[0m   dev  [2mdev.hooks: the project has no hook configuration[0m

[32m5 ok[0m, [33m1 warn[0m, [2m0 err[0m, [2m2 skip[0m in [TIME]

"#]],
        str![],
    );
    sandbox.check("health --only env.portable --format github --strict", 1, str![[r#"
::error file=.env,line=11,title=env.portable::`.env` line 11: `GREETING`: blank-inside%0Apython-dotenv  hello world%0Abash           executes a part of it%0Ahint: GREETING='hello world'
0 ok, 1 warn, 0 err, 0 skip in [TIME]

"#]], str![]);
}

#[test]
fn a_file_takes_the_report() {
    let sandbox = healthy();
    sandbox.check(
        "health --only env.file --output report.txt",
        0,
        str![],
        str![[r#"
1 ok, 0 warn, 0 err, 0 skip in [TIME]: `report.txt`

"#]],
    );
    assert_eq!(sandbox.read("report.txt").lines().count(), 7);
    sandbox.check(
        "health --only env.file --output no/such/report.txt",
        2,
        str![],
        str![[r#"
error: cannot write `no/such/report.txt`: No such file or directory (os error 2)

"#]],
    );
}

/// The picture of README.md.
#[test]
fn a_report_on_a_terminal() {
    let sandbox = Sandbox::project().relink(".venv", "venv-behind").file(".env", format!("{SETTLED}GREETING=a b\n"));
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(sandbox.root().join(".env"), owner_only).expect("ours");
    let report = sandbox.here("health --color always").assert().code(1);
    report.stdout_eq(snapbox::file!["../../../../docs/health.svg": TermSvg]);
}
