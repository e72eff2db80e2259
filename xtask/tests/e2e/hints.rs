//! Every hint of a health report is run as it is printed, in the state that has printed it: the finding is gone then.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use duct::cmd;

use crate::checkout::{Checkout, without_uv};

/// A change of a healthy checkout, with the check that reports it.
type State = (&'static str, fn(&Checkout));

const STATES: [State; 7] = [
    ("env.mode", |checkout| {
        fs::set_permissions(checkout.root.join(".env"), Permissions::from_mode(0o644)).expect("the owner may");
    }),
    ("env.file", |checkout| fs::remove_file(checkout.root.join(".env")).expect("removed")),
    ("env.axes", |checkout| checkout.edit(".env", "DJANGO_ENV=dev", "DJANGO_ENV=production")),
    ("env.sample", |checkout| checkout.edit(".env", "\nMONITORING_TOKEN=\n", "\n")),
    ("core.venv", |checkout| fs::remove_dir_all(checkout.root.join("service/.venv")).expect("removed")),
    ("core.lock", |checkout| {
        let site = checkout.root.join("service/.venv/bin/python");
        let remove = "import shutil, pathlib, psutil\n\
                      for it in pathlib.Path(psutil.__file__).parent.parent.glob('psutil*'): shutil.rmtree(it)";
        cmd!(site, "-c", remove).run().expect("Python runs");
    }),
    ("django.migrations", |checkout| {
        fs::remove_file(checkout.root.join("service/data/db.sqlite3")).expect("removed");
    }),
];

/// Returns the status of a check and its hint.
fn ask(checkout: &Checkout, check: &str) -> (String, String) {
    let command = checkout.xtask(["health", "--format", "json", "--only", check]);
    let printed = command.stdout_capture().stderr_null().stdin_null().unchecked().read().expect("a report");
    let report: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    let text = |key: &str| report["checks"][0][key].as_str().unwrap_or_default().to_owned();
    (text("status"), text("hint"))
}

pub(crate) fn fix_what_they_report() {
    let checkout = Checkout::of_this_workspace();
    checkout.install([]);
    for (check, change) in STATES {
        assert_eq!(ask(&checkout, check).0, "ok", "{check} before the change");
        change(&checkout);
        let (status, hint) = ask(&checkout, check);
        assert!(status == "err" || status == "warn", "{check} is {status}");
        // A second command stands after "or".
        let command = hint.split(", or ").next().unwrap_or_default();
        let binary = env!("CARGO_BIN_EXE_xtask");
        // On a terminal, the operator consents.
        let consent = if command.ends_with("--fix") { " --yes" } else { "" };
        let typed = command.replace("cargo xtask", &format!("'{binary}'")) + consent;
        let run = without_uv(cmd!("sh", "-c", &typed)).dir(&checkout.root).stdin_null();
        let output = run.stderr_to_stdout().stdout_capture().unchecked().run().expect("sh runs");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(ask(&checkout, check).0, "ok", "{check} after `{typed}`: {printed}");
    }
}
