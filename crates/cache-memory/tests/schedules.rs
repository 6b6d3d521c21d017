//! The map itself in many orders that its threads may take, chosen at random: every lock and atomic is a place at which
//! another thread may go on. Built with `--cfg shuttle` only: `cargo xtask check schedules`.
#![cfg(shuttle)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cache_memory::{EntryOptions, MemoryCache, RemovalCause};
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicU64, AtomicUsize};
use shuttle::thread::{self, JoinHandle};
use support::TestClock;

type Map = Arc<MemoryCache<u64, u64>>;

const TTL: Duration = Duration::from_secs(60);

fn map(max_entries: usize) -> Map {
    let builder = MemoryCache::builder().max_entries(max_entries).weigher(|_, _| 1).shards(1).seed(7);
    Arc::new(builder.clock(TestClock::sharp()).build().unwrap())
}

fn ttl() -> EntryOptions {
    EntryOptions::ttl(TTL)
}

/// Runs it in so many schedules. A schedule that fails is printed, and can be run again by it.
fn explore(test: impl Fn() + Send + Sync + 'static) {
    let schedules = std::env::var("SCHEDULES").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000);
    shuttle::check_random(test, schedules);
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// `test` in threads of its own, one for each number.
fn each(count: u64, test: impl Fn(u64) + Send + Sync + 'static) -> Vec<JoinHandle<()>> {
    let test = Arc::new(test);
    (0..count)
        .map(|number| {
            let test = Arc::clone(&test);
            thread::spawn(move || test(number))
        })
        .collect()
}

/// What holds whenever nobody is at work.
fn is_in_order(map: &Map) {
    let held: Vec<_> = map.iter().collect();
    assert_eq!(map.len(), held.len());
    assert!(map.len() <= map.capacity());
    assert_eq!(map.weight(), held.len() as u64, "each weighs one");
    for (key, value) in held {
        assert_eq!(map.get(&key), Some(value));
    }
}

#[test]
fn a_key_brings_its_own_values_and_the_bounds_hold() {
    explore(|| {
        let map = map(2);
        let at_work = Arc::clone(&map);
        join(each(3, move |number| {
            for round in 0..3 {
                let key = (number + round) % 4;
                at_work.insert(key, key * 100 + number, ttl()).unwrap();
                if let Some(value) = at_work.get(&((key + 1) % 4)) {
                    assert_eq!(value / 100, (key + 1) % 4);
                }
                if round == 1 {
                    at_work.remove(&key);
                }
            }
        }));
        is_in_order(&map);
    });
}

#[test]
fn who_has_seen_a_value_never_sees_an_older_one() {
    explore(|| {
        let map = map(2);
        let writes = Arc::clone(&map);
        let reads = Arc::clone(&map);
        let writer = thread::spawn(move || (1..=4).for_each(|value| writes.insert(0, value, ttl()).unwrap()));
        let readers = each(2, move |_| {
            let mut seen = 0;
            for _ in 0..4 {
                if let Some(value) = reads.get(&0) {
                    assert!(value >= seen, "{value} after {seen}");
                    seen = value;
                }
            }
        });
        join(readers.into_iter().chain([writer]));
        assert_eq!(map.get(&0), Some(4));
    });
}

/// A reader takes a token, reads the truth and fills; a writer changes the truth and voids.
fn fill_beside(void: fn(&Map)) {
    explore(move || {
        let (map, truth) = (map(4), Arc::new(AtomicU64::new(1)));
        map.insert(9, 9, ttl()).unwrap();
        let (fills, read) = (Arc::clone(&map), Arc::clone(&truth));
        let readers = each(2, move |_| {
            let token = fills.token(&0);
            let value = read.load(Ordering::SeqCst);
            fills.fill(0, value, ttl(), token).unwrap();
        });
        let voids = Arc::clone(&map);
        let writer = thread::spawn(move || {
            truth.store(2, Ordering::SeqCst);
            void(&voids);
        });
        join(readers.into_iter().chain([writer]));
        assert_ne!(map.get(&0), Some(1), "an old value was put in after it was voided");
        // What was retired is given back by inserts.
        map.insert(8, 8, ttl()).unwrap();
        is_in_order(&map);
    });
}

#[test]
fn a_fill_does_not_outlive_the_removal_of_its_key() {
    fill_beside(|map| {
        map.remove(&0);
    });
}

