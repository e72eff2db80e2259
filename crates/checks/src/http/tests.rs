//! Questions to real sockets, each answered by a thread.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::thread;

use super::*;
use crate::outcome::Status;
use crate::socket::tests::{LONG, SHORT, drip, hold, nobody, serve};

/// Reads the question to its end, gives the answer, and closes.
fn answering(stream: impl Read + Write + Send, answer: &str) {
    let mut stream = stream;
    let mut question = Vec::new();
    let mut byte = [0];
    while !question.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
        question.extend(byte);
    }
    // Whoever has heard enough may be gone already.
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
    // Somebody who follows would find nobody there.
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
fn what_is_no_answer() {
    check_error(hold, SHORT, "no answer in 0.2 s from `ADDRESS`");
    check_error(|stream| drip(stream, b'H'), LONG, "not an HTTP answer from `ADDRESS`");
    check_error(|stream| answering(stream, "SSH-2.0-OpenSSH_9.2\r\n"), LONG, "not an HTTP answer from `ADDRESS`");
    check_error(|stream| answering(stream, "HTTP/1.1 200 OK\r\nA: b\r\n"), LONG, "not an HTTP answer from `ADDRESS`");
    check_error(|stream| answering(stream, ""), LONG, "`ADDRESS` closed the connection without an answer");
    let error = ask(&nobody()).expect_err("nobody is there");
    assert!(error.to_string().starts_with("connection refused by `127.0.0.1:"), "{error}");
}

#[test]
fn who_drips_a_head_costs_the_deadline() {
    let talk = |mut stream: TcpStream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").expect("sent");
        drip(stream, b'x');
    };
    check_error(talk, SHORT, "no answer in 0.2 s from `ADDRESS`");
}

#[test]
fn an_endless_head_is_given_up() {
    let talk = |mut stream: TcpStream| {
        let mut chunk = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
        while stream.write_all(&chunk).is_ok() {
            chunk = vec![b'x'; 4096];
        }
    };
    check_error(talk, LONG, "not an HTTP answer from `ADDRESS`");
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

#[test]
fn the_name_to_ask_by() {
    for (value, expected) in [
        (None, "localhost"),
        (Some(" "), "localhost"),
        (Some("*"), "localhost"),
        (Some("example.org,www.example.org"), "example.org"),
        (Some(" , .example.org , x"), "example.org"),
        (Some("a.example b.example"), "a.example"),
        (Some("*.example.org,example.org"), "example.org"),
        (Some("ex\u{7}ample.org,[::1]"), "[::1]"),
    ] {
        assert_eq!(host_of(value), expected, "{value:?}");
    }
}

#[track_caller]
fn check_judge(health_path: Option<&str>, status: u16, location: Option<&str>, expected: &str) -> Outcome {
    let answer = Ok(Answer { status, location: location.map(str::to_owned) });
    let address = Address::Tcp("127.0.0.1".into(), 8000);
    let outcome = judge("systemd.http", &address, health_path, "example.org", &answer);
    assert_eq!(format!("{}: {}", outcome.status, outcome.message), expected);
    outcome
}

#[test]
fn a_path_that_the_project_sets_answers_with_success() {
    let check = |status, location, expected| check_judge(Some("/healthz"), status, location, expected);
    check(200, None, "ok: `/healthz` answers 200 (127.0.0.1:8000, as example.org)");
    check(204, None, "ok: `/healthz` answers 204 (127.0.0.1:8000, as example.org)");
    check(302, Some("/login"), "err: `/healthz` answers 302, a redirect to `/login` (127.0.0.1:8000, as example.org)");
    let tls = Some("https://example.org/healthz");
    let redirected = check(
        301,
        tls,
        "err: `/healthz` answers 301, a redirect to `https://example.org/healthz` (127.0.0.1:8000, as example.org)",
    );
    assert!(redirected.hint.is_some_and(|hint| hint.contains("SECURE_PROXY_SSL_HEADER")));
    let refused = check(400, None, "err: `/healthz` answers 400 (127.0.0.1:8000, as example.org)");
    assert_eq!(refused.hint.as_deref(), Some("`example.org` may not be in `DJANGO_ALLOWED_HOSTS`"));
    check(404, None, "err: `/healthz` answers 404 (127.0.0.1:8000, as example.org)");
    check(503, None, "err: `/healthz` answers 503 (127.0.0.1:8000, as example.org)");
}

#[test]
fn without_one_any_answer_counts_that_is_no_failure() {
    let check = |status, location, expected| check_judge(None, status, location, expected);
    check(200, None, "ok: `/` answers 200 (127.0.0.1:8000, as example.org)");
    check(302, Some("/login"), "ok: `/` answers 302, a redirect to `/login` (127.0.0.1:8000, as example.org)");
    check(404, None, "ok: `/` answers 404 (127.0.0.1:8000, as example.org)");
    let refused = check(400, None, "ok: `/` answers 400 (127.0.0.1:8000, as example.org)");
    assert_eq!(refused.hint.as_deref(), Some("`example.org` may not be in `DJANGO_ALLOWED_HOSTS`"));
    check(500, None, "err: `/` answers 500 (127.0.0.1:8000, as example.org)");
}

#[test]
fn no_answer_is_told_in_its_own_words() {
    let address = Address::Unix("/run/shop.sock".into());
    let error = |kind: std::io::ErrorKind| Err(SocketError::Io(address.clone(), kind.into()).into());
    let judge = |result| judge("systemd.http", &address, None, "localhost", &result);
    let refused = judge(error(std::io::ErrorKind::ConnectionRefused));
    assert_eq!((refused.status, refused.message.as_str()), (Status::Err, "connection refused by `/run/shop.sock`"));
    let denied = judge(error(std::io::ErrorKind::PermissionDenied));
    assert_eq!(
        (denied.status, denied.message.as_str()),
        (Status::Skip, "this user may not connect to `/run/shop.sock`")
    );
}
