//! Loads, writes and invalidations by several processes that cross, with what servers do meanwhile.
#![cfg(all(feature = "memory", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cache_factory::durations::{mins, secs};
use cache_factory::{Cache, CacheFactory, CacheSetup, LoadOptions, Loaded, SetOptions};
use cache_testkit::proxy::{Door, Fault, FaultProxy};
use common::{healed, parts, pass, text};
use futures_util::future::join_all;
use tokio::sync::{Notify, oneshot};

fn setup(url: &str, namespace: &str) -> CacheSetup {
    let setup = CacheFactory::new().for_web_app().redis_url(url).namespace(namespace);
    setup.connect_timeout(secs(2)).fail_on_connection_error(true)
}

/// Begins a load and returns when its loader runs, with what lets it end.
async fn begin_load(
    cache: &Cache,
    key: &'static str,
) -> (oneshot::Sender<()>, tokio::task::JoinHandle<String>) {
    let (go, gone) = oneshot::channel::<()>();
    let began = Arc::new(Notify::new());
    let (cache, tell) = (cache.clone(), Arc::clone(&began));
    let task = tokio::spawn(async move {
        let load = move || async move {
            tell.notify_one();
            gone.await.ok();
            Loaded::Ok("read before the change".to_owned())
        };
        (*cache.get_or_load(key, LoadOptions::ttl(mins(5)).tag("t"), load).await.unwrap()).clone()
    });
    began.notified().await;
    (go, task)
}

/// The load began while the store was away, so it has no claim. The store is back before it ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_began_without_the_store_does_not_undo_anothers_delete() {
    for tag in [false, true] {
        let (server, proxy, namespace) = parts("load-away");
        let (a, b) =
            (setup(&proxy.url(), &namespace).await.unwrap(), setup(&server.url(), &namespace).await.unwrap());
        proxy.door(Door::Closed).unwrap();
        proxy.cut_all();
        let (go, load) = begin_load(&a, "k").await;
        proxy.door(Door::Open).unwrap();
        healed(&a, secs(10)).await;
        if tag {
            b.invalidate_tag("t").await.unwrap();
        } else {
            b.delete("k").await.unwrap();
        }
        go.send(()).unwrap();
        load.await.unwrap();
        pass(Duration::from_millis(500)).await;
        assert_eq!(text(&b, "k").await, None, "where it was deleted (tag: {tag})");
        pass(secs(1)).await;
        assert_eq!(text(&a, "k").await, None, "where it was loaded (tag: {tag})");
    }
}

/// The same where the store hangs just when the claim is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_load_whose_claim_got_no_answer_does_not_undo_anothers_delete() {
    let (server, proxy, namespace) = parts("load-slow");
    let (a, b) =
        (setup(&proxy.url(), &namespace).await.unwrap(), setup(&server.url(), &namespace).await.unwrap());
    a.set("warm", "w", mins(5)).await.unwrap();
    proxy.set(Fault::Hold);
    let (go, load) = begin_load(&a, "k").await;
    proxy.set(Fault::Pass);
    healed(&a, secs(10)).await;
    pass(Duration::from_millis(300)).await;
    b.delete("k").await.unwrap();
    go.send(()).unwrap();
    load.await.unwrap();
    pass(Duration::from_millis(500)).await;
    assert_eq!(text(&b, "k").await, None, "where it was deleted");
}

/// Without claims nobody knows in the store that a load is under way.
#[tokio::test(flavor = "multi_thread")]
async fn without_claims_a_load_does_not_undo_anothers_delete() {
    let (server, _proxy, namespace) = parts("no-claims");
    let setup = || setup(&server.url(), &namespace).claims(false);
    let (a, b) = (setup().await.unwrap(), setup().await.unwrap());
    let (go, load) = begin_load(&a, "k").await;
    b.delete("k").await.unwrap();
    go.send(()).unwrap();
    load.await.unwrap();
    pass(Duration::from_millis(500)).await;
    assert_eq!(text(&b, "k").await, None, "where it was deleted");
}

