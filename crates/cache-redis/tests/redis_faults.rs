//! Connections that break in every way a network can break them, in front of a real server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_core::{Error, Key, LinkId, LinkStatus, PutIf, Store};
use cache_redis::RedisStore;
use cache_testkit::eventually;
use cache_testkit::proxy::{Direction, Fault, FaultProxy};
use cache_testkit::redis::Options;
use common::{key, minute, own, shared, up};
use futures_util::future::join_all;

const SOON: Duration = Duration::from_secs(10);
/// The store's lease in these tests; the heartbeat is a quarter of it.
const LEASE: Duration = Duration::from_millis(400);
/// For what a busy machine adds.
const SLACK: Duration = Duration::from_millis(400);

/// A proxy in front of a server, and a store behind it that has stored a value.
async fn bed(server: SocketAddr, test: &str) -> (FaultProxy, Arc<RedisStore>, Key) {
    let proxy = FaultProxy::start(server).unwrap();
    let store = RedisStore::builder(proxy.url()).lease(LEASE).heartbeat(LEASE / 4).connect_timeout(LEASE);
    let store = Arc::new(store.build().unwrap());
    let (_, key) = key(test);
    store.put(&key, "value".into(), minute(), PutIf::Always).await.unwrap();
    (proxy, store, key)
}

async fn value_of(store: &RedisStore, key: &Key) -> Result<Option<String>, Error> {
    let found = store.get(key).await?.found;
    Ok(found.map(|stored| String::from_utf8(stored.bytes.to_vec()).unwrap()))
}

