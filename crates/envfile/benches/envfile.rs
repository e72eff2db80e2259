//! The cost of parsing, setting and comparing, next to the cost of dotenvy on the same file: `cargo bench -p envfile`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use envfile::{EnvFile, Reader};

const LINES: usize = 20_000;
const ROUNDS: usize = 15;

/// Assignments that all readers read alike, comments and blank lines.
const PLAIN: &[&str] = &["KEY_{}=value-{}", "# what it is for", "URL_{}='redis://cache/{} # main'", ""];

/// The same, of which readers disagree on three of four.
const ODD: &[&str] = &[
    "KEY_{}=value {}",
    "# what it is for",
    "URL_{}=redis://$HOST/{} # main",
    "",
    "NAME_{}=a;b",
    "# what it is for",
    "PORT_{}={}",
    "",
];

fn file(pattern: &[&str]) -> Vec<u8> {
    let mut text = String::new();
    for (number, line) in pattern.iter().cycle().take(LINES).enumerate() {
        let _ = writeln!(text, "{}", line.replace("{}", &number.to_string()));
    }
    text.into_bytes()
}

/// Returns the shortest time of several rounds, in milliseconds.
fn shortest<T>(mut run: impl FnMut() -> T) -> f64 {
    let round = || {
        let started = Instant::now();
        black_box(run());
        started.elapsed()
    };
    std::iter::repeat_with(round).take(ROUNDS).min().unwrap_or(Duration::MAX).as_secs_f64() * 1e3
}

fn set(bytes: &[u8], key: &str) -> Vec<u8> {
    let mut file = EnvFile::parse(bytes);
    file.set(key, "another value", None).expect("a value with a form");
    file.to_bytes()
}

#[expect(clippy::print_stdout, reason = "a benchmark tells its figures")]
fn main() {
    let (plain, odd) = (file(PLAIN), file(ODD));
    let row =
        |what: &str, time: f64, of: f64, whose: &str| println!("{what:<44} {time:8.2} ms {:7.2} x {whose}", time / of);

    let dotenvy = shortest(|| dotenvy::from_read_iter(plain.as_slice()).flatten().count());
    let parse = shortest(|| EnvFile::parse(&plain));
    println!("{LINES} lines, {} bytes", plain.len());
    row("dotenvy: parse", dotenvy, dotenvy, "dotenvy");
    row("parse", parse, dotenvy, "dotenvy");
    row("parse, set in the middle, write", shortest(|| set(&plain, "KEY_10000")), parse, "parse");
    row("parse, set a new variable, write", shortest(|| set(&plain, "NEW")), parse, "parse");

    let parse = shortest(|| EnvFile::parse(&odd));
    println!("{LINES} lines that readers disagree on, {} bytes", odd.len());
    row("parse", parse, parse, "parse");
    row("parse, set in the middle, write", shortest(|| set(&odd, "KEY_10000")), parse, "parse");
    for (name, bytes) in [("plain", &plain), ("odd", &odd)] {
        let file = EnvFile::parse(bytes);
        for (readers, count) in [(&Reader::ALL[..1], "one reader"), (Reader::ALL, "all readers")] {
            let found = file.disagreements(readers).len();
            let time = shortest(|| file.disagreements(readers));
            row(&format!("disagreements, {name} file, {count}: {found}"), time, parse, "parse");
        }
    }
}
