//! What the tests with a real server share.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "each test file uses a part")]

pub(crate) mod log;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use cache_factory::durations::secs;
use cache_factory::{Cache, CacheFactory, CacheSetup, HealthStatus};
use cache_testkit::proxy::FaultProxy;
use cache_testkit::redis::{Options, RedisServer, fresh_namespace};

/// For tests that leave the server as it is.
pub(crate) fn shared() -> &'static RedisServer {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    SERVER.get_or_init(|| RedisServer::shared_or_launch().unwrap())
}

/// For tests that stop, fill or spoil it.
pub(crate) fn own(options: &Options) -> RedisServer {
    RedisServer::launch(options).unwrap()
}

/// The address of a server that wants a password.
pub(crate) fn url_with(server: &RedisServer, password: &str) -> String {
    format!("redis://:{password}@{}/0", server.addr())
}

/// A cache for the web that insists on its server.
pub(crate) fn web(url: &str, test: &str) -> CacheSetup {
    let namespace = fresh_namespace(test).unwrap();
    let setup = CacheFactory::new().for_web_app().redis_url(url).namespace(namespace.as_str());
    // Tests that measure time say so themselves; a busy machine is no outage to the others.
    setup.connect_timeout(secs(5)).store_timeout(secs(2)).fail_on_connection_error(true)
}

/// Waits until the cache is healthy, and says how long that took.
pub(crate) async fn healed(cache: &Cache, within: Duration) -> Duration {
    let start = Instant::now();
    loop {
        let health = cache.health().await;
        if health.status == HealthStatus::Healthy {
            return start.elapsed();
        }
        assert!(start.elapsed() < within, "{health:?}");
        tokio::task::yield_now().await;
    }
}

/// Lets so much time pass.
pub(crate) async fn pass(time: Duration) {
    let began = Instant::now();
    cache_testkit::eventually(time * 2, "time passes", || began.elapsed() >= time).await.unwrap();
}

/// What a read answers.
pub(crate) async fn text(cache: &Cache, key: &str) -> Option<String> {
    cache.get::<String>(key).await.unwrap().map(|found| (*found).clone())
}

/// A server of its own, a proxy in front of it, and a namespace.
pub(crate) fn parts(test: &str) -> (RedisServer, FaultProxy, String) {
    let server = own(&Options::new());
    let proxy = FaultProxy::start(server.addr()).unwrap();
    (server, proxy, fresh_namespace(test).unwrap().as_str().to_owned())
}

/// A text that cannot be compressed.
pub(crate) fn noise(length: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b' ' + (state >> 33).to_le_bytes()[0] % 90)
    };
    (0..length).map(|_| next()).collect()
}
