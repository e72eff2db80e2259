//! The result of the migrations, as the script reports it that both backends run next to Django.

use checks::group::django::SET_UP;
use serde::Deserialize;
use subprocess::quoted;

use crate::event::Events;
use crate::failure::Problem;
use crate::record::Record;

/// The script itself. Its first argument is the id of the release.
pub(crate) fn script() -> String {
    [SET_UP, "\n\n", include_str!("database_copy.py"), "\n\n", include_str!("migrate.py")].concat()
}

/// Returns whether a command seems to migrate the database: one that a service starts with does so without a copy, and
/// without a record.
pub(crate) fn migrates(command: &str) -> bool {
    command.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "migrate")
}

/// Returns the warning about a service with such a command, which may hold secrets and is not shown.
pub(crate) fn hidden(service: &str) -> Problem {
    let message = format!(
        "`{service}` has `migrate` in a command or script that it starts with: this migrates the database without a copy \
         and without a record"
    );
    Problem::new(message).hint("remove it: a deploy applies pending migrations before the cut-over")
}

/// Returns the journals of a database file, as words of a command. One that is left of the database that a copy replaces
/// would be applied to the copy.
pub(crate) fn journals(database: &str) -> String {
    ["-journal", "-wal", "-shm"].map(|end| quoted(&format!("{database}{end}"))).join(" ")
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
    pub(crate) fn note(&self, record: &mut Record, events: &Events<'_>) {
        if let [first, .., last] = self.applied.as_slice() {
            events.note(format!("{} applied, from {first} to {last}", self.applied.len()));
        } else {
            self.applied.iter().for_each(|migration| events.note(format!("{migration} applied")));
        }
        record.migrations.clone_from(&self.applied);
        if self.copy.is_some() {
            record.database_copy.clone_from(&self.copy);
        }
    }

    /// Returns the place of the copy, as a part of a message about a failed migration.
    pub(crate) fn copy_note(&self) -> String {
        let note = |copy| format!("; the database from before them is in `{copy}`");
        self.copy.as_deref().map(note).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    use subprocess::{Command, Deadline};

    use super::{Migrations, SET_UP, journals, migrates};

    const TIMEOUT: Duration = Duration::from_secs(600);

    /// Runs the functions of the script for the copy of a database, and then `code`, in a folder.
    #[track_caller]
    fn python(dir: &Path, code: &str) -> String {
        let script = [SET_UP, "\n\n", include_str!("database_copy.py"), "\n\n", code].concat();
        let finished = Command::new("python3", ["-c", &script]).dir(dir).run(&Deadline::within(TIMEOUT));
        let finished = finished.expect("python3 runs");
        assert!(finished.is_success(), "{}", finished.stderr());
        finished.stdout().trim().to_owned()
    }

    const MAKE: &str = "with contextlib.closing(sqlite3.connect('db.sqlite3')) as made:\n    \
                        made.executescript('create table a (b); insert into a values (7)')\n";

    /// Makes a database and copies it for a release; returns the names of all files then.
    fn copied(dir: &Path, release: &str) -> String {
        python(dir, &format!("{MAKE}answer(copy=copy('db.sqlite3', '{release}'))"));
        let names = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("readable").file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names.join(" ")
    }

    #[test]
    fn migrations_in_start_up_commands_are_found() {
        assert!(migrates("sh -c python manage.py migrate --noinput && gunicorn app"));
        assert!(migrates("-/opt/shop/.venv/bin/django-admin migrate"));
        assert!(!migrates("/opt/shop/premigrated") && !migrates("gunicorn app --migrates"));
    }

    #[test]
    fn a_copy_has_the_mode_and_the_rows_of_the_database() {
        let dir = tempfile::tempdir().expect("a folder");
        python(dir.path(), MAKE);
        let database = dir.path().join("db.sqlite3");
        fs::set_permissions(&database, Permissions::from_mode(0o600)).expect("ours");
        let rows = python(
            dir.path(),
            "path = copy('db.sqlite3', '20260101T000000Z-abc1234-dirty')\n\
             answer(rows=sqlite3.connect(path).execute('select b from a').fetchall())",
        );
        assert_eq!(rows, r#"{"rows": [[7]]}"#);
        let copy = dir.path().join("db.sqlite3.before-20260101T000000Z-abc1234-dirty");
        assert_eq!(copy.metadata().expect("there").mode() & 0o777, 0o600);
    }

    #[test]
    fn only_copies_of_this_tool_are_removed_and_never_the_newest() {
        let dir = tempfile::tempdir().expect("a folder");
        // The operator's files, and copies that a wrong clock has dated into the future.
        let foreign = ["db.sqlite3.before-import", "db.sqlite3.before-1.9-upgrade", "db.sqlite3.before-2026"];
        let future = ["1", "2", "3", "4", "5"].map(|second| format!("db.sqlite3.before-20990101T00000{second}Z"));
        for name in foreign.iter().copied().chain(future.iter().map(String::as_str)) {
            let file = fs::File::create(dir.path().join(name)).expect("created");
            file.set_modified(SystemTime::now() + Duration::from_secs(3600)).expect("set");
        }
        let names = copied(dir.path(), "20260101T000000Z");
        assert_eq!(names.matches("before-2099").count(), 4, "{names}");
        assert!(foreign.iter().all(|name| names.contains(name)), "{names}");
        assert!(names.contains("db.sqlite3.before-20260101T000000Z"), "{names}");
        assert!(!names.contains("partial"), "{names}");
    }

    #[test]
    fn a_file_in_the_place_of_the_copy_is_not_overwritten() {
        let dir = tempfile::tempdir().expect("a folder");
        python(dir.path(), MAKE);
        fs::write(dir.path().join("db.sqlite3.partial"), "the operator's").expect("written");
        python(dir.path(), "copy('db.sqlite3', '20260101T000000Z')");
        assert_eq!(fs::read_to_string(dir.path().join("db.sqlite3.partial")).expect("there"), "the operator's");
    }

    #[test]
    fn a_copy_that_the_disk_has_no_space_for_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        python(dir.path(), MAKE);
        let code = "shutil.disk_usage = lambda _: shutil._ntuple_diskusage(1, 1, 0)\ntry:\n    copy('db.sqlite3', 'x')\n\
                    except SystemExit as refused:\n    answer(refused=str(refused), left=os.listdir())";
        let refused = python(dir.path(), code);
        assert!(refused.contains("no space for a copy of db.sqlite3: it needs "), "{refused}");
        assert!(refused.contains(r#""left": ["db.sqlite3"]"#), "{refused}");
    }

    #[test]
    fn writers_go_on_while_a_copy_is_made() {
        let dir = tempfile::tempdir().expect("a folder");
        // A write during each of the first steps starts the copy over; in the end it is complete all the same.
        let code = r#"
PAGES = 1
writer = sqlite3.connect("db.sqlite3", isolation_level=None)
for _ in range(200):
    writer.execute("insert into a values (randomblob(4000))")

class Source:
    real, writes = sqlite3.connect("db.sqlite3"), 0

    def backup(self, target, progress=None, **more):
        def written(*state):
            self.writes += 1
            writer.execute("insert into a values (1)")
            progress(*state)

        self.real.backup(target, progress=progress and written, **more)

def count(database):
    return database.execute("select count(*) from a").fetchone()[0]

source, target = Source(), sqlite3.connect("copy")
back_up(source, target)
answer(is_complete=count(target) == count(writer), wrote=source.writes > 1)
"#;
        assert_eq!(python(dir.path(), &[MAKE, code].concat()), r#"{"is_complete": true, "wrote": true}"#);
    }

    #[test]
    fn every_file_of_a_database_is_removed_before_it_is_restored() {
        assert_eq!(journals("/data/db.sqlite3"), "/data/db.sqlite3-journal /data/db.sqlite3-wal /data/db.sqlite3-shm");
        assert!(journals("/two words/db").starts_with("'/two words/db-journal' "));
    }

    #[test]
    fn results_of_the_script_are_parsed() {
        let all = Migrations::parse("{\"copy\": \"/data/db.before-1\"}\nnoise\n{\"applied\": [\"shop.0002\"]}\n");
        assert_eq!((all.copy.as_deref(), all.applied.join(" ").as_str()), (Some("/data/db.before-1"), "shop.0002"));
        assert!(Migrations::parse("{\"copy\": null}").copy.is_none());
    }
}
