//! The store of the example `own_store` keeps the contract of stores, and works behind a cache.
#![cfg(feature = "memory")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../examples/own_store/store.rs"]
mod store;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_core::Namespace;
use cache_factory::durations::mins;
use cache_factory::{CacheFactory, ErrorKind, LoadOptions};
use cache_testkit::conformance::Bed;
use store::SharedMap;

async fn pass(time: Duration) {
    let began = Instant::now();
    let patience = time + Duration::from_secs(10);
    cache_testkit::eventually(patience, "time passes", || began.elapsed() >= time).await.unwrap();
}

async fn bed() -> Bed {
    let map = SharedMap::default();
    Bed {
        store: Arc::new(map.clone()),
        other: Arc::new(map),
        namespace: Namespace::new("conformance").unwrap(),
        advance: Box::new(|by| Box::pin(pass(by))),
        exact_time: false,
    }
}

cache_testkit::conformance_suite!(bed);

#[tokio::test]
async fn two_caches_on_one_store_see_one_anothers_values() {
    let map = Arc::new(SharedMap::default());
    let web = || CacheFactory::new().for_web_app().store(map.clone());
    let (one, two) = (web().await.unwrap(), web().await.unwrap());
    one.set("session:42", "ann", mins(30)).await.unwrap();
    assert_eq!(**two.get::<String>("session:42").await.unwrap().unwrap(), *"ann");
    assert_eq!(two.keys("session:*").await.unwrap(), ["session:42"]);
    two.delete("session:42").await.unwrap();
    assert!(two.get::<String>("session:42").await.unwrap().is_none());
    // What the store cannot do is refused, and not promised.
    let tagged = one.set("k", "v", LoadOptions::default().tag("t").entry).await.unwrap_err();
    assert_eq!(tagged.kind(), ErrorKind::Unsupported);
}

#[test]
fn the_store_is_written_in_less_than_a_hundred_lines_of_code() {
    let text = include_str!("../examples/own_store/store.rs");
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    let lines = text.lines().filter(is_code).count();
    assert!(lines < 100, "{lines} lines of code");
}
