"""Settings. Values that differ between machines come from the environment: see README.md."""

import contextlib
import os
import socket
from pathlib import Path

from config.environment import DEV, PROD, Environment, read_environment

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment(read_environment(BASE_DIR))

PRODUCTION = env.choice("DJANGO_ENV", (DEV, PROD), default=DEV) == PROD
DEBUG = env.flag("DJANGO_DEBUG", default=not PRODUCTION)
SECRET_KEY = env.secret_key("DJANGO_SECRET_KEY", production=PRODUCTION)
ALLOWED_HOSTS = env.allowed_hosts("DJANGO_ALLOWED_HOSTS", production=PRODUCTION)

# For the HAProxy of the Compose stack. Refused here when wrong: before it is replaced.
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")

# Lets a script in, in prod, beside the staff login. Empty: login only.
MONITORING_TOKEN = env.text("MONITORING_TOKEN")

# The name of this machine on the page and in the database.
HOST_NAME = env.text("HOST_NAME") or socket.gethostname()

# Seconds between the samples that no one asks for, by the worker or `runserver`; 0 takes none.
SAMPLE_INTERVAL = env.number("SAMPLE_INTERVAL", default=60)

# Each of these deletes the samples that are older; 0 keeps all.
SAMPLE_RETENTION_DAYS = env.number("SAMPLE_RETENTION_DAYS", default=30)

STATIC_ROOT = BASE_DIR / "staticfiles"
# In dev they have been collected where gunicorn serves: in an image.
SERVES_STATIC_FILES = PRODUCTION or STATIC_ROOT.is_dir()


# Application

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "monitoring",  # Before `staticfiles`: both have a `runserver`, and ours extends the other.
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    # `runserver` serves static files itself; gunicorn doesn't.
    *(["whitenoise.middleware.WhiteNoiseMiddleware"] if SERVES_STATIC_FILES else []),
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
LOGIN_URL = "admin:login"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"


# Database

# A systemd service can write only to this folder (`StateDirectory=`). systemd passes it to the
# process, so it is no setting of the checkout.
STATE_DIR = os.environ.get("STATE_DIRECTORY", "")
DATABASE_PATH = (
    Path(STATE_DIR) / env.text("DATABASE_PATH", default="db.sqlite3")
    if STATE_DIR
    else BASE_DIR / env.text("DATABASE_PATH", default="data/db.sqlite3")
)

# If it can't be created, opening the database fails and `check` reports it (monitoring.E001).
# Commands that need no database, such as `collectstatic`, still run.
with contextlib.suppress(OSError):
    DATABASE_PATH.parent.mkdir(parents=True, exist_ok=True)

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATABASE_PATH,
        "OPTIONS": {
            # Readers don't wait for a writer; the web processes, the worker and a migration wait
            # for each other instead of failing with "database is locked". IMMEDIATE because SQLite
            # doesn't wait when a transaction turns from reading to writing.
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
        },
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


# Static files

STATIC_URL = "/static/"

if PRODUCTION:
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        # No hashed names: while a deploy switches, either release can answer for the other's pages.
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
    }


# Security

if PRODUCTION:
    # gunicorn is reached through a proxy only, which must set this header itself. Without it,
    # Django takes a login through https for one from another site.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

    # Whether there is TLS in front of the proxy is the operator's business, and decides these four.
    # Without HTTPS, secure cookies and a redirect would lock out every user.
    SILENCED_SYSTEM_CHECKS = [
        "security.W004",  # SECURE_HSTS_SECONDS
        "security.W008",  # SECURE_SSL_REDIRECT
        "security.W012",  # SESSION_COOKIE_SECURE
        "security.W016",  # CSRF_COOKIE_SECURE
    ]


# Celery

# How long anything here waits for a broker that doesn't answer, in seconds.
BROKER_TIMEOUT = 2

_broker_url = env.text("CELERY_BROKER_URL")
CELERY_BROKER_URL = _broker_url or "redis://localhost:6379/0"
CELERY_TASK_ALWAYS_EAGER = env.flag(
    "CELERY_TASK_ALWAYS_EAGER", default=not PRODUCTION and not _broker_url
)
CELERY_TASK_EAGER_PROPAGATES = True

CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True

# A task is acknowledged when it's done, so that one whose worker dies is run again: tasks must
# bear being run twice. Redis hands it out anew after the visibility timeout, which has to be longer
# than any task may take. A worker that loses the broker finishes its running tasks.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SOFT_TIME_LIMIT = 20
CELERY_TASK_TIME_LIMIT = 30
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False

# A request fails at once when the broker is away; a worker waits for it, however long.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_TIMEOUT = BROKER_TIMEOUT
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "max_retries": 0,  # Of connecting, before a message is sent. A worker's are counted above.
    "socket_connect_timeout": BROKER_TIMEOUT,
    "socket_timeout": BROKER_TIMEOUT,
}


# Logging: everything to stderr, for the service manager to keep.

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    # Without this Django would show its errors in DEBUG only, and mail them otherwise.
    "loggers": {"django": {"level": "INFO"}},
}