#[test]
fn a_fill_does_not_outlive_the_end_of_an_epoch() {
    fill_beside(|map| map.retire());
}

#[test]
fn a_fill_does_not_outlive_a_clear() {
    fill_beside(|map| map.clear());
}

#[test]
fn one_thread_loads_and_all_get_what_it_brings() {
    explore(|| {
        let (map, loads) = (map(4), Arc::new(AtomicUsize::new(0)));
        let (at_work, count) = (Arc::clone(&map), Arc::clone(&loads));
        join(each(3, move |_| {
            let value = at_work.get_or_insert_with(0, ttl(), || {
                count.fetch_add(1, Ordering::SeqCst);
                thread::yield_now();
                5
            });
            assert_eq!(value.unwrap(), 5);
        }));
        assert_eq!(loads.load(Ordering::SeqCst), 1);
        is_in_order(&map);
    });
}

#[test]
fn a_load_beside_a_removal_neither_hangs_nor_leaves_what_was_removed() {
    explore(|| {
        let (map, truth) = (map(4), Arc::new(AtomicU64::new(1)));
        let (at_work, read) = (Arc::clone(&map), Arc::clone(&truth));
        let loaders = each(2, move |_| {
            let value = at_work.get_or_insert_with(0, ttl(), || read.load(Ordering::SeqCst)).unwrap();
            assert!((1..=2).contains(&value));
        });
        let removes = Arc::clone(&map);
        let writer = thread::spawn(move || {
            truth.store(2, Ordering::SeqCst);
            removes.remove(&0);
            // Whoever begins now gets what is true now.
            assert_eq!(removes.get_or_insert_with(0, ttl(), || truth.load(Ordering::SeqCst)).unwrap(), 2);
        });
        join(loaders.into_iter().chain([writer]));
        assert_eq!(map.get(&0), Some(2));
    });
}

#[test]
fn loads_that_wait_for_one_another_end() {
    explore(|| {
        let map = map(4);
        let at_work = Arc::clone(&map);
        join(each(2, move |number| {
            let (mine, others) = (number, 1 - number);
            let loaded = at_work.get_or_try_insert_with(mine, ttl(), || {
                at_work.get_or_insert_with(others, ttl(), || 7).map_err(|error| error.to_string())
            });
            // A circle is an error, and only there.
            assert!(loaded.is_err() || loaded.is_ok_and(|value| value == 7));
        }));
        is_in_order(&map);
    });
}

#[test]
fn who_waited_for_what_has_landed_closes_no_circle() {
    explore(|| {
        let map = map(4);
        let needs = Arc::clone(&map);
        let waiter = thread::spawn(move || {
            let sum = needs.get_or_try_insert_with(2, ttl(), || {
                needs.get_or_insert_with(1, ttl(), || 10).map(|one| one + 1)
            });
            assert_eq!(sum.unwrap(), 11);
        });
        let one = map.get_or_insert_with(1, ttl(), || {
            thread::yield_now();
            10
        });
        assert_eq!(one.unwrap(), 10);
        // Nothing is being made here: whoever makes this can be waited for.
        assert_eq!(map.get_or_insert_with(2, ttl(), || 11).unwrap(), 11);
        join([waiter]);
    });
}

/// A key whose tokens are those of key 0 too.
fn neighbour(map: &Map) -> u64 {
    let shares = |key: &u64| {
        let token = map.token(&0);
        map.remove(key);
        map.token(&0) != token
    };
    (1..).find(shares).unwrap()
}

#[test]
fn a_load_has_nothing_to_do_with_other_keys() {
    let found = std::sync::OnceLock::new();
    explore(move || {
        let (map, loads) = (map(4), Arc::new(AtomicUsize::new(0)));
        let other = *found.get_or_init(|| neighbour(&map));
        let (at_work, count) = (Arc::clone(&map), Arc::clone(&loads));
        let loaders = each(2, move |_| {
            let value = at_work.get_or_insert_with(0, ttl(), || {
                count.fetch_add(1, Ordering::SeqCst);
                thread::yield_now();
                5
            });
            assert_eq!(value.unwrap(), 5);
        });
        let writes = Arc::clone(&map);
        let writer = thread::spawn(move || {
            writes.insert(other, 1, ttl()).unwrap();
            writes.remove(&other);
            writes.get_or_insert_with(other, ttl(), || 2).unwrap();
        });
        join(loaders.into_iter().chain([writer]));
        assert_eq!((loads.load(Ordering::SeqCst), map.get(&0)), (1, Some(5)));
    });
}

