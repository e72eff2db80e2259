"""Applies pending migrations of the default database, and copies an SQLite file first: `python3 - RELEASE`.

What comes of it is told in lines of JSON.
"""

import glob
import sqlite3

KEPT = 5


def pending(connection):
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{step.app_label}.{step.name}" for step, _ in plan]


def sqlite_file(connection):
    """The file of the database, if it is one and there already: who asks a question first makes an empty one."""
    name = str(connection.settings_dict["NAME"])
    is_file = connection.vendor == "sqlite" and ":memory:" not in name and os.path.exists(name)
    return name if is_file else None


def copy(name, release):
    """Uses SQLite's own backup, which includes data in the WAL."""
    target = f"{name}.before-{release}"
    partial = f"{name}.partial"
    try:
        with contextlib.closing(sqlite3.connect(name)) as source, contextlib.closing(sqlite3.connect(partial)) as backup:
            source.backup(backup)
        os.replace(partial, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(partial)
    for old in sorted(glob.glob(f"{glob.escape(name)}.before-*"))[:-KEPT]:
        os.remove(old)
    return target


def main(release):
    if not os.path.exists("manage.py"):
        return answer(no_manage_py=os.getcwd())
    set_up()
    from django.core.management import call_command
    from django.db import connection

    name = sqlite_file(connection)
    plan = pending(connection)
    if plan:
        if name:
            answer(copy=copy(name, release))
        call_command("migrate", interactive=False, verbosity=1)
    answer(applied=plan)


main(sys.argv[1])
