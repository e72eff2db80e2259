"""What the worker runs: `celery --app config worker`."""

import os
import socket
from pathlib import Path

from celery import Celery
from celery.signals import heartbeat_sent, worker_init, worker_ready, worker_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("monitoring")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# For whoever looks after the worker. Said by whoever starts it, hence no setting of a checkout's.
ALIVE_FILE = os.environ.get("WORKER_ALIVE_FILE", "")


@heartbeat_sent.connect
def sign_of_life(**kwargs):
    """Every two seconds, from the worker's event loop, and only with a connection to the broker."""
    if ALIVE_FILE:
        Path(ALIVE_FILE).touch()


@worker_ready.connect
def ready(**kwargs):
    """Tells systemd (`Type=notify`) that tasks are taken from now on."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            # An abstract address begins with NUL, and is written with `@`. See sd_notify(3).
            systemd.sendto(b"READY=1", "\0" + address[1:] if address[0] == "@" else address)


@worker_init.connect  # One that has crashed could say nothing.
@worker_shutdown.connect
def end_of_life(**kwargs):
    if ALIVE_FILE:
        Path(ALIVE_FILE).unlink(missing_ok=True)
