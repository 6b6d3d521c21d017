//! Odd addresses, variables and files: no secret is shown, nothing takes long, nothing is passed over in silence.
#![cfg(all(feature = "memory", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use cache_factory::durations::{mins, secs};
use cache_factory::{CacheConfig, CacheFactory, RedisUrl, Secret};
use cache_testkit::redis::{Options, fresh_namespace};
use common::own;

const CANARY: &str = "canary7431";

/// Addresses with a password that must be refused or fall back, and never show it; none may hang.
#[tokio::test(flavor = "multi_thread")]
async fn odd_addresses_show_no_password_and_end_in_time() {
    let server = own(&Options::new());
    let port = server.addr().port();
    let urls = [
        format!("redis://:{CANARY}@127.0.0.1:{port}/99999"),
        format!("redis://:{CANARY}@127.0.0.1:{port}/-1"),
        format!("redis://:{CANARY}@127.0.0.1:{port}/abc"),
        format!("redis://:{CANARY}@127.0.0.1:99999"),
        format!("redis://:{CANARY}@127.0.0.1:{port}:{port}"),
        format!("redis://user:{CANARY}@127.0.0.1:{port}"),
        format!("redis://{CANARY}@127.0.0.1:{port}"),
        format!("redis://:{CANARY}@"),
        format!("redis://:{CANARY}@/0"),
        format!("redis://:{CANARY}@nowhere.invalid:{port}"),
        format!("rediss://:{CANARY}@127.0.0.1:{port}"),
        format!("http://:{CANARY}@127.0.0.1:{port}"),
        format!("valkey://:{CANARY}@127.0.0.1:{port}"),
        format!("redis://127.0.0.1:{port}/0?password={CANARY}"),
        format!("redis://127.0.0.1:{port}/0#{CANARY}"),
        format!("redis://:{CANARY}%@127.0.0.1:{port}"),
        format!("redis://:{CANARY}%zz@127.0.0.1:{port}"),
        format!("redis://:{CANARY}\n@127.0.0.1:{port}"),
        format!("redis://:{CANARY} @127.0.0.1:{port}"),
        format!("redis://:{CANARY}/x@127.0.0.1:{port}"),
        format!("redis://:{CANARY}@x@127.0.0.1:{port}"),
        format!("redis://a:b:{CANARY}@127.0.0.1:{port}"),
        format!("unix:///tmp/nothing.sock?pass={CANARY}"),
        format!("unix:///tmp/nothing.sock?pass={CANARY}&db=x"),
        format!("unix:///tmp/nothing.sock?passs={CANARY}"),
        format!("unix:?pass={CANARY}"),
        format!("redis+unix:///tmp?pass={CANARY}"),
        format!(":{CANARY}@127.0.0.1:{port}"),
        CANARY.to_string(),
        format!("redis://[::1:{CANARY}@x"),
    ];
    let mut wrong = Vec::new();
    for (at, url) in urls.iter().enumerate() {
        let namespace = fresh_namespace("odd").unwrap();
        let setup = CacheFactory::new().for_web_app().redis_url(url.as_str()).namespace(namespace.as_str());
        let began = Instant::now();
        let mut shown = format!("{setup:?} {:?}", RedisUrl::from(url.as_str()));
        let what = match setup.await {
            Ok(cache) => {
                drop(cache.set("k", "v", mins(1)).await);
                let deleted = cache.delete("k").await;
                shown += &format!("{:?} {cache:?} {deleted:?} {:?}", cache.health().await, cache.stats());
                format!("a cache, {:?}", cache.health().await)
            }
            Err(error) => {
                shown += &format!("{error:?} {error} {error:#}");
                let mut source = std::error::Error::source(&error);
                while let Some(inner) = source {
                    shown += &format!("{inner:?} {inner}");
                    source = inner.source();
                }
                error.to_string()
            }
        };
        println!("{at}: {} -> {what}", url.replace(CANARY, "***"));
        if shown.contains(CANARY) {
            wrong.push(format!("{at} shows it: {shown}"));
        }
        if began.elapsed() > secs(2) {
            wrong.push(format!("{at} took {:?}", began.elapsed()));
        }
    }
    let shown = format!("{:?}", Secret::from(CANARY));
    assert!(!shown.contains(CANARY));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Variables and files that contradict each other or themselves.
#[tokio::test(flavor = "multi_thread")]
async fn odd_variables_are_errors_that_show_no_password() {
    let url = format!("redis://:{CANARY}@127.0.0.1:1/0");
    let odd: &[&[(&str, &str)]] = &[
        &[("CACHE_REDIS_URL", "")],
        &[("CACHE_REDIS_URL", &url), ("CACHE_TYPE", "redis "), ("CACHE_PRESET", "web_app")],
        &[("CACHE_REDIS_URL", &url), ("CACHE_REDIS_CONNECT_TIMEOUT", "NaN")],
        &[("CACHE_REDIS_URL", &url), ("CACHE_REDIS_CONNECT_TIMEOUT", "-1")],
        &[("CACHE_REDIS_URL", &url), ("CACHE_REDIS_CONNECT_TIMEOUT", "1e400")],
        &[("CACHE_REDIS_URL", &url), ("CACHE_STORE_TIMEOUT", "0")],
        &[("CACHE_REDIS_URL", &url), ("CACHE_LEASE", "0.01")],
        &[("CACHE_REDIS_URL", &url), ("CACHE_REPLAY_QUEUE", "0")],
        &[("CACHE_REDIS_URL", &url), ("CACHE_BREAKER_WINDOW", "1")],
        &[
            ("CACHE_REDIS_URL", &url),
            ("CACHE_REDIS_PASSWORD", CANARY),
            ("CACHE_REDIS_PASSWORD_FILE", "/nowhere"),
        ],
        &[("CACHE_REDIS_PASSWORD_FILE", "/nowhere/canary"), ("CACHE_REDIS_URL", "redis://127.0.0.1:1")],
        &[("CACHE_REDIS_PASSWORD", "")],
        &[("CACHE_TYPE", "memory"), ("CACHE_REDIS_URL", &url)],
        &[("CACHE_TYPE", "redis")],
        &[("CACHE_CONFIG", "/nowhere/cache.toml")],
        &[("CACHE_REDIS_FAIL_ON_CONNECTION_ERROR", "yes please")],
        &[("CACHE_PRESET", "")],
    ];
    for (at, variables) in odd.iter().enumerate() {
        let began = Instant::now();
        let (ok, shown) = match CacheFactory::from_variables(variables.iter().copied()) {
            Err(error) => (false, format!("{error:?} {error}")),
            Ok(setup) => match setup.clone().await {
                Err(error) => (false, format!("{setup:?} {error:?} {error}")),
                Ok(cache) => (true, format!("{setup:?} {cache:?} {:?}", cache.health().await)),
            },
        };
        println!(
            "{at}: {:?} -> {}",
            variables.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            if ok { "a cache" } else { &shown }
        );
        assert!(!shown.contains(CANARY), "{at}: {shown}");
        assert!(began.elapsed() < secs(2), "{at}: {:?}", began.elapsed());
    }
    for text in [
        format!("[redis]\nurl = 'redis://:{CANARY}@h'\npassword = '{CANARY}'\nextra = '{CANARY}'"),
        format!("[redis]\nurl = 7\npassword = ['{CANARY}']"),
        format!("[redis]\npassword = '{CANARY}"),
        format!("redis = 'redis://:{CANARY}@h'"),
        format!("[redis]\npassword = '{CANARY}'\npassword = '{CANARY}'"),
    ] {
        let shown = match CacheConfig::from_toml(&text) {
            Err(error) => format!("{error:?} {error}"),
            Ok(config) => {
                format!("{config:?} {:?}", CacheFactory::new().from_config(config.clone()).await.map(drop))
            }
        };
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

/// Settings that go against one another.
#[tokio::test(flavor = "multi_thread")]
async fn settings_that_contradict_are_errors() {
    let server = own(&Options::new());
    let web = || CacheFactory::new().for_web_app();
    let refused = [
        ("memory_only and an address", web().memory_only().redis_url(server.url())),
        ("memory_only and fail_on_connection_error", web().memory_only().fail_on_connection_error(true)),
        ("memory_only and a lease", web().memory_only().lease(secs(2))),
        ("memory_only and a password", web().memory_only().redis_password("x")),
        ("two passwords", web().redis_url("redis://:a@127.0.0.1:1").redis_password("b")),
        ("a lease below two heartbeats", web().redis_url(server.url()).lease(Duration::from_millis(100))),
    ];
    for (what, setup) in refused {
        let result = setup.await;
        println!("{what}: {:?}", result.as_ref().map(drop).map_err(ToString::to_string));
    }
    // Whatever is allowed works.
    for (lease, timeout) in [(100, 1), (100, 60_000), (60_000, 1), (60_000, 60_000), (300, 300)] {
        let namespace = fresh_namespace("leases").unwrap();
        let cache =
            web().redis_url(server.url()).namespace(namespace.as_str()).fail_on_connection_error(true);
        let cache = cache.lease(Duration::from_millis(lease)).store_timeout(Duration::from_millis(timeout));
        let cache = cache.await.unwrap();
        cache.set("k", "v", mins(1)).await.unwrap();
        let began = Instant::now();
        let mut missed = 0;
        while began.elapsed() < Duration::from_millis(1500) {
            missed += u32::from(cache.get::<String>("k").await.unwrap().is_none());
            tokio::task::yield_now().await;
        }
        println!("lease {lease} ms, time-out {timeout} ms: {missed} missed, {:?}", cache.health().await);
        if timeout > 100 {
            assert_eq!(missed, 0, "lease {lease} ms, time-out {timeout} ms: {:?}", cache.health().await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_address_says_has_an_effect_or_is_an_error() {
    let server = own(&Options::new());
    let url = server.url();
    for odd in [
        format!("{url}?password=x"),
        format!("{url}?db=3"),
        format!("{url}?protocol=resp3"),
        "unix:///nowhere.sock?passs=x".to_owned(),
    ] {
        let namespace = fresh_namespace("query").unwrap();
        let setup = CacheFactory::new().for_web_app().redis_url(odd.as_str()).namespace(namespace.as_str());
        assert!(setup.await.is_err(), "{odd}");
    }
}
