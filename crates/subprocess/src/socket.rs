//! Sockets with a timeout, TCP or Unix. A server that does not accept, is silent, or sends one byte a second costs the
//! timeout and no more.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::Deadline;
use crate::seconds;

/// How often a wait checks its deadline and its flag.
const POLL: Duration = Duration::from_millis(50);

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A host, by name or number (IPv6 without brackets), and a port.
    Tcp(String, u16),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// As a person would write it: `127.0.0.1:8000`, `[::1]:8000`, `/run/shop.sock`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp(host, port) => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Address {
    /// Whether it is on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Address::Unix(_) => true,
            Address::Tcp(host, _) => {
                host.eq_ignore_ascii_case("localhost")
                    || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback() || ip.is_unspecified())
            }
        }
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection whose every wait ends with the deadline.
pub(crate) struct Socket<'a> {
    stream: Stream,
    address: &'a Address,
    deadline: &'a Deadline,
}

impl<'a> Socket<'a> {
    /// Connects on a thread of its own: neither the lookup of a name nor the connection to a Unix socket whose queue
    /// is full can be given a time. A thread that gets no answer is not joined.
    pub(crate) fn connect(address: &'a Address, deadline: &'a Deadline) -> Result<Self, SocketError> {
        let (sender, answer) = channel();
        let (to, left) = (address.clone(), deadline.left());
        thread::spawn(move || {
            // The receiver may be gone.
            let _ = sender.send(open(&to, left));
        });
        loop {
            check(address, deadline)?;
            match answer.recv_timeout(deadline.left().min(POLL)) {
                Ok(Ok(stream)) => return Ok(Socket { stream, address, deadline }),
                // The deadline alone measures the time, and is the one in the message.
                Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut && deadline.left() <= POLL => {
                    return Err(SocketError::NoAnswer(address.clone(), deadline.allowed()));
                }
                Ok(Err(error)) => return Err(SocketError::Io(address.clone(), error)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(SocketError::Io(
                        address.clone(),
                        io::Error::other("the connection attempt was abandoned"),
                    ));
                }
            }
        }
    }

    /// Sends all of it.
    pub(crate) fn send(&mut self, mut bytes: &[u8]) -> Result<(), SocketError> {
        while !bytes.is_empty() {
            let sent = self.attempt(|stream| match stream {
                Stream::Tcp(stream) => stream.write(bytes),
                Stream::Unix(stream) => stream.write(bytes),
            })?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Receives the next bytes; none once the other side has closed the connection.
    pub(crate) fn receive(&mut self) -> Result<Vec<u8>, SocketError> {
        let mut buffer = [0; 4096];
        let received = self.attempt(|stream| match stream {
            Stream::Tcp(stream) => stream.read(&mut buffer),
            Stream::Unix(stream) => stream.read(&mut buffer),
        })?;
        Ok(buffer[..received].to_vec())
    }

    fn attempt(&mut self, mut once: impl FnMut(&mut Stream) -> io::Result<usize>) -> Result<usize, SocketError> {
        use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
        loop {
            check(self.address, self.deadline)?;
            match once(&mut self.stream) {
                Err(error) if matches!(error.kind(), Interrupted | TimedOut | WouldBlock) => {}
                result => return result.map_err(|error| SocketError::Io(self.address.clone(), error)),
            }
        }
    }
}

/// Returns an error after the deadline, and once its flag is set.
fn check(address: &Address, deadline: &Deadline) -> Result<(), SocketError> {
    if deadline.is_stopped() {
        return Err(SocketError::Stopped(address.clone()));
    }
    if deadline.left().is_zero() {
        return Err(SocketError::NoAnswer(address.clone(), deadline.allowed()));
    }
    Ok(())
}

/// Connects; of several addresses of a host to the first that answers.
fn open(address: &Address, left: Duration) -> io::Result<Stream> {
    match address {
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(POLL))?;
            stream.set_write_timeout(Some(POLL))?;
            Ok(Stream::Unix(stream))
        }
        Address::Tcp(host, port) => {
            let addresses: Vec<_> = (host.as_str(), *port).to_socket_addrs()?.collect();
            // One that is silent must not use up the time of the others.
            let each = left / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
            let mut result = Err(io::ErrorKind::NotFound.into());
            for (index, address) in addresses.iter().enumerate() {
                let attempt = TcpStream::connect_timeout(address, each.max(Duration::from_millis(1)));
                // The first refusal is the most useful one: the last address is often an IPv6 one on a machine without
                // IPv6 ("cannot assign requested address").
                if index == 0 || attempt.is_ok() {
                    result = attempt;
                }
                if result.is_ok() {
                    break;
                }
            }
            let stream = result?;
            stream.set_read_timeout(Some(POLL))?;
            stream.set_write_timeout(Some(POLL))?;
            Ok(Stream::Tcp(stream))
        }
    }
}

