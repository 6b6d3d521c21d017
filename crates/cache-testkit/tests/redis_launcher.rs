//! A server for tests is there, does what it is told, and goes with the process.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use cache_testkit::eventually;
use cache_testkit::redis::{Options, RedisServer, Reply, ServerError, Way};

const LONG: Duration = Duration::from_secs(30);

/// Never dropped, as in any test that shares its server.
static SHARED: OnceLock<RedisServer> = OnceLock::new();

fn shared() -> &'static RedisServer {
    SHARED.get_or_init(|| RedisServer::shared_or_launch().unwrap())
}

fn own() -> RedisServer {
    RedisServer::launch(&Options::new()).unwrap()
}

fn unreachable(result: &Result<Reply, ServerError>) -> bool {
    matches!(result, Err(ServerError::Unreachable(_)))
}

#[test]
fn a_server_answers_and_says_what_it_is() {
    let server = shared();
    assert_eq!(server.command(&["PING"]).unwrap().text(), "PONG");
    let (name, version) = server.version().split_once(' ').unwrap();
    assert!(["redis", "valkey"].contains(&name) && version.contains('.'), "{}", server.version());
    assert!(server.url().starts_with("redis://"), "{server:?}");
}

#[test]
fn commands_speak_binary_and_errors_are_errors() {
    let server = shared();
    let (key, value) = (b"bin\r\n\0ary".as_slice(), b"\xff\r\n\0".as_slice());
    server.command(&[b"SET".as_slice(), key, value]).unwrap();
    assert_eq!(server.command(&[b"GET".as_slice(), key]).unwrap(), Reply::Bytes(value.to_vec()));
    assert_eq!(server.command(&[b"DEL".as_slice(), key]).unwrap().integer(), Some(1));
    assert_eq!(server.command(&[b"GET".as_slice(), key]).unwrap(), Reply::Nil);
    let refused = server.command(&["NO-SUCH-COMMAND"]).unwrap_err();
    assert!(
        matches!(&refused, ServerError::Refused(text) if text.starts_with("ERR unknown command")),
        "{refused}"
    );
}

#[test]
fn a_connection_keeps_its_state_and_hears_pushes() {
    let server = shared();
    let mut reader = server.connect().unwrap();
    reader.command(&["HELLO", "3"]).unwrap();
    reader.command(&["CLIENT", "TRACKING", "ON"]).unwrap();
    server.command(&["SET", "tracked", "1"]).unwrap();
    assert_eq!(reader.command(&["GET", "tracked"]).unwrap().text(), "1");
    server.command(&["SET", "tracked", "2"]).unwrap();
    let push = reader.next_reply().unwrap();
    assert!(matches!(push, Reply::Push(_)), "{push:?}");
    assert_eq!(push.items()[0].text(), "invalidate");
    assert_eq!(push.items()[1].items()[0].text(), "tracked");
}

#[test]
fn a_killed_server_is_gone_and_comes_back_empty_on_the_same_port() {
    let server = own();
    let (addr, url) = (server.addr(), server.url());
    server.command(&["SET", "k", "v"]).unwrap();
    server.kill().unwrap();
    assert!(unreachable(&server.command(&["PING"])));
    server.kill().unwrap();
    assert!(matches!(server.stop(), Err(ServerError::Control(_))), "what does not run cannot be frozen");
    server.restart().unwrap();
    assert_eq!((server.addr(), server.url()), (addr, url));
    assert_eq!(server.command(&["GET", "k"]).unwrap(), Reply::Nil);
    // Also without a kill before.
    server.restart().unwrap();
    assert_eq!(server.command(&["PING"]).unwrap().text(), "PONG");
}

