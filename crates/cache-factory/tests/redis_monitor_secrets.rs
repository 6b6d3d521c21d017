//! Nothing that a monitor shows, exports or logs has a key, a value or a password in it.
//!
//! In a file of its own and in one test: who is told of the log is remembered for the whole process.
#![cfg(all(feature = "memory", feature = "redis", feature = "monitor"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use cache_factory::durations::{mins, secs};
use cache_factory::{PerformanceMonitor, SetOptions};
use cache_testkit::redis::Options;
use common::log::Log;
use common::{own, text, url_with, web};

#[tokio::test]
async fn no_secret_shows_anywhere() {
    const CANARY: &str = "c4n4ry";
    let server = own(&Options::new().password(CANARY));
    let log = Log::default();
    let guard = tracing::subscriber::set_default(log.clone());
    let monitor = PerformanceMonitor::builder().on_alert(|_| {}).build().unwrap();
    let cache = web(&url_with(&server, CANARY), "canary").performance_monitor(monitor.clone()).await.unwrap();
    let key = format!("user:{CANARY}");
    cache.set(&key, CANARY, SetOptions::ttl(mins(5)).tag(CANARY)).await.unwrap();
    for n in 0..300 {
        text(&cache, &key).await;
        text(&cache, &format!("none:{CANARY}:{n}")).await;
    }
    cache.invalidate_tag(CANARY).await.unwrap();
    text(&cache, &key).await;
    monitor.check();
    let health = monitor.health().await;
    drop(server);
    let start = std::time::Instant::now();
    while monitor.alerts().is_empty() {
        assert!(start.elapsed() < secs(20), "{:?}", monitor.snapshot().caches[0].stats);
        cache.get::<String>(&key).await.unwrap();
        monitor.check();
        tokio::task::yield_now().await;
    }
    let away = monitor.health().await;
    drop(guard);
    let shown = [
        format!("{monitor:?} {monitor:#?} {cache:?} {health:?} {away:?}"),
        format!("{:?} {:?} {:?}", monitor.snapshot(), monitor.alerts(), monitor.recommendations()),
        format!("{:?} {:?} {:?}", monitor.hot_keys(99), monitor.big_keys(99), monitor.why_missed(&key)),
        serde_json::to_string(&(monitor.snapshot(), health, away)).unwrap(),
        monitor.json(),
        #[cfg(feature = "prometheus")]
        monitor.prometheus(),
        log.text(),
    ];
    for text in &shown {
        assert!(!text.contains(CANARY), "{text}");
    }
    assert!(shown[2].contains("`user:…` (11 bytes)"), "there is something to see: {}", shown[2]);
    assert!(shown.last().unwrap().contains("an alert is up"), "{}", shown.last().unwrap());
}
