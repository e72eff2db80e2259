"""System checks of this service, next to Django's own."""

from django.conf import settings
from django.core import checks


@checks.register(checks.Tags.files)
def database_folder(**kwargs):
    folder = settings.DATABASE_PATH.parent
    if folder.is_dir():
        return []
    return [
        checks.Error(
            f"the folder of the database is missing and could not be made: {folder}",
            hint="Set `DATABASE_PATH`, or make the folder and give it to the service's user.",
            id="monitoring.E001",
        )
    ]


@checks.register(deploy=True)
def tasks_run_in_a_worker(**kwargs):
    if not (settings.PRODUCTION and settings.CELERY_TASK_ALWAYS_EAGER):
        return []
    return [
        checks.Warning(
            "tasks run inside the request",
            hint="Set `CELERY_TASK_ALWAYS_EAGER` to 0 and run a worker.",
            id="monitoring.W001",
        )
    ]
