//! Questions to real sockets, each answered by a thread.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::thread;

use super::*;
use crate::socket::tests::{LONG, SHORT, closed_port, drip, hold, serve};

/// Reads the question to its end, gives the answer, and closes.
fn answering(stream: impl Read + Write + Send, answer: &str) {
    let mut stream = stream;
    let mut question = Vec::new();
    let mut byte = [0];
    while !question.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
        question.extend(byte);
    }
    // The client may have closed the connection already.
    let _ = stream.write_all(answer.as_bytes());
}

fn ask(address: &Address) -> Result<Answer, HttpError> {
    get(address, "/healthz", "example.org", false, &Deadline::within(LONG))
}

#[track_caller]
fn check(answer: &'static str, status: u16, location: Option<&str>) {
    let answer = ask(&serve(move |stream| answering(stream, answer)));
    let expected = Answer { status, location: location.map(str::to_owned) };
    assert_eq!(answer.expect("an answer"), expected);
}

#[test]
fn the_status_is_taken_and_no_redirect_is_followed() {
    check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, None);
    check("HTTP/1.0 503 Service Unavailable\r\n\r\n", 503, None);
    check("HTTP/1.1 400 Bad Request\r\n\r\n", 400, None);
    // A client that follows the redirect would be refused.
    check("HTTP/1.1 301 Moved\r\nlocation: http://127.0.0.1:1/x\r\n\r\n", 301, Some("http://127.0.0.1:1/x"));
    check("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204, None);
}

#[track_caller]
fn check_error(talk: impl FnOnce(TcpStream) + Send + 'static, within: std::time::Duration, expected: &str) {
    let address = serve(talk);
    let error = get(&address, "/", "localhost", false, &Deadline::within(within)).expect_err("no answer");
    assert_eq!(error.to_string().replace(&address.to_string(), "ADDRESS"), expected);
}

#[test]
fn invalid_responses_are_errors() {
    check_error(hold, SHORT, "no response in 0.2 s from `ADDRESS`");
    check_error(|stream| drip(stream, b'H'), LONG, "not an HTTP response from `ADDRESS`");
    check_error(|stream| answering(stream, "SSH-2.0-OpenSSH_9.2\r\n"), LONG, "not an HTTP response from `ADDRESS`");
    check_error(|stream| answering(stream, "HTTP/1.1 200 OK\r\nA: b\r\n"), LONG, "not an HTTP response from `ADDRESS`");
    check_error(|stream| answering(stream, ""), LONG, "`ADDRESS` closed the connection without a response");
    let error = ask(&closed_port()).expect_err("nobody is there");
    assert!(error.to_string().starts_with("connection refused by `127.0.0.1:"), "{error}");
}

#[test]
fn who_drips_a_head_costs_the_deadline() {
    let talk = |mut stream: TcpStream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").expect("sent");
        drip(stream, b'x');
    };
    check_error(talk, SHORT, "no response in 0.2 s from `ADDRESS`");
}

#[test]
fn an_endless_head_is_given_up() {
    let talk = |mut stream: TcpStream| {
        let mut chunk = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
        while stream.write_all(&chunk).is_ok() {
            chunk = vec![b'x'; 4096];
        }
    };
    check_error(talk, LONG, "not an HTTP response from `ADDRESS`");
}

#[test]
fn a_unix_socket_answers_as_well() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("x.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    thread::spawn(move || answering(listener.accept().expect("somebody comes").0, "HTTP/1.1 200 OK\r\n\r\n"));
    assert_eq!(ask(&Address::Unix(path)).expect("an answer").status, 200);
}

#[test]
fn the_question_cannot_be_bent() {
    let plain = request("/healthz", "example.org", false).expect("askable");
    assert_eq!(
        plain,
        "GET /healthz HTTP/1.1\r\nHost: example.org\r\nUser-Agent: xtask-health\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    let proxied = request("/", "[::1]", true).expect("askable");
    assert!(proxied.contains("\r\nX-Forwarded-Proto: https\r\n"), "{proxied}");
    for (path, host, expected) in [
        ("/a\r\nX: y", "h", r"`/a\r\nX: y` cannot be asked for"),
        ("/a b", "h", "`/a b` cannot be asked for"),
        ("healthz", "h", "`healthz` cannot be asked for"),
        ("", "h", "`` cannot be asked for"),
        ("/", "h\r\nX: y", r"`h\r\nX: y` is not the name of a host"),
        ("/", "", "`` is not the name of a host"),
    ] {
        let error = request(path, host, false).expect_err("refused");
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}
