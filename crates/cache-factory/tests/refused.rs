//! What is out of range, contradictory or without effect is one error that says what is allowed.
#![cfg(feature = "memory")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use cache_factory::durations::{days, secs};
use cache_factory::{BreakerSettings, CacheFactory, CacheSetup, ErrorKind, Format, OnStoreError, TokioTimer};
use cache_testkit::ReferenceServer;

fn web() -> CacheSetup {
    CacheFactory::new().for_web_app().memory_only()
}

fn with_store() -> CacheSetup {
    CacheFactory::new()
        .for_web_app()
        .store(Arc::new(ReferenceServer::new(Arc::new(TokioTimer::new())).connect()))
}

async fn refused(setup: CacheSetup) -> String {
    let error = setup.await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Configuration, Some("for_web_app")));
    error.message().to_owned()
}

/// The message says exactly this, and nothing of other settings.
async fn refused_with(setup: CacheSetup, parts: &[&str]) {
    let message = refused(setup).await;
    for part in parts {
        assert!(message.contains(part), "`{part}` in `{message}`");
    }
    assert!(!message.contains("problems:"), "one fault, one sentence: {message}");
}

#[tokio::test]
async fn a_ttl_of_zero_too_short_or_too_long_is_refused_and_the_ends_of_the_range_are_not() {
    for bad in [secs(0), Duration::from_micros(999), days(365) + Duration::from_nanos(1), Duration::MAX] {
        refused_with(web().default_ttl(bad), &["default_ttl: ", "1 ms to 365 days are allowed"]).await;
    }
    for good in [Duration::from_millis(1), days(365)] {
        web().default_ttl(good).await.unwrap();
    }
}

#[tokio::test]
async fn every_setting_has_a_range_whose_ends_are_allowed() {
    refused_with(web().stale_for(days(366)), &["stale_for is"]).await;
    web().stale_for(days(365)).await.unwrap();

    refused_with(web().load_timeout(secs(0)), &["load_timeout is 0ns"]).await;
    refused_with(web().load_timeout(days(2)), &["load_timeout is"]).await;
    web().load_timeout(days(1)).await.unwrap();

    refused_with(web().negative_window(secs(3601)), &["negative_window is 3601s"]).await;
    web().negative_window(secs(3600)).await.unwrap();

    refused_with(web().l1_cache_size(100_000_001), &["l1_cache_size is 100000001 entries, 0 to 100000000"])
        .await;
    web().l1_cache_size(1).await.unwrap();

    refused_with(web().l1_max_bytes(65_535), &["l1_max_bytes is 65535 bytes, 65536 to 1099511627776"]).await;
    refused_with(web().l1_max_bytes((1 << 40) + 1), &["l1_max_bytes is 1099511627777 bytes"]).await;
    web().l1_max_bytes(65_536).await.unwrap();
    web().l1_max_bytes(1 << 40).await.unwrap();

    refused_with(web().max_value_bytes(0), &["the longest value is 0 bytes, 1 to 67108864"]).await;
    refused_with(with_store().max_value_bytes((64 << 20) + 1), &["the longest value is 67108865 bytes"])
        .await;
    web().max_value_bytes(64 << 20).await.unwrap();

    refused_with(web().namespace(""), &["the namespace is 0 bytes long", "1 to 128"]).await;
    refused_with(web().namespace("x".repeat(129)), &["129 bytes"]).await;
    web().namespace("x".repeat(128)).await.unwrap();

    refused_with(with_store().store_timeout(secs(0)), &["store_timeout is 0ns, 1ms to 60s are allowed"])
        .await;
    refused_with(with_store().store_timeout(secs(61)), &["store_timeout is 61s"]).await;
    with_store().store_timeout(secs(60)).await.unwrap();

    refused_with(web().format(Format::Bincode), &["bincode", "schema"]).await;
}

#[cfg(feature = "lz4")]
#[tokio::test]
async fn compression_has_a_range_whose_ends_are_allowed() {
    let over = with_store().compression_threshold((1 << 20) + 1);
    refused_with(over, &["compression_threshold is 1048577 bytes, 0 to 1048576 are allowed"]).await;
    for level in [0, 10, 255] {
        refused_with(with_store().compression_level(level), &["1 to 9 are allowed"]).await;
    }
    with_store().compression_threshold(1 << 20).compression_level(1).await.unwrap();
    with_store().compression_threshold(0).compression_level(3).await.unwrap();
}

#[cfg(not(feature = "zstd"))]
#[tokio::test]
async fn a_level_that_needs_another_feature_names_it() {
    refused_with(with_store().compression_level(4), &["enable the feature `zstd`"]).await;
}

#[cfg(not(feature = "lz4"))]
#[tokio::test]
async fn without_lz4_presets_work_and_only_an_explicit_wish_for_it_is_refused() {
    with_store().await.unwrap();
    web().await.unwrap();
    refused_with(with_store().compression_level(1), &["enable the feature `lz4`"]).await;
    refused_with(with_store().compression_threshold(10), &["enable the feature `lz4`"]).await;
}

