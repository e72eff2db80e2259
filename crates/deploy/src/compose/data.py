"""Which of these paths are files that a service keeps, and which of those are databases, as a line of JSON.

PATHS is put before this. What is empty, temporary, collected again from the code or mounted from outside is not kept; an
SQLite file is known by its first bytes.
"""

SQLITE = b"SQLite format 3\0"
TEMPORARY = ("/tmp/", "/var/tmp/")


def known_to_django():
    """Where static files are collected, and the files of its databases."""
    if not os.path.exists("manage.py"):
        return None, set()
    with contextlib.suppress(Exception):
        set_up()
        from django.conf import settings

        static_root = settings.STATIC_ROOT and os.path.realpath(settings.STATIC_ROOT)
        names = [str(database.get("NAME") or "") for database in settings.DATABASES.values()]
        return static_root, {os.path.realpath(name) for name in names if name}
    return None, set()


def mounted():
    """The mount points in the container. A mounted file appears as a new file of the container."""
    with open("/proc/self/mountinfo") as lines:
        places = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [place for place in places if place != "/"]


def is_database(path):
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return file.read(len(SQLITE)) == SQLITE
    return False


def main(paths):
    static_root, used = known_to_django()
    mounts = mounted()

    def is_kept(path):
        real = os.path.realpath(path)
        if not os.path.isfile(path) or not os.path.getsize(path):
            return False
        if any(path == place or path.startswith(place + os.sep) for place in mounts):
            return False
        if real in used:
            return True
        is_static = static_root and real.startswith(static_root + os.sep)
        return not is_static and not path.startswith(TEMPORARY)

    kept = [path for path in paths if is_kept(path)]
    answer(kept=kept, databases=[path for path in kept if is_database(path)])


main(json.loads(PATHS))
