//! Where the service listens, by its socket unit or by the command that starts it.

use std::net::IpAddr;
use std::path::PathBuf;

use subprocess::Address;

use crate::show::{Unit, socket_of};

/// The address of the service: that of its socket unit, else of any other, else the one that its command binds.
#[must_use]
pub fn of_service(units: &[Unit], main: &str) -> Option<Address> {
    let own = units.iter().filter(|unit| unit.name == socket_of(main));
    let mut sockets = own.chain(units).filter(|unit| unit.is_installed());
    let by_command = || units.iter().find(|unit| unit.name == main)?.all("ExecStart").find_map(bound);
    sockets.find_map(|socket| socket.all("Listen").find_map(listening)).or_else(by_command)
}

/// The address in a value of `Listen`, such as `[::]:8000 (Stream)`.
fn listening(listen: &str) -> Option<Address> {
    address(listen.strip_suffix(" (Stream)")?)
}

/// Returns the address that a command binds, as gunicorn does, from a value of `ExecStart` in the form of `systemctl
/// show`.
#[must_use]
pub fn bound(exec_start: &str) -> Option<Address> {
    let (_, command) = exec_start.split_once("argv[]=")?;
    let command = command.split(" ; ").next()?;
    let mut words = command.split_whitespace();
    while let Some(word) = words.next() {
        let value = match word {
            "--bind" | "-b" => words.next(),
            _ => word.strip_prefix("--bind="),
        };
        if let Some(address) = value.and_then(address) {
            return Some(address);
        }
    }
    None
}

/// Parses `/run/x.sock`, `unix:/run/x.sock`, `127.0.0.1:8000` or `[::]:8000`. A server on all addresses is reached on
/// the loopback address.
#[must_use]
pub fn address(text: &str) -> Option<Address> {
    let path = text.strip_prefix("unix:").unwrap_or(text);
    if path.starts_with('/') {
        // `unix:///run/x.sock` is the same.
        return Some(Address::Unix(PathBuf::from(format!("/{}", path.trim_start_matches('/')))));
    }
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) if ip.is_unspecified() => "127.0.0.1",
        Ok(IpAddr::V6(ip)) if ip.is_unspecified() => "localhost",
        _ if host.is_empty() || host == "*" => "localhost",
        _ => host,
    };
    Some(Address::Tcp(host.to_owned(), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::{recorded, unit};

    #[track_caller]
    fn check(found: Option<Address>, expected: Option<&str>) {
        assert_eq!(found.map(|address| address.to_string()).as_deref(), expected);
    }

    #[test]
    fn addresses_of_sockets() {
        check(listening("/run/shop.sock (Stream)"), Some("/run/shop.sock"));
        check(listening("127.0.0.1:8000 (Stream)"), Some("127.0.0.1:8000"));
        check(listening("[::1]:8000 (Stream)"), Some("[::1]:8000"));
        check(listening("[::]:8000 (Stream)"), Some("localhost:8000"));
        check(listening("0.0.0.0:80 (Stream)"), Some("127.0.0.1:80"));
        check(listening("/run/shop.dgram (Datagram)"), None);
        check(listening("@abstract (Stream)"), None);
    }

    #[test]
    fn addresses_of_commands() {
        let exec = |args: &str| bound(&format!("{{ path=/x ; argv[]=/x {args} ; ignore_errors=no ; pid=0 }}"));
        check(exec("shop.wsgi --bind 127.0.0.1:8000 -w 2"), Some("127.0.0.1:8000"));
        check(exec("--bind=0.0.0.0:8000"), Some("127.0.0.1:8000"));
        check(exec("-b unix:/run/shop.sock"), Some("/run/shop.sock"));
        check(exec("-b unix:///run/shop.sock"), Some("/run/shop.sock"));
        check(exec("-b :8000"), Some("localhost:8000"));
        check(exec("--bind fd://3 --bind [::]:80"), Some("localhost:80"));
        check(exec("--bind 0.0.0.0:$PORT"), None);
        check(exec("--bind"), None);
        check(exec("shop.wsgi"), None);
        check(bound(""), None);
    }

    #[test]
    fn the_services_own_socket_comes_first() {
        let mut other = unit("shop.socket").with("Listen", "/run/other.sock (Stream)");
        other.name = "other.socket".into();
        let units: Vec<_> = [other].into_iter().chain(recorded()).collect();
        check(of_service(&units, "shop.service"), Some("/run/shop.sock"));
        check(of_service(&units, "loop.service"), Some("/run/other.sock"));
        let command = "{ path=/x ; argv[]=/x -b 127.0.0.1:9000 ; ignore_errors=no }";
        let service = unit("shop.service").with("ExecStart", command);
        check(of_service(&[service, unit("gone.service")], "shop.service"), Some("127.0.0.1:9000"));
        check(of_service(&[unit("shop.service")], "shop.service"), None);
    }
}
