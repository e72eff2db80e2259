//! This repository as a newcomer finds it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use duct::cmd;

use crate::checkout::{Checkout, answer, without_uv};
use crate::server::Server;

/// The main use, typed as in the README: cargo, an alias, and only Python besides.
pub(crate) fn serves() {
    let checkout = Checkout::of_this_workspace();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fresh-checkout");
    let install = || {
        let command = cmd!("cargo", "xtask", "install", "--yes").env("CARGO_TARGET_DIR", &target);
        // From a folder deep inside, not from the root.
        let command = without_uv(command).dir(checkout.root.join("service/config"));
        let output = command.stderr_to_stdout().stdout_capture().stdin_null().unchecked().run().expect("cargo starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        text
    };

    install();
    let mode = checkout.root.join(".env").metadata().expect("written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(checkout.value("DJANGO_ENV").as_deref(), Some("dev"));
    assert_eq!(checkout.value("DEPLOY_METHOD").as_deref(), Some("bare"));
    cmd!("git", "init", "-q").dir(&checkout.root).run().expect("git answers");
    let would_add = cmd!("git", "add", "--dry-run", ".").dir(&checkout.root).read().expect("git answers");
    for own in ["'.env'", ".xtask", ".venv", "db.sqlite3"] {
        assert!(!would_add.contains(own), "{own} is not ignored by Git: {would_add}");
    }

    let before = checkout.read(".env");
    let second = install();
    assert!(second.contains("nothing had to be changed"), "{second}");
    assert_eq!(checkout.read(".env"), before);
    assert_eq!(rows(&checkout), "1", "install takes the first sample, and no other");

    let server = Server::start(|address| {
        checkout.uv(".", ["run", "--project", "service", "service/manage.py", "runserver", "--noreload", address])
    });
    assert_eq!(server.get("/healthz").0, 200);
    let (status, ready) = server.get("/readyz");
    assert_eq!(status, 200, "{ready}");
    assert_eq!(server.request("POST", "/samples").0, 202);
    // The server takes samples as well.
    let rows: u32 = rows(&checkout).parse().expect("a number");
    assert!(rows >= 2, "{rows}");
    let (status, page) = server.get("/");
    assert_eq!(status, 200);
    assert!(page.contains("<svg"), "{page}");
    drop(server);
    backs_up(&checkout);
}

/// A backup is restored, and that is undone; a file that is no backup, or a damaged one, changes nothing.
fn backs_up(checkout: &Checkout) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let count = || rows(checkout);
    let backup = file("one.tar.gz");
    let (output, code) = checkout.run(["backup", &backup]);
    assert_eq!((output.contains("1 database or file"), code), (true, 0), "{output}");
    assert_eq!(checkout.run(["backup", &backup]).1, 2, "it overwrites no file");
    assert_eq!(checkout.run(["--dry-run", "backup"]).1, 0);
    let before = count();
    assert_eq!(checkout.manage(["take_sample"]).stdout_null().run().map(|it| it.status.success()).ok(), Some(true));
    let after = count();
    assert_ne!(before, after);

    let bytes = fs::read(&backup).expect("readable");
    let hostile = "import io, sys, tarfile\n\
                   with tarfile.open(sys.argv[1], 'w:gz') as archive: archive.addfile(tarfile.TarInfo('media/../../x'), io.BytesIO())";
    cmd!("python3", "-c", hostile, file("hostile.tar.gz")).run().expect("Python runs");
    let mut flipped = bytes.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0xff;
    fs::write(file("flipped.tar.gz"), flipped).expect("written");
    fs::write(file("short.tar.gz"), &bytes[..middle]).expect("written");
    fs::write(file("text.tar.gz"), "no archive").expect("written");
    for name in ["hostile", "flipped", "short", "text"] {
        let (output, code) = checkout.run(["restore", "--replace-data", &file(&format!("{name}.tar.gz"))]);
        assert_eq!((code, count()), (3, after.clone()), "{name}: {output}");
    }
    assert_eq!(checkout.run(["restore", "--yes", &backup]).1, 3, "it needs consent");

    let (output, code) = checkout.run(["restore", "--replace-data", &backup]);
    assert_eq!((code, count()), (0, before), "{output}");
    let undo = fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.path());
    let undo = undo.into_iter().find(|path| path.to_string_lossy().contains("before-restore")).expect("the way back");
    let (output, code) = checkout.run(["restore", "--replace-data", &undo.display().to_string()]);
    assert_eq!((code, count()), (0, after), "{output}");
}

fn rows(checkout: &Checkout) -> String {
    let code = "from monitoring.models import Sample; print(Sample.objects.count())";
    let (rows, code) = answer(&checkout.manage(["shell", "-v0", "-c", code]), "");
    assert_eq!(code, 0, "{rows}");
    rows.trim().to_owned()
}

