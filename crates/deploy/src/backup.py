"""Backs a Django service up to a tar archive on standard output, or verifies or restores one from standard input.

Run by `manage.py shell -c`, behind a line with MODE and SERVICE. The result is a line of JSON: on standard output, or for a
backup on standard error. A database is copied with SQLite's own online backup, so that it is consistent while others write.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import sys
import tarfile
import tempfile
import time
from contextlib import closing
from pathlib import Path, PurePosixPath

from django.conf import settings
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

MANIFEST = "manifest.json"
OWN = ".xtask-restore"


class Refused(Exception):
    """The reason why there is no result."""


def databases():
    found = {}
    for alias, database in settings.DATABASES.items():
        engine, name = database["ENGINE"], str(database.get("NAME") or "")
        if not engine.endswith("sqlite3"):
            raise Refused(f"the database `{alias}` is one of `{engine}`: back it up with its own program, such as pg_dump")
        if not name.startswith("file:") and ":memory:" not in name and os.path.exists(name):
            found[alias] = Path(os.path.realpath(name))
    return found


def media_root():
    root = settings.MEDIA_ROOT
    return Path(os.path.realpath(root)) if root and os.path.isdir(root) else None


def media_files():
    root = media_root()
    files = sorted(root.rglob("*")) if root else []
    return [(file, f"media/{file.relative_to(root).as_posix()}") for file in files if file.is_file() and not file.is_symlink()]


class Hashing:
    """A file whose bytes are hashed while they are read."""

    def __init__(self, file):
        self._file, self.hash = file, hashlib.sha256()

    def read(self, size=-1):
        data = self._file.read(size)
        self.hash.update(data)
        return data


def plan():
    parts = [{"name": str(path), "size": path.stat().st_size} for path in databases().values()]
    files = media_files()
    if files:
        parts.append({"name": str(media_root()), "size": sum(file.stat().st_size for file, _ in files)})
    return {"parts": parts}


def applied(path):
    with closing(sqlite3.connect(path)) as database:
        try:
            return [f"{app}.{name}" for app, name in database.execute("SELECT app, name FROM django_migrations ORDER BY id")]
        except sqlite3.OperationalError:
            return []


def back_up():
    parts, migrations, total = {}, [], 0
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=sys.stdout.buffer, mode="w|gz") as archive:

        def add(path, name):
            nonlocal total
            info = archive.gettarinfo(path, name)
            info.uid = info.gid = 0
            info.uname = info.gname = ""
            with open(path, "rb") as file:
                hashing = Hashing(file)
                archive.addfile(info, hashing)
            parts[name] = {"size": info.size, "sha256": hashing.hash.hexdigest()}
            total += info.size

        for alias, path in databases().items():
            copy = Path(folder) / alias
            with closing(sqlite3.connect(path, timeout=60)) as source, closing(sqlite3.connect(copy)) as target:
                source.backup(target, pages=1000, sleep=0.01)
            migrations += applied(copy) if alias == "default" else []
            add(copy, f"databases/{alias}.sqlite3")
        for file, name in media_files():
            add(file, name)
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        manifest = {"schema": 1, "service": SERVICE, "created": created, "parts": parts, "migrations": migrations}
        data = Path(folder) / MANIFEST
        data.write_text(json.dumps(manifest))
        archive.add(data, MANIFEST)
    sys.stdout.buffer.flush()
    return {"parts": len(parts), "size": total}


def members(archive):
    """Returns the members, each once and of a name that a backup has."""
    seen = set()
    for member in archive:
        path = PurePosixPath(member.name)
        is_known = member.name == MANIFEST or path.parts[0] in ("databases", "media") and len(path.parts) > 1
        if not member.isfile() or not is_known or ".." in path.parts or path.is_absolute() or member.name in seen:
            raise Refused(f"`{member.name}` is no part of a backup")
        seen.add(member.name)
        yield member


def extract(folder):
    """Writes the parts of the archive into folders by their kind, verified against the manifest."""
    found, manifest = {}, None
    try:
        with tarfile.open(fileobj=sys.stdin.buffer, mode="r|gz") as archive:
            for member in members(archive):
                if member.name == MANIFEST:
                    manifest = json.load(archive.extractfile(member))
                    continue
                target = folder(member.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                hashing = Hashing(archive.extractfile(member))
                with open(target, "wb") as file:
                    shutil.copyfileobj(hashing, file)
                found[member.name] = {"size": member.size, "sha256": hashing.hash.hexdigest()}
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise Refused(f"the file is no complete backup: {error}") from error
    if not manifest or manifest.get("schema") != 1:
        raise Refused("the file is no backup of this tool: it has no manifest that this version can read")
    if manifest["parts"] != found:
        raise Refused("the file is damaged: its parts are not those of its manifest")
    return manifest


def check(path):
    with closing(sqlite3.connect(path)) as database:
        result = database.execute("PRAGMA integrity_check").fetchone()[0]
    if result != "ok":
        raise Refused(f"the database in the file is damaged: {result}")


def verify():
    with tempfile.TemporaryDirectory() as folder:
        manifest = extract(lambda name: Path(folder) / name)
        copies = Path(folder) / "databases"
        for copy in sorted(copies.glob("*")) if copies.is_dir() else []:
            check(copy)
    size = sum(part["size"] for part in manifest["parts"].values())
    return {"parts": len(manifest["parts"]), "size": size, "service": manifest["service"], "created": manifest["created"]}


def restore():
    present, root = databases(), media_root()
    wanted = {f"databases/{alias}.sqlite3": path for alias, path in present.items()}

    def folder(name):
        if name in wanted:
            return wanted[name].with_name(wanted[name].name + OWN)
        if name.startswith("media/") and root:
            return root / OWN / name.removeprefix("media/")
        raise Refused(f"the service has no place for `{name}`")

    try:
        manifest = extract(folder)
        copies = [(folder(name), path) for name, path in wanted.items() if name in manifest["parts"]]
        for copy, path in copies:
            check(copy)
            status = path.stat()
            os.chmod(copy, status.st_mode & 0o7777)
            if (status.st_uid, status.st_gid) != (copy.stat().st_uid, copy.stat().st_gid):
                os.chown(copy, status.st_uid, status.st_gid)
    except BaseException:
        for path in present.values():
            path.with_name(path.name + OWN).unlink(missing_ok=True)
        if root:
            shutil.rmtree(root / OWN, ignore_errors=True)
        raise
    connections.close_all()
    for copy, path in copies:
        for journal in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + journal).unlink(missing_ok=True)
        os.replace(copy, path)
    if root:
        for entry in root.iterdir():
            if entry.name != OWN:
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        if (root / OWN).is_dir():
            for entry in (root / OWN).iterdir():
                entry.rename(root / entry.name)
            (root / OWN).rmdir()
    executor = MigrationExecutor(connections["default"])
    known, done = executor.loader.disk_migrations, executor.loader.applied_migrations
    pending = [f"{app}.{name}" for (app, name) in sorted(known) if (app, name) not in done]
    unknown = [f"{app}.{name}" for (app, name) in sorted(done) if (app, name) not in known]
    return {"parts": len(manifest["parts"]), "pending": pending, "unknown": unknown}


def main():
    try:
        result = {"plan": plan, "back-up": back_up, "verify": verify, "restore": restore}[MODE]()
    except Refused as refused:
        result = {"refused": str(refused)}
    out = sys.stderr if MODE == "back-up" else sys.stdout
    print(json.dumps(result), file=out, flush=True)
    # Nothing of the project comes after it.
    os._exit(1 if "refused" in result else 0)


main()
