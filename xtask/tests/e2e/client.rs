//! Requests as a strict client makes them: no second try, no answer that is not wholly there.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take: far more than any should.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The address of the service, and the credentials.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    pub(crate) host: String,
    pub(crate) token: String,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// Whether the connection can be asked again.
    pub(crate) stays_open: bool,
}

/// Whether a request asks for the connection to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    New,
    KeepAlive,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::New => "on a new connection",
            Kind::KeepAlive => "on a kept connection",
        })
    }
}

pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(site: &Site) -> io::Result<Self> {
        let stream = TcpStream::connect((site.ip, site.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Connection(BufReader::new(stream)))
    }

    pub(crate) fn ask(&mut self, site: &Site, method: &str, path: &str, kind: Kind) -> io::Result<Answer> {
        let (host, token) = (&site.host, &site.token);
        let connection = if kind == Kind::New { "close" } else { "keep-alive" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n\
             Content-Length: 0\r\nConnection: {connection}\r\n\r\n"
        );
        self.0.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<Answer> {
        let first = self.line()?;
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| malformed(format!("status line {first:?}")))?;
        let (mut length, mut is_chunked, mut stays_open) = (None, false, true);
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| malformed(format!("header {line:?}")))?;
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok(),
                "transfer-encoding" => is_chunked = value.trim().eq_ignore_ascii_case("chunked"),
                "connection" => stays_open = !value.trim().eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        let body = match length {
            _ if is_chunked => self.chunks()?,
            Some(length) => self.bytes(length)?,
            None => return Err(malformed(format!("no length in the answer {status}"))),
        };
        let body = String::from_utf8(body).map_err(|error| malformed(error.to_string()))?;
        Ok(Answer { status, body, stays_open })
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.line()?;
            let size = usize::from_str_radix(&size, 16).map_err(|_| malformed(format!("size of a chunk {size:?}")))?;
            body.extend(self.bytes(size)?);
            if !self.line()?.is_empty() {
                return Err(malformed("a chunk that is longer than its size".to_owned()));
            }
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// A line, without its end.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None if line.is_empty() => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed without an answer")),
            None => Err(malformed(format!("line {line:?}"))),
        }
    }
}

fn malformed(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Site {
    /// One question on a connection of its own.
    pub(crate) fn ask(&self, method: &str, path: &str) -> io::Result<Answer> {
        Connection::open(self)?.ask(self, method, path, Kind::New)
    }

    /// Returns status and body of a response that must come.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let answer = self.ask("GET", path).unwrap_or_else(|error| panic!("GET {path}: {error}"));
        (answer.status, answer.body)
    }
}
