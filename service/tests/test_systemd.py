"""What systemd hands to a service, and what it is told by it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from config import celery
from tests.variables import process_environment


@pytest.fixture
def listening(request, tmp_path):
    """Somebody who listens as systemd does: at a path, or at an abstract address."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@notify-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address.replace("@", "\0", 1) if address[0] == "@" else address)
        systemd.settimeout(5)
        yield systemd, address


@pytest.mark.parametrize("listening", ["path", "abstract"], indirect=True)
def test_a_worker_says_when_it_is_ready(listening, monkeypatch):
    systemd, address = listening
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    celery.ready()
    assert systemd.recv(64) == b"READY=1"


def test_a_worker_without_systemd_tells_nobody(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    celery.ready()


@pytest.mark.parametrize(
    ("path", "expected"),
    [("", "state/db.sqlite3"), ("shop/db", "state/shop/db"), ("{folder}/own/db", "own/db")],
)
def test_the_database_is_in_the_folder_that_systemd_gives(path, expected, tmp_path):
    path = path.format(folder=tmp_path)
    variables = {"STATE_DIRECTORY": str(tmp_path / "state"), "DATABASE_PATH": path}
    assert database(variables) == str(tmp_path / expected)


def database(variables):
    code = "from config import settings; print(settings.DATABASE_PATH)"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=Path(__file__).parent.parent,
        env=process_environment(variables),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
