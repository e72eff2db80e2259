//! The files of a Compose project against Compose itself, which reads them in the root folder. That needs no engine.

use std::path::Path;

use duct::cmd;
use project::{ComposeVariables, Project};

use crate::checkout::Checkout;

const SERVICE: &str = "services:\n  web:\n    image: \"x:${A:-no}-${B:-no}\"\n";

/// Checks that Compose has the same configuration with our options as by itself. Content stands after `=`; without it, a
/// file has a service of its own that is named after it.
#[track_caller]
fn check(files: &[&str], compose_file: Option<&str>) {
    let checkout = Checkout::empty();
    for file in files {
        let own = Path::new(file).file_name().unwrap_or_default().to_string_lossy().replace('.', "-");
        let content = || format!("{SERVICE}  {own}:\n    image: x\n  tools:\n    image: x\n    profiles: [tools]\n");
        let (name, content) =
            file.split_once('=').map_or_else(|| (*file, content()), |(name, it)| (name, it.to_owned()));
        checkout.write(name, &content);
    }
    let compose = |options: &[String]| {
        let words = ["compose".to_owned()].into_iter().chain(options.iter().cloned()).chain(["config".to_owned()]);
        let command = cmd("docker", words).dir(&checkout.root).stderr_null();
        let command = compose_file.into_iter().fold(command, |command, list| command.env("COMPOSE_FILE", list));
        command.read().unwrap_or_else(|error| panic!("{files:?} {options:?}: {error}"))
    };
    let mut project = Project::open(&checkout.root).expect("a project");
    project.compose_variables = ComposeVariables { file: compose_file.map(str::to_owned), ..Default::default() };
    let options = project.compose_files().expect("a Compose file").options();
    assert_eq!(compose(&options), compose(&[]), "{files:?} {options:?}");
}

pub(crate) fn as_compose_finds_them() {
    let env = ".env=A=root\nB=root\n";
    check(&["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml", env], None);
    check(&["docker-compose.yml", "docker-compose.yaml"], None);
    check(&["docker-compose.yml", "compose.override.yaml", "docker-compose.override.yml", env], None);
    check(&["compose.yml", "compose.override.yml", "compose.override.yaml"], None);
    check(&["compose.yml", ".env=COMPOSE_PROFILES=tools\nCOMPOSE_PROJECT_NAME=other\n"], None);
    let listed = ".env=A=root\nCOMPOSE_FILE=d/a.yml:b.yml\nCOMPOSE_PROJECT_NAME=other\nCOMPOSE_PROFILES=tools\n";
    check(&["compose.yml", "d/a.yml", "b.yml", listed], None);
    check(&["d/a.yml", "b.yml", "d/.env=A=beside\nB=beside\n", listed], None);
    check(&["a.yml", "b.yml", ".env=COMPOSE_PATH_SEPARATOR=;\nCOMPOSE_FILE=a.yml;b.yml\n"], None);
    check(&["d/a.yml", "b.yml", env, "d/.env=A=beside\n"], Some("d/a.yml:b.yml"));
}
