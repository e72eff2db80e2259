//! `cargo xtask health` without a terminal: the report, the selection of checks, and the exit code.

mod broken;
mod chosen;
mod fix;
mod hanging;
mod report;
mod unreadable;

use std::os::unix::fs::PermissionsExt;

use crate::sandbox::Sandbox;

/// A `.env` that is well in dev+bare.
const WELL: &str = "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\nDJANGO_DEBUG=1\nDJANGO_SECRET_KEY=\nDJANGO_ALLOWED_HOSTS=\n\
                    CELERY_TASK_ALWAYS_EAGER=1\nCELERY_BROKER_URL=\nDATABASE_PATH=\nMONITORING_TOKEN=\n\
                    TRUSTED_PROXIES=\n";

/// A project that is installed and well.
fn healthy() -> Sandbox {
    let sandbox = Sandbox::project().file(".env", WELL);
    mode(&sandbox, ".env", 0o600);
    sandbox
}

fn mode(sandbox: &Sandbox, name: &str, mode: u32) {
    std::fs::set_permissions(sandbox.root().join(name), std::fs::Permissions::from_mode(mode)).expect("changed");
}
