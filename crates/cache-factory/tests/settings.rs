//! Each setting has an effect on the cache that is built.
#![cfg(feature = "memory")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cache_factory::durations::{hours, mins, secs};
use cache_factory::{
    Cache, CacheConfig, CacheFactory, CacheSetup, ErrorKind, LoadOptions, Loaded, Store, TokioTimer,
};
use cache_testkit::{FakeClock, Recorded, Recorder, ReferenceServer, settle};

fn web() -> CacheSetup {
    CacheFactory::new().for_web_app().memory_only()
}

fn web_on(store: Arc<dyn Store>) -> CacheSetup {
    CacheFactory::new().for_web_app().store(store)
}

fn testing() -> CacheSetup {
    CacheFactory::new().for_testing()
}

/// Runs a loader that answers "loaded".
async fn load(cache: &Cache, key: &str) -> String {
    let value = cache.get_or_load(key, (), || async { Loaded::Ok("loaded".to_owned()) }).await.unwrap();
    String::clone(&value)
}

#[tokio::test]
async fn the_presets_have_the_numbers_of_the_guide() {
    for (cache, ttl, entries) in [(web().await, 1800, 200), (testing().memory_only().await, 60, 50)] {
        let cache = cache.unwrap();
        let usage = cache.stats().memory_usage;
        assert_eq!(cache.settings().default_ttl.as_duration(), Duration::from_secs(ttl));
        assert_eq!((usage.max_entries, usage.max_bytes), (entries, 67_108_864));
        assert_eq!(cache.namespace().as_str(), "app");
        assert_eq!(cache.settings().stale_for, Duration::ZERO);
        assert_eq!(cache.settings().load_timeout, Duration::from_secs(30));
        assert_eq!(cache.settings().negative_window, Duration::from_secs(1));
        assert_eq!(cache.settings().limits.value, 8_388_608);
    }
}

#[cfg(feature = "lz4")]
#[tokio::test]
async fn the_presets_compress_above_what_the_guide_says() {
    for (setup, threshold) in [(web_on(store()), 2000), (testing().store(store()), 1000)] {
        let recorder = Recorder::new(10);
        let cache = setup.observer(recorder.clone()).await.unwrap();
        assert!(!is_compressed(&cache, &recorder, threshold).await);
        assert!(is_compressed(&cache, &recorder, threshold + 1).await);
    }
}

fn store() -> Arc<cache_testkit::ReferenceStore> {
    Arc::new(ReferenceServer::new(Arc::new(TokioTimer::new())).connect())
}

/// Whether a value of this serialised length is shorter in the store.
#[cfg(feature = "lz4")]
async fn is_compressed(cache: &Cache, recorder: &Recorder, length: usize) -> bool {
    // MessagePack puts three bytes before a text of this length.
    cache.set("k", &"x".repeat(length - 3), ()).await.unwrap();
    match recorder.take().as_slice() {
        [.., Recorded::Write { bytes, stored: Some(stored), .. }] => {
            assert_eq!(*bytes, length);
            stored < bytes
        }
        other => panic!("{other:?}"),
    }
}

#[cfg(feature = "lz4")]
#[tokio::test]
async fn compression_threshold_decides_what_is_compressed() {
    let recorder = Recorder::new(10);
    let setup = web_on(store()).observer(recorder.clone());
    let cache = setup.clone().compression_threshold(300).await.unwrap();
    assert!(!is_compressed(&cache, &recorder, 300).await);
    assert!(is_compressed(&cache, &recorder, 301).await);
    let cache = setup.compression_threshold(1 << 20).await.unwrap();
    assert!(!is_compressed(&cache, &recorder, 60_000).await);
}

#[cfg(all(feature = "lz4", feature = "zstd"))]
#[tokio::test]
async fn compression_level_decides_how_small_it_gets() {
    let recorder = Recorder::new(10);
    let text: String = (0..5000u32).map(|i| format!("{} ", i.wrapping_mul(2_654_435_761) % 1000)).collect();
    let mut lengths = Vec::new();
    for level in [1, 9] {
        let setup = web_on(store()).observer(recorder.clone());
        let cache = setup.compression_level(level).await.unwrap();
        cache.set("k", &text, ()).await.unwrap();
        match recorder.take().as_slice() {
            [.., Recorded::Write { stored: Some(stored), .. }] => lengths.push(*stored),
            other => panic!("{other:?}"),
        }
    }
    assert!(lengths[1] < lengths[0], "{lengths:?}");
}

