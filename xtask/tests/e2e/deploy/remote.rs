//! An engine on the network, and a connection to it that breaks.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::checkout::contains_all;
use crate::deploy::stack::{QUICK, Stack, finish};
use crate::deploy::watch::{Deploy, Events};
use crate::load::Load;

const ENGINE: &str = "/var/run/docker.sock";

/// Forwards a port to the engine, until it is cut.
struct Wire {
    port: u16,
    /// The connections; none once it is cut.
    open: Arc<Mutex<Option<Vec<TcpStream>>>>,
}

impl Wire {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let open = Arc::new(Mutex::new(Some(Vec::new())));
        let connections = Arc::clone(&open);
        // It ends with the test run.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                let mut open = connections.lock().unwrap_or_else(PoisonError::into_inner);
                // One that comes after the cut is closed at once.
                if let Some(open) = open.as_mut() {
                    open.push(stream.try_clone().expect("a handle"));
                    pass(stream);
                }
            }
        });
        Wire { port, open }
    }

    fn docker_host(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }

    fn cut(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        for stream in open.unwrap_or_default() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Forwards both directions, each until its end: a side that has sent everything may still listen.
fn pass(client: TcpStream) {
    let engine = UnixStream::connect(ENGINE).expect("the engine's socket");
    let (mut from_client, mut to_engine) =
        (client.try_clone().expect("a handle"), engine.try_clone().expect("a handle"));
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_engine);
        let _ = to_engine.shutdown(Shutdown::Write);
    });
    let (mut from_engine, mut to_client) = (engine, client);
    thread::spawn(move || {
        let _ = io::copy(&mut from_engine, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
}

pub(crate) fn engine() {
    let stack = Stack::new("remote");
    let wire = Wire::new();
    let deploy = |args: &str| {
        let args = ["deploy-docker"].into_iter().chain(args.split_whitespace());
        finish(&stack.xtask(args).env("DOCKER_HOST", wire.docker_host()))
    };
    let (output, code) = deploy("");
    assert_eq!(code, 0, "{output}");
    assert_eq!(stack.serving(), "release 1");
    let (output, code) = deploy("");
    assert_eq!(code, 0, "{output}");
    contains_all(&output, &["nothing has changed"]);
    lost(&stack, &wire);
}

/// The engine is out of reach from one moment to the next: nothing can be undone, and nothing has to be.
fn lost(stack: &Stack, wire: &Wire) {
    stack.code("release 2");
    let load = Load::start(&stack.site);
    let mut starts = Events::of(stack, "web", "start");
    let begun = Instant::now();
    let deploy = Deploy::run(&stack.xtask(["deploy-docker"]).env("DOCKER_HOST", wire.docker_host()));
    starts.next();
    wire.cut();
    let (output, code) = deploy.end();
    let verdict = begun.elapsed();
    assert_eq!(code, Some(5), "{output}");
    assert_eq!(stack.serving(), "release 1", "{output}");
    let output = stack.deployed(QUICK);
    contains_all(&output, &["an earlier deploy was not finished"]);
    load.stop().nothing_failed("engine_lost", verdict);
    assert_eq!(stack.serving(), "release 2");
    assert_eq!(stack.containers().len(), 4, "{:#?}", stack.containers());
}
