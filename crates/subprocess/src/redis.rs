//! `PING` to the Redis of a broker URL.
//!
//! Neither an error nor a message holds anything of the URL but host, port and path: the rest can be secret.

use std::fmt;
use std::path::PathBuf;

use crate::Deadline;
use crate::percent::percent_decoded;
use crate::socket::{Address, Socket, SocketError};

/// The limit for a line of the answer, in bytes: Redis answers `PING` and `AUTH` in less.
const LONGEST_LINE: usize = 4096;
const PORT: u16 = 6379;

/// The Redis that a URL names. No `Debug`: it holds the password.
pub struct Redis {
    /// The address and port, or the socket, that it listens on.
    pub address: Address,
    user: Option<Vec<u8>>,
    password: Option<Vec<u8>>,
}

/// The answer of a Redis to `PING`.
#[derive(Debug, PartialEq, Eq)]
pub struct Pong {
    /// The address that has answered.
    pub address: Address,
}

impl Redis {
    /// The Redis of a broker URL, as Celery reads it; of several, separated by `;`, the first.
    ///
    /// # Errors
    /// If the URL is not one of Redis, or asks for TLS, which is not supported here.
    pub fn of_url(url: &str) -> Result<Self, RedisError> {
        let url = url.split(';').next().unwrap_or_default().trim();
        let (scheme, rest) = url.split_once("://").ok_or(RedisError::Url)?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // A password that should have been escaped ends at the last `@`.
        let (secret, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = secret.split_once(':').unwrap_or((secret, ""));
        let address = match scheme.to_ascii_lowercase().as_str() {
            "redis" => tcp(host)?,
            "rediss" => return Err(RedisError::Tls(tcp(host)?)),
            "redis+socket" | "unix" => {
                let path = rest.split(['?', '#']).next().unwrap_or_default();
                let path = String::from_utf8(percent_decoded(path)).map_err(|_| RedisError::Url)?;
                if path.len() < 2 {
                    return Err(RedisError::Url);
                }
                Address::Unix(PathBuf::from(path))
            }
            _ => return Err(RedisError::NotRedis),
        };
        let some = |text: &str| (!text.is_empty()).then(|| percent_decoded(text));
        Ok(Redis { address, user: some(user), password: some(password) })
    }

    /// Authenticates, where the URL has a password, and asks.
    ///
    /// # Errors
    /// If Redis does not respond with `PONG` before the deadline.
    pub fn ping(self, deadline: &Deadline) -> Result<Pong, RedisError> {
        let Redis { address, user, password } = self;
        let mut socket = Socket::connect(&address, deadline)?;
        if let Some(password) = &password {
            let words = [b"AUTH".as_slice()].into_iter().chain(user.as_deref()).chain([password.as_slice()]);
            socket.send(&command(words))?;
            judge(&line(&mut socket, &address)?, "+OK", Secrecy::Secret, &address)?;
        }
        socket.send(&command([b"PING".as_slice()]))?;
        judge(&line(&mut socket, &address)?, "+PONG", Secrecy::Open, &address)?;
        Ok(Pong { address })
    }
}

/// Returns the host and port of a URL, with `localhost:6379` as the default.
fn tcp(text: &str) -> Result<Address, RedisError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(RedisError::Url)?;
            (host, rest.strip_prefix(':').unwrap_or(rest))
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let port = if port.is_empty() { PORT } else { port.parse().map_err(|_| RedisError::Url)? };
    let host = if host.is_empty() { "localhost" } else { host };
    Ok(Address::Tcp(host.to_owned(), port))
}

/// A command as RESP wants it: an array of words with their lengths, so that no word can end another one.
fn command<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let words: Vec<_> = words.into_iter().collect();
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend(word.iter().chain(b"\r\n"));
    }
    bytes
}

/// Reads the next line. Redis sends one line for each command, and the next command is sent after it.
fn line(socket: &mut Socket<'_>, address: &Address) -> Result<String, RedisError> {
    let mut line = Vec::new();
    while line.len() <= LONGEST_LINE {
        let received = socket.receive()?;
        if received.is_empty() {
            return Err(RedisError::Closed(address.clone()));
        }
        line.extend(received);
        if line.ends_with(b"\r\n") {
            return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
    }
    Err(RedisError::NotAnAnswer(address.clone()))
}

/// Whether Redis may repeat the password in its answer, as some do that do not know `AUTH`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    Open,
    Secret,
}

