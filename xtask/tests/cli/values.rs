//! Values that cannot work, and files that are not in UTF-8: refused with the reason, and nothing is changed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use snapbox::str;

use crate::sandbox::Sandbox;

#[test]
fn hosts_and_brokers_that_cannot_work_are_refused() {
    let sandbox = Sandbox::project();
    sandbox.check(
        "install --yes --env prod --method bare --set DJANGO_ALLOWED_HOSTS=https://shop.example.org \
         --set CELERY_BROKER_URL=redis://h:notaport/0",
        2,
        str![""],
        str![[r#"
warning: systemd does not run here: `deploy-systemd` will need it
  ok   preflight  python3 is 3.12.1, uv 9.9.9
error: `--set`: `DJANGO_ALLOWED_HOSTS` has a host with a scheme: write the name alone, such as `example.org`
error: `--set`: `CELERY_BROKER_URL` has a port that is not a number from 0 to 65535

"#]],
    );
    sandbox.check(
        "install --yes --env dev --method bare --set DJANGO_ALLOWED_HOSTS=shop.example.org",
        2,
        str![""],
        str![[r#"
  ok   preflight  python3 is 3.12.1, uv 9.9.9
error: `--set`: `DJANGO_ALLOWED_HOSTS` has neither `localhost` nor `127.0.0.1`: the page on this machine answers 400

"#]],
    );
    assert!(!sandbox.has(".env"));
}

#[test]
fn health_reports_values_that_cannot_work() {
    let env = "DJANGO_ENV=prod\nDEPLOY_METHOD=bare\nDJANGO_DEBUG=0\nDJANGO_SECRET_KEY=abcdefghijabcdefghijabcdefghijabcdefghijabcdefghij\n\
               DJANGO_ALLOWED_HOSTS=example.org:8000\nCELERY_BROKER_URL='redis://:te#st@h:6379/0'\nCELERY_TASK_ALWAYS_EAGER=0\n";
    let sandbox = Sandbox::project().file(".env", env);
    sandbox.check("health --only env.matrix", 1, str![[r#"
environment    prod     .env:1
deploy method  bare     .env:2
mode           prod     .env:1

env
 err   env.matrix  2 variables do not have the values that prod+bare needs
       `.env` line 5: `DJANGO_ALLOWED_HOSTS` has a host with a port, which is not compared: write the name alone, such as `example.org`
       `.env` line 6: `CELERY_BROKER_URL` has a `/`, `?` or `#` in its password: write it as `%2F`, `%3F` or `%23`

Next steps
  1. cargo xtask install --project '[ROOT]' --set DJANGO_ALLOWED_HOSTS=… --set CELERY_BROKER_URL=…   (env.matrix)

0 ok, 0 warn, 1 err, 0 skip in [TIME]

"#]], str![""]);
}

fn is_copy(entry: Result<&fs::DirEntry, &std::io::Error>) -> bool {
    entry.is_ok_and(|entry| entry.file_name().to_string_lossy().ends_with(".utf-8"))
}

/// Each encoding, in each command that reads the file.
#[test]
fn a_file_in_another_encoding_is_refused_and_stays_as_it_is() {
    let wide: Vec<u8> = "\u{feff}DJANGO_ENV=prod\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [wide.as_slice(), b"DJANGO_ENV=prod\nNAME=caf\xe9\n"] {
        let sandbox = Sandbox::project().file(".env", bytes);
        for args in ["detect", "detect env", "install --yes", "install --yes --dry-run", "health --fix --yes"] {
            let output = sandbox.xtask(args).assert().code(1);
            let output = output.get_output();
            let printed = [output.stdout.as_slice(), &output.stderr].concat();
            let printed = String::from_utf8_lossy(&printed);
            assert!(printed.contains("expected UTF-8, found ") && printed.contains("iconv -f "), "{args}: {printed}");
        }
        let path = sandbox.root().join(".env");
        assert_eq!(fs::read(&path).expect("there"), bytes);
        // The command of the hint repairs it, also behind a link, and keeps its mode.
        fs::rename(&path, sandbox.root().join("env")).expect("moved");
        symlink("env", &path).expect("linked");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("ours");
        let output = sandbox.xtask("detect env").output().expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let (_, command) = stderr.split_once("hint: ").expect("a hint");
        duct::cmd!("sh", "-c", command).run().expect("it succeeds");
        sandbox.check("detect env", 0, "prod\n", "");
        let kept = fs::symlink_metadata(&path).expect("there");
        assert!(kept.is_symlink());
        assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(sandbox.root()).expect("a folder").filter(|it| is_copy(it.as_ref())).count(), 0);
    }
    let sandbox = Sandbox::project().file(".env", wide);
    sandbox.check("detect", 1, str![""], str![[r#"
error: `[ROOT]/.env` line 1: expected UTF-8, found UTF-16: no program reads that
hint: (umask 077; iconv -f UTF-16 -t UTF-8 '[ROOT]/.env' >'[ROOT]/.env.utf-8') && cat '[ROOT]/.env.utf-8' >'[ROOT]/.env' && rm '[ROOT]/.env.utf-8'

"#]]);
    sandbox.check("health --only env.axes,env.file", 1, str![[r#"
environment    unknown: `.env` cannot be read
deploy method  unknown: `.env` cannot be read
mode           unknown: `.env` cannot be read

env
 err   env.file  `[ROOT]/.env` line 1: expected UTF-8, found UTF-16: no program reads that

Next steps
  1. (umask 077; iconv -f UTF-16 -t UTF-8 '[ROOT]/.env' >'[ROOT]/.env.utf-8') && cat '[ROOT]/.env.utf-8' >'[ROOT]/.env' && rm '[ROOT]/.env.utf-8'   (env.file)

0 ok, 0 warn, 1 err, 1 skip in [TIME]

"#]], str![""]);
}

/// A secret of a sample counts as missing in prod: it is replaced, and reported where it stays.
#[test]
fn secrets_of_samples_count_as_missing() {
    let env = "DJANGO_ENV=prod\nDEPLOY_METHOD=bare\nDJANGO_DEBUG=0\nDJANGO_SECRET_KEY=your-secret-key-here\n\
               DJANGO_ALLOWED_HOSTS=example.org\nCELERY_BROKER_URL=redis://localhost\nCELERY_TASK_ALWAYS_EAGER=0\n";
    let sandbox = Sandbox::project().file(".env", env);
    sandbox.check("health --only env.matrix", 1, str![[r#"
environment    prod     .env:1
deploy method  bare     .env:2
mode           prod     .env:1

env
 err   env.matrix  1 variable does not have the value that prod+bare needs
       `.env` line 4: `DJANGO_SECRET_KEY` has the value of a sample, which is public

Next steps
  1. python3 -c 'import secrets; print("DJANGO_SECRET_KEY=" + secrets.token_urlsafe(50))' | cargo xtask install --project '[ROOT]' --answers -   (env.matrix)

0 ok, 0 warn, 1 err, 0 skip in [TIME]

"#]], str![""]);
    // Nor is it an answer.
    sandbox.write("answers", "DJANGO_SECRET_KEY=changeme\n");
    sandbox.check(
        "install --yes --no-deploy --answers answers",
        2,
        str![""],
        str![[r#"
warning: systemd does not run here: `deploy-systemd` will need it
  ok   preflight  python3 is 3.12.1, uv 9.9.9
error: `answers` line 1: `DJANGO_SECRET_KEY` has the value of a sample, which is public

"#]],
    );
    assert_eq!(sandbox.read(".env"), env);
    sandbox.xtask("install --yes --no-deploy").assert().code(0);
    let changed = sandbox.read(".env");
    assert!(!changed.contains("your-secret-key-here"), "{changed}");
    assert_eq!(changed.lines().filter(|line| !env.contains(line)).count(), 1, "{changed}");
    sandbox.xtask("health --only env.matrix").assert().code(0);
}

/// Secrets under names that do not reveal them, in lines that the report shows.
#[test]
fn secrets_are_in_no_format() {
    let secrets = ["aCcoUntS3cr3t", "x9YzQ2w7Lk3Pq8Rt5Vb1Nm4", "glpat-0123456789abcdefghij", "hunter22"];
    let [account, hook, token, password] = secrets;
    let env = format!(
        "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\nSTORAGE=AccountName=shop;AccountKey={account}==;Suffix=x\n\
         HOOK=https://hooks.example/services/T0/{hook} # a;b\nGIT={token};x\nDJANGO_DB_PW={password};$x\n"
    );
    let sandbox = Sandbox::project().file(".env", &env);
    let mut runs: Vec<String> =
        ["human", "json", "junit", "github"].map(|format| format!("health --only env --format {format}")).to_vec();
    runs.push("install --yes --dry-run --env prod --method docker --set DJANGO_ALLOWED_HOSTS=example.org".to_owned());
    for args in runs {
        let output = sandbox.xtask(&args).output().expect("it runs");
        let printed = [output.stdout.as_slice(), &output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        for secret in secrets {
            assert!(!printed.contains(secret), "{args} shows {secret}: {printed}");
        }
    }
    for secret in
        ["STORAGE=AccountKey=abc=", "HOOK=https://h.example/x9YzQ2w7Lk3Pq8Rt5Vb1Nm4", "GIT=glpat-0123456789abcdefghij"]
    {
        let output = sandbox.xtask(&format!("install --yes --set {secret}")).assert().code(2);
        let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert!(stderr.contains("holds a secret, which others would see"), "{stderr}");
    }
}