async fn is_replaced(store: &RedisStore, link: LinkId) {
    let renewed = || store.link_state().link != link && store.link_state().status == LinkStatus::Up;
    eventually(SOON, "the connection is replaced", renewed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_in_either_direction_costs_a_bounded_time_and_heals() {
    for directions in [&Direction::BOTH[..], &[Direction::ToServer], &[Direction::ToClient]] {
        let (proxy, store, key) = bed(shared().addr(), "hole").await;
        for &direction in directions {
            proxy.set_direction(direction, Fault::Swallow);
        }
        let began = Instant::now();
        let calls = (0..50).map(|_| store.get(&key));
        assert!(join_all(calls).await.into_iter().all(|read| read.is_err()), "{directions:?}");
        let took = began.elapsed();
        assert!(took < LEASE + SLACK, "{directions:?}: {took:?}");
        eventually(SOON, "it is down", || store.link_state().status == LinkStatus::Down).await.unwrap();
        proxy.set(Fault::Pass);
        // Attempts into the black hole are lost, so one of them may still have to end.
        let took = up(&store, SOON).await;
        assert!(took < Duration::from_secs(2), "{directions:?}: {took:?}");
        assert_eq!(value_of(&store, &key).await.unwrap().as_deref(), Some("value"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_a_black_hole_has_swallowed_does_not_keep_the_link_from_coming_back() {
    const CONNECT: Duration = Duration::from_secs(4);
    let proxy = FaultProxy::start(shared().addr()).unwrap();
    let store = RedisStore::builder(proxy.url()).lease(LEASE).heartbeat(LEASE / 4).connect_timeout(CONNECT);
    let store = store.build().unwrap();
    store.connected().await.unwrap();
    let before = proxy.counters().accepted.len();
    proxy.set(Fault::Swallow);
    let (accepted, struck) = (|| proxy.counters().accepted.len(), || proxy.counters().struck);
    eventually(SOON, "the link is tried anew", || accepted() > before).await.unwrap();
    let lost = struck();
    eventually(SOON, "what the attempt has sent is lost", || struck() > lost).await.unwrap();
    proxy.set(Fault::Pass);
    let took = up(&store, SOON).await;
    assert!(took < CONNECT * 3 / 4, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_come_too_late_are_nobodys() {
    let (proxy, store, key) = bed(shared().addr(), "late").await;
    let link = store.link_state().link;
    proxy.set_direction(
        Direction::ToClient,
        Fault::Delay { by: Duration::from_secs(5), jitter: Duration::ZERO },
    );
    let began = Instant::now();
    assert!(store.get(&key).await.is_err());
    assert!(began.elapsed() < LEASE + SLACK);
    proxy.set(Fault::Pass);
    is_replaced(&store, link).await;
    assert_eq!(value_of(&store, &key).await.unwrap().as_deref(), Some("value"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_drip_are_read_all_the_same() {
    let (proxy, store, key) = bed(shared().addr(), "drip").await;
    let link = store.link_state().link;
    proxy.set(Fault::Slice { size: 1, pause: Duration::ZERO });
    for i in 0..50 {
        store.put(&key, i.to_string().into(), minute(), PutIf::Always).await.unwrap();
        assert_eq!(value_of(&store, &key).await.unwrap(), Some(i.to_string()));
    }
    assert_eq!(store.link_state().link, link, "nothing was wrong with it");
}

/// Pairs that tell a reply that went to the wrong asker.
async fn steady(store: &RedisStore, key: &Key) -> (Key, Key) {
    let namespace = cache_core::Namespace::new(key.prefix().trim_end_matches(':')).unwrap();
    let (a, b) = (namespace.key("a").unwrap(), namespace.key("b").unwrap());
    for key in [&a, &b] {
        store.put(key, key.as_str().to_owned().into(), minute(), PutIf::Always).await.unwrap();
    }
    (a, b)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_out_of_step_is_noticed_and_left() {
    let faults = [
        Fault::DropFrame { skip: 0 },
        Fault::DropFrame { skip: 3 },
        Fault::RepeatFrame { skip: 0 },
        Fault::RepeatFrame { skip: 5 },
    ];
    for fault in faults {
        let (proxy, store, key) = bed(shared().addr(), "step").await;
        let (a, b) = steady(&store, &key).await;
        let link = store.link_state().link;
        proxy.set_connection(0, Direction::ToClient, fault);
        let began = Instant::now();
        // Whoever stores bytes checks them against their key; what is to be seen here is that it does not go on. A
        // reply that comes twice while nobody waits for one does no harm.
        while store.link_state().link == link && began.elapsed() < LEASE + SLACK {
            let mixed = join_all([&a, &b, &a, &b, &a].map(|key| store.get(key)));
            assert_eq!(mixed.await.len(), 5);
        }
        eventually(SOON, "it is up", || store.link_state().status == LinkStatus::Up).await.unwrap();
        for _ in 0..50 {
            for key in [&a, &b] {
                assert_eq!(value_of(&store, key).await.unwrap().as_deref(), Some(key.as_str()), "{fault:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ends_within_a_reply_fails_the_calls_and_nothing_else() {
    for after in [0, 1, 2, 5, 7, 11, 14, 15, 20] {
        for fault in [Fault::Close { after }, Fault::Reset { after }] {
            let (proxy, store, key) = bed(shared().addr(), "cut").await;
            let link = store.link_state().link;
            proxy.set_connection(0, Direction::ToClient, fault);
            let began = Instant::now();
            while store.link_state().link == link {
                assert!(began.elapsed() < SOON);
                if let Ok(value) = value_of(&store, &key).await {
                    assert_eq!(value.as_deref(), Some("value"), "whole or an error");
                }
            }
            is_replaced(&store, link).await;
            assert_eq!(value_of(&store, &key).await.unwrap().as_deref(), Some("value"), "{fault:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turned_bit_ends_in_a_wrong_payload_or_a_new_connection_never_in_a_hang() {
    // A reply to a read is `$5 value` and `:59999` with line ends: 11 and 8 bytes.
    let cases = (0..19).flat_map(|byte| [0, 3, 6].map(|bit| (byte, bit)));
    join_all(cases.map(|(byte, bit)| async move {
        let (proxy, store, key) = bed(shared().addr(), "flip").await;
        proxy.set_connection(0, Direction::ToClient, Fault::Flip { byte, bit });
        let began = Instant::now();
        let _ = value_of_bytes(&store, &key).await;
        assert!(began.elapsed() < LEASE * 2 + SLACK * 2, "byte {byte} bit {bit}: {:?}", began.elapsed());
        let intact = || async { value_of_bytes(&store, &key).await.is_ok_and(|value| value == b"value") };
        while !intact().await {
            assert!(began.elapsed() < SOON, "byte {byte} bit {bit}: it does not heal");
            tokio::task::yield_now().await;
        }
    }))
    .await;
}

async fn value_of_bytes(store: &RedisStore, key: &Key) -> Result<Vec<u8>, Error> {
    Ok(store.get(key).await?.found.map(|stored| stored.bytes.to_vec()).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_behind_the_same_address_is_another_link() {
    let (first, second) = (own(&Options::new()), own(&Options::new()));
    let (proxy, store, key) = bed(first.addr(), "swap").await;
    let link = store.link_state().link;
    proxy.set_upstream(second.addr());
    proxy.cut_all();
    is_replaced(&store, link).await;
    let read = store.get(&key).await.unwrap();
    assert!(read.found.is_none() && read.link != link);
}

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_reached_is_tried_at_a_bounded_rate() {
    let (proxy, store, _) = bed(shared().addr(), "rate").await;
    proxy.set_upstream(nobody());
    let before = proxy.counters().accepted.len();
    proxy.cut_all();
    let (began, span) = (Instant::now(), Duration::from_secs(2));
    eventually(span * 2, "the time has passed", || began.elapsed() > span).await.unwrap();
    let tried = proxy.counters().accepted.len() - before;
    // The waits are 260 ms on average, at least 20 ms each.
    assert!((2..=25).contains(&tried), "{tried} attempts in {span:?}");
    proxy.set_upstream(shared().addr());
    assert!(up(&store, SOON).await < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn small_values_do_not_wait_behind_large_ones() {
    let (proxy, store, small) = bed(shared().addr(), "line").await;
    let large = cache_core::Namespace::new("line").unwrap().key(small.user()).unwrap();
    store.put(&large, vec![7; 1 << 20].into(), minute(), PutIf::Always).await.unwrap();
    assert_eq!(proxy.counters().accepted.len(), 2, "large values have a connection of their own");
    proxy.set_connection(1, Direction::ToClient, Fault::Hold);
    let (busy, at) = (Arc::clone(&store), large.clone());
    let reader = tokio::spawn(async move { busy.get(&at).await.unwrap().found.unwrap().bytes.len() });
    for _ in 0..100 {
        assert_eq!(value_of(&store, &small).await.unwrap().as_deref(), Some("value"));
    }
    assert!(!reader.is_finished());
    proxy.set(Fault::Pass);
    assert_eq!(reader.await.unwrap(), 1 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_server_that_goes_away_come_back_one_after_another() {
    const CLIENTS: usize = 500;
    let proxy = FaultProxy::start(shared().addr()).unwrap();
    let stores: Vec<_> = (0..CLIENTS).map(|_| RedisStore::builder(proxy.url()).build().unwrap()).collect();
    for stores in stores.chunks(50) {
        for connected in join_all(stores.iter().map(RedisStore::connected)).await {
            connected.unwrap();
        }
    }
    let lost = Instant::now();
    proxy.reset_all();
    let back = || proxy.counters().accepted.len() >= 2 * CLIENTS && proxy.counters().open.len() == CLIENTS;
    eventually(SOON, "all are back", back).await.unwrap();
    let took = lost.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    let came = proxy.counters().accepted.split_off(CLIENTS);
    let span = Duration::from_millis(100);
    for (at, first) in came.iter().enumerate() {
        let together = came[at..].iter().take_while(|then| **then - *first < span).count();
        // A fifth of half a second is their share; a busy machine bunches them.
        assert!(together < CLIENTS / 2, "{together} of {CLIENTS} came within {span:?}");
    }
}
