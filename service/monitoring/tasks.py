"""The work that is done outside a request."""

import socket

from config.celery import app

# Long enough for a figure that means something, short enough for a request in eager mode.
CPU_INTERVAL = 0.2


@app.task
def take_sample():
    """Measures this host and keeps the result.

    Run twice, as a task may be whose worker died, it keeps two samples: both are true.
    """
    import psutil

    from monitoring.models import Sample

    Sample.objects.create(
        host=socket.gethostname(),
        cpu_percent=psutil.cpu_percent(interval=CPU_INTERVAL),
        memory_percent=psutil.virtual_memory().percent,
        disk_percent=psutil.disk_usage("/").percent,
    )
