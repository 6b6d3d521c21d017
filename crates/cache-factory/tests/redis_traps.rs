//! What went wrong in an older system, tried on a real server.
#![cfg(all(feature = "memory", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_factory::durations::{mins, secs};
use cache_factory::{CacheFactory, HealthStatus, Loaded, SetOptions, Status};
use cache_testkit::redis::{Options, RedisServer, fresh_namespace};
use common::{healed, own, shared, web};
use futures_util::future::join_all;

/// How often the server carried out each command, by its name.
fn calls_of(server: &RedisServer, command: &str) -> usize {
    let stats = server.command(&["INFO", "commandstats"]).unwrap().text();
    let start = format!("cmdstat_{command}:calls=");
    let line = stats.lines().find_map(|line| line.strip_prefix(&start));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

fn connections(server: &RedisServer) -> usize {
    server.command(&["CLIENT", "LIST"]).unwrap().text().lines().count() - 1
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_races_with_a_write_tier_1_never_keeps_the_loser() {
    let cache = web(&shared().url(), "races").await.unwrap();
    let plain = web(&shared().url(), "other");
    let plain = plain.namespace(cache.namespace().as_str()).l1_cache_size(0).await.unwrap();
    for round in 0..300 {
        let key = format!("k{}", round % 5);
        let set = |value: String| {
            let (cache, key) = (cache.clone(), key.clone());
            tokio::spawn(async move { cache.set(&key, &value, mins(5)).await.unwrap() })
        };
        let get = || {
            let (cache, key) = (cache.clone(), key.clone());
            tokio::spawn(async move { drop(cache.get::<String>(&key).await.unwrap()) })
        };
        let delete = || {
            let (cache, key) = (cache.clone(), key.clone());
            tokio::spawn(async move { cache.delete(&key).await.unwrap() })
        };
        let mut racers = vec![get(), set(format!("{round} a")), get(), set(format!("{round} b")), get()];
        if round % 3 == 0 {
            racers.push(delete());
            racers.push(get());
        }
        for racer in join_all(racers).await {
            racer.unwrap();
        }
        let (ours, stored) =
            (cache.get::<String>(&key).await.unwrap(), plain.get::<String>(&key).await.unwrap());
        assert_eq!(ours, stored, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_and_set_while_the_server_is_away_is_so_when_it_is_back() {
    // It keeps its data, as a server does that only could not be reached.
    let server = own(&Options::new());
    let proxy = cache_testkit::proxy::FaultProxy::start(server.addr()).unwrap();
    let cache = web(&proxy.url(), "away").await.unwrap();
    let other = web(&server.url(), "away").namespace(cache.namespace().as_str()).await.unwrap();
    for key in ["deleted", "replaced", "expired", "tagged", "kept"] {
        cache.set(key, "old", SetOptions::ttl(mins(5)).tag(key)).await.unwrap();
    }
    proxy.door(cache_testkit::proxy::Door::Closed).unwrap();
    proxy.cut_all();
    let began = Instant::now();
    while cache.health().await.status == HealthStatus::Healthy {
        assert!(began.elapsed() < secs(5));
    }
    for error in [
        cache.delete("deleted").await.unwrap_err(),
        cache.expire("expired").await.unwrap_err(),
        cache.invalidate_tag("tagged").await.unwrap_err(),
    ] {
        assert!(error.is_queued() && error.is_retryable(), "{error}");
    }
    cache.set("replaced", "new", mins(5)).await.unwrap();
    assert_eq!(cache.get::<String>("deleted").await.unwrap(), None, "here at once");
    assert_eq!(cache.get::<String>("replaced").await.unwrap().as_deref().map(String::as_str), Some("new"));
    proxy.door(cache_testkit::proxy::Door::Open).unwrap();
    healed(&cache, secs(5)).await;
    for (key, expected) in [
        ("deleted", None),
        ("expired", None),
        ("tagged", None),
        ("replaced", Some("new")),
        ("kept", Some("old")),
    ] {
        for cache in [&cache, &other] {
            let began = Instant::now();
            loop {
                let found = cache.get::<String>(key).await.unwrap();
                if found.as_deref().map(String::as_str) == expected {
                    break;
                }
                assert!(began.elapsed() < secs(2), "{key} is {found:?}");
                tokio::task::yield_now().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clearing_costs_the_same_however_much_there_is_and_takes_nothing_of_others() {
    const KEYS: usize = 2_000;
    let server = own(&Options::new());
    let make = |name: &'static str| web(&server.url(), "clear").namespace(name);
    let (qa, long, odd) =
        (make("op:qa").await.unwrap(), make("op:qa_long").await.unwrap(), make("*").await.unwrap());
    let entries: Vec<(String, usize)> = (0..KEYS).map(|at| (format!("k{at}"), at)).collect();
    for cache in [&qa, &long, &odd] {
        cache.set_many(&entries, mins(5)).await.unwrap().into_result().unwrap();
    }
    let count = |server: &RedisServer| {
        ["keys", "del", "unlink", "flushdb", "flushall", "scan"].map(|command| calls_of(server, command))
    };
    let before = count(&server);
    qa.clear().await.unwrap();
    odd.invalidate_tag("*").await.unwrap();
    assert_eq!(count(&server), before, "nothing is looked for and nothing removed key by key");
    assert_eq!(qa.get::<usize>("k7").await.unwrap(), None);
    assert_eq!(long.get::<usize>("k7").await.unwrap().as_deref(), Some(&7), "another name that starts alike");
    assert_eq!(odd.get::<usize>("k7").await.unwrap().as_deref(), Some(&7), "no pattern");
    for cache in [&qa, &long, &odd] {
        assert_eq!(cache.health().await.status, HealthStatus::Healthy);
    }
    assert_eq!(calls_of(&server, "keys"), 0, "not by a health check either");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_one_round_trip_and_concurrent_callers_share_one_connection() {
    let server = own(&Options::new());
    let cache = web(&server.url(), "batch").l1_cache_size(0).await.unwrap();
    let calls = (0..50).map(|at| {
        let cache = cache.clone();
        tokio::spawn(async move { drop(cache.get::<u32>(&format!("k{at}")).await.unwrap()) })
    });
    for call in join_all(calls).await {
        call.unwrap();
    }
    assert_eq!(connections(&server), 1);
    let loads = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let calls = (0..1_000).map(|_| {
        let (cache, loads) = (cache.clone(), Arc::clone(&loads));
        tokio::spawn(async move {
            let load = move || async move {
                loads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Loaded::Ok(7)
            };
            assert_eq!(*cache.get_or_load::<u32, _>("one", mins(5), load).await.unwrap(), 7);
        })
    });
    for call in join_all(calls).await {
        call.unwrap();
    }
    assert_eq!(loads.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert_eq!(connections(&server), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_other_programs_are_never_taken_for_values() {
    let server = shared();
    let cache = web(&server.url(), "foreign").await.unwrap();
    // A pickled call of a shell, plain text, JSON, a gzip header, and nearly one of ours.
    let foreign: [&[u8]; 6] = [
        b"\x80\x04\x95\x21\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x06whoami\x94\x85\x94R\x94.",
        b"plain text",
        b"{\"value\": \"json\"}",
        b"\x1f\x8b\x08\x00",
        b"\xf5CVE",
        b"",
    ];
    for (at, bytes) in foreign.into_iter().enumerate() {
        let key = format!("k{at}");
        let full = format!("{}{key}", cache.namespace().prefix());
        server.command(&[b"SET", full.as_bytes(), bytes]).unwrap();
        let (value, receipt) = cache.get_with_receipt::<String>(&key).await.unwrap();
        assert_eq!((value, receipt.status), (None, Status::Refused), "{bytes:?}");
        let kept = server.command(&["GET", &full]).unwrap();
        assert_eq!(kept, cache_testkit::redis::Reply::Bytes(bytes.to_vec()), "left alone");
    }
    let full = format!("{}list", cache.namespace().prefix());
    server.command(&["LPUSH", &full, "x"]).unwrap();
    assert_eq!(cache.get::<String>("list").await.unwrap(), None, "a miss");
    cache.set("list", "a value", mins(5)).await.unwrap();
    assert_eq!(cache.get::<String>("list").await.unwrap().as_deref().map(String::as_str), Some("a value"));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_checks_use_the_cache_that_is_there_and_leave_nothing() {
    let server = own(&Options::new());
    let cache = web(&server.url(), "health").await.unwrap();
    cache.set("k", "v", mins(5)).await.unwrap();
    let keys = || server.command(&["DBSIZE"]).unwrap().integer();
    let (had, before) = (keys(), cache.stats());
    for _ in 0..100 {
        assert_eq!(cache.health().await.status, HealthStatus::Healthy);
    }
    assert_eq!(connections(&server), 1);
    assert_eq!(keys(), had, "the probe's key is gone");
    assert_eq!(cache.stats().total_operations, before.total_operations, "a check is no operation");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_seen_and_not_only_missed() {
    let server = own(&Options::new());
    let namespace = fresh_namespace("seen").unwrap();
    let cache = CacheFactory::new().for_web_app().redis_url(server.url()).namespace(namespace.as_str());
    let cache = cache.fail_on_connection_error(true).await.unwrap();
    let before = cache.stats();
    server.stop().unwrap();
    let began = Instant::now();
    // The first read is bounded as all others are, also where tier 1 has nothing to say.
    let (value, receipt) = cache.get_with_receipt::<String>("k").await.unwrap();
    assert_eq!((value, receipt.status), (None, Status::StoreUnavailable));
    assert!(began.elapsed() < Duration::from_millis(700), "{:?}", began.elapsed());
    let stats = cache.stats();
    assert!(stats.store_errors > before.store_errors, "{stats:?}");
    let health = cache.health().await;
    assert!(health.status == HealthStatus::Degraded && !health.reasons.is_empty(), "{health:?}");
    server.cont().unwrap();
    healed(&cache, secs(5)).await;
}
