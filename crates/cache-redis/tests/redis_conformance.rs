//! The promises of the trait, kept by a real server, with each feed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_core::FeedMode;
use cache_redis::RedisStore;
use cache_testkit::conformance::Bed;
use cache_testkit::redis::fresh_namespace;

async fn bed(mode: FeedMode) -> Bed {
    let server = common::shared();
    let client = || Arc::new(RedisStore::builder(server.url()).feed(mode).build().unwrap());
    Bed {
        store: client(),
        other: client(),
        namespace: fresh_namespace("conformance").unwrap(),
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

mod tracking {
    cache_testkit::conformance_suite!(|| super::bed(cache_core::FeedMode::Auto));
}

mod published {
    cache_testkit::conformance_suite!(|| super::bed(cache_core::FeedMode::PubSub));
}

mod polled {
    cache_testkit::conformance_suite!(|| super::bed(cache_core::FeedMode::TtlOnly));
}
