"""`/healthz` and `/readyz`: the parts that they ask, and the details that they reveal."""

from threading import Event

import pytest
from django.test import Client

from monitoring import readiness
from monitoring.models import Sample

PATHS = ["/healthz", "/readyz"]


def test_healthz_asks_no_database(client):
    # No `django_db` mark: pytest-django makes every query fail.
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db(transaction=True)
def test_ready_in_eager_mode(client):
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"ready": True, "database": "ok", "broker": "not used"}


@pytest.mark.django_db(transaction=True)
def test_not_ready_without_broker(client, dead_broker):
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "database": "ok", "broker": "down"}


def test_not_ready_without_database(client, monkeypatch, django_db_blocker):
    def fail():
        raise OSError("disk I/O error at /secret/place")

    with django_db_blocker.unblock():
        monkeypatch.setattr(Sample.objects, "exists", fail)
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "database": "down", "broker": "not used"}


def test_not_ready_when_there_is_no_answer(client, monkeypatch):
    never = Event()
    monkeypatch.setattr(readiness, "DEADLINE", 0.05)
    monkeypatch.setitem(readiness.PARTS, "database", never.wait)
    response = client.get("/readyz")
    never.set()
    assert response.status_code == 503
    assert response.json() == {"ready": False, "database": "no answer", "broker": "not used"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("production")
@pytest.mark.parametrize("path", PATHS)
def test_open_in_production(client, path):
    assert client.get(path).status_code == 200
    assert client.head(path).content == b""


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_only_get_and_head(path, method):
    response = getattr(Client(enforce_csrf_checks=True), method)(path)
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")
