//! Each fault of the proxy does what it says, and nothing else.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cache_testkit::eventually;
use cache_testkit::proxy::{Direction, Door, Fault, FaultProxy};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(100);

/// A server that sends back what it gets, after a greeting of its own for each connection.
struct Echo {
    addr: SocketAddr,
    received: Arc<AtomicU64>,
}

impl Echo {
    fn new(greeting: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let received = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                std::thread::spawn(move || echo(&stream, greeting, &count));
            }
        });
        Self { addr, received }
    }

    fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }
}

fn echo(mut stream: &TcpStream, greeting: &str, count: &AtomicU64) {
    let mut buffer = [0; 4096];
    drop(stream.write_all(greeting.as_bytes()));
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        count.fetch_add(read as u64, Ordering::SeqCst);
        drop(stream.write_all(&buffer[..read]));
    }
}

fn through(echo: &Echo) -> FaultProxy {
    FaultProxy::start(echo.addr).unwrap()
}

fn connect(proxy: &FaultProxy) -> TcpStream {
    let stream = TcpStream::connect_timeout(&proxy.addr(), LONG).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

fn say(mut stream: &TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
}

fn hear(mut stream: &TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hears_nothing(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(SHORT)).unwrap();
    let result = stream.read(&mut [0]);
    stream.set_read_timeout(Some(LONG)).unwrap();
    matches!(result, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

/// All until the end, and whether that was a reset.
fn rest(mut stream: &TcpStream) -> (String, bool) {
    let mut bytes = Vec::new();
    let is_reset = match stream.read_to_end(&mut bytes) {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            true
        }
    };
    (String::from_utf8_lossy(&bytes).into_owned(), is_reset)
}

/// What a new connection hears until its end. A reset may come before the connect returns.
fn fate(proxy: &FaultProxy) -> (String, bool) {
    match TcpStream::connect(proxy.addr()) {
        Ok(stream) => rest(&stream),
        Err(error) => (String::new(), error.kind() == ErrorKind::ConnectionReset),
    }
}

#[tokio::test]
async fn bytes_pass_and_everything_is_counted() {
    let echo = Echo::new("");
    let proxy = through(&echo);
    let before = Instant::now();
    let (one, two) = (connect(&proxy), connect(&proxy));
    say(&one, "hello");
    assert_eq!(hear(&one, 5), "hello");
    say(&two, "abc");
    assert_eq!(hear(&two, 3), "abc");
    let counters = proxy.counters();
    assert_eq!((counters.open.as_slice(), counters.accepted.len()), ([0, 1].as_slice(), 2));
    assert!(counters.accepted.iter().all(|at| *at >= before) && counters.accepted[0] <= counters.accepted[1]);
    assert_eq!((counters.to_server, counters.to_client, counters.struck), (8, 8, 0));
    drop(one);
    eventually(LONG, "the first is closed", || proxy.counters().open == [1]).await.unwrap();
    assert_eq!(proxy.counters().accepted.len(), 2);
}

#[test]
fn much_passes_unharmed_and_half_closed_streams_stay_half_open() {
    let echo = Echo::new("");
    let proxy = through(&echo);
    let stream = connect(&proxy);
    let text: String = (0..200_000).map(|number: u32| char::from(b'a' + (number % 23) as u8)).collect();
    let heard = std::thread::scope(|scope| {
        scope.spawn(|| {
            say(&stream, &text);
            stream.shutdown(Shutdown::Write).unwrap();
        });
        rest(&stream).0
    });
    assert_eq!(heard.len(), text.len());
    assert!(heard == text);
}

#[test]
fn a_closed_door_refuses_and_an_open_one_lets_in_again_at_the_same_place() {
    let echo = Echo::new("");
    let proxy = through(&echo);
    let inside = connect(&proxy);
    say(&inside, "1");
    assert_eq!(hear(&inside, 1), "1");
    proxy.door(Door::Closed).unwrap();
    let refused = TcpStream::connect(proxy.addr()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    say(&inside, "2");
    assert_eq!(hear(&inside, 1), "2", "who is inside stays");
    proxy.door(Door::Open).unwrap();
    let again = connect(&proxy);
    say(&again, "3");
    assert_eq!(hear(&again, 1), "3");
}

#[test]
fn a_slammed_door_takes_and_resets() {
    let echo = Echo::new("never seen");
    let proxy = through(&echo);
    proxy.door(Door::Slammed).unwrap();
    assert_eq!(fate(&proxy), (String::new(), true));
    assert_eq!(proxy.counters().accepted.len(), 0);
}

#[tokio::test]
async fn a_black_hole_loses_what_comes_and_an_end_is_told_when_it_is_over() {
    let echo = Echo::new("");
    let proxy = through(&echo);
    let stream = connect(&proxy);
    proxy.set(Fault::Swallow);
    say(&stream, "lost");
    assert!(hears_nothing(&stream));
    eventually(LONG, "it was swallowed", || proxy.counters().struck == 1).await.unwrap();
    assert_eq!((echo.received(), proxy.counters().to_server), (0, 0));
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(hears_nothing(&stream));
    proxy.set(Fault::Pass);
    assert_eq!(rest(&stream), (String::new(), false), "nothing of it comes later, only the end");
}

#[tokio::test]
async fn a_black_hole_one_way_leaves_the_other_way_open() {
    let echo = Echo::new("");
    let proxy = through(&echo);
    let stream = connect(&proxy);
    proxy.set_direction(Direction::ToClient, Fault::Swallow);
    say(&stream, "heard");
    eventually(LONG, "the server heard it", || echo.received() == 5).await.unwrap();
    assert!(hears_nothing(&stream));
    proxy.set(Fault::Pass);
    proxy.set_direction(Direction::ToServer, Fault::Swallow);
    say(&stream, "unheard");
    assert!(hears_nothing(&stream));
    assert_eq!(echo.received(), 5);
    proxy.set(Fault::Pass);
    say(&stream, "again");
    assert_eq!(hear(&stream, 5), "again");
}

#[test]
fn what_is_held_comes_in_order_when_it_is_released() {
    let echo = Echo::new("");
    let proxy = through(&echo);
    let stream = connect(&proxy);
    proxy.set_direction(Direction::ToClient, Fault::Hold);
    for word in ["one ", "two ", "three"] {
        say(&stream, word);
    }
    assert!(hears_nothing(&stream));
    proxy.set(Fault::Pass);
    assert_eq!(hear(&stream, 13), "one two three");
}

#[test]
fn what_is_delayed_comes_late_and_no_later_once_the_delay_is_taken_back() {
    let echo = Echo::new("");
    let proxy = through(&echo);
    let stream = connect(&proxy);
    let (by, jitter) = (Duration::from_millis(150), Duration::from_millis(20));
    proxy.set_direction(Direction::ToClient, Fault::Delay { by, jitter });
    let started = Instant::now();
    say(&stream, "late");
    assert_eq!(hear(&stream, 4), "late");
    assert!(started.elapsed() >= by, "{:?}", started.elapsed());
    proxy.set_direction(Direction::ToClient, Fault::Delay { by: 100 * LONG, jitter });
    say(&stream, "very late");
    assert!(hears_nothing(&stream));
    proxy.set(Fault::Pass);
    assert_eq!(hear(&stream, 9), "very late");
}

#[test]
fn slices_are_small_and_complete() {
    let echo = Echo::new("");
    let proxy = through(&echo);
    let stream = connect(&proxy);
    proxy.set_direction(Direction::ToClient, Fault::Slice { size: 3, pause: Duration::ZERO });
    say(&stream, "0123456789");
    assert_eq!(hear(&stream, 10), "0123456789");
    assert!(proxy.counters().struck >= 4, "{proxy:?}");
    // With a pause between them, each arrives by itself.
    proxy.set_direction(Direction::ToClient, Fault::Slice { size: 1, pause: Duration::from_millis(20) });
    let started = Instant::now();
    say(&stream, "abcde");
    assert_eq!(hear(&stream, 5), "abcde");
    assert!(started.elapsed() >= Duration::from_millis(80));
}

#[test]
fn a_stream_is_cut_after_exactly_so_many_bytes() {
    let echo = Echo::new("0123456789");
    let proxy = through(&echo);
    for after in 0..10 {
        proxy.set_direction(Direction::ToClient, Fault::Close { after });
        assert_eq!(fate(&proxy), ("0123456789"[..after].to_owned(), false), "closed after {after}");
    }
    proxy.set_direction(Direction::ToClient, Fault::Close { after: 100 });
    assert_eq!(hear(&connect(&proxy), 10), "0123456789", "it does not come to that");
}

#[test]
fn a_stream_is_reset_after_so_many_bytes() {
    let echo = Echo::new("0123456789");
    let proxy = through(&echo);
    proxy.set_direction(Direction::ToClient, Fault::Reset { after: 4 });
    // A reset may overtake the bytes before it.
    let (heard, is_reset) = fate(&proxy);
    assert!(is_reset && "0123".starts_with(&heard), "{heard}");
}

#[test]
fn every_single_bit_can_be_turned_over_once() {
    let echo = Echo::new("");
    let proxy = through(&echo);
    let stream = connect(&proxy);
    for byte in 0..4 {
        for bit in 0..8 {
            proxy.set_direction(Direction::ToClient, Fault::Flip { byte, bit });
            let mut wanted = *b"abcd";
            wanted[byte] ^= 1 << bit;
            say(&stream, "abcd");
            let mut heard = [0; 4];
            (&stream).read_exact(&mut heard).unwrap();
            assert_eq!(heard, wanted);
            say(&stream, "abcd");
            assert_eq!(hear(&stream, 4), "abcd", "only once");
        }
    }
    assert_eq!(proxy.counters().struck, 32);
}

#[tokio::test]
async fn a_fault_of_frames_ends_a_connection_that_has_no_frames() {
    let echo = Echo::new("");
    let proxy = through(&echo);
    let stream = connect(&proxy);
    proxy.set_direction(Direction::ToClient, Fault::DropPushes);
    say(&stream, "no frames");
    assert_eq!(rest(&stream), (String::new(), false));
}

#[tokio::test]
async fn all_are_cut_or_reset_at_once() {
    let echo = Echo::new(".");
    let proxy = through(&echo);
    let streams: Vec<TcpStream> = (0..5).map(|_| connect(&proxy)).collect();
    assert!(streams.iter().all(|stream| hear(stream, 1) == "."));
    proxy.cut_all();
    assert!(streams.iter().all(|stream| rest(stream) == (String::new(), false)));
    drop(streams);
    eventually(LONG, "none is open", || proxy.counters().open.is_empty()).await.unwrap();
    let streams: Vec<TcpStream> = (0..5).map(|_| connect(&proxy)).collect();
    assert!(streams.iter().all(|stream| hear(stream, 1) == "."));
    proxy.reset_all();
    assert!(streams.iter().all(|stream| rest(stream) == (String::new(), true)));
    eventually(LONG, "none is open", || proxy.counters().open.is_empty()).await.unwrap();
}

#[test]
fn another_server_is_for_new_connections() {
    let (first, second) = (Echo::new("1"), Echo::new("2"));
    let proxy = through(&first);
    let old = connect(&proxy);
    assert_eq!(hear(&old, 1), "1");
    proxy.set_upstream(second.addr);
    assert_eq!(hear(&connect(&proxy), 1), "2");
    say(&old, "x");
    assert_eq!(hear(&old, 1), "x");
    assert_eq!((first.received(), second.received()), (1, 0));
}

#[test]
fn one_connection_can_be_meant() {
    let echo = Echo::new(".");
    let proxy = through(&echo);
    let streams = [connect(&proxy), connect(&proxy)];
    assert!(streams.iter().all(|stream| hear(stream, 1) == "."));
    assert!(proxy.set_connection(0, Direction::ToClient, Fault::Hold));
    assert!(!proxy.set_connection(7, Direction::ToClient, Fault::Hold));
    for stream in &streams {
        say(stream, "x");
    }
    assert_eq!(hear(&streams[1], 1), "x");
    assert!(hears_nothing(&streams[0]));
    assert!(proxy.set_connection(0, Direction::ToClient, Fault::Pass));
    assert_eq!(hear(&streams[0], 1), "x");
}

#[test]
fn a_server_that_is_not_there_is_a_reset() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = FaultProxy::start(gone).unwrap();
    assert_eq!(fate(&proxy), (String::new(), true));
}

#[test]
fn a_proxy_that_is_dropped_ends_its_connections_and_gives_its_port_back() {
    let echo = Echo::new(".");
    let proxy = through(&echo);
    let (stream, addr) = (connect(&proxy), proxy.addr());
    assert_eq!(hear(&stream, 1), ".");
    drop(proxy);
    assert_eq!(rest(&stream).0, "");
    TcpListener::bind(addr).unwrap();
}

#[test]
fn a_seed_can_be_chosen_and_is_told() {
    let echo = Echo::new(".");
    assert_eq!(FaultProxy::start_seeded(echo.addr, 7).unwrap().seed(), 7);
    assert_ne!(through(&echo).seed(), through(&echo).seed());
}
