//! Time, memory and order in bounds, whatever the network, the server and the callers do.
#![cfg(all(feature = "memory", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cache_factory::durations::{mins, secs};
use cache_factory::{Cache, CacheFactory, Error, HealthStatus, LoadOptions, Loaded, SetOptions};
use cache_testkit::proxy::{Direction, Door, Fault};
use cache_testkit::redis::{Options, RedisServer, fresh_namespace};
use common::{healed, noise, own, parts, pass, text};
use futures_util::future::join_all;

const SECOND: Duration = Duration::from_secs(1);

async fn cache(url: &str, namespace: &str) -> Cache {
    let setup = CacheFactory::new().for_web_app().redis_url(url).namespace(namespace);
    setup.connect_timeout(secs(2)).fail_on_connection_error(true).await.unwrap()
}

fn commands(server: &RedisServer) -> u64 {
    let info = server.command(&["INFO", "stats"]).unwrap().text();
    let line = info.lines().find_map(|line| line.strip_prefix("total_commands_processed:")).unwrap();
    line.trim().parse().unwrap()
}

fn clients(server: &RedisServer) -> usize {
    server.command(&["CLIENT", "LIST"]).unwrap().text().lines().count()
}

async fn took(what: &'static str, call: impl Future<Output = Result<(), Error>>) -> (&'static str, Duration) {
    let began = Instant::now();
    let _ = call.await;
    (what, began.elapsed())
}

/// What docs/consistency.md says. Each call alone, first in a black hole, while breaker and link do not know it yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_gets_no_answer_costs_the_store_timeout_at_most() {
    let (_server, proxy, namespace) = parts("bound");
    let mut late = Vec::new();
    for at in 0..12 {
        proxy.set(Fault::Pass);
        let cache = cache(&proxy.url(), &format!("{namespace}-{at}")).await;
        cache.set("k", "v", SetOptions::ttl(mins(5)).tag("t")).await.unwrap();
        cache.delete("gone").await.unwrap();
        proxy.set(Fault::Swallow);
        let load = || async { Loaded::Ok("loaded".to_owned()) };
        let value = noise(400_000);
        let (what, took) = match at {
            0 => took("get", async { cache.get::<String>("n").await.map(drop) }).await,
            1 => took("get_many", async { cache.get_many::<String>(&["n", "m"]).await.map(drop) }).await,
            2 => took("set", cache.set("n", "v", mins(5))).await,
            3 => took("set tagged", cache.set("n", "v", SetOptions::ttl(mins(5)).tag("x"))).await,
            4 => took("set large", cache.set("n", &value, mins(5))).await,
            5 => took("delete", cache.delete("k")).await,
            6 => took("expire", cache.expire("k")).await,
            7 => took("invalidate_tag", cache.invalidate_tag("t")).await,
            8 => took("clear", cache.clear()).await,
            9 => took("exists", async { cache.exists("n").await.map(drop) }).await,
            10 => took("ttl", async { cache.ttl("n").await.map(drop) }).await,
            _ => took("get_or_load", async { cache.get_or_load("n", mins(5), load).await.map(drop) }).await,
        };
        // It reads and claims.
        let asks = if what == "get_or_load" { 2 } else { 1 };
        if took > Duration::from_millis(250 * asks + 40) {
            late.push((what, took));
        }
    }
    assert!(late.is_empty(), "{late:?}");
}

