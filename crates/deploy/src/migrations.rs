//! The result of the migrations, as the script reports it that both backends run next to Django.

use checks::group::django::SET_UP;
use serde::Deserialize;

use crate::event::Events;
use crate::record::Record;

/// The script itself. Its first argument is the id of the release.
pub(crate) fn script() -> String {
    [SET_UP, "\n\n", include_str!("migrate.py")].concat()
}

/// The changes of the database.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Migrations {
    /// Where it was copied to first.
    pub(crate) copy: Option<String>,
    /// The migrations that were applied.
    pub(crate) applied: Vec<String>,
    /// Where manage.py was looked for, if it is not there.
    pub(crate) no_manage_py: Option<String>,
}

impl Migrations {
    /// The answers of the script, all in one.
    pub(crate) fn parse(stdout: &str) -> Self {
        let mut all = Migrations::default();
        for part in stdout.lines().filter_map(|line| serde_json::from_str::<Migrations>(line).ok()) {
            all.copy = all.copy.or(part.copy);
            all.applied.extend(part.applied);
            all.no_manage_py = all.no_manage_py.or(part.no_manage_py);
        }
        all
    }

    /// Emits the applied migrations, and adds them to the record.
    pub(crate) fn note(self, record: &mut Record, events: &Events<'_>) {
        if let [first, .., last] = self.applied.as_slice() {
            events.note(format!("{} applied, from {first} to {last}", self.applied.len()));
        } else {
            self.applied.iter().for_each(|migration| events.note(format!("{migration} applied")));
        }
        record.migrations = self.applied;
        record.database_copy = self.copy;
    }

    /// Returns the place of the copy, as a part of a message about a failed migration.
    pub(crate) fn copy_note(&self) -> String {
        let note = |copy| format!("; the database from before them is in `{copy}`");
        self.copy.as_deref().map(note).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Migrations;

    #[test]
    fn results_of_the_script_are_parsed() {
        let all = Migrations::parse("{\"copy\": \"/data/db.before-1\"}\nnoise\n{\"applied\": [\"shop.0002\"]}\n");
        assert_eq!((all.copy.as_deref(), all.applied.join(" ").as_str()), (Some("/data/db.before-1"), "shop.0002"));
        assert!(Migrations::parse("{\"copy\": null}").copy.is_none());
    }
}
