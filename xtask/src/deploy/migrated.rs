//! What applying the migrations has come to, as the script tells it that both deployers run beside Django.

use checks::group::django::SET_UP;
use serde::Deserialize;

use super::record::Record;
use crate::ui::Ui;

/// The script itself. Its first argument is the id of the release.
pub(super) fn script() -> String {
    [SET_UP, "\n\n", include_str!("migrate.py")].concat()
}

/// What has been done to the database.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Migrated {
    /// Where it was copied to first.
    pub(super) copy: Option<String>,
    /// The migrations that were applied.
    pub(super) applied: Vec<String>,
    /// Where manage.py was looked for, if it is not there.
    pub(super) no_manage_py: Option<String>,
}

impl Migrated {
    /// The answers of the script, all in one.
    pub(super) fn told(stdout: &str) -> Self {
        let mut all = Migrated::default();
        for part in stdout.lines().filter_map(|line| serde_json::from_str::<Migrated>(line).ok()) {
            all.copy = all.copy.or(part.copy);
            all.applied.extend(part.applied);
            all.no_manage_py = all.no_manage_py.or(part.no_manage_py);
        }
        all
    }

    /// Tells what was applied, and keeps it in the record.
    pub(super) fn note(self, record: &mut Record, ui: &Ui) {
        if let [first, .., last] = self.applied.as_slice() {
            ui.note(format_args!("     {} applied, from {first} to {last}", self.applied.len()));
        } else {
            self.applied.iter().for_each(|migration| ui.note(format_args!("     {migration} applied")));
        }
        record.migrations = self.applied;
        record.database_copy = self.copy;
    }

    /// What is said of a copy where applying them has failed.
    pub(super) fn copy_told(&self) -> String {
        let told = |copy| format!("; the database as it was before is in `{copy}`");
        self.copy.as_deref().map(told).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Migrated;

    #[test]
    fn what_the_script_tells() {
        let all = Migrated::told("{\"copy\": \"/data/db.before-1\"}\nnoise\n{\"applied\": [\"shop.0002\"]}\n");
        assert_eq!((all.copy.as_deref(), all.applied.join(" ").as_str()), (Some("/data/db.before-1"), "shop.0002"));
        assert!(Migrated::told("{\"copy\": null}").copy.is_none());
    }
}
