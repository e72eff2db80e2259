"""`manage.py` in processes of its own: its output for an operator or the installer."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from django.conf import settings

from tests.processes import running, wait_until
from tests.variables import PROD, process_environment


def test_check_in_dev(manage):
    done = manage("check")
    assert (done.returncode, done.stdout) == (
        0,
        "System check identified no issues (0 silenced).\n",
    )


def test_check_deploy_is_clean_in_prod(manage):
    done = manage("check", "--deploy", "--fail-level=WARNING", **PROD)
    assert (done.returncode, done.stdout) == (
        0,
        "System check identified no issues (4 silenced).\n",
    )


@pytest.mark.parametrize(
    ("variable", "finding"),
    [
        ("DJANGO_DEBUG", "security.W018"),
        ("CELERY_TASK_ALWAYS_EAGER", "monitoring.W001"),
    ],
)
def test_check_deploy_reports_what_is_for_dev(manage, variable, finding):
    done = manage("check", "--deploy", "--fail-level=WARNING", **PROD, **{variable: "1"})
    assert done.returncode == 1
    assert finding in done.stderr
    assert "identified 1 issue" in done.stderr


@pytest.mark.parametrize("variable", ["DJANGO_SECRET_KEY", "DJANGO_ALLOWED_HOSTS"])
def test_prod_does_not_start_without(manage, variable):
    done = manage("check", **{**PROD, variable: ""})
    assert done.returncode == 1
    assert f"ImproperlyConfigured: `{variable}`" in done.stderr


def test_wrong_trusted_proxy_is_refused(manage):
    done = manage("check", TRUSTED_PROXIES="10.0.0.5,proxy")
    assert done.returncode == 1
    assert "ImproperlyConfigured: `TRUSTED_PROXIES`: `proxy` is neither" in done.stderr


def test_no_migration_is_missing(manage):
    done = manage("makemigrations", "--check", "--dry-run")
    assert (done.returncode, done.stdout) == (0, "No changes detected\n")


def test_folder_of_the_database_is_made(manage, tmp_path):
    path = tmp_path / "new" / "folder" / "db.sqlite3"
    assert manage("migrate", DATABASE_PATH=str(path)).returncode == 0
    assert path.is_file()


@pytest.mark.parametrize(
    ("path", "expected"), [("", "state/db.sqlite3"), ("sub/own.sqlite3", "state/sub/own.sqlite3")]
)
def test_database_of_a_service_of_systemd_is_in_its_state_directory(
    manage, tmp_path, path, expected
):
    state = tmp_path / "state"
    assert manage("migrate", STATE_DIRECTORY=str(state), DATABASE_PATH=path).returncode == 0
    assert (tmp_path / expected).is_file()


def test_absolute_path_of_the_database_is_kept_by_a_service_of_systemd(manage, tmp_path):
    path = tmp_path / "own.sqlite3"
    state = tmp_path / "state"
    done = manage("migrate", STATE_DIRECTORY=str(state), DATABASE_PATH=str(path))
    assert done.returncode == 0
    assert path.is_file()
    assert not state.exists()


def test_folder_that_cannot_be_made_is_named(manage, tmp_path):
    (tmp_path / "file").touch()
    done = manage("check", DATABASE_PATH=str(tmp_path / "file" / "db.sqlite3"))
    assert done.returncode == 1
    assert "(monitoring.E001) the folder of the database is missing" in done.stderr
    assert f"could not be made: {tmp_path / 'file'}\n" in done.stderr


def test_take_sample_without_broker(manage):
    done = manage("take_sample", **PROD)
    assert (done.returncode, done.stderr) == (
        1,
        "CommandError: the broker does not answer: see `CELERY_BROKER_URL`\n",
    )


def rows(path):
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT host FROM monitoring_sample").fetchall()


def test_first_migration_shows_the_host(manage, tmp_path):
    each_minute = {"SAMPLE_INTERVAL": "60", "HOST_NAME": "machine-7"}
    assert manage("migrate", **each_minute).returncode == 0
    assert rows(tmp_path / "db.sqlite3") == [("machine-7",)]
    # And back: there is no table to fill any more.
    done = manage("migrate", "monitoring", "zero", **each_minute)
    assert (done.returncode, done.stderr) == (0, "")


def test_interval_that_is_no_number_is_refused(manage):
    done = manage("check", SAMPLE_INTERVAL="1m")
    assert done.returncode == 1
    message = "ImproperlyConfigured: `SAMPLE_INTERVAL`: `1m` is not a whole number from 0 to 999999"
    assert message in done.stderr


@pytest.mark.parametrize("reload", ["--noreload", ""])
def test_development_server_takes_samples(tmp_path, reload):
    path = tmp_path / "db.sqlite3"
    variables = {"DATABASE_PATH": str(path), "HOST_NAME": "machine-7", "SAMPLE_INTERVAL": "0"}
    options = {"cwd": settings.BASE_DIR, "stdout": subprocess.DEVNULL}

    def environment(**changes):
        return process_environment({**variables, **changes})

    migrate = [sys.executable, "manage.py", "migrate"]
    subprocess.run(migrate, env=environment(), check=True, **options)
    command = [sys.executable, "manage.py", "runserver", *reload.split(), "127.0.0.1:0"]

    def two_samples_are_there():
        return len(rows(path)) >= 2

    with running(*command, env=environment(SAMPLE_INTERVAL="1"), **options):
        wait_until(two_samples_are_there)
    assert set(rows(path)) == {("machine-7",)}
