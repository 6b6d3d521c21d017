//! Answers that would be wrong: what was given up, went back in time, or is shared.
#![cfg(all(feature = "memory", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_factory::durations::{mins, secs};
use cache_factory::{Cache, CacheFactory, HealthStatus, Loaded, SetOptions};
use cache_redis::RedisStore;
use cache_testkit::proxy::{Direction, Fault};
use cache_testkit::redis::{Options, fresh_namespace};
use common::{healed, noise, own, parts, pass, text};

async fn cache(url: &str, namespace: &str) -> Cache {
    let setup = CacheFactory::new().for_web_app().redis_url(url).namespace(namespace);
    setup.connect_timeout(secs(5)).fail_on_connection_error(true).await.unwrap()
}

/// The key was deleted, and nothing that arrives late brings it back.
async fn stays_gone(cache: &Cache, key: &str) {
    let began = Instant::now();
    while began.elapsed() < secs(2) {
        assert!(
            text(cache, key).await.is_none(),
            "a value after its acknowledged delete, {:?}",
            began.elapsed()
        );
        tokio::task::yield_now().await;
    }
}

/// A large value is on its way over its own connection, slowly; a delete over the other one overtakes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_write_that_was_given_up_does_not_come_after_an_acknowledged_delete() {
    let (server, proxy, namespace) = parts("late-large");
    let cache = cache(&proxy.url(), &namespace).await;
    let random = noise(600_000);
    cache.set("warm", &random, mins(5)).await.unwrap();
    let lines = proxy.counters().open;
    assert_eq!(lines.len(), 2, "a second connection for large values");
    assert!(proxy.set_connection(lines[1], Direction::ToServer, Fault::Hold));
    // The store does not answer in time; the value is served here.
    cache.set("k", &random, mins(5)).await.unwrap();
    // The main link is fine, and the server acknowledges.
    cache.delete("k").await.unwrap();
    assert_eq!(text(&cache, "k").await, None);
    proxy.set(Fault::Pass);
    stays_gone(&cache, "k").await;
    drop(server);
}

/// The same for a connection that was given up and replaced: its bytes arrive later.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_over_a_given_up_connection_does_not_come_after_an_acknowledged_delete() {
    let (server, proxy, namespace) = parts("late-small");
    let cache = cache(&proxy.url(), &namespace).await;
    cache.set("warm", "w", mins(5)).await.unwrap();
    let lines = proxy.counters().open;
    assert!(proxy.set_connection(lines[0], Direction::ToServer, Fault::Hold));
    cache.set("k", "old", mins(5)).await.unwrap();
    let began = Instant::now();
    while proxy.counters().accepted.len() < 2 || cache.health().await.status != HealthStatus::Healthy {
        assert!(began.elapsed() < secs(10));
        tokio::task::yield_now().await;
    }
    cache.delete("k").await.unwrap();
    assert_eq!(text(&cache, "k").await, None);
    proxy.set(Fault::Pass);
    stays_gone(&cache, "k").await;
    drop(server);
}

/// A frozen server wakes up: what was sent to it before, over a connection that was given up, and what comes now.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wakes_up_does_not_undo_a_delete_with_what_it_was_sent_before() {
    let server = own(&Options::new());
    let namespace = fresh_namespace("frozen").unwrap();
    let cache = cache(&server.url(), namespace.as_str()).await;
    let value = noise(200_000);
    for round in 0..5 {
        let keys: Vec<String> = (0..40).map(|i| format!("r{round}-{i}")).collect();
        healed(&cache, secs(10)).await;
        server.stop().unwrap();
        futures_util::future::join_all(keys.iter().map(|key| cache.set(key, &value, mins(5)))).await;
        pass(Duration::from_millis(1500)).await;
        server.cont().unwrap();
        healed(&cache, secs(10)).await;
        let mut gone = Vec::new();
        for key in keys.iter().rev() {
            if cache.delete(key).await.is_ok() {
                gone.push(key);
            }
        }
        pass(Duration::from_millis(300)).await;
        for key in gone {
            assert!(text(&cache, key).await.is_none(), "{key} is back after its acknowledged delete");
        }
    }
}

/// The server comes back with an older snapshot (or a replica that lagged takes over): its sequence of marks is older.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_server_went_back_in_time_an_acknowledged_tag_still_voids() {
    let server = own(&Options::new());
    let namespace = fresh_namespace("rollback").unwrap();
    let (a, b) =
        (cache(&server.url(), namespace.as_str()).await, cache(&server.url(), namespace.as_str()).await);
    a.set("seed", "s", SetOptions::ttl(mins(5)).tag("t")).await.unwrap();
    a.invalidate_tag("t").await.unwrap();
    server.command(&["SAVE"]).unwrap();
    for _ in 0..10 {
        a.invalidate_tag("t").await.unwrap();
        b.invalidate_tag("u").await.unwrap();
    }
    server.restart().unwrap();
    healed(&a, secs(10)).await;
    healed(&b, secs(10)).await;
    // The first one asks where the marks stand; those that follow take it from memory.
    for _ in 0..2 {
        a.set("k", "old", SetOptions::ttl(mins(5)).tag("t")).await.unwrap();
        assert_eq!(text(&a, "k").await.as_deref(), Some("old"));
        assert_eq!(text(&b, "k").await.as_deref(), Some("old"));
    }
    b.invalidate_tag("t").await.unwrap();
    assert_eq!(text(&b, "k").await, None, "in the process that invalidated");
    pass(Duration::from_millis(500)).await;
    assert_eq!(text(&a, "k").await, None, "in the other process");
    let c = cache(&server.url(), namespace.as_str()).await;
    assert_eq!(text(&c, "k").await, None, "in a new process");
}

