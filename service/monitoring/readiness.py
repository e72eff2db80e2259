"""The readiness of the parts that the service needs, determined within a deadline."""

import logging
from collections.abc import Callable
from threading import Thread

from django.conf import settings
from django.db import connection

logger = logging.getLogger(__name__)

OK, DOWN, NO_ANSWER, UNUSED = "ok", "down", "no answer", "not used"

DEADLINE = 2.0


def readiness() -> dict[str, str]:
    """The state of each part, all asked at the same time, without hosts or reasons."""
    probes = [Probe(name, ask) for name, ask in PARTS.items()]
    return {probe.name: probe.result() for probe in probes}


def is_ready(states: dict[str, str]) -> bool:
    return all(state in (OK, UNUSED) for state in states.values())


class Probe:
    """One question on a thread of its own.

    Timeouts of sockets and SQLite don't bound everything, looking up a name for instance. The
    thread is a daemon, so that one which hangs can't keep the process from ending.
    """

    def __init__(self, name: str, ask: Callable[[], str]):
        self.name = name
        self._ask = ask
        self._state = NO_ANSWER
        self._thread = Thread(target=self._run, name=f"readiness-{name}", daemon=True)
        self._thread.start()

    def _run(self):
        try:
            self._state = self._ask()
        except Exception as error:  # Any error makes the part unusable.
            logger.warning("%s is not ready: %s: %s", self.name, type(error).__name__, error)
            self._state = DOWN

    def result(self) -> str:
        self._thread.join(DEADLINE)
        return self._state


def database() -> str:
    """A query on a table of ours: a file that was never migrated is not ready either."""
    from monitoring.models import Sample

    try:
        Sample.objects.exists()
    finally:
        connection.close()  # It belongs to the thread, which ends here.
    return OK


def broker() -> str:
    if settings.CELERY_TASK_ALWAYS_EAGER:
        return UNUSED
    from config.celery import app

    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=0)
    return OK


PARTS = {"database": database, "broker": broker}
