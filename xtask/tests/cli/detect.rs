//! `cargo xtask detect`.

use snapbox::str;

use crate::sandbox::Sandbox;

#[test]
fn everything_with_its_source() {
    let sandbox = Sandbox::project().file(".env", "# x\nDJANGO_ENV=prod\nDEPLOY_METHOD=docker\n");
    sandbox.check("detect", 0, str![], str![]);
    sandbox.check("detect --format json", 0, str![], str![]);
}

#[test]
fn without_a_file_it_is_dev_and_bare() {
    let sandbox = Sandbox::project().shims(&["docker"]);
    sandbox.check("detect", 0, str![], str![]);
}

#[test]
fn one_word_for_scripts() {
    let sandbox = Sandbox::project().file(".env", "DJANGO_ENV=Prod\nDEPLOY_METHOD=bare\n");
    sandbox.check("detect env", 0, str![], str![]);
    sandbox.check("detect method", 0, str![], str![]);
    sandbox.check("detect mode", 0, str![], str![]);
    sandbox.check("detect mode --format json", 0, str![], str![]);
}

#[test]
fn what_was_passed_over_is_said_on_standard_error() {
    let sandbox =
        Sandbox::project().file(".env", "DJANGO_ENV=production\nDEPLOY_METHOD=systemd\n").shims(&["docker-down"]);
    sandbox.check("detect method", 0, str![], str![]);
    sandbox.check("detect", 0, str![], str![]);
}

#[test]
fn projects_that_are_none() {
    let sandbox = Sandbox::empty();
    sandbox.check("detect", 2, str![], str![]);
    sandbox.write("manage.py", "");
    sandbox.write("Cargo.toml", "[workspace.metadata.service]\nservice-directory = 'x'\n");
    sandbox.check("detect", 2, str![], str![]);
}
