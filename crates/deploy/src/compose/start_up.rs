//! The commands that a container starts with: those of the Compose file, those of the image, and the scripts that they name.

use std::fs;
use std::path::{Path, PathBuf};

use docker::compose::Service as Declared;

use super::changes::Change;
use super::client::{Client, QUICK};
use super::stack::Stack;
use crate::migrations::migrates;

/// Folders of a checkout that have no scripts of the project's own.
const SKIPPED: [&str; 5] = [".git", ".venv", ".xtask", "node_modules", "target"];
/// A script is looked for so many folders below the root.
const DEPTH: usize = 4;

/// Returns whether a service seems to migrate the database when it starts. Scripts are read in the checkout: one that only
/// the base image has is not found.
pub(super) fn migrates_at_start(client: &Client<'_>, stack: &Stack, change: &Change) -> bool {
    let image = change.image.as_deref().unwrap_or(&change.service.image);
    let words = words(stack.declared(&change.service), of_image(client, image));
    words.iter().any(|word| migrates(word) || runs_migrating_script(&client.project.root, word))
}

/// Returns the entrypoint of a service if a command such as the migrations can run through it: it may set the environment
/// of the code, and is a script of the checkout that ends in `exec "$@"`, and migrates nothing itself.
pub(super) fn passing_entrypoint(client: &Client<'_>, declared: &Declared, image: &str) -> Option<Vec<String>> {
    let words = declared.entrypoint().map_or_else(|| of_image(client, image).entrypoint, <[String]>::to_vec);
    let scripts: Vec<String> = words.iter().flat_map(|word| scripts(&client.project.root, word)).collect();
    let passes = |script: &String| ends_in_command(script) && !commands(script).any(migrates);
    (!scripts.is_empty() && scripts.iter().all(passes)).then_some(words)
}

/// Returns whether a script ends by running its arguments in its own place.
fn ends_in_command(script: &str) -> bool {
    let last = commands(script).map(str::trim).filter(|line| !line.is_empty()).last();
    last.is_some_and(|line| {
        line.starts_with("exec ") && [r#""$@""#, r#""${@}""#, "$@"].iter().any(|it| line.ends_with(it))
    })
}

/// The commands of an image: its `ENTRYPOINT` and its `CMD`. None of an image that is not there yet.
#[derive(Default)]
struct OfImage {
    entrypoint: Vec<String>,
    command: Vec<String>,
}

fn of_image(client: &Client<'_>, image: &str) -> OfImage {
    let format = "{{json .Config.Entrypoint}}\n{{json .Config.Cmd}}";
    let inspected = client.ask(&["image", "inspect", "--format", format, image], b"", QUICK);
    let Ok(inspected) = inspected else { return OfImage::default() };
    let mut lines = inspected.stdout().lines().map(|line| serde_json::from_str(line).unwrap_or_default());
    let mut next = || lines.next().flatten().unwrap_or_default();
    OfImage { entrypoint: next(), command: next() }
}

/// Returns the words of the command. An entrypoint of the Compose file replaces both commands of the image.
fn words(declared: &Declared, image: OfImage) -> Vec<String> {
    let declared_words = declared.start_command().map(str::to_owned);
    match (declared.entrypoint().is_some(), declared.sets_command()) {
        (true, _) => declared_words.collect(),
        (false, true) => image.entrypoint.into_iter().chain(declared_words).collect(),
        (false, false) => [image.entrypoint, image.command].concat(),
    }
}

/// Returns whether a word of a command names a script of the checkout that migrates the database.
fn runs_migrating_script(root: &Path, word: &str) -> bool {
    scripts(root, word).iter().any(|script| commands(script).any(migrates))
}

/// Returns the scripts of the checkout that a word of a command can name.
fn scripts(root: &Path, word: &str) -> Vec<String> {
    let is_script = |path: &Path| {
        let has_extension = path.extension().is_some_and(|extension| extension == "sh");
        has_extension || (word.contains('/') && path.extension().is_none())
    };
    let Some(name) = Path::new(word).file_name().filter(|_| is_script(Path::new(word))) else {
        return Vec::new();
    };
    let paths = files(root, DEPTH).into_iter().filter(|path| path.file_name() == Some(name));
    paths.filter_map(|path| fs::read_to_string(path).ok()).filter(|script| script.starts_with("#!")).collect()
}

/// Returns the lines of a script without its comments.
fn commands(script: &str) -> impl Iterator<Item = &str> {
    script.lines().filter(|line| !line.trim_start().starts_with('#'))
}

/// Returns the files of a folder and of those below it.
fn files(dir: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_dir {
            found.push(path);
        } else if depth > 0 && !SKIPPED.iter().any(|skipped| path.ends_with(skipped)) {
            found.extend(files(&path, depth - 1));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_start() {
        let check = |declared: &str, expected: &[&str]| {
            let declared: Declared = serde_json::from_str(declared).expect("a service");
            let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
            let image = OfImage { entrypoint: words(&["/entry.sh"]), command: words(&["gunicorn"]) };
            assert_eq!(super::words(&declared, image), expected);
        };
        check("{}", &["/entry.sh", "gunicorn"]);
        check(r#"{"entrypoint": null, "command": ["run"]}"#, &["/entry.sh", "run"]);
        check(r#"{"entrypoint": ["sh"], "command": ["run"]}"#, &["sh", "run"]);
        check(r#"{"entrypoint": ["sh"], "command": null}"#, &["sh"]);
    }

    #[test]
    fn scripts_that_migrate() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("inside")).expect("a folder");
            fs::write(path, text).expect("written");
        };
        write("docker/entrypoint.sh", "#!/bin/sh\npython manage.py migrate --noinput\nexec \"$@\"\n");
        write("docker/start", "#!/bin/bash\n# never migrate here\nexec gunicorn\n");
        write("migrate.sh", "no script\nmigrate\n");
        for (word, expected) in [
            ("/app/docker/entrypoint.sh", true),
            ("entrypoint.sh", true),
            ("/start", false),
            ("migrate.sh", false),
            ("gunicorn", false),
            ("/usr/bin/env", false),
        ] {
            assert_eq!(runs_migrating_script(dir.path(), word), expected, "{word}");
        }
    }

    #[test]
    fn entrypoints_that_run_their_arguments() {
        let check = |script: &str, expected: bool| assert_eq!(ends_in_command(script), expected, "{script}");
        check("#!/bin/sh\nset -e\n. /etc/app.env\nexec \"$@\"\n\n# the end\n", true);
        check("#!/bin/bash\nexport DATABASE_URL=\"postgres://$HOST/x\"\nexec tini -- \"${@}\"\n", true);
        check("#!/bin/sh\nexec $@", true);
        check("#!/bin/sh\nexec gunicorn shop.wsgi\n", false);
        check("#!/bin/sh\nexec \"$@\"\necho \"$@\"\n", false);
        check("", false);
    }
}
