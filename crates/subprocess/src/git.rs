//! Git in the repository of the folder that it is started in.

use std::ffi::OsString;

use crate::Command;

/// The variables that belong to one repository, as `git rev-parse --local-env-vars` lists them, and those that newer
/// versions add. Git sets some of them for its hooks: with them, it would work on the repository of the hook.
const OF_A_REPOSITORY: [&str; 17] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

impl Command {
    /// Git, without the variables of the repository whose hook has started this process: it finds the repository by its
    /// folder.
    pub fn git<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> Self {
        OF_A_REPOSITORY.into_iter().fold(Command::new("git", args), Command::env_remove)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Deadline;

    #[test]
    fn the_variables_of_a_repository_are_those_of_git() {
        let deadline = Deadline::within(Duration::from_secs(60));
        let listed = Command::git(["rev-parse", "--local-env-vars"]).run(&deadline).expect("Git runs");
        let unknown: Vec<&str> = listed.stdout().lines().filter(|name| !OF_A_REPOSITORY.contains(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn a_variable_that_is_set_outlasts_its_removal() {
        let deadline = Deadline::within(Duration::from_secs(60));
        let config = [("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "user.name"), ("GIT_CONFIG_VALUE_0", "me")];
        let git = Command::git(["config", "user.name"]).envs(config);
        assert_eq!(git.run(&deadline).expect("Git runs").stdout(), "me\n");
    }
}
