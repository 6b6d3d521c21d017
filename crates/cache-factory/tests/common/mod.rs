//! What the tests with a real server share.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "each test file uses a part")]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use cache_factory::durations::secs;
use cache_factory::{Cache, CacheFactory, CacheSetup, HealthStatus};
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
