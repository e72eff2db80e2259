"""Copies the file of an SQLite database before it is migrated."""

import glob
import re
import shutil
import sqlite3

# The number of copies that are kept.
KEPT = 5
# The size of a step, in pages of usually 4 KiB: writers wait for one step at most.
PAGES = 2000
# A write to the database starts the copy over. After so many, it is made in one step, and writers wait for all of it.
RESTARTS = 3
# The ids of releases. Other files of a similar name are not this tool's.
RELEASE = r"\d{8}T\d{6}Z(-[0-9a-f]{4,40}(-dirty)?)?"


class Restarted(Exception):
    pass


def back_up(source, target):
    """Copies with SQLite's own backup, which includes data in the WAL."""
    restarts, last = 0, None

    def progress(_status, remaining, _total):
        nonlocal restarts, last
        if last is not None and remaining >= last:
            restarts += 1
            if restarts > RESTARTS:
                raise Restarted
        last = remaining

    try:
        source.backup(target, pages=PAGES, progress=progress, sleep=0.01)
    except Restarted:
        source.backup(target)


def check_space(name):
    """Ends the script if the disk has no space for a copy."""
    files = [name, f"{name}-wal"]
    needed = sum(os.path.getsize(file) for file in files if os.path.exists(file))
    folder = os.path.dirname(os.path.abspath(name))
    free = shutil.disk_usage(folder).free
    if free < needed:
        sys.exit(f"no space for a copy of {name}: it needs {needed:,} bytes, and {folder} has {free:,}")


def create_like(name, partial):
    """Creates an empty file with owner and mode of another one."""
    like = os.stat(name)
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        # Only root may give files away; the copy of another user's database belongs to the user who migrates.
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, like.st_uid, like.st_gid)
        os.fchmod(descriptor, like.st_mode & 0o777)
    finally:
        os.close(descriptor)


def flush(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_old(name, newest):
    """Removes the copies that are too many, the oldest first: never the newest, nor a file of another form."""
    form = re.compile(re.escape(name) + r"\.before-" + RELEASE)
    copies = [file for file in glob.glob(f"{glob.escape(name)}.before-*") if form.fullmatch(file) and file != newest]
    for old in sorted(copies, key=os.path.getmtime)[: -(KEPT - 1)]:
        os.remove(old)


def remove_partial(name):
    """Removes copies that were not completed: only one run at a time makes any."""
    form = re.compile(re.escape(name) + r"\.before-" + RELEASE + r"\.partial(-journal|-wal|-shm)?")
    for file in filter(form.fullmatch, glob.glob(f"{glob.escape(name)}.before-*.partial*")):
        os.remove(file)


def copy(name, release):
    """Returns the path of the copy, which is complete and flushed to disk."""
    remove_partial(name)
    check_space(name)
    target = f"{name}.before-{release}"
    partial = f"{target}.partial"
    create_like(name, partial)
    try:
        with contextlib.closing(sqlite3.connect(name)) as source, contextlib.closing(sqlite3.connect(partial)) as backup:
            back_up(source, backup)
        flush(partial)
        os.replace(partial, target)
        flush(os.path.dirname(os.path.abspath(target)))
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(partial)
    remove_old(name, target)
    return target
