//! The guide's names of settings, in files and variables: each has its effect, or is an error that says why not.
#![cfg(feature = "memory")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "common/log.rs"]
mod log;

use std::sync::Arc;

use cache_factory::durations::{mins, secs};
use cache_factory::{Cache, CacheConfig, CacheFactory, CacheSetup, Error, TokioTimer};
use cache_testkit::ReferenceServer;
use log::Log;

fn toml(text: &str) -> CacheSetup {
    CacheFactory::new().from_config(CacheConfig::from_toml(text).unwrap())
}

async fn beside_a_store(setup: CacheSetup) -> Result<Cache, Error> {
    setup.store(Arc::new(ReferenceServer::new(Arc::new(TokioTimer::new())).connect())).await
}

fn entries(cache: &Cache) -> u64 {
    cache.stats().memory_usage.max_entries
}

async fn refused(setup: CacheSetup, problem: &str) {
    let error = setup.await.unwrap_err();
    assert!(error.message().starts_with(problem), "{error}");
}

#[tokio::test]
async fn the_guides_development_configuration_works() {
    let text = "type = 'memory'\ndefault_ttl = 300\nmax_size = 100\ndebug_logging = true";
    let cache = toml(text).await.unwrap();
    assert_eq!((entries(&cache), cache.settings().default_ttl.as_duration()), (100, secs(300)));
    assert_eq!(cache.health().await.store, None);
}

#[tokio::test]
async fn max_size_is_l1_cache_size_and_is_said_once() {
    let error = CacheConfig::from_toml("max_size = 5\nl1_cache_size = 5").unwrap_err();
    assert_eq!(error.message(), "max_size and l1_cache_size are one setting: leave out one of them");
    let variables = [("CACHE_MAX_SIZE", "5"), ("CACHE_L1_CACHE_SIZE", "x")];
    let error = CacheFactory::from_variables(variables).unwrap_err();
    assert!(error.message().starts_with("CACHE_L1_CACHE_SIZE: l1_cache_size is a text"), "{error}");
    let variables = [("CACHE_MAX_SIZE", "5"), ("CACHE_L1_CACHE_SIZE", "6"), ("CACHE_TYP", "memory")];
    let error = CacheFactory::from_variables(variables).unwrap_err();
    assert!(error.message().starts_with("2 problems: CACHE_TYP is unknown"), "{error}");
    assert!(error.message().contains("max_size and l1_cache_size are one setting"), "{error}");
    let written = serde_json::to_value(CacheConfig::from_toml("max_size = 5").unwrap()).unwrap();
    assert_eq!(written, serde_json::json!({"l1_cache_size": 5}));
}

#[tokio::test]
async fn enable_l1_cache_switches_tier_1() {
    let web = || CacheFactory::new().for_web_app();
    let testing = || CacheFactory::new().for_testing();
    for (setup, size) in [
        (web().enable_l1_cache(true), 200),
        (web().enable_l1_cache(false), 0),
        (web().enable_l1_cache(true).l1_cache_size(7), 7),
        (testing(), 0),
        (testing().enable_l1_cache(true), 50),
        (toml("enable_l1_cache = true"), 100),
        (toml("enable_l1_cache = false"), 0),
    ] {
        assert_eq!(entries(&beside_a_store(setup).await.unwrap()), size);
    }
    refused(
        toml("enable_l1_cache = false"),
        "enable_l1_cache is false, which switches tier 1 off, and there",
    )
    .await;
    refused(
        toml("enable_l1_cache = false\nl1_max_bytes = 65536"),
        "2 problems: enable_l1_cache is false, which switches",
    )
    .await;
    for text in ["enable_l1_cache = false\nmax_size = 5", "enable_l1_cache = true\nl1_cache_size = 0"] {
        let error = CacheConfig::from_toml(text).unwrap_err();
        assert!(error.message().contains("contradict each other"), "{error}");
    }
}

#[tokio::test]
async fn debug_logging_logs_what_happens_and_no_key() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    for (setup, logs) in [
        (toml("debug_logging = true\nnamespace = 'shop'"), true),
        (CacheFactory::new().for_web_app().memory_only().namespace("shop").debug_logging(true), true),
        (toml("debug_logging = false"), false),
        (toml(""), false),
    ] {
        let before = log.lines().len();
        let cache = setup.await.unwrap();
        cache.get::<String>("user:c4n4ry").await.unwrap();
        cache.set("user:c4n4ry", "c4n4ry", mins(1)).await.unwrap();
        cache.get_or_load("page:c4n4ry", mins(1), || async { cache_factory::Loaded::Ok(1) }).await.unwrap();
        cache.delete("user:c4n4ry").await.unwrap();
        let lines = log.lines().split_off(before);
        let debug = |word: &str| lines.iter().any(|line| line.starts_with("DEBUG") && line.contains(word));
        for word in ["Miss in Local by get", "Stored by set", "Load of", "Invalidate of", "cache=\"shop\""] {
            assert_eq!(debug(word), logs, "{word}: {lines:#?}");
        }
        assert!(!lines.concat().contains("c4n4ry"), "{lines:#?}");
    }
}

#[cfg(feature = "monitor")]
#[tokio::test]
async fn debug_logging_leaves_the_monitor_what_it_sees() {
    let mut setup = toml("debug_logging = true\n[performance_monitor]");
    let monitor = setup.monitor().unwrap().unwrap();
    let cache = setup.await.unwrap();
    cache.get::<String>("a").await.unwrap();
    assert_eq!(monitor.why_missed("a").as_str(), "never_stored");
    assert_eq!(monitor.snapshot().caches[0].cache, "app");
}

#[tokio::test]
async fn the_rest_has_its_effect_or_says_why_not() {
    refused(toml("compression_level = 3\ntype = 'memory'"), "compression_level has no effect").await;
    let error =
        CacheConfig::from_toml("redis_url = 'redis://h'\nfail_on_connection_error = true").unwrap_err();
    assert!(error.message().contains("; did you mean redis.url?"), "{error}");
    assert!(error.message().contains("; did you mean redis.fail_on_connection_error?"), "{error}");
}
