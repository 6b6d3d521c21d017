//! A hit takes no memory. In a file of its own, because the allocator counts for the whole process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::alloc::System;
use std::sync::Arc;

use cache_core::{Fill, LocalTier, Moment, SystemClock};
use cache_memory::{MemoryCache, MemoryTier};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::entry;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn hits_and_misses_allocate_nothing() {
    let cache: MemoryCache<String, Arc<str>> = MemoryCache::new(100).unwrap();
    cache.insert("a".into(), "value".into(), ()).unwrap();
    let tier = MemoryTier::new(100, 1 << 20, Arc::new(SystemClock::new())).unwrap();
    tier.insert(1, "a", entry(1, Moment::NEVER, Moment::NEVER), Fill::Write);

    // The first read of a thread makes the place where its reads are counted.
    assert!(cache.get("a").is_some() && tier.get(1, "a", Moment::START).is_some());

    let region = Region::new(ALLOCATOR);
    for _ in 0..100 {
        assert!(cache.get("a").is_some() && cache.get("b").is_none() && cache.contains("a"));
        assert!(tier.get_fresh(1, "a", Moment::START, 0).is_some());
        assert!(tier.get(1, "a", Moment::START).is_some());
        tier.token(1);
    }
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations, change.deallocations), (0, 0, 0));
}
