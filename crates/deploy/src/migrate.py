"""Applies pending migrations of the default database, and copies an SQLite file first: `python3 - RELEASE`.

Results are lines of JSON on standard output.
"""


def pending(connection):
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{step.app_label}.{step.name}" for step, _ in plan]


def sqlite_file(connection):
    """Returns the path of the database if it is a file that exists: connecting would create an empty one."""
    name = str(connection.settings_dict["NAME"])
    is_file = connection.vendor == "sqlite" and ":memory:" not in name and os.path.exists(name)
    return name if is_file else None


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
