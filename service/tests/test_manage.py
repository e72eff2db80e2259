"""`manage.py` in processes of its own: its output for an operator or the installer."""

import pytest

from tests.variables import PROD


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
