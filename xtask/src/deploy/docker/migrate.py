"""Applies what is pending in the default database, and copies an SQLite file first: `python3 - RELEASE`.

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


def copy(connection, release):
    """By SQLite's own backup: what others have just written is in it, in the WAL or not."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor != "sqlite" or ":memory:" in name or not os.path.exists(name):
        return None
    target = f"{name}.before-{release}"
    with contextlib.closing(sqlite3.connect(name)) as source, contextlib.closing(sqlite3.connect(target)) as backup:
        source.backup(backup)
    for old in sorted(glob.glob(f"{glob.escape(name)}.before-*"))[:-KEPT]:
        os.remove(old)
    return target


def main(release):
    if not os.path.exists("manage.py"):
        return answer(no_manage_py=os.getcwd())
    set_up()
    from django.core.management import call_command
    from django.db import connection

    plan = pending(connection)
    if plan:
        answer(copy=copy(connection, release))
        call_command("migrate", interactive=False, verbosity=1)
    answer(applied=plan)


main(sys.argv[1])
