"""Applies pending migrations of the default database, and copies an SQLite file first: `python3 - RELEASE`.

Results are lines of JSON on standard output.
"""

import signal


def pending(connection):
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{step.app_label}.{step.name}" for step, _ in plan]


def sqlite_file(connection):
    """Returns the path of the database if it is a file that exists: connecting would create an empty one.

    In a release it can be a link, and copies belong beside the database itself.
    """
    name = os.path.realpath(str(connection.settings_dict["NAME"]))
    is_file = connection.vendor == "sqlite" and ":memory:" not in name and os.path.exists(name)
    return name if is_file else None


def report_each():
    """Reports each migration when it is applied: a later one can fail, or the script can be killed."""
    from django.db.migrations.executor import MigrationExecutor

    apply = MigrationExecutor.apply_migration

    def apply_migration(self, state, migration, *args, **kwargs):
        state = apply(self, state, migration, *args, **kwargs)
        answer(applied=[f"{migration.app_label}.{migration.name}"])
        return state

    MigrationExecutor.apply_migration = apply_migration


def main(release):
    # Cleans up, as after any other exit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not os.path.exists("manage.py"):
        return answer(no_manage_py=os.getcwd())
    set_up()
    from django.core.management import call_command
    from django.db import connection

    name = sqlite_file(connection)
    if pending(connection):
        if name:
            answer(copy=copy(name, release))
        report_each()
        call_command("migrate", interactive=False, verbosity=1)


main(sys.argv[1])
