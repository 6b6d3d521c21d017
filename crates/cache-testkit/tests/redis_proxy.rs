//! The faults of whole frames, on what a real server says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::time::Duration;

use cache_testkit::proxy::{Direction, Fault, FaultProxy};
use cache_testkit::redis::{Options, RedisServer};

const LONG: Duration = Duration::from_secs(20);

static SERVER: OnceLock<RedisServer> = OnceLock::new();

fn server() -> &'static RedisServer {
    SERVER.get_or_init(|| RedisServer::shared_or_launch().unwrap())
}

/// A client that sends many commands before it reads the first answer.
struct Client(BufReader<TcpStream>);

impl Client {
    fn of(proxy: &FaultProxy) -> Self {
        let stream = TcpStream::connect(proxy.addr()).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, lines: &str) {
        self.0.get_mut().write_all(lines.replace('\n', "\r\n").as_bytes()).unwrap();
    }

    /// So many lines of what comes, without their ends.
    fn lines(&mut self, count: usize) -> Vec<String> {
        let mut line = || {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        (0..count).map(|_| line()).collect()
    }
}

const THREE: &str = "*2\n$4\nECHO\n$1\na\n*2\n$4\nECHO\n$1\nb\n*2\n$4\nECHO\n$1\nc\n*2\n$4\nECHO\n$1\nd\n";

#[test]
fn an_answer_is_lost_repeated_or_changes_its_place() {
    let proxy = FaultProxy::start(server().addr()).unwrap();
    let mut client = Client::of(&proxy);
    for (fault, answers) in [
        (Fault::DropFrame { skip: 1 }, "acd"),
        (Fault::RepeatFrame { skip: 1 }, "abbcd"),
        (Fault::SwapFrames { skip: 0 }, "bacd"),
        (Fault::SwapFrames { skip: 2 }, "abdc"),
        (Fault::Pass, "abcd"),
    ] {
        proxy.set_direction(Direction::ToClient, fault);
        client.send(THREE);
        let heard: String =
            client.lines(2 * answers.len()).iter().skip(1).step_by(2).map(String::as_str).collect();
        assert_eq!(heard, answers, "{fault:?}");
    }
    assert_eq!(proxy.counters().struck, 4);
}

#[test]
fn a_command_can_be_lost_too() {
    let proxy = FaultProxy::start(server().addr()).unwrap();
    let mut client = Client::of(&proxy);
    proxy.set_direction(Direction::ToServer, Fault::DropFrame { skip: 2 });
    client.send(THREE);
    assert_eq!(client.lines(6).join(" "), "$1 a $1 b $1 d");
}

#[test]
fn pushes_are_lost_and_answers_are_not() {
    let server = server();
    let proxy = FaultProxy::start(server.addr()).unwrap();
    proxy.set_direction(Direction::ToClient, Fault::DropPushes);
    let mut client = Client::of(&proxy);
    client.send("*2\n$5\nHELLO\n$1\n3\n*3\n$6\nCLIENT\n$8\nTRACKING\n$2\nON\n*2\n$3\nGET\n$7\nproxy-k\n*1\n$4\nPING\n");
    while client.lines(1) != ["+PONG"] {}
    server.command(&["SET", "proxy-k", "1"]).unwrap();
    client.send("*2\n$3\nGET\n$7\nproxy-k\n");
    assert_eq!(client.lines(2), ["$1", "1"]);
    assert_eq!(proxy.counters().struck, 1, "there was a push");
    proxy.set(Fault::Pass);
    server.command(&["SET", "proxy-k", "2"]).unwrap();
    assert_eq!(client.lines(5), [">2", "$10", "invalidate", "*1", "$7"]);
    server.command(&["DEL", "proxy-k"]).unwrap();
}

#[test]
fn a_frozen_server_behind_the_proxy_is_silence_and_a_killed_one_an_end() {
    let server = RedisServer::launch(&Options::new()).unwrap();
    let proxy = FaultProxy::start(server.addr()).unwrap();
    let mut client = Client::of(&proxy);
    client.send("PING\n");
    assert_eq!(client.lines(1), ["+PONG"]);
    server.stop().unwrap();
    client.send("PING\n");
    client.0.get_ref().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let silence = client.0.fill_buf().unwrap_err();
    assert!(matches!(silence.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silence}");
    client.0.get_ref().set_read_timeout(Some(LONG)).unwrap();
    server.kill().unwrap();
    let ended = client.0.fill_buf().map(<[u8]>::is_empty);
    assert!(
        matches!(ended, Ok(true)) || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
    );
    server.restart().unwrap();
    let mut again = Client::of(&proxy);
    again.send("PING\n");
    assert_eq!(again.lines(1), ["+PONG"]);
}
