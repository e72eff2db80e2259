"""The variables that the service reads, and values of them that a production would have."""

VARIABLES = (
    "CELERY_BROKER_URL",
    "CELERY_TASK_ALWAYS_EAGER",
    "DATABASE_PATH",
    "DJANGO_ALLOWED_HOSTS",
    "DJANGO_DEBUG",
    "DJANGO_ENV",
    "DJANGO_SECRET_KEY",
    "MONITORING_TOKEN",
)

UNSET = dict.fromkeys(VARIABLES, "")

GOOD_KEY = "4th-test-key-which-is-long-enough-and-varied-enough-0123456789"
TOKEN = "token-of-the-tests"
PROD = {
    "DJANGO_ENV": "prod",
    "DJANGO_SECRET_KEY": GOOD_KEY,
    "DJANGO_ALLOWED_HOSTS": "localhost,127.0.0.1",
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
    "MONITORING_TOKEN": TOKEN,
}
