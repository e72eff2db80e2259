"""How gunicorn serves in production; where it listens is said by whoever starts it."""

# Processes: WEB_CONCURRENCY, which gunicorn reads by itself.
workers = 2
# A slow answer holds up one thread, not a process.
threads = 4
# The code is loaded once and not by each process; nobody can connect before it is.
preload_app = True
# A heartbeat on a disk that is busy would look like a worker that hangs.
worker_tmp_dir = "/dev/shm"  # noqa: S108
# After TERM, what has begun has this long, in seconds.
graceful_timeout = 30
# A server that everybody on the machine could talk to, for nothing that is used here.
control_socket_disable = True