/// Thousands of futures, dropped anywhere, with the server behind them.
#[tokio::test(flavor = "multi_thread")]
async fn dropped_calls_leave_nothing_behind_and_mix_up_nothing() {
    let (server, proxy, namespace) = parts("drops");
    proxy.set_direction(
        Direction::ToClient,
        Fault::Delay { by: Duration::ZERO, jitter: Duration::from_millis(3) },
    );
    let cache = cache(&proxy.url(), &namespace).await;
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let wrong = Arc::new(AtomicU64::new(0));
    for round in 0..60_u64 {
        let calls = (0..50_u64).map(|i| {
            let (cache, wrong) = (cache.clone(), Arc::clone(&wrong));
            async move {
                let key = format!("k{}", (i * 7 + round) % 20);
                let value = format!("{key}={round}");
                let call = async {
                    match (i + round) % 7 {
                        0 => cache.set(&key, &value, mins(1)).await.unwrap(),
                        1 => drop(cache.delete(&key).await),
                        2 => drop(cache.invalidate_tag("t").await),
                        3 => drop(cache.expire(&key).await),
                        4 => {
                            let keys: Vec<String> = (0..20).map(|i| format!("k{i}")).collect();
                            for (key, found) in
                                keys.iter().zip(cache.get_many::<String>(&keys).await.unwrap())
                            {
                                if found.is_some_and(|found| !found.starts_with(&format!("{key}="))) {
                                    wrong.fetch_add(1, Ordering::Relaxed);
                                }
                            }
                        }
                        _ => {
                            let options = LoadOptions::ttl(mins(1)).tag("t");
                            let loaded = value.clone();
                            let found =
                                cache.get_or_load(&key, options, move || async move { Loaded::Ok(loaded) });
                            if !found.await.unwrap().starts_with(&format!("{key}=")) {
                                wrong.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                };
                let patience = Duration::from_micros((i * 131 + round * 37) % 6000);
                let _ = tokio::time::timeout(patience, call).await;
            }
        });
        join_all(calls).await;
    }
    assert_eq!(wrong.load(Ordering::Relaxed), 0);
    proxy.set(Fault::Pass);
    for i in 0..20 {
        let key = format!("k{i}");
        let began = Instant::now();
        cache.set(&key, "after", mins(1)).await.unwrap();
        assert_eq!(text(&cache, &key).await.as_deref(), Some("after"));
        assert!(began.elapsed() < Duration::from_millis(250), "{:?}", began.elapsed());
    }
    let metrics = tokio::runtime::Handle::current().metrics();
    cache_testkit::eventually(secs(35), "tasks end", || metrics.num_alive_tasks() <= tasks + 1)
        .await
        .unwrap();
    let stats = cache.stats();
    assert_eq!((stats.reads.in_flight, stats.loads.in_flight), (0, 0));
    drop(cache);
    cache_testkit::eventually(secs(5), "connections close", || clients(&server) == 1).await.unwrap();
    cache_testkit::eventually(secs(5), "tasks end", || metrics.num_alive_tasks() == 0).await.unwrap();
}

/// Replies lost, repeated and out of place, with many callers: nobody gets another's.
#[tokio::test(flavor = "multi_thread")]
async fn replies_out_of_place_are_nobodys() {
    let (_server, proxy, namespace) = parts("desync");
    let cache =
        CacheFactory::new().for_web_app().redis_url(proxy.url()).namespace(namespace).l1_cache_size(1);
    let cache = cache.fail_on_connection_error(true).await.unwrap();
    let keys: Vec<String> = (0..40).map(|i| format!("k{i}")).collect();
    let tag = |i: usize| format!("t{}", i % 3);
    for round in 0..18 {
        healed(&cache, secs(5)).await;
        let put = |i: usize| {
            let (cache, key) = (&cache, &keys[i]);
            async move {
                let value = if i.is_multiple_of(10) { noise(300_000) } else { String::new() };
                let value = format!("{key}={round}={value}");
                drop(cache.set(key, &value, SetOptions::ttl(mins(1)).tag(tag(i))).await);
            }
        };
        join_all((0..keys.len()).map(put)).await;
        let skip = round * 3 % 17;
        proxy.set_direction(
            Direction::ToClient,
            match round % 3 {
                0 => Fault::DropFrame { skip },
                1 => Fault::RepeatFrame { skip },
                _ => Fault::SwapFrames { skip },
            },
        );
        let one = |i: usize| {
            let (cache, keys) = (&cache, &keys);
            async move {
                let key = &keys[i % keys.len()];
                match i % 6 {
                    0 => {
                        for (key, found) in keys.iter().zip(cache.get_many::<String>(keys).await.unwrap()) {
                            assert!(found.is_none_or(|found| found.starts_with(&format!("{key}="))), "{key}");
                        }
                    }
                    1 => drop(cache.ttl(key).await.map(|ttl| {
                        assert!(ttl.is_none_or(|ttl| ttl <= mins(1)), "{ttl:?}");
                    })),
                    2 => drop(cache.invalidate_tag(format!("t{}", i % 3)).await),
                    3 => {
                        let loaded = format!("{key}=loaded");
                        let found =
                            cache.get_or_load(key, mins(1), move || async move { Loaded::Ok(loaded) }).await;
                        assert!(found.is_ok_and(|found| found.starts_with(&format!("{key}="))), "{key}");
                    }
                    _ => {
                        let found = cache.get::<String>(key).await.unwrap();
                        assert!(found.is_none_or(|found| found.starts_with(&format!("{key}="))), "{key}");
                    }
                }
            }
        };
        join_all((0..240).map(one)).await;
        proxy.set(Fault::Pass);
    }
    assert!(proxy.counters().struck >= 10, "{}", proxy.counters().struck);
}

/// A link that is cut five times a second for five seconds.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_flaps_heals_within_two_seconds() {
    let (server, proxy, namespace) = parts("flap");
    let (cache, other) = (cache(&proxy.url(), &namespace).await, cache(&server.url(), &namespace).await);
    let mut deleted = Vec::new();
    for i in 0..25 {
        let key = format!("k{i}");
        other.set(&key, "old", mins(5)).await.unwrap();
        drop(text(&cache, &key).await);
        if i % 2 == 0 {
            proxy.cut_all();
        } else {
            proxy.reset_all();
        }
        drop(cache.delete(&key).await);
        assert_eq!(text(&cache, &key).await, None);
        deleted.push(key);
        pass(Duration::from_millis(200)).await;
    }
    let began = Instant::now();
    let health = healed(&cache, secs(10)).await;
    while cache.stats().queue.waiting > 0 {
        assert!(began.elapsed() < secs(10), "{:?}", cache.stats().queue);
        tokio::task::yield_now().await;
    }
    assert!(health < secs(2) && began.elapsed() < secs(2), "{health:?}, {:?}", began.elapsed());
    pass(Duration::from_millis(200)).await;
    for key in deleted {
        assert_eq!(text(&cache, &key).await, None);
        assert_eq!(text(&other, &key).await, None, "{key} was deleted");
    }
}

/// A server without memory: reads go on, and it is not asked in a hot loop.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_memory_goes_on_reading_and_is_not_asked_in_a_loop() {
    let server = own(&Options::new());
    let namespace = fresh_namespace("oom").unwrap();
    let cache = CacheFactory::new()
        .for_web_app()
        .redis_url(server.url())
        .namespace(namespace.as_str())
        .l1_cache_size(1);
    let cache = cache.fail_on_connection_error(true).await.unwrap();
    let other = self::cache(&server.url(), namespace.as_str()).await;
    for i in 0..100 {
        other.set(&format!("there{i}"), "v", mins(5)).await.unwrap();
    }
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let before = commands(&server);
    let (mut missed, mut reads) = (0, 0);
    let began = Instant::now();
    let mut i = 0_u64;
    while began.elapsed() < secs(4) {
        i += 1;
        drop(cache.set(&format!("new{}", i % 50), "v", mins(5)).await);
        for j in 0..3 {
            reads += 1;
            missed += u32::from(text(&cache, &format!("there{}", (i * 3 + j) % 100)).await.is_none());
        }
        pass(Duration::from_millis(10)).await;
    }
    let asked = commands(&server) - before;
    println!("{reads} reads, {missed} missed, {i} writes, {asked} commands");
    assert!(asked < 30 * (u64::from(reads) + i), "{asked} commands for {reads} reads and {i} writes");
    // Idle, with writes that wait.
    let before = commands(&server);
    pass(secs(3)).await;
    let idle = commands(&server) - before;
    println!("{idle} commands in 3 idle seconds, {:?}", cache.stats().queue);
    assert!(idle < 400, "{idle} commands in 3 idle seconds");
    assert!(missed * 10 < reads, "{missed} of {reads} reads of what is there missed because writes failed");
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    let began = Instant::now();
    while cache.stats().queue.waiting > 0 {
        assert!(began.elapsed() < secs(5), "{:?}", cache.stats().queue);
        tokio::task::yield_now().await;
    }
}

/// A password that is set while clients are there, and taken away again.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_comes_and_goes() {
    let server = own(&Options::new());
    let namespace = fresh_namespace("password").unwrap();
    let cache = cache(&server.url(), namespace.as_str()).await;
    cache.set("k", "v", mins(5)).await.unwrap();
    let mut control = server.connect().unwrap();
    control.command(&["CONFIG", "SET", "requirepass", "canary-7431"]).unwrap();
    control.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).unwrap();
    pass(secs(3)).await;
    let shown = format!("{:?} {:?}", cache.health().await, cache);
    assert!(!shown.contains("canary"), "{shown}");
    assert!(cache.delete("k").await.is_err_and(|error| error.is_queued()));
    cache.set("while", "v", mins(5)).await.unwrap();
    assert_eq!(text(&cache, "while").await.as_deref(), Some("v"));
    control.command(&["AUTH", "canary-7431"]).ok();
    control.command(&["CONFIG", "SET", "requirepass", ""]).unwrap();
    let took = healed(&cache, secs(40)).await;
    println!("healed after {took:?}");
    // A server that refuses us is not asked more often than every few seconds.
    assert!(took < secs(6), "healed {took:?} after the password was taken away");
}

