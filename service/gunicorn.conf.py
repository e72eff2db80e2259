"""The settings of gunicorn in production; its address comes from the command line."""

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
