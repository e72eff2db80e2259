//! A stack whose images come from a registry, beside one that is built under a name with a variable in it.

use std::cell::RefCell;

use duct::cmd;

use crate::checkout::contains_all;
use crate::deploy::foreign::{SERVER, foreign};
use crate::deploy::stack::{QUICK, Stack, docker};
use crate::engine::IMAGE;
use crate::server::Server;

const COMPOSE: &str = r#"
services:
  web: {image: "REGISTRY/shop:${TAG:-1}", pull_policy: always, init: true, ports: ["${WEB_PORT}:8000"]}
  beat: {image: "REGISTRY/shop:${TAG:-1}", init: true, command: [sleep, infinity]}
  celery:
    build: .
    image: ${COMPOSE_PROJECT_NAME}-own:${TAG:-1}
    init: true
    command: [sleep, infinity]
    stop_grace_period: 2s
"#;

/// The label with which the stack takes its images away.
const DOCKERFILE: &str = r#"FROM IMAGE
LABEL com.docker.compose.project=PROJECT
WORKDIR /srv
COPY server.py answer ./
CMD ["python3", "-u", "server.py"]
"#;

/// The registry, and the stack that it serves.
struct Shop {
    stack: Stack,
    registry: String,
}

impl Shop {
    /// Pushes an image with this answer, and leaves nothing of it on the engine. Returns its id.
    fn push(&self, tag: &str, answer: &str) -> String {
        let reference = format!("{}/shop:{tag}", self.registry);
        self.stack.checkout.write("answer", answer);
        let folder = self.stack.checkout.root.display().to_string();
        docker(&["build", "--quiet", "--tag", &reference, &folder]);
        docker(&["push", "--quiet", &reference]);
        let id = docker(&["image", "inspect", "--format", "{{.Id}}", &reference]);
        docker(&["image", "rm", "--force", &reference]);
        id.trim().to_owned()
    }

    /// Checks the answer of `web`, and that all services run images of one release.
    #[track_caller]
    fn serves(&self, answer: &str, images: [&str; 2], output: &str) {
        assert_eq!(self.stack.site.get("/").1, answer, "{output}");
        let running = ["web", "beat", "celery"].map(|service| self.image(service));
        assert_eq!(running.each_ref().map(String::as_str), [images[0], images[0], images[1]], "{output}");
    }

    fn image(&self, service: &str) -> String {
        docker(&["inspect", "--format", "{{.Image}}", &self.stack.id(service)]).trim().to_owned()
    }
}

pub(crate) fn from_a_registry() {
    let stack = foreign("pulled", "", SERVER);
    let storage = tempfile::tempdir().expect("a folder");
    let address = RefCell::new(String::new());
    let registry = Server::start(|listens_on| {
        address.replace(listens_on.to_owned());
        let folder = storage.path().join("images");
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{listens_on}\"}}\n",
            folder.display()
        );
        let file = storage.path().join("config.yml");
        std::fs::write(&file, config).expect("written");
        cmd!("docker-registry", "serve", file)
    });
    let shop = Shop { stack, registry: address.into_inner() };
    let (stack, reference) = (&shop.stack, |tag: &str| format!("{}/shop:{tag}", shop.registry));
    stack.checkout.write("compose.yaml", &COMPOSE.replace("REGISTRY", &shop.registry));
    stack.checkout.write("Dockerfile", &DOCKERFILE.replace("IMAGE", IMAGE).replace("PROJECT", &stack.name));

    // One that is not there is pulled; the plan says so.
    let first = shop.push("1", "release 1");
    let (plan, code) = stack.deploy("--dry-run");
    assert_eq!(code, 0, "{plan}");
    contains_all(
        &plan,
        &[&format!("pull {}, which is not on the engine", reference("1")), &format!("build {}-own:1;", stack.name)],
    );
    let output = stack.deployed(QUICK);
    let own = shop.image("celery");
    shop.serves("release 1", [&first, &own], &output);

    // The tag has moved in the registry: another release, which can be rolled back by the ids of its images.
    let second = shop.push("1", "release 2");
    let output = stack.deployed(QUICK);
    let own_second = shop.image("celery");
    shop.serves("release 2", [&second, &own_second], &output);
    let (migrations, _) = output.split_once("beat: replaced").expect("the step");
    assert!(migrations.contains("migrations"), "before any service with the image is replaced: {output}");
    let output = stack.deployed("--stability 1s --rollback");
    shop.serves("release 1", [&first, &own], &output);
    stack.deployed(QUICK);
    assert!(stack.deployed("").contains("nothing has changed"));

    // A release that is refused after its image was pulled leaves the name with the image that serves.
    let dockerfile = stack.checkout.read("Dockerfile");
    stack.checkout.write("Dockerfile", &format!("{dockerfile}HEALTHCHECK --interval=90s CMD true\n"));
    shop.push("1", "late");
    docker(&["tag", &second, &reference("1")]);
    let (output, code) = stack.deploy(QUICK);
    assert_eq!(code, 3, "{output}");
    contains_all(&output, &["pull ", "comes 90 s after the start"]);
    let image = |tag: &str| docker(&["image", "inspect", "--format", "{{.Id}}", &reference(tag)]).trim().to_owned();
    assert_eq!(image("1"), second, "{output}");
    stack.checkout.write("Dockerfile", &dockerfile);

    // Another tag in `.env`, for both kinds of images. The rollback gives no other image the name of a registry's.
    let third = shop.push("2", "release 3");
    let env = stack.checkout.read(".env");
    stack.checkout.write(".env", &format!("{env}TAG=2\n"));
    let output = stack.deployed(QUICK);
    let own_third = shop.image("celery");
    shop.serves("release 3", [&third, &own_third], &output);
    let output = stack.deployed("--stability 1s --rollback");
    shop.serves("release 2", [&second, &own_second], &output);
    assert_eq!(image("2"), third);

    // Without the registry nothing is changed; `--no-build` needs none.
    drop(registry);
    let containers = stack.containers();
    let (output, code) = stack.deploy(QUICK);
    assert_eq!(code, 1, "{output}");
    let failed = format!("the image `{}` of `web` and `beat` cannot be pulled: nothing was changed", reference("2"));
    contains_all(&output, &[&failed, "refused"]);
    assert_eq!(stack.containers(), containers, "{output}");
    let output = stack.deployed("--stability 1s --no-build");
    assert_eq!((stack.site.get("/").1.as_str(), shop.image("web")), ("release 3", third), "{output}");
}
