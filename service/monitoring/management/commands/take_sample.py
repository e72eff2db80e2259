"""`manage.py take_sample`: asks for a sample, for a timer to call."""

from django.core.management.base import BaseCommand, CommandError
from kombu.exceptions import OperationalError

from monitoring.tasks import take_sample


class Command(BaseCommand):
    help = "Asks the worker for a sample of its host; in eager mode takes it at once."

    def handle(self, **options):
        try:
            task = take_sample.delay()
        except OperationalError as error:
            raise CommandError("the broker does not answer: see `CELERY_BROKER_URL`") from error
        self.stdout.write(task.id)
