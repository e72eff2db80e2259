"""Processes that a test starts, and waits for."""

import signal
import subprocess
import time
from contextlib import contextmanager

# How long anything may take to happen, in seconds. Only a failing test waits that long.
PATIENCE = 30


@contextmanager
def running(*command, **options):
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        stop(process)


def stop(process):
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until(happened):
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, f"{happened.__name__} did not come true"
        time.sleep(0.05)
