//! A monitor attached in one line, on a real Redis: its numbers fit the traffic, and nothing shows what must not be seen.
#![cfg(all(feature = "memory", feature = "redis", feature = "monitor"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::time::Duration;

use cache_factory::durations::{mins, secs};
use cache_factory::monitor::{AlertKind, MissReason, Timing};
use cache_factory::{Cache, HealthStatus, Loaded, PerformanceMonitor};
use cache_testkit::proxy::Door;
use common::{parts, shared, text, web};

fn count(timings: &[Timing], operation: &str, result: &str) -> u64 {
    timings.iter().filter(|it| it.operation == operation && it.result == result).map(|it| it.count).sum()
}

/// Waits until a read is answered by tier 1: copies are kept once the link is known to live.
async fn until_copied(cache: &Cache, key: &str) {
    let hits = |cache: &Cache| cache.stats().reads.tier1_hits;
    let before = hits(cache);
    let start = std::time::Instant::now();
    while hits(cache) == before {
        assert!(start.elapsed() < secs(5), "no hit in tier 1");
        text(cache, key).await.unwrap();
    }
}

#[tokio::test]
async fn numbers_fit_the_traffic() {
    let monitor = PerformanceMonitor::new();
    let cache = web(&shared().url(), "monitor").performance_monitor(monitor.clone()).await.unwrap();
    for n in 0..50 {
        assert_eq!(text(&cache, &format!("none:{n}")).await, None);
    }
    for n in 0..20 {
        cache.set(format!("user:{n}"), &"x".repeat(5000), mins(5)).await.unwrap();
    }
    until_copied(&cache, "user:0").await;
    let before = cache.stats().reads.tier1_hits;
    for _ in 0..20_000 {
        assert!(text(&cache, "user:0").await.is_some());
    }
    cache.get_or_load("page:1", mins(5), || async { Loaded::Ok("v".to_owned()) }).await.unwrap();
    cache.delete("user:1").await.unwrap();
    assert_eq!(text(&cache, "user:1").await, None);
    assert_eq!(monitor.why_missed("user:1").as_str(), "invalidated");
    assert_eq!(monitor.why_missed("none:1"), MissReason::NeverStored);
    cache_testkit::eventually(secs(5), "the load is stored", || {
        monitor.snapshot().caches[0].written.values == 21
    })
    .await
    .unwrap();

    let snapshot = monitor.snapshot();
    let [app] = &snapshot.caches[..] else { panic!("{snapshot:?}") };
    assert_eq!(app.stats, cache.stats());
    assert!(app.stats.reads.tier1_hits >= before + 20_000);
    assert_eq!(app.stats.store, Some("redis"));
    let hits = count(&app.reads, "get", "hit");
    assert!(
        hits.abs_diff(app.stats.reads.hits()) < 3000,
        "a sample stands for all: {hits} {:?}",
        app.stats.reads
    );
    assert_eq!(count(&app.reads, "get", "miss"), 51);
    assert_eq!(app.misses["never_stored"], 51);
    assert_eq!(app.misses["invalidated"], 1);
    assert_eq!(count(&app.writes, "set", "stored"), 20);
    assert!(count(&app.store, "put", "ok") >= 21 && count(&app.store, "get", "ok") >= 51, "{:?}", app.store);
    assert!(app.written.bytes > 100_000 && app.written.stored_bytes < 10_000, "{:?}", app.written);
    let in_memory = app.reads.iter().find(|it| it.tier == "memory" && it.result == "hit").unwrap();
    let in_store = app.reads.iter().find(|it| it.tier == "store" && it.result == "miss").unwrap();
    assert!(in_memory.latency.p50 < in_store.latency.p50, "{in_memory:?} {in_store:?}");
    let hot = &monitor.hot_keys(1)[0];
    assert!(hot.key == "`user:…` (6 bytes)" && hot.at_most > 15_000, "{hot:?}");
    let health = monitor.health().await;
    assert_eq!(health.status, HealthStatus::Healthy, "{health:?}");
}

#[tokio::test]
async fn what_redis_lets_expire_expired() {
    let monitor = PerformanceMonitor::new();
    let cache = web(&shared().url(), "expired").performance_monitor(monitor.clone()).await.unwrap();
    cache.set("k", "v", Duration::from_millis(50)).await.unwrap();
    let start = std::time::Instant::now();
    while text(&cache, "k").await.is_some() {
        assert!(start.elapsed() < secs(5), "it does not end");
    }
    assert!(matches!(monitor.why_missed("k"), MissReason::Expired { .. }), "{:?}", monitor.why_missed("k"));
}

#[tokio::test]
async fn what_another_process_removes_was_invalidated() {
    let monitor = PerformanceMonitor::new();
    let setup = web(&shared().url(), "told");
    let (ours, theirs) =
        (setup.clone().performance_monitor(monitor.clone()).await.unwrap(), setup.await.unwrap());
    ours.set("k", "v", mins(5)).await.unwrap();
    until_copied(&ours, "k").await;
    theirs.delete("k").await.unwrap();
    cache_testkit::eventually(secs(5), "it is told", || {
        matches!(monitor.why_missed("k"), MissReason::Invalidated { by: "told", .. })
    })
    .await
    .unwrap();
    assert_eq!(text(&ours, "k").await, None);
}

#[tokio::test]
async fn a_redis_that_goes_away_raises_an_alert_and_ends_it_when_it_is_back() {
    let (_server, proxy, namespace) = parts("monitor-away");
    let monitor = PerformanceMonitor::new();
    let cache = web(&format!("redis://{}", proxy.addr()), "away").namespace(namespace);
    let cache =
        cache.store_timeout(Duration::from_millis(250)).performance_monitor(monitor.clone()).await.unwrap();
    proxy.door(Door::Closed).unwrap();
    proxy.reset_all();
    let start = std::time::Instant::now();
    while !monitor.alerts().iter().any(|alert| alert.kind == AlertKind::Store) {
        assert!(start.elapsed() < secs(20), "{:?}", monitor.snapshot().caches[0].stats);
        cache.get::<String>("k").await.unwrap();
        monitor.check();
        tokio::task::yield_now().await;
    }
    let app = &monitor.snapshot().caches[0];
    assert!(app.degradations["get"] >= 5 && app.misses["store_unavailable"] >= 5, "{app:?}");
    assert_eq!(monitor.health().await.status, HealthStatus::Degraded);
    proxy.door(Door::Open).unwrap();
    let start = std::time::Instant::now();
    while monitor.alerts().iter().any(|alert| alert.kind == AlertKind::Store) {
        assert!(start.elapsed() < secs(20), "{:?}", monitor.snapshot().caches[0].stats);
        cache.get::<String>("k").await.unwrap();
        monitor.check();
        tokio::task::yield_now().await;
    }
    assert!(monitor.snapshot().caches[0].links >= 1);
}
