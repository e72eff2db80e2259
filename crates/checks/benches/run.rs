//! The cost of many checks next to the cost of one: `cargo bench -p checks --bench run`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use checks::{CheckName, Limits, Probe, run};
use subprocess::Command;

const MINUTE: Duration = Duration::from_secs(60);
const CHECKS: usize = 12;
const UV: CheckName = CheckName::known("core.uv");

/// Seconds that so many checks take, each of which starts a program that takes 1 s.
fn seconds(checks: usize) -> f64 {
    let probe = || {
        Probe::new([UV], |deadline| {
            let finished = Command::new("sleep", ["1"]).run(deadline);
            assert!(finished.is_ok_and(|finished| finished.is_success()), "`sleep` fails");
            Vec::new()
        })
    };
    let probes = (0..checks).map(|_| probe()).collect();
    let started = Instant::now();
    run(probes, Limits { timeout: MINUTE, deadline: MINUTE }, &Arc::default(), &mut |_| ());
    started.elapsed().as_secs_f64()
}

#[expect(clippy::print_stdout, reason = "a benchmark tells its figures")]
fn main() {
    let (one, many) = (seconds(1), seconds(CHECKS));
    println!("{:<44} {many:6.2} s", format!("{CHECKS} checks that wait 1 s each"));
    println!("{:<44} {one:6.2} s", "one such check");
    println!("{:<44} {:6.2}", "ratio", many / one);
}