/// No room for clients, then room.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_too_many_clients() {
    let server = own(&Options::new());
    let namespace = fresh_namespace("maxclients").unwrap();
    let cache = cache(&server.url(), namespace.as_str()).await;
    let mut control = server.connect().unwrap();
    control.command(&["CONFIG", "SET", "maxclients", "1"]).unwrap();
    control.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).unwrap();
    pass(secs(3)).await;
    assert!(cache.delete("k").await.is_err_and(|error| error.is_queued()));
    assert_ne!(cache.health().await.status, HealthStatus::Healthy);
    control.command(&["CONFIG", "SET", "maxclients", "100"]).unwrap();
    let took = healed(&cache, secs(40)).await;
    assert!(took < secs(2), "{took:?}");
}

/// A cache that was made on one runtime goes on on another when the first is gone.
#[test]
fn a_runtime_that_ends_does_not_end_the_cache() {
    let server = own(&Options::new());
    let namespace = fresh_namespace("runtimes").unwrap();
    let runtime = |threads: bool| {
        let mut builder = if threads {
            tokio::runtime::Builder::new_multi_thread()
        } else {
            tokio::runtime::Builder::new_current_thread()
        };
        builder.enable_all().build().unwrap()
    };
    let first = runtime(true);
    let cache = first.block_on(cache(&server.url(), namespace.as_str()));
    first.block_on(async { cache.set("k", "v", mins(5)).await }).unwrap();
    let stuck = cache.clone();
    first.spawn(async move {
        let load = || async {
            std::future::pending::<()>().await;
            Loaded::Ok("never".to_owned())
        };
        drop(stuck.get_or_load("stuck", mins(5), load).await);
    });
    first.block_on(pass(Duration::from_millis(100)));
    first.shutdown_timeout(Duration::from_millis(100));
    for threads in [false, true, false] {
        let next = runtime(threads);
        next.block_on(async {
            let began = Instant::now();
            assert_eq!(text(&cache, "k").await.as_deref(), Some("v"));
            let load = || async { Loaded::Ok("other".to_owned()) };
            let loaded = cache.get_or_load("fresh", mins(5), load).await.unwrap();
            assert_eq!(*loaded, "other");
            healed(&cache, secs(2)).await;
            cache.delete("k").await.unwrap();
            cache.set("k", "v", mins(5)).await.unwrap();
            assert!(began.elapsed() < secs(2), "{:?}", began.elapsed());
        });
    }
}

