//! The bounds beside retirements and clears: void entries make room before live ones, and nobody goes round in vain.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cache_memory::{EntryOptions, MemoryCache};
use support::TestClock;

fn weighing(weight: u64) -> EntryOptions {
    EntryOptions::default().weight(weight)
}

#[test]
fn what_was_retired_makes_room_before_what_lives_in_whichever_shard() {
    for seed in 0..20 {
        let builder =
            MemoryCache::<u32, u64>::builder().max_entries(1000).shards(8).max_weight(800).seed(seed);
        let cache = builder.build().unwrap();
        (0..800).for_each(|key| cache.insert(key, 0, weighing(1)).unwrap());
        for round in 1..4 {
            cache.retire();
            let keys = round * 1000..round * 1000 + 8;
            keys.for_each(|key| cache.insert(key, 0, weighing(100)).unwrap());
            assert_eq!((cache.len(), cache.stats().evicted), (8, 0), "seed {seed}");
        }
        cache.insert(1, 0, weighing(100)).unwrap();
        assert_eq!((cache.len(), cache.stats().evicted), (8, 1), "nothing is void any more");
    }
}

#[test]
fn places_of_retired_entries_are_taken_before_those_of_live_ones() {
    let cache: MemoryCache<u32, u64> =
        MemoryCache::builder().max_entries(64).shards(64).seed(1).build().unwrap();
    (0..64).for_each(|key| cache.insert(key, 0, ()).unwrap());
    cache.retire();
    (100..164).for_each(|key| cache.insert(key, 0, ()).unwrap());
    assert_eq!((cache.len(), cache.stats().evicted), (64, 0));
    cache.insert(164, 0, ()).unwrap();
    assert_eq!((cache.len(), cache.stats().evicted), (64, 1));
}

/// How often an insert tried to find room beside a clear; `None` if it came too late or too early.
fn tries_beside_a_clear(entries: u32) -> Option<u32> {
    let builder = MemoryCache::<u32, u64>::builder().max_entries(1_000_000).max_weight(entries.into());
    let cache = builder.shards(1).clock(TestClock::new()).build().unwrap();
    (0..entries).for_each(|key| cache.insert(key, 0, weighing(1)).unwrap());
    let (mut tries, begins) = (0, AtomicBool::new(false));
    let overlaps = thread::scope(|scope| {
        scope.spawn(|| {
            begins.store(true, Ordering::SeqCst);
            cache.clear();
        });
        while !begins.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
        // Most likely it has the lock by then, and adds up weights.
        (0..200).for_each(|_| std::hint::spin_loop());
        let overlaps = cache.weight() > 0;
        let condition = |_: Option<&u64>| {
            tries += 1;
            true
        };
        cache.insert_if(entries, 0, weighing(u64::from(entries) * 9 / 10), condition).unwrap();
        overlaps && cache.stats().evicted == 0
    });
    overlaps.then_some(tries)
}

#[test]
fn an_insert_beside_a_clear_waits_for_it_and_does_not_go_round() {
    let tries: Vec<u32> = (0..50).filter_map(|_| tries_beside_a_clear(20_000)).take(10).collect();
    assert!(tries.iter().all(|&tries| tries < 5), "{tries:?}");
}

#[test]
fn no_more_entries_are_told_of_than_are_allowed() {
    const MOST: u32 = 1024;
    let cache = MemoryCache::<u32, u64>::builder().max_entries(1024).shards(1024).build().unwrap();
    (0..MOST).for_each(|key| cache.insert(key, 0, ()).unwrap());
    let stop = AtomicBool::new(false);
    let most = thread::scope(|scope| {
        scope.spawn(|| {
            for key in 0.. {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                cache.remove(&key);
                cache.insert(key + MOST, 0, ()).unwrap();
            }
        });
        let until = Instant::now() + Duration::from_millis(500);
        let mut most = 0;
        while Instant::now() < until {
            most = most.max(cache.stats().entries);
        }
        stop.store(true, Ordering::SeqCst);
        most
    });
    assert!(most <= u64::from(MOST), "{most}");
}
