//! Ports for servers that a case starts later.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which Linux gives ports to outgoing connections (32768 to 60999,
/// `net.ipv4.ip_local_port_range`): the clients of the other cases open thousands, and would take the port before its
/// server listens.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// A port of 127.0.0.1 on which nothing listens, and which no other case of this run gets.
pub(crate) fn unused() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    // Another run at the same time starts at another port.
    let start = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let offset = start.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed).into()) % u32::from(COUNT);
        let port = FIRST + u16::try_from(offset).expect("below COUNT");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {FIRST} on is unused");
}
