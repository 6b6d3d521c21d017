//! The place on a real server that a test of a user has for itself.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::sync::Arc;

use cache_factory::durations::{mins, secs};
use cache_factory::{CacheFactory, CacheSetup};
use cache_testkit::{
    FaultProxy, RedisFixture, RedisServer, assert_cache_hit, assert_cache_miss, fresh_namespace, populate,
};

fn process(redis: &RedisFixture, url: String) -> CacheSetup {
    let setup = CacheFactory::new().for_testing().redis_url(url).namespace(redis.namespace().as_str());
    setup.connect_timeout(secs(5)).store_timeout(secs(2)).fail_on_connection_error(true)
}

#[tokio::test]
async fn two_processes_meet_in_a_fixture_and_leave_nothing_behind() {
    let server = Arc::new(RedisServer::shared_or_launch().unwrap());
    let redis = RedisFixture::on(Arc::clone(&server), "users").unwrap();
    let neighbour = RedisFixture::on(Arc::clone(&server), "users").unwrap();
    assert!(redis.keys().unwrap().is_empty());
    let (one, two) =
        (process(&redis, redis.url()).await.unwrap(), process(&redis, redis.url()).await.unwrap());
    let other = process(&neighbour, redis.url()).await.unwrap();
    populate(&one, [("user:1", "Ann")]).await;
    populate(&other, [("user:2", "Bob")]).await;
    assert_cache_hit!(two, "user:1", "Ann");
    assert_cache_miss!(two, "user:2");
    assert_eq!(two.keys("user:*").await.unwrap(), ["user:1"]);
    assert!(two.keys("user:?[0-9]").await.unwrap().is_empty());
    two.invalidate_tag("t").await.unwrap();
    assert!(redis.keys().unwrap().len() >= 2, "the entry, and what the cache keeps of marks");

    let namespace = redis.namespace().clone();
    drop((one, two, redis));
    let left = server.command(&["EXISTS", &format!("{}user:1", namespace.prefix())]).unwrap();
    assert_eq!(left.text(), "0");
    assert_cache_hit!(other, "user:2", "Bob");
}

#[tokio::test]
async fn faults_can_be_put_between_a_cache_and_its_server() {
    let redis = RedisFixture::launch("faults").unwrap();
    let proxy = FaultProxy::start(redis.server().addr()).unwrap();
    let cache = process(&redis, format!("redis://{}/0", proxy.addr())).await.unwrap();
    cache.set("k", "v", mins(5)).await.unwrap();
    assert_cache_hit!(cache, "k", "v");
    assert!(fresh_namespace("faults").unwrap() != *redis.namespace());
}