#[tokio::test]
async fn default_ttl_decides_how_long_an_entry_is_fresh() {
    let clock = FakeClock::new();
    let cache = web().default_ttl(secs(10)).timer(clock.clone()).await.unwrap();
    cache.set("k", "v", ()).await.unwrap();
    assert_eq!(cache.ttl("k").await.unwrap(), Some(secs(10)));
    clock.advance(secs(10) - Duration::from_nanos(1));
    assert!(cache.exists("k").await.unwrap());
    clock.advance(Duration::from_nanos(1));
    assert!(!cache.exists("k").await.unwrap());
}

#[tokio::test]
async fn stale_for_decides_how_long_a_stale_value_is_served() {
    for (stale_for, served) in [(secs(0), "loaded"), (secs(61), "old")] {
        let clock = FakeClock::new();
        let cache = web().stale_for(stale_for).timer(clock.clone()).await.unwrap();
        cache.set("k", "old", secs(60)).await.unwrap();
        clock.advance(secs(120));
        assert_eq!(load(&cache, "k").await, served);
    }
}

#[tokio::test]
async fn load_timeout_frees_those_who_wait_for_a_hung_loader() {
    let clock = FakeClock::new();
    let cache = web().load_timeout(secs(3)).timer(clock.clone()).await.unwrap();
    let waiting = tokio::spawn(async move {
        cache.get_or_load::<String, _>("k", (), std::future::pending::<Loaded<String>>).await
    });
    settle().await;
    clock.advance(secs(3) - Duration::from_nanos(1));
    settle().await;
    assert!(!waiting.is_finished());
    clock.advance(Duration::from_nanos(1));
    settle().await;
    assert!(waiting.is_finished());
    assert_eq!(waiting.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn negative_window_decides_how_long_a_failure_answers() {
    for (window, loads) in [(secs(0), 3), (secs(5), 2)] {
        let clock = FakeClock::new();
        let cache = web().negative_window(window).timer(clock.clone()).await.unwrap();
        let ran = Arc::new(AtomicU32::new(0));
        for wait in [secs(0), secs(4), secs(1)] {
            clock.advance(wait);
            let ran = Arc::clone(&ran);
            let fail = move || async move {
                ran.fetch_add(1, Ordering::SeqCst);
                Err::<String, _>("no")
            };
            assert_eq!(cache.get_or_load("k", (), fail).await.unwrap_err().kind(), ErrorKind::Load);
        }
        assert_eq!(ran.load(Ordering::SeqCst), loads, "window {window:?}");
    }
}

#[tokio::test]
async fn l1_cache_size_bounds_the_entries_of_tier_1() {
    let cache = web().l1_cache_size(3).await.unwrap();
    for i in 0..10 {
        cache.set(format!("k{i}"), &i, ()).await.unwrap();
    }
    let usage = cache.stats().memory_usage;
    assert_eq!((usage.entries, usage.max_entries, usage.evicted), (3, 3, 7));
}

#[tokio::test]
async fn l1_cache_size_of_zero_leaves_all_to_the_store() {
    let (on, off) = (store(), store());
    let with = web_on(on.clone()).await.unwrap();
    let without = web_on(off.clone()).l1_cache_size(0).await.unwrap();
    for (cache, store, reads) in [(with, on, 0), (without, off, 2)] {
        cache.set("k", "v", ()).await.unwrap();
        for _ in 0..2 {
            assert!(cache.get::<String>("k").await.unwrap().is_some());
        }
        assert_eq!(store.calls(cache_testkit::Op::Get), reads);
    }
}

#[tokio::test]
async fn beside_a_store_testing_has_a_tier_1_only_if_asked() {
    let entries = async |setup: CacheSetup| setup.await.unwrap().stats().memory_usage.max_entries;
    assert_eq!(entries(testing().store(store())).await, 0);
    assert_eq!(entries(testing().store(store()).l1_cache_size(7)).await, 7);
    assert_eq!(entries(testing().memory_only()).await, 50);
    assert_eq!(entries(web_on(store())).await, 200);
}

#[tokio::test]
async fn a_web_application_goes_on_for_a_minute_without_its_store() {
    let config = CacheFactory::new().from_config(CacheConfig::default());
    for (setup, age) in [(web_on(store()), 60), (testing().store(store()), 0), (config.store(store()), 0)] {
        assert_eq!(setup.await.unwrap().settings().disconnected_max_age, secs(age));
    }
}

#[tokio::test]
async fn l1_max_bytes_bounds_the_memory_of_tier_1() {
    let cache = web().l1_max_bytes(65_536).await.unwrap();
    for i in 0..10 {
        cache.set(format!("k{i}"), &"x".repeat(20_000), ()).await.unwrap();
    }
    let usage = cache.stats().memory_usage;
    assert_eq!((usage.entries, usage.max_bytes), (3, 65_536));
}

#[tokio::test]
async fn max_value_bytes_refuses_longer_values() {
    let cache = web().max_value_bytes(1000).await.unwrap();
    // MessagePack puts three bytes before a text of this length.
    cache.set("k", &"x".repeat(997), ()).await.unwrap();
    let error = cache.set("k", &"x".repeat(998), ()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[cfg(feature = "json")]
#[tokio::test]
async fn format_decides_how_values_are_serialised() {
    use cache_factory::Format;

    // JSON puts two quotes around a text, MessagePack one byte before a short one.
    for (format, length) in [(Format::Json, 7), (Format::Msgpack, 6)] {
        let recorder = Recorder::new(10);
        let cache = web().format(format).observer(recorder.clone()).await.unwrap();
        cache.set("k", "hello", ()).await.unwrap();
        let is_so_long =
            |event: &Recorded| matches!(event, Recorded::Write { bytes, .. } if *bytes == length);
        assert_eq!(recorder.count(is_so_long), 1, "{format:?}: {:?}", recorder.events());
        assert_eq!(*cache.get::<String>("k").await.unwrap().unwrap(), "hello");
    }
}

#[tokio::test]
async fn namespace_sets_two_caches_on_one_store_apart() {
    let server = ReferenceServer::new(Arc::new(TokioTimer::new()));
    let on = async |name: &str| web_on(Arc::new(server.connect())).namespace(name).await.unwrap();
    let (users, pages) = (on("users").await, on("pages").await);
    users.set("1", "ann", ()).await.unwrap();
    assert!(pages.get::<String>("1").await.unwrap().is_none());
    assert!(on("users").await.get::<String>("1").await.unwrap().is_some());
    assert_eq!(server.keys(), ["users:1"]);
    assert_eq!(users.stats().namespace, "users");
}

#[tokio::test]
async fn the_observer_is_told() {
    let recorder = Recorder::new(10);
    let cache = web().observer(recorder.clone()).await.unwrap();
    cache.get::<String>("k").await.unwrap();
    assert_eq!(recorder.count(|event| matches!(event, Recorded::Read { key, .. } if key == "k")), 1);
}

#[cfg(feature = "monitor")]
#[tokio::test]
async fn the_performance_monitor_watches_and_judges_by_itself() {
    use cache_factory::{PerformanceMonitor, Thresholds};

    let clock = FakeClock::new();
    let monitor = PerformanceMonitor::builder().clock(clock.clone()).build().unwrap();
    let thresholds = Thresholds { memory_warning: 1, ..Thresholds::default() };
    monitor.configure_thresholds(thresholds).unwrap();
    let setup = web().timer(clock.clone()).performance_monitor(monitor.clone());
    let cache = setup.clone().await.unwrap();
    cache.set("k", "v", ()).await.unwrap();
    settle().await;
    assert_eq!(monitor.alerts(), []);
    clock.advance(secs(10));
    settle().await;
    assert_eq!(monitor.alerts().len(), 1);
    assert_eq!(monitor.snapshot().caches[0].stats, cache.stats());

    let error = setup.observer(Recorder::new(1)).l1_cache_size(usize::MAX).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    for part in ["l1_cache_size", "observer and performance_monitor: a cache reports to one of them"] {
        assert!(error.message().contains(part), "{error}");
    }
}

#[tokio::test]
async fn tier_1_and_the_engine_live_by_one_clock() {
    let clock = FakeClock::new();
    let cache = web().l1_cache_size(2).timer(clock.clone()).await.unwrap();
    cache.set("a", "v", hours(1)).await.unwrap();
    clock.advance(hours(1));
    assert!(!cache.exists("a").await.unwrap(), "the engine's clock");
    for key in ["b", "c", "d"] {
        cache.set(key, "v", mins(1)).await.unwrap();
    }
    let usage = cache.stats().memory_usage;
    assert_eq!((usage.expired, usage.evicted), (1, 1), "tier 1 knows that the time of `a` was over");
}

#[tokio::test]
async fn options_of_a_call_win_over_settings() {
    let cache = web().default_ttl(secs(10)).stale_for(secs(10)).timer(FakeClock::new()).await.unwrap();
    cache.set("k", "v", secs(99)).await.unwrap();
    assert_eq!(cache.ttl("k").await.unwrap(), Some(secs(99)));
    let options = LoadOptions::ttl(secs(77));
    cache.get_or_load("l", options, || async { Loaded::Ok(1) }).await.unwrap();
    assert_eq!(cache.ttl("l").await.unwrap(), Some(secs(77)));
}