/// A program that polls its runtime only while it calls the cache.
#[test]
fn a_runtime_that_is_rarely_polled() {
    let server = own(&Options::new());
    let namespace = fresh_namespace("rarely").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (cache, other) = runtime.block_on(async {
        (cache(&server.url(), namespace.as_str()).await, cache(&server.url(), namespace.as_str()).await)
    });
    for round in 0..3 {
        runtime.block_on(async {
            cache.set("k", "old", mins(5)).await.unwrap();
            assert_eq!(text(&cache, "k").await.as_deref(), Some("old"), "round {round}");
        });
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(2500) {
            std::thread::yield_now();
        }
        let helper = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        helper.block_on(async {
            let far = self::cache(&server.url(), namespace.as_str()).await;
            far.set("k", "new", mins(5)).await.unwrap();
        });
        runtime.block_on(async {
            let began = Instant::now();
            assert_eq!(text(&cache, "k").await.as_deref(), Some("new"), "round {round}");
            other.delete("k").await.unwrap();
            assert!(began.elapsed() < SECOND);
        });
    }
}

/// A long outage with many distinct keys: what waits is bounded.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_outage_with_many_keys_is_bounded() {
    let (_server, proxy, namespace) = parts("many");
    let cache = cache(&proxy.url(), &namespace).await;
    proxy.door(Door::Closed).unwrap();
    proxy.cut_all();
    let began = Instant::now();
    let mut most = 0;
    for i in 0..20_000 {
        cache.set(&format!("key-{i}"), "v", mins(5)).await.unwrap();
        drop(cache.delete(&format!("other-{i}")).await);
        if i % 100 == 0 {
            drop(cache.invalidate_tag(format!("tag-{i}")).await);
        }
        most = most.max(cache.stats().queue.waiting);
    }
    println!("{most} waited at most, {:?}, {:?}", cache.stats().queue, began.elapsed());
    assert!(most <= 10_000);
    proxy.door(Door::Open).unwrap();
    let back = Instant::now();
    healed(&cache, secs(10)).await;
    while cache.stats().queue.waiting > 0 {
        assert!(back.elapsed() < secs(10));
        tokio::task::yield_now().await;
    }
    println!("healed and told after {:?}", back.elapsed());
    cache.set("k", "v", mins(5)).await.unwrap();
    assert_eq!(text(&cache, "k").await.as_deref(), Some("v"));
}
