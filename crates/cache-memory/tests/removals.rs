//! The listener is told of everything that goes, why, and with no lock held.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use cache_memory::RemovalCause::{Cleared, Evicted, Expired, Removed, Replaced};
use cache_memory::{EntryOptions, MemoryCache, RemovalCause};
use support::{LAG, TestClock};

type Told = Arc<Mutex<Vec<(u32, u64, RemovalCause)>>>;

const SECOND: Duration = Duration::from_secs(1);

fn cache(max_entries: usize) -> (MemoryCache<u32, u64>, Told, Arc<TestClock>) {
    let (told, clock) = (Told::default(), TestClock::new());
    let tell = told.clone();
    let cache = MemoryCache::builder()
        .max_entries(max_entries)
        .max_weight(1 << 20)
        .weigher(|_, _| 1)
        .clock(clock.clone())
        .on_removal(move |&key, &value, cause| tell.lock().unwrap().push((key, value, cause)))
        .build()
        .unwrap();
    (cache, told, clock)
}

fn take(told: &Told) -> Vec<(u32, u64, RemovalCause)> {
    std::mem::take(&mut told.lock().unwrap())
}

#[test]
fn every_way_to_go_has_its_cause() {
    let (cache, told, clock) = cache(3);
    for n in 0..3 {
        cache.insert(n, 10, ()).unwrap();
    }
    cache.insert(1, 11, ()).unwrap();
    assert_eq!(take(&told), [(1, 10, Replaced)]);
    assert_eq!(cache.remove(&1), Some(11));
    assert_eq!(take(&told), [(1, 11, Removed)]);
    cache.retain(|&key, _| key != 0);
    assert_eq!(take(&told), [(0, 10, Removed)]);
    cache.insert(3, 13, SECOND).unwrap();
    clock.advance(2 * SECOND);
    assert_eq!(cache.remove_expired(), 1);
    assert_eq!(take(&told), [(3, 13, Expired)]);
    cache.insert(4, 14, SECOND).unwrap();
    clock.advance(2 * SECOND);
    cache.insert(4, 15, ()).unwrap();
    assert_eq!(take(&told), [(4, 14, Expired)], "it was over before it was replaced");
    assert!(cache.insert(4, 16, EntryOptions::default().weight(u64::MAX)).is_err());
    assert_eq!(take(&told), [(4, 15, Replaced)]);
    cache.clear();
    assert_eq!(take(&told), [(2, 10, Cleared)]);
    for n in 10..14 {
        cache.insert(n, 10, ()).unwrap();
    }
    assert!(matches!(take(&told)[..], [(10..=12, 10, Evicted)]));
    cache.retire();
    cache.insert(20, 0, ()).unwrap();
    assert_eq!(take(&told).iter().filter(|told| told.2 == Cleared).count(), 3);
}

#[test]
fn a_panic_in_the_listener_stays_there() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("the payload too");
            }
        }
    }
    let told = Told::default();
    let tell = told.clone();
    let cache = MemoryCache::builder()
        .max_entries(2)
        .on_removal(move |&key, &value, cause| {
            tell.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((key, value, cause));
            std::panic::panic_any(Bomb);
        })
        .build()
        .unwrap();
    let inserts = AssertUnwindSafe(|| (0..5).for_each(|n| cache.insert(n, 0, ()).unwrap()));
    if let Err(bomb) = catch_unwind(inserts) {
        // The test's own thread could not drop it either.
        std::mem::forget(bomb);
        panic!("a panic of the listener came out");
    }
    assert_eq!((told.lock().unwrap().len(), cache.len()), (3, 2));
}

#[test]
fn the_listener_may_call_the_cache() {
    let cache = Arc::new_cyclic(|weak: &Weak<MemoryCache<u32, u64>>| {
        let weak = weak.clone();
        MemoryCache::builder()
            .max_entries(4)
            .shards(1)
            .on_removal(move |&key, _, cause| {
                let cache = weak.upgrade().unwrap();
                assert!(cache.len() <= 4);
                if cause == Removed {
                    cache.insert(key + 100, 1, ()).unwrap();
                }
            })
            .build()
            .unwrap()
    });
    for n in 0..10 {
        cache.insert(n, 0, ()).unwrap();
    }
    cache.insert(50, 0, ()).unwrap();
    cache.remove(&50);
    assert_eq!(cache.get(&150), Some(1));
}

#[test]
fn an_idle_entry_ends_and_one_that_is_read_lives_to_its_ttl() {
    let clock = TestClock::new();
    let builder = MemoryCache::builder().max_entries(10).time_to_idle(10 * SECOND);
    let cache = builder.clock(clock.clone()).build().unwrap();
    cache.insert("idle", 0, 60 * SECOND).unwrap();
    cache.insert("busy", 0, 60 * SECOND).unwrap();
    for _ in 0..6 {
        assert!(cache.get("busy").is_some());
        clock.advance(9 * SECOND);
    }
    assert_eq!(cache.get("idle"), None);
    assert!(cache.get("busy").is_some(), "54 seconds after it was written");
    clock.advance(7 * SECOND);
    assert_eq!(cache.get("busy"), None, "its TTL is over, however often it is read");
    cache.insert("again", 0, 60 * SECOND).unwrap();
    clock.advance(9 * SECOND);
    cache.insert("again", 0, 60 * SECOND).unwrap();
    clock.advance(9 * SECOND);
    assert!(cache.contains("again"), "a write counts as a read");
}

#[test]
fn a_read_ends_no_entry_sooner_than_it_would_have_ended() {
    let clock = TestClock::new();
    let cache = MemoryCache::builder().time_to_idle(LAG * 3).clock(clock.clone()).build().unwrap();
    cache.insert(1, 0, ()).unwrap();
    assert!(cache.get(&1).is_some(), "by the coarse time, which lags");
    clock.advance(LAG * 5 / 2);
    assert!(cache.contains(&1));
}

#[test]
fn a_time_to_idle_out_of_range_is_refused() {
    let builder = MemoryCache::<u8, u8>::builder().time_to_idle(Duration::ZERO);
    assert!(builder.build().unwrap_err().to_string().contains("time_to_idle"));
}

#[test]
fn a_condition_sees_what_is_held_and_decides() {
    let (cache, told, clock) = cache(10);
    assert!(cache.insert_if(1, 10, SECOND, |held| held.is_none()).unwrap());
    assert!(!cache.insert_if(1, 11, (), |held| held.is_none()).unwrap());
    assert!(cache.insert_if(1, 12, SECOND, |held| held == Some(&10)).unwrap());
    assert_eq!(cache.get(&1), Some(12));
    clock.advance(2 * SECOND);
    assert!(cache.insert_if(1, 13, (), |held| held.is_none()).unwrap(), "what is over is not seen");
    assert_eq!(take(&told), [(1, 10, Replaced), (1, 12, Expired)]);
}

#[test]
fn counting_up_under_a_condition_loses_nothing() {
    let cache: MemoryCache<u8, u64> = MemoryCache::new(10).unwrap();
    cache.insert(0, 0, ()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    loop {
                        let seen = cache.get(&0).unwrap();
                        if cache.insert_if(0, seen + 1, (), |held| held == Some(&seen)).unwrap() {
                            break;
                        }
                    }
                }
            });
        }
    });
    assert_eq!(cache.get(&0), Some(4000));
}
