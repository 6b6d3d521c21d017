//! Which keys have a value.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod common;

use std::time::Duration;

use cache_testkit::{FakeClock, Op, ReferenceServer, settle};
use cache_tiered::{ErrorKind, SetOptions};
use common::{MINUTE, SECOND, private, process, staged};

#[tokio::test]
async fn keys_of_a_private_cache_match_and_are_fresh() {
    let clock = FakeClock::new();
    let cache = private(&clock);
    for key in ["user:1", "user:2", "users:3", "page:*"] {
        cache.set(key, &1, MINUTE).await.unwrap();
    }
    cache.set("user:short", &1, SECOND).await.unwrap();
    cache.set("user:tagged", &1, SetOptions::ttl(MINUTE).tag("t")).await.unwrap();
    cache.invalidate_tag("t").await.unwrap();
    clock.advance(SECOND);
    assert_eq!(cache.keys("user:*").await.unwrap(), ["user:1", "user:2"]);
    assert_eq!(cache.keys("page:\\*").await.unwrap(), ["page:*"]);
    assert_eq!(cache.keys("user[:s]*[13]").await.unwrap(), ["user:1", "users:3"]);
    assert!(cache.keys("nobody").await.unwrap().is_empty());
}

#[tokio::test]
async fn keys_of_a_shared_store_are_those_of_all_processes_and_fill_nothing() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let (one, two) = (process(&clock, &server), process(&clock, &server));
    for i in 0..300 {
        one.cache.set(format!("n:{i:03}"), &i, MINUTE).await.unwrap();
    }
    two.cache.delete("n:007").await.unwrap();
    // A load under way leaves a lease under its key.
    let (stage, loader) = staged::<u32>();
    let loading = tokio::spawn({
        let cache = one.cache.clone();
        async move { cache.get_or_load("n:loading", (), loader).await }
    });
    let running = stage.started().await;

    let keys = two.cache.keys("n:*").await.unwrap();
    assert_eq!((keys.len(), keys[0].as_str(), keys[298].as_str()), (299, "n:000", "n:299"));
    assert!(keys.is_sorted() && !keys.contains(&"n:007".to_owned()));
    assert_eq!(two.cache.stats().memory_usage.entries, 0, "looking is not reading");
    running.bring(1);
    loading.await.unwrap().unwrap();
    settle().await;
    assert!(two.cache.keys("n:l*").await.unwrap().contains(&"n:loading".to_owned()));
}

#[tokio::test]
async fn a_store_that_fails_is_an_error_and_not_an_empty_list() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let writer = process(&clock, &server);
    writer.cache.set("k", &1, Duration::from_secs(60)).await.unwrap();
    let process = process(&clock, &server);
    for failing in [Op::Scan, Op::GetMany] {
        process.link.fail_next(failing, 1, ErrorKind::Unavailable);
        assert_eq!(process.cache.keys("*").await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert_eq!(process.cache.keys("*").await.unwrap(), ["k"]);
    process.cache.close();
    assert_eq!(process.cache.keys("*").await.unwrap_err().kind(), ErrorKind::Closed);
}
