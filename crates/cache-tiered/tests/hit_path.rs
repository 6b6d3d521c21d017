//! A hit in tier 1 takes no memory and needs one poll.
//!
//! In a file of its own and in one test, because the allocator counts for the whole process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::alloc::System;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cache_memory::MemoryTier;
use cache_testkit::ReferenceServer;
use cache_tiered::{Cache, Error, Loaded, Namespace, SetOptions, Settings, TokioTimer};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const HITS: usize = 1000;
const HOUR: Duration = Duration::from_secs(3600);

/// The answer of a future that is ready at its first poll.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the answer took more than one poll"),
    }
}

fn assert_takes_no_memory<T>(what: &str, mut hit: impl FnMut() -> Result<T, Error>) {
    drop(hit().unwrap());
    let mut count = || {
        let region = Region::new(ALLOCATOR);
        for _ in 0..HITS {
            drop(hit().unwrap());
        }
        let change = region.change();
        (change.allocations, change.reallocations, change.deallocations)
    };
    // The test harness has a thread of its own, which may be at work during one round; what hits take is in every round.
    let counts = (0..20).map(|_| count()).min().unwrap();
    assert_eq!(counts, (0, 0, 0), "allocations, reallocations and deallocations of {HITS} hits: {what}");
}

#[test]
fn a_hit_allocates_nothing_and_its_future_is_small() {
    let timer = Arc::new(TokioTimer::new());
    let tier = Arc::new(MemoryTier::new(1000, 1 << 20, timer.clone()).unwrap());
    let cache = Cache::builder(Namespace::new("hit").unwrap()).local(tier).timer(timer).build().unwrap();
    let value = "a value".to_owned();
    at_once(cache.set("plain", &value, HOUR)).unwrap();
    at_once(cache.set("tagged", &value, SetOptions::ttl(HOUR).tag("t"))).unwrap();

    let size = size_of_val(&cache.get::<String>("plain"));
    assert!(size <= 128, "the future of `get` takes {size} bytes");

    for key in ["plain", "tagged"] {
        assert_takes_no_memory(&format!("get of {key}"), || {
            at_once(cache.get::<String>(key)).inspect(|hit| assert_eq!(hit.as_deref(), Some(&value)))
        });
        assert_takes_no_memory(&format!("get_or_load of {key}"), || {
            at_once(cache.get_or_load(key, HOUR, || async { Loaded::Ok(String::new()) }))
                .inspect(|hit| assert_eq!(**hit, value))
        });
    }

    // In front of a store, whose link has just shown that it lives.
    let timer = Arc::new(TokioTimer::new());
    let server = ReferenceServer::new(timer.clone());
    let tier = Arc::new(MemoryTier::new(1000, 1 << 20, timer.clone()).unwrap());
    let mut settings = Settings::default();
    settings.lease = Duration::from_secs(60);
    let shared = Cache::builder(Namespace::new("hit").unwrap()).settings(settings);
    let shared = shared.local(tier).timer(timer).store(Arc::new(server.connect())).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(shared.set("plain", &value, HOUR)).unwrap();
    assert_takes_no_memory("get in front of a store", || {
        at_once(shared.get::<String>("plain")).inspect(|hit| assert_eq!(hit.as_deref(), Some(&value)))
    });

    // An invalidation of another tag is looked at once and then vouched for.
    at_once(cache.invalidate_tag("other")).unwrap();
    assert_takes_no_memory("get after another tag's invalidation", || at_once(cache.get::<String>("tagged")));
}
