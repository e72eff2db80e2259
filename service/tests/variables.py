"""The variables that the service reads, and values of them that a production would have."""

import os

VARIABLES = (
    "CELERY_BROKER_URL",
    "CELERY_TASK_ALWAYS_EAGER",
    "DATABASE_PATH",
    "DJANGO_ALLOWED_HOSTS",
    "DJANGO_DEBUG",
    "DJANGO_ENV",
    "DJANGO_SECRET_KEY",
    "HOST_NAME",
    "MONITORING_TOKEN",
    "SAMPLE_INTERVAL",
    "SAMPLE_RETENTION_DAYS",
    "TRUSTED_PROXIES",
)

# Passed to a process, keeps a developer's `.env` out: the environment wins, and empty is unset.
# The only samples are those that a test asks for.
UNSET = {**dict.fromkeys(VARIABLES, ""), "SAMPLE_INTERVAL": "0"}

GOOD_KEY = "4th-test-key-which-is-long-enough-and-varied-enough-0123456789"
TOKEN = "token-of-the-tests"
PROD = {
    "DJANGO_ENV": "prod",
    "DJANGO_SECRET_KEY": GOOD_KEY,
    "DJANGO_ALLOWED_HOSTS": "localhost,127.0.0.1",
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
    "MONITORING_TOKEN": TOKEN,
}


def process_environment(variables):
    """All that a process of the tests gets to see."""
    return {"PATH": os.environ["PATH"], **UNSET, **variables}
