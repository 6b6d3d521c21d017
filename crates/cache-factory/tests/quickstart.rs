//! What the quickstart shows, with assertions.
#![cfg(feature = "memory")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cache_factory::durations::{hours, mins};
use cache_factory::{CacheFactory, Coherence, Error, HealthStatus, LoadOptions, Loaded, Status, Tier};
use cache_testkit::FakeClock;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Session {
    user: String,
    roles: Vec<String>,
}

#[tokio::test]
async fn a_session_is_read_back_from_tier_1_with_its_age() {
    let clock = FakeClock::new();
    let cache = CacheFactory::new().for_web_app().memory_only().timer(clock.clone()).await.unwrap();
    let session = Session { user: "Ann".into(), roles: vec!["admin".into()] };
    cache.set("session:42", &session, mins(30)).await.unwrap();
    clock.advance(mins(10));

    let (value, receipt) = cache.get_with_receipt::<Session>("session:42").await.unwrap();
    assert_eq!(value.as_deref(), Some(&session));
    assert_eq!((receipt.tier, receipt.status), (Some(Tier::Local), Status::Fresh));
    assert_eq!((receipt.age, receipt.fresh_for), (Some(mins(10)), Some(mins(20))));
    assert_eq!(receipt.coherence, Coherence::Private);

    clock.advance(mins(20));
    let (value, receipt) = cache.get_with_receipt::<Session>("session:42").await.unwrap();
    assert_eq!((value, receipt.tier, receipt.age), (None, None, None));
}

#[tokio::test]
async fn an_api_response_is_loaded_once_until_its_tag_is_invalidated() {
    let cache = CacheFactory::new().for_web_app().memory_only().await.unwrap();
    let calls = Arc::new(AtomicU32::new(0));
    let load = async || {
        let calls = Arc::clone(&calls);
        let options = LoadOptions::ttl(hours(1)).tag("city:paris");
        cache
            .get_or_load("weather:paris", options, move || async move {
                Loaded::Ok(format!("forecast {}", calls.fetch_add(1, Ordering::SeqCst) + 1))
            })
            .await
    };
    assert_eq!(*load().await.unwrap(), "forecast 1");
    assert_eq!(*load().await.unwrap(), "forecast 1");
    let (_, receipt) = cache.get_with_receipt::<String>("weather:paris").await.unwrap();
    assert_eq!(receipt.tier, Some(Tier::Local));

    cache.invalidate_tag("city:paris").await.unwrap();
    let (value, receipt) = cache.get_with_receipt::<String>("weather:paris").await.unwrap();
    assert_eq!((value, receipt.status), (None, Status::Invalidated));
    assert_eq!(*load().await.unwrap(), "forecast 2");

    let stats = cache.stats();
    assert_eq!((stats.loads.started, stats.loads.failed, stats.writes.invalidations), (2, 0, 1));
    // Two hits; the first load, the read after the invalidation and the second load missed.
    assert_eq!((stats.reads.tier1_hits, stats.reads.misses), (2, 3));
    assert!((stats.hit_ratio - 0.4).abs() < 1e-9, "{}", stats.hit_ratio);
    assert_eq!((stats.total_operations, stats.memory_usage.entries), (6, 1));
}

#[tokio::test]
async fn a_cache_without_a_store_is_healthy_and_says_so() {
    let cache = CacheFactory::new().for_testing().memory_only().await.unwrap();
    let health = cache.health().await;
    assert_eq!((health.status, health.store), (HealthStatus::Healthy, None));
}

#[tokio::test]
async fn a_setup_can_be_awaited_wherever_a_future_can() {
    fn sendable<F: Future<Output = Result<cache_factory::Cache, Error>> + Send + 'static>(future: F) -> F {
        future
    }
    let setup = CacheFactory::new().for_web_app().memory_only();
    let built = tokio::spawn(sendable(setup.clone().into_future())).await.unwrap().unwrap();
    let another = setup.await.unwrap();
    built.set("k", "of the first", Duration::from_secs(60)).await.unwrap();
    assert!(another.get::<String>("k").await.unwrap().is_none(), "each await makes a cache of its own");
    assert!(built.clone().get::<String>("k").await.unwrap().is_some(), "all clones are one cache");
}
