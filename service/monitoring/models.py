"""Measurements, with their times."""

from django.db import models
from django.utils import timezone


class Sample(models.Model):
    """How busy a host was at one moment."""

    host = models.CharField(max_length=255)
    taken_at = models.DateTimeField(default=timezone.now, db_index=True)
    cpu_percent = models.FloatField("CPU in use, %")
    memory_percent = models.FloatField("memory in use, %")
    disk_percent = models.FloatField("disk in use, %")

    class Meta:
        ordering = ("-taken_at", "-pk")

    def __str__(self):
        return f"{self.host} at {self.taken_at:%Y-%m-%d %H:%M:%S}"
