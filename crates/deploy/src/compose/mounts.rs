//! Code that is mounted from the checkout: a container runs it as it is there, whatever its image has. An older container
//! runs the newer code too, so that no rollback brings the older one back.

use std::fs;
use std::path::{Path, PathBuf};

use detect::Environment;

use super::client::Client;
use super::stack::{Role, Stack};
use crate::failure::Problem;

/// Files that stand for a folder of code, besides those of Python.
const CODE: [&str; 2] = ["manage.py", "pyproject.toml"];
/// Folders that have no code of the project.
const SKIPPED: [&str; 5] = [".git", ".venv", ".xtask", "node_modules", "target"];
/// Code is looked for so many folders below a mounted one.
const DEPTH: usize = 2;

/// Returns the problem of each service that runs mounted code: errors in prod, and warnings in dev, as the second value.
pub(super) fn problems(stack: &Stack, client: &Client<'_>, environment: Environment) -> (Vec<Problem>, Vec<Problem>) {
    let root = &client.project.root;
    let mut problems = Vec::new();
    for service in stack.services.iter().filter(|service| !matches!(service.role, Role::Backing | Role::Proxy)) {
        let binds = stack.declared(service).volumes.iter().filter(|mount| mount.kind == "bind");
        let sources = binds.filter_map(|mount| mount.source.as_deref().map(PathBuf::from));
        for source in sources.filter(|source| is_in(source, root) && has_code(source, DEPTH)) {
            let shown = match client.project.relative(&source) {
                path if path.as_os_str().is_empty() => Path::new("."),
                path => path,
            };
            let message = format!(
                "`{}` runs the code in `{}` of the checkout, which is mounted over the one in its image: it changes \
                 without a deploy, and cannot be rolled back",
                service.name,
                shown.display()
            );
            let hint = "remove this entry of `volumes` in prod, for instance into a compose.override.yaml of dev: the image \
                        has the code";
            problems.push(Problem::new(message).hint(hint));
        }
    }
    match environment {
        Environment::Prod => (problems, Vec::new()),
        Environment::Dev => (Vec::new(), problems),
    }
}

/// Returns whether a path is the checkout, in it, or a folder around it.
fn is_in(path: &Path, root: &Path) -> bool {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.starts_with(root) || root.starts_with(&path)
}

/// Returns whether a path is a file of code, or a folder with some.
fn has_code(path: &Path, depth: usize) -> bool {
    let is_code = |path: &Path| {
        path.extension().is_some_and(|extension| extension == "py") || CODE.iter().any(|name| path.ends_with(name))
    };
    if !path.is_dir() {
        return is_code(path);
    }
    let paths = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let (folders, files): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
    let mut searched = folders.iter().filter(|folder| !SKIPPED.iter().any(|skipped| folder.ends_with(skipped)));
    files.iter().any(|file| is_code(file)) || (depth > 0 && searched.any(|folder| has_code(folder, depth - 1)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use project::secret::Secrets;
    use project::{ComposeFiles, Project};

    use super::*;

    /// Mounts a path of the checkout into the web service and into a proxy, and compares the folders that are named.
    #[track_caller]
    fn check(source: &str, expected: &[&str]) {
        let dir = tempfile::tempdir().expect("a folder");
        for file in
            ["manage.py", "shop/urls.py", "media/a.png", "nginx/site.conf", "src/a/b/c.py", "static/node_modules/x.py"]
        {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().expect("inside")).expect("a folder");
            fs::write(path, "").expect("written");
        }
        let project = Project::open(dir.path()).expect("a project");
        let path = project.root.join(source);
        let volumes = format!(
            r#""volumes": [{{"type": "bind", "source": "{}", "target": "/a"}},
                           {{"type": "volume", "source": "data", "target": "/data"}}]"#,
            path.display()
        );
        let config = format!(
            r#"{{"services": {{"web": {{"build": {{}}, {volumes}}}, "nginx": {{"image": "nginx", {volumes}}}}}}}"#
        );
        let stack = Stack::of(serde_json::from_str(&config).expect("JSON"), &project.settings).expect("a stack");
        let (files, secrets, stop) = (ComposeFiles::default(), Secrets::default(), Arc::default());
        let client = Client { project: &project, files, secrets, stop };
        let (errors, warnings) = problems(&stack, &client, Environment::Prod);
        let named: Vec<&str> = errors.iter().filter_map(|problem| problem.message.split('`').nth(3)).collect();
        assert_eq!((named.as_slice(), warnings.len()), (expected, 0), "{source}");
        let (errors, warnings) = problems(&stack, &client, Environment::Dev);
        assert_eq!((errors.len(), warnings.len()), (0, expected.len()), "{source}");
    }

    #[test]
    fn mounted_code_is_found() {
        check("", &["."]);
        check("shop", &["shop"]);
        check("shop/urls.py", &["shop/urls.py"]);
        check("src", &["src"]);
        check("media", &[]);
        check("nginx/site.conf", &[]);
        check("static", &[]);
        check("no/such/folder", &[]);
        check("/usr/lib", &[]);
    }
}