/// The same checkout goes through all four combinations, and back.
pub(crate) fn every_combination() {
    let checkout = Checkout::of_this_workspace();
    checkout.install([]);
    let key = checkout.value("DJANGO_SECRET_KEY").expect("generated");
    assert_eq!(key.len(), 64);
    let manage = |args: &[&str], stdin| answer(&checkout.manage(args.iter().copied()), stdin);
    assert_eq!(manage(&["check"], ""), ("System check identified no issues (0 silenced).\n".to_owned(), 0));
    assert_eq!(manage(&["no_such_command"], ""), (String::new(), 1));
    let code = "import os, sys; print(os.environ['DJANGO_SECRET_KEY']); sys.exit(7)";
    assert_eq!(manage(&["shell", "-v0"], code), (format!("{key}\n"), 7));

    let prod = ["--env", "prod", "--no-deploy", "--set", "DJANGO_ALLOWED_HOSTS=example.org"];
    let output = checkout.install(prod.into_iter().chain([
        "--method",
        "bare",
        "--set",
        "CELERY_BROKER_URL=redis://localhost:6379/0",
    ]));
    for (variable, value) in [
        ("DJANGO_ENV", "prod"),
        ("DJANGO_DEBUG", "0"),
        ("DJANGO_SECRET_KEY", &key),
        ("DJANGO_ALLOWED_HOSTS", "example.org"),
        ("CELERY_BROKER_URL", "redis://localhost:6379/0"),
        ("CELERY_TASK_ALWAYS_EAGER", "0"),
    ] {
        assert_eq!(checkout.value(variable).as_deref(), Some(value), "{variable}");
    }
    assert!(!output.contains(&key), "the key is shown: {output}");
    assert!(checkout.root.join("service/.venv/bin/gunicorn").exists(), "the extra `prod` is not installed");
    assert!(!checkout.root.join("service/.venv/bin/pytest").exists(), "development tools are installed in prod");
    // The units run in a release.
    assert!(output.contains("no `migrate` and no `collectstatic` here: `deploy-systemd` does both"), "{output}");
    assert!(!checkout.root.join("service/staticfiles").exists(), "static files that nobody serves");

    checkout.install(prod.into_iter().chain(["--method", "docker"]));
    assert_eq!(checkout.value("DEPLOY_METHOD").as_deref(), Some("docker"));
    checkout.install(["--env", "dev", "--method", "docker", "--no-deploy"]);
    assert_eq!(checkout.value("DJANGO_ENV").as_deref(), Some("dev"));
    checkout.install(["--env", "dev", "--method", "bare"]);
    assert_eq!(checkout.run(["detect", "mode"]).0, "dev\n");
}

/// A signal during a step ends with the `.env` of before.
pub(crate) fn interrupted() {
    let checkout = Checkout::of_this_workspace();
    // Django's start raises the signal in the installer above it, so that it comes in the middle of a step for certain.
    let raise = r#"
import os, pathlib, signal

def installer(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    is_it = pathlib.Path(f"/proc/{pid}/comm").read_text() == "xtask\n"
    return pid if is_it else installer(int(stat.rpartition(")")[2].split()[1]))

os.kill(installer(os.getpid()), signal.Signals[os.environ["E2E_SIGNAL"]])
"#;
    let settings = checkout.read("service/config/settings.py");
    checkout.write("service/config/settings.py", &format!("{raise}{settings}"));
    let install = |signal: &str| {
        let command = checkout.xtask(["install", "--yes"]).env("E2E_SIGNAL", signal);
        let output = command.stderr_to_stdout().stdout_capture().stdin_null().unchecked().run().expect("it starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(130), "{signal}: {text}");
        text
    };

    let text = install("SIGINT");
    assert!(text.contains("the new `.env` is removed again"), "{text}");
    assert!(!checkout.root.join(".env").exists());

    let before = "# mine\nDJANGO_DEBUG=1\n";
    checkout.write(".env", before);
    for signal in ["SIGINT", "SIGTERM", "SIGHUP"] {
        let text = install(signal);
        assert!(text.contains("`.env` is as it was"), "{text}");
        assert_eq!(checkout.read(".env"), before);
    }
}

/// The output of a failing program is shown, with its secrets redacted.
pub(crate) fn failing_step() {
    let checkout = Checkout::of_this_workspace();
    let migration = "import os\nraise RuntimeError('no way with ' + os.environ['DJANGO_SECRET_KEY'])\n";
    checkout.write("service/monitoring/migrations/9999_broken.py", migration);
    let (output, code) = checkout.run(["install", "--yes"]);
    assert_eq!(code, 1, "{output}");
    assert!(output.contains("no way with ********") && output.contains("9999_broken.py"), "{output}");
    let key = checkout.value("DJANGO_SECRET_KEY").expect("the answers are kept");
    assert!(!output.contains(&key), "the key is shown: {output}");
}

/// The service's own tests, with a real Redis and a real worker.
pub(crate) fn tests_of_the_service() {
    let checkout = Checkout::of_this_workspace();
    checkout.install([]);
    for args in [
        ["run", "--no-sync", "pytest", "-q"].as_slice(),
        &["run", "--no-sync", "ruff", "check", "."],
        &["run", "--no-sync", "ruff", "format", "--check", "."],
        &["run", "--no-sync", "manage.py", "makemigrations", "--check", "--dry-run"],
    ] {
        let command = checkout.uv("service", args.iter().copied()).stderr_to_stdout().stdout_capture().unchecked();
        let output = command.run().expect("uv starts");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
}