/// Loaders make what is true, a writer changes the truth and tells the map.
fn load_beside(change: fn(&Map), then: Option<u64>) {
    explore(move || {
        let (map, truth) = (map(4), Arc::new(AtomicU64::new(1)));
        let (at_work, read) = (Arc::clone(&map), Arc::clone(&truth));
        let loaders = each(2, move |_| {
            let value = at_work.get_or_insert_with(0, ttl(), || read.load(Ordering::SeqCst)).unwrap();
            assert!((1..=3).contains(&value));
        });
        let changes = Arc::clone(&map);
        let writer = thread::spawn(move || {
            truth.store(2, Ordering::SeqCst);
            change(&changes);
        });
        join(loaders.into_iter().chain([writer]));
        let held = map.get(&0);
        assert_ne!(held, Some(1), "what was made before the change was put in after it");
        assert!(then.is_none() || held == then, "what was written is gone");
    });
}

#[test]
fn a_load_does_not_bring_back_what_was_removed() {
    load_beside(
        |map| {
            map.remove(&0);
        },
        None,
    );
}

#[test]
fn a_load_does_not_outlive_the_end_of_an_epoch() {
    load_beside(|map| map.retire(), None);
    load_beside(|map| map.clear(), None);
}

#[test]
fn a_load_does_not_take_the_place_of_what_was_written() {
    load_beside(|map| map.insert(0, 3, ttl()).unwrap(), Some(3));
    load_beside(
        |map| {
            map.insert_if(0, 3, ttl(), |_| true).unwrap();
        },
        Some(3),
    );
}

#[test]
fn of_those_who_change_what_they_have_seen_none_is_lost() {
    explore(|| {
        let map = map(4);
        let at_work = Arc::clone(&map);
        join(each(3, move |_| {
            for _ in 0..2 {
                loop {
                    let seen = at_work.get(&0);
                    let more = seen.unwrap_or(0) + 1;
                    if at_work.insert_if(0, more, ttl(), |held| held.copied() == seen).unwrap() {
                        break;
                    }
                    thread::yield_now();
                }
            }
        }));
        assert_eq!(map.get(&0), Some(6));
    });
}

#[test]
fn every_value_that_leaves_is_told_once() {
    explore(|| {
        let told = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&told);
        let builder = MemoryCache::<u64, u64>::builder().max_entries(2).shards(1).seed(7);
        let builder = builder.clock(TestClock::sharp()).on_removal(move |_, value, cause| {
            assert!(cause != RemovalCause::Expired);
            hears.lock().unwrap().push(*value);
        });
        let map = Arc::new(builder.build().unwrap());
        let at_work = Arc::clone(&map);
        join(each(3, move |number| {
            for round in 0..3 {
                at_work.insert(round % 2 + number, number * 10 + round, ttl()).unwrap();
            }
            at_work.remove(&number);
        }));
        let mut all: Vec<u64> = map.iter().map(|(_, value)| value).collect();
        all.extend(told.lock().unwrap().iter());
        all.sort_unstable();
        let put: Vec<u64> = (0..3).flat_map(|number| (0..3).map(move |round| number * 10 + round)).collect();
        assert_eq!(all, put);
    });
}

#[test]
fn nothing_answers_after_its_time() {
    explore(|| {
        let clock = TestClock::sharp();
        let builder = MemoryCache::<u64, u64>::builder().max_entries(2).shards(1).seed(7);
        let map = Arc::new(builder.clock(clock.clone()).build().unwrap());
        map.insert(0, 1, ttl()).unwrap();
        let over = Arc::new(AtomicU64::new(0));
        let (reads, is_over) = (Arc::clone(&map), Arc::clone(&over));
        let readers = each(2, move |number| {
            for _ in 0..2 {
                let ended = is_over.load(Ordering::SeqCst) == 1;
                let found = reads.get(&0);
                assert!(!(ended && found == Some(1)));
                if number == 1 {
                    reads.remove_expired();
                }
            }
        });
        let time = thread::spawn(move || {
            clock.advance(TTL);
            over.store(1, Ordering::SeqCst);
        });
        join(readers.into_iter().chain([time]));
        map.insert(0, 2, ttl()).unwrap();
        assert_eq!(map.get(&0), Some(2));
    });
}