#[test]
fn a_frozen_server_takes_connections_and_does_not_answer_until_it_goes_on() {
    let server = own();
    server.stop().unwrap();
    let stream = TcpStream::connect_timeout(&server.addr(), LONG).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    (&stream).write_all(b"PING\r\n").unwrap();
    let mut line = String::new();
    let silent = BufReader::new(&stream).read_line(&mut line).unwrap_err();
    assert!(matches!(silent.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silent}");
    server.cont().unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    assert_eq!(line, "+PONG\r\n");
}

#[test]
fn a_frozen_server_can_be_killed_and_dropped() {
    let server = own();
    server.stop().unwrap();
    server.restart().unwrap();
    assert_eq!(server.command(&["PING"]).unwrap().text(), "PONG");
    server.stop().unwrap();
    let addr = server.addr();
    drop(server);
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn a_server_that_is_shut_down_has_ended_when_the_call_returns() {
    let server = own();
    server.shutdown().unwrap();
    assert!(unreachable(&server.command(&["PING"])));
    server.restart().unwrap();
    assert_eq!(server.command(&["PING"]).unwrap().text(), "PONG");
}

#[test]
fn options_reach_the_server() {
    let options =
        Options::new().password("pass word/@1").arguments(["--maxmemory", "7mb", "--databases", "3"]);
    let server = RedisServer::launch(&options).unwrap();
    assert!(server.url().contains(":pass%20word%2F%401@"));
    assert!(!format!("{server:?}").contains("word"));
    assert_eq!(server.command(&["CONFIG", "GET", "maxmemory"]).unwrap().items()[1].integer(), Some(7 << 20));
    assert_eq!(server.command(&["CONFIG", "GET", "save"]).unwrap().items()[1].text(), "");
    let mut stranger = BufReader::new(TcpStream::connect(server.addr()).unwrap());
    stranger.get_mut().write_all(b"PING\r\n").unwrap();
    let mut answer = String::new();
    stranger.read_line(&mut answer).unwrap();
    assert!(answer.starts_with("-NOAUTH"), "{answer}");
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_there_if_asked_for() {
    let server = RedisServer::launch(&Options::new().unix_socket()).unwrap();
    let mut client =
        BufReader::new(std::os::unix::net::UnixStream::connect(server.unix_socket().unwrap()).unwrap());
    client.get_mut().write_all(b"PING\r\n").unwrap();
    let mut answer = String::new();
    client.read_line(&mut answer).unwrap();
    assert_eq!(answer, "+PONG\r\n");
    assert_eq!(own().unix_socket(), None);
}

#[test]
fn arguments_that_the_server_does_not_take_are_an_error_that_says_why() {
    let started = Instant::now();
    let options = Options::new().arguments(["--no-such-setting", "1"]);
    let error = RedisServer::launch(&options).unwrap_err();
    assert!(!error.attempts.is_empty());
    for word in ["CACHE_TEST_REDIS_URL", "docker", "native", "fetch"] {
        assert!(error.to_string().contains(word), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(120));
}

#[test]
fn a_given_server_cannot_be_launched() {
    let error = RedisServer::launch(&Options::new().way(Way::Url)).unwrap_err();
    assert_eq!(error.attempts.len(), 1, "{error}");
}

/// The program beside the tests, with these variables of the environment and no others of its kind.
fn program(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cache-test-redis"));
    for (name, value) in variables {
        command.env(name, value);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A process that holds a server, and the server's address.
fn holder() -> (Child, SocketAddr) {
    let mut child = program(&[]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addr = line.strip_prefix("redis://").and_then(|rest| rest.split_once('/')).unwrap().0;
    assert!(TcpStream::connect(addr).is_ok(), "{line}");
    (child, addr.parse().unwrap())
}

#[tokio::test]
async fn a_server_ends_with_its_process_also_when_that_is_killed() {
    let (mut killed, of_killed) = holder();
    let (mut ended, of_ended) = holder();
    killed.kill().unwrap();
    killed.wait().unwrap();
    drop(ended.stdin.take());
    assert!(ended.wait().unwrap().success());
    assert!(TcpStream::connect(of_ended).is_err(), "it was dropped before the process ended");
    // Thousands of connects a second are too much for the proxy of a container engine.
    let mut next = Instant::now();
    let is_gone = || {
        let is_due = Instant::now() >= next;
        if is_due {
            next = Instant::now() + Duration::from_millis(50);
        }
        is_due && TcpStream::connect(of_killed).is_err()
    };
    let gone = eventually(LONG, "the watchdog ends it", is_gone).await;
    if let Ok(mut left) = TcpStream::connect(of_killed) {
        left.write_all(b"SHUTDOWN NOSAVE\r\n").unwrap();
        // It hangs up when it ends.
        drop(left.read_to_end(&mut Vec::new()));
    }
    gone.unwrap();
}

#[test]
fn a_way_that_does_not_exist_is_refused_by_name() {
    let output = program(&[("CACHE_TEST_REDIS", "podman")]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("podman") && said.contains("docker"), "{said}");
}

#[test]
fn a_forced_way_that_does_not_work_is_an_error_and_not_another_way() {
    let output = program(&[("CACHE_TEST_REDIS", "native"), ("PATH", "/nowhere")]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("native: neither redis-server nor valkey-server"),
        "{said}"
    );
    assert!(!said.contains("docker:"), "{said}");
}
