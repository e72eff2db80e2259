"""The application: takes samples of the host and shows them."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"

    def ready(self):
        from monitoring import checks  # noqa: F401 - registers them