fn judge(line: &str, expected: &str, secrecy: Secrecy, address: &Address) -> Result<(), RedisError> {
    if line == expected {
        return Ok(());
    }
    let Some(failure_reason) = line.strip_prefix('-') else { return Err(RedisError::NotAnAnswer(address.clone())) };
    let code = failure_reason.split(' ').next().unwrap_or_default();
    let address = address.clone();
    Err(match code {
        "NOAUTH" => RedisError::WantsPassword(address),
        "WRONGPASS" => RedisError::WrongPassword(address),
        "LOADING" => RedisError::Loading(address),
        _ if secrecy == Secrecy::Secret => RedisError::WrongPassword(address),
        _ => RedisError::Refused(address, failure_reason.chars().filter(|c| !c.is_control()).collect()),
    })
}

/// No answer of Redis. Never holds a secret.
#[derive(Debug)]
pub enum RedisError {
    /// The broker is something else.
    NotRedis,
    /// It speaks TLS, which we do not.
    Tls(Address),
    /// The URL is none.
    Url,
    /// The connection came to nothing.
    Socket(SocketError),
    /// It was closed without a word.
    Closed(Address),
    /// The response is not one of Redis.
    NotAnAnswer(Address),
    /// The URL has no password, and one is needed.
    WantsPassword(Address),
    /// The URL's password is not taken.
    WrongPassword(Address),
    /// Not ready yet.
    Loading(Address),
    /// Anything else that Redis complains of.
    Refused(Address, String),
}

impl RedisError {
    /// Returns whether no server accepts connections.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, RedisError::Socket(_))
    }

    /// Returns whether the state of Redis is unknown, because it could not be asked.
    #[must_use]
    pub fn is_unasked(&self) -> bool {
        match self {
            RedisError::NotRedis | RedisError::Tls(_) => true,
            RedisError::Socket(error) => error.is_denied(),
            _ => false,
        }
    }
}

impl From<SocketError> for RedisError {
    fn from(error: SocketError) -> Self {
        RedisError::Socket(error)
    }
}

impl fmt::Display for RedisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RedisError::NotRedis => write!(f, "the broker is not Redis"),
            RedisError::Tls(address) => write!(f, "`{address}` uses TLS, which is not asked"),
            RedisError::Url => {
                write!(f, "the broker URL is not a URL such as `redis://localhost:6379/0`")
            }
            RedisError::Socket(error) => error.fmt(f),
            RedisError::Closed(address) => write!(f, "`{address}` closed the connection without a response"),
            RedisError::NotAnAnswer(address) => write!(f, "not a response of Redis from `{address}`"),
            RedisError::WantsPassword(address) => {
                write!(f, "`{address}` wants a password, and the broker URL has none")
            }
            RedisError::WrongPassword(address) => write!(f, "`{address}` refuses the password of the broker URL"),
            RedisError::Loading(address) => write!(f, "`{address}` still loads its data"),
            RedisError::Refused(address, failure_reason) => write!(f, "`{address}` answers: {failure_reason}"),
        }
    }
}

