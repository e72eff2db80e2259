//! The page of the service in a real browser.

use std::fs;
use std::path::Path;

use duct::{Expression, cmd};

use crate::checkout::Checkout;
use crate::server::Server;

/// An hour of two machines. The latest sample of the first is from now: the server, which is that machine, takes none.
const SAMPLES: &str = "
import math
from datetime import timedelta
from django.utils import timezone
from monitoring.models import Sample
now = timezone.now()
Sample.objects.all().delete()
Sample.objects.bulk_create(
    Sample(
        host=host,
        taken_at=now - timedelta(minutes=minute, seconds=shift),
        cpu_percent=shift + 35 + 20 * math.sin(minute / 9) + 9 * math.sin(minute * 2.3),
        memory_percent=shift + 44 + 8 * math.sin(minute / 23),
        disk_percent=71 - minute / 30,
    )
    for minute in range(60)
    for host, shift in [('web-1', 0), ('database-' + '1' * 60 + '.example.org', 20)]
)
";

/// In six forms: no error in the console, no overflow, and readable colors. Its button works, with and without a broker.
pub(crate) fn readable_in_every_form() {
    let checkout = Checkout::of_this_workspace();
    checkout.install([]);
    let manage = |args: &[&str]| checkout.uv("service", ["run", "--no-sync", "manage.py"].iter().chain(args).copied());
    manage(&["shell", "-v0", "-c", SAMPLES]).run().expect("samples are stored");
    let serve = |prepare: fn(Expression) -> Expression| {
        Server::start(|address| prepare(manage(&["runserver", "--noreload", address]).env("HOST_NAME", "web-1")))
    };

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    fs::create_dir_all(&folder).expect("a folder");
    let browse = |server: &Server, message: &str| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/page/browser.py");
        let command = cmd!("python3", script, server.address(), &folder, message);
        let output = command.stderr_to_stdout().stdout_capture().unchecked().run().expect("it starts");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "see {}:\n{text}", folder.display());
    };

    let server = serve(|command| command);
    browse(&server, "");
    drop(server);
    let server =
        serve(|command| command.env("CELERY_TASK_ALWAYS_EAGER", "0").env("CELERY_BROKER_URL", "redis://127.0.0.1:1/0"));
    browse(&server, "No sample was taken: the task queue does not answer.");
}
