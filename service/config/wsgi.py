"""The WSGI application: `gunicorn config.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from config.rotation import Rotation

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = Rotation(get_wsgi_application(), hold_file=os.environ.get("HOLD_FILE", ""))


def load_what_requests_load():
    """Django and Celery put off a good part of themselves until the first request.

    In a container that has just joined the rotation of a busy service, that would be many at once.
    """
    import kombu.transport.redis  # noqa: F401

    from config.celery import app

    _ = get_resolver().url_patterns
    app.finalize(auto=True)
    _ = app.amqp.queues


load_what_requests_load()
