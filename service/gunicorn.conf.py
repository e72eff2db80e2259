"""The settings of gunicorn in production; its address comes from the command line."""

from urllib.parse import quote

from gunicorn import glogging

# Health checks ask for these all the time.
UNLOGGED = {"/-/rotation", "/healthz", "/readyz"}


class Logger(glogging.Logger):
    """Logs one line for each request, without its query: that can hold a secret."""

    def atoms(self, resp, req, environ, request_time):
        """Adds the path as the client has sent it: decoded, it could have line breaks."""
        atoms = super().atoms(resp, req, environ, request_time)
        return atoms | {"path": quote(environ.get("PATH_INFO", ""), encoding="latin-1")}

    def access(self, resp, req, environ, request_time):
        if environ.get("PATH_INFO") not in UNLOGGED:
            super().access(resp, req, environ, request_time)


logger_class = Logger
accesslog = "-"
# The client, the request, and the response with its bytes and milliseconds.
access_log_format = '%({x-forwarded-for}i)s "%(m)s %(path)s" %(s)s %(B)s %(M)s ms'

# Processes: WEB_CONCURRENCY, which gunicorn reads by itself.
workers = 2
# A slow answer holds up one thread, not a process.
threads = 4
# The code is loaded once and not by each process; no client can connect before that.
preload_app = True
# A heartbeat on a disk that is busy would look like a worker that hangs.
worker_tmp_dir = "/dev/shm"  # noqa: S108
# The time that requests in flight have after TERM, in seconds.
graceful_timeout = 30
# A server that every user of the machine could talk to, and that nothing here uses.
control_socket_disable = True
