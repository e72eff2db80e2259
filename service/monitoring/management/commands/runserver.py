"""`manage.py runserver`: Django's development server, which also takes samples."""

from django.contrib.staticfiles.management.commands import runserver

from monitoring.schedule import start_thread


class Command(runserver.Command):
    def inner_run(self, *args, **options):
        """Called in the process that serves, and not in the one that restarts it after a change."""
        start_thread()
        super().inner_run(*args, **options)
