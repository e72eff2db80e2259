"""Asks Django for everything that health and install want to know, in one interpreter start.

Read from standard input, behind django_setup.py, by `python -B - NAMES [--deploy]` in the folder of manage.py, where
NAMES is JSON: the names of the variables by their meaning. Each part of the answer is told as soon as it is known: a
database that hangs takes nothing else with it.
"""

import re
import threading
import urllib.parse

names = json.loads(sys.argv[1])
is_database_told = threading.Event()


def tell_settings():
    from django.conf import settings

    answer(
        settings={
            "static_root": str(settings.STATIC_ROOT) if settings.STATIC_ROOT else None,
            "arrived": arrived(settings),
        }
    )


def arrived(settings):
    """Returns for each variable that is set whether the settings have its value; without the values themselves."""
    on, off = {"1", "true", "yes", "on", "t", "y"}, {"0", "false", "no", "off", "f", "n"}

    def is_switched(value, setting):
        return value.lower() not in (off if setting else on)

    def hosts(value):
        """The hosts of a list in any form: separated by commas, blanks or semicolons, or JSON."""
        return {host.lower() for host in re.split(r"[\s,;\"'\[\]]+", value)} - {""}

    judges = {
        "debug": lambda value: is_switched(value, settings.DEBUG),
        "secret-key": lambda value: str(settings.SECRET_KEY).strip() == value,
        "allowed-hosts": lambda value: hosts(value) <= hosts(",".join(map(str, settings.ALLOWED_HOSTS))),
    }
    # Celery's settings may have other names, which are not known.
    if hasattr(settings, "CELERY_TASK_ALWAYS_EAGER"):
        judges["always-eager"] = lambda value: is_switched(value, settings.CELERY_TASK_ALWAYS_EAGER)
    if hasattr(settings, "CELERY_BROKER_URL"):
        judges["broker-url"] = lambda value: str(settings.CELERY_BROKER_URL) == value
    found = {}
    for variable, judge in judges.items():
        name = names.get(variable)
        value = os.environ.get(name, "").strip() if name else ""
        # Settings that cannot be read are another check's failure.
        with contextlib.suppress(Exception):
            if value:
                found[name] = bool(judge(value))
    with contextlib.suppress(Exception):
        url = os.environ.get("DATABASE_URL", "").strip()
        if url:
            found["DATABASE_URL"] = is_database(url, settings.DATABASES["default"])
    return found


def is_database(url, database):
    """Returns whether the settings of a database are those of a URL, as far as the URL names them."""
    parts = urllib.parse.urlsplit(url)
    name = urllib.parse.unquote(parts.path.removeprefix("/"))
    if "sqlite" in parts.scheme:
        # A relative path belongs to a folder that the settings know.
        return "sqlite" in database["ENGINE"] and os.path.basename(str(database["NAME"])) == os.path.basename(name)
    wanted = {"NAME": name, "USER": parts.username, "PASSWORD": parts.password, "HOST": parts.hostname, "PORT": parts.port}
    same = (str(database.get(key, "")) == urllib.parse.unquote(str(value)) for key, value in wanted.items() if value)
    return "sqlite" not in database["ENGINE"] and all(same)


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
        # Looking must not create a SQLite file.
        name = str(connection.settings_dict["NAME"])
        is_file = connection.vendor == "sqlite" and ":memory:" not in name
        file = name if is_file and not name.startswith("file:") else None
        is_missing = is_file and not os.path.exists(name)
        if is_missing:
            answer(database={"error": "the database file is not there yet", "file": file})
        else:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            answer(database={"error": None, "file": file})
        answer(migrations=migrations(None if is_missing else connection))
    except (DatabaseError, OSError) as error:
        answer(database={"error": " ".join(str(error).split())})
    finally:
        connection.close()
    is_database_told.set()


def migrations(connection):
    """The migrations of the default database that are not applied; all of them without a connection."""
    from django.db.migrations.exceptions import BadMigrationError, InconsistentMigrationHistory, NodeNotFoundError
    from django.db.migrations.executor import MigrationExecutor
    from django.db.migrations.loader import MigrationLoader

    try:
        if connection is None:
            pending = sorted(f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations)
            return {"error": None, "pending": pending}
        executor = MigrationExecutor(connection)
        conflicts = executor.loader.detect_conflicts()
        if conflicts:
            leaves = ", ".join(f"{app}.{name}" for app, names in conflicts.items() for name in names)
            return {"error": f"conflicting migrations: {leaves}", "pending": []}
        executor.loader.check_consistent_history(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (BadMigrationError, InconsistentMigrationHistory, NodeNotFoundError) as error:
        return {"error": str(error), "pending": []}
    return {"error": None, "pending": [f"{step.app_label}.{step.name}" for step, _ in plan]}


deploy = "--deploy" in sys.argv
set_up()
tell_settings()
# A connection belongs to its thread. One that hangs there must not hide the other results.
asked = threading.Thread(target=tell_database, daemon=True)
asked.start()
try:
    tell_checks(deploy)
finally:
    asked.join()
if not is_database_told.is_set():  # The thread has shown why, and has failed alone.
    sys.exit(1)