#[cfg(not(feature = "json"))]
#[tokio::test]
async fn without_json_the_format_is_refused_at_once_and_not_at_the_first_write() {
    refused_with(web().format(Format::Json), &["enable the feature `json`"]).await;
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn connect_timeout_has_a_range_whose_ends_are_allowed() {
    let redis = || CacheFactory::new().for_web_app().redis_url("redis://127.0.0.1:1");
    for bad in [secs(0), Duration::from_micros(999), Duration::from_millis(60_001), Duration::MAX] {
        refused_with(redis().connect_timeout(bad), &["connect_timeout is ", "1ms to 60s are allowed"]).await;
    }
    for good in [Duration::from_millis(1), secs(60)] {
        redis().connect_timeout(good).await.unwrap();
    }
}

#[cfg(not(feature = "redis"))]
#[tokio::test]
async fn without_redis_presets_work_and_only_an_explicit_wish_for_it_is_refused() {
    CacheFactory::new().for_web_app().await.unwrap();
    let redis = CacheFactory::new().for_web_app().redis_url("redis://127.0.0.1:1");
    refused_with(redis, &["this build has no Redis", "enable the feature `redis`"]).await;
}

#[tokio::test]
async fn settings_without_effect_are_refused_and_say_why() {
    let why = "has no effect on a memory-only cache";
    refused_with(web().compression_threshold(500), &["compression_threshold", why, "give the cache a store"])
        .await;
    #[cfg(feature = "lz4")]
    refused_with(web().compression_level(2), &["compression_level", why]).await;
    let why = "there is no store to wait for";
    refused_with(web().store_timeout(secs(1)), &["store_timeout has no effect", why]).await;
    refused_with(web().wait_for_write(false), &["wait_for_write has no effect", why]).await;
    refused_with(web().claims(true), &["claims has no effect", why]).await;
    refused_with(web().on_store_error(OnStoreError::Fail), &["on_store_error has no effect", why]).await;
    refused_with(web().lease(secs(1)), &["lease has no effect", why]).await;
    refused_with(web().disconnected_max_age(secs(0)), &["disconnected_max_age has no effect", why]).await;
    refused_with(web().replay_queue(1), &["replay_queue has no effect", why]).await;
    refused_with(web().breaker(BreakerSettings::default()), &["breaker has no effect", why]).await;
    let why = "has no effect on a cache without Redis";
    for setup in [web(), with_store()] {
        refused_with(setup.clone().connect_timeout(secs(1)), &["connect_timeout", why]).await;
        refused_with(setup.clone().fail_on_connection_error(false), &["fail_on_connection_error", why]).await;
        refused_with(setup.clone().redis_password("canary"), &["password", why]).await;
    }
    refused_with(
        with_store().l1_cache_size(0).l1_max_bytes(1 << 20),
        &["l1_max_bytes has no effect while tier 1 is off"],
    )
    .await;
    refused_with(
        web().l1_max_bytes(1 << 20).max_value_bytes(2 << 20),
        &["max_value_bytes is 2097152, but tier 1 may hold 1048576 bytes in all"],
    )
    .await;
    with_store().l1_max_bytes(1 << 20).max_value_bytes(2 << 20).await.unwrap();
}

#[tokio::test]
async fn what_contradicts_itself_is_refused() {
    refused_with(with_store().memory_only(), &["memory_only and store contradict each other"]).await;
    let url = "redis://127.0.0.1:1";
    refused_with(with_store().redis_url(url), &["redis_url and store contradict each other"]).await;
    refused_with(web().redis_url(url), &["memory only and an address of Redis contradict each other"]).await;
    #[cfg(feature = "redis")]
    refused_with(
        CacheFactory::new().for_web_app().redis_url("redis://:a@127.0.0.1:1").redis_password("b"),
        &["the password of Redis is given more than once"],
    )
    .await;
    refused_with(
        web().l1_cache_size(0),
        &["switches tier 1 off, and there is no store", "allow 1 to 100000000 entries"],
    )
    .await;
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once() {
    let message = refused(
        web()
            .default_ttl(secs(0))
            .stale_for(Duration::MAX)
            .load_timeout(secs(0))
            .negative_window(days(1))
            .l1_cache_size(usize::MAX)
            .l1_max_bytes(0)
            .max_value_bytes(0)
            .compression_threshold(usize::MAX)
            .compression_level(0)
            .format(Format::Bincode)
            .namespace(""),
    )
    .await;
    // Compression is both out of range and without effect.
    assert!(message.starts_with("13 problems: "), "{message}");
}

#[tokio::test]
async fn the_error_of_a_preset_names_it() {
    let error = CacheFactory::new().for_testing().memory_only().l1_cache_size(0).await.unwrap_err();
    assert!(error.to_string().starts_with("for_testing: "), "{error}");
}
