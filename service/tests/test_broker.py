"""The whole way with nothing replaced: gunicorn, a real Redis, a real worker, in prod.

Skipped where there is no `redis-server`, unless `E2E=require` is set.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from django.conf import settings

from tests.processes import PATIENCE, running, stop, wait_until
from tests.variables import PROD, TOKEN, process_environment


@pytest.fixture(scope="module", autouse=True)
def redis_server():
    program = shutil.which("redis-server")
    if not program and os.environ.get("E2E") == "require":
        pytest.fail("`redis-server` is not on PATH, and E2E=require wants it")
    if not program:
        pytest.skip("`redis-server` is not on PATH")
    return program


class Service:
    """The service in a folder of its own, its processes started and stopped by the test."""

    def __init__(self, folder: Path, redis_server: str, processes: ExitStack):
        self._folder = folder
        self._redis_server = redis_server
        self._processes = processes
        self._redis_socket = folder / "redis.sock"
        self.alive_file = folder / "alive"
        self._environment = process_environment(
            {
                **PROD,
                "CELERY_BROKER_URL": f"redis+socket://{self._redis_socket}",
                "DATABASE_PATH": str(folder / "db.sqlite3"),
                "WORKER_ALIVE_FILE": str(self.alive_file),
            }
        )
        subprocess.run([sys.executable, "manage.py", "migrate"], **self._options(), check=True)

    def start_redis(self):
        options = ("--port", "0", "--unixsocket", str(self._redis_socket), "--save", "")
        process = self._start(self._redis_server, *options)
        wait_until(self._redis_answers)
        return process

    def start_web(self):
        # The socket is ours and handed on: no port to guess, and it answers from the start.
        listener = self._processes.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._port = listener.getsockname()[1]
        module = ("-m", "gunicorn", "--config", "gunicorn.conf.py")
        bind = ("--bind", f"fd://{listener.fileno()}")
        self._start(sys.executable, *module, *bind, "config.wsgi", pass_fds=[listener.fileno()])

    def start_worker(self, **variables):
        self._environment.update(variables)
        options = ("--concurrency", "1", "--without-gossip", "--without-mingle")
        return self._start(sys.executable, "-m", "celery", "--app", "config", "worker", *options)

    def request(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        with closing(connection):
            connection.request(method, path, headers={"Authorization": f"Bearer {TOKEN}"})
            response = connection.getresponse()
            return response.status, response.read()

    def row_count(self):
        return self._query("SELECT count(*) FROM monitoring_sample")[0][0]

    def gaps(self):
        """The seconds between the samples."""
        rows = self._query("SELECT taken_at FROM monitoring_sample ORDER BY taken_at")
        times = [datetime.fromisoformat(taken_at) for (taken_at,) in rows]
        return [(later - earlier).total_seconds() for earlier, later in pairwise(times)]

    def _query(self, query):
        with closing(sqlite3.connect(self._folder / "db.sqlite3")) as database:
            return database.execute(query).fetchall()

    def _redis_answers(self):
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self._redis_socket)) == 0

    def _start(self, *command, **options):
        return self._processes.enter_context(running(*command, **self._options(), **options))

    def _options(self):
        return {
            "cwd": settings.BASE_DIR,
            "env": self._environment,
            "stdout": subprocess.DEVNULL,
        }


@pytest.fixture
def service(tmp_path, redis_server):
    with ExitStack() as processes:
        yield Service(tmp_path, redis_server, processes)


def test_post_becomes_a_row(service):
    service.start_redis()
    service.start_web()
    service.start_worker()
    status, body = service.request("POST", "/samples")
    assert (status, set(json.loads(body))) == (202, {"task"})

    def row_is_there():
        return service.row_count() == 1

    wait_until(row_is_there)
    assert service.request("GET", "/")[1].count(b"<svg") == 3


def test_warm_stop_of_a_worker_loses_no_task(service):
    service.start_redis()
    service.start_web()
    for _ in range(10):
        assert service.request("POST", "/samples")[0] == 202
    first = service.start_worker()

    def first_worker_is_at_work():
        return service.row_count() > 0

    def all_rows_are_there():
        return service.row_count() == 10

    wait_until(first_worker_is_at_work)
    stop(first)
    assert not all_rows_are_there()  # It was stopped in the middle of the queue.
    service.start_worker()
    wait_until(all_rows_are_there)


def test_worker_with_a_broker_shows_that_it_is_alive(service):
    def alive_file_is_there():
        return service.alive_file.exists()

    worker = service.start_worker()
    service.start_redis()
    wait_until(alive_file_is_there)
    # Repeatedly: the connection that is gone comes back.
    service.alive_file.unlink()
    wait_until(alive_file_is_there)
    stop(worker)
    assert not service.alive_file.exists()


def test_workers_take_samples_that_no_one_asks_for(service):
    service.start_redis()
    workers = [service.start_worker(SAMPLE_INTERVAL="1") for _ in range(2)]

    def two_rows_are_there():
        return service.row_count() >= 2

    wait_until(two_rows_are_there)
    for worker in workers:
        stop(worker)
    # However many workers ask, a sample is taken once an interval.
    assert all(gap >= 0.75 for gap in service.gaps())


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_systemd_is_told_when_the_worker_has_a_broker_and_when_it_ends(service, tmp_path, kind):
    name = f"@{tmp_path}/notify" if kind == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(name.replace("@", "\0", 1))
        systemd.settimeout(PATIENCE)
        worker = service.start_worker(NOTIFY_SOCKET=name)
        # Without a broker it waits, and notifies nothing.
        systemd.settimeout(3)
        with pytest.raises(TimeoutError):
            systemd.recv(100)
        systemd.settimeout(PATIENCE)
        service.start_redis()
        assert systemd.recv(100) == b"READY=1"
        stop(worker)
        assert systemd.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("failure", [signal.SIGTERM, signal.SIGSTOP], ids=["gone", "hanging"])
def test_without_redis_requests_are_refused_and_health_is_told(service, failure):
    redis = service.start_redis()
    service.start_web()
    assert json.loads(service.request("GET", "/readyz")[1]) == {
        "ready": True,
        "database": "ok",
        "broker": "ok",
    }
    redis.send_signal(failure)
    if failure == signal.SIGTERM:
        redis.wait(PATIENCE)
    assert service.request("POST", "/samples") == (503, b'{"error": "the broker does not answer"}')
    status, body = service.request("GET", "/readyz")
    assert status == 503
    assert json.loads(body)["broker"] != "ok"
    assert service.request("GET", "/healthz") == (200, b"ok\n")
