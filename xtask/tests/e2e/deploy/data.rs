//! Changes that need consent: data in no volume, and the containers of another checkout.

use crate::checkout::contains_all;
use crate::deploy::foreign::{checkout, foreign};
use crate::deploy::stack::{Stack, docker};

const COMPOSE: &str = r#"
services:
  web:
    build: .
    init: true
    env_file: .env
    ports: ["${WEB_PORT}:8000"]
    volumes: [./Dockerfile:/srv/mounted.txt:ro]
"#;

/// Keeps a row for each POST, where it stands, and answers how many there are.
const SERVER: &str = r#"
import http.server
import pathlib
import sqlite3
import tempfile

ANSWER = pathlib.Path("/srv/answer").read_text()
pathlib.Path("/srv/media/2026").mkdir(parents=True, exist_ok=True)
pathlib.Path("/srv/web.pid").write_text("1")
pathlib.Path(tempfile.gettempdir(), "scratch.db").write_text("x")
database = sqlite3.connect("/srv/kept", check_same_thread=False)
database.execute("create table if not exists sample (id integer)")
database.commit()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{ANSWER}: {database.execute('select count(*) from sample').fetchone()[0]}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        database.execute("insert into sample values (1)")
        database.commit()
        pathlib.Path("/srv/media/2026/a.png").write_text("x")
        self.do_GET()


http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"#;

/// A database and uploads in the writable layer, and data in a volume without a name: found before their container is
/// replaced, and given up only by consent.
pub(crate) fn in_no_volume() {
    let stack = foreign("data", COMPOSE, SERVER);
    let answer = || stack.site.get("/").1;
    stack.checkout.write("answer", "release 1");
    stack.deployed("--stability 1s");
    // Files that every container writes are no data, and an empty database is none that is worth keeping.
    (0..3).for_each(|_| drop(stack.site.ask("POST", "/").expect("an answer")));
    assert_eq!(answer(), "release 1: 3");
    let first = stack.containers();
    // Nothing changes, nothing is at stake.
    stack.deployed("--stability 1s");

    stack.checkout.write("answer", "release 2");
    for args in ["", "--yes", "--rollback", "--dry-run"] {
        let (output, code) = stack.deploy(args);
        assert_eq!(code, if args == "--dry-run" { 0 } else { 3 }, "{args}: {output}");
        if args != "--rollback" {
            contains_all(
                &output,
                &["keeps data in no volume", "`/srv/kept` (a database)", "`/srv/media/` (1 file: uploads"],
            );
            contains_all(&output, &["--abandon-data", "docker cp"]);
            for other in ["web.pid", "scratch.db", "mounted.txt", "docker-init"] {
                assert!(!output.contains(other), "{other}: {output}");
            }
        }
        assert_eq!(stack.containers(), first, "{args}: {output}");
    }
    assert_eq!(answer(), "release 1: 3");
    // A container that does not run has its data all the same; only the names of the files show their kind.
    docker(&["exec", &stack.id("web"), "cp", "/srv/kept", "/srv/kept.sqlite3"]);
    docker(&["stop", "--time", "1", &stack.id("web")]);
    let (output, code) = stack.deploy("");
    assert_eq!(code, 3, "{output}");
    contains_all(&output, &["`/srv/kept.sqlite3` (a database)", "`/srv/kept` (uploads or other data)"]);
    assert!(!output.contains("web.pid") && !output.contains("mounted.txt"), "{output}");
    docker(&["start", &stack.id("web")]);

    let output = stack.deployed("--abandon-data --stability 1s");
    contains_all(&output, &["warning: `", "keeps data in no volume"]);
    assert_eq!(answer(), "release 2: 0");

    // A volume without a name, of a container that does not even run.
    stack.checkout.write("compose.yaml", &COMPOSE.replace("volumes: [", "volumes: [/srv/media, "));
    stack.compose(&["up", "--detach", "--no-deps", "web"]);
    docker(&["stop", "--time", "1", &stack.id("web")]);
    stack.checkout.write("answer", "release 3");
    let (output, code) = stack.deploy("--yes");
    assert_eq!(code, 3, "{output}");
    contains_all(&output, &["`web` keeps data in a volume without a name (`/srv/media`)"]);
}

/// Two checkouts with the same project name: neither replaces the other's containers without consent.
pub(crate) fn of_another_checkout() {
    let prod = foreign("another", COMPOSE, SERVER);
    prod.checkout.write("answer", "prod");
    prod.deployed("--stability 1s");
    let before = prod.containers();
    let folder = prod.checkout.root.to_str().expect("UTF-8");

    let dev = Stack { site: prod.site.clone(), name: prod.name.clone(), checkout: checkout(COMPOSE, SERVER) };
    let for_dev = prod.checkout.read(".env").replace("DJANGO_ENV=prod", "DJANGO_ENV=dev");
    dev.checkout.write(".env", &for_dev);
    dev.checkout.write("answer", "dev");
    for args in ["", "--yes", "--dry-run", "--replace /srv/another"] {
        let (output, code) = dev.deploy(args);
        assert_eq!(code, 3, "{args}: {output}");
        contains_all(
            &output,
            &["has containers from another folder: `", folder, "for `prod`", "COMPOSE_PROJECT_NAME=… in `.env`"],
        );
        assert_eq!(prod.containers(), before, "{args}: {output}");
    }
    assert_eq!(prod.site.get("/").1, "prod: 0");

    // The same checkout, for another environment.
    prod.checkout.write(".env", &for_dev);
    let (output, code) = prod.deploy("--yes");
    assert_eq!(code, 3, "{output}");
    contains_all(&output, &["was deployed for `prod`", "this deploy, for `dev`", "--replace"]);
    assert_eq!(prod.containers(), before);

    let consent = ["deploy-docker", "--stability", "1s", "--abandon-data", "--replace", folder];
    let (output, code) = crate::deploy::stack::finish(&dev.xtask(consent));
    assert_eq!(code, 0, "{output}");
    assert_eq!(prod.site.get("/").1, "dev: 0");
}
