//! What a user of the kit is told in its README, and what assertions say when they fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use cache_factory::durations::{mins, secs};
use cache_factory::{Cache, CacheFactory, ErrorKind, LoadOptions, SetOptions};
use cache_testkit::{
    FakeClock, Op, ReferenceServer, assert_cache_hit, assert_cache_miss, fresh_namespace, populate,
};
use futures_util::FutureExt;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u32,
    name: String,
}

async fn cache() -> (Cache, Arc<FakeClock>) {
    let clock = FakeClock::new();
    let cache = CacheFactory::new().for_testing().memory_only().timer(clock.clone()).await.unwrap();
    (cache, clock)
}

/// What an assertion says when it fails.
async fn said(assertion: impl Future<Output = ()>) -> String {
    let failed = AssertUnwindSafe(assertion).catch_unwind().await;
    let panic = failed.expect_err("the assertion fails");
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[tokio::test]
async fn what_is_there_is_a_hit_and_what_is_not_is_a_miss() {
    let (cache, clock) = cache().await;
    let user = User { id: 123, name: "Test User".into() };
    populate(&cache, [("user:profile:123", &user)]).await;
    assert_cache_hit!(cache, "user:profile:123");
    assert_cache_hit!(cache, "user:profile:123", user);
    assert_cache_hit!(&cache, String::from("user:profile:123"), user.clone());
    assert_cache_miss!(cache, "user:profile:999");
    cache.set("n", &7_u64, ()).await.unwrap();
    cache.set("s", "text", ()).await.unwrap();
    assert_cache_hit!(cache, "n", 7_u64);
    assert_cache_hit!(cache, "n", 7);
    assert_cache_hit!(cache, "s", "text");
    clock.advance(mins(60));
    assert_cache_miss!(cache, "user:profile:123");
    // Looking at a value does not change it, whatever it was looked at as.
    cache.set("user", &user, mins(5)).await.unwrap();
    assert_cache_hit!(cache, "user");
    assert_eq!(*cache.get::<User>("user").await.unwrap().unwrap(), user);
}

#[tokio::test]
async fn another_value_is_shown_beside_the_expected_with_its_tier_and_age() {
    let (cache, clock) = cache().await;
    populate(&cache, [("user:2", "Bob")]).await;
    clock.advance(secs(12));
    let said = said(async { assert_cache_hit!(cache, "user:2", "Bea") }).await;
    assert_eq!(
        said,
        "`user:2` is cached with another value\n  expected: \"Bea\"\n     found: \"Bob\"\n  (from memory, 12s old, fresh for 3588s more)"
    );
}

#[tokio::test]
async fn a_miss_says_why_and_what_there_is() {
    let (cache, clock) = cache().await;
    let empty = said(async { assert_cache_hit!(cache, "k") }).await;
    assert!(empty.starts_with("`k` is not cached (absent): nothing is stored under it"), "{empty}");
    assert!(empty.ends_with("the cache is empty"), "{empty}");

    populate(&cache, (0..10).map(|i| (format!("user:{i}"), i))).await;
    let absent = said(async { assert_cache_hit!(cache, "user_1", 1) }).await;
    assert!(
        absent.contains("the cache has `user:0`, `user:1`") && absent.ends_with("and 2 more"),
        "{absent}"
    );

    let wrong = said(async { assert_cache_hit!(cache, "user:1", "one") }).await;
    assert!(wrong.contains("(refused): what is stored cannot be read as `alloc::string::String`"), "{wrong}");

    cache.set("t", &1, SetOptions::ttl(mins(5)).tag("tag")).await.unwrap();
    cache.invalidate_tag("tag").await.unwrap();
    let void = said(async { assert_cache_hit!(cache, "t") }).await;
    assert!(void.contains("(invalidated): it was voided by `invalidate_tag` or `clear`"), "{void}");

    let options = LoadOptions::ttl(secs(5)).stale_for(mins(5)).entry;
    cache.set("s", &1, options).await.unwrap();
    clock.advance(secs(6));
    let stale = said(async { assert_cache_hit!(cache, "s", 1) }).await;
    assert!(stale.contains("(stale): its time is over"), "{stale}");
    assert_cache_miss!(cache, "s");
}

#[tokio::test]
async fn a_value_that_should_not_be_there_is_shown() {
    let (cache, clock) = cache().await;
    populate(&cache, [("user:1", User { id: 1, name: "Ann".into() })]).await;
    clock.advance(secs(3));
    let said = said(async { assert_cache_miss!(cache, "user:1") }).await;
    assert!(
        said.starts_with("`user:1` is cached, and was not to be\n     found: {\"id\":1,\"name\":\"Ann\"}")
            || said.contains("[1,\"Ann\"]"),
        "{said}"
    );
    assert!(said.ends_with("(from memory, 3s old, fresh for 3597s more)"), "{said}");
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_neither_a_hit_nor_a_miss() {
    let clock = FakeClock::new();
    let store = Arc::new(ReferenceServer::new(clock.clone()).connect());
    let cache = CacheFactory::new().for_testing().store(store.clone()).timer(clock).await.unwrap();
    cache.set("k", "v", ()).await.unwrap();
    store.fail_next(Op::Get, 2, ErrorKind::Unavailable);
    let missing = said(async { assert_cache_miss!(cache, "k") }).await;
    assert!(missing.contains("not known: the store did not answer"), "{missing}");
    store.fail_next(Op::Get, 1, ErrorKind::Unavailable);
    let hit = said(async { assert_cache_hit!(cache, "k", "v") }).await;
    assert!(hit.contains("(store_unavailable): the store did not answer"), "{hit}");
    assert_cache_hit!(cache, "k", "v");
}

#[tokio::test]
async fn what_cannot_be_stored_ends_the_test() {
    let (cache, _) = cache().await;
    let said = said(populate(&cache, [("", 1)])).await;
    assert!(said.starts_with("`` cannot be stored: "), "{said}");
}

#[test]
fn a_namespace_is_for_one_test() {
    assert_ne!(fresh_namespace("a").unwrap(), fresh_namespace("a").unwrap());
}
