"""What the worker runs: `celery --app config worker`."""

import os
from pathlib import Path

from celery import Celery
from celery.signals import heartbeat_sent, worker_shutdown
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("monitoring")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@heartbeat_sent.connect
def sign_of_life(**kwargs):
    """Every two seconds, from the worker's event loop, and only with a connection to the broker."""
    if settings.WORKER_ALIVE_FILE:
        Path(settings.WORKER_ALIVE_FILE).touch()


@worker_shutdown.connect
def end_of_life(**kwargs):
    if settings.WORKER_ALIVE_FILE:
        Path(settings.WORKER_ALIVE_FILE).unlink(missing_ok=True)
