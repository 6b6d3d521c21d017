//! The promises of the trait, kept by a real server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use cache_testkit::conformance::Bed;
use cache_testkit::redis::fresh_namespace;

async fn bed() -> Bed {
    let server = common::shared();
    Bed {
        store: common::client(server),
        other: common::client(server),
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

cache_testkit::conformance_suite!(bed);
