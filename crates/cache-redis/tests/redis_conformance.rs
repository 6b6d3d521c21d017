//! The promises of the trait, kept by a real server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_redis::RedisStore;
use cache_testkit::conformance::Bed;

async fn bed() -> Bed {
    let url = std::env::var("CACHE_TEST_REDIS_URL").unwrap();
    let connect = || Arc::new(RedisStore::builder(&url).build().unwrap());
    Bed {
        store: connect(),
        other: connect(),
        namespace: cache_core::Namespace::new(&format!("c{:x}", cache_core::random_u64())).unwrap(),
        advance: Box::new(|by| {
            Box::pin(async move {
                let end = Instant::now() + by;
                cache_testkit::eventually(by + Duration::from_secs(1), "time passes", || {
                    Instant::now() >= end
                })
                .await
                .unwrap();
            })
        }),
        exact_time: false,
    }
}

cache_testkit::conformance_suite!(bed);
