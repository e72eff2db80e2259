//! Units recorded with systemd 252, for the tests of this group.

use systemd::Unit;
use systemd::show::parse;

#[rustfmt::skip]
const NAMES: [&str; 13] = [
    "redis-server.service", "redis.service", "shop.service", "shop.socket", "loop.service", "loop2.service",
    "fails.service", "killed.service", "disabled.service", "masked.service", "task.service", "gone.service",
    "lines.service",
];

/// Returns the units of the recording.
#[track_caller]
pub(super) fn recorded() -> Vec<Unit> {
    let units = parse(&NAMES.map(str::to_owned), include_str!("../../../../systemd/src/show.txt"));
    units.expect("as many as are named")
}

/// Returns a unit of the recording.
#[track_caller]
pub(super) fn unit(name: &str) -> Unit {
    recorded().into_iter().find(|unit| unit.name == name).expect("recorded")
}
