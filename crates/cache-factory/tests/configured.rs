//! Each setting of a configuration reaches the cache, and code wins over it.
#![cfg(feature = "memory")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use cache_factory::durations::secs;
use cache_factory::{CacheConfig, CacheFactory, CacheSetup, ErrorKind, OnStoreError, Store, TokioTimer};
use cache_testkit::ReferenceServer;
#[cfg(feature = "lz4")]
use cache_testkit::{Recorded, Recorder};

fn from(toml: &str) -> CacheSetup {
    CacheFactory::new().from_config(CacheConfig::from_toml(toml).unwrap())
}

fn store() -> Arc<dyn Store> {
    Arc::new(ReferenceServer::new(Arc::new(TokioTimer::new())).connect())
}

async fn refused_with(setup: CacheSetup, problem: &str) {
    let error = setup.await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Configuration, Some("from_config")));
    assert!(error.message().starts_with(problem), "{error}");
}

/// How long a text of this serialised length is in the store.
#[cfg(feature = "lz4")]
async fn stored(cache: &cache_factory::Cache, recorder: &Recorder, length: usize) -> usize {
    // MessagePack puts three bytes before a text of this length.
    cache.set("k", &"x".repeat(length - 3), ()).await.unwrap();
    match recorder.take().as_slice() {
        [.., Recorded::Write { stored: Some(stored), .. }] => *stored,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_anything_said_it_has_the_numbers_of_the_guide_and_no_redis() {
    let cache = from("").await.unwrap();
    assert_eq!(cache.settings().default_ttl.as_duration(), secs(3600));
    assert_eq!(cache.stats().memory_usage.max_entries, 100);
    assert_eq!((cache.namespace().as_str(), cache.health().await.store), ("app", None));
    assert_eq!(from("type = 'memory'").await.unwrap().health().await.store, None);
}

#[cfg(feature = "lz4")]
#[tokio::test]
async fn without_anything_said_it_compresses_above_1000_bytes() {
    let recorder = Recorder::new(10);
    let cache = from("").store(store()).observer(recorder.clone()).await.unwrap();
    assert!(stored(&cache, &recorder, 1000).await >= 1000);
    assert!(stored(&cache, &recorder, 1001).await < 500);
    from("compression_threshold = 300\ncompression_level = 1\n[redis]").memory_only().await.unwrap();
    let cache = from("compression_threshold = 300\ncompression_level = 1");
    let cache = cache.store(store()).observer(recorder.clone()).await.unwrap();
    assert!(stored(&cache, &recorder, 300).await >= 300);
    assert!(stored(&cache, &recorder, 301).await < 300);
}

#[tokio::test]
async fn what_is_said_is_so() {
    let cache = from(
        "namespace = 'shop'\n default_ttl = 120\n stale_for = 0.5\n load_timeout = 20\n negative_window = 2.25\n \
         l1_cache_size = 300\n l1_max_bytes = 1048576\n max_value_bytes = 65536\n store_timeout = 0.1\n \
         wait_for_write = true\n claims = false\n on_store_error = 'fail'\n lease = 0.5\n \
         disconnected_max_age = 90\n untracked_max_age = 0.25\n replay_queue = 100\n breaker = { failures = 3, window = 10, open_for = 2.5 }",
    );
    let cache = cache.store(store()).await.unwrap();
    let (settings, usage) = (cache.settings(), cache.stats().memory_usage);
    assert_eq!(cache.namespace().as_str(), "shop");
    assert_eq!(settings.default_ttl.as_duration(), secs(120));
    assert_eq!(settings.stale_for, Duration::from_millis(500));
    assert_eq!(settings.load_timeout, secs(20));
    assert_eq!(settings.negative_window, Duration::from_millis(2250));
    assert_eq!((usage.max_entries, usage.max_bytes), (300, 1 << 20));
    assert_eq!(settings.limits.value, 65_536);
    assert_eq!(settings.store_timeout, Duration::from_millis(100));
    assert_eq!((settings.wait_for_write, settings.claims), (true, false));
    assert_eq!(settings.on_store_error, OnStoreError::Fail);
    assert_eq!((settings.lease, settings.disconnected_max_age), (Duration::from_millis(500), secs(90)));
    assert_eq!(settings.untracked_max_age, Duration::from_millis(250));
    assert_eq!(settings.replay_queue, 100);
    let shorter = from("lease = 0.5").store(store()).await.unwrap();
    assert_eq!(shorter.settings().untracked_max_age, Duration::from_millis(500), "no staler than the lease");
    let breaker = settings.breaker;
    assert_eq!((breaker.failures, breaker.window, breaker.open_for), (3, 10, Duration::from_millis(2500)));
}

#[cfg(feature = "json")]
#[tokio::test]
async fn what_is_said_of_the_format_is_so() {
    use cache_factory::Format;

    assert_eq!(from("format = 'json'").await.unwrap().settings().format, Format::Json);
    assert_eq!(from("format = 'msgpack'").await.unwrap().settings().format, Format::Msgpack);
}

#[tokio::test]
async fn code_wins_over_the_configuration() {
    let setup =
        from("default_ttl = 120\nl1_cache_size = 300\nwait_for_write = true\nnamespace = 'a'").store(store());
    let cache = setup.default_ttl(secs(7)).wait_for_write(false).await.unwrap();
    assert_eq!(cache.settings().default_ttl.as_duration(), secs(7));
    assert!(!cache.settings().wait_for_write);
    assert_eq!((cache.namespace().as_str(), cache.stats().memory_usage.max_entries), ("a", 300));
}

#[tokio::test]
async fn code_decides_where_the_cache_keeps_what_it_holds() {
    let redis = "store_timeout = 1\nwait_for_write = true\nclaims = true\n\
                 on_store_error = 'fail'\n[redis]\nurl = 'redis://127.0.0.1:1'\nconnect_timeout = 1\npassword = 'x'";
    let cache = from(redis).memory_only().await.unwrap();
    assert_eq!(cache.health().await.store, None, "the rest that was said of the store went with it");
    let cache = from(redis).store(store()).await.unwrap();
    assert_eq!(cache.health().await.store, Some("reference"));
    let cache = from("type = 'memory'").store(store()).await.unwrap();
    assert_eq!(cache.health().await.store, Some("reference"));
}

#[tokio::test]
async fn what_has_no_effect_or_contradicts_itself_is_an_error() {
    refused_with(from("store_timeout = 1"), "store_timeout has no effect on a memory-only cache").await;
    #[cfg(feature = "lz4")]
    refused_with(from("compression_level = 1"), "compression_level has no effect on a memory-only").await;
    refused_with(from("l1_cache_size = 0"), "l1_cache_size is 0, which switches tier 1 off").await;
    refused_with(from("").fail_on_connection_error(true), "fail_on_connection_error has no effect").await;
    let details = "type = 'memory'\n[redis]\nconnect_timeout = 1";
    refused_with(from(details), "connect_timeout has no effect on a cache without Redis").await;
}

#[tokio::test]
async fn a_configuration_made_in_code_is_looked_at_when_it_is_awaited() {
    let mut config = CacheConfig::default();
    config.default_ttl = Some(secs(0));
    config.l1_cache_size = Some(0);
    refused_with(CacheFactory::new().from_config(config), "2 problems: default_ttl: a TTL of 0ns").await;
}

#[cfg(not(feature = "redis"))]
#[tokio::test]
async fn a_redis_table_names_the_feature_that_is_missing() {
    for text in ["[redis]", "type = 'redis'", "redis.url = 'redis://h'"] {
        refused_with(from(text), "this build has no Redis: enable the feature `redis`").await;
    }
}

/// Whatever is said of certificates comes to who opens connections, who reads the files.
#[cfg(feature = "tls")]
#[tokio::test]
async fn what_is_said_of_certificates_is_so() {
    let folder = std::env::temp_dir();
    let away = folder.join("cache-factory-no-such-file.pem");
    let away = away.display();
    for (toml, problem) in [
        (
            format!("url = 'rediss://localhost'\nca_file = '{away}'"),
            "no-such-file.pem: there is no such file",
        ),
        (
            format!("url = 'rediss://localhost'\ncert_file = '{away}'\nkey_file = '{away}'"),
            "cert_file {away}: there is no such file",
        ),
        (format!("url = 'redis://localhost'\nca_file = '{away}'"), "have no effect without TLS"),
        (
            "url = 'rediss://localhost'\ncert_file = 'a.pem'".to_owned(),
            "a certificate and its key belong together",
        ),
    ] {
        let problem = problem.replace("{away}", &away.to_string());
        let error = from(&format!("[redis]\n{toml}")).await.unwrap_err();
        let is_said = error.message().contains(&problem);
        assert!(error.kind() == ErrorKind::Configuration && is_said, "{problem}: {error}");
    }
    let setup = CacheFactory::new().for_web_app().redis_url("rediss://localhost").redis_ca_file("away.pem");
    let error = setup.await.unwrap_err();
    assert!(error.message().contains("ca_file away.pem: there is no such file"), "{error}");
    let error = CacheFactory::new().from_config(CacheConfig::default()).redis_ca_file("x").await.unwrap_err();
    assert!(error.message().contains("ca_file has no effect on a cache without Redis"), "{error}");
}
