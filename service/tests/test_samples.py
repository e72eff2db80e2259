"""From asking for a sample to the row."""

import socket
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from monitoring import tasks
from monitoring.models import Sample
from monitoring.tasks import take_due_sample, take_sample
from tests.variables import TOKEN

pytestmark = pytest.mark.django_db


def test_eager_task_stores_this_host():
    take_sample.delay()
    sample = Sample.objects.get()
    assert sample.host == socket.gethostname()
    for percent in (sample.cpu_percent, sample.memory_percent, sample.disk_percent):
        assert 0 <= percent <= 100


@pytest.fixture
def each_minute(settings):
    settings.SAMPLE_INTERVAL = 60
    settings.SAMPLE_RETENTION_DAYS = 30


@pytest.fixture
def store_sample():
    def store(age, host=None):
        figures = dict.fromkeys(("cpu_percent", "memory_percent", "disk_percent"), 1)
        taken_at = timezone.now() - age
        return Sample.objects.create(host=host or settings.HOST_NAME, taken_at=taken_at, **figures)

    return store


def test_host_has_the_name_that_is_set(settings):
    settings.HOST_NAME = "machine-7"
    take_sample.delay()
    assert Sample.objects.get().host == "machine-7"


@pytest.mark.usefixtures("each_minute")
class TestOnSchedule:
    @pytest.mark.parametrize(("seconds", "taken"), [(1, 0), (40, 0), (50, 1), (60, 1), (1000, 1)])
    def test_sample_is_taken_once_an_interval(self, store_sample, seconds, taken):
        store_sample(timedelta(seconds=seconds))
        take_due_sample.delay()
        assert Sample.objects.count() == 1 + taken

    def test_sample_of_another_host_does_not_count(self, store_sample):
        store_sample(timedelta(0), host="other")
        take_due_sample.delay()
        assert set(Sample.objects.values_list("host", flat=True)) == {"other", settings.HOST_NAME}

    def test_worker_that_measured_at_the_same_time_is_the_only_one(self, store_sample, monkeypatch):
        measure = tasks.measure

        def measure_while_another_does():
            store_sample(timedelta(0))
            return measure()

        monkeypatch.setattr(tasks, "measure", measure_while_another_does)
        take_due_sample.delay()
        assert Sample.objects.count() == 1

    @pytest.mark.parametrize(("days", "left"), [(30, 2), (1, 1), (0, 3)])
    def test_old_samples_are_deleted(self, settings, store_sample, days, left):
        settings.SAMPLE_RETENTION_DAYS = days
        store_sample(timedelta(days=400), host="gone")
        store_sample(timedelta(days=29))
        take_due_sample.delay()
        assert Sample.objects.count() == left

    def test_sample_that_is_asked_for_deletes_nothing(self, store_sample):
        store_sample(timedelta(days=400))
        take_sample.delay()
        assert Sample.objects.count() == 2

    def test_first_migration_takes_a_sample(self):
        for _ in range(2):
            call_command("migrate", verbosity=0)
            assert Sample.objects.count() == 1

    def test_migration_does_not_fail_with_the_first_sample(self, monkeypatch, caplog):
        monkeypatch.setattr(tasks, "measure", lambda: 1 / 0)
        call_command("migrate", verbosity=0)
        assert "no first sample is taken: ZeroDivisionError" in caplog.text


def test_without_an_interval_a_migration_takes_no_sample():
    call_command("migrate", verbosity=0)
    assert not Sample.objects.exists()


def test_command_takes_a_sample(capsys):
    call_command("take_sample")
    assert Sample.objects.count() == 1
    assert len(capsys.readouterr().out.strip()) == 36  # The task's id.


def test_post_in_dev_is_open_to_plain_curl(client):
    response = client.post("/samples", headers={"accept": "*/*"})
    assert response.status_code == 202
    assert set(response.json()) == {"task"}
    assert Sample.objects.count() == 1


def test_button_of_the_page_leads_back_to_it(client):
    response = client.post("/samples", headers={"accept": "text/html,application/xml;q=0.9,*/*"})
    assert (response.status_code, response["Location"]) == (302, "/")
    assert Sample.objects.count() == 1
    assert "A sample was taken." in client.get("/").content.decode()
    assert "A sample was taken." not in client.get("/").content.decode()


def test_only_post(client):
    response = client.get("/samples")
    assert (response.status_code, response["Allow"]) == (405, "POST")


def test_post_without_broker(client, dead_broker):
    response = client.post("/samples")
    assert response.status_code == 503
    assert response.json() == {"error": "the broker does not answer"}


def test_button_without_broker_leads_back_to_the_page_with_a_sentence(client, dead_broker):
    response = client.post("/samples", headers={"accept": "text/html,*/*;q=0.8"}, follow=True)
    assert response.redirect_chain == [("/", 302)]
    page = response.content.decode()
    assert '<p class="message error"' in page
    assert "No sample was taken: the task queue does not answer." in page


@pytest.mark.usefixtures("production")
class TestInProduction:
    @pytest.fixture
    def csrf_client(self):
        return Client(enforce_csrf_checks=True)

    @pytest.mark.parametrize(
        "authorization",
        ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"],
    )
    def test_anonymous(self, csrf_client, authorization):
        response = csrf_client.post("/samples", headers={"authorization": authorization})
        assert response.status_code == 401
        assert response["WWW-Authenticate"] == "Bearer"
        assert response.json() == {"error": "staff login or bearer token wanted"}
        assert not Sample.objects.exists()

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
    def test_token_needs_no_csrf(self, csrf_client, scheme):
        response = csrf_client.post("/samples", headers={"authorization": f"{scheme} {TOKEN}"})
        assert response.status_code == 202

    @pytest.mark.parametrize("authorization", ["Bearer", "Bearer "])
    def test_unset_token_lets_nobody_in(self, csrf_client, settings, authorization):
        settings.MONITORING_TOKEN = ""
        response = csrf_client.post("/samples", headers={"authorization": authorization})
        assert response.status_code == 401

    def test_login_alone_is_not_enough(self, csrf_client, admin_user):
        csrf_client.force_login(admin_user)
        assert csrf_client.post("/samples").status_code == 403
        assert not Sample.objects.exists()

    def test_login_and_csrf(self, csrf_client, admin_user):
        csrf_client.force_login(admin_user)
        csrf_client.get("/")  # The form on the page sets the cookie.
        token = csrf_client.cookies["csrftoken"].value
        response = csrf_client.post("/samples", headers={"x-csrftoken": token})
        assert response.status_code == 202
        assert Sample.objects.count() == 1

    def test_user_who_is_not_staff(self, csrf_client, django_user_model):
        csrf_client.force_login(django_user_model.objects.create_user("visitor"))
        assert csrf_client.post("/samples").status_code == 401


@pytest.mark.parametrize(
    ("pragma", "expected"),
    [("journal_mode", "wal"), ("busy_timeout", 20_000), ("synchronous", 1)],
)
def test_pragma(pragma, expected):
    with connection.cursor() as cursor:
        assert cursor.execute(f"PRAGMA {pragma}").fetchone() == (expected,)


def test_transactions_are_immediate():
    assert connection.transaction_mode == "IMMEDIATE"