/// The same, with clear.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_server_went_back_in_time_an_acknowledged_clear_still_voids() {
    let server = own(&Options::new());
    let namespace = fresh_namespace("rollback-clear").unwrap();
    let (a, b) =
        (cache(&server.url(), namespace.as_str()).await, cache(&server.url(), namespace.as_str()).await);
    a.clear().await.unwrap();
    server.command(&["SAVE"]).unwrap();
    for _ in 0..10 {
        a.clear().await.unwrap();
    }
    server.restart().unwrap();
    healed(&a, secs(10)).await;
    healed(&b, secs(10)).await;
    a.set("k", "old", mins(5)).await.unwrap();
    assert_eq!(text(&a, "k").await.as_deref(), Some("old"));
    b.clear().await.unwrap();
    let c = cache(&server.url(), namespace.as_str()).await;
    assert_eq!(text(&c, "k").await, None, "in a new process");
    assert_eq!(text(&b, "k").await, None, "in the process that cleared");
}

/// A second cache of the same name on one store: the server leaves out what comes over their common connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_cache_on_the_same_store_voids_copies_of_the_first() {
    let server = own(&Options::new());
    let namespace = fresh_namespace("shared-store").unwrap();
    let store = Arc::new(RedisStore::builder(server.url()).build().unwrap());
    store.connected().await.unwrap();
    let with = |store: &Arc<RedisStore>| {
        CacheFactory::new().for_web_app().namespace(namespace.as_str()).store(Arc::<RedisStore>::clone(store))
    };
    let first = with(&store).await.unwrap();
    first.set("k", "old", mins(5)).await.unwrap();
    assert_eq!(text(&first, "k").await.as_deref(), Some("old"));
    let second = with(&store).await.unwrap();
    second.set("k", "new", mins(5)).await.unwrap();
    pass(Duration::from_millis(400)).await;
    assert_eq!(text(&first, "k").await.as_deref(), Some("new"), "after another's set");
    second.delete("k").await.unwrap();
    pass(Duration::from_millis(400)).await;
    assert_eq!(text(&first, "k").await, None, "after another's delete");
}

/// A store that is older than the cache: both have clocks of their own unless somebody says otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_older_than_its_cache_does_not_stretch_the_lease() {
    let (server, proxy, namespace) = parts("old-store");
    let store = Arc::new(RedisStore::builder(proxy.url()).build().unwrap());
    store.connected().await.unwrap();
    pass(secs(4)).await;
    let cache = CacheFactory::new()
        .for_web_app()
        .namespace(&*namespace)
        .disconnected_max_age(secs(0))
        .store(store)
        .await
        .unwrap();
    let other = self::cache(&server.url(), &namespace).await;
    cache.set("k", "old", mins(5)).await.unwrap();
    assert_eq!(text(&cache, "k").await.as_deref(), Some("old"));
    proxy.set(Fault::Swallow);
    pass(Duration::from_millis(300)).await;
    other.delete("k").await.unwrap();
    pass(Duration::from_millis(1500)).await;
    let (found, receipt) = cache.get_with_receipt::<String>("k").await.unwrap();
    assert_eq!(found, None, "{receipt:?}");
}

/// What a person does with `redis-cli`.
#[tokio::test(flavor = "multi_thread")]
async fn plain_commands_of_others_are_seen() {
    let server = own(&Options::new());
    let namespace = fresh_namespace("cli").unwrap();
    let cache = cache(&server.url(), namespace.as_str()).await;
    let full = |key: &str| namespace.key(key).unwrap().as_bytes().to_vec();
    for what in
        ["DEL", "UNLINK", "FLUSHALL", "FLUSHDB", "RENAME", "EXPIRE", "GETDEL", "MOVE", "SETRANGE", "LPUSH"]
    {
        cache.set("k", "old", SetOptions::ttl(mins(5)).tag("t")).await.unwrap();
        assert_eq!(text(&cache, "k").await.as_deref(), Some("old"), "{what}");
        let key = full("k");
        let run = |parts: &[&[u8]]| server.command(parts).unwrap();
        match what {
            "FLUSHALL" | "FLUSHDB" => drop(run(&[what.as_bytes()])),
            "RENAME" => drop(run(&[b"RENAME", &key, &full("other")])),
            "EXPIRE" => drop(run(&[b"PEXPIRE", &key, b"1"])),
            "MOVE" => drop(run(&[b"MOVE", &key, b"3"])),
            "SETRANGE" => drop(run(&[b"SETRANGE", &key, b"40", b"zzzz"])),
            "LPUSH" => {
                run(&[b"DEL", &key]);
                run(&[b"LPUSH", &key, b"x"]);
            }
            _ => drop(run(&[what.as_bytes(), &key])),
        }
        pass(Duration::from_millis(100)).await;
        let found = cache.get::<String>("k").await;
        assert!(!matches!(&found, Ok(Some(_))), "{what}: {found:?}");
        run(&[b"DEL", &key]);
        pass(Duration::from_millis(20)).await;
        let loaded =
            cache.get_or_load("k", mins(5), || async { Loaded::Ok("new".to_owned()) }).await.unwrap();
        assert_eq!(*loaded, "new", "{what}");
        cache.delete("k").await.unwrap();
    }
}
