//! One request over HTTP, to a TCP or a Unix socket.
//!
//! A redirect is never followed: it could lead to another server.

use std::fmt;

use crate::Deadline;
use crate::socket::Socket;
pub use crate::socket::{Address, SocketError};

/// The limit for the head of a response, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;
/// The limit for the fields in the head of a response.
const MOST_FIELDS: usize = 128;

/// The response of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code, such as 200.
    pub status: u16,
    /// The target of a redirect: its `Location` field.
    pub location: Option<String>,
}

/// Sends a `GET` request for `path` with the `Host` field `host`, and returns the response. With `https`, the request
/// says that a proxy has received it over HTTPS (`X-Forwarded-Proto`).
///
/// # Errors
/// If there is no response over HTTP before the deadline, or `path` or `host` cannot be a part of a request.
pub fn get(address: &Address, path: &str, host: &str, https: bool, deadline: &Deadline) -> Result<Answer, HttpError> {
    let request = request(path, host, https)?;
    let mut socket = Socket::connect(address, deadline)?;
    socket.send(request.as_bytes())?;
    let mut head = Vec::new();
    while head.len() <= LONGEST_HEAD {
        let received = socket.receive()?;
        if received.is_empty() {
            let error = if head.is_empty() { HttpError::Closed } else { HttpError::NotHttp };
            return Err(error(address.clone()));
        }
        head.extend(received);
        match answer(&mut head) {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => {}
            Err(_) => break,
        }
    }
    Err(HttpError::NotHttp(address.clone()))
}

/// Returns the text of the request. Characters that would end a line, or a word of the first line, are an error.
fn request(path: &str, host: &str, https: bool) -> Result<String, HttpError> {
    if !path.starts_with('/') || !is_one_word(path) {
        return Err(HttpError::Path(path.escape_debug().to_string()));
    }
    if host.is_empty() || !is_one_word(host) {
        return Err(HttpError::Host(host.escape_debug().to_string()));
    }
    let proto = if https { "X-Forwarded-Proto: https\r\n" } else { "" };
    Ok(format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: xtask-health\r\nAccept: */*\r\n{proto}Connection: close\r\n\r\n"
    ))
}

/// Returns whether a text can stand in a request line or a header: visible ASCII without blanks.
#[must_use]
pub fn is_one_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Parses the response at the beginning of `head`, if it is complete. Interim responses, such as 103, are removed.
fn answer(head: &mut Vec<u8>) -> Result<Option<Answer>, httparse::Error> {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(length) = response.parse(head)? else { return Ok(None) };
        let status = response.code.unwrap_or_default();
        let location = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case("location"));
        let location = location.map(|field| String::from_utf8_lossy(field.value).into_owned());
        if !(100..200).contains(&status) || status == 101 {
            return Ok(Some(Answer { status, location }));
        }
        head.drain(..length);
    }
}

/// The reason why there is no response over HTTP.
#[derive(Debug)]
pub enum HttpError {
    /// A path that cannot be asked for.
    Path(String),
    /// A host that cannot be asked by.
    Host(String),
    /// The connection came to nothing.
    Socket(SocketError),
    /// It was closed without a word.
    Closed(Address),
    /// The response is not HTTP.
    NotHttp(Address),
}

impl HttpError {
    /// Whether this user may not connect.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self, HttpError::Socket(error) if error.is_denied())
    }
}

impl From<SocketError> for HttpError {
    fn from(error: SocketError) -> Self {
        HttpError::Socket(error)
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpError::Path(path) => {
                write!(f, "`{path}` cannot be asked for, expected a path such as `/healthz`, with `%20` for a blank")
            }
            HttpError::Host(host) => write!(f, "`{host}` is not the name of a host"),
            HttpError::Socket(error) => error.fmt(f),
            HttpError::Closed(address) => write!(f, "`{address}` closed the connection without a response"),
            HttpError::NotHttp(address) => write!(f, "not an HTTP response from `{address}`"),
        }
    }
}

impl std::error::Error for HttpError {}

#[cfg(test)]
mod tests;
