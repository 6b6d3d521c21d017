//! One connection, kept up: how many there are, what ends them, and how they come back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_core::{Clock, ErrorKind, LinkStatus, PutIf, RemoveIf, Store, SystemClock};
use cache_redis::RedisStore;
use cache_testkit::redis::{Options, RedisServer};
use cache_testkit::{FeedEvent, FeedLog, eventually};
use common::{client, key, minute, own, up};
use futures_util::future::join_all;

const SOON: Duration = Duration::from_secs(5);

/// How many connections the server has, without the one that asks.
fn connections(server: &RedisServer) -> usize {
    server.command(&["CLIENT", "LIST"]).unwrap().text().lines().count() - 1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_first_calls_open_one_connection_and_large_values_a_second() {
    let server = own(&Options::new());
    let (store, (namespace, _)) = (client(&server), key("calls"));
    let calls = (0..100).map(|i| {
        let (store, key) = (Arc::clone(&store), namespace.key(&i.to_string()).unwrap());
        tokio::spawn(async move { store.get(&key).await.unwrap() })
    });
    assert!(join_all(calls).await.into_iter().all(|read| read.unwrap().tracked));
    assert_eq!(connections(&server), 1);
    let large = "x".repeat(300 << 10);
    let calls = (0..100).map(|i| {
        let (store, key, large) = (Arc::clone(&store), namespace.key(&i.to_string()).unwrap(), large.clone());
        tokio::spawn(async move { store.put(&key, large.into(), minute(), PutIf::Always).await.unwrap() })
    });
    assert!(join_all(calls).await.into_iter().all(|written| written.unwrap().stored));
    assert_eq!(connections(&server), 2);
    drop(store);
    eventually(SOON, "the connections are closed", || connections(&server) == 0).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_opened_before_it_is_used() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let store = RedisStore::builder(format!("redis://{}", listener.local_addr().unwrap())).build().unwrap();
    assert_eq!(store.link_state().status, LinkStatus::Connecting);
    assert!(listener.accept().is_err(), "nobody has come");
    drop(store);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_is_known_at_once_and_one_that_says_nothing_after_the_time_out() {
    let refusing = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let (store, began) =
        (RedisStore::builder(format!("redis://{refusing}")).build().unwrap(), Instant::now());
    let error = store.connected().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    let again = Instant::now();
    assert_eq!(store.get(&key("refused").1).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(again.elapsed() < Duration::from_millis(100), "later calls fail at once: {:?}", again.elapsed());

    // The system takes connections for it; nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let bound = Duration::from_millis(300);
    let (store, began) = (RedisStore::builder(url).connect_timeout(bound).build().unwrap(), Instant::now());
    let calls = (0..100).map(|_| store.connected());
    for result in join_all(calls).await {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Timeout);
    }
    let took = began.elapsed();
    assert!(took >= bound && took < bound + Duration::from_millis(200), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_fails_calls_at_once_and_is_back_within_two_seconds_of_its_return() {
    let server = own(&Options::new());
    let (store, (namespace, key)) = (client(&server), key("killed"));
    store.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
    let log = FeedLog::subscribed_to(&*store, &namespace);
    let before = store.link_state().link;
    server.kill().unwrap();
    eventually(SOON, "the loss is seen", || store.link_state().status == LinkStatus::Down).await.unwrap();
    let began = Instant::now();
    for _ in 0..100 {
        assert_eq!(store.get(&key).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert!(began.elapsed() < Duration::from_millis(200), "{:?}", began.elapsed());
    server.restart().unwrap();
    let took = up(&store, SOON).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    let read = store.get(&key).await.unwrap();
    assert_eq!(read.found, None, "it kept nothing");
    assert!(read.link.0 > before.0 && read.tracked);
    let retired = log.count(|event| *event == FeedEvent::RetireAll(read.link));
    assert_eq!(retired, 1, "what was told before is void");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_is_given_up_after_the_lease_and_found_again() {
    let server = own(&Options::new());
    let lease = Duration::from_millis(400);
    let store = RedisStore::builder(server.url()).lease(lease).heartbeat(Duration::from_millis(100));
    let store = store.connect_timeout(lease).build().unwrap();
    let (_, key) = key("frozen");
    store.put(&key, "v".into(), minute(), PutIf::Always).await.unwrap();
    server.stop().unwrap();
    let began = Instant::now();
    let error = store.get(&key).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let took = began.elapsed();
    assert!(took < lease + Duration::from_millis(500), "no call outlives its connection: {took:?}");
    eventually(SOON, "it is seen to be down", || store.link_state().status == LinkStatus::Down)
        .await
        .unwrap();
    server.cont().unwrap();
    let took = up(&store, SOON).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(store.get(&key).await.unwrap().found.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_closes_the_connection_is_connected_to_again() {
    let server = own(&Options::new());
    let (store, (_, key)) = (client(&server), key("closed"));
    for _ in 0..5 {
        let link = store.get(&key).await.unwrap().link;
        server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).unwrap();
        let renewed = || store.link_state().link != link && store.link_state().status == LinkStatus::Up;
        eventually(SOON, "there is a new connection", renewed).await.unwrap();
    }
    assert_eq!(connections(&server), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_goes_on_when_the_runtime_it_was_first_used_on_has_gone() {
    let server = own(&Options::new());
    let (store, (_, key)) = (client(&server), key("runtime"));
    let (first, at) = (Arc::clone(&store), key.clone());
    let other = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { first.put(&at, "v".into(), minute(), PutIf::Always).await.unwrap() });
    });
    tokio::task::spawn_blocking(|| other.join().unwrap()).await.unwrap();
    let began = Instant::now();
    while store.get(&key).await.is_err() {
        assert!(began.elapsed() < SOON, "it never came back");
        tokio::task::yield_now().await;
    }
    assert!(store.get(&key).await.unwrap().found.is_some());
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let store = RedisStore::builder("redis://127.0.0.1:1").build().unwrap();
    let mut call = std::pin::pin!(store.connected());
    let context = &mut std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = call.as_mut().poll(context) else {
        panic!("it must fail at once")
    };
    assert!(error.message().contains("tokio runtime"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_heartbeat_tells_when_the_last_answered_question_was_sent() {
    let server = common::shared();
    let clock = Arc::new(SystemClock::new());
    let store = RedisStore::builder(server.url()).clock(clock.clone()).heartbeat(Duration::from_millis(20));
    let store = store.build().unwrap();
    let (namespace, _) = key("alive");
    let log = FeedLog::subscribed_to(&store, &namespace);
    store.connected().await.unwrap();
    let beats = || log.count(|event| matches!(event, FeedEvent::Alive(..)));
    eventually(SOON, "several heartbeats are answered", || beats() >= 4).await.unwrap();
    let mut last = None;
    for event in log.events() {
        let FeedEvent::Alive(_, sent_at) = event else { continue };
        assert!(last < Some(sent_at), "later each time");
        last = Some(sent_at);
    }
    assert!(last <= store.link_state().alive_at && last <= Some(clock.now()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_call_leaves_nothing_behind_on_the_server_or_the_link() {
    let server = own(&Options::new());
    let (store, (_, key)) = (client(&server), key("dropped"));
    store.connected().await.unwrap();
    for polls in 0..200 {
        let mut call = Box::pin(store.remove(&key, RemoveIf::Always));
        for _ in 0..polls % 4 {
            if futures_util::poll!(call.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(call);
        let bytes = format!("{polls}");
        store.put(&key, bytes.clone().into(), minute(), PutIf::Always).await.unwrap();
        assert_eq!(store.get(&key).await.unwrap().found.map(|stored| stored.bytes), Some(bytes.into()));
    }
    assert_eq!(connections(&server), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_while_a_connection_is_given_up_is_told_why() {
    let server = own(&Options::new());
    let (store, (namespace, key)) = (client(&server), key("why"));
    store.connected().await.unwrap();
    // Where the marks should be. A connection over which they cannot be read is of no use to who keeps copies.
    server.command(&["SET", namespace.prefix(), "a string"]).unwrap();
    let _log = FeedLog::subscribed_to(&*store, &namespace);
    let ask_on = || async {
        loop {
            if let Err(error) = store.put(&key, "v".into(), minute(), PutIf::Always).await {
                return error;
            }
        }
    };
    for error in join_all((0..64).map(|_| ask_on())).await {
        assert!(error.is_retryable() && error.message().contains("WRONGTYPE"), "{error}");
    }
}
