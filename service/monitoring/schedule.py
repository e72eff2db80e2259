"""Samples that no one asks for, where no worker takes them: a worker's are in `config.celery`."""

import logging
import time
from threading import Thread

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection

logger = logging.getLogger(__name__)


def start_thread():
    """Takes samples as long as this process runs, if its tasks are eager: else a worker does."""
    if settings.SAMPLE_INTERVAL and settings.CELERY_TASK_ALWAYS_EAGER:
        Thread(target=take_samples, name="samples", daemon=True).start()


def take_samples():
    from monitoring.tasks import take_due_sample

    while True:
        try:
            take_due_sample()
        except Exception as error:  # The database can be busy, or not migrated yet.
            logger.warning("no sample is taken: %s: %s", type(error).__name__, error)
        connection.close()
        time.sleep(settings.SAMPLE_INTERVAL)


def take_first_sample(using, **kwargs):
    """Fills an empty table after a migration, so that the page shows something from the start."""
    from monitoring.models import Sample
    from monitoring.tasks import measure

    if not settings.SAMPLE_INTERVAL or using != DEFAULT_DB_ALIAS:
        return
    try:
        # `migrate monitoring zero` has removed the table.
        is_there = Sample._meta.db_table in connection.introspection.table_names()
        if is_there and not Sample.objects.exists():
            measure().save()
    except Exception as error:  # No reason for a migration to fail.
        logger.warning("no first sample is taken: %s: %s", type(error).__name__, error)
