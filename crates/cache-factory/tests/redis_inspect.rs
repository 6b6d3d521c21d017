//! A tool finds the store that a cache of the same configuration has.
#![cfg(all(feature = "memory", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use cache_factory::durations::mins;
use cache_factory::{CacheConfig, CacheFactory, ErrorKind, Store};
use cache_testkit::redis::{RedisServer, fresh_namespace};

#[tokio::test]
async fn the_store_of_a_configuration_is_that_of_its_cache() {
    let (server, namespace) = (RedisServer::shared_or_launch().unwrap(), fresh_namespace("inspect").unwrap());
    let toml = format!("namespace = '{}'\n[redis]\nurl = '{}'", namespace.as_str(), server.url());
    let config = CacheConfig::from_toml(&toml).unwrap();
    let cache = CacheFactory::new().from_config(config.clone()).await.unwrap();
    cache.set("k", "v", mins(1)).await.unwrap();
    let found = CacheFactory::new().inspect(config).await.unwrap();
    assert_eq!(found.namespace, namespace);
    let key = found.namespace.key("k").unwrap();
    assert!(found.store.get(&key).await.unwrap().found.is_some());
}

#[tokio::test]
async fn a_configuration_without_redis_and_a_server_that_is_away_are_errors() {
    let none = CacheFactory::new().inspect(CacheConfig::default()).await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::Configuration);
    let away = CacheConfig::from_toml("[redis]\nurl = 'redis://:canary@127.0.0.1:1'").unwrap();
    let away = CacheFactory::new().inspect(away).await.unwrap_err();
    assert!(away.is_retryable() && !format!("{away} {away:?}").contains("canary"), "{away:?}");
}