/// A connection that came to nothing.
#[derive(Debug)]
pub enum SocketError {
    /// In so much time.
    NoAnswer(Address, Duration),
    /// The flag of the deadline was set.
    Stopped(Address),
    /// The operating system's word.
    Io(Address, io::Error),
}

impl SocketError {
    /// Returns whether this user may not connect, which reveals nothing about the server.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self, SocketError::Io(_, error) if error.kind() == io::ErrorKind::PermissionDenied)
    }
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SocketError::NoAnswer(address, allowed) => {
                write!(f, "no response in {} from `{address}`", seconds(*allowed))
            }
            SocketError::Stopped(address) => write!(f, "the wait for `{address}` was stopped"),
            SocketError::Io(address, error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => write!(f, "connection refused by `{address}`"),
                io::ErrorKind::ConnectionReset => write!(f, "connection reset by `{address}`"),
                io::ErrorKind::PermissionDenied => write!(f, "this user may not connect to `{address}`"),
                io::ErrorKind::NotFound => write!(f, "`{address}` is not there"),
                _ => write!(f, "`{address}`: {error}"),
            },
        }
    }
}

impl std::error::Error for SocketError {}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixListener;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;

    pub(crate) const LONG: Duration = Duration::from_secs(20);
    pub(crate) const SHORT: Duration = Duration::from_millis(200);

    /// A server on a port of its own, which does `talk` with the first who comes.
    pub(crate) fn serve(talk: impl FnOnce(TcpStream) + Send + 'static) -> Address {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        thread::spawn(move || talk(listener.accept().expect("somebody comes").0));
        Address::Tcp("127.0.0.1".into(), port)
    }

    /// Returns a port without a server.
    pub(crate) fn closed_port() -> Address {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        Address::Tcp("127.0.0.1".into(), listener.local_addr().expect("bound").port())
    }

    /// Holds the connection until the other side lets go of it.
    pub(crate) fn hold(mut stream: TcpStream) {
        while stream.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
    }

    /// Sends `byte` again and again, slowly, until the other side closes the connection.
    pub(crate) fn drip(mut stream: TcpStream, byte: u8) {
        stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a time");
        while stream.write_all(&[byte]).is_ok() {
            // The pause between two bytes is a read that gets nothing.
            let _ = stream.read(&mut [0; 64]);
        }
    }

    #[test]
    fn addresses_as_a_person_writes_them() {
        for (address, shown, is_local) in [
            (Address::Tcp("127.0.0.1".into(), 8000), "127.0.0.1:8000", true),
            (Address::Tcp("::1".into(), 80), "[::1]:80", true),
            (Address::Tcp("LOCALHOST".into(), 80), "LOCALHOST:80", true),
            (Address::Tcp("example.org".into(), 80), "example.org:80", false),
            (Address::Unix("/run/x.sock".into()), "/run/x.sock", true),
        ] {
            assert_eq!((address.to_string().as_str(), address.is_local()), (shown, is_local));
        }
    }

    #[track_caller]
    fn check_connect(address: &Address, deadline: &Deadline, expected: &str) {
        let error = Socket::connect(address, deadline).err().expect("no connection");
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn connections_that_come_to_nothing() {
        let long = Deadline::within(LONG);
        let address = closed_port();
        check_connect(&address, &long, &format!("connection refused by `{address}`"));
        let dir = tempfile::tempdir().expect("a folder");
        let address = Address::Unix(dir.path().join("x.sock"));
        check_connect(&address, &long, &format!("`{address}` is not there"));
        let stopped = Deadline::unless(Arc::new(AtomicBool::new(true)), LONG, LONG);
        check_connect(&address, &stopped, &format!("the wait for `{address}` was stopped"));
    }

    /// `connect(2)` on such a socket waits for as long as it takes.
    #[test]
    fn a_full_queue_costs_the_deadline() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("x.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        rustix::net::listen(&listener, 0).expect("a queue of one");
        let _first = UnixStream::connect(&path).expect("there is room for one");
        let address = Address::Unix(path);
        check_connect(&address, &Deadline::within(SHORT), &format!("no response in 0.2 s from `{address}`"));
    }

    #[test]
    fn sending_to_a_peer_that_does_not_read_times_out() {
        let (sender, done) = channel::<()>();
        let address = serve(move |_stream| {
            // Reads nothing, until the test is over.
            let _ = done.recv();
        });
        let deadline = Deadline::within(SHORT);
        let mut socket = Socket::connect(&address, &deadline).expect("connected");
        let error = socket.send(&vec![0; 64 << 20]).expect_err("nobody reads");
        assert_eq!(error.to_string(), format!("no response in 0.2 s from `{address}`"));
        drop(sender);
    }
}
