//! Containers of a real Compose project.

use duct::cmd;

use crate::checkout::Checkout;
use crate::engine::{IMAGE, image};

/// A Compose project that is taken down again, however the case ends.
struct Up<'a>(&'a Checkout);

impl Up<'_> {
    fn compose<'b>(&self, args: impl IntoIterator<Item = &'b str>) -> duct::Expression {
        cmd("docker", ["compose", "-f", "deploy/docker/compose.yaml"].into_iter().chain(args))
            .dir(&self.0.root)
            .stdout_null()
            .stderr_null()
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        let _ = self.compose(["down", "--timeout", "0", "--volumes"]).unchecked().run();
    }
}

pub(crate) fn detected() {
    image();
    let checkout = Checkout::empty();
    let name = format!("xtask-e2e-{}", std::process::id());
    checkout.write("manage.py", "");
    checkout.write(
        "deploy/docker/compose.yaml",
        &format!(
            "name: {name}\nservices:\n  web:\n    image: {IMAGE}\n    command: [sleep, infinity]\n    init: true\n"
        ),
    );
    assert_eq!(checkout.run(["detect", "method"]), ("bare\n".into(), 0));

    let up = Up(&checkout);
    up.compose(["up", "-d"]).run().expect("the stack comes up");
    assert_eq!(checkout.run(["detect", "method"]), ("docker\n".into(), 0));
    let (all, _) = checkout.run(["detect"]);
    assert!(all.contains(&format!("running containers: {name}-web-1")), "{all}");

    // The file goes before what runs.
    checkout.write(".env", "DEPLOY_METHOD=bare\n");
    assert_eq!(checkout.run(["detect", "method"]), ("bare\n".into(), 0));
    // Another project's containers are not ours.
    let other = Checkout::empty();
    other.write("manage.py", "");
    other.write("compose.yaml", "services: {}\n");
    assert_eq!(other.run(["detect", "method"]), ("bare\n".into(), 0));

    drop(up);
    checkout.write(".env", "");
    assert_eq!(checkout.run(["detect", "method"]), ("bare\n".into(), 0));
}
