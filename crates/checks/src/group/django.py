"""Asks Django for everything that health and install want to know, in one interpreter start.

Read from standard input by `python -B - [--deploy]` in the folder of manage.py. Each part of the answer is a line of
JSON on standard output, printed as soon as it is known: a database that hangs takes nothing else with it.
"""

import contextlib
import json
import os
import runpy
import sys
import threading

# Whatever else is printed, by the project or by programs that it starts, goes to standard error.
answer_to = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
turn = threading.Lock()
told = set()


def answer(**part):
    with turn:
        print(json.dumps(part), file=answer_to, flush=True)
        told.update(part)


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


def tell_settings():
    from django.conf import settings

    readers = {"dotenv", "environ", "environs", "decouple", "dotenvs"}
    answer(
        settings={
            "static_root": str(settings.STATIC_ROOT) if settings.STATIC_ROOT else None,
            "reads_env_file": not readers.isdisjoint(sys.modules),
        }
    )


def tell_checks(deploy):
    from django.core import checks

    messages = checks.run_checks(include_deployment_checks=deploy)
    answer(
        check=[
            {
                "id": message.id or "",
                "level": message.level,
                "message": str(message.msg),
                "hint": str(message.hint) if message.hint else None,
            }
            for message in messages
            if not message.is_silenced()
        ]
    )


def tell_database():
    from django.db import DatabaseError, connection

    try:
        answer(database=database(connection))
    except (DatabaseError, OSError) as error:
        answer(database={"error": " ".join(str(error).split()), "pending": []})
    finally:
        connection.close()


def database(connection):
    """The migrations of the default database that are not applied. Does not create a missing SQLite file."""
    from django.db.migrations.executor import MigrationExecutor
    from django.db.migrations.loader import MigrationLoader

    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and ":memory:" not in name and not os.path.exists(name):
        migrations = MigrationLoader(None).disk_migrations
        pending = sorted(f"{app}.{migration}" for app, migration in migrations)
        return {"error": "the database file is not there yet", "pending": pending}
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return {"error": None, "pending": [f"{step.app_label}.{step.name}" for step, _ in plan]}


deploy = "--deploy" in sys.argv
set_up()
tell_settings()
# A connection belongs to its thread. What hangs there must not keep the rest from being told.
asked = threading.Thread(target=tell_database, daemon=True)
asked.start()
try:
    tell_checks(deploy)
finally:
    asked.join()
if "database" not in told:  # The thread has shown why, and has failed alone.
    sys.exit(1)
