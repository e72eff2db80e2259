"""Fixtures that several test files need."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as django_settings

from monitoring.models import Sample
from tests.variables import TOKEN, process_environment


@pytest.fixture
def production(settings):
    settings.PRODUCTION = True
    settings.MONITORING_TOKEN = TOKEN


@pytest.fixture
def dead_broker(settings):
    """Tasks go to a broker whose port is closed."""
    settings.CELERY_TASK_ALWAYS_EAGER = False
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"


@pytest.fixture
def manage(tmp_path):
    """Runs `manage.py` as an operator would: a new process with just these variables."""

    def run(*arguments, **variables):
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=django_settings.BASE_DIR,
            env=process_environment(
                {"DATABASE_PATH": str(tmp_path / "db.sqlite3"), **variables},
            ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def take_samples(db):
    """Stores samples a minute apart, oldest first."""
    start = datetime(2026, 1, 1, tzinfo=UTC)

    def store(*cpu_percents, host="web-1"):
        return [
            Sample.objects.create(
                host=host,
                taken_at=start + timedelta(minutes=minute),
                cpu_percent=cpu_percent,
                memory_percent=50,
                disk_percent=75,
            )
            for minute, cpu_percent in enumerate(cpu_percents)
        ]

    return store
