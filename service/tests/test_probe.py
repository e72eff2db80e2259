"""The container's health check, against a server that is not ours."""

import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from config import probe


@pytest.fixture
def server():
    """Responds with `server.status`, and keeps the requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append((self.path, self.headers["Host"]))
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.status, server.asked = 200, []
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("one.example,two.example", "one.example"),
        (" , *, .example.com ", "example.com"),
        ("*", "localhost"),
        ("", "localhost"),
    ],
)
def test_asks_under_a_name_that_the_server_answers_to(server, monkeypatch, allowed, host):
    monkeypatch.setenv("DJANGO_ALLOWED_HOSTS", allowed)
    assert probe.main(server.server_port) == 0
    assert server.asked == [("/healthz", host)]


@pytest.mark.parametrize("status", [302, 400, 404, 503])
def test_any_other_answer_is_a_failure(server, capsys, status):
    server.status = status
    assert probe.main(server.server_port) == 1
    assert f"/healthz answers {status}" in capsys.readouterr().out


def test_no_server_is_a_failure(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert probe.main(port) == 1
    assert "ConnectionRefusedError" in capsys.readouterr().out


def test_no_answer_is_a_failure(monkeypatch, capsys):
    monkeypatch.setattr(probe, "TIMEOUT", 0.05)
    # Its queue takes the connection, and it is never accepted.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert probe.main(silent.getsockname()[1]) == 1
    assert "TimeoutError" in capsys.readouterr().out