impl std::error::Error for RedisError {}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;
    use crate::socket::tests::{LONG, SHORT, closed_port, drip, hold, serve};

    /// Checks the parsed URL, as `address user password`.
    #[track_caller]
    fn check_url(url: &str, expected: &str) {
        let shown = match Redis::of_url(url) {
            Ok(Redis { address, user, password }) => {
                let text =
                    |word: Option<Vec<u8>>| word.map_or("-".into(), |word| String::from_utf8(word).expect("text"));
                format!("{address} {} {}", text(user), text(password))
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{url}");
    }

    #[test]
    fn urls_as_celery_reads_them() {
        check_url("redis://localhost:6379/0", "localhost:6379 - -");
        check_url(" REDIS://", "localhost:6379 - -");
        check_url("redis:///1", "localhost:6379 - -");
        check_url("redis://db", "db:6379 - -");
        check_url("redis://[::1]:6380/0", "[::1]:6380 - -");
        check_url("redis://[::1]", "[::1]:6379 - -");
        check_url("redis://:hun%40ter%2@db:1/0?x=y", "db:1 - hun@ter%2");
        check_url("redis://me:p@ss@db/0", "db:6379 me p@ss");
        check_url("redis://a:1/0;redis://b:2/0", "a:1 - -");
        check_url("redis+socket:///run/redis/my%20redis.sock?virtual_host=1", "/run/redis/my redis.sock - -");
        check_url("unix://:hunter2@/run/redis.sock", "/run/redis.sock - hunter2");
        check_url("rediss://:hunter2@db:6380/0", "`db:6380` uses TLS, which is not asked");
        check_url("amqp://me:hunter2@db//", "the broker is not Redis");
        let url_error = "the broker URL is not a URL such as `redis://localhost:6379/0`";
        for url in ["", "localhost:6379", "redis://:hunter2@db:port/0", "redis://[::1", "unix://", "unix:///"] {
            check_url(url, url_error);
        }
    }

    fn ping(url: &str, deadline: &Deadline) -> Result<Pong, RedisError> {
        Redis::of_url(url)?.ping(deadline)
    }

    /// Expects each question, and gives its answer.
    fn talk(mut stream: TcpStream, lines: &[(&str, &str)]) {
        for (question, answer) in lines {
            let mut asked = vec![0; question.len()];
            stream.read_exact(&mut asked).expect("a question");
            assert_eq!(String::from_utf8_lossy(&asked), *question);
            stream.write_all(answer.as_bytes()).expect("answered");
        }
    }

    const PING: &str = "*1\r\n$4\r\nPING\r\n";
    const AUTH: &str = "*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n";

    /// Checks the result of `PING` with the credentials `secret` (such as `:hunter2@`) at a server with these
    /// responses.
    #[track_caller]
    fn check(secret: &str, talk: impl FnOnce(TcpStream) + Send + 'static, within: Duration, expected: &str) {
        let address = serve(talk);
        let result = ping(&format!("redis://{secret}{address}/0"), &Deadline::within(within));
        let result_text = result.map_or_else(|error| error.to_string(), |pong| format!("pong from `{}`", pong.address));
        assert_eq!(result_text.replace(&address.to_string(), "ADDRESS"), expected);
    }

    #[track_caller]
    fn check_talk(secret: &str, lines: &'static [(&str, &str)], expected: &str) {
        check(secret, |stream| talk(stream, lines), LONG, expected);
    }

    #[test]
    fn responses_of_redis() {
        check_talk("", &[(PING, "+PONG\r\n")], "pong from `ADDRESS`");
        check_talk(
            "",
            &[(PING, "-NOAUTH Authentication required.\r\n")],
            "`ADDRESS` wants a password, and the broker URL has none",
        );
        check_talk("", &[(PING, "-LOADING Redis is loading\r\n")], "`ADDRESS` still loads its data");
        check_talk(
            "",
            &[(PING, "-ERR max number of clients reached\r\n")],
            "`ADDRESS` answers: ERR max number of clients reached",
        );
        check_talk(":hunter2@", &[(AUTH, "+OK\r\n"), (PING, "+PONG\r\n")], "pong from `ADDRESS`");
        check_talk(
            "me:hunter2@",
            &[("*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$7\r\nhunter2\r\n", "+OK\r\n"), (PING, "+PONG\r\n")],
            "pong from `ADDRESS`",
        );
        let refused = "`ADDRESS` refuses the password of the broker URL";
        check_talk(":hunter2@", &[(AUTH, "-WRONGPASS invalid username-password pair\r\n")], refused);
        check_talk(
            ":hunter2@",
            &[(AUTH, "-ERR unknown command `AUTH`, with args beginning with: `hunter2`\r\n")],
            refused,
        );
    }

    #[test]
    fn invalid_responses_are_errors() {
        check("", hold, SHORT, "no response in 0.2 s from `ADDRESS`");
        check("", |stream| drip(stream, b'+'), SHORT, "no response in 0.2 s from `ADDRESS`");
        check_talk("", &[(PING, "")], "`ADDRESS` closed the connection without a response");
        check_talk("", &[(PING, "HTTP/1.1 400 Bad Request\r\n")], "not a response of Redis from `ADDRESS`");
        let address = closed_port();
        let error = ping(&format!("redis://{address}"), &Deadline::within(LONG)).expect_err("nobody is there");
        assert_eq!(error.to_string(), format!("connection refused by `{address}`"));
    }
}
