//! Many threads at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use cache_core::{Fill, LocalTier, Moment, Seed};
use cache_memory::{MemoryCache, MemoryTier};
use support::{TestClock, entry, number};

/// Numbers that look random, the same each time for one start value.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

/// Counts down when it goes, also by a panic, so that nobody waits for a thread that failed.
struct CountDownOnDrop<'a>(&'a AtomicU64);

impl Drop for CountDownOnDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Sets the flag when it goes, also by a panic, so that nobody waits for a thread that failed.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn the_bounds_hold_at_every_moment_and_a_key_never_has_anothers_value() {
    const WRITERS: u64 = 3;
    let cache: MemoryCache<u64, (u64, u64)> = MemoryCache::builder()
        .max_entries(200)
        .max_weight(2000)
        .weigher(|_, (_, weight)| *weight)
        .shards(8)
        .build()
        .unwrap();
    let left = AtomicU64::new(WRITERS);
    thread::scope(|scope| {
        for thread in 1..=WRITERS {
            let (cache, left) = (&cache, &left);
            scope.spawn(move || {
                let _leave = CountDownOnDrop(left);
                let mut random = Random(thread * 77_777);
                for n in 0..30_000 {
                    let key = random.below(1000);
                    match random.below(20) {
                        0 => drop(cache.remove(&key)),
                        1 if n % 500 == 0 => cache.retire(),
                        2 if n % 500 == 0 => cache.clear(),
                        3 => cache.insert(key, (key, 1500), ()).unwrap(),
                        _ => cache.insert(key, (key, random.below(30)), ()).unwrap(),
                    }
                    if let Some((stored_for, _)) = cache.get(&key) {
                        assert_eq!(stored_for, key);
                    }
                }
            });
        }
        while left.load(Ordering::SeqCst) > 0 {
            let (len, weight) = (cache.len(), cache.weight());
            assert!(len <= 200 && weight <= 2000, "{len} entries, weight {weight}");
            thread::yield_now();
        }
    });
    let mut held = 0;
    cache.iter().for_each(|(_, (_, weight))| held += weight);
    for key in 0..1000 {
        cache.remove(&key);
    }
    assert!(held <= 2000);
    cache.clear();
    assert_eq!((cache.len(), cache.weight()), (0, 0));
}

/// A source of truth changes and invalidates, loaders fill what they read under a token, readers look. What a reader
/// sees is never older than the last invalidation that was acknowledged before it looked.
fn no_value_is_seen_after_its_invalidation(invalidate: impl Fn(&MemoryTier, u64, &str) + Sync) {
    const KEYS: u64 = 4;
    const CHANGES: u64 = 20_000;
    let seed = Seed::fixed(3);
    let names: Vec<String> = (0..KEYS).map(|n| format!("key {n}")).collect();
    let tier = MemoryTier::new(1000, 1 << 30, TestClock::new()).unwrap();
    let truth: Vec<AtomicU64> = (0..KEYS).map(|_| AtomicU64::new(0)).collect();
    let acknowledged: Vec<AtomicU64> = (0..KEYS).map(|_| AtomicU64::new(0)).collect();
    let (done, filled, seen) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for loader in 0..3u64 {
            let (names, tier, truth, done, filled) = (&names, &tier, &truth, &done, &filled);
            scope.spawn(move || {
                let mut random = Random(loader + 1);
                while !done.load(Ordering::SeqCst) {
                    let n = usize::try_from(random.below(KEYS)).unwrap();
                    let hash = seed.hash(&names[n]);
                    let token = tier.token(hash);
                    let loaded = truth[n].load(Ordering::SeqCst);
                    if random.below(4) == 0 {
                        thread::yield_now();
                    }
                    let fill = if random.below(2) == 0 { Fill::Load(token) } else { Fill::Promote(token) };
                    tier.insert(hash, &names[n], entry(loaded, Moment::NEVER, Moment::NEVER), fill);
                    filled.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let (names, tier, truth, acknowledged) = (&names, &tier, &truth, &acknowledged);
        let (done, seen) = (&done, &seen);
        scope.spawn(move || {
            let mut random = Random(99);
            while !done.load(Ordering::SeqCst) {
                let n = usize::try_from(random.below(KEYS)).unwrap();
                let at_least = acknowledged[n].load(Ordering::SeqCst);
                if let Some(value) = tier.get_fresh(seed.hash(&names[n]), &names[n], Moment::START, 0) {
                    seen.fetch_add(1, Ordering::Relaxed);
                    assert!(number(value) >= at_least, "a value from before its invalidation");
                }
            }
        });
        let _done = SetOnDrop(done);
        let mut random = Random(7);
        let mut changes = 0;
        // On a busy machine the others may not have run by then.
        while changes < CHANGES || (seen.load(Ordering::Relaxed) == 0 && changes < CHANGES * 1_000) {
            changes += 1;
            let n = usize::try_from(random.below(KEYS)).unwrap();
            let version = truth[n].fetch_add(1, Ordering::SeqCst) + 1;
            invalidate(tier, seed.hash(&names[n]), &names[n]);
            acknowledged[n].store(version, Ordering::SeqCst);
            if random.below(8) == 0 {
                thread::yield_now();
            }
        }
    });
    assert!(filled.into_inner() > 0 && seen.into_inner() > 0, "the test tested nothing");
}

#[test]
fn a_load_from_before_a_remove_never_lands_after_it() {
    no_value_is_seen_after_its_invalidation(|tier, hash, key| {
        tier.remove(hash, key);
    });
}

#[test]
fn a_load_from_before_an_expire_never_lands_fresh_after_it() {
    no_value_is_seen_after_its_invalidation(|tier, hash, key| {
        tier.expire(hash, key, Moment::START);
    });
}

#[test]
fn a_load_from_before_a_retirement_is_never_seen_after_it() {
    no_value_is_seen_after_its_invalidation(|tier, _, _| {
        tier.retire();
    });
}
