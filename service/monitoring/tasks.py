"""The work that is done outside a request."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from config.celery import app

# Long enough for a figure that means something, short enough for a request in eager mode.
CPU_INTERVAL = 0.2

# The part of the interval after which a scheduled sample is due. More than half, so that two
# workers do not take turns; less than all of it, as a busy machine delays samples.
DUE_AFTER = 0.75


@app.task
def take_sample():
    """Measures this host and keeps the result.

    Run twice, as a task may be whose worker died, it keeps two samples: both are true.
    """
    measure().save()


@app.task
def take_due_sample():
    """Takes a sample, unless this host has one that is recent, and deletes those that are old."""
    if not is_due(timezone.now()):
        return
    sample = measure()
    with transaction.atomic():  # Another worker can have measured at the same time.
        if is_due(sample.taken_at):
            sample.save()
    delete_old_samples()


def measure():
    import psutil

    from monitoring.models import Sample

    return Sample(
        host=settings.HOST_NAME,
        cpu_percent=psutil.cpu_percent(interval=CPU_INTERVAL),
        memory_percent=psutil.virtual_memory().percent,
        disk_percent=psutil.disk_usage("/").percent,
    )


def is_due(at: datetime) -> bool:
    from monitoring.models import Sample

    recent = at - timedelta(seconds=settings.SAMPLE_INTERVAL * DUE_AFTER)
    return not Sample.objects.filter(host=settings.HOST_NAME, taken_at__gt=recent).exists()


def delete_old_samples():
    from monitoring.models import Sample

    if settings.SAMPLE_RETENTION_DAYS:
        limit = timezone.now() - timedelta(days=settings.SAMPLE_RETENTION_DAYS)
        Sample.objects.filter(taken_at__lt=limit).delete()
