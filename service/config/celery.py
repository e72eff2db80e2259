"""The Celery application of the worker: `celery --app config worker`."""

import logging
import os
import socket
from pathlib import Path

from celery import Celery, bootsteps
from celery.signals import (
    heartbeat_sent,
    worker_init,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("monitoring")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# For the worker's health check. Set by the command that starts it, so it is no setting.
ALIVE_FILE = os.environ.get("WORKER_ALIVE_FILE", "")


@heartbeat_sent.connect
def sign_of_life(**kwargs):
    """Every two seconds, from the worker's event loop, and only with a connection to the broker."""
    if ALIVE_FILE:
        Path(ALIVE_FILE).touch()


# Set by systemd, which listens to the main process alone. Not removed from the environment: where
# the web service imports this, gunicorn still has to notify systemd that it is ready.
NOTIFY_SOCKET = os.environ.get("NOTIFY_SOCKET", "")


def tell_systemd(state: bytes):
    """See sd_notify(3). Without `Type=notify` there is no socket, and nothing is sent."""
    if NOTIFY_SOCKET:
        # An abstract address is written with `@`, and begins with NUL.
        address = "\0" + NOTIFY_SOCKET[1:] if NOTIFY_SOCKET[0] == "@" else NOTIFY_SOCKET
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.sendto(state, address)


@worker_ready.connect
def ready(**kwargs):
    """There is a connection to the broker: tasks are taken from now on."""
    tell_systemd(b"READY=1")


@worker_shutting_down.connect
def stopping(**kwargs):
    """No task is begun any more, and those that were begun are finished."""
    tell_systemd(b"STOPPING=1")


@worker_init.connect  # A worker that has crashed could not remove the file.
@worker_shutdown.connect
def end_of_life(**kwargs):
    if ALIVE_FILE:
        Path(ALIVE_FILE).unlink(missing_ok=True)


class SampleSchedule(bootsteps.StartStopStep):
    """Enqueues a sample at regular intervals.

    On the worker's own timer, as beat would be a process of its own, of which two must never run.
    Any number of workers may do this: a sample that is not due is not taken.
    """

    requires = {"celery.worker.components:Timer"}
    entry = None

    def start(self, worker):
        interval = app.conf.get("SAMPLE_INTERVAL")
        if interval and not app.conf.task_always_eager:
            self.entry = worker.timer.call_repeatedly(interval, self.enqueue, (interval,))

    def stop(self, worker):
        if self.entry:
            self.entry.cancel()

    def enqueue(self, interval):
        from monitoring.tasks import take_due_sample

        try:
            # Without a worker that is free, the next one is soon enough.
            take_due_sample.apply_async(expires=interval)
        except OperationalError as error:
            logger.warning("cannot enqueue a sample: %s", error)


app.steps["worker"].add(SampleSchedule)
