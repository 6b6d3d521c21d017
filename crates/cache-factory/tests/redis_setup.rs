//! Awaiting a setup with a real Redis: found, gone, wrong, back again.
#![cfg(all(feature = "memory", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use cache_factory::durations::secs;
use cache_factory::{Cache, CacheConfig, CacheFactory, CacheSetup, Coherence, ErrorKind, HealthStatus, Tier};
use cache_testkit::redis::{Options, RedisServer, fresh_namespace};

/// For tests that leave the server as it is.
fn shared() -> &'static RedisServer {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    SERVER.get_or_init(|| RedisServer::shared_or_launch().unwrap())
}

fn own(options: &Options) -> RedisServer {
    RedisServer::launch(options).unwrap()
}

fn web(url: &str) -> CacheSetup {
    CacheFactory::new().for_web_app().redis_url(url).connect_timeout(secs(5)).fail_on_connection_error(true)
}

/// `host:port`, whatever stands before it in the address.
fn place(server: &RedisServer) -> String {
    server.addr().to_string()
}

/// Waits until the cache is as it should be.
async fn until(cache: &Cache, status: HealthStatus, within: Duration) {
    let start = Instant::now();
    loop {
        let health = cache.health().await;
        if health.status == status {
            return;
        }
        assert!(start.elapsed() < within, "{health:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_cache_finds_its_redis_and_shares_it() {
    let namespace = fresh_namespace("shared").unwrap();
    let setup = web(&shared().url()).namespace(namespace.as_str());
    let (ours, theirs) = (setup.clone().await.unwrap(), setup.await.unwrap());
    let health = ours.health().await;
    assert_eq!((health.status, health.store), (HealthStatus::Healthy, Some("redis")), "{health:?}");

    ours.set("k", "of ours", ()).await.unwrap();
    let (value, receipt) = theirs.get_with_receipt::<String>("k").await.unwrap();
    assert_eq!(value.as_deref().map(String::as_str), Some("of ours"));
    assert_eq!(receipt.tier, Some(Tier::Store));
    // A copy is kept once the link is known to live, which a heartbeat says.
    let start = Instant::now();
    while theirs.get_with_receipt::<String>("k").await.unwrap().1.tier != Some(Tier::Local) {
        assert!(start.elapsed() < secs(5), "no hit in tier 1");
        tokio::task::yield_now().await;
    }
    assert_eq!(theirs.get_with_receipt::<String>("k").await.unwrap().1.coherence, Coherence::Feed);
    ours.delete("k").await.unwrap();
    let start = Instant::now();
    while theirs.get::<String>("k").await.unwrap().is_some() {
        assert!(start.elapsed() < secs(2), "they are told within the lease");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn for_testing_leaves_all_to_a_redis_that_is_there() {
    let namespace = fresh_namespace("testing").unwrap();
    let cache = CacheFactory::new().for_testing().redis_url(shared().url()).namespace(namespace.as_str());
    let cache = cache.connect_timeout(secs(5)).fail_on_connection_error(true).await.unwrap();
    assert_eq!(cache.stats().memory_usage.max_entries, 0);
    cache.set("k", "v", ()).await.unwrap();
    assert_eq!(cache.get_with_receipt::<String>("k").await.unwrap().1.tier, Some(Tier::Store));
    cache.delete("k").await.unwrap();
}

#[tokio::test]
async fn the_number_in_the_address_is_the_database() {
    let server = own(&Options::new());
    let cache = web(&format!("redis://{}/3", place(&server))).namespace("numbered").await.unwrap();
    cache.set("k", "v", ()).await.unwrap();
    let mut connection = server.connect().unwrap();
    assert_eq!(connection.command(&["EXISTS", "numbered:k"]).unwrap().integer(), Some(0));
    connection.command(&["SELECT", "3"]).unwrap();
    assert_eq!(connection.command(&["EXISTS", "numbered:k"]).unwrap().integer(), Some(1));
}

#[tokio::test]
async fn a_database_that_is_not_there_is_an_error_in_any_case() {
    for fail in [false, true] {
        let setup = web(&format!("redis://{}/999999", shared().addr())).fail_on_connection_error(fail);
        let error = setup.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_an_error_in_any_case() {
    let server = own(&Options::new().password("r1ght"));
    for setup in [
        web(&format!("redis://:canary@{}", place(&server))),
        web(&format!("redis://{}", place(&server))).redis_password("canary"),
        web(&format!("redis://{}", place(&server))),
        web(&format!("redis://stranger:r1ght@{}", place(&server))),
    ] {
        for fail in [false, true] {
            let error = setup.clone().fail_on_connection_error(fail).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("canary") && !shown.contains("r1ght"), "{shown}");
        }
    }
}

#[tokio::test]
async fn the_password_is_taken_from_wherever_it_is() {
    let server = own(&Options::new().password("p@ss:w/rd"));
    let url = format!("redis://{}", place(&server));
    let file = std::env::temp_dir().join(format!("cache-factory-right-password-{}", std::process::id()));
    std::fs::write(&file, "p@ss:w/rd\r\nnot this\n").unwrap();
    let toml = |line: String| {
        let text = format!("[redis]\nurl = '{url}'\nfail_on_connection_error = true\n{line}");
        CacheFactory::new().from_config(CacheConfig::from_toml(&text).unwrap())
    };
    for setup in [
        web(&format!("redis://:p%40ss%3Aw%2Frd@{}", place(&server))),
        web(&url).redis_password("p@ss:w/rd"),
        web(&format!("redis://default@{}", place(&server))).redis_password("p@ss:w/rd"),
        toml("password = 'p@ss:w/rd'".to_owned()),
        toml(format!("password_file = '{}'", file.display())),
        toml("password = 'canary'".to_owned()).redis_password("p@ss:w/rd"),
        CacheFactory::from_variables([
            ("CACHE_REDIS_URL", url.as_str()),
            ("CACHE_REDIS_PASSWORD", "p@ss:w/rd"),
            ("CACHE_REDIS_FAIL_ON_CONNECTION_ERROR", "true"),
        ])
        .unwrap(),
    ] {
        let cache = setup.await.unwrap();
        assert_eq!(cache.health().await.status, HealthStatus::Healthy);
    }
    std::fs::remove_file(&file).unwrap();
}

#[tokio::test]
async fn a_cache_that_began_without_redis_heals_when_it_comes() {
    let server = own(&Options::new());
    server.shutdown().unwrap();
    let setup = web(&server.url()).fail_on_connection_error(false);
    let cache = setup.clone().await.unwrap();
    assert_eq!(cache.health().await.status, HealthStatus::Degraded);
    cache.set("meanwhile", "served here", ()).await.unwrap();
    assert!(cache.get::<String>("meanwhile").await.unwrap().is_some());

    server.restart().unwrap();
    until(&cache, HealthStatus::Healthy, secs(5)).await;
    cache.set("k", "for all", ()).await.unwrap();
    let other = setup.fail_on_connection_error(true).await.unwrap();
    assert_eq!(other.get::<String>("k").await.unwrap().as_deref().map(String::as_str), Some("for all"));
}

#[tokio::test]
async fn a_redis_that_goes_and_comes_back_is_gone_and_back() {
    let server = own(&Options::new());
    let cache = web(&server.url()).await.unwrap();
    until(&cache, HealthStatus::Healthy, secs(5)).await;
    server.kill().unwrap();
    until(&cache, HealthStatus::Degraded, secs(5)).await;
    server.restart().unwrap();
    until(&cache, HealthStatus::Healthy, secs(5)).await;
}

#[tokio::test]
async fn a_server_that_hangs_costs_no_more_than_connect_timeout() {
    let server = own(&Options::new());
    server.stop().unwrap();
    let connect_timeout = Duration::from_millis(300);
    let setup = web(&server.url()).connect_timeout(connect_timeout);
    let bound = connect_timeout + Duration::from_millis(100);
    let mut tries = 0;
    // A machine that has much to do may hold a test up; it will not do so every time.
    let cache = loop {
        let start = Instant::now();
        let cache = setup.clone().fail_on_connection_error(false).await.unwrap();
        let taken = start.elapsed();
        tries += 1;
        if taken <= bound {
            break cache;
        }
        assert!(tries < 3, "{taken:?}");
    };
    let error = setup.await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{error:?}");
    server.cont().unwrap();
    until(&cache, HealthStatus::Healthy, secs(5)).await;
}

#[tokio::test]
async fn a_connection_without_a_sign_of_life_is_given_up_after_the_lease() {
    let server = own(&Options::new());
    let setup = web(&server.url()).lease(Duration::from_millis(100)).store_timeout(Duration::from_millis(10));
    let cache = setup.await.unwrap();
    server.stop().unwrap();
    let start = Instant::now();
    let is_given_up =
        |reasons: &[String]| reasons.iter().any(|reason| reason.contains("the link to the store is"));
    while !is_given_up(&cache.health().await.reasons) {
        assert!(start.elapsed() < Duration::from_millis(900), "by default it is given up after a second");
        tokio::task::yield_now().await;
    }
    server.cont().unwrap();
}

#[tokio::test]
async fn a_unix_socket_will_do() {
    let server = own(&Options::new().unix_socket());
    let socket = server.unix_socket().unwrap().display().to_string();
    for url in [format!("unix://{socket}"), format!("redis+unix://{socket}?db=2")] {
        let cache = web(&url).await.unwrap();
        assert_eq!(cache.health().await.status, HealthStatus::Healthy);
    }
}
