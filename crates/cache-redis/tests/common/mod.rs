//! What the tests here share: one server for all of a process, and how to reach it.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "each test file uses a part")]

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use cache_core::{Key, LinkStatus, Namespace, Store, Ttl};
use cache_redis::RedisStore;
use cache_testkit::redis::{Options, RedisServer, fresh_namespace};

/// The server of this process, for tests that leave it as it is.
pub(crate) fn shared() -> &'static RedisServer {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    SERVER.get_or_init(|| RedisServer::shared_or_launch().unwrap())
}

/// A server that a test may stop, fill or spoil.
pub(crate) fn own(options: &Options) -> RedisServer {
    RedisServer::launch(options).unwrap()
}

/// A new client of the server.
pub(crate) fn client(server: &RedisServer) -> Arc<RedisStore> {
    Arc::new(RedisStore::builder(server.url()).build().unwrap())
}

/// A key that no other test uses.
pub(crate) fn key(test: &str) -> (Namespace, Key) {
    let namespace = fresh_namespace(test).unwrap();
    let key = namespace.key("k").unwrap();
    (namespace, key)
}

/// A minute.
pub(crate) fn minute() -> Ttl {
    Ttl::clamped(Duration::from_secs(60))
}

/// Waits until the store's link works.
pub(crate) async fn up(store: &RedisStore, within: Duration) -> Duration {
    let began = Instant::now();
    cache_testkit::eventually(within, "the link is up", || store.link_state().status == LinkStatus::Up).await.unwrap();
    began.elapsed()
}
