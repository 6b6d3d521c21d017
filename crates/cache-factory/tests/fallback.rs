//! What awaiting a setup does when Redis cannot be reached, or is the wrong one.
#![cfg(all(feature = "memory", feature = "redis"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::{Duration, Instant};

use cache_factory::durations::secs;
use cache_factory::{
    BreakerSettings, Cache, CacheConfig, CacheFactory, CacheSetup, Coherence, ErrorKind, HealthStatus,
    Loaded, OnStoreError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// An address where nobody listens.
async fn refused() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("redis://{}", listener.local_addr().unwrap())
}

/// An address that takes connections and never says a word, as long as the listener is there.
async fn silent() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (format!("redis://{}", listener.local_addr().unwrap()), listener)
}

/// A server that gives this answer to every command.
async fn that_says(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                while let Ok(1..) = socket.read(&mut bytes).await.inspect(|&count| bytes[count..].fill(0)) {
                    // Each command starts with the number of its parts.
                    let commands =
                        bytes.split(|byte| *byte == b'\n').filter(|line| line.first() == Some(&b'*'));
                    if socket.write_all(answer.repeat(commands.count()).as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

fn web(url: &str) -> CacheSetup {
    CacheFactory::new().for_web_app().redis_url(url).connect_timeout(secs(1))
}

/// Awaits the setup and sees to it that this takes so long, give or take. A machine that has much to do may hold a test
/// up; it will not do so every time.
async fn takes(setup: CacheSetup, expected: Duration) -> Cache {
    let mut tries = 0;
    loop {
        let start = Instant::now();
        let cache = setup.clone().await.unwrap();
        let taken = start.elapsed();
        assert!(taken + Duration::from_millis(10) >= expected, "{taken:?} and not {expected:?}");
        tries += 1;
        if taken <= expected + Duration::from_millis(100) {
            return cache;
        }
        assert!(tries < 3, "{taken:?} and not {expected:?}");
    }
}

#[tokio::test]
async fn without_a_server_the_cache_is_handed_out_and_works() {
    let cache = web(&refused().await).await.unwrap();
    cache.set("session", "ann", ()).await.unwrap();
    assert_eq!(*cache.get::<String>("session").await.unwrap().unwrap(), "ann");
    let loaded = cache.get_or_load("page", (), || async { Loaded::Ok(1) }).await.unwrap();
    assert_eq!(*loaded, 1);
    assert_eq!(cache.get::<i32>("page").await.unwrap().as_deref(), Some(&1));
}

#[tokio::test]
async fn without_a_server_health_says_so() {
    let cache = web(&refused().await).await.unwrap();
    let health = cache.health().await;
    assert_eq!((health.status, health.store), (HealthStatus::Degraded, Some("redis")));
    assert!(!health.reasons.is_empty());
    assert_eq!(health.coherence, Coherence::Disconnected);
}

#[tokio::test]
async fn a_server_that_never_answers_costs_no_more_than_connect_timeout() {
    let (url, _listener) = silent().await;
    for connect_timeout in [Duration::from_millis(150), Duration::from_millis(600)] {
        let cache = takes(web(&url).connect_timeout(connect_timeout), connect_timeout).await;
        cache.set("k", "v", ()).await.unwrap();
        assert!(cache.get::<String>("k").await.unwrap().is_some());
    }
}

#[tokio::test]
async fn by_default_a_server_that_never_answers_costs_a_second() {
    let (url, _listener) = silent().await;
    takes(CacheFactory::new().for_web_app().redis_url(url), secs(1)).await;
}

#[tokio::test]
async fn with_fail_on_connection_error_it_is_an_error() {
    let (silent, _listener) = silent().await;
    for (url, kinds) in [
        (refused().await, [ErrorKind::Unavailable; 2]),
        (silent, [ErrorKind::Timeout, ErrorKind::Unavailable]),
    ] {
        let setup = web(&url).connect_timeout(Duration::from_millis(200));
        let error = setup.clone().fail_on_connection_error(true).await.unwrap_err();
        assert!(kinds.contains(&error.kind()), "{error:?}");
        assert!(error.is_infrastructure() && error.operation().is_some());
        setup.fail_on_connection_error(false).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_no_failure_to_connect_is_an_error_in_any_case() {
    let wrong_password =
        that_says("-WRONGPASS invalid username-password pair or user is disabled.\r\n").await;
    let password = format!("redis://:canary@{}", &wrong_password["redis://".len()..]);
    for url in [
        "http://127.0.0.1:6379".to_owned(),
        "127.0.0.1:6379".to_owned(),
        "redis://127.0.0.1:6379/first".to_owned(),
        "redis://127.0.0.1:99999".to_owned(),
        that_says("-NOAUTH Authentication required.\r\n").await,
        password,
    ] {
        for fail in [false, true] {
            let error = web(&url).fail_on_connection_error(fail).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{url}, {fail}: {error:?}");
            assert!(error.to_string().starts_with("for_web_app: ") || error.operation().is_some());
        }
    }
}

#[tokio::test]
async fn a_bad_address_is_said_with_all_else_that_is_wrong() {
    let error = web("127.0.0.1:6379").default_ttl(secs(0)).await.unwrap_err();
    assert!(error.message().starts_with("2 problems: "), "{error}");
    assert!(error.message().contains("default_ttl: ") && error.message().contains("redis_url: "), "{error}");
}

#[tokio::test]
async fn for_testing_has_a_tier_1_only_while_it_has_nothing_else() {
    let testing = CacheFactory::new().for_testing().redis_url(refused().await);
    let entries = async |setup: CacheSetup| setup.await.unwrap().stats().memory_usage.max_entries;
    assert_eq!(entries(testing.clone()).await, 50);
    assert_eq!(entries(testing.clone().l1_cache_size(7)).await, 7);
    assert_eq!(entries(testing.l1_cache_size(0)).await, 0, "who asks for none gets none");
}

#[tokio::test]
async fn a_password_file_that_cannot_be_used_is_an_error() {
    let file = std::env::temp_dir().join(format!("cache-factory-password-{}", std::process::id()));
    let url = refused().await;
    let config = |file: &std::path::Path| {
        let mut config = CacheConfig::default();
        let redis = config.redis.get_or_insert_default();
        redis.url = Some(url.as_str().into());
        redis.password_file = Some(file.to_owned());
        config
    };
    for (content, problem) in
        [(None, "there is no such file"), (Some("\nsecond line"), "its first line is empty")]
    {
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let error = CacheFactory::new().from_config(config(&file)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(
            error.message().starts_with("password_file ") && error.message().ends_with(problem),
            "{error}"
        );
    }
    std::fs::write(&file, "of the server\n").unwrap();
    let mut config = config(&file);
    CacheFactory::new().from_config(config.clone()).await.unwrap();
    let of_ann = url.replace("//", "//ann@");
    config.redis.get_or_insert_default().url = Some(of_ann.into());
    CacheFactory::new().from_config(config).await.unwrap();
    std::fs::remove_file(&file).unwrap();
}

#[tokio::test]
async fn what_a_store_is_to_do_reaches_the_engine() {
    let mut breaker = BreakerSettings::default();
    (breaker.failures, breaker.window, breaker.open_for) = (2, 3, secs(4));
    let cache = web(&refused().await)
        .store_timeout(Duration::from_millis(77))
        .wait_for_write(true)
        .claims(false)
        .on_store_error(OnStoreError::Fail)
        .lease(Duration::from_millis(400))
        .disconnected_max_age(secs(7))
        .replay_queue(11)
        .breaker(breaker)
        .await
        .unwrap();
    let settings = cache.settings();
    assert_eq!(settings.store_timeout, Duration::from_millis(77));
    assert_eq!((settings.wait_for_write, settings.claims), (true, false));
    assert_eq!(settings.on_store_error, OnStoreError::Fail);
    assert_eq!((settings.lease, settings.disconnected_max_age), (Duration::from_millis(400), secs(7)));
    assert_eq!((settings.replay_queue, settings.breaker), (11, breaker));
    assert_eq!(cache.get::<String>("k").await.unwrap_err().kind(), ErrorKind::Unavailable);

    let settings = web(&refused().await).await.unwrap().settings().clone();
    assert_eq!(settings.store_timeout, Duration::from_millis(250));
    assert_eq!((settings.wait_for_write, settings.claims), (false, true));
    assert_eq!(settings.on_store_error, OnStoreError::Degrade);
    assert_eq!((settings.lease, settings.disconnected_max_age), (secs(1), secs(60)));
    assert_eq!((settings.replay_queue, settings.breaker), (10_000, BreakerSettings::default()));
}

#[tokio::test]
async fn dropping_a_setup_that_waits_for_redis_leaves_nothing_behind() {
    let (url, listener) = silent().await;
    let waiting = tokio::spawn(web(&url).connect_timeout(secs(60)).into_future());
    let (mut socket, _) = listener.accept().await.unwrap();
    waiting.abort();
    let mut bytes = Vec::new();
    // The connection is closed from the other side, whatever was said on it.
    tokio::time::timeout(secs(10), socket.read_to_end(&mut bytes)).await.unwrap().ok();
}
