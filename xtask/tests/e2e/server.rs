//! A server that a case has started, and requests to it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use duct::{Expression, Handle};

use crate::port;

const TIMEOUT: Duration = Duration::from_secs(300);

/// A running server; killed when dropped.
pub(crate) struct Server {
    handle: Handle,
    port: u16,
}

impl Server {
    /// Starts `command`, which is handed the address to listen on, and waits until it accepts connections.
    pub(crate) fn start(command: impl FnOnce(&str) -> Expression) -> Self {
        let port = port::unused();
        let command = command(&format!("127.0.0.1:{port}"));
        let handle = command.stdin_null().stdout_null().stderr_null().unchecked().start().expect("the server starts");
        let server = Server { handle, port };
        server.wait();
        server
    }

    fn wait(&self) {
        let deadline = Instant::now() + TIMEOUT;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.handle.wait_timeout(Duration::from_millis(50)).expect("the server can be waited for");
            assert!(ended.is_none(), "the server has ended");
            assert!(Instant::now() < deadline, "the server does not listen");
        }
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.request("GET", path)
    }

    /// Returns the address of the page.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Status and body.
    pub(crate) fn request(&self, method: &str, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server listens");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a time-out");
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer in UTF-8");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        (status.unwrap_or_else(|| panic!("no status: {answer}")), body.unwrap_or_default())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // `uv run` hands TERM on to the server; KILL would leave it behind.
        for pid in self.handle.pids() {
            let _ = duct::cmd!("kill", pid.to_string()).unchecked().run();
        }
        if !matches!(self.handle.wait_timeout(Duration::from_secs(10)), Ok(Some(_))) {
            let _ = self.handle.kill();
        }
    }
}
