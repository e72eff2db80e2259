//! A project in the shape that this tool was first written for, deployed both ways without a change to its files: `manage.py`
//! in the root, a Compose file that builds with `COPY . .`, units that run in `/opt`, a database and a log below the checkout.

use duct::cmd;

use crate::checkout::{Checkout, contains_all};
use crate::deploy::stack::{QUICK, Stack};
use crate::engine::IMAGE;
use crate::units::server::Server;

const SETTINGS: &str = r#"
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
DEBUG = os.environ.get("DJANGO_DEBUG", "0") == "1"
ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS", "localhost").split(",")
INSTALLED_APPS = ["django.contrib.sessions"]
MIDDLEWARE = []
ROOT_URLCONF = "monitor.urls"
WSGI_APPLICATION = "monitor.wsgi.application"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DATABASE_PATH") or BASE_DIR / "db.sqlite3",
    }
}
LOGGING = {
    "version": 1,
    "handlers": {"file": {"class": "logging.FileHandler", "filename": BASE_DIR / "logs" / "monitor.log"}},
    "root": {"handlers": ["file"], "level": "INFO"},
}
"#;

const URLS: &str = r#"
import uuid

from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.urls import path
from django.utils import timezone


def home(request):
    Session.objects.create(session_key=uuid.uuid4().hex, session_data="", expire_date=timezone.now())
    return HttpResponse(f"release 1, visit {Session.objects.count()}")


urlpatterns = [path("", home)]
"#;

const WSGI: &str = "import os\n\nfrom django.core.wsgi import get_wsgi_application\n\n\
                    os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"monitor.settings\")\n\
                    application = get_wsgi_application()\n";

const MANAGE: &str = "import os\nimport sys\n\nif __name__ == \"__main__\":\n    \
                      os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"monitor.settings\")\n    \
                      from django.core.management import execute_from_command_line\n\n    \
                      execute_from_command_line(sys.argv)\n";

const PYPROJECT: &str = "[project]\nname = \"monitor\"\nversion = \"1\"\nrequires-python = \">=3.11\"\n\
                         dependencies = [\"django~=5.2\", \"gunicorn\"]\n\n[tool.uv]\npackage = false\n";

const COMPOSE: &str = r#"
services:
  web:
    build:
      context: ../..
      dockerfile: deploy/docker/Dockerfile
    env_file: ../../.env
    environment:
      DATABASE_PATH: /data/db.sqlite3
    volumes: [data:/data]
    ports: ["${WEB_PORT:-8000}:8000"]
    init: true
volumes:
  data: {}
"#;

const UNIT: &str = "[Unit]\nDescription=Server monitoring\nAfter=network.target\n\n\
                    [Service]\nUser=www-data\nGroup=www-data\nWorkingDirectory=/opt/server-monitoring\n\
                    EnvironmentFile=/etc/server-monitoring/env\n\
                    ExecStart=/opt/server-monitoring/.venv/bin/gunicorn --bind 0.0.0.0:8080 monitor.wsgi\n\
                    Restart=always\n\n[Install]\nWantedBy=multi-user.target\n";

fn project() -> Checkout {
    let checkout = Checkout::empty();
    let dockerfile = format!(
        "FROM {IMAGE}\nWORKDIR /app\nCOPY . .\nRUN uv sync --frozen --quiet\nENV PATH=/app/.venv/bin:$PATH\n\
         CMD [\"gunicorn\", \"--bind\", \"0.0.0.0:8000\", \"monitor.wsgi\"]\n"
    );
    for (file, text) in [
        ("manage.py", MANAGE),
        ("pyproject.toml", PYPROJECT),
        ("monitor/__init__.py", ""),
        ("monitor/settings.py", SETTINGS),
        ("monitor/urls.py", URLS),
        ("monitor/wsgi.py", WSGI),
        ("logs/.gitkeep", ""),
        (
            ".env.sample",
            "DJANGO_ENV=dev\nDEPLOY_METHOD=bare\nDJANGO_DEBUG=\nDJANGO_SECRET_KEY=\nDJANGO_ALLOWED_HOSTS=\n",
        ),
        (".gitignore", ".env\n.venv\n*.sqlite3\n*.log\n__pycache__\n.xtask\n"),
        ("deploy/docker/docker-compose.yml", COMPOSE),
        ("deploy/docker/Dockerfile", &dockerfile),
        ("deploy/systemd/server-monitoring.service", UNIT),
    ] {
        checkout.write(file, text);
    }
    checkout
}

/// Returns the visit that a page counts, after checking which release has made it.
#[track_caller]
fn visit(page: &str, release: &str) -> u32 {
    let number = page.strip_prefix(release).and_then(|rest| rest.strip_prefix(", visit "));
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{release}: {page}"))
}

pub(crate) fn both_ways() {
    let server = Server::of(project());
    server.dev("cd /srv/app && uv lock --quiet && git add --all");
    let lock = server.checkout.read("uv.lock");
    let output = server.deployed(QUICK);
    contains_all(&output, &["`db.sqlite3` and `logs/` in `/var/lib/server-monitoring`, for all releases"]);
    let first = visit(&server.site.get("/").1, "release 1");
    server.checkout.edit("monitor/urls.py", "release 1", "release 2");
    server.deployed(QUICK);
    assert!(visit(&server.site.get("/").1, "release 2") > first, "the database of the first release");
    contains_all(&server.machine.script("ls -l /var/lib/server-monitoring"), &["www-data", "db.sqlite3", "logs"]);
    contains_all(&server.health("", 0), &["ok   systemd.http", "ok   systemd.drift"]);
    drop(server);

    let checkout = project();
    checkout.write("uv.lock", &lock);
    let stack = Stack::of(checkout, "original");
    cmd!("git", "init", "--quiet").dir(&stack.checkout.root).run().expect("a repository");
    stack.deployed(QUICK);
    let first = visit(&stack.site.get("/").1, "release 1");
    assert!(stack.deployed(QUICK).contains("nothing has changed"));
    stack.checkout.edit("monitor/urls.py", "release 1", "release 2");
    stack.deployed(QUICK);
    assert!(visit(&stack.site.get("/").1, "release 2") > first, "the database of the first release");
    contains_all(&stack.health("--only docker", 0), &["ok   docker.http"]);
}
