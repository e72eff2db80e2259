"""Asks Django for everything that health and install want to know, in one interpreter start.

Read from standard input by `python - [--deploy]` in the folder of manage.py. The last line of standard output is one
JSON object; whatever the project itself prints goes to standard error.
"""

import contextlib
import json
import os
import runpy
import sys


def set_up():
    """Lets the project's manage.py find its settings, as every command would, without running a command."""
    import django
    import django.core.management

    sys.path.insert(0, os.getcwd())
    sys.argv = ["manage.py", "check"]
    django.core.management.execute_from_command_line = lambda argv=None: None
    with contextlib.suppress(SystemExit):  # Some end with `sys.exit(main())`.
        runpy.run_path("manage.py", run_name="__main__")
    django.setup()


def findings(deploy):
    from django.core import checks

    messages = checks.run_checks(include_deployment_checks=deploy)
    return [
        {"id": message.id or "", "level": message.level, "message": str(message.msg)}
        for message in messages
        if not message.is_silenced()
    ]


def pending_migrations():
    """The migrations of the default database that are not applied. Does not create a missing SQLite file."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor
    from django.db.migrations.loader import MigrationLoader

    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and ":memory:" not in name and not os.path.exists(name):
        return sorted(f"{app}.{migration}" for app, migration in MigrationLoader(None).disk_migrations)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def ask(deploy):
    set_up()
    from django.conf import settings
    from django.db import DatabaseError

    answer = {"check": findings(deploy), "pending": [], "database_error": None}
    try:
        answer["pending"] = pending_migrations()
    except (DatabaseError, OSError) as error:
        answer["database_error"] = " ".join(str(error).split())
    answer["static_root"] = str(settings.STATIC_ROOT) if settings.STATIC_ROOT else None
    readers = {"dotenv", "environ", "environs", "decouple", "dotenvs"}
    answer["reads_env_file"] = not readers.isdisjoint(sys.modules)
    return answer


answer_to = sys.stdout
with contextlib.redirect_stdout(sys.stderr):
    answer = ask("--deploy" in sys.argv)
print(json.dumps(answer), file=answer_to)
