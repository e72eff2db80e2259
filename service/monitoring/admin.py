"""Samples in the admin site: to look at, and to delete."""

from django.contrib import admin

from monitoring.models import Sample


@admin.register(Sample)
class SampleAdmin(admin.ModelAdmin):
    list_display = ("taken_at", "host", "cpu_percent", "memory_percent", "disk_percent")
    list_filter = ("host",)
    date_hierarchy = "taken_at"

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False
