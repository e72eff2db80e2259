"""The application: takes samples of the host and shows them."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class MonitoringConfig(AppConfig):
    name = "monitoring"

    def ready(self):
        from monitoring import checks  # noqa: F401 - registers them
        from monitoring.schedule import take_first_sample

        post_migrate.connect(take_first_sample, sender=self)
