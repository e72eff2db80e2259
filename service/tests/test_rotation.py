"""`/-/rotation`: the responses to a load balancer, which other clients do not notice."""

import pytest
from django.test.client import RequestFactory

from config.rotation import PATH, Rotation


def application(environ, start_response):
    start_response("202 Accepted", [])
    return [b"the application"]


@pytest.fixture
def ask():
    def ask(path, hold_file):
        statuses = []
        environ = RequestFactory().get(path).environ
        rotation = Rotation(application, hold_file=str(hold_file))
        body = b"".join(rotation(environ, lambda status, headers: statuses.append(status)))
        return statuses, body

    return ask


def test_in_rotation_until_the_hold_file_is_there(ask, tmp_path):
    hold_file = tmp_path / "hold"
    assert ask(PATH, hold_file) == (["200 OK"], b"go on\n")
    hold_file.touch()
    assert ask(PATH, hold_file) == (["404 Not Found"], b"hold\n")
    hold_file.unlink()
    assert ask(PATH, hold_file) == (["200 OK"], b"go on\n")


def test_in_rotation_without_a_hold_file_to_look_for(ask):
    assert ask(PATH, "") == (["200 OK"], b"go on\n")


@pytest.mark.parametrize("path", ["/", "/healthz", f"{PATH}/", f"/x{PATH}"])
def test_other_paths_are_answered_even_when_held(ask, tmp_path, path):
    hold_file = tmp_path / "hold"
    hold_file.touch()
    assert ask(path, hold_file) == (["202 Accepted"], b"the application")
