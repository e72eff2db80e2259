//! The checkout of another project: at the root, without a Cargo.toml, with its own layout.

use crate::checkout::Checkout;
use crate::server::Server;

const SETTINGS: &str = r#"
import os

SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
if SECRET_KEY == "changeme":
    raise RuntimeError("the sample's key is no key")
DEBUG = os.environ["DJANGO_DEBUG"] == "1"
ALLOWED_HOSTS = os.environ["DJANGO_ALLOWED_HOSTS"].split(",")
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"#;

const URLS: &str = r#"
import os

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse(
    f"{User.objects.count()} users in the shop{os.environ.get('GREETING', '')}"
))]
"#;

const MANAGE: &str = r#"
import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    from django.core.management import execute_from_command_line

    sys.exit(execute_from_command_line(sys.argv))
"#;

const PYPROJECT: &str = r#"
[project]
name = "shop"
version = "1"
requires-python = ">=3.10"
dependencies = ["django~=5.2"]

[project.optional-dependencies]
dev = ["iniconfig"]
"#;

/// A value in every key, and no `DEPLOY_METHOD`.
const SAMPLE: &str = "DJANGO_ENV=prod\nDJANGO_SECRET_KEY=changeme\nDJANGO_DEBUG=0\nDJANGO_ALLOWED_HOSTS=shop.example.com\n\
                      CELERY_BROKER_URL=redis://redis:6379/0\nCELERY_TASK_ALWAYS_EAGER=0\n";

pub(crate) fn serves() {
    let checkout = Checkout::empty();
    for (name, content) in [
        ("settings.py", SETTINGS),
        ("urls.py", URLS),
        ("manage.py", MANAGE),
        ("pyproject.toml", PYPROJECT),
        (".env.sample", SAMPLE),
    ] {
        checkout.write(name, content);
    }

    let output = checkout.install([]);
    for (variable, value) in [
        ("DJANGO_ENV", "dev"),
        ("DEPLOY_METHOD", "bare"),
        ("DJANGO_DEBUG", "1"),
        ("DJANGO_ALLOWED_HOSTS", "localhost,127.0.0.1"),
    ] {
        assert_eq!(checkout.value(variable).as_deref(), Some(value), "{variable}");
    }
    assert_eq!(checkout.value("DJANGO_SECRET_KEY").map(|key| key.len()), Some(64));
    let site = checkout.uv(".", ["run", "--no-sync", "python", "-c", "import iniconfig"]).run();
    assert!(site.is_ok(), "the extra with the development tools is not installed");

    // This service does not read `.env` itself: the tool does.
    assert!(output.contains("cargo xtask run "), "{output}");
    let start = || Server::start(|address| checkout.manage(["runserver", "--noreload", address]));
    let server = start();
    assert_eq!(server.get("/"), (200, "0 users in the shop".to_owned()));
    drop(server);

    let second = checkout.install([]);
    assert!(second.contains("nothing had to be changed"), "{second}");

    // uv reads this line differently, and refuses the file.
    let env = checkout.read(".env");
    checkout.write(".env", &format!("{env}GREETING=, hello $world # x\n"));
    checkout.install([]);
    let server = start();
    assert_eq!(server.get("/"), (200, "0 users in the shop, hello $world".to_owned()));
    drop(server);
    checkout.write(".env", &env);

    // In prod, neither a value of the sample nor one that install wrote for dev answers a required question. Without
    // Celery there is none about a broker.
    let (output, code) = checkout.run(["install", "--yes", "--env", "prod", "--method", "bare"]);
    assert_eq!(code, 2, "{output}");
    assert!(output.contains("`DJANGO_ALLOWED_HOSTS` is required in prod+bare"), "{output}");
}
