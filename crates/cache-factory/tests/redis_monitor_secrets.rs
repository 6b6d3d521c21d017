//! Nothing that a monitor shows, exports or logs has a key, a value or a password in it.
//!
//! In a file of its own and in one test: who is told of the log is remembered for the whole process.
#![cfg(all(feature = "memory", feature = "redis", feature = "monitor"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::sync::Arc;

use cache_factory::durations::{mins, secs};
use cache_factory::{PerformanceMonitor, SetOptions};
use cache_testkit::redis::{Options, RedisServer};
use common::{own, text, web};

#[tokio::test]
async fn no_secret_shows_anywhere() {
    const CANARY: &str = "c4n4ry";
    let server = own(&Options::new().password(CANARY));
    let log = Log::default();
    let guard = tracing::subscriber::set_default(log.clone());
    let monitor = PerformanceMonitor::builder().on_alert(|_| {}).build().unwrap();
    let cache = web(&url(&server, CANARY), "canary").performance_monitor(monitor.clone()).await.unwrap();
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
        log.0.lock().unwrap().join("\n"),
    ];
    for text in &shown {
        assert!(!text.contains(CANARY), "{text}");
    }
    assert!(shown[2].contains("`user:…` (11 bytes)"), "there is something to see: {}", shown[2]);
    assert!(shown.last().unwrap().contains("an alert is up"), "{}", shown.last().unwrap());
}

fn url(server: &RedisServer, password: &str) -> String {
    format!("redis://:{password}@{}/0", server.addr())
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<String>>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        self.0.lock().unwrap().push(format!("{span:?}"));
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        self.0.lock().unwrap().push(format!("{values:?}"));
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