/// What a load reads: the number only grows.
#[derive(Default)]
struct Truth {
    now: AtomicU64,
    /// What must be seen at least, by cache.
    told: [AtomicU64; 3],
    /// What all must see, from when on.
    all: parking_lot::Mutex<Vec<(Instant, u64)>>,
    turn: tokio::sync::Mutex<()>,
}

impl Truth {
    fn least(&self, cache: usize, after: Option<Duration>) -> u64 {
        let now = Instant::now();
        let all = self.all.lock();
        let known = all.iter().rev().find(|(at, _)| after.is_some_and(|after| *at + after < now));
        self.told[cache].load(Ordering::Acquire).max(known.map_or(0, |(_, value)| *value))
    }
}

fn padded(value: u64, key: usize) -> String {
    // Every third key is large and cannot be compressed.
    let mut state = value.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let length = if key % 3 == 2 && value.is_multiple_of(2) { 300_000 } else { 10 };
    let noise: String = (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(b' ' + (state >> 33).to_le_bytes()[0] % 90)
        })
        .collect();
    format!("{value}|{noise}")
}

fn number(text: &str) -> u64 {
    text.split_once('|').unwrap().0.parse().unwrap()
}

/// Three caches, nine keys, everything at once. `sets`: whether values are also set; `after`: when others must know.
async fn storm(
    caches: [Cache; 3],
    sets: bool,
    after: Option<Duration>,
    long: Duration,
    meanwhile: impl Future<Output = ()>,
) {
    let truths: Arc<Vec<Truth>> = Arc::new((0..9).map(|_| Truth::default()).collect());
    let stop = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    for task in 0..24_usize {
        let at = task % 3;
        let cache = caches[at].clone();
        let (truths, stop, calls) = (Arc::clone(&truths), Arc::clone(&stop), Arc::clone(&calls));
        tasks.push(tokio::spawn(async move {
            let mut round = task as u64;
            while !stop.load(Ordering::Relaxed) {
                round = round.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let dice = round >> 33;
                let (index, dice) = ((dice % 9) as usize, dice / 9);
                let (key, truth) = (format!("k{index}"), &truths[index]);
                calls.fetch_add(1, Ordering::Relaxed);
                if task < 6 {
                    let _turn = truth.turn.lock().await;
                    let value = truth.now.fetch_add(1, Ordering::AcqRel) + 1;
                    let done = match dice % 5 {
                        0 | 1 if sets => {
                            let options = SetOptions::ttl(mins(5)).tag(format!("t{index}"));
                            cache.set(&key, &padded(value, index), options).await
                        }
                        0 | 1 => cache.delete(&key).await,
                        2 => cache.invalidate_tag(format!("t{index}")).await,
                        3 => cache.expire(&key).await,
                        _ => cache.clear().await,
                    };
                    let here = done.as_ref().map_or_else(|error| error.is_queued(), |()| true);
                    if here {
                        truth.told[at].fetch_max(value, Ordering::AcqRel);
                    }
                    if done.is_ok() {
                        truth.all.lock().push((Instant::now(), value));
                    }
                } else {
                    let least = truth.least(at, after);
                    let began = Instant::now();
                    let found = match dice % 3 {
                        0 => cache.get::<String>(&key).await.unwrap(),
                        1 => {
                            let keys: Vec<String> = (0..9).map(|i| format!("k{i}")).collect();
                            cache.get_many::<String>(&keys).await.unwrap()[index].clone()
                        }
                        _ => {
                            let truths = Arc::clone(&truths);
                            let load = move || async move {
                                let value = truths[index].now.load(Ordering::Acquire);
                                for _ in 0..dice % 50 {
                                    tokio::task::yield_now().await;
                                }
                                Loaded::Ok(padded(value, index))
                            };
                            let options = LoadOptions::ttl(mins(5)).tag(format!("t{index}"));
                            cache.get_or_load(&key, options, load).await.ok()
                        }
                    };
                    let found = found.map(|found| number(&found));
                    assert!(
                        found.is_none_or(|found| found >= least),
                        "cache {at}, {key}, call {}: {found:?} after {least} was acknowledged ({} of them here), {:?}",
                        dice % 3,
                        truth.told[at].load(Ordering::Acquire),
                        began.elapsed()
                    );
                }
                tokio::task::yield_now().await;
            }
        }));
    }
    let began = Instant::now();
    meanwhile.await;
    while began.elapsed() < long && !tasks.iter().any(tokio::task::JoinHandle::is_finished) {
        tokio::task::yield_now().await;
    }
    stop.store(true, Ordering::Relaxed);
    for ended in join_all(tasks).await {
        ended.unwrap();
    }
    println!("{} calls", calls.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_on_a_healthy_server() {
    let (server, _proxy, namespace) = parts("storm");
    let caches = [
        setup(&server.url(), &namespace).await.unwrap(),
        setup(&server.url(), &namespace).await.unwrap(),
        setup(&server.url(), &namespace).await.unwrap(),
    ];
    storm(caches, true, Some(Duration::from_millis(1100)), secs(8), async {}).await;
}

async fn disturbed(test: &str, sets: bool, what: &[&str]) {
    let (server, _proxy, namespace) = parts(test);
    let caches = [
        setup(&server.url(), &namespace).await.unwrap(),
        setup(&server.url(), &namespace).await.unwrap(),
        setup(&server.url(), &namespace).await.unwrap(),
    ];
    storm(caches, sets, Some(Duration::from_millis(1100)), secs(5), async {
        for _ in 0..10 {
            server.command(what).unwrap();
            pass(Duration::from_millis(500)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_with_flushes() {
    disturbed("storm-flush", true, &["FLUSHALL"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_with_lost_scripts() {
    disturbed("storm-script", true, &["SCRIPT", "FLUSH"]).await;
}

/// Without sets, because a value set while the link is away may come late, as docs/consistency.md says.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_with_killed_connections() {
    disturbed("storm-kill", false, &["CLIENT", "KILL", "TYPE", "normal"]).await;
}

/// After a flush (or a restart without a snapshot) the sequence of marks begins anew.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_flush_an_acknowledged_tag_and_clear_still_void() {
    for what in ["FLUSHALL", "restart"] {
        for clear in [false, true] {
            let (server, _proxy, namespace) = parts("flushed");
            let setup = || setup(&server.url(), &namespace).store_timeout(secs(2));
            let (a, b) = (setup().await.unwrap(), setup().await.unwrap());
            for _ in 0..10 {
                a.invalidate_tag("t").await.unwrap();
            }
            if what == "restart" {
                server.restart().unwrap();
            } else {
                server.command(&[what]).unwrap();
            }
            pass(Duration::from_millis(700)).await;
            healed(&a, secs(5)).await;
            healed(&b, secs(5)).await;
            for _ in 0..2 {
                a.set("k", "old", SetOptions::ttl(mins(5)).tag("t")).await.unwrap();
                let (found, receipt) = b.get_with_receipt::<String>("k").await.unwrap();
                let (here, there) = (a.stats(), b.stats());
                assert_eq!(
                    found.as_deref().map(String::as_str),
                    Some("old"),
                    "{what}: {receipt:?} {here:?} {there:?}"
                );
            }
            if clear {
                b.clear().await.unwrap();
            } else {
                b.invalidate_tag("t").await.unwrap();
            }
            assert_eq!(text(&b, "k").await, None, "{what}, clear: {clear}, where it was invalidated");
            pass(Duration::from_millis(500)).await;
            assert_eq!(text(&a, "k").await, None, "{what}, clear: {clear}, where it was written");
        }
    }
}

/// The same after clears, which are remembered apart: the process goes on caching.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_flush_a_process_that_cleared_goes_on_caching() {
    let (server, _proxy, namespace) = parts("flushed-clear");
    let a = setup(&server.url(), &namespace).await.unwrap();
    for _ in 0..10 {
        a.clear().await.unwrap();
    }
    server.command(&["FLUSHALL"]).unwrap();
    pass(Duration::from_millis(700)).await;
    for _ in 0..3 {
        a.set("k", "v", mins(5)).await.unwrap();
        assert_eq!(text(&a, "k").await.as_deref(), Some("v"));
    }
}

/// The process that invalidates sees it at once, whatever the network does.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_with_outages() {
    let (server, proxy, namespace) = parts("storm-outage");
    let second = FaultProxy::start(server.addr()).unwrap();
    let caches = [
        setup(&proxy.url(), &namespace).await.unwrap(),
        setup(&second.url(), &namespace).await.unwrap(),
        setup(&server.url(), &namespace).await.unwrap(),
    ];
    storm(caches, false, None, secs(10), async {
        for i in 0..6 {
            let which = if i % 2 == 0 { &proxy } else { &second };
            match i % 3 {
                0 => {
                    which.door(Door::Closed).unwrap();
                    which.cut_all();
                }
                1 => which.set(Fault::Swallow),
                _ => which
                    .set(Fault::Delay { by: Duration::from_millis(200), jitter: Duration::from_millis(200) }),
            }
            pass(Duration::from_millis(1000)).await;
            which.set(Fault::Pass);
            which.door(Door::Open).unwrap();
            pass(Duration::from_millis(700)).await;
        }
    })
    .await;
}

/// Thousands of tags, bumped by two processes at once: both know all of them afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_tags_by_two_processes() {
    let (server, _proxy, namespace) = parts("tags");
    let (a, b) = (setup(&server.url(), &namespace).l1_cache_size(10_000), setup(&server.url(), &namespace));
    let (a, b) = (a.await.unwrap(), b.l1_cache_size(10_000).await.unwrap());
    let tag = |i: usize| format!("t{i}");
    for chunk in (0..3000).collect::<Vec<_>>().chunks(200) {
        join_all(chunk.iter().map(|&i| {
            let options = SetOptions::ttl(mins(5)).tag(tag(i)).tag("all");
            let cache = if i % 2 == 0 { &a } else { &b };
            async move { cache.set(format!("k{i}"), "v", options).await.unwrap() }
        }))
        .await;
    }
    for i in 0..3000 {
        assert!(
            text(&a, &format!("k{i}")).await.is_some() && text(&b, &format!("k{i}")).await.is_some(),
            "{i}"
        );
    }
    let gone = |i: usize| !i.is_multiple_of(5);
    for chunk in (0..3000).collect::<Vec<_>>().chunks(100) {
        join_all(chunk.iter().filter(|&&i| gone(i)).map(|&i| {
            let cache = if i % 3 == 0 { &a } else { &b };
            async move { cache.invalidate_tag(tag(i)).await.unwrap() }
        }))
        .await;
    }
    pass(Duration::from_millis(500)).await;
    let mut kept = 0;
    for i in 0..3000 {
        for (name, cache) in [("a", &a), ("b", &b)] {
            let found = text(cache, &format!("k{i}")).await;
            assert!(found.is_none() || !gone(i), "{name}: k{i} was invalidated");
            kept += usize::from(found.is_some());
        }
    }
    assert_eq!(kept, 1200, "nothing else was");
}

/// Writes that a full server refuses must not keep reads from what it has.
#[tokio::test(flavor = "multi_thread")]
async fn writes_that_a_full_server_refuses_do_not_stop_reads() {
    let (server, _proxy, namespace) = parts("oom-writes");
    let cache = setup(&server.url(), &namespace).l1_cache_size(1).await.unwrap();
    for i in 0..100 {
        cache.set(format!("there{i}"), "v", mins(5)).await.unwrap();
    }
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let (mut missed, mut reads) = (0, 0);
    for round in 0..300 {
        for i in 0..10 {
            drop(cache.set(format!("new{i}"), "v", mins(5)).await);
        }
        reads += 1;
        missed += u32::from(text(&cache, &format!("there{}", round % 100)).await.is_none());
        pass(Duration::from_millis(10)).await;
    }
    assert!(missed * 10 < reads, "{missed} of {reads} reads of what is there missed because writes failed");
}
